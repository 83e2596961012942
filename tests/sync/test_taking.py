"""Taking: only what its author signed, without a trace of what is rejected; and what waits is asked for again."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

import edda_sync as edda
from edda_sync.changes import change as changes
from edda_sync.changes.change import Birth, Change, Header, decode_header
from edda_sync.crdt import ext as exts
from edda_sync.crdt import operation
from edda_sync.engine.engine import StorageEngine
from edda_sync.sync.giving import Given
from edda_sync.sync.messages import Changes, Part, SignedHead, Wish
from edda_sync.testing import devices, pair, sync
from edda_sync.transport.identity import Identity
from edda_sync.words import limits, values
from edda_sync.words.errors import RemoteProtocolError
from edda_sync.workspace.actor import actor_of
from edda_sync.workspace.welcome import DeviceCard
from tests.sync.batches import batches, dots, exchange_of, trace
from tests.sync.newcomers import begin_with_segment, newcomers
from tests.sync.strange import write_change

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


def given(giver: StorageEngine, taker: StorageEngine) -> Given:
    """The next batch that one store would give the other."""
    giving = exchange_of(giver).giving
    found = giving.batch(giving.missing(taker.frontier()) or [], taker.frontier())
    assert found is not None
    return found


def test_what_is_taken_is_taken_once(two: Pair) -> None:
    laptop, phone = two
    known = phone.frontier()
    laptop.create_task(edda.Task(title="T"))
    (message,) = batches(exchange_of(laptop), known)
    taking = exchange_of(phone).taking
    assert taking.take(message).applied == 1
    before = trace(phone)
    again = taking.take(message)
    assert (again.applied, again.early) == (0, False)
    assert trace(phone) == before


def test_where_the_log_ended_before_and_ends_now_is_said(two: Pair) -> None:
    laptop, phone = two
    known = phone.frontier()
    for title in ("one", "two"):
        laptop.create_task(edda.Task(title=title))
    (message,) = batches(exchange_of(laptop), known)
    with phone.store.read() as reader:
        before = reader.log.position()
    assert exchange_of(phone).taking.take(message).reached == (before, before + 2)
    assert exchange_of(phone).taking.take(message).reached == (before + 2, before + 2)


def test_what_came_is_said_by_the_dots_under_which_it_is_held(two: Pair) -> None:
    laptop, phone = two
    known = phone.frontier()
    for title in ("one", "two"):
        laptop.create_task(edda.Task(title=title))
    (message,) = batches(exchange_of(laptop), known)
    assert exchange_of(phone).taking.take(message).held == tuple(dots(message))


def test_whatever_may_say_something_of_a_device_is_said_to(two: Pair) -> None:
    laptop, phone = two
    known = phone.frontier()
    for title in ("T", "a device", "\u00a6device"):
        laptop.create_task(edda.Task(title=title))
    (message,) = batches(exchange_of(laptop), known)
    assert not exchange_of(phone).taking.take(message).members
    with StorageEngine(laptop.home.parent / "tablet") as tablet:
        tablet.open_store(edda.StorageConfig(state_path=laptop.home.parent / "state", name="tablet"))
        pair(laptop, tablet)
    (message,) = batches(exchange_of(laptop), phone.frontier())
    assert exchange_of(phone).taking.take(message).members
    known = phone.frontier()
    prefix = b"\x93\x63\xd9\x06device\xc4\x10" + bytes(16)  # [99, "device", id], its kind not as short as it might be
    write_change(laptop, prefix)
    (message,) = batches(exchange_of(laptop), known)
    assert exchange_of(phone).taking.take(message).members


def test_a_batch_of_known_and_new_changes_is_taken_for_what_is_new(two: Pair) -> None:
    laptop, phone = two
    known = phone.frontier()
    laptop.create_task(edda.Task(title="known"))
    sync(laptop, phone)
    laptop.create_task(edda.Task(title="new"))
    (message,) = batches(exchange_of(laptop), known)
    assert len(message.changes) == 2
    assert exchange_of(phone).taking.take(message).applied == 1
    assert phone.digest() == laptop.digest()


# --- large changes ----------------------------------------------------------------------------------------------------


def test_a_large_change_is_applied_with_its_last_part_and_not_held_before(two: Pair) -> None:
    laptop, phone = two
    laptop.create_task(edda.Task(title="before"))
    large_change(laptop)
    found = given(laptop, phone)
    assert found.large is not None
    exchange = exchange_of(phone)
    exchange.taking.take(found.message)
    assert exchange.introduction().wanted == (Wish(found.large.actor, found.large.seq, 0),)
    assert phone.waiting() == 0, "it is not held yet"
    number = 0
    giving = exchange_of(laptop).giving
    while (part := giving.part(found.large, number)) is not None:
        assert phone.counts()["tasks"] == 1
        taken = exchange.taking.take_part(part)
        number += 1
    assert number > 1
    assert (taken.applied, taken.held) == (1, ((found.large.actor, found.large.seq),))
    assert phone.counts()["tasks"] == 1_501
    assert (exchange.introduction().wanted, phone.waiting()) == ((), 0)
    late = exchange.taking.take_part(Part(found.large.actor, found.large.seq, 0, b"late"))
    assert (late.applied, late.early) == (0, False), "another peer was faster"


def test_a_part_that_is_not_of_its_change_is_refused_and_not_kept(two: Pair) -> None:
    laptop, phone = two
    large_change(laptop)
    found = given(laptop, phone)
    assert found.large is not None
    exchange = exchange_of(phone)
    exchange.taking.take(found.message)
    honest = exchange_of(laptop).giving.part(found.large, 0)
    assert honest is not None
    for number, data in ((0, b"x" + honest.data[1:]), (1, honest.data), (99, honest.data)):
        with pytest.raises(RemoteProtocolError):
            exchange.taking.take_part(Part(found.large.actor, found.large.seq, number, data))
    assert exchange.introduction().wanted[0].first == 0


def test_two_large_changes_under_one_dot_are_both_expected_and_each_part_finds_its_own(
    two: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "PART_BYTES_MAX", 1_000)
    laptop, phone = two
    large_change(laptop, 20)
    large, raw, signed = announced(laptop, phone)
    other, other_signed = twin_of(laptop, raw, b"another body, which also is long " * 100)
    exchange = exchange_of(phone)
    exchange.taking.take(Changes(((raw, b""),), (signed,)))
    exchange.taking.take(Changes(((other.raw, b""),), (other_signed,)))
    assert len(incoming(phone)) == 2
    assert exchange.introduction().wanted == (Wish(*large, 0),)
    parts = [other.body[at : at + 1_000] for at in range(0, len(other.body), 1_000)]
    honest = exchange_of(laptop).giving
    logged = given(laptop, phone).large
    assert logged is not None
    exchange.taking.take_part(Part(*large, 0, parts[0]))
    number = 0
    while (part := honest.part(logged, number)) is not None:
        taken = exchange.taking.take_part(part)
        number += 1
    assert taken.applied == 1
    assert phone.digest() == laptop.digest()


def announced(giver: StorageEngine, taker: StorageEngine) -> tuple[tuple[bytes, int], bytes, SignedHead]:
    """The dot, header and signed head of the next large change."""
    found = given(giver, taker)
    ((raw, _),), (signed,) = found.message.changes, found.message.heads
    return decode_header(raw).dot, raw, signed


def twin_of(engine: StorageEngine, raw: bytes, body: bytes) -> tuple[Change, SignedHead]:
    """Another change that a lying author signs for the same dot, with its body in parts."""
    header = decode_header(raw)
    parts = tuple(changes.hash_part(body[at : at + 1_000]) for at in range(0, len(body), 1_000))
    ext = exts.of({changes.WALL: bytes(8), changes.PARTS: b"".join(parts)})
    other = changes.encode_header(
        msgspec.structs.replace(header, body_bytes=len(body), content=changes.hash_parts(parts), ext=ext)
    )
    change = Change(changes.decode_header(other), other, body)
    message = changes.signed_message(engine.workspace, *header.dot, change.hash)
    return change, SignedHead(*header.dot, engine.identity.sign(message), b"")


def incoming(engine: StorageEngine) -> list[object]:
    with engine.store.read() as reader:
        return list(reader.incoming.all())


def test_of_large_changes_that_never_come_few_are_kept_and_the_one_that_has_come_furthest_stays(
    two: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "PART_BYTES_MAX", 1_000)
    monkeypatch.setattr(limits, "INCOMING_MAX", 3)
    laptop, phone = two
    large_change(laptop, 20)
    large, raw, signed = announced(laptop, phone)
    exchange = exchange_of(phone)
    exchange.taking.take(Changes(((raw, b""),), (signed,)))
    logged = given(laptop, phone).large
    assert logged is not None
    part = exchange_of(laptop).giving.part(logged, 0)
    assert part is not None
    exchange.taking.take_part(part)
    for number in range(9):
        other, head = twin_of(laptop, raw, f"a body that never comes {number} ".encode() * 100)
        exchange.taking.take(Changes(((other.raw, b""),), (head,)))
    assert len(incoming(phone)) == 3
    with phone.store.read() as reader:
        assert max(len(each.parts) for each in reader.incoming.all()) == 1
    assert large in {(each.actor, each.seq) for each in exchange.introduction().wanted}


def test_what_comes_before_a_large_change_is_relayed_while_that_is_half_here() -> None:
    """The author's signature is of the large change, of which the relay has only the header."""
    with devices(3, backend="memory") as (laptop, phone, tablet):
        laptop.create_task(edda.Task(title="small"))
        large_change(laptop)
        (message,) = batches(exchange_of(laptop), phone.frontier())
        assert len(message.heads) == 1
        exchange_of(phone).taking.take(message)
        (relayed,) = batches(exchange_of(phone), tablet.frontier())
        assert len(relayed.changes) == 1
        assert exchange_of(tablet).taking.take(relayed).applied == 1
        assert [task.title for task in tablet.query_tasks(edda.TaskQuery())] == ["small"]


