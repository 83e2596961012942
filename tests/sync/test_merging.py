"""Taking segments: asked for by name, by an empty store; complete, signed by members, and with valid states only."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from hashlib import blake2b
from pathlib import Path
from typing import Any

import msgspec
import pytest

import edda_sync as edda
from edda_sync.changes import change as changes
from edda_sync.changes.change import Birth, signed_message
from edda_sync.crdt import digests
from edda_sync.crdt.keys import key_of
from edda_sync.crdt.state import hash_entity, state_of
from edda_sync.engine.engine import StorageEngine
from edda_sync.segments import segment as segments
from edda_sync.segments.segment import Entry, SegmentHeader, Text
from edda_sync.store.seams import Head
from edda_sync.sync.messages import Offer, Snapshot
from edda_sync.sync.taking import Taken
from edda_sync.testing import devices, replica_of
from edda_sync.transport.identity import Identity
from edda_sync.words import limits
from edda_sync.words.errors import RemoteProtocolError
from tests.sync.newcomers import Newcomers, newcomers

ID = b"i" * 16


@pytest.fixture(scope="module", params=["memory", "sqlite"])
def scene(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    folder = tmp_path_factory.mktemp("newcomers")
    with devices(2, backend=request.param) as (laptop, phone), newcomers(folder, request.param) as newcomer:
        laptop.create_task(edda.Task(title="Buy milk", description="and eggs"))
        yield Scene(laptop, phone, newcomer)


class Scene:
    """A member that makes segments and lies in them, and an empty device that keeps nothing of them."""

    def __init__(self, laptop: StorageEngine, phone: StorageEngine, newcomer: Newcomers) -> None:
        self.laptop, self.phone = laptop, phone
        self.tablet = newcomer(laptop)
        self.taking = replica_of(self.tablet).exchange.merging

    def trace(self) -> tuple[object, ...]:
        tablet = self.tablet
        with tablet.store.read() as reader:
            kept = (
                list(reader.blobs.unreferenced()),
                list(reader.segments.merged()),
                dict(reader.evidence.all()),
                reader.states.texts(),
            )
        return tablet.frontier(), tablet.digest(), tablet.counts(), tablet.waiting(), kept

    def take(self, name: bytes, parts: list[bytes]) -> None:
        """Give the newcomer a segment, part by part."""
        for number, part in enumerate(parts):
            self.taking.take(Snapshot(name, len(parts), number, part))


class Forge:
    """An honest segment of a member, taken apart so that a test can change one thing and sign it again."""

    def __init__(self, scene: Scene) -> None:
        self.laptop = scene.laptop
        identity = scene.laptop.identity
        self.identity = identity
        giving = replica_of(scene.laptop).exchange.giving
        with scene.laptop.store.read() as reader:
            self.heads = [giving.sign(head) for head in sorted(reader.log.heads().values())]
            self.entries = [Entry(each.key, state_of(each.key, each.state), ()) for each in reader.states.scan()]
        self.root: bytes | None = None
        self.header = SegmentHeader(identity.public_key, bytes(32), bytes(32), 0, 0)
        self.signer = identity
        self.workspace = scene.laptop.workspace

    def parts(self) -> tuple[bytes, list[bytes]]:
        """Return the segment's name and parts; its root fits its content, and its maker signs it."""
        self.entries.sort()
        root = self.root
        if root is None:
            hashed = [
                (entry.key, hash_entity(entry.key, entry.state, [])) for entry in self.entries if len(entry.key) == 17
            ]
            try:
                root = digests.root(hashed)
            except ValueError:
                root = bytes(32)
        header = msgspec.structs.replace(
            self.header, root=root, frontier=segments.hash_heads(self.heads), heads=len(self.heads),
            entities=len(self.entries),
        )  # fmt: skip
        signature = self.signer.sign(segments.signed_header(header, self.workspace))
        if not header.signature:
            header = msgspec.structs.replace(header, signature=signature)
        stream = b"".join(segments.write(header, self.heads, self.entries))
        return blake2b(stream, digest_size=32).digest(), list(segments.cut([stream]))

    def own_head(self, **changed: object) -> Head:
        """The truly signed head of another life of the maker."""
        birth = changes.encode_birth(Birth(self.identity.public_key, b"another life ...", *self.stands()))
        actor = changes.actor_of(birth)
        made = Head(actor, 3, b"h" * 32, msgspec.msgpack.encode([]), birth, 3, b"")._replace(**changed)  # type: ignore[arg-type]
        message = signed_message(self.workspace, made.actor, made.seq % (1 << 63), made.hash)
        return made._replace(signature=made.signature or self.identity.sign(message))

    def stands(self) -> tuple[bytes, int, bytes]:
        return self.heads[0][:3]


