"""Segments: whole or refused, cut anywhere, and merged like the changes that they stand for."""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import blake2b
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

import edda_sync as edda
from edda_sync import limits
from edda_sync.backup import segment as segments
from edda_sync.backup.segment import Entry, SegmentHeader, TextEntry
from edda_sync.crdt.text import TextDocument
from edda_sync.engine import StorageEngine
from edda_sync.errors import CorruptError, RemoteProtocolError
from edda_sync.protocols import Head, StoreWriter
from edda_sync.sync.messages import Snapshot
from edda_sync.testing import Talk, devices, replica_of, sync

TABLES = ("tasks", "documents", "tags", "entity_tags", "task_documents")
HEADER = SegmentHeader((Head(7, 3, b"h" * 32, b"\x90", b"k" * 32, 3, b"s" * 64),), "digest", 2, (b"chain of 3..",))
ENTRIES = [
    Entry(b"a" * 16, b"state a", ()),
    Entry(b"b" * 16, b"state b", (TextEntry("content", 1 << 52, b"text"),)),
]


def stream(entries: list[Entry] = ENTRIES) -> bytes:
    """A segment's bytes."""
    return b"".join(segments.write(HEADER, entries))


def read(pieces: list[bytes]) -> tuple[SegmentHeader, list[Entry]]:
    """A segment's content."""
    header, blocks = segments.read(pieces)
    return header, [entry for block in blocks for entry in block]


def tables(store: StorageEngine) -> dict[str, list[tuple[object, ...]]]:
    """All rows of the specification's tables."""
    return {name: store.table(name) for name in TABLES}


@given(st.lists(st.integers(0, len(stream())), max_size=8))
def test_what_was_written_is_read_wherever_the_stream_is_cut(cuts: list[int]) -> None:
    whole = stream()
    at = [0, *sorted(cuts), len(whole)]
    assert read([whole[start:end] for start, end in pairwise(at)]) == (HEADER, ENTRIES)


def test_many_entities_go_into_several_blocks() -> None:
    entries = [Entry(bytes([n]) * 16, blake2b(bytes([n])).digest() * 2_000, ()) for n in range(8)]
    header, blocks = segments.read([stream(entries)])
    listed = list(blocks)
    assert header == HEADER
    assert len(listed) > 1
    assert [entry for block in listed for entry in block] == entries


@given(st.integers(0, len(stream()) - 1), st.integers(1, 255))
def test_a_damaged_byte_is_found_wherever_it_is(at: int, mask: int) -> None:
    damaged = bytearray(stream())
    damaged[at] ^= mask
    with pytest.raises(RemoteProtocolError):
        read([bytes(damaged)])


@given(st.integers(0, len(stream()) - 1))
def test_a_segment_that_ends_early_is_refused(size: int) -> None:
    with pytest.raises(RemoteProtocolError):
        read([stream()[:size]])


def test_bytes_after_the_end_are_refused() -> None:
    with pytest.raises(RemoteProtocolError):
        read([stream(), b"x"])


def test_a_block_that_declares_more_than_a_block_may_hold_is_not_decompressed() -> None:
    import zstandard

    bomb = zstandard.ZstdCompressor().compress(bytes(segments.BLOCK_BYTES_MAX + 1))
    with pytest.raises(RemoteProtocolError, match="declares"):
        read([segments.MAGIC + len(bomb).to_bytes(4, "big") + bomb])


def test_parts_are_cut_to_their_size_and_joined_to_the_same_stream() -> None:
    pieces = [bytes([n]) * 200_000 for n in range(9)]
    parts = list(segments.cut(pieces))
    assert b"".join(parts) == b"".join(pieces)
    assert [len(part) for part in parts[:-1]] == [limits.PART_BYTES_MAX] * (len(parts) - 1)