def test_a_large_change_that_came_in_parts_is_passed_on() -> None:
    """What vouches for it came with its header, long before it was complete."""
    with devices(3, backend="memory") as (laptop, phone, tablet):
        large_change(laptop)
        found, exchange = given(laptop, phone), exchange_of(phone)
        assert found.large is not None
        exchange.taking.take(found.message)
        number = 0
        while (part := exchange_of(laptop).giving.part(found.large, number)) is not None:
            exchange.taking.take_part(part)
            number += 1
        passed_on = given(phone, tablet)
        assert passed_on.message == found.message
        assert passed_on.large is not None


def test_the_large_changes_of_one_device_take_no_room_from_another_one_s(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "INCOMING_MAX", 1)
    with devices(3, backend="memory") as (laptop, phone, tablet):
        for author in (laptop, phone):
            found = given_large(author, tablet)
            exchange_of(tablet).taking.take(found.message)
        wanted = {wish.actor for wish in exchange_of(tablet).introduction().wanted}
        assert wanted == {actor_of_own(laptop), actor_of_own(phone)}


def given_large(author: StorageEngine, taker: StorageEngine) -> Given:
    """Write a large change, and return the batch that announces it."""
    large_change(author)
    found = given(author, taker)
    assert found.large is not None
    return found


def actor_of_own(engine: StorageEngine) -> bytes:
    """The life in which a device writes."""
    with engine.store.read() as reader:
        return actor_of(reader)


