"""
The service of a running device: answers requests through its local socket (see ``control``), or in its own process.

A generator answers each request. It yields the state as it changes, and at the end an answer with ``"done": True``.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable
from typing import Any, Protocol, TypeVar

from edda_sync.crdt.frontier import Frontier, covers
from edda_sync.device import fetching
from edda_sync.device.control import Answer, Handler
from edda_sync.device.filing import Files
from edda_sync.device.peers import DIAL_AGAIN_S, Endpoint, Peers
from edda_sync.engine import exchanged, standing
from edda_sync.engine.engine import StorageEngine
from edda_sync.sync.progress import Progress
from edda_sync.transport.interfaces import has_network, interfaces, told
from edda_sync.words import limits
from edda_sync.words.addresses import host_port
from edda_sync.words.errors import RemoteError, StorageError, UsageError
from edda_sync.words.listed import Member

T = TypeVar("T")
REPORT_EVERY_S = 0.5  # how often a generator yields while it waits


class Running(Protocol):
    """The part of a running device that is used here; see :class:`Device`."""

    peers: Peers

    @property
    def files(self) -> Files:
        """The content of attached files."""
        ...

    @property
    def proved(self) -> dict[str, Frontier]:
        """The frontier at which each peer was last proved equal, since the device was started."""
        ...

    @property
    def progress(self) -> dict[str, Progress]:
        """The progress of every open session, by peer."""
        ...

    def name_of(self, device: str) -> str:
        """Return the name of a member."""
        ...

    @property
    def fault(self) -> str:
        """What fails here now."""
        ...

    @property
    def shut_out(self) -> str | None:
        """A sentence for a person whose device is refused by the device that let it in; None if it is not."""
        ...

    async def run(self, work: Callable[[StorageEngine], T]) -> T:
        """Run ``work`` with the store."""
        ...

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait until a condition holds."""
        ...

    async def status(self) -> dict[str, Any]:
        """Return the status."""
        ...

    async def invite(self, opened: Callable[[str, int, str], None], *, port: int, window_s: float) -> Member:
        """Invite one new device."""
        ...


def handler(device: Running) -> Handler:
    """Return the function that answers the requests of the local socket."""

    async def answer(request: Answer) -> AsyncIterator[Answer]:
        match request:
            case {"do": "answer"}:
                yield {"done": True}
            case {"do": "status"}:
                damaged = await device.run(lambda store: store.reading.damaged_parts(limits.LOOKED_THROUGH_BYTES_MAX))
                yield {**await device.status(), "damaged": damaged, "done": True}
            case {"do": "devices"}:
                yield {"devices": await devices(device), "done": True}
            case {"do": "sync", "at": list(at), "timeout_s": int() | float() as timeout_s}:
                async with contextlib.aclosing(sync(device, [(str(h), int(p)) for h, p in at], timeout_s)) as answers:
                    async for each in answers:
                        yield each
            case {"do": "fetch", "document": str(document), "attachments": list(named), "at": list(at)}:
                places = [(str(host), int(port)) for host, port in at]
                async with contextlib.aclosing(fetching.fetch(device, document, named, places)) as answers:
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
    """Return the devices of the workspace, with what is known of them now, and its recovery codes."""
    listed, codes = await device.run(lambda store: (standing.devices(store), standing.recovery_codes(store)))
    peers = {peer["device"]: peer for peer in (await device.status())["peers"]}
    known = {device: {name: peer[name] for name in ("proved_at", "clock_s")} for device, peer in peers.items()}
    return [*({**each, **known.get(each["device"], {"proved_at": None})} for each in listed), *codes]


# --- sync -------------------------------------------------------------------------------------------------------------


async def sync(
    device: Running,
    at: Iterable[Endpoint],
    timeout_s: float = limits.SYNC_TIMEOUT_S,
    since: exchanged.Held | None = None,
) -> AsyncGenerator[Answer, None]:
    """
    Sync until every peer that can be reached is proved equal, with everything that was here when the last one was linked.

    Args:
        device: A running device.
        at: Further addresses to dial. At each, a device must answer before the search is over.
        timeout_s: The time limit in seconds.
        since: What the store held before; what it holds now if None.

    Yields:
        ``peers``: name and state of each device (``equal``; ``unread`` if an older version on one side
        cannot read all that both hold; ``syncing`` or ``unreachable``). At the end also ``equal``:
        whether at least one device was linked, each one is equal, and each address answered; ``shut_out``: a sentence for
        a person whose device is refused by the device that let it in; ``fault``: what fails here; and ``came``, ``sent``
        and ``new_conflicts``: see ``exchanged``; and ``files``: how many are not here (``missing``), of how many bytes.
        Once all are equal, it goes on as long as files are under way, and ``files`` says how many bytes are left.
    """
    before = await device.run(exchanged.held) if since is None else since
    syncing = _Sync(device, list(at), is_fresh=since is not None)
    work = asyncio.ensure_future(syncing.run(timeout_s))
    try:
        while not (await asyncio.wait({work}, timeout=REPORT_EVERY_S))[0]:
            yield {"peers": syncing.peers()}
        await work
    finally:
        work.cancel()
        await asyncio.gather(work, return_exceptions=True)
    if syncing.is_equal:
        async with contextlib.aclosing(fetching.settle(device)) as standings:
            async for standing_now in standings:
                yield {"peers": syncing.peers(), "files": standing_now}
    moved = syncing.moved()
    yield {
        **await device.run(lambda store: exchanged.exchanged(store, before, moved)),
        "peers": syncing.peers(),
        "files": await device.run(standing.files),
        "equal": syncing.is_equal,
        "shut_out": device.shut_out,
        "fault": device.fault,
        "done": True,
    }


