"""The queue: the callers of one invitation, heard one after another until one proves that it knows the code."""

from __future__ import annotations

import asyncio

from edda_sync.transport.doorway import Doorway, network_of
from edda_sync.transport.pairing.frames import SENTENCES, refusal
from edda_sync.transport.pairing.inviter import Inviter
from edda_sync.transport.pairing.machine import Send, State, Verified
from edda_sync.transport.pairing.stream import Stream
from edda_sync.transport.pairing.turns import Turns
from edda_sync.words.errors import PairingError, RemoteError, RemoteMismatchError
from edda_sync.words.limits import OPEN_TIMEOUT_S, PAIRING_ANSWER_S


class Queue:
    """
    Callers wait for their turn. The first one that proves itself is returned, and a wrong guess ends the invitation.

    Args:
        inviter: Hears them.
        doorway: Where they stand until one has proved itself.
    """

    def __init__(self, inviter: Inviter, doorway: Doorway) -> None:
        self._inviter, self._doorway = inviter, doorway
        self._turns = Turns()
        self._waiting: dict[Stream, asyncio.Task[None]] = {}
        self._proved: asyncio.Future[tuple[Stream, bytes]] = asyncio.get_running_loop().create_future()

    def called(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Take a new connection from ``start_server``."""
        link = Stream(reader, writer)
        self._waiting[link] = asyncio.create_task(self._hear(link))

    async def first_proved(self, window_s: float) -> tuple[Stream, bytes]:
        """
        Wait for a caller that proves itself; return its stream and its record.

        Args:
            window_s: How long the code is valid, in seconds.

        Raises:
            PairingError: A caller had a wrong code, nobody came in time, or the joiner was lost.
        """
        await asyncio.wait({self._proved}, timeout=window_s)
        if not self._proved.done():
            self._inviter.time_up()
            if self._inviter.state is State.EXPIRED:
                raise PairingError(SENTENCES["expired"])
        return await self._proved

    async def close(self) -> None:
        """Close the connection of the one that proved itself, and tell those that still wait why they are turned away."""
        if self._proved.done() and not self._proved.cancelled() and self._proved.exception() is None:
            await self._proved.result()[0].close()
        tasks = list(self._waiting.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        ends = {
            State.EXPIRED: SENTENCES["expired"],
            State.OPEN: SENTENCES["closed"],
            State.ANSWERED: SENTENCES["closed"],
        }
        goodbye = refusal(PairingError(ends.get(self._inviter.state, SENTENCES["used"])))
        await asyncio.gather(*(link.close(goodbye) for link in self._waiting))

    async def _hear(self, link: Stream) -> None:
        goodbye = None
        try:
            hello = await link.receive(OPEN_TIMEOUT_S)  # a caller that sends nothing blocks nobody
            async with self._turns.of(network_of(link.host)):
                if self._proved.done():
                    raise PairingError(SENTENCES["used"])
                record = await self._attempt(link, hello)
            self._doorway.proved(link.number)
            self._waiting.pop(link)
            self._proved.set_result((link, record))
            return
        except PairingError as error:
            goodbye = refusal(error)
            if not self._proved.done():
                self._proved.set_exception(error)
        except RemoteMismatchError as error:
            goodbye = refusal(error)
        except (OSError, RemoteError):
            pass  # only this connection ended: the code was not tried
        self._waiting.pop(link)
        await link.close(goodbye)

    async def _attempt(self, link: Stream, hello: bytes) -> bytes:
        try:
            await self._step(link, hello)
            return await self._step(link, await link.receive(OPEN_TIMEOUT_S))
        except (OSError, RemoteError) as error:
            self._inviter.dropped()
            if self._inviter.state is State.SPENT:
                raise PairingError(SENTENCES["broken"]) from error
            raise

    async def _step(self, link: Stream, frame: bytes) -> bytes:
        loop = asyncio.get_running_loop()
        due = loop.time() + PAIRING_ANSWER_S
        try:
            effects = self._inviter.receive(frame, loop.time())
        finally:
            await asyncio.sleep(due - loop.time())
        record = b""
        for effect in effects:
            if isinstance(effect, Send):
                await link.send(effect.frame)
            elif isinstance(effect, Verified):
                record = effect.record
        return record