@pytest.mark.parametrize("other", [b"other words", b""])
def test_a_body_that_is_not_the_one_that_its_header_names_is_refused(two: Pair, other: bytes) -> None:
    laptop, phone = two
    known = phone.frontier()
    laptop.create_task(edda.Task(title="true words"))
    (message,) = batches(exchange_of(laptop), known)
    ((raw, body),) = message.changes
    before = trace(phone)
    for lie in (body.replace(b"true words", b"lies words"), other):
        with pytest.raises(RemoteProtocolError, match="not the one that its header names"):
            exchange_of(phone).taking.take(Changes(((raw, lie),), message.heads))
        assert trace(phone) == before


def test_nothing_is_taken_on_top_of_a_segment_whose_log_is_not_here(two: Pair, tmp_path: Path) -> None:
    laptop, _ = two
    laptop.create_task(edda.Task(title="in the segment"))
    with newcomers(tmp_path, "memory") as newcomer:
        tablet = newcomer(laptop)
        begin_with_segment(laptop, tablet)
        known = tablet.frontier()
        laptop.create_task(edda.Task(title="after it"))
        (message,) = batches(exchange_of(laptop), known)
        before = trace(tablet)
        taken = exchange_of(tablet).taking.take(message)
        assert (taken.applied, taken.unchecked, taken.held) == (0, True, tuple(dots(message)))
        assert trace(tablet) == before


def test_a_body_beside_a_header_that_lists_parts_is_refused(two: Pair) -> None:
    laptop, phone = two
    large_change(laptop)
    (message,) = batches(exchange_of(laptop), phone.frontier())
    (raw, _) = message.changes[0]
    before = trace(phone)
    with pytest.raises(RemoteProtocolError, match="both a body and parts"):
        exchange_of(phone).taking.take(Changes(((raw, b"a body too"),), message.heads))
    assert trace(phone) == before


