"""
Merge what a source says into a store, so that importing again changes nothing and undoes nothing.

Three things are compared, a cell at a time: what was imported last (``memory``), what is in the store now, and what the
source says now. From the second import on

1. a value that the source has not changed since is not looked at: whatever a person made of it stays;
2. a value that the source has changed is taken over if it still is what was imported;
3. a text that both have changed takes the edits of both, as texts do that two devices have edited. Any other value that both
   have changed stays as it is here and is *open*: it is told at every import, until both are equal or a person says whose
   is right (``prefer``);
4. an item that the source says is older than what was imported last is left alone;
5. an item in the trash stays there;
6. two devices that import the same write equal values under equal ids, which merge without a conflict. A changed text is
   therefore written as a new text and not as edits: two devices' equal edits would both be applied, and double the words.

Source: the three-way merge of `diff3` (Khanna, Kunal, Pierce 2007), a cell at a time, with hashes for the base.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Container, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from edda_sync.engine.items import set_cells
from edda_sync.imports import pieces
from edda_sync.imports import report as reports
from edda_sync.imports.batches import batches, text_length
from edda_sync.imports.memory import TEXTS, Memory, hash_of, key_of
from edda_sync.imports.report import Report, Row
from edda_sync.imports.source import Attach, Imported, Refused, Source
from edda_sync.words import values
from edda_sync.words.callbacks import Callback
from edda_sync.words.errors import InvalidValueError, UsageError
from edda_sync.words.model import TEXT_FIELDS, UNSET, Cells, Document, Item, Task, cells_of, kind_of, remember_base

if TYPE_CHECKING:
    from edda_sync.engine.engine import StorageEngine
    from edda_sync.engine.transaction import Transaction

HERE: Final = "here"
SOURCE: Final = "source"
PREFERRED: Final = (HERE, SOURCE)
"""Whose value is taken where both sides have changed one."""


def merge_into(
    store: StorageEngine,
    source: Source,
    *,
    prefer: str | None = None,
    dry_run: bool = False,
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
        prefer: Whose value settles what both sides have changed, :data:`HERE` or :data:`SOURCE`; None leaves it open.
        dry_run: Whether to write nothing, and only say what would be done.
        agent, reason: Who imports, and why; as ``begin_transaction``.
        progress: Called with the number of items that are done, until it raises something, which the log says.

    Returns:
        A :class:`Report`. What the source itself could not read is in ``source.refused``.

    Raises:
        LocalError, StorageError: As they say; earlier batches are in.
    """
    report, tell = Report(), Callback(progress, "The progress of an import")
    merger = _Merger(store, source, prefer, dry_run=dry_run)
    done = 0
    for batch in batches(source.items, lambda each: text_length(each.item)):

        def work(tx: Transaction, batch: Sequence[Imported] = batch) -> Report:
            return merger.merge(tx, batch)

        report.add(store.transact(work, agent=agent, reason=reason or f"import from {source.key}"))
        done += len(batch)
        tell(done)
    return report


@dataclass(frozen=True, slots=True)
class _Outcome:
    """What the comparison of one item gave: cells to write, texts to merge with their base, fields left open, memory."""

    taken: Cells
    merged: dict[str, tuple[str, str]]
    left: tuple[str, ...]
    memory: Memory
    known: Memory | None

    @property
    def changes(self) -> bool:
        return bool(self.taken or self.merged) or self.memory.written() != (self.known or Memory()).written()


