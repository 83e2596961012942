"""
Introducing: a copy that became a device of its own (``engine.separating``) tells its original, whom nobody else may tell.

The original does not know the new device yet, so it refuses its links. But it knows the key that both had, and the copy
keeps this key until the two have met. With it the copy calls the original by ``transport.link.COPY_PATH``:

    original    [nonce, heads]                          [taken]
    copy                          runs, in pieces, [end]                  or, to say only that it is there, [look, nonce]

The runs hold what the original lacks of its own workspace, and with it the change that made the copy a member. They are
taken like those of a bundle: each change is checked as one from a peer. After that, the two link like any other members.
Whoever has a device's key could already give changes to all others in its name; from the device itself it gets only its
heads.

A copy that is no device of its own yet has its original's key, too. Where two such stores run beside each other, each one
hears the other announce its own tags, or is told its address. Then they look, by the same path, and both tell their person.
The nonce, which is new in each process, tells a copy from this device itself.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable, Iterable
from functools import partial
from typing import TYPE_CHECKING, Final, TypeVar

import msgspec

from edda_sync.device.allowance import Allowance
from edda_sync.device.happening import Happening
from edda_sync.segments.run import Hash16, Heads
from edda_sync.transport import former
from edda_sync.transport.dial import dial
from edda_sync.transport.interfaces import Endpoint
from edda_sync.transport.link import COPY_PATH, Link
from edda_sync.words import limits
from edda_sync.words.errors import NotAMemberError, RemoteError, RemoteProtocolError

if TYPE_CHECKING:
    from edda_sync.engine.engine import StorageEngine
    from edda_sync.transport.identity import Identity

T = TypeVar("T")

_PIECE_BYTES: Final = limits.FRAME_BYTES_MAX // 2
_LAST, _MORE, _LOOK, _END = b"\1", b"\0", b"\2", b""
_TAKEN: Final = b"taken"
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(tuple[Hash16, Heads]).decode


class Introducing:
    """
    Both ends of it, for one device.

    Args:
        store: The store.
        run: Runs work with the store on another thread.
        meet: Reads the members again, and trusts them.
        tell: Is told what happens.

    Attributes:
        copy_at: The host where a copy of this store runs, which is no device of its own yet; None if none was met.
    """

    def __init__(
        self,
        store: StorageEngine,
        run: Callable[[Callable[[StorageEngine], object]], Awaitable[object]],
        meet: Callable[[], Awaitable[None]],
        tell: Callable[[Happening], object],
    ) -> None:
        self._store, self._run, self._meet, self._tell = store, run, meet, tell
        self._former: dict[str, Identity] = {}
        self._nonce = os.urandom(16)
        self._looked: set[Endpoint] = set()
        self._calls = Allowance(limits.HINTED_DIALS_MAX, limits.HINTS_WINDOW_S)  # anybody can repeat our announcements
        self.copy_at: str | None = None

    def open(self) -> None:
        """Read the identities of the originals, if this device was a copy and has not met them yet."""
        self._former = {each.device: each for each in former.load(self._store.home)}
        self._former.pop(self._store.identity.device, None)

    # --- the copy's side ----------------------------------------------------------------------------------------------

    async def introduce(self, device: str, certificate: bytes, host: str, port: int) -> bool:
        """
        Tell the original of this device, at an address where it answers; tell whether it knows this device now.

        Args:
            device: The member that refused this device. Nothing is done unless it is the original.
            certificate: Its certificate, DER.
            host, port: Where it answers.

        Raises:
            RemoteError: The link broke, or the original broke the protocol.
        """
        own = self._former.get(device)
        if own is None:
            return False
        try:
            link = await dial(
                own, device, certificate, host, port, path=COPY_PATH, packet_bytes=limits.PACKET_BYTES_SMALL
            )
        except NotAMemberError:  # an older version
            return False
        try:
            _, heads = _answer(await anext(link, _END), device)
            runs = await self._do(lambda store: _packed(store, heads))
            for data in runs:
                for at in range(0, len(data), _PIECE_BYTES):
                    piece = data[at : at + _PIECE_BYTES]
                    await link.send((_LAST if at + _PIECE_BYTES >= len(data) else _MORE) + piece)
            await link.send(_END)
            return await anext(link, _END) == _TAKEN
        finally:
            await link.close()

    async def met(self, device: str) -> None:
        """Forget the key of the original, once there is a link with it."""
        if self._former.pop(device, None) is not None:
            await asyncio.to_thread(former.forget, self._store.home, device)

    # --- copies that are no devices of their own yet ------------------------------------------------------------------

    async def look(self, endpoints: Iterable[Endpoint]) -> None:
        """Look whether a copy of this store runs at addresses where this device's own key was heard of, once for each."""
        own = self._store.identity
        for endpoint in endpoints:
            if endpoint in self._looked or len(self._looked) >= limits.ENDPOINTS_MAX:
                continue
            if not self._calls.take(asyncio.get_running_loop().time()):
                return
            self._looked.add(endpoint)
            try:
                link = await dial(own, own.device, own.certificate, *endpoint, path=COPY_PATH)
            except RemoteError:  # somebody repeats our tags, or has left
                continue
            try:
                nonce, _ = _answer(await anext(link, _END), own.device)
                await link.send(_LOOK + self._nonce)
            except RemoteError:
                continue
            finally:
                await link.close()
            self._met_copy(nonce, endpoint[0])

    def _met_copy(self, nonce: bytes, host: str) -> None:
        if nonce == self._nonce or self.copy_at is not None:
            return
        self.copy_at = host
        self._tell(Happening("trouble", text=copy_sentence(host)))

    # --- the original's side ------------------------------------------------------------------------------------------

    async def take(self, link: Link) -> None:
        """Take what a copy of this store says, which proved that it has this device's key."""
        before = await self._do(_devices)
        await link.send(_encode((self._nonce, await self._do(_heads_here))))
        held = bytearray()
        async for frame in link:
            if frame[:1] == _LOOK:
                self._met_copy(frame[1:], link.address.rpartition(":")[0].strip("[]"))
                continue
            if frame == _END:
                break
            held += frame[1:]
            if len(held) > limits.BACKUP_OBJECT_BYTES_MAX:
                raise RemoteProtocolError("a run of changes that is too long", link.peer)
            if frame[:1] == _LAST:
                await self._do(partial(_take, data=bytes(held)))
                held.clear()
        await self._meet()
        for device in sorted(await self._do(_devices) - before):
            self.copy_at = None  # it is the copy that was met, unless there are several
            self._tell(Happening("joined", device))
        await link.send(_TAKEN)
        async for _ in link:  # until the copy hangs up
            pass

    async def _do(self, work: Callable[[StorageEngine], T]) -> T:
        return await self._run(work)  # type: ignore[return-value]  # it returns what the work does


def copy_sentence(host: str) -> str:
    """Return what a person must know and do if a copy of the store runs too."""
    return (
        f"A copy of this device's store runs at {host}, too, and they cannot sync: type `edda split NAME` on one of the "
        "two, which makes it a device of its own."
    )


def _answer(frame: bytes, device: str) -> tuple[bytes, Heads]:
    try:
        return _decode(frame)
    except msgspec.MsgspecError as error:
        raise RemoteProtocolError(f"malformed heads ({error})", device) from None


def _heads_here(store: StorageEngine) -> Heads:
    from edda_sync.backup.source import Source
    from edda_sync.sync.packing import heads_of

    return heads_of(Source(store).exchange)


def _packed(store: StorageEngine, since: Heads) -> list[bytes]:
    from edda_sync.backup.source import Source

    return [packed.data for packed in Source(store).packing.pack(since)]


def _take(store: StorageEngine, data: bytes) -> None:
    from edda_sync.backup.source import Source
    from edda_sync.segments import run as runs

    Source(store).unpacking.take(runs.read([data]))
    store.writing.announce()


def _devices(store: StorageEngine) -> set[str]:
    return {member.device for member in store.members()}