def test_a_change_has_its_own_signature_though_a_large_one_was_announced_under_its_name() -> None:
    """A liar announces a large change to some devices without sending it, and gives the others a small one with its dot."""
    with devices(3) as (liar, phone, tablet):
        known = phone.frontier()
        liar.create_task(edda.Task(title="small"))
        (small,) = batches(exchange_of(liar), known)
        actor, seq = dots(small)[0]
        header = decode_header(small.changes[0][0])
        parts = (b"p" * 32, b"q" * 32)
        ext = exts.of({changes.WALL: bytes(8), changes.PARTS: b"".join(parts)})
        large = changes.encode_header(
            msgspec.structs.replace(
                header, body_bytes=2 * limits.PART_BYTES_MAX, content=changes.hash_parts(parts), ext=ext
            )
        )
        head = changes.hash_change(header.previous, changes.hash_header(large))
        signature = liar.identity.sign(changes.signed_message(liar.workspace, actor, seq, head))
        exchange_of(phone).taking.take(Changes(((large, b""),), (SignedHead(actor, seq, signature, b""),)))
        assert exchange_of(phone).introduction().wanted == (Wish(actor, seq, 0),)
        assert exchange_of(phone).proof() == exchange_of(tablet).proof(), "what never comes keeps nobody apart"
        assert exchange_of(phone).taking.take(small).applied == 1
        assert exchange_of(phone).introduction().wanted == ()
        (passed_on,) = batches(exchange_of(phone), known)
        assert exchange_of(tablet).taking.take(passed_on).applied == 1


# --- what vouches, and what waits -------------------------------------------------------------------------------------


def test_a_signature_vouches_for_its_own_workspace_alone(two: Pair) -> None:
    """In another workspace, the same device, seq and hash are signed as another message."""
    laptop, phone = two
    laptop.create_task(edda.Task(title="T"))
    (message,) = batches(exchange_of(laptop), phone.frontier())
    (head,) = message.heads
    with laptop.store.read() as reader:
        digest = reader.log.hash_at(head.actor, head.seq) or b""
    elsewhere = laptop.identity.sign(changes.signed_message(b"w" * 16, head.actor, head.seq, digest))
    before = trace(phone)
    with pytest.raises(RemoteProtocolError, match="signature"):
        exchange_of(phone).taking.take(Changes(message.changes, (SignedHead(head.actor, head.seq, elsewhere, b""),)))
    assert trace(phone) == before


def test_a_change_by_an_author_who_is_unknown_waits_for_what_makes_it_a_member(two: Pair) -> None:
    laptop, phone = two
    known = phone.frontier()
    guest = Identity.create()
    laptop.welcome(DeviceCard(guest.certificate, "guest"))
    (welcome,) = batches(exchange_of(laptop), known)
    with laptop.store.read() as reader:
        (head,) = reader.log.heads().values()
    birth = Birth(guest.public_key, bytes(16), head.actor, head.seq, head.hash)
    theirs = first_change(laptop, guest, birth)
    taking, before = exchange_of(phone).taking, trace(phone)
    assert taking.take(theirs).early
    assert trace(phone) == before
    taken = taking.take(Changes(theirs.changes + welcome.changes, theirs.heads + welcome.heads))
    assert (taken.applied, taken.early) == (0, True)
    taken = taking.take(Changes(welcome.changes + theirs.changes, theirs.heads + welcome.heads))
    assert (taken.applied, taken.early) == (len(welcome.changes) + 1, False)
    assert phone.get_task(values.id_text(bytes(16))) is not None


def test_a_stranger_s_first_change_is_refused(two: Pair) -> None:
    laptop, phone = two
    guest = Identity.create()
    with laptop.store.read() as reader:
        (head,) = reader.log.heads().values()
    before = trace(phone)
    for birth in (
        Birth(guest.public_key, bytes(16)),
        Birth(guest.public_key, bytes(16), head.actor, head.seq, head.hash),
    ):
        with pytest.raises(RemoteProtocolError, match="not a member"):
            exchange_of(phone).taking.take(first_change(laptop, guest, birth))
        assert trace(phone) == before


def first_change(member: StorageEngine, identity: Identity, birth: Birth) -> Changes:
    """The first change of a life, as its device would send it."""
    actor = changes.actor_of(changes.encode_birth(birth))
    body = operation.encode(operation.Put("task", bytes(16), {"title": "a guest's"}))
    ext = changes.header_ext(1, birth=birth)
    header = Header(1, actor, 1, (), 1, len(body), changes.hash_part(body), changes.NO_HASH, ext)
    raw = changes.encode_header(header)
    head = changes.hash_change(changes.NO_HASH, changes.hash_header(raw))
    signature = identity.sign(changes.signed_message(member.workspace, actor, 1, head))
    return Changes(((raw, body),), (SignedHead(actor, 1, signature, b""),))


def test_a_batch_that_begins_after_what_is_here_is_asked_for_again(two: Pair) -> None:
    laptop, phone = two
    laptop.create_task(edda.Task(title="first"))
    first = laptop.frontier()
    laptop.create_task(edda.Task(title="second"))
    (message,) = batches(exchange_of(laptop), first)
    before = trace(phone)
    taken = exchange_of(phone).taking.take(message)
    assert taken.early
    assert taken.held == (changes.decode_header(message.changes[0][0]).dot,), "the peer has it, and is not sent it"
    assert trace(phone) == before
