"""
Merge what a source says into a store, so that importing again changes nothing and undoes nothing.

Each imported item remembers, in one metadata key, a short hash of every value that was last imported. From then on

1. a value that the source has not changed since is not looked at: whatever a person made of it stays;
2. a value that the source has changed is taken over if it still is what was imported; else the person's stays, and the
   report says so;
3. an item in the trash stays there;
4. two devices that import the same write equal values under equal ids, which merge without a conflict. A changed text is
   therefore written as a new text and not as edits: two devices' equal edits would both be applied, and double the words.

Source: the three-way merge of `diff3` (Khanna, Kunal, Pierce 2007), a cell at a time, with hashes for the base.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from edda_sync.engine.items import set_cells
from edda_sync.imports.batches import batches, text_length
from edda_sync.words import limits, unicode14, values
from edda_sync.words.callbacks import Callback
from edda_sync.words.errors import InvalidValueError, UsageError
from edda_sync.words.model import TEXT_FIELDS, UNSET, Cells, Document, Item, Task, cells_of, kind_of

if TYPE_CHECKING:
    from edda_sync.engine.engine import StorageEngine
    from edda_sync.engine.transaction import Transaction

HASH_BYTES: Final = 6  # of one value, to tell whether the source has changed it
_HALVES: Final = re.compile("[\ud800-\udfff]")  # half characters, which UTF-8 cannot write


@dataclass(frozen=True, slots=True)
class Attach:
    """
    A file to attach.

    Attributes:
        path: Where it is; None if it cannot be attached.
        name: What people call it.
        content_type: Its media type; what its name suggests by default.
        why: Why it cannot be attached.
    """

    path: Path | None
    name: str
    content_type: str | None = None
    why: str = ""


@dataclass(frozen=True, slots=True)
class Imported:
    """
    One item of a source.

    Attributes:
        name: What the source calls it.
        item: What it is here; its id and every field to import are set.
        kept: What it has that no field holds, and metadata keeps.
        nearly: What its fields hold as near as they can, and metadata keeps as it was.
        files: What is attached to it when it is created.
    """

    name: str
    item: Item
    kept: Sequence[str] = ()
    nearly: Sequence[str] = ()
    files: Sequence[Attach] = ()


@dataclass(frozen=True, slots=True)
class Refused:
    """Something of a source that cannot be imported: where it is, and why not."""

    name: str
    why: str


@dataclass(frozen=True, slots=True)
class Source:
    """
    What was read from a source.

    Attributes:
        key: Name of the source, such as ``beads``; ``import.KEY`` is the metadata key that remembers what was imported.
        items: What to import; a task comes after its parent.
        refused: What cannot be.
    """

    key: str
    items: Sequence[Imported]
    refused: Sequence[Refused] = ()


@dataclass(slots=True)
class Report:
    """
    What an import did.

    Attributes:
        created, updated, unchanged: How many items each.
        in_trash: How many were left in the trash.
        edited: Name and field of each value that the source has changed and a person has too: the person's stayed.
        attached: How many files were attached to what was created.
        unattached: Those that could not be.
        kept, nearly: Of how many items that were created or updated metadata keeps what no field holds, and what a field
            holds nearly, by what it is.
    """

    created: int = 0
    updated: int = 0
    unchanged: int = 0
    in_trash: int = 0
    edited: list[tuple[str, str]] = field(default_factory=list)
    attached: int = 0
    unattached: list[Refused] = field(default_factory=list)
    kept: Counter[str] = field(default_factory=Counter)
    nearly: Counter[str] = field(default_factory=Counter)

    def wrote(self, each: Imported) -> None:
        """Take in that an item was created or updated."""
        self.kept.update(each.kept)
        self.nearly.update(each.nearly)

    def add(self, other: Report) -> None:
        """Add another report's counts."""
        self.created += other.created
        self.updated += other.updated
        self.unchanged += other.unchanged
        self.in_trash += other.in_trash
        self.edited += other.edited
        self.attached += other.attached
        self.unattached += other.unattached
        self.kept += other.kept
        self.nearly += other.nearly


def merge_into(
    store: StorageEngine,
    source: Source,
    *,
    agent: str | None = None,
    reason: str | None = None,
    progress: Callable[[int], object] = lambda _done: None,
) -> Report:
    """
    Write what a source says into a store, in transactions that no device has to wait for long; see ``batches``.

    Safe to repeat, also after it was interrupted.

    Args:
        store: Where to.
        source: What ``beads.read`` or ``markdown.read`` returned.
        agent, reason: Who imports, and why; as ``begin_transaction``.
        progress: Called with the number of items that are done, until it raises something, which the log says.

    Returns:
        A :class:`Report`. What the source itself could not read is in ``source.refused``.

    Raises:
        LocalError, StorageError: As they say; earlier batches are in.
    """
    report, tell = Report(), Callback(progress, "The progress of an import")
    done = 0
    for batch in batches(source.items, lambda each: text_length(each.item)):

        def work(tx: Transaction, batch: Sequence[Imported] = batch) -> Report:
            return _merge_batch(store, tx, f"import.{source.key}", batch)

        report.add(store.transact(work, agent=agent, reason=reason or f"import from {source.key}"))
        done += len(batch)
        tell(done)
    return report