class _Sync:
    """
    One sync. A peer counts as soon as it is linked; if it leaves before it is proved equal, it is waited for.

    Args:
        device: A running device.
        at: Further addresses to dial.
        is_fresh: Whether the device was started for this sync, so that each session began for it.
    """

    def __init__(self, device: Running, at: list[Endpoint], *, is_fresh: bool) -> None:
        self.is_equal = False
        self._device = device
        self._met: set[str] = set()
        self._at: dict[Endpoint, asyncio.Task[str]] = {each: asyncio.ensure_future(self._call(each)) for each in at}
        self._why: dict[Endpoint, str] = {}
        self._before: dict[str, Frontier] = {}  # what each peer held at first
        self._after: dict[str, Frontier] = {}
        if not is_fresh:
            self._before = {each: dict(talk.theirs) for each, talk in device.progress.items() if talk.met is not None}

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
        """Dial an address until a member answers, or the search is over; return the member's id."""
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
        # Changes may still be under way: only after each was equal to us do we hold what all of them have.
        await self._device.until(
            lambda: self._look() <= self._device.proved.keys() | self._unread() and not self._is_behind()
        )
        target = await self._device.run(StorageEngine.frontier)
        await self._device.until(
            lambda: all(covers(self._device.proved.get(device, {}), target) for device in self._look() - self._unread())
        )
        self.is_equal = not (self._unread() or any(map(self._is_silent, self._at)))

    def _unread(self) -> set[str]:
        """Return the peers that hold the same, but cannot prove it, since one side is of an older version."""
        return {device for device, talk in self._device.progress.items() if talk.cannot_prove}

    def _is_silent(self, endpoint: Endpoint) -> bool:
        task = self._at[endpoint]
        return not task.done() or task.cancelled() or task.exception() is not None

    def _look(self) -> set[str]:
        """Note the linked devices; return all that were ever linked."""
        self._met |= {device for device, peer in self._device.peers.all.items() if peer.link is not None}
        for device, talk in self._device.progress.items():
            if talk.met is not None:
                self._before.setdefault(device, talk.met)
                self._after[device] = talk.theirs
        return self._met

    def moved(self) -> dict[str, tuple[Frontier, Frontier]]:
        """Return what each peer held at first, and what it holds now."""
        self._look()
        return {device: (before, dict(self._after.get(device, before))) for device, before in self._before.items()}

    def _all_met(self) -> bool:
        return self._look() >= self._device.peers.all.keys() and all(task.done() for task in self._at.values())

    def _is_behind(self) -> bool:
        return any(each.behind for each in self._device.progress.values())

    def peers(self) -> list[dict[str, Any]]:
        """Return the state of each peer, and of each address where nobody answered."""
        self._look()
        rows = []
        for device, peer in self._device.peers.all.items():
            progress = self._device.progress.get(device)
            equal = self.is_equal or (progress is not None and progress.proved)
            cannot_prove = progress is not None and progress.cannot_prove
            state = "equal" if equal else "unread" if cannot_prove else "syncing"
            state = state if device in self._met else "unreachable"
            rows.append(
                {
                    "device": device,
                    "name": self._device.name_of(device),
                    "state": state,
                    "behind": progress.behind if progress is not None else None,
                    "ahead": progress.ahead if progress is not None else None,
                    "waiting": progress.waiting if progress is not None else 0,
                    "unread": progress.unread if progress is not None else 0,
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
    Invite one new device.

    Args:
        device: A running device.
        port: TCP port for the invitation; 0 lets the system choose.
        window_s: How long the code is valid, in seconds.

    Yields:
        First ``code``, ``port``, the ``addresses`` of this machine, whether it has a ``network``, ``reason`` (why the LAN
        cannot find the invitation, or empty) and ``window_s``. Then, once the new device is a member, its ``name`` and
        ``device``.

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
    Invite one new device like :func:`invite`, and stay for its first sync, because this process ends afterwards.

    Yields:
        As :func:`invite`, except for the end: after ``name`` comes ``equal``, which says whether the new device is proved
        equal, and ``unread``, whether it cannot be, because one of the two runs an older version.
    """
    new = ""
    async with contextlib.aclosing(invite(device, port=port, window_s=window_s)) as answers:
        async for each in answers:
            new = each.pop("device", "")
            each.pop("done", None)
            yield each
    yield {**await _see_off(device, new), "done": True}


async def _see_off(device: Running, new: str) -> Answer:
    """Wait until a new device has finished its first sync and left; return whether it is, or cannot be, proved equal."""
    unread = False

    def is_off() -> bool:
        nonlocal unread
        talk = device.progress.get(new)
        unread = talk.cannot_prove if talk is not None else unread
        return talk is None and (unread or new in device.proved)

    while True:
        try:
            async with asyncio.timeout(limits.SYNC_TIMEOUT_S):
                await device.until(is_off)
        except TimeoutError:
            pass
        equal = covers(device.proved.get(new, {}), await device.run(StorageEngine.frontier))
        if equal or new not in device.progress:
            return {"equal": equal, "unread": unread and not equal}


def addresses() -> list[str]:
    """Return the addresses at which others can reach this machine, the likeliest first; perhaps none."""
    return told(interfaces())
