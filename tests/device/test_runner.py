"""The runner of a real device: where it passes things, and what becomes of frames for a link that is gone."""

from __future__ import annotations

import asyncio
import io
import threading
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import cast

import pytest

from edda_sync import testing
from edda_sync.device.device import Device, Happening
from edda_sync.device.runner import _scrubbed
from edda_sync.engine.engine import StorageEngine
from edda_sync.store.seams import StoreWriter
from edda_sync.sync.effects import Effect, Send
from edda_sync.sync.messages import Ack, Goodbye, Hello, Message
from edda_sync.sync.orders import Duty, Scrub
from edda_sync.sync.replica import Replica
from edda_sync.sync.wire import Codec
from edda_sync.testing import replica_of
from edda_sync.transport.link import Link
from edda_sync.words import limits
from edda_sync.words.config import StorageConfig
from edda_sync.words.errors import LinkClosedError
from edda_sync.words.model import Document, Task

PATIENCE_S = 90.0


class Wire:
    """A link of a device; a test is its other end."""

    address = "192.168.1.20:4321"
    ending = "it broke"

    def __init__(self, peer: str) -> None:
        self.peer = peer
        self.sent: list[bytes] = []
        self.closed = False
        self._arriving: asyncio.Queue[bytes | None] = asyncio.Queue()
        self._changed = asyncio.Event()

    def send_now(self, frame: bytes) -> bool:
        self.sent.append(frame)
        self._changed.set()
        return True

    async def send(self, frame: bytes) -> None:
        self.sent.append(frame)
        self._changed.set()

    async def close(self, reason: str = "") -> None:
        self.closed = True
        self._arriving.put_nowait(None)
        self._changed.set()

    def __aiter__(self) -> Wire:
        return self

    async def __anext__(self) -> bytes:
        frame = await self._arriving.get()
        if frame is None:
            raise LinkClosedError(self.peer, "it broke")
        return frame

    def arrive(self, frame: bytes) -> None:
        self._arriving.put_nowait(frame)

    @property
    def said(self) -> list[type[Message]]:
        return [type(Codec().decode(frame)) for frame in self.sent]

    async def until_said(self, kind: type[Message]) -> None:
        async with asyncio.timeout(PATIENCE_S):
            while kind not in self.said:
                self._changed.clear()
                await self._changed.wait()


class Bench:
    """A running laptop, and the phone's store, whose side of the sessions a test plays."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.happened: list[Happening] = []
        self.phone = StorageEngine(folder / "phone")
        with StorageEngine(folder / "laptop") as laptop:
            laptop.initialize(self.config("laptop"))
            self.phone.open_store(self.config("phone"))
            testing.pair(laptop, self.phone)
            testing.sync(laptop, self.phone)

    def config(self, name: str) -> StorageConfig:
        return StorageConfig(name=name, state_path=self.folder / "state")

    @asynccontextmanager
    async def laptop(self) -> AsyncIterator[Device]:
        home = self.folder / "laptop"
        device = Device(home, config=self.config("laptop"), discover=False, tell=self.happened.append)
        async with device:
            yield device
        self.phone.close()

    def wire(self) -> Wire:
        return Wire(self.phone.identity.device)

    @property
    def what(self) -> list[str]:
        return [each.what for each in self.happened]


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def carry(device: Device, wire: Wire) -> asyncio.Task[None]:
    return asyncio.ensure_future(device._runner.carry(cast(Link, wire)))


async def talking(bench: Bench, laptop: Device) -> tuple[Wire, asyncio.Task[None], Replica]:
    """Exchange messages between laptop and phone until both have said what they hold; return the phone's replica too."""
    wire = bench.wire()
    carrying = carry(laptop, wire)
    await wire.until_said(Hello)
    replica, own = replica_of(bench.phone), laptop.store.identity.device
    for effect in [*replica.connected(own), *replica.frame_received(own, wire.sent[0], 0.0)]:
        wire.arrive(getattr(effect, "frame"))  # noqa: B009 - all of them are to be sent
    await wire.until_said(Ack)
    return wire, carrying, replica


@pytest.mark.parametrize("turns", [0, 1, 2, 5])
async def test_of_two_links_to_one_peer_each_says_hello_once_however_close_they_follow(
    bench: Bench, turns: int
) -> None:
    async with bench.laptop() as laptop:
        former, latter = bench.wire(), bench.wire()
        carrying = [carry(laptop, former)]
        for _ in range(turns):
            await asyncio.sleep(0)
        carrying.append(carry(laptop, latter))
        await latter.until_said(Hello)
        replica, own = replica_of(bench.phone), laptop.store.identity.device
        replica.connected(own)
        for effect in [*replica.connected(own), *replica.frame_received(own, latter.sent[0], 0.0)]:
            latter.arrive(getattr(effect, "frame"))  # noqa: B009 - all of them are to be sent
        await latter.until_said(Ack)
        assert former.said in ([], [Hello])
        assert latter.said.count(Hello) == 1
        await former.close()
        await carrying[0]
        assert list(laptop.progress) == [bench.phone.identity.device], "the end of the former link is not the latter's"
        await latter.close()
        await carrying[1]
        assert laptop.progress == {}
    assert bench.what.count("connected") == bench.what.count("lost") == 1
    assert "trouble" not in bench.what


async def test_of_two_links_to_one_peer_the_latter_may_end_first(bench: Bench) -> None:
    async with bench.laptop() as laptop:
        former, latter = bench.wire(), bench.wire()
        carrying = [carry(laptop, former), carry(laptop, latter)]
        await latter.until_said(Hello)
        await latter.close()
        await carrying[1]
        await former.close()
        await carrying[0]
        assert laptop.progress == {}
        assert laptop.fault == ""
    assert "trouble" not in bench.what
    assert bench.what.count("lost") <= 1


