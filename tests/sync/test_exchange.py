"""The exchange: what a store gives, in which pieces, and what it takes only with its author's word."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
import pytest

import edda_sync as edda
from edda_sync import limits, values
from edda_sync.crdt import change as changes
from edda_sync.crdt.change import Birth, Header, decode_header
from edda_sync.crdt.frontier import Frontier
from edda_sync.engine import StorageEngine
from edda_sync.errors import ForkError, RemoteProtocolError
from edda_sync.sync.exchange import SUMMARY_HASH_BYTES, Exchange
from edda_sync.sync.messages import Changes, Part, SignedHead, Summary
from edda_sync.testing import devices, replica_of, sync
from edda_sync.transport.identity import Identity
from edda_sync.transport.membership import DeviceRecord

Pair = tuple[StorageEngine, StorageEngine]


@pytest.fixture(params=["memory", "sqlite"])
def two(request: pytest.FixtureRequest) -> Iterator[Pair]:
    with devices(2, backend=request.param) as (laptop, phone):
        yield laptop, phone


def exchange_of(engine: StorageEngine) -> Exchange:
    return replica_of(engine).exchange


def batches(giving: Exchange, known: Frontier) -> list[Changes]:
    """All batches for a peer that knows so much."""
    positions = giving.missing(known)
    assert positions is not None
    made = []
    while (given := giving.batch(positions, known)) is not None:
        made.append(given.message)
        known = given.frontier
    assert positions == []
    return made


def dots(message: Changes) -> list[tuple[int, int]]:
    return [decode_header(raw).dot for raw, _ in message.changes]


def trace(engine: StorageEngine) -> tuple[object, ...]:
    return engine.frontier(), engine.digest(), engine.counts(), engine.waiting()


# --- giving -----------------------------------------------------------------------------------------------------------


def test_batches_hold_what_is_missing_in_log_order_and_no_more_than_they_should(
    two: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    laptop, phone = two
    known = phone.frontier()
    for number in range(20):
        (laptop if number % 2 else phone).create_task(edda.Task(title=f"task {number}"))
        sync(laptop, phone)
    monkeypatch.setattr(limits, "BATCH_BYTES_MAX", 700)
    made = batches(exchange_of(laptop), known)
    with laptop.store.read() as reader:
        expected = [(each.actor, each.seq) for each in map(reader.logged, reader.positions_missing(known))]
    assert [dot for message in made for dot in dots(message)] == expected
    assert len(made) > 3
    for message in made:
        size = sum(len(raw) + len(body) for raw, body in message.changes)
        assert size <= limits.BATCH_BYTES_MAX or len(message.changes) == 1
        assert {head.actor for head in message.heads} == {actor for actor, _ in dots(message)}


def test_a_peer_that_knows_all_gets_nothing(two: Pair) -> None:
    laptop, phone = two
    giving = exchange_of(laptop)
    assert giving.missing(phone.frontier()) == []
    assert giving.batch([], phone.frontier()) is None
    ahead = {actor: seq + 5 for actor, seq in laptop.frontier().items()} | {1: 9}
    assert giving.missing(ahead) == []


def test_a_large_change_ends_its_batch_and_its_parts_follow(two: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    laptop, phone = two
    known = phone.frontier()
    laptop.create_task(edda.Task(title="before"))
    with laptop.begin_transaction() as tx:
        for number in range(1_500):
            tx.create_task(edda.Task(title=f"task {number}", description=f"{number} " * 100))
    laptop.create_task(edda.Task(title="after"))
    giving, taking = exchange_of(laptop), exchange_of(phone)
    positions = giving.missing(known) or []
    given = giving.batch(positions, known)
    assert given is not None
    assert given.large is not None
    assert len(given.message.changes) == 2
    assert positions  # what comes after waits for the parts
    taking.take(given.message)
    (wanted,) = taking.introduction().wanted
    assert wanted == (given.large.actor, given.large.seq, b"", 0)
    assert phone.waiting() == 0, "it is not held yet"
    number = 0
    while (part := giving.part(given.large, number)) is not None:
        assert phone.counts()["tasks"] == 1
        taken = taking.take_part(part)
        number += 1
    assert number > 1
    assert taken.applied == 1
    assert phone.counts()["tasks"] == 1_501
    assert (taking.introduction().wanted, phone.waiting()) == ((), 0)
    assert taking.take_part(Part(given.large.actor, given.large.seq, 0, b"late")).applied == 0  # another was faster


def test_a_part_that_is_not_of_its_change_is_refused_and_not_kept(two: Pair) -> None:
    laptop, phone = two
    with laptop.begin_transaction() as tx:
        for number in range(1_500):
            tx.create_task(edda.Task(title=f"task {number}", description=f"{number} " * 100))
    giving, taking = exchange_of(laptop), exchange_of(phone)
    given = giving.batch(giving.missing(phone.frontier()) or [], phone.frontier())
    assert given is not None
    assert given.large is not None
    taking.take(given.message)
    honest = giving.part(given.large, 0)
    assert honest is not None
    for number, data in ((0, b"x" + honest.data[1:]), (1, honest.data), (99, honest.data), (-1, honest.data)):
        with pytest.raises(RemoteProtocolError):
            taking.take_part(Part(given.large.actor, given.large.seq, number, data))
    assert taking.introduction().wanted[0][3] == 0


def test_what_comes_before_a_large_change_is_relayed_while_that_is_half_here() -> None:
    """The author's signature is at the large change, of which the relay has no more than the header."""
    with devices(3, backend="memory") as (laptop, phone, tablet):
        laptop.create_task(edda.Task(title="small"))
        with laptop.begin_transaction() as tx:
            for number in range(1_500):
                tx.create_task(edda.Task(title=f"task {number}", description=f"{number} " * 100))
        (message,) = batches(exchange_of(laptop), phone.frontier())
        assert len(message.heads) == 1
        exchange_of(phone).take(message)
        (relayed,) = batches(exchange_of(phone), tablet.frontier())
        assert len(relayed.changes) == 1
        assert exchange_of(tablet).take(relayed).applied == 1
        assert [task.title for task in tablet.query_tasks(edda.TaskQuery())] == ["small"]


