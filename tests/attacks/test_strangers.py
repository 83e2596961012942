"""What a device keeps and looks up for a member that signs with invented keys, or writes what nobody can read."""

from __future__ import annotations

import os
from collections.abc import Iterator

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

import edda_sync as edda
from edda_sync.changes import change as changes
from edda_sync.changes.change import NO_HASH, Birth, Header
from edda_sync.engine.engine import StorageEngine
from edda_sync.store.seams import LogReader
from edda_sync.sync.messages import Ack, Changes, Heads, SignedHead
from edda_sync.sync.session import Session
from edda_sync.testing import devices, sync
from edda_sync.words import limits
from edda_sync.words.errors import RemoteProtocolError
from tests.attacks.liar import Liar, Line
from tests.sync.batches import exchange_of

Engines = tuple[StorageEngine, ...]


@pytest.fixture
def three() -> Iterator[Engines]:
    with devices(3, backend="memory") as engines:
        yield engines


def session_of(line: Line) -> Session:
    (session,) = line.replica._sessions.values()
    return session


def large_first_change(liar: Liar) -> Changes:
    """The header of a large first change, signed by an unknown key."""
    key, parent = Ed25519PrivateKey.generate(), liar._parent
    birth = Birth(key.public_key().public_bytes_raw(), os.urandom(16), parent.actor, parent.seq, parent.hash)
    hashes = (os.urandom(32), os.urandom(32))
    actor = changes.actor_of(changes.encode_birth(birth))
    ext = changes.header_ext(1, birth=birth, parts=hashes)
    header = Header(1, actor, 1, (), 1, limits.PART_BYTES_MAX + 1, changes.hash_parts(hashes), NO_HASH, ext)
    raw = changes.encode_header(header)
    head = changes.hash_change(NO_HASH, changes.hash_header(raw))
    signature = key.sign(changes.signed_message(liar.workspace, actor, 1, head))
    return Changes(((raw, b""),), (SignedHead(actor, 1, signature, b""),))


def test_no_part_of_a_large_change_is_awaited_from_a_device_that_is_no_member(three: Engines) -> None:
    a, _, c = three
    liar = Liar(c)
    line = Line(liar, a)
    line.send(large_first_change(liar))
    assert isinstance(line.error, RemoteProtocolError)
    with a.store.read() as reader:
        assert list(reader.incoming.all()) == []


def test_no_part_of_a_large_change_is_awaited_that_depends_on_less_than_the_one_before_it(three: Engines) -> None:
    a, b, c = three
    for number in range(2):
        b.create_task(edda.Task(title=f"task {number}"))
    for engine in (a, c):
        sync(b, engine)
    liar = Liar(c)
    name, seq, _ = max(liar.deps_but_parent(), key=lambda dep: dep[1])
    line = Line(liar, a)
    line.send(liar.batch(liar.change([])))
    with a.store.read() as reader:
        before = (name, seq - 1, (reader.log.hash_at(name, seq - 1) or b"")[:16])
    large = liar.change([os.urandom(limits.PART_BYTES_MAX + 1)], deps=[before])
    line.send(liar.batch(large))
    assert isinstance(line.error, RemoteProtocolError)
    with a.store.read() as reader:
        assert list(reader.incoming.all()) == []


def test_a_hello_names_only_as_many_large_changes_that_arrived_in_part_as_it_has_room_for(
    three: Engines, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "HEADS_MAX", 2)
    a, b, c = three
    for _ in range(4):
        liar = Liar(c)
        Line(liar, a).send(liar.in_parts([os.urandom(limits.PART_BYTES_MAX + 1)])[0])
    with a.store.read() as reader:
        assert len(reader.incoming.all()) == 4
    assert len(exchange_of(a).introduction().wanted) == 2
    sync(a, b)


def test_only_a_limited_number_of_lives_that_come_too_early_are_kept_in_memory(
    three: Engines, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "CLAIMS_MAX", 10)
    a, _, c = three
    line = Line(Liar(c), a)
    for _ in range(50):
        header = Header(1, os.urandom(16), 2, (), 0, 0, changes.hash_part(b""), os.urandom(32), changes.header_ext(1))
        line.send(Changes(((changes.encode_header(header), b""),), ()))
    assert line.error is None
    assert len(session_of(line)._sending._known) <= len(a.frontier()) + 10


def test_waiting_operations_are_looked_up_once_even_if_many_changes_are_refused(
    three: Engines, monkeypatch: pytest.MonkeyPatch
) -> None:
    a, _, c = three
    waits, refused = Liar(c), Liar(c)
    refused.deps = ()
    line = Line(waits, a)
    line.send(waits.batch(*(waits.change([[1, "nothing known", os.urandom(16), {}]]) for _ in range(40))))
    looked, times = [], 0
    with a.store.read() as reader:
        kind = type(reader.log)
    for each in kind.__mro__:
        if "read" in vars(each):
            called = vars(each)["read"]

            def counting(self: LogReader, position: int, called: object = called) -> object:
                nonlocal times
                times += 1
                return called(self, position)  # type: ignore[operator]

            monkeypatch.setattr(each, "read", counting)
    for count in (20, 40):
        times = 0
        line.send(refused.batch(*(refused.change([[3, "task", os.urandom(16), "?"]]) for _ in range(count))))
        looked.append(times)
    assert line.error is None
    assert a.refused() == 60
    assert sum(looked) <= 2 * 40


def test_what_falls_due_during_a_hello_is_done_once_the_hello_is_complete(three: Engines) -> None:
    a, _, c = three
    liar = Liar(c)
    line = Line(liar, a)
    session_of(line)._timers.at("resume", 60.0)
    line.send(msgspec.structs.replace(liar.hello(), more=True))
    assert line.replica.next_deadline() is None
    line.wait(61)
    line.send(Heads((), (), False))
    assert line.replica.next_deadline() == 60.0
    line.heard.clear()
    line.wait(0)
    assert [message.again for message in line.heard if isinstance(message, Ack)] == [True]
