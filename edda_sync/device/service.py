"""
What a running device does for those who ask it: by its local socket (see ``control``), or in their own process.

Each request is answered by a generator: it yields how things stand, and at the end an answer with ``"done": True``.
"""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable
from typing import Any, Protocol, TypeVar

from edda_sync.crdt.frontier import Frontier, covers
from edda_sync.device.control import Answer, Handler
from edda_sync.device.peers import DIAL_AGAIN_S, Endpoint, Peers
from edda_sync.engine import standing
from edda_sync.engine.engine import StorageEngine
from edda_sync.sync.progress import Progress
from edda_sync.transport.interfaces import has_network, interfaces
from edda_sync.words import limits
from edda_sync.words.addresses import host_port
from edda_sync.words.errors import RemoteError, StorageError, UsageError
from edda_sync.words.listed import Member

T = TypeVar("T")
REPORT_EVERY_S = 0.5  # how often a generator yields while it waits


class Running(Protocol):
    """What is asked here of a running device; ``Device`` says what each promises."""

    peers: Peers

    @property
    def proved(self) -> dict[str, Frontier]:
        """At which frontier each peer was last proved equal, since the device was started."""
        ...

    @property
    def progress(self) -> dict[str, Progress]:
        """How it stands with each peer that there is a talk with."""
        ...

    def name_of(self, device: str) -> str:
        """Return what people call a member."""
        ...

    @property
    def fault(self) -> str:
        """What fails here now."""
        ...

    @property
    def shut_out(self) -> str | None:
        """What a person must know whose device is not known any more where it was let in; None while it is."""
        ...

    async def run(self, work: Callable[[StorageEngine], T]) -> T:
        """Run ``work`` with the store."""
        ...

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait until a condition holds."""
        ...

    async def status(self) -> dict[str, Any]:
        """Return how it stands."""
        ...

    async def invite(self, opened: Callable[[str, int, str], None], *, port: int, window_s: float) -> Member:
        """Let one new device in."""
        ...


def handler(device: Running) -> Handler:
    """Return what answers the requests of the local socket."""

    async def answer(request: Answer) -> AsyncIterator[Answer]:
        match request:
            case {"do": "status"}:
                damaged = await device.run(lambda store: store.reading.damaged_parts(limits.LOOKED_THROUGH_BYTES_MAX))
                yield {**await device.status(), "damaged": damaged, "done": True}
            case {"do": "devices"}:
                yield {"devices": await devices(device), "done": True}
            case {"do": "sync", "at": list(at), "timeout_s": int() | float() as timeout_s}:
                async with contextlib.aclosing(sync(device, [(str(h), int(p)) for h, p in at], timeout_s)) as answers:
                    async for each in answers:
                        yield each
            case {"do": "invite", "port": int(port), "window_s": int() | float() as window_s}:
                async with contextlib.aclosing(invite(device, port=port, window_s=window_s)) as answers:
                    async for each in answers:
                        yield each
            case _:
                raise UsageError("The running device does not know this request; restart `edda up` after an update.")

    return answer


async def devices(device: Running) -> list[standing.Facts]:
    """Return the devices of the workspace, with what is known of them at this moment."""
    listed = await device.run(standing.devices)
    proved = {peer["device"]: peer["proved_at"] for peer in (await device.status())["peers"]}
    return [{**each, "proved_at": proved.get(each["device"])} for each in listed]


# --- sync -------------------------------------------------------------------------------------------------------------


async def sync(
    device: Running, at: Iterable[Endpoint], timeout_s: float = limits.SYNC_TIMEOUT_S
) -> AsyncGenerator[Answer, None]:
    """
    Sync until every peer that can be reached is proved equal, with all that was here when the last one came.

    Args:
        device: A running device.
        at: Addresses to dial too; a device must answer at each, before the search is over.
        timeout_s: How long this may take, in seconds.

    Yields:
        ``peers``: of each device, name and state (``equal``, ``syncing`` or ``unreachable``); at the end ``equal``:
        whether every one that was met is equal, at least one was met, and each address was answered; and ``shut_out``:
        what a person must know whose device is not known any more where it was let in; and ``fault``: what fails here.
    """
    talk = _Sync(device, list(at))
    work = asyncio.ensure_future(talk.run(timeout_s))
    try:
        while not (await asyncio.wait({work}, timeout=REPORT_EVERY_S))[0]:
            yield {"peers": talk.peers()}
        await work
    finally:
        work.cancel()
        await asyncio.gather(work, return_exceptions=True)
    yield {
        "peers": talk.peers(),
        "equal": talk.is_equal,
        "shut_out": device.shut_out,
        "fault": device.fault,
        "done": True,
    }


class _Sync:
    """One sync. A peer counts from the moment it is linked: should it leave before it is proved, it is waited for."""

    def __init__(self, device: Running, at: list[Endpoint]) -> None:
        self.is_equal = False
        self._device = device
        self._met: set[str] = set()
        self._at: dict[Endpoint, asyncio.Task[str]] = {each: asyncio.ensure_future(self._call(each)) for each in at}
        self._why: dict[Endpoint, str] = {}

    async def run(self, timeout_s: float) -> None:
        try:
            async with asyncio.timeout(timeout_s):
                self._device.peers.network_changed()
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(limits.SEARCH_S):
                        await self._device.until(self._all_met)
                if self._at:
                    await asyncio.wait(self._at.values())
                    answered = {task.result() for task in self._at.values() if task.exception() is None}
                    await self._device.until(lambda: self._look() >= answered)
                if self._look():
                    await self._prove()
        except TimeoutError:
            pass
        finally:
            for task in self._at.values():
                task.cancel()
            await asyncio.gather(*self._at.values(), return_exceptions=True)

    async def _call(self, endpoint: Endpoint) -> str:
        """Dial an address until somebody answers, or the search is over; return the device."""
        loop = asyncio.get_running_loop()
        end = loop.time() + limits.SEARCH_S
        while True:
            try:
                return await self._device.peers.dial_address(*endpoint)
            except (RemoteError, StorageError) as error:
                self._why[endpoint] = str(error)
                if loop.time() + DIAL_AGAIN_S > end:
                    raise
                await asyncio.sleep(DIAL_AGAIN_S)

    async def _prove(self) -> None:
        # Their changes may still be on the way: only once each was equal to us do we hold what all of them have.
        await self._device.until(lambda: self._look() <= self._device.proved.keys() and not self._is_behind())
        target = await self._device.run(StorageEngine.frontier)
        await self._device.until(lambda: all(covers(self._device.proved.get(d, {}), target) for d in self._look()))
        self.is_equal = not any(map(self._is_silent, self._at))

    def _is_silent(self, endpoint: Endpoint) -> bool:
        task = self._at[endpoint]
        return not task.done() or task.cancelled() or task.exception() is not None

    def _look(self) -> set[str]:
        """Note who is linked; return who was met."""
        self._met |= {device for device, peer in self._device.peers.all.items() if peer.link is not None}
        return self._met

    def _all_met(self) -> bool:
        return self._look() >= self._device.peers.all.keys() and all(task.done() for task in self._at.values())

    def _is_behind(self) -> bool:
        return any(talk.behind for talk in self._device.progress.values())

    def peers(self) -> list[dict[str, Any]]:
        """Return how it stands with each peer, and with each address that nobody answered at."""
        self._look()
        rows = []
        for device, peer in self._device.peers.all.items():
            talk = self._device.progress.get(device)
            equal = self.is_equal or (talk is not None and talk.proved)
            state = "unreachable" if device not in self._met else "equal" if equal else "syncing"
            rows.append(
                {
                    "device": device,
                    "name": self._device.name_of(device),
                    "state": state,
                    "behind": talk.behind if talk is not None else None,
                    "ahead": talk.ahead if talk is not None else None,
                    "error": peer.error,
                }
            )
        for endpoint in filter(self._is_silent, self._at):
            place = host_port(*endpoint)
            error = self._why.get(endpoint, f"No member of the workspace answered at {place}.")
            rows.append({"device": None, "name": place, "state": "unreachable", "error": error})
        return rows


# --- invite -----------------------------------------------------------------------------------------------------------


async def invite(
    device: Running, *, port: int = 0, window_s: float = limits.PAIRING_WINDOW_S
) -> AsyncGenerator[Answer, None]:
    """
    Let one new device in.

    Args:
        device: A running device.
        port: TCP port for the invitation; 0 lets the system choose.
        window_s: How long the code is good for, in seconds.

    Yields:
        First ``code``, ``port``, the ``addresses`` of this machine, whether it has a ``network``, ``reason`` (why the LAN
        cannot hear of it, or nothing) and ``window_s``; then, once it is a member, the ``name`` and ``device`` of the new
        one.

    Raises:
        PairingError: Nobody came, or the code was wrong.
    """
    opened: asyncio.Future[tuple[str, int, str]] = asyncio.get_running_loop().create_future()

    def show(code: str, at: int, reason: str) -> None:
        opened.set_result((code, at, reason))

    inviting = asyncio.ensure_future(device.invite(show, port=port, window_s=window_s))
    try:
        await asyncio.wait((opened, inviting), return_when=asyncio.FIRST_COMPLETED)
        if opened.done():
            code, at, reason = opened.result()
            place = {"port": at, "addresses": addresses(), "network": has_network()}
            yield {"code": code, **place, "reason": reason, "window_s": window_s}
        member = await inviting
        yield {"name": device.name_of(member.device), "device": member.device, "done": True}
    finally:
        inviting.cancel()
        await asyncio.gather(inviting, return_exceptions=True)


async def invite_alone(
    device: Running, *, port: int = 0, window_s: float = limits.PAIRING_WINDOW_S
) -> AsyncGenerator[Answer, None]:
    """
    Let one new device in as :func:`invite` does, and stay for its first sync, since this process ends afterwards.

    Yields:
        As :func:`invite`, but for the end: ``name`` and ``device`` come first, and then ``equal``: whether the new
        device is proved equal.
    """
    new = ""
    async with contextlib.aclosing(invite(device, port=port, window_s=window_s)) as answers:
        async for each in answers:
            new = each.pop("device", "")
            each.pop("done", None)
            yield each
    yield {"equal": await _see_off(device, new), "done": True}


async def _see_off(device: Running, new: str) -> bool:
    """Stay until a new device is done with its first sync, and has gone; return whether it is proved equal."""
    while True:
        try:
            async with asyncio.timeout(limits.SYNC_TIMEOUT_S):
                await device.until(lambda: new in device.proved and new not in device.progress)
        except TimeoutError:
            pass
        equal = covers(device.proved.get(new, {}), await device.run(StorageEngine.frontier))
        if equal or new not in device.progress:
            return equal


def addresses() -> list[str]:
    """Return the addresses at which others reach this machine, IPv4 first, those of a cable last; maybe none."""
    present = {ipaddress.ip_address(each) for interface in interfaces() if interface.up for each in interface.addresses}
    outward = [each for each in present if not each.is_loopback and not (each.version == 6 and each.is_link_local)]
    return [str(each) for each in sorted(outward, key=lambda each: (each.is_link_local, each.version, str(each)))]