# --- taking -----------------------------------------------------------------------------------------------------------


def test_what_is_taken_is_taken_once(two: Pair) -> None:
    laptop, phone = two
    known = phone.frontier()
    laptop.create_task(edda.Task(title="T"))
    (message,) = batches(exchange_of(laptop), known)
    taking = exchange_of(phone)
    assert taking.take(message).applied == 1
    before = trace(phone)
    again = taking.take(message)
    assert (again.applied, again.early) == (0, False)
    assert trace(phone) == before


def test_a_batch_of_known_and_new_changes_is_taken_for_what_is_new(two: Pair) -> None:
    laptop, phone = two
    known = phone.frontier()
    laptop.create_task(edda.Task(title="known"))
    sync(laptop, phone)
    laptop.create_task(edda.Task(title="new"))
    (message,) = batches(exchange_of(laptop), known)
    assert len(message.changes) == 2
    assert exchange_of(phone).take(message).applied == 1
    assert phone.digest() == laptop.digest()


def test_a_body_beside_a_header_that_lists_parts_is_refused(two: Pair) -> None:
    laptop, phone = two
    with laptop.begin_transaction() as tx:
        for number in range(1_500):
            tx.create_task(edda.Task(title=f"task {number}", description=f"{number} " * 100))
    (message,) = batches(exchange_of(laptop), phone.frontier())
    (raw, _) = message.changes[0]
    before = trace(phone)
    with pytest.raises(RemoteProtocolError, match="not as long"):
        exchange_of(phone).take(Changes(((raw, b"a body too"),), message.heads))
    assert trace(phone) == before


def test_a_signature_vouches_for_its_own_workspace_alone(two: Pair) -> None:
    """The same device, seq and hash in another workspace are signed as another message."""
    laptop, phone = two
    laptop.create_task(edda.Task(title="T"))
    (message,) = batches(exchange_of(laptop), phone.frontier())
    (head,) = message.heads
    with laptop.store.read() as reader:
        digest = reader.hash_at(head.actor, head.seq) or b""
    elsewhere = laptop.identity.sign(changes.signed_message(b"w" * 16, head.actor, head.seq, digest))
    before = trace(phone)
    with pytest.raises(RemoteProtocolError, match="signature"):
        exchange_of(phone).take(Changes(message.changes, (SignedHead(head.actor, head.seq, elsewhere, b""),)))
    assert trace(phone) == before


# --- what vouches for what ----------------------------------------------------------------------------------------------