# --- snapshots: segments between devices ------------------------------------------------------------------------------


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make a snapshot the answer to a few missing changes."""
    monkeypatch.setattr(limits, "SNAPSHOT_CHANGES_MIN", 5)


@pytest.fixture
def trio(few: None) -> Iterator[tuple[StorageEngine, ...]]:
    """Three devices, the first with a history."""
    with devices(3) as members:
        fill(members[0])
        yield members


def fill(store: StorageEngine) -> tuple[str, str]:
    """Write a history of every kind of thing; return a task's and a document's id."""
    parent = store.create_task(edda.Task(title="Parent", tags={"home"}, metadata={"k": {"a": 1}}))
    task = store.create_task(edda.Task(title="Child", parent_id=parent, description="Buy milk"))
    document = store.create_document(edda.Document(title="Notes", content="start"))
    store.edit_text(task, "description", [(4, 0, "oat ")])
    store.edit_text(document, "content", [(5, 0, " and more")])
    with store.begin_transaction() as tx:
        tx.link(task, document)
    gone = store.create_task(edda.Task(title="Gone"))
    store.delete_task(gone)
    return task, document


def snapshots_of(talk: Talk) -> int:
    """Let a talk run; return how many segments were merged anywhere."""
    talk.run()
    return sum(len(list(reader_segments(replica.exchange.store))) for replica in talk._replicas.values())


def reader_segments(store: object) -> list[object]:
    """The segments that a store merged."""
    with store.read() as reader:  # type: ignore[attr-defined]
        return list(reader.segments())


def fresh(of: StorageEngine, tmp_path_factory: pytest.TempPathFactory) -> StorageEngine:
    """A member that holds nothing yet."""
    from edda_sync.testing import pair

    engine = StorageEngine(tmp_path_factory.mktemp("fresh"))
    engine.open_store(edda.StorageConfig(name="fresh"))
    pair(of, engine)
    return engine


def test_an_empty_device_gets_a_segment_and_is_proved_equal(
    trio: tuple[StorageEngine, ...], tmp_path_factory: pytest.TempPathFactory
) -> None:
    laptop = trio[0]
    with fresh(laptop, tmp_path_factory) as newcomer:
        talk = Talk(laptop, newcomer)
        assert snapshots_of(talk) == 1
        assert len(talk.proved) == 2
        assert tables(newcomer) == tables(laptop)
        assert newcomer.digest() == laptop.digest()
        assert newcomer.counts()["changes"] == 0  # the history stays where it was
        assert newcomer.rebuild() == 0
        assert tables(newcomer) == tables(laptop)
        assert newcomer.digest() == laptop.digest()


def test_a_device_that_got_a_segment_writes_edits_and_serves_others(
    trio: tuple[StorageEngine, ...], tmp_path_factory: pytest.TempPathFactory
) -> None:
    laptop = trio[0]
    with fresh(laptop, tmp_path_factory) as newcomer, fresh(laptop, tmp_path_factory) as last:
        sync(laptop, newcomer)
        (task,) = [each for each in newcomer.query_tasks(edda.TaskQuery()) if each.title == "Child"]
        task.description = "Buy oat milk and eggs"
        newcomer.update_task(task)
        laptop.edit_text(task.id, "description", [(0, 3, "Get")])
        sync(laptop, newcomer)
        read = laptop.get_task(task.id)
        assert read is not None
        assert read.description == "Get oat milk and eggs"
        sync(newcomer, last)
        assert tables(last) == tables(laptop)
        for store in (newcomer, last):
            before = tables(store)
            store.rebuild()
            assert tables(store) == before
        assert newcomer.digest() == last.digest() == laptop.digest()


def test_a_device_with_its_own_edits_that_lacks_what_no_log_holds_merges_a_segment(
    trio: tuple[StorageEngine, ...], tmp_path_factory: pytest.TempPathFactory
) -> None:
    """The newcomer's log starts at its segment; the phone lacks what lies before it, and has edits of its own."""
    laptop, phone, _ = trio
    (task,) = [each for each in laptop.query_tasks(edda.TaskQuery()) if each.title == "Child"]
    sync(laptop, phone)
    laptop.update_task(edda.Task(id=task.id, title="Child of the laptop", priority=0))
    laptop.edit_text(task.id, "description", [(0, 0, "laptop ")])
    phone.update_task(edda.Task(id=task.id, title="Child of the phone"))
    phone.edit_text(task.id, "description", [(0, 0, "phone ")])
    offline = phone.create_task(edda.Task(title="Written offline"))
    with fresh(laptop, tmp_path_factory) as newcomer:
        sync(laptop, newcomer)
        talk = Talk(newcomer, phone)
        assert snapshots_of(talk) == 2  # the newcomer's own, and now the phone's
        assert len(talk.proved) == 2
        sync(laptop, phone)
        sync(laptop, newcomer)
        assert tables(laptop) == tables(phone) == tables(newcomer)
        assert laptop.conflicts() == phone.conflicts() == newcomer.conflicts()
        assert {each.field for each in laptop.conflicts()} == {"title"}
        read = phone.get_task(task.id)
        assert read is not None
        assert read.priority == 0
        assert sorted((read.description or "").split()) == sorted(["laptop", "phone", "Buy", "oat", "milk"])
        assert phone.get_task(offline) is not None
        for store in (laptop, phone, newcomer):
            digest = store.digest()
            store.rebuild()
            assert store.digest() == digest


