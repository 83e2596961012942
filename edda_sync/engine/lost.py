"""
What was done and is not shown, though no cell says so: deletions that an edit has undone, and renames of a tag that became
two tags. They are listed as conflicts, and settled like these.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from edda_sync.changes import change as changes
from edda_sync.changes.drafts import Delete, Draft, Put, Touch
from edda_sync.crdt import cells, operation
from edda_sync.crdt.cells import Siblings, Write
from edda_sync.crdt.entity import Entity
from edda_sync.crdt.keys import key_of
from edda_sync.crdt.state import entity_of
from edda_sync.store.seams import StoreReader
from edda_sync.words import values
from edda_sync.words.errors import CorruptError, RemoteProtocolError
from edda_sync.words.listed import DELETED, RENAMED, Conflict, ConflictValue


class _Rename(NamedTuple):
    """A rename of a tag: the deletion of the old one, the new one's id and name, and the items that it gave it to."""

    deletion: Write
    tag: str
    name: str
    items: frozenset[tuple[str, str]]


def conflicts(reader: StoreReader, entity: Entity, deletions: Siblings) -> list[Conflict]:
    """
    Return what was done to an entity and is not shown.

    Args:
        reader: A reader of the store.
        entity: The entity.
        deletions: Its open deletions.
    """
    return _renamed(reader, entity, deletions) if entity.hidden else _deleted(reader, entity, deletions)


def told(reader: StoreReader, write: Write, value: object) -> ConflictValue:
    """Return a write as a value that somebody wrote."""
    actor, seq, wall_ms, _ = write
    return ConflictValue(
        value=value,
        written_at=values.time_of(wall_ms),
        actor=actor.hex(),
        seq=seq,
        agent=_agent(reader, actor, seq),
    )


def _agent(reader: StoreReader, actor: bytes, seq: int) -> str | None:
    headers = reader.log.headers(actor, seq, seq)  # none, while a segment stands for the beginning of the log
    try:
        return changes.decode_header(headers[0]).agent if headers else None
    except RemoteProtocolError:  # it rotted: the doctor names it, and a peer brings it back
        return None


def noted_less(reader: StoreReader) -> set[bytes]:
    """
    Return the keys of the entities of which older versions may not have noted all that is listed as conflicts: those that
    were ever deleted, and those with links that several devices wrote at once. All states are read.
    """
    found = set()
    for record in reader.states.scan():
        try:
            entity = entity_of(record.key, record.state)
        except CorruptError:  # the scrub reports it
            continue
        if entity.deleted or any(len(each) > 1 and name.startswith("link.") for name, each in entity.cells.items()):
            found.add(record.key)
    return found


def settling(reader: StoreReader, entity: Entity, field: str, take: int | None) -> list[Draft]:
    """
    Return what settles such a conflict, as drafts of one change.

    Args:
        reader: A reader or transaction of the store.
        entity: The entity.
        field: ``DELETED`` or ``RENAMED``.
        take: Which of the values that are kept is to be shown, from 0 on; None for what is shown already.
    """
    if field == DELETED:
        return [(Touch if take is None else Delete)(entity.kind, entity.id)]
    renames = _renames(reader, entity, [*reader.index.deletions([entity.key]).get(entity.key, ())])
    drafts = list[Draft]() if take is None else _gathered(reader, renames, renames[take])
    return [*drafts, Touch("tag", entity.id), Delete("tag", entity.id)]  # the old tag is gone, and this answers both


# --- deletions --------------------------------------------------------------------------------------------------------


def _deleted(reader: StoreReader, entity: Entity, deletions: Siblings) -> list[Conflict]:
    keeper = _keeper(reader, entity)
    if keeper is None:
        return []
    kept = sorted(deletions, key=cells.rank, reverse=True)
    return [
        Conflict(
            kind=entity.kind,
            id=values.id_text(entity.id),
            title=entity.value("title") or entity.value("name") or "",
            field=DELETED,
            shown=told(reader, keeper, False),
            kept=tuple(told(reader, each, True) for each in kept),
        )
    ]


def _keeper(reader: StoreReader, entity: Entity) -> Write | None:
    """Return the latest write for which an entity is shown although it was deleted; None while the log is on its way."""
    writes = (write for siblings in entity.cells.values() for write in siblings)
    found = [write for write in writes if write[1] > entity.deleted.get(write[0], 0)]
    if not found:  # somebody only used it, such as a tag
        for actor, seq in entity.touched.items():
            headers = reader.log.headers(actor, seq, seq) if seq > entity.deleted.get(actor, 0) else ()
            found += [(actor, seq, changes.decode_header(header).wall_ms, None) for header in headers]
    return max(found, key=cells.rank, default=None)


# --- renames ----------------------------------------------------------------------------------------------------------


def _renamed(reader: StoreReader, entity: Entity, deletions: Siblings) -> list[Conflict]:
    renames = _renames(reader, entity, deletions)
    if len({each.tag for each in renames}) < 2:
        return []
    carriers = {each.tag: set(reader.edges.carriers(each.tag)) & each.items for each in renames}
    if not any(one & other for tag, one in carriers.items() for name, other in carriers.items() if tag < name):
        return []
    names = sorted({each.name for each in renames})
    return [
        Conflict(
            kind="tag",
            id=values.id_text(entity.id),
            title=entity.value("name") or "",
            field=RENAMED,
            shown=told(reader, renames[0].deletion, ", ".join(names)),
            kept=tuple(told(reader, each.deletion, each.name) for each in renames),
        )
    ]


def _renames(reader: StoreReader, entity: Entity, deletions: Siblings) -> list[_Rename]:
    """Return the renames among the deletions of a tag, the greatest stamp first."""
    found = (_rename(reader, entity, each) for each in sorted(deletions, key=cells.rank, reverse=True))
    return [each for each in found if each is not None]


def _rename(reader: StoreReader, entity: Entity, deletion: Write) -> _Rename | None:
    """Return the rename that deleted a tag: its change gave the carriers another one; None if it is none, or is not here."""
    from edda_sync.ledger.body import operations_of  # rarely needed

    position, old = reader.log.position_of(*deletion[:2]), f"tag.{values.id_text(entity.id)}"
    if position is None:
        return None
    given: dict[str, set[tuple[str, str]]] = {}
    for one in operations_of(reader, reader.log.read(position)):
        if isinstance(one, operation.Put) and one.cells.get(old, True) is None:
            for cell, value in one.cells.items():
                if cell.startswith("tag.") and value is not None:
                    given.setdefault(cell[4:], set()).add((one.kind, values.id_text(one.id)))
    if len(given) != 1:
        return None
    ((tag, items),) = given.items()
    row = reader.tables.row("tag", tag)
    return None if row is None else _Rename(deletion, tag, row[1], frozenset(items))


def _gathered(reader: StoreReader, renames: Sequence[_Rename], chosen: _Rename) -> Iterable[Draft]:
    """Return what gives one tag to all items that were given others by the other renames, in place of these."""
    drafts = list[Draft]()
    for each in renames:
        if each.tag == chosen.tag:
            continue
        carriers = reader.edges.carriers(each.tag)
        moved = [item for item in carriers if item in each.items]
        cells_ = {f"tag.{chosen.tag}": chosen.name, f"tag.{each.tag}": None}
        drafts += [Put.of(kind, values.id_bytes("id", item), cells_) for kind, item in moved]
        key = key_of("tag", values.id_bytes("id", each.tag))
        if len(moved) == len(carriers) and key in reader.states.get([key]):
            drafts.append(Delete("tag", values.id_bytes("id", each.tag)))
    return drafts
