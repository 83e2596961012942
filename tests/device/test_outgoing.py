"""Frames that wait for a link are sent in order, and their size is limited."""

from __future__ import annotations

import asyncio

import pytest

from edda_sync.device.outgoing import FRAME_OVERHEAD_BYTES, Outgoing, all_sent
from edda_sync.words import limits
from edda_sync.words.errors import LinkClosedError
from edda_sync.words.reasons import Reason

PATIENCE_S = 90.0


class Wire:
    """A link that a test holds up, releases and breaks."""

    def __init__(self) -> None:
        self.sent: list[bytes] = []
        self.closed = False
        self.broken = False
        self.is_held = False  # frames wait for room, and none is sent at once
        self.free = asyncio.Event()
        self.free.set()

    def send_now(self, frame: bytes) -> bool:
        if self.is_held or not self.free.is_set() or self.broken:
            return False
        self.sent.append(frame)
        return True

    async def send(self, frame: bytes) -> None:
        await self.free.wait()
        if self.broken:
            raise LinkClosedError("it is gone", "peer")
        self.sent.append(frame)

    async def close(self, reason: Reason) -> None:
        self.closed, self.reason = True, reason


async def test_frames_go_out_in_order_and_then_the_link_is_closed() -> None:
    wire = Wire()
    outgoing = Outgoing(wire)
    frames = [bytes([number]) * 10 for number in range(50)]
    assert all(outgoing.send(frame) for frame in frames)
    outgoing.end(Reason.FORK)
    await outgoing.run()
    assert wire.sent == frames
    assert wire.closed
    assert wire.reason is Reason.FORK


async def test_a_frame_that_comes_while_it_runs_goes_out_too() -> None:
    wire = Wire()
    outgoing = Outgoing(wire)
    running = asyncio.ensure_future(outgoing.run())
    await asyncio.sleep(0)
    outgoing.send(b"late")
    outgoing.end()
    await running
    assert wire.sent == [b"late"]


@pytest.mark.parametrize("size", [1, 100, 400])
async def test_a_peer_that_never_reads_is_let_go_at_once_before_more_waits_than_fits(
    monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    monkeypatch.setattr(limits, "OUTGOING_BYTES_MAX", 1_000)
    wire = Wire()
    wire.free.clear()  # and it stays so
    outgoing = Outgoing(wire)
    running = asyncio.ensure_future(outgoing.run())
    await asyncio.sleep(0)
    taken = 0
    while outgoing.send(bytes(size)):
        taken += 1
        assert taken * (size + FRAME_OVERHEAD_BYTES) <= 1_000, "it would grow without end"
    assert taken == 1_000 // (size + FRAME_OVERHEAD_BYTES)
    async with asyncio.timeout(PATIENCE_S):
        await running
    assert wire.closed
    assert wire.reason is Reason.UNREAD, "and hears why"
    assert wire.sent == [], "what had piled up is not sent any more"
    assert outgoing.send(b"late"), "what comes after the end is dropped, and no news"


async def test_a_frame_counts_until_it_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "OUTGOING_BYTES_MAX", 1_000)
    wire = Wire()
    wire.free.clear()
    outgoing = Outgoing(wire)
    running = asyncio.ensure_future(outgoing.run())
    assert outgoing.send(bytes(900))
    for _ in range(3):  # it is under way, and waits for room
        await asyncio.sleep(0)
    assert not outgoing.send(bytes(100))
    await running


async def test_what_was_sent_leaves_room_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "OUTGOING_BYTES_MAX", 1_000)
    wire = Wire()
    outgoing = Outgoing(wire)
    running = asyncio.ensure_future(outgoing.run())
    for _ in range(100):
        assert outgoing.send(bytes(900))
        for _ in range(4):  # it wakes, writes, and counts what it wrote
            await asyncio.sleep(0)
    outgoing.end()
    await running
    assert len(wire.sent) == 100


async def test_a_link_that_breaks_ends_it_quietly() -> None:
    wire = Wire()
    wire.broken = True
    outgoing = Outgoing(wire)
    outgoing.send(b"x")
    await outgoing.run()
    assert wire.closed


async def running_free(wire: Wire) -> tuple[Outgoing, asyncio.Task[None]]:
    """Begin to send, and wait until there is nothing to send."""
    outgoing = Outgoing(wire)
    running = asyncio.ensure_future(outgoing.run())
    for _ in range(3):
        await asyncio.sleep(0)
    return outgoing, running


async def test_a_frame_is_sent_at_once_while_nothing_waits() -> None:
    wire = Wire()
    outgoing, running = await running_free(wire)
    assert outgoing.send(b"one")
    assert outgoing.send(b"two")
    assert wire.sent == [b"one", b"two"], "nobody else had a turn"
    outgoing.end()
    await running
    assert wire.sent == [b"one", b"two"]


@pytest.mark.parametrize("turns", range(6))
async def test_a_frame_that_could_not_be_sent_at_once_stays_before_those_that_could(turns: int) -> None:
    wire = Wire()
    outgoing, running = await running_free(wire)
    wire.is_held = True
    outgoing.send(b"one")
    wire.is_held = False
    for _ in range(turns):
        await asyncio.sleep(0)
    outgoing.send(b"two")
    wire.free.clear()
    outgoing.send(b"three")
    for _ in range(turns):
        await asyncio.sleep(0)
    wire.free.set()
    outgoing.send(b"four")
    outgoing.end()
    await running
    assert wire.sent == [b"one", b"two", b"three", b"four"]


async def test_the_last_words_are_sent_before_the_senders_are_ended() -> None:
    wires = [Wire(), Wire()]
    ending = [Outgoing(wire) for wire in wires]
    senders = [asyncio.ensure_future(each.run()) for each in ending]
    for each in ending:
        each.send(b"all of it")
        each.send(b"goodbye")
        each.end(Reason.CLOSING)
    await all_sent(ending)
    for sender in senders:
        sender.cancel()
    await asyncio.gather(*senders, return_exceptions=True)
    assert [wire.sent for wire in wires] == [[b"all of it", b"goodbye"]] * 2


async def test_last_words_do_not_wait_long_for_a_peer_that_never_reads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "CLOSE_TIMEOUT_S", 0.0)
    wire = Wire()
    wire.free.clear()  # and it stays so
    outgoing = Outgoing(wire)
    sender = asyncio.ensure_future(outgoing.run())
    outgoing.send(b"goodbye")
    outgoing.end(Reason.CLOSING)
    async with asyncio.timeout(PATIENCE_S):
        await all_sent([outgoing])
    sender.cancel()
    await asyncio.gather(sender, return_exceptions=True)
    assert wire.sent == []