class _Merger:
    """Merges batches of one source."""

    def __init__(self, store: StorageEngine, source: Source, prefer: str | None, *, dry_run: bool) -> None:
        self._store, self._source, self._prefer, self._dry_run = store, source, prefer, dry_run
        self._planned = {each.item.id for each in source.items} if dry_run else set()

    def merge(self, tx: Transaction, batch: Sequence[Imported]) -> Report:
        report = Report()
        now, trash = now_and_trash(self._store, tx, batch)
        for each in batch:
            current = now[each.item.id]
            if current is not None:
                report.take(self._update(tx, each, current), each)
                if each.files and self._source.remembers:
                    self._look_at_files(tx, each, report)
            elif each.item.id in trash:
                report.take(_row(reports.IN_TRASH, each), each)
            elif each.only_if_here:
                report.take(_row(reports.THROWN_AWAY, each), each)
            else:
                if not self._dry_run:
                    self._create(tx, each)
                    attach(tx, each, report)
                report.take(_row(reports.CREATED, each), each)
        return report

    def _create(self, tx: Transaction, each: Imported) -> None:
        cells = cells_wanted(tx, each.item)
        made = replace(each.item, metadata={**(each.item.metadata or {})})
        if self._source.remembers:
            made.metadata[key_of(self._source.key)] = self._remembered(each, cells, None).written()
        if isinstance(made, Task):
            if "parent_id" not in cells:
                made.parent_id = UNSET
            tx.create_task(made)
        else:
            tx.create_document(made)

    def _look_at_files(self, tx: Transaction, each: Imported, report: Report) -> None:
        """Attach the files that a document here lacks if the source is preferred, and otherwise tell them."""
        lacking = lacking_files(self._store, each)
        if lacking and self._prefer == SOURCE and not self._dry_run:
            attach(tx, replace(each, files=lacking), report)
        elif self._prefer != HERE:
            report.lacking += [(each.name, file.name) for file in lacking]

    def _update(self, tx: Transaction, each: Imported, current: Item) -> Row:
        known = Memory.in_item(current, self._source.key) if self._source.remembers else None
        if known and known.changed_at and each.changed_at and each.changed_at < known.changed_at:
            return _row(reports.OLDER, each)
        wanted = cells_wanted(tx, each.item, self._planned)
        found, have = self._compared(each, current, known, wanted), cells_of(current, current)
        row = Row(
            reports.UPDATED if found.changes else reports.UNCHANGED,
            each.name,
            each.item.title,
            each.item.id,
            tuple(_called(name, wanted, have) for name in sorted(found.taken)),
            tuple(sorted(found.merged)),
            tuple(_called(name, wanted, have) for name in found.left),
        )
        if found.changes and not self._dry_run:
            _write_cells(tx, current, found, key_of(self._source.key) if self._source.remembers else None)
        return row

    def _compared(self, each: Imported, current: Item, known: Memory | None, wanted: Cells) -> _Outcome:
        """Compare three ways: see the rules above."""
        have, before = cells_of(current, current), _base_of(known, each.before)
        after = self._remembered(each, wanted, known)
        hashes, taken, merged, left = dict(after.hashes), Cells(), dict[str, tuple[str, str]](), list[str]()
        for name in sorted({*before.hashes, *after.hashes}):
            value, forms = wanted.get(name), _forms(name, have.get(name))
            is_there = name.startswith(_TAG) and None not in (value, have.get(name))  # however it is spelled
            if before.hashes.get(name) == after.hashes.get(name) or value in forms or is_there:
                continue
            last = [None if form is None else hash_of(form) for form in forms]
            unedited = self._source.remembers and before.hashes.get(name) in last
            if unedited or (self._prefer == SOURCE and (value is not None or name not in _NEEDED)):
                taken[name] = value
            elif (base := _base_text(name, before, value, have.get(name))) is not None:
                merged[name] = (base, str(value))
            elif self._prefer != HERE and not _are_done(name, value, have.get(name)):
                left.append(name)
                hashes.pop(name, None)
                if name in before.hashes:
                    hashes[name] = before.hashes[name]
        if not self._source.remembers:
            return _Outcome(taken, {}, tuple(left), Memory(), None)
        text = before.text if any(name in TEXTS for name in left) else after.text
        memory = replace(after, hashes=hashes, text=text)
        if not (taken or merged) and memory.hashes == before.hashes:  # only where it lies may be new
            memory = (
                replace(known, source=known.source or memory.source)
                if known
                else Memory()
                if before is each.before
                else memory
            )
        return _Outcome(taken, merged, tuple(left), memory, known)

    def _remembered(self, each: Imported, cells: Cells, known: Memory | None) -> Memory:
        memory = Memory.of(cells, each.changed_at or (known.changed_at if known else None))
        if each.before is None:
            return replace(memory, places=known.places, source=known.source, export=known.export) if known else memory
        return replace(memory, source=each.before.source, export=each.before.export).from_place(
            [*each.before.places, *(known.places if known else ())]
        )


