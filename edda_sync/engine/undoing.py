"""
Undoing: a new change that takes earlier ones back. It is made like any other, merges like any other, and can be undone.

What is undone, by whom and when, does not matter: the changes of this device or of another, of a person or of an agent. What
others wrote since stays (:mod:`~edda_sync.fold.inverse`), and the result says what could not be taken back.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from functools import partial
from typing import Final, NamedTuple

from edda_sync.changes import change as changes
from edda_sync.changes import undone
from edda_sync.changes.change import Header
from edda_sync.changes.drafts import Draft
from edda_sync.changes.past import Pasts
from edda_sync.crdt import operation as ops
from edda_sync.crdt.entity import Entity
from edda_sync.crdt.frontier import Dot
from edda_sync.crdt.keys import id_text_of, key_of, kind_and_id
from edda_sync.crdt.state import entity_of
from edda_sync.engine.dots import dots_of, named
from edda_sync.engine.history import title_of, units_of
from edda_sync.fold.inverse import Around, Did, Earlier, Side, inverse
from edda_sync.ledger import looking_back
from edda_sync.ledger.body import operations_of
from edda_sync.store.seams import StoreReader
from edda_sync.words import limits
from edda_sync.words.errors import EddaError, NothingToUndoError, UsageError
from edda_sync.words.listed import TakenBack
from edda_sync.words.model import TEXT_FIELDS
from edda_sync.workspace.actor import meta_of
from edda_sync.workspace.keys import BIRTH_KEY

UNDO: Final = "undo of "
"""How the reason of an undo begins, followed by the names of what it undoes, or by their number if there is no room."""

_KINDS: Final = ("task", "document", "tag")


class Plan(NamedTuple):
    """
    What an undo would do.

    Attributes:
        dots: The changes that it takes back, in the order of the log.
        drafts: What it writes.
        items: What becomes of each task, document and tag.
    """

    dots: list[Dot]
    drafts: list[Draft]
    items: tuple[TakenBack, ...]


def check_whole(reader: StoreReader) -> None:
    """
    Check that the whole log is here: what a change replaced may have been written long before it.

    Raises:
        UsageError: The log begins with a segment, and what is behind that is still on its way.
    """
    if reader.segments.merged():
        raise UsageError(
            "This device is still fetching the history of what it began with (`edda status` tells how far it is): try again "
            "when that is here. Nothing was changed."
        )


def plan(reader: StoreReader, dots: Collection[Dot]) -> Plan:
    """
    Return what takes some changes back, all together, in the present state.

    Args:
        reader: A reader or transaction of the store.
        dots: The changes, by the log's names; each is in the log.

    Raises:
        UsageError: The log is not whole yet.
        CorruptError: A change in the log is damaged.
    """
    check_whole(reader)
    positions = {dot: reader.log.position_of(*dot) for dot in dots}
    ordered = sorted((position, dot) for dot, position in positions.items() if position is not None)
    did = _did(reader, [position for position, _ in ordered])
    asked = frozenset(dots)
    settled = _settled(reader, did, asked)
    dots = asked | settled
    then, now = looking_back.without(reader, did, dots), reader
    before, present = then.states.get(did), now.states.get(did)
    earlier = _earlier(reader, did, asked, settled)
    tags = {row[0]: row[1] for row in reader.tables.all("tags")}
    around = Around(tags, partial(_is_below, reader), partial(_is_typed_in, reader, asked, dots))
    drafts, items = list[Draft](), list[TakenBack]()
    for key, its in did.items():
        if key not in present:
            continue
        former = before.get(key)
        side = None if former is None else Side(then, entity_of(key, former.state))
        entity = entity_of(key, present[key].state)
        found = inverse(Side(now, entity), side, dots, its, around, earlier.get(key))
        drafts += found.drafts
        items.append(
            TakenBack(
                kind=entity.kind, id=id_text_of(key), title=_title(reader, entity), fields=tuple(found.fields),
                left=tuple(sorted(found.left.items())),
            )
        )  # fmt: skip
    return Plan([dot for _, dot in ordered], drafts, tuple(items))


def _earlier(
    reader: StoreReader, did: Mapping[bytes, Did], asked: Collection[Dot], settled: Collection[Dot]
) -> dict[bytes, Earlier]:
    """Return the texts, by entity, beside which something had been taken back before."""
    keys = [key for key, its in did.items() if TEXT_FIELDS.get(kind_and_id(key)[0]) in its.cells]
    if not (keys and settled):
        return {}
    sides = looking_back.without(reader, keys, asked), looking_back.without(reader, keys, settled)
    found = dict[bytes, Earlier]()
    for key in keys:
        records = [(side, side.states.get([key]).get(key)) for side in sides]
        states = [Side(side, entity_of(key, record.state)) for side, record in records if record is not None]
        if len(states) == len(sides):
            found[key] = Earlier(*states)
    return found


def _settled(reader: StoreReader, keys: Collection[bytes], dots: Collection[Dot]) -> set[Dot]:
    """
    Return the changes of some entities that were taken back, with the undos that did so.

    They count as if neither had been: what an undo wrote is not somebody's later work, which an undo of what was before it
    would have to leave. An undo that was taken back, or is to be, does not count; nor does one that put an item into the
    trash, from where somebody has brought it back, later or at the same time.
    """
    done_with, settled = set[Dot](), set[Dot]()
    wrote, undos = defaultdict[bytes, list[Dot]](list), list[tuple[Dot, Header, list[ops.Delete]]]()
    for position in sorted({each for key in keys for each in reader.mentions.of(key)}, reverse=True):
        logged = reader.log.read(position)
        dot, header = (logged.actor, logged.seq), changes.decode_header(logged.raw)
        if dot in dots:
            continue
        deletions = list[ops.Delete]()
        for one in operations_of(reader, logged):
            if isinstance(one, ops.Delete):
                deletions.append(one)
            elif not wrote[key := key_of(one.kind, one.id)] or wrote[key][-1] != dot:
                wrote[key].append(dot)
        if is_undo(header):
            undos.append((dot, header, deletions))
    for dot, header, deletions in undos:
        if dot in done_with or any(_is_answered(one, wrote[key_of(one.kind, one.id)], done_with) for one in deletions):
            continue
        taken = _named(reader, header)
        done_with.update(taken)
        settled.update((dot, *taken) if taken else ())
    return settled


def _is_answered(deletion: ops.Delete, wrote: Collection[Dot], done_with: Collection[Dot]) -> bool:
    """Tell whether somebody has written to an item without having been seen by a deletion of it, which brought it back."""
    seen = dict(deletion.seen)
    return any(seq > seen.get(actor, 0) for actor, seq in wrote if (actor, seq) not in done_with)


def _title(reader: StoreReader, entity: Entity) -> str:
    return title_of(reader, entity.key)


def _is_below(reader: StoreReader, key: bytes, task: bytes) -> bool:
    """Tell whether a task is another one, or below it, as their cells say."""
    passed = set[bytes]()
    while (at := key_of("task", task)) not in passed:
        if at == key:
            return True
        passed.add(at)
        record = reader.states.get([at]).get(at)
        parent = None if record is None else entity_of(at, record.state).value("parent_id")
        if parent is None:
            return False
        task = parent
    return False


def _is_typed_in(
    reader: StoreReader, asked: Collection[Dot], dots: Collection[Dot], key: bytes, genesis: bytes
) -> bool:
    """
    Tell whether others have edited a text since some changes of its entity, or at the same time.

    Args:
        reader: A reader of the store.
        asked: The changes that are to be taken back.
        dots: These, and all that count as taken back.
        key: The entity's key.
        genesis: The name of the text.
    """
    logged = [reader.log.read(position) for position in sorted(reader.mentions.of(key))]
    pasts = [Pasts().through(reader, dot) for dot in ((each.actor, each.seq) for each in logged) if dot in asked]
    for each in logged:
        if (each.actor, each.seq) in dots or all(each.seq <= past.get(each.actor, 0) for past in pasts):
            continue
        for one in operations_of(reader, each):
            if isinstance(one, ops.Edit) and key_of(one.kind, one.id) == key and one.genesis == genesis:
                return True
    return False


def _did(reader: StoreReader, positions: Sequence[int]) -> dict[bytes, Did]:
    """Return what the changes at some positions did to each task, document and tag."""
    written: dict[bytes, dict[str, None]] = {}
    edited: dict[bytes, tuple[int, int]] = {}
    for position in positions:
        for one in operations_of(reader, reader.log.read(position)):
            if one.kind not in _KINDS:
                continue
            key = key_of(one.kind, one.id)
            names = written.setdefault(key, {})
            if isinstance(one, ops.Put):
                names.update(dict.fromkeys(one.cells))
            elif isinstance(one, ops.Edit):
                names[one.field] = None
                if len(positions) == 1:
                    edited[key] = _units(one)
    return {key: Did(tuple(names), edited.get(key)) for key, names in written.items()}


def _units(one: ops.Edit) -> tuple[int, int]:
    from edda_sync.crdt.text import edits

    try:
        return units_of(edits.decode(one.edit))
    except EddaError:  # it is refused, on every device
        return 0, 0


def said_of(dots: Sequence[Dot], why: str | None) -> tuple[str, bytes | None]:
    """Return the reason of an undo, with what it undoes, and why; and what it undoes once more if there is no room."""
    said, room = f": {why}" if why else "", limits.REASON_CODE_POINTS_MAX
    text = f"{UNDO}{', '.join(named(dots))}{said}"
    if len(text) <= room:
        return text, None
    encoded = undone.encode(dots)
    return f"{UNDO}{len(dots):,} changes{said}"[: room + -len(encoded or b"") // 4], encoded


def last_of(reader: StoreReader, actors: Collection[bytes], agent: str | None) -> Dot:
    """
    Return the latest change of a person or agent that is no undo, and that no undo of them has taken back.

    Args:
        reader: A reader of the store.
        actors: The lives of this device.
        agent: The agent; None for a person.

    Raises:
        NothingToUndoError: There is none.
    """
    taken = set[Dot]()
    for position in reader.log.backwards():
        logged = reader.log.read(position)
        if logged.actor not in actors:
            continue
        header = changes.decode_header(logged.raw)
        if header.agent != agent or (logged.actor, logged.seq) in taken:
            continue
        keys = reader.mentions.entities_at([position])
        if not any(kind_and_id(key)[0] in _KINDS for key in keys):
            continue
        if not is_undo(header):
            return logged.actor, logged.seq
        taken.update(_named(reader, header))
    raise NothingToUndoError(agent)


def is_undo(header: Header) -> bool:
    """Tell whether a change takes others back."""
    return (header.reason or "").startswith(UNDO)


def _named(reader: StoreReader, header: Header) -> list[Dot]:
    """Return the changes that an undo names, in its reason or beside it."""
    found, heads = list[Dot](), reader.log.heads()
    for actor, first, last in undone.decode(header.undone or b""):
        if actor in heads and last <= heads[actor].seq:
            found += [(actor, seq) for seq in range(first, last + 1)]
    for each in (header.reason or "").removeprefix(UNDO).partition(":")[0].split(", "):
        try:
            found += dots_of(reader, each)
        except EddaError:  # somebody else wrote a reason that begins like this
            continue
    return found


def own_lives(reader: StoreReader) -> set[bytes]:
    """Return the lives of this device."""
    key = changes.decode_birth(meta_of(reader, BIRTH_KEY)).public_key
    heads = reader.log.heads()
    return {actor for actor, head in heads.items() if changes.decode_birth(head.birth).public_key == key}


def by_agent(reader: StoreReader, agent: str, since_ms: int) -> list[Dot]:
    """Return the changes that an agent made since a time, on whatever device, by the clocks of these."""
    found = list[Dot]()
    for actor, head in reader.log.heads().items():
        for raw in reader.log.headers(actor, 1, head.seq):
            header = changes.decode_header(raw)
            if header.agent == agent and header.wall_ms >= since_ms:
                found.append((actor, header.seq))
    return found