def head(**changed: object) -> Callable[[Forge], None]:
    def change(forge: Forge) -> None:
        forge.heads.append(forge.own_head(**changed))

    return change


def entry(entity_id: bytes, kind: str, cells: Any, *, key: bytes | None = None, texts: tuple[Text, ...] = (),
          touched: Any = None, deleted: Any = None) -> Callable[[Forge], None]:  # fmt: skip
    """Add an entity that one change of the maker's other life wrote."""

    def change(forge: Forge) -> None:
        own = forge.own_head()
        forge.heads.append(own)
        dot = [own.actor, 3]
        groups = cells(own.actor) if callable(cells) else [[*dot, 0, cells]]
        state = msgspec.msgpack.encode(
            [
                kind,
                [[*dot, 0, 0]] if touched is None else touched(own.actor),
                deleted(own.actor) if deleted else [],
                groups,
                [],
            ]
        )
        number = key_of(kind, ID)[:1] if kind in ("task", "document", "tag", "device") else b"\0"
        forge.entries.append(Entry(number + entity_id if key is None else key, state, texts))

    return change


def raw(state: bytes) -> Callable[[Forge], None]:
    def change(forge: Forge) -> None:
        forge.heads.append(forge.own_head())
        forge.entries.append(Entry(b"\0" + ID, state, ()))

    return change


def header(**changed: object) -> Callable[[Forge], None]:
    def change(forge: Forge) -> None:
        forge.header = msgspec.structs.replace(forge.header, **changed)

    return change


def attribute(name: str, value: object) -> Callable[[Forge], None]:
    return lambda forge: setattr(forge, name, value)


def same_twice(forge: Forge) -> None:
    forge.heads.append(forge.heads[0])


def other_birth(forge: Forge) -> None:
    forge.heads[0] = forge.heads[0]._replace(birth=forge.own_head().birth)


def stranger(forge: Forge) -> None:
    identity = Identity.from_private(b"s" * 32)
    birth = changes.encode_birth(Birth(identity.public_key, bytes(16), *forge.stands()))
    made = Head(changes.actor_of(birth), 3, b"h" * 32, b"\x90", birth, 3, b"")
    message = signed_message(forge.workspace, made.actor, 3, made.hash)
    forge.heads.append(made._replace(signature=identity.sign(message)))


def made_by_a_stranger(forge: Forge) -> None:
    forge.signer = Identity.from_private(b"s" * 32)
    forge.header = msgspec.structs.replace(forge.header, maker=forge.signer.public_key)


