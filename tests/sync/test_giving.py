"""Giving: a store sends its log in batches that a signature vouches for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import pytest

import edda_sync as edda
from edda_sync.changes import change as changes
from edda_sync.changes.change import HASH_BYTES, decode_header
from edda_sync.engine.engine import StorageEngine
from edda_sync.sync.messages import Behind, Summary
from edda_sync.testing import devices, sync
from edda_sync.transport.identity import verify
from edda_sync.words import limits
from tests.sync.batches import batches, dots, exchange_of

Pair = tuple[StorageEngine, StorageEngine]


@pytest.fixture(params=["memory", "sqlite"])
def two(request: pytest.FixtureRequest) -> Iterator[Pair]:
    with devices(2, backend=request.param) as (laptop, phone):
        yield laptop, phone


def large_change(engine: StorageEngine, count: int = 1_500) -> None:
    """Write one change whose body is in parts."""
    with engine.begin_transaction() as tx:
        for number in range(count):
            tx.create_task(edda.Task(title=f"task {number}", description=f"{number} " * 100))


def test_batches_hold_what_is_missing_in_log_order_and_no_more_than_they_should(
    two: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    laptop, phone = two
    known = phone.frontier()
    for number in range(20):
        (laptop if number % 2 else phone).create_task(edda.Task(title=f"task {number}"))
        sync(laptop, phone)
    monkeypatch.setattr(limits, "BATCH_BYTES_MAX", 1_500)
    made = batches(exchange_of(laptop), known)
    with laptop.store.read() as reader:
        expected = [(each.actor, each.seq) for each in map(reader.log.read, reader.log.positions_after(known))]
    assert [dot for message in made for dot in dots(message)] == expected
    assert len(made) > 3
    for message in made:
        size = sum(len(raw) + len(body) for raw, body in message.changes)
        assert size <= limits.BATCH_BYTES_MAX or len(message.changes) == 1
        assert {head.actor for head in message.heads} == {actor for actor, _ in dots(message)}


def test_a_batch_costs_whoever_takes_it_no_more_than_a_moment_unless_it_is_one_change(
    two: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    laptop, phone = two
    known = phone.frontier()
    for count in (1, 3, 5, 5, 40, 1, 1):
        with laptop.begin_transaction() as tx:
            for number in range(count):
                tx.create_task(edda.Task(title=f"task {number}"))
    monkeypatch.setattr(limits, "BATCH_US_MAX", 10 * (limits.LOG_CHANGE_US + limits.LOG_MENTION_US))
    made = batches(exchange_of(laptop), known)
    operations = [[decode_header(raw).operations for raw, _ in message.changes] for message in made]
    assert operations == [[1, 3, 5, 5], [40], [1, 1]]


def test_a_head_is_signed_once_however_many_peers_it_is_given_to(two: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    laptop, phone = two
    known = phone.frontier()
    laptop.create_task(edda.Task(title="for everybody"))
    exchange, signed, sign = exchange_of(laptop), list[bytes](), laptop.identity.sign

    def counted(message: bytes) -> bytes:
        signed.append(message)
        return sign(message)

    monkeypatch.setattr(type(laptop.identity), "sign", lambda _, message: counted(message))
    first, second = (batches(exchange, known) for _ in range(2))
    assert first == second
    assert len(signed) == 1
    laptop.create_task(edda.Task(title="another head"))
    batches(exchange, known)
    assert len(signed) == len(set(signed)) == 2


def test_a_peer_that_knows_all_or_more_gets_nothing(two: Pair) -> None:
    laptop, phone = two
    giving = exchange_of(laptop).giving
    assert giving.missing(phone.frontier()) == []
    assert giving.batch([], phone.frontier()) is None
    ahead = {actor: seq + 5 for actor, seq in laptop.frontier().items()} | {b"somebody unknown": 9}
    assert giving.missing(ahead) == []


def test_a_large_change_ends_its_batch_and_its_parts_follow(two: Pair) -> None:
    laptop, phone = two
    known = phone.frontier()
    laptop.create_task(edda.Task(title="before"))
    large_change(laptop)
    laptop.create_task(edda.Task(title="after"))
    giving = exchange_of(laptop).giving
    positions = giving.missing(known) or []
    given = giving.batch(positions, known)
    assert given is not None
    assert given.large is not None
    assert len(given.message.changes) == 2
    assert positions  # what comes next waits for the parts
    header = decode_header(given.message.changes[-1][0])
    assert given.message.changes[-1][1] == b""
    parts: list[bytes] = []
    while (part := giving.part(given.large, len(parts))) is not None:
        assert (part.actor, part.seq, part.number) == (*header.dot, len(parts))
        parts.append(part.data)
    assert tuple(map(changes.hash_part, parts)) == header.parts
    assert len(parts) > 1


def test_a_signature_vouches_for_each_actor_in_a_batch_and_the_way_to_it_is_there(
    two: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    laptop, phone = two
    known = phone.frontier()
    for number in range(9):
        laptop.create_task(edda.Task(title=f"task {number}"))
    sync(laptop, phone)
    monkeypatch.setattr(limits, "BATCH_BYTES_MAX", 1)
    made = batches(exchange_of(phone), known)  # from a relay, which has one signature, at the end
    assert len(made) == 9
    for left, message in zip(range(8, -1, -1), made, strict=True):
        (raw, _), (head, *_) = message.changes[0], message.heads
        header = decode_header(raw)
        assert (head.actor, head.seq, len(head.proof)) == (header.actor, header.seq + left, left * HASH_BYTES)
        digest = changes.hash_change(header.previous, changes.hash_header(raw))
        for at in range(0, len(head.proof), HASH_BYTES):
            digest = changes.hash_change(digest, head.proof[at : at + HASH_BYTES])
        signed = changes.signed_message(laptop.workspace, head.actor, head.seq, digest)
        assert verify(laptop.identity.public_key, head.signature, signed)


def test_what_no_signature_vouches_for_waits_for_one(two: Pair) -> None:
    laptop, phone = two
    laptop.create_task(edda.Task(title="signed"))
    sync(laptop, phone)
    known = phone.frontier()
    laptop.create_task(edda.Task(title="not signed"))
    (message,) = batches(exchange_of(laptop), known)
    sync(laptop, phone)
    ((actor, seq),) = dots(message)
    phone.store.transact(lambda tx: tx.log.set_head(tx.log.heads()[actor]._replace(signed_seq=0, signature=b"")))
    forget_signatures(phone, actor, seq)
    giving = exchange_of(phone).giving
    positions = giving.missing(known)
    assert positions
    assert giving.batch(positions, known) is None


def forget_signatures(engine: StorageEngine, actor: bytes, seq: int) -> None:
    """Remove the signature of a change."""
    from edda_sync.store.memory.writer import MemoryWriter

    def work(tx: object) -> None:
        if isinstance(tx, MemoryWriter):
            tx.journal.drop("signatures", (actor, seq))
        else:
            tx._sql.execute("DELETE FROM _signatures WHERE actor = ? AND seq = ?", (actor, seq))  # type: ignore[attr-defined]

    engine.store.transact(work)


# --- the log behind a segment -----------------------------------------------------------------------------------------


def test_the_log_behind_a_segment_is_given_up_to_where_that_stands_and_no_further(
    two: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    laptop, _ = two
    for number in range(6):
        laptop.create_task(edda.Task(title=f"task {number}"))
    ((actor, seq),) = laptop.frontier().items()
    monkeypatch.setattr(limits, "BATCH_BYTES_MAX", 1_500)
    giving = exchange_of(laptop).giving
    held, got = 0, []
    while held < seq - 2:
        earlier, large = giving.earlier(Behind(((actor, held),) if held else (), upto(laptop, seq - 2)))
        assert large is None
        assert earlier.heads
        got += [decode_header(raw).seq for raw, _ in earlier.changes]
        held = got[-1]
    assert got == list(range(1, seq - 1))
    assert giving.earlier(Behind(((actor, seq - 2),), upto(laptop, seq - 2)))[0].changes == ()


def upto(engine: StorageEngine, seq: int) -> tuple[Summary, ...]:
    """A segment's head: the founder's change at a seq."""
    with engine.store.read() as reader:
        ((actor, _),) = reader.log.heads().items()
        return (Summary(actor, seq, (reader.log.hash_at(actor, seq) or b"u" * 16)[:16]),)


def test_of_the_log_behind_is_given_what_others_that_are_here_rest_on(two: Pair) -> None:
    """Another device may bring the rest; if none does, what came is kept."""
    laptop, phone = two
    sync(laptop, phone)
    phone.create_task(edda.Task(title="of the phone"))
    sync(laptop, phone)
    ((known),) = (each for each in exchange_of(phone).introduction().heads if each.seq == 1)
    laptop.create_task(edda.Task(title="which the phone lacks"))
    others = tuple(each for each in exchange_of(laptop).introduction().heads if each != known)
    earlier, _ = exchange_of(phone).giving.earlier(Behind((), (known, *others, Summary(b"\xff" * 16, 3, b"h" * 16))))
    given = {decode_header(raw).dot for raw, _ in earlier.changes}
    (head,) = others
    assert given == {(known.actor, 1), *((head.actor, seq) for seq in range(1, head.seq))}


@pytest.mark.parametrize("lacks", ["a stranger's", "further than it is here", "another change"])
def test_whoever_does_not_have_the_log_behind_says_so_with_an_empty_answer(two: Pair, lacks: str) -> None:
    laptop, _ = two
    ((actor, seq),) = laptop.frontier().items()
    asked = {
        "a stranger's": (Summary(b"\xff" * 16, 3, b"h" * 16),),
        "further than it is here": upto(laptop, seq + 1),
        "another change": (Summary(actor, seq, b"h" * 16),),
    }[lacks]
    earlier, large = exchange_of(laptop).giving.earlier(Behind((), asked))
    assert (earlier.changes, earlier.heads, large) == ((), (), None)


def test_beside_a_large_change_only_what_does_not_depend_on_it_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "PART_BYTES_MAX", 1_000)
    with devices(4, backend="memory") as (laptop, phone, tablet, desk):
        known = laptop.frontier()
        tablet.create_task(edda.Task(title="seen by the next one"))
        phone.create_task(edda.Task(title="x" * 400, description="y" * 2_000))
        laptop_first = laptop.create_task(edda.Task(title="large", description="x" * 3_000))
        with laptop.store.read() as reader:
            large = reader.log.read(reader.log.position())
        sync(laptop, tablet)  # it goes on having seen the large one
        tablet.create_task(edda.Task(title="after it"))
        desk.create_task(edda.Task(title="knows nothing of it"))
        desk.create_task(edda.Task(title="nor this"))
        for other in (phone, tablet, desk):
            sync(laptop, other)
        laptop.delete_task(laptop_first)
        exchange = exchange_of(laptop)
        positions = exchange.giving.missing(known)
        assert positions is not None
        with laptop.store.read() as reader:
            beside = [reader.log.read(each) for each in exchange.giving.beside(positions, large)]
            authors = [exchange.author(each.actor) for each in beside]
            everything = [exchange.author(reader.log.read(each).actor) for each in positions]
        names = {engine.identity.device: engine.name for engine in (laptop, phone, tablet, desk)}
        counted = Counter(names[str(each)] for each in authors)
        assert counted == {tablet.name: 1, desk.name: 2}, "not the large ones, and not what was written after them"
        assert len(everything) > len(authors)
        monkeypatch.setattr(limits, "BESIDE_LOOKED_MAX", 1)
        assert len(exchange.giving.beside(positions, large)) <= 1
