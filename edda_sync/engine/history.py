"""
History: the changes of a task, a document or a tag, read from the log.

The log says which changes are about an entity (``mentions``), and each change says who made it, when, what and why. While a
store has a segment in place of the beginning of its log, the history begins after it, and says so.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from edda_sync.changes import change as changes
from edda_sync.crdt import attachments
from edda_sync.crdt import operation as ops
from edda_sync.crdt.keys import key_of, kind_and_id
from edda_sync.crdt.records import device_id
from edda_sync.crdt.state import entity_of
from edda_sync.engine.dots import text_of
from edda_sync.ledger.body import operations_of
from edda_sync.store.seams import Logged, StoreReader
from edda_sync.words import dates, values
from edda_sync.words.errors import CorruptError, EddaError, InvalidValueError, NotFoundError, RemoteProtocolError
from edda_sync.words.listed import Done, History
from edda_sync.words.model import TEXT_FIELDS
from edda_sync.workspace.members import cards

_SHOWN: Final = ("task", "document", "tag")  # what people undo; members and settings have commands of their own
_DAMAGED: Final = "damaged on this disk: run `edda doctor`"


def history(reader: StoreReader, key: bytes, limit: int | None) -> History:
    """
    Return the changes of an entity, the latest first.

    Args:
        reader: A reader of the store.
        key: The entity's key.
        limit: How many; None for all.
    """
    positions = sorted(reader.mentions.of(key), reverse=True)
    return _history(reader, positions if limit is None else positions[:limit], key)


def latest(reader: StoreReader, limit: int | None) -> History:
    """Return the latest changes of tasks, documents and tags; None for all."""
    found: list[int] = []
    for position in reader.log.backwards():
        if limit is not None and len(found) >= limit:
            break
        if any(kind_and_id(key)[0] in _SHOWN for key in reader.mentions.entities_at([position])):
            found.append(position)
    return _history(reader, found, None)


def key_of_any(reader: StoreReader, item_id: str, kind: str) -> bytes:
    """
    Return the key of the entity of a kind that has an id; without a kind, of whichever has it.

    Raises:
        NotFoundError: Nothing has this id.
    """
    for each in (kind,) if kind else _SHOWN:
        key = key_of(each, values.id_bytes("id", item_id))
        if reader.mentions.of(key) or reader.states.get([key]):
            return key
    raise NotFoundError(kind or "task or document", item_id)


def _history(reader: StoreReader, positions: list[int], key: bytes | None) -> History:
    names = {device: card.name for device, card in cards(reader).items()}
    phrases = _Phrases(reader)
    listed = tuple(_listed(reader, position, names, phrases, key) for position in positions)
    return History(changes=listed, is_whole=not reader.segments.merged())


def _listed(reader: StoreReader, position: int, names: Mapping[str, str], phrases: _Phrases, key: bytes | None) -> Done:
    """Return what a change did; of one that cannot be read, its name, if that can be."""
    dot = ""
    try:
        logged = reader.log.read(position)
        dot = text_of((logged.actor, logged.seq))
        return _done(reader, logged, names, phrases, key)
    except (CorruptError, RemoteProtocolError):  # the doctor names it, and a peer brings it back
        return Done(dot=dot, at="", device="", name="", agent=None, reason=None, what=(_DAMAGED,), fields=())


def _done(reader: StoreReader, logged: Logged, names: Mapping[str, str], phrases: _Phrases, key: bytes | None) -> Done:
    header = changes.decode_header(logged.raw)
    head = reader.log.heads().get(logged.actor)
    if head is None:
        raise CorruptError("The end of the log of a device")
    device = device_id(changes.decode_birth(head.birth).public_key)
    what: dict[str, None] = {}
    fields: dict[str, None] = {}
    for one in operations_of(reader, logged):
        its = key_of(one.kind, one.id)
        if key is None and one.kind in _SHOWN:
            what[phrases.about(one, its)] = None
        elif its == key:
            what.update(dict.fromkeys(phrases.of(one)))
        else:
            continue
        fields.update(dict.fromkeys(one.cells if isinstance(one, ops.Put) else ()))
        if isinstance(one, ops.Edit):
            fields[one.field] = None
    return Done(
        dot=text_of((logged.actor, logged.seq)), at=values.time_of(header.wall_ms), device=device,
        name=names.get(device, ""), agent=header.agent, reason=header.reason, what=tuple(what), fields=tuple(fields),
    )  # fmt: skip


class _Phrases:
    """
    Says what operations do.

    Args:
        reader: A reader of the store, which knows the names of tags and the titles of documents.
    """

    def __init__(self, reader: StoreReader) -> None:
        self._reader = reader
        self._titles: dict[bytes, str] = {}
        self._files: dict[bytes, dict[str, Any]] = {}  # what was ever attached to a document, by key and cell

    def about(self, one: ops.Operation, key: bytes) -> str:
        """Return what an operation is about, and whether it makes or deletes that, in one phrase."""
        does = "deleted" if isinstance(one, ops.Delete) else "made" if _makes(one) else "changed"
        if isinstance(one, ops.Touch):
            does = "used" if one.kind == "tag" else "brought back"
        return f"{does} {one.kind} {self.title(key)}"

    def of(self, one: ops.Operation) -> Iterator[str]:
        """Yield what an operation does to its entity."""
        if isinstance(one, ops.Delete):
            yield "deleted" if one.kind == "tag" else "moved to the trash"
        elif isinstance(one, ops.Touch):
            yield "used" if one.kind == "tag" else "brought back"
        elif isinstance(one, ops.Edit):
            yield self._edited(one)
        else:
            if _makes(one):
                yield "made"
            yield from [self._cell(one, name, value) for name, value in one.cells.items() if name != "created_at"]

    def _edited(self, one: ops.Edit) -> str:
        from edda_sync.crdt.text import edits

        try:
            edit = edits.decode(one.edit)
        except EddaError:
            return f"{one.field} (refused)"
        inserted, deleted = units_of(edit)
        return f"{one.field} +{inserted:,} -{deleted:,}"

    def _cell(self, one: ops.Put, name: str, value: Any) -> str:
        group, _, rest = name.partition(".")
        if group == "tag":
            return f"{'tagged' if value else 'took off'} #{self._named('tag', rest)}"
        if group == "link":
            named = self._named("document", rest)
            return f"linked {named} as {value}" if value else f"unlinked {named}"
        if group == "file":
            return f"{'attached' if value else 'took off'} {self._file(one, name, value)}"
        if value is None:
            return f"{name} cleared"
        if name == TEXT_FIELDS.get(one.kind):
            return f"{name} +{len(value):,}" if isinstance(value, str) else f"{name} (refused)"
        if name == "parent_id":
            is_id = isinstance(value, bytes) and len(value) == 16
            return f"parent {self.title(key_of('task', value))}" if is_id else "parent (refused)"
        if name == "due_date" and isinstance(value, str) and dates.is_day(value):
            return f"{name} {value[:10]}"
        return f"{name} {value[0] if name == 'status' and isinstance(value, list) and value else value}"

    def _file(self, one: ops.Put, name: str, value: Any) -> str:
        """Return what an attachment is called; of one that is taken off, what it was called last."""
        key = key_of(one.kind, one.id)
        if value is None and key not in self._files:
            self._files[key] = {}
            for position in sorted(self._reader.mentions.of(key)):
                for each in operations_of(self._reader, self._reader.log.read(position)):
                    if isinstance(each, ops.Put) and key_of(each.kind, each.id) == key:
                        held = {cell: given for cell, given in each.cells.items() if given is not None}
                        self._files[key] |= {cell: given for cell, given in held.items() if cell.startswith("file.")}
        try:
            return attachments.decode(value if value is not None else self._files[key].get(name)).name
        except InvalidValueError:  # another program wrote it, and nothing shows it
            return "a file"

    def _named(self, kind: str, member: str) -> str:
        """Return the title or name of a member of a set; what a cell calls it, if that is no id."""
        try:
            return self.title(key_of(kind, values.id_bytes(kind, member)))
        except InvalidValueError:  # another program wrote it, and nothing shows it
            return member

    def title(self, key: bytes) -> str:
        """Return the title or name of an entity, also of one in the trash; the end of its id if it has none."""
        if key not in self._titles:
            kind, entity_id = kind_and_id(key)
            record, found = self._reader.states.get([key]).get(key), ""
            try:
                entity = None if record is None else entity_of(key, record.state)
                found = "" if entity is None else entity.value("name" if kind == "tag" else "title") or ""
            except CorruptError:
                pass
            self._titles[key] = found or entity_id.hex()[-6:]
        return self._titles[key]


def title_of(reader: StoreReader, key: bytes) -> str:
    """Return the title or name of an entity, also of one in the trash; the end of its id if it has none."""
    return _Phrases(reader).title(key)


def units_of(edit: Any) -> tuple[int, int]:
    """Return how many UTF-16 units an edit inserts, and how many it deletes."""
    from edda_sync.crdt.text.units import units

    return sum(units(text) for _, _, text in edit.blocks), sum(length for _, _, length in edit.deletions)


def _makes(one: ops.Operation) -> bool:
    return isinstance(one, ops.Put) and "created_at" in one.cells