def _merge_batch(store: StorageEngine, tx: Transaction, key: str, batch: Sequence[Imported]) -> Report:
    report = Report()
    now, trash = now_and_trash(store, tx, batch)
    for each in batch:
        current = now[each.item.id]
        if current is not None:
            _update(tx, key, each, current, report)
        elif each.item.id in trash:
            report.in_trash += 1
        else:
            _create(tx, key, each.item)
            attach(tx, each, report)
            report.created += 1
            report.wrote(each)
    return report


def attach(tx: Transaction, each: Imported, report: Report) -> None:
    """Attach files to a document that was just created, and report it. One that cannot be read keeps nothing else back."""
    for file in each.files:
        if file.path is None:
            report.unattached.append(Refused(f"{each.name}: {file.name}", file.why))
            continue
        try:
            tx.attach(each.item.id, file.path, name=file.name, content_type=file.content_type)
        except (OSError, UsageError, InvalidValueError) as error:
            shown = error.strerror or str(error) if isinstance(error, OSError) else str(error).rstrip(".")
            report.unattached.append(Refused(f"{each.name}: {file.name}", shown))
        else:
            report.attached += 1


def now_and_trash(
    store: StorageEngine, tx: Transaction, batch: Sequence[Imported]
) -> tuple[dict[str, Item | None], set[str]]:
    """Return what a store shows of some items, by id, and the ids of those that are in its trash."""
    now = {each.item.id: _now(tx, each.item) for each in batch}  # the transaction commits only if they still are so
    absent = [each.item for each in batch if now[each.item.id] is None]
    trash = {
        each
        for kind in TEXT_FIELDS
        for each in store.reading.in_trash(kind, [item.id for item in absent if kind_of(item) == kind])
    }
    return now, trash


def _now(tx: Transaction, item: Item) -> Item | None:
    return tx.get_task(item.id) if isinstance(item, Task) else tx.get_document(item.id)


def cells_wanted(tx: Transaction, item: Item) -> Cells:
    """Return the cells to import: a parent that is not here, or in the trash, is left for another time."""
    cells = {name: value for name, value in cells_of(item).items() if value is not None}
    parent = cells.get("parent_id")
    if parent is not None and tx.get_task(values.id_text(parent)) is None:
        del cells["parent_id"]
    return cells


def _create(tx: Transaction, key: str, item: Item) -> None:
    cells = cells_wanted(tx, item)
    hashes = {name: _hash(value) for name, value in cells.items()}
    made = replace(item, metadata={**(item.metadata or {}), key: hashes})
    if isinstance(made, Task):
        if "parent_id" not in cells:
            made.parent_id = UNSET
        tx.create_task(made)
    else:
        tx.create_document(made)


def _update(tx: Transaction, key: str, each: Imported, current: Item, report: Report) -> None:
    wanted, have = cells_wanted(tx, each.item), cells_of(current)
    remembered = current.metadata.get(key)
    before: dict[str, str] = remembered if isinstance(remembered, dict) else {}
    after = {name: _hash(value) for name, value in wanted.items()}
    taken: Cells = {}
    for name in sorted({*before, *after}):
        if before.get(name) == after.get(name):
            continue
        value, forms = wanted.get(name), _forms(name, have.get(name))
        if value in forms:
            continue
        if before.get(name) in [None if form is None else _hash(form) for form in forms]:
            taken[name] = value
        else:
            report.edited.append((each.name, name))
    if before == after:
        report.unchanged += 1
        return
    report.updated += 1
    report.wrote(each)
    _replace_text(tx, current, taken)
    set_cells(current, {**taken, f"metadata.{key}": values.json_value("metadata", after)})
    _write(tx, current)


def _forms(name: str, value: Any) -> list[Any]:
    """Return the cell values that count as the current one: a source may say when a task was done, or only that it was."""
    return [value, value[0]] if name == "status" and isinstance(value, list) else [value]


def _replace_text(tx: Transaction, current: Item, taken: Cells) -> None:
    """Put a new text in the place of the old one: see rule 4."""
    name = TEXT_FIELDS["task" if isinstance(current, Task) else "document"]
    if name not in taken:
        return
    text = taken.pop(name)
    for step in (None, text):
        _write(tx, _blank(current, name, step))


def _blank(current: Item, name: str, text: str | None) -> Item:
    return Task(id=current.id, description=text) if name == "description" else Document(id=current.id, content=text)


def _write(tx: Transaction, item: Item) -> None:
    if isinstance(item, Task):
        tx.update_task(item)
    else:
        tx.update_document(item)


def _hash(value: Any) -> str:
    """Return a short hash of a cell's value, the same on every device."""
    plain = value.hex() if isinstance(value, bytes) else value
    return blake2b(json.dumps(plain).encode(), digest_size=HASH_BYTES, person=b"edda-imported").hexdigest()


def title_from(text: str, otherwise: str) -> str:
    """
    Return text as a title: one line without control characters, at most 500 code points.

    Args:
        text: Anything that is meant to be a title.
        otherwise: What to return when nothing is left of it.
    """
    line = "".join(" " if unicodedata.category(c) in ("Cc", "Zl", "Zp") else c for c in _HALVES.sub("\ufffd", text))
    title = " ".join(line.split())[: limits.TITLE_CODE_POINTS_MAX].rstrip()
    return otherwise if unicode14.is_blank(title) else title