def test_a_segment_is_made_once_and_served_by_its_hash(trio: tuple[StorageEngine, ...]) -> None:
    laptop = trio[0]
    exchange = replica_of(laptop).exchange
    made = exchange.snapshots.made({})
    laptop.create_task(edda.Task(title="Later"))
    again = exchange.snapshots.made({})
    assert again == made
    parts = [exchange.snapshots.part(made.hash, number) for number in range(made.parts)]
    assert blake2b(b"".join(part or b"" for part in parts), digest_size=32).digest() == made.hash
    assert exchange.snapshots.part(made.hash, made.parts) is None


def test_nobody_makes_a_segment_of_a_state_that_rotted(trio: tuple[StorageEngine, ...]) -> None:
    laptop = trio[0]

    def rot(tx: StoreWriter) -> None:
        record = next(iter(tx.all_records("task")))
        tx.save([record._replace(state=record.state[:-20] + b"rot" + record.state[-17:])], {record.key: False})

    laptop.store.transact(rot)
    with pytest.raises(CorruptError, match="The task"):
        replica_of(laptop).exchange.snapshots.made({})
    laptop.rebuild()
    assert replica_of(laptop).exchange.snapshots.made({}).parts == 1


def test_what_rotted_at_a_segments_maker_is_refused_by_who_holds_something_already(
    trio: tuple[StorageEngine, ...],
) -> None:
    """Merged it would be what the log says, and no rebuild could mend it."""
    laptop, phone, _ = trio
    (task,) = [each for each in laptop.query_tasks(edda.TaskQuery()) if each.title == "Child"]
    laptop.edit_text(task.id, "description", [(0, 0, "new ")])

    def rot(tx: StoreWriter) -> None:
        laptop.ledger.refresh(tx)
        key, field, genesis = next(iter(tx.all_texts()))
        tx.save_text(key, field, genesis, TextDocument.start(genesis, "not what anybody wrote").state(), 1 << 40)

    laptop.store.transact(rot)
    giving, taking = replica_of(laptop).exchange, replica_of(phone).exchange
    made = giving.snapshots.made({})
    part = giving.snapshots.part(made.hash, 0)
    assert part is not None
    before, digest = phone.frontier(), phone.digest()
    with pytest.raises(RemoteProtocolError, match="not what its digest says"):
        taking.snapshots.take(Snapshot(made.hash, made.parts, 0, part))
    assert (phone.frontier(), phone.digest()) == (before, digest)


def test_a_damaged_or_invented_segment_is_refused_and_leaves_no_trace(
    trio: tuple[StorageEngine, ...], tmp_path_factory: pytest.TempPathFactory
) -> None:
    laptop = trio[0]
    with fresh(laptop, tmp_path_factory) as newcomer:
        giving = replica_of(laptop).exchange
        made = giving.snapshots.made({})
        part = giving.snapshots.part(made.hash, 0)
        assert part is not None
        taking = replica_of(newcomer).exchange
        before, digest = newcomer.frontier(), newcomer.digest()
        damaged = bytes([part[20] ^ 1]) + part[1:]
        invented = blake2b(part[:-40], digest_size=32).digest()
        for name, data in ((made.hash, damaged), (invented, part[:-40])):
            with pytest.raises(RemoteProtocolError):
                taking.snapshots.take(Snapshot(name, 1, 0, data))
            assert taking.snapshots.part(name, 0) is None
        assert (newcomer.frontier(), newcomer.digest()) == (before, digest)
        taking.snapshots.take(Snapshot(made.hash, made.parts, 0, part))
        assert newcomer.digest() == laptop.digest()