TITLE = {"title": "forged"}
FORGERIES: dict[str, Callable[[Forge], None]] = {
    "a head that nobody signed": head(signature=b"s" * 64),
    "a head that is signed for an earlier seq": head(signed_seq=2),
    "a head at seq 0": head(seq=0, signed_seq=0),
    "a seq that no chain reaches": head(seq=1 << 48, signed_seq=1 << 48),
    "dependencies that are no pairs": head(deps=b"\xff"),
    "dependencies on what it lacks": head(deps=msgspec.msgpack.encode([(b"x" * 16, 1)])),
    "an actor that is not its birth's": head(actor=b"x" * 16),
    "a birth that is none": head(birth=b"none", actor=changes.actor_of(b"none")),
    "another birth under a known actor": other_birth,
    "one actor twice": same_twice,
    "a head of a stranger": stranger,
    "a maker that is a stranger": made_by_a_stranger,
    "a maker that did not sign": header(signature=b"s" * 64),
    "a signature for another workspace": attribute("workspace", b"w" * 16),
    "a root that is not its content's": attribute("root", b"r" * 32),
    "a state that is none": raw(b"nonsense"),
    "a state nested without end": raw(b"\x91" * 100_000),
    "an unknown kind": entry(ID, "gizmo", TITLE),
    "a key of another kind": entry(ID, "task", TITLE, key=key_of("document", ID)),
    "a title that is no text": entry(ID, "task", {"title": 5}),
    "a status that is a list": entry(ID, "task", {"status": ["done", "a", "b"]}),
    "a cell that is none": entry(ID, "task", {"colour": "red"}),
    "a change without writes": entry(ID, "task", {}),
    "a write from beyond its heads": entry(ID, "task", lambda actor: [[actor, 4, 0, TITLE]]),
    "a write of an actor without a head": entry(ID, "task", lambda _: [[b"x" * 16, 1, 0, TITLE]]),
    "a write at no time": entry(ID, "task", lambda actor: [[actor, 3, -1, TITLE]]),
    "one change twice": entry(ID, "task", lambda actor: [[actor, 3, 0, TITLE], [actor, 3, 0, {"priority": 1}]]),
    "changes out of order": entry(ID, "task", lambda actor: [[actor, 3, 0, TITLE], [actor, 2, 0, TITLE]]),
    "a touch from beyond its heads": entry(ID, "task", TITLE, touched=lambda actor: [[actor, 4, 0, 0]]),
    "touches out of order": entry(ID, "task", TITLE, touched=lambda actor: [[actor, 3, 0, 0], [actor, 2, 0, 0]]),
    "a deletion from beyond its heads": entry(ID, "task", TITLE, deleted=lambda _: [[b"x" * 16, 1]]),
    "a text that is not there": entry(ID, "task", {**TITLE, "description": b"g" * 16}),
    "a text that is none": entry(ID, "task", TITLE, texts=(Text("description", b"g" * 16, b"\xff\xff"),)),
    "a tag under another's id": entry(ID, "tag", {"name": "work"}),
    "an id that is none": entry(b"short", "task", TITLE),
}


@pytest.mark.parametrize("forgery", FORGERIES)
def test_a_segment_that_no_device_makes_is_refused_and_leaves_no_trace(scene: Scene, forgery: str) -> None:
    before = scene.trace()
    forge = Forge(scene)
    FORGERIES[forgery](forge)
    name, parts = forge.parts()
    with pytest.raises(RemoteProtocolError):
        scene.take(name, parts)
    assert scene.trace() == before
    assert replica_of(scene.tablet).exchange.making.part(name, 0) is None


def test_the_forge_itself_makes_what_is_taken(tmp_path: Path) -> None:
    """Otherwise no forgery would be refused for what it forges."""
    with devices(2, backend="memory") as (laptop, phone), newcomers(tmp_path, "memory") as newcomer:
        laptop.create_task(edda.Task(title="Buy milk", description="and eggs"))
        for forgery in (lambda _: None, head(), entry(ID, "task", TITLE), entry(ID, "document", TITLE)):
            scene = Scene(laptop, phone, newcomer)
            forge = Forge(scene)
            forgery(forge)
            name, parts = forge.parts()
            scene.take(name, parts)
            with scene.tablet.store.read() as reader:
                assert [found for _, found in reader.segments.merged()] == [name]


# --- by name, by an empty store ---------------------------------------------------------------------------------------


def test_an_empty_store_wants_a_segment_from_its_first_part_or_from_where_it_stopped(scene: Scene) -> None:
    before = scene.trace()
    assert scene.taking.first_wanted(Offer(b"f" * 32, 9)) == 0
    for number in range(3):
        scene.taking.take(Snapshot(b"f" * 32, 9, number, b"part"))
    assert scene.taking.first_wanted(Offer(b"f" * 32, 9)) == 3
    assert scene.taking.first_wanted(Offer(b"e" * 32, 9)) == 0
    scene.tablet.store.transact(lambda tx: tx.blobs.drop(b"f" * 32))
    assert scene.trace() == before


def test_a_store_that_holds_anything_wants_none_and_takes_none(scene: Scene) -> None:
    taking = replica_of(scene.phone).exchange.merging
    name, parts = Forge(scene).parts()
    assert taking.first_wanted(Offer(name, len(parts))) is None
    before = scene.phone.frontier(), scene.phone.digest()
    for number, part in enumerate(parts):
        taking.take(Snapshot(name, len(parts), number, part))
    assert (scene.phone.frontier(), scene.phone.digest()) == before
    with scene.phone.store.read() as reader:
        assert (reader.blobs.unreferenced(), reader.segments.merged()) == ([], [])