def test_what_was_taken_ahead_of_its_signature_can_be_passed_on_though_the_rest_never_comes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The author signed the third change; its relay died after the first. Whoever has that one must not keep it alone."""
    with devices(4) as (laptop, phone, tablet, desktop):
        known = desktop.frontier()
        for title in ("one", "two", "three"):
            laptop.create_task(edda.Task(title=title))
        exchange_of(phone).take(batches(exchange_of(laptop), known)[0])
        monkeypatch.setattr(limits, "BATCH_BYTES_MAX", 1)
        first, *rest = batches(exchange_of(phone), known)
        assert rest
        assert first.heads[0].seq > dots(first)[-1][1]
        exchange_of(tablet).take(first)
        passed_on = batches(exchange_of(tablet), known)
        assert [dot for message in passed_on for dot in dots(message)] == dots(first)
        exchange_of(desktop).take(passed_on[0])
        assert [task.title for task in desktop.query_tasks(edda.TaskQuery())] == ["one"]
        exchange_of(desktop).take(rest[0])  # and the way to the signature goes on from there
        assert len(batches(exchange_of(desktop), known)) == 2


def test_a_change_has_its_own_signature_though_a_large_one_was_announced_under_its_name() -> None:
    """A liar tells some of a large change, sends none of it, and tells the others of a small one under the same dot."""
    with devices(3) as (liar, phone, tablet):
        known = phone.frontier()
        liar.create_task(edda.Task(title="small"))
        (small,) = batches(exchange_of(liar), known)
        actor, seq = dots(small)[0]
        header = msgspec.structs.replace(
            decode_header(small.changes[0][0]), body_bytes=2 * limits.PART_BYTES_MAX, parts=(b"p" * 32, b"q" * 32)
        )
        large = changes.encode_header(header)
        with liar.store.read() as reader:
            head = changes.hash_change(reader.hash_at(actor, seq - 1) or b"", changes.hash_content(large, b""))
        signature = liar.identity.sign(changes.signed_message(liar.workspace, actor, seq, head))
        exchange_of(phone).take(Changes(((large, b""),), (SignedHead(actor, seq, signature, b""),)))
        assert exchange_of(phone).introduction().wanted == ((actor, seq, b"", 0),)
        assert exchange_of(phone).proof() == exchange_of(tablet).proof(), "what never comes keeps nobody apart"
        assert exchange_of(phone).take(small).applied == 1
        assert exchange_of(phone).introduction().wanted == ()
        (passed_on,) = batches(exchange_of(phone), known)
        assert exchange_of(tablet).take(passed_on).applied == 1


def test_a_change_by_an_author_who_is_unknown_waits_for_what_makes_it_a_member(two: Pair) -> None:
    laptop, phone = two
    known = phone.frontier()
    guest = Identity.create()
    birth = Birth(guest.public_key, bytes(16))
    actor = changes.actor_of(birth)
    body = changes.encode_operation([changes.PUT, "task", bytes(16), {"title": "a guest's"}])
    header = Header(changes.VERSION, actor, 1, 0, (), 1, len(body), birth=birth)
    raw = changes.encode_header(header)
    head = changes.hash_change(changes.NO_HASH, changes.hash_content(raw, body))
    signature = guest.sign(changes.signed_message(laptop.workspace, actor, 1, head))
    theirs = Changes(((raw, body),), (SignedHead(actor, 1, signature, b""),))
    taking, before = exchange_of(phone), trace(phone)
    with pytest.raises(RemoteProtocolError, match="not a member"):
        taking.take(theirs)
    assert trace(phone) == before
    laptop.welcome(DeviceRecord(guest.certificate, "guest"))
    (welcome,) = batches(exchange_of(laptop), known)
    taken = taking.take(Changes(theirs.changes + welcome.changes, theirs.heads + welcome.heads))
    assert (taken.applied, taken.early) == (len(welcome.changes), True)
    assert taking.take(theirs).applied == 1
    assert phone.get_task(values.id_text(bytes(16))) is not None


# --- forks ------------------------------------------------------------------------------------------------------------


def test_a_summary_under_another_hash_is_a_fork_and_noted_once(two: Pair) -> None:
    laptop, phone = two
    exchange = exchange_of(laptop)
    assert exchange.find_forks(exchange_of(phone).introduction().heads) == []
    (head,) = exchange.introduction().heads
    other = Summary(head.actor, head.seq, b"\xff" * SUMMARY_HASH_BYTES)
    unknown = Summary(head.actor, head.seq + 1, b"\xff" * SUMMARY_HASH_BYTES)
    for _ in range(2):
        assert exchange.find_forks([other, unknown]) == [(head.actor, head.seq)]
    another = Summary(head.actor, head.seq, b"\xee" * SUMMARY_HASH_BYTES)
    assert exchange.find_forks([another]) == [(head.actor, head.seq)]  # a liar may make up any number of them
    with laptop.store.read() as reader:
        ((actor, seq, ours, theirs),) = reader.forks()
    assert (actor, seq, ours[:SUMMARY_HASH_BYTES], theirs) == (head.actor, head.seq, head.hash, other.hash)


def test_a_known_dot_that_comes_in_a_batch_under_another_hash_is_a_fork(two: Pair) -> None:
    laptop, phone = two
    known = phone.frontier()
    laptop.create_task(edda.Task(title="T"))
    (message,) = batches(exchange_of(laptop), known)
    taking = exchange_of(phone)
    taking.take(message)
    before = trace(phone)
    (raw, body) = message.changes[0]
    other = Changes(((raw, body.replace(b"T", b"F")),), message.heads)
    with pytest.raises(ForkError) as caught:
        taking.take(other)
    assert (caught.value.actor, caught.value.seq) == dots(message)[0]
    assert trace(phone) == before
    with phone.store.read() as reader:
        assert [(actor, seq) for actor, seq, _, _ in reader.forks()] == dots(message)