_TAG: Final = "tag."
_NEEDED: Final = ("title", "status", "priority", "content_type", "doc_type", "created_at")
"""Cells that every item has: a source that says nothing of one does not clear it."""


def _base_of(known: Memory | None, told: Memory | None) -> Memory:
    """Return what was imported last: what the store remembers, or what an export of ours that it does not know says."""
    if told is not None and told.hashes and (known is None or told.export != known.export):
        return told
    return known or Memory()


def _base_text(name: str, before: Memory, value: Any, here: Any) -> str | None:
    """Return the text that both sides have changed, if it is known and its merge is a whole text."""
    if name not in TEXTS or not isinstance(value, str) or not isinstance(here, str):
        return None
    return pieces.base(before.text, here, value)


def _forms(name: str, value: Any) -> list[Any]:
    """Return the cell values that count as the current one: a source may say when a task was done, or only that it was."""
    return [value, value[0]] if name == "status" and isinstance(value, list) else [value]


def _are_done(name: str, *sides: Any) -> bool:
    """Tell whether both sides say that a task is done, at whatever time each."""
    return name == "status" and all("done" in _forms(name, each) for each in sides)


def _called(name: str, wanted: Cells, have: Cells) -> str:
    """Return what to call a cell: a tag by its name."""
    return f"tag {wanted.get(name) or have[name]}" if name.startswith(_TAG) else name


def _row(verdict: str, each: Imported) -> Row:
    return Row(verdict, each.name, each.item.title, each.item.id)


def _write_cells(tx: Transaction, current: Item, found: _Outcome, key: str | None) -> None:
    taken = {name: value for name, value in found.taken.items() if value is not None or name not in _NEEDED}
    name = TEXT_FIELDS[kind_of(current)]
    if name in taken:  # a new text in the place of the old one: see rule 6
        text = taken.pop(name)
        for step in (None, text):
            _write(tx, _blank(current, name, step))
    for base, text in found.merged.values():
        edited = _blank(current, name, base)
        remember_base(edited)
        setattr(edited, name, text)
        _write(tx, edited)
    if key is not None:
        taken[f"metadata.{key}"] = values.json_value("metadata", found.memory.written())
    set_cells(current, taken)
    _write(tx, current)


def _blank(current: Item, name: str, text: str | None) -> Item:
    return Task(id=current.id, description=text) if name == "description" else Document(id=current.id, content=text)


def _write(tx: Transaction, item: Item) -> None:
    if isinstance(item, Task):
        tx.update_task(item)
    else:
        tx.update_document(item)


# --- what importers of other kinds use, too ---------------------------------------------------------------------------


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


def lacking_files(store: StorageEngine, each: Imported) -> list[Attach]:
    """
    Return the files of a document that is here which are not attached to it, by their names.

    An export gives a file another name where a disk could not hold it. So a file is also an attachment of its size whose
    name no file has.
    """
    here = Counter((file.name, file.size) for file in store.attachments(each.item.id))
    lacking = list(each.files)
    for of_name in (True, False):
        for file in tuple(lacking):
            found = next((one for one in here if (one[0] == file.name if of_name else one[1] == _size(file))), None)
            if found is not None:
                lacking.remove(file)
                here[found] -= 1
                here += Counter()  # without what is matched
    return lacking


def _size(file: Attach) -> int | None:
    try:
        return None if file.path is None else file.path.stat().st_size
    except OSError:
        return None


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


def cells_wanted(tx: Transaction, item: Item, planned: Container[str] = ()) -> Cells:
    """
    Return the cells to import: a parent that is not here, or in the trash, is left for another time.

    Args:
        tx: The transaction.
        item: What to import.
        planned: Ids of tasks that are taken to be here.
    """
    cells = {name: value for name, value in cells_of(item).items() if value is not None}
    parent = cells.get("parent_id")
    if parent is not None:
        parent_id = values.id_text(parent)
        if parent_id not in planned and tx.get_task(parent_id) is None:
            del cells["parent_id"]
    return cells