def test_a_store_that_only_wrote_itself_wants_none(scene: Scene, tmp_path: Path) -> None:
    with newcomers(tmp_path, "memory") as newcomer:
        early = newcomer(scene.laptop)
        early.create_task(edda.Task(title="before it met anybody"))
        assert replica_of(early).exchange.merging.first_wanted(Offer(b"f" * 32, 9)) is None


@pytest.mark.parametrize("written_before", ["the first part", "the last part"])
def test_who_writes_while_a_segment_comes_asks_for_the_log_itself(
    scene: Scene, tmp_path: Path, written_before: str
) -> None:
    with newcomers(tmp_path, "memory") as newcomer:
        busy = newcomer(scene.laptop)
        taking = replica_of(busy).exchange.merging
        made = replica_of(scene.laptop).exchange.making.given({})
        assert made is not None
        assert taking.first_wanted(Offer(made.hash, made.parts)) == 0
        parts = [
            replica_of(scene.laptop).exchange.making.part(made.hash, number) or b"" for number in range(made.parts)
        ]
        *first, last = [Snapshot(made.hash, made.parts, number, part) for number, part in enumerate(parts)]
        if written_before == "the first part":
            busy.create_task(edda.Task(title="meanwhile"))
        for snapshot in first:
            taking.take(snapshot)
        if written_before == "the last part":
            busy.create_task(edda.Task(title="meanwhile"))
        assert taking.take(last) == Taken(0, early=True), "nothing else would ever ask for it"
        assert [task.title for task in busy.query_tasks(edda.TaskQuery())] == ["meanwhile"]


# --- bounds -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("parts", [0, limits.SEGMENT_PARTS_MAX + 1, 1 << 52])
def test_a_segment_of_more_parts_than_allowed_is_refused_at_once(scene: Scene, parts: int) -> None:
    before = scene.trace()
    with pytest.raises(RemoteProtocolError, match="out of bounds"):
        scene.taking.first_wanted(Offer(b"n" * 32, parts))
    with pytest.raises(RemoteProtocolError, match="out of bounds"):
        scene.taking.take(Snapshot(b"n" * 32, parts, 0, b"part"))
    assert scene.trace() == before


@pytest.mark.parametrize(("number", "size"), [(2, 4), (1 << 52, 4), (0, limits.PART_BYTES_MAX + 1)])
def test_a_part_out_of_bounds_is_refused(scene: Scene, number: int, size: int) -> None:
    before = scene.trace()
    with pytest.raises(RemoteProtocolError, match="out of bounds"):
        scene.taking.take(Snapshot(b"n" * 32, 2, number, bytes(size)))
    assert scene.trace() == before


def test_of_many_segments_that_never_end_few_are_kept_and_the_one_that_has_come_furthest_stays(scene: Scene) -> None:
    for number in range(3):
        scene.taking.take(Snapshot(b"f" * 32, 9, number, b"part"))
    for name in range(50):
        scene.taking.take(Snapshot(bytes([name]) * 32, 2, 0, b"half"))
    with scene.tablet.store.read() as reader:
        halves = dict(reader.blobs.unreferenced())
    assert len(halves) == limits.SEGMENT_HALVES_MAX
    assert halves[b"f" * 32] == 3
    for half in halves:
        scene.tablet.store.transact(lambda tx, half=half: tx.blobs.drop(half))  # type: ignore[misc]


def test_a_damaged_or_invented_segment_is_refused_and_forgotten(scene: Scene) -> None:
    name, (part,) = Forge(scene).parts()
    before = scene.trace()
    damaged = part[:60] + bytes([part[60] ^ 1]) + part[61:]
    invented = blake2b(part[:-40], digest_size=32).digest()
    for named, data in ((name, damaged), (invented, part[:-40]), (b"n" * 32, part)):
        with pytest.raises(RemoteProtocolError):
            scene.take(named, [data])
        assert scene.trace() == before


def test_a_last_part_without_those_before_it_is_asked_for_again(scene: Scene) -> None:
    before = scene.trace()
    assert scene.taking.take(Snapshot(b"n" * 32, 3, 2, b"the last")).early
    assert scene.trace() == before