async def test_a_link_that_is_lost_in_the_midst_of_something_else_is_not_told_as_connected_once_more(
    bench: Bench,
) -> None:
    busy, done = threading.Event(), threading.Event()

    def work(_replica: Replica, _now: float) -> None:
        busy.set()
        done.wait(PATIENCE_S)

    async with bench.laptop() as laptop:
        wire, carrying, _ = await talking(bench, laptop)
        going = asyncio.ensure_future(laptop._runner._turns.drive(work))
        await asyncio.to_thread(busy.wait, PATIENCE_S)
        await wire.close()
        for _ in range(10):
            await asyncio.sleep(0)  # the end of the link comes to the replica after the work
        done.set()
        await asyncio.gather(going, carrying)
    assert (bench.what.count("connected"), bench.what.count("lost"), bench.what[-1]) == (1, 1, "lost")


async def test_what_still_comes_over_a_former_link_is_no_trouble_with_the_peer(bench: Bench) -> None:
    async with bench.laptop() as laptop:
        former, latter = bench.wire(), bench.wire()
        first = carry(laptop, former)
        await former.until_said(Hello)
        second = carry(laptop, latter)
        await latter.until_said(Hello)
        for _ in range(3):
            former.arrive(b"garbage")
        former.arrive(former.sent[0])
        await former.close()
        await first
        assert not latter.closed
        assert Goodbye not in [*former.said, *latter.said]
        await latter.close()
        await second
    assert "trouble" not in bench.what


async def test_a_talk_that_ends_over_an_error_closes_its_link_and_is_told(bench: Bench) -> None:
    async with bench.laptop() as laptop:
        wire = bench.wire()
        carrying = carry(laptop, wire)
        await wire.until_said(Hello)
        wire.arrive(b"garbage")
        await wire.until_said(Goodbye)
        await carrying
        assert wire.closed
    assert bench.what == ["trouble"]


async def test_a_peer_that_sends_a_lot_is_served_in_turn_with_the_others(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    dealt: list[str] = []
    frame_received = Replica.frame_received

    def noted(replica: Replica, peer: str, frame: bytes, now: float, link: int = 0) -> list[Effect]:
        dealt.append(peer)
        return frame_received(replica, peer, frame, now, link)

    monkeypatch.setattr(Replica, "frame_received", noted)
    async with bench.laptop() as laptop:
        busy, other = bench.wire(), Wire("other")
        for _ in range(50):
            busy.arrive(b"what the peer sends")
        other.arrive(b"one frame")
        for wire in (busy, other):
            await wire.close()
        await asyncio.gather(*(carry(laptop, wire) for wire in (busy, other)), return_exceptions=True)
    assert dealt.count(busy.peer) == 50
    assert dealt.index("other") <= 2, "it waits for one frame of the other peer, and not for all of them"


async def test_while_a_large_change_waits_for_the_store_the_replica_serves_others(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "SLICE_US_MAX", limits.TAKE_CHANGE_US + limits.TAKE_OPERATION_US)
    held, done = threading.Event(), threading.Event()

    def hold(_tx: StoreWriter) -> None:
        held.set()
        done.wait(PATIENCE_S)

    async with bench.laptop() as laptop:
        wire, carrying, replica = await talking(bench, laptop)
        holding = asyncio.ensure_future(asyncio.to_thread(laptop.store.store.transact, hold))
        await asyncio.to_thread(held.wait, PATIENCE_S)
        with bench.phone.begin_transaction() as tx:
            for number in range(3):
                tx.create_task(Task(title=f"task {number}"))
        wire.sent.clear()
        for effect in replica.committed(0.0):
            if isinstance(effect, Send):
                wire.arrive(effect.frame)
        other = Wire("other")
        serving = carry(laptop, other)
        async with asyncio.timeout(PATIENCE_S):
            await other.until_said(Hello)
        assert laptop.store.counts()["tasks"] == 0
        assert wire.said == []
        async with asyncio.timeout(PATIENCE_S):
            while laptop.large != wire.peer:  # noqa: ASYNC110 - a thread of its own begins it, which nothing tells
                await asyncio.sleep(0)
        done.set()
        await wire.until_said(Ack)
        assert not laptop.large
        assert laptop.store.counts()["tasks"] == 3
        for each in (wire, other):
            await each.close()
        await asyncio.gather(holding, carrying, serving)


def test_a_pass_of_the_scrub_collects_what_no_attachment_needs(tmp_path: Path) -> None:
    now = [time.time()]
    with StorageEngine(tmp_path / "home", now=lambda: now[0]) as store:
        store.initialize()
        made = store.create_document(Document(title="D"))
        store.transact(lambda tx: tx.attach(made, io.BytesIO(b"kept"), name="kept"))
        store.transact(lambda tx: tx.attach(made, io.BytesIO(b"gone"), name="gone"))
        store.transact(lambda tx: tx.detach(made, "gone"))
        chunks = store.reading.files.chunks
        assert len(list(chunks.names())) == 2
        store.reading.files.collect()  # which sees that nothing needs it
        now[0] += 10 * 365 * limits.FILE_GRACE_S  # later than any clock of a disk
        scrubbed = _scrubbed(store, Scrub(Duty.SCRUBBING, b"", 1))
        assert (scrubbed.following is None, len(list(chunks.names()))) == (False, 2), "only a part of a pass"
        assert _scrubbed(store, Scrub(Duty.SCRUBBING, b"", 1_000)).following is None
        assert len(list(chunks.names())) == 1
        assert store.open_attachment(made, "kept").read() == b"kept"
