"""
A device: a store that finds the workspace's other devices and syncs with them, on asyncio.

This is a runner: it carries events to the replica and effects from it, and decides nothing. The replica runs on one
thread of its own, so that a commit that waits for the disk holds up neither the network nor anybody else's reading.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal, TypeVar

from edda_sync import limits, standing
from edda_sync.config import StorageConfig
from edda_sync.crdt.frontier import Frontier, covers, lacking
from edda_sync.engine import StorageEngine
from edda_sync.errors import CorruptError, EddaError, LinkClosedError, RemoteError, StorageError, UsageError
from edda_sync.model import Item, Member
from edda_sync.peers import Endpoint, Peers
from edda_sync.query import DocumentQuery, Query
from edda_sync.sync.effects import Applied, Close, Differs, Effect, Proved, Send
from edda_sync.sync.exchange import Exchange
from edda_sync.sync.replica import Replica
from edda_sync.sync.session import Progress
from edda_sync.transport import membership, pairing
from edda_sync.transport.discovery import Discovery, announce_pairing
from edda_sync.transport.identity import verify
from edda_sync.transport.links import Link

T = TypeVar("T")

DIAL_AGAIN_S: Final = 1.0  # between two calls to an address that a person named
_SILENT: Final = contextlib.nullcontext("discovery is switched off")


@dataclass(frozen=True, slots=True)
class QueryChange:
    """How the answer to a watched query changed: what is new in it, what reads otherwise, what is no longer in it."""

    added: list[Item]
    changed: list[Item]
    removed: list[Item]


@dataclass(frozen=True, slots=True)
class Happening:
    """
    Something that a person at a running device may want to see.

    Attributes:
        what: ``found`` on the LAN, ``connected``, ``lost``, ``applied`` so many changes of a peer's, proved ``equal``
            with it, ``joined`` the workspace, or ``trouble``.
        device: The peer; empty for this device's own trouble.
        count: How many changes.
        text: An address, or what the trouble is.
    """

    what: Literal["found", "connected", "lost", "applied", "equal", "joined", "trouble"]
    device: str = ""
    count: int = 0
    text: str = ""


class Device:
    """
    A store that syncs. Use it as an asynchronous context manager; nothing else need be called.

    Args:
        home: The store's folder.
        config: How to keep it; see :class:`StorageConfig`.
        port: TCP port to listen on; 0 is the one of last time, or any when that is taken.
        at: Addresses of devices to dial, beside those that are found.
        discover: Whether to look for others on the LAN, and to let them find this device.
        tell: Called from the event loop with what happens.

    Attributes:
        store: The engine. From asyncio use :meth:`run`, since its calls wait for the disk.
        fault: What last failed here, such as a full disk, for a person; empty when nothing did.
        proved: At which frontier each peer was last proved equal, since this device was started.
    """

    def __init__(
        self,
        home: str | os.PathLike[str],
        *,
        config: StorageConfig | None = None,
        port: int = 0,
        at: tuple[Endpoint, ...] = (),
        discover: bool = True,
        tell: Callable[[Happening], None] = lambda _: None,
    ) -> None:
        self.home = Path(home).expanduser()
        self.store = StorageEngine(self.home)
        self._config, self._port, self._at, self._discover = config, port, at, discover
        self._happened = tell
        self._worker = ThreadPoolExecutor(1, "edda-replica")
        self._stack = contextlib.AsyncExitStack()
        self._outgoing: dict[str, asyncio.Queue[bytes | None]] = {}
        self._changed = asyncio.Condition()
        self._kick = asyncio.Event()
        self._timer: asyncio.TimerHandle | None = None
        self._tasks: set[asyncio.Task[Any]] = set()
        self._proofs: dict[str, standing.Remembered] = {}
        self._names: dict[str, str] = {}
        self._progress: dict[str, Progress] = {}
        self._certificates: dict[str, bytes] = {}
        self._saved: dict[str, float] = {}
        self._met: set[str] = set()
        self._troubles: dict[str, str] = {}
        self._changes = 0
        self.fault = ""
        self.proved: dict[str, Frontier] = {}
        self.discovery: Discovery | None = None
        self.peers: Peers
        self._replica: Replica

    async def __aenter__(self) -> Device:
        loop = asyncio.get_running_loop()
        try:
            await self._on_worker(self._open)

            def committed() -> None:
                loop.call_soon_threadsafe(self._kick.set)

            self.store.on_commit(committed)
            self._stack.push_async_callback(self._finish_tasks)
            await self._listen()
            for device, proof in self._proofs.items():
                if proof.endpoint is not None:
                    self.peers.found(device, [proof.endpoint])
            if self._discover:
                self.discovery = Discovery(
                    self.store.identity.device, self._discovery_keys, self.peers.port, members=lambda:
                    self._certificates, on_found=self._found, now=time.time,
                    on_network_change=self.peers.network_changed,
                )  # fmt: skip
                await self._stack.enter_async_context(self.discovery)
            for endpoint in self._at:
                self._start(self.dial(*endpoint))
            self._start(self._push())
            self._start(self._watch_others())
            self._start(self._scrub())
        except BaseException:
            await self.__aexit__()
            raise
        return self

    async def __aexit__(self, *exception: object) -> None:
        if hasattr(self, "_replica"):  # the store was opened
            await self._drive(self._replica.close)
        await self._stack.aclose()
        if self._timer is not None:
            self._timer.cancel()
        await self._on_worker(self._close)
        self._worker.shutdown()

    # --- for its users ------------------------------------------------------------------------------------------------

    async def run(self, work: Callable[[StorageEngine], T]) -> T:
        """Run ``work`` with the store on a thread, and return what it returns."""
        return await asyncio.to_thread(work, self.store)

    async def watch(self, query: Query) -> AsyncIterator[QueryChange]:
        """Yield what a query finds, even if that is nothing, and then each change of it, whoever made it, for ever."""
        seen: dict[str, Item] | None = None
        while True:
            version = self._changes
            items = await self.run(
                lambda store: (
                    store.query_documents(query) if isinstance(query, DocumentQuery) else store.query_tasks(query)
                )
            )
            found: dict[str, Item] = {item.id: item for item in items}
            before = seen or {}
            change = QueryChange(
                [item for item in found.values() if item.id not in before],
                [item for item in found.values() if item.id in before and item != before[item.id]],
                [item for item in before.values() if item.id not in found],
            )
            if seen is None or change.added or change.changed or change.removed:
                yield change
            seen = found
            async with self._changed:
                await self._changed.wait_for(lambda version=version: self._changes != version)  # type: ignore[misc]

    async def equal(self, peers: set[str] | None = None) -> None:
        """
        Wait until peers are proved equal to this device, with all that it holds now.

        Args:
            peers: Device ids; every peer with a link by default, of which there must be one.
        """
        target = await self.run(StorageEngine.frontier)

        def proved() -> bool:
            asked = peers or self._progress.keys()
            return bool(asked) and all(p in self.proved and covers(self.proved[p], target) for p in asked)

        await self.until(proved)

    @property
    def port(self) -> int:
        """Where this device listens."""
        return self.peers.port

    @property
    def progress(self) -> dict[str, Progress]:
        """How it stands with each peer that there is a talk with, by device id."""
        return self._progress

    def name_of(self, device: str) -> str:
        """Return what people call a member; the start of its id until that is known here."""
        return self._names.get(device, device[:12])

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait until a condition on :attr:`progress` and :attr:`peers` holds; it is asked whenever those have changed."""
        async with self._changed:
            await self._changed.wait_for(condition)

    async def dial(self, host: str, port: int) -> str:
        """Dial an address that a person named, again and again until a member answers; return its device id."""
        said = ""
        while True:
            try:
                return await self.peers.dial_address(host, port)
            except RemoteError as error:
                if str(error) != said:
                    said = str(error)
                    self._happened(Happening("trouble", text=said))
                await asyncio.sleep(DIAL_AGAIN_S)

    async def invite(
        self, opened: Callable[[str, int, str], None], *, port: int = 0, window_s: float = limits.PAIRING_WINDOW_S
    ) -> Member:
        """
        Let one new device in; return it once it is a member. :meth:`equal` waits until it holds what this device holds.

        Args:
            opened: Called with the code to show, the port where the invitation listens, and why the LAN cannot hear of
                it (empty when it can).
            port: TCP port for the invitation; 0 lets the system choose.
            window_s: How long the code is good for, in seconds.

        Raises:
            PairingError: Nobody came, or the code was wrong.
        """
        code = pairing.make_code(os.urandom)
        nameplate = pairing.parse_code(code).nameplate
        announcing: list[asyncio.Task[None]] = []

        async def announce(at: int) -> None:
            async with announce_pairing(at, nameplate) if self._discover else _SILENT as reason:
                opened(code, at, reason)
                await asyncio.Event().wait()

        async def admit(encoded: bytes) -> bytes:
            record = membership.decode_record(encoded)
            welcome = await self.run(lambda store: store.welcome(record, self.port))
            await self._refresh_members()
            return membership.encode(welcome)

        try:
            record = await pairing.invite(
                self.store.identity, code, admit, port=port, window_s=window_s,
                opened=lambda at: announcing.append(self._start(announce(at))),
            )  # fmt: skip
        finally:
            for task in announcing:
                task.cancel()
            await asyncio.gather(*announcing, return_exceptions=True)
        certificate = membership.decode_record(record).certificate
        member = next(each for each in await self.run(StorageEngine.members) if each.certificate == certificate)
        self._happened(Happening("joined", member.device))
        return member

    async def status(self) -> dict[str, Any]:
        """Return how it stands: this device, its peers, what is proved."""
        facts = await self.run(standing.facts)
        held = await self.run(StorageEngine.frontier)  # no older than the facts: another process may just have written
        peers = [self._peer_status(each, held) for each in await self.run(standing.devices) if not each["this"]]
        discovery = {"available": False, "reason": "switched off"}
        if self.discovery is not None:
            discovery = {"available": self.discovery.available, "reason": self.discovery.reason}
        own = {"running": True, "fault": self.fault, "port": self.port, "discovery": discovery}
        return {**facts, **own, "peers": peers}

    def _peer_status(self, member: standing.Facts, held: Frontier) -> standing.Facts:
        device = member["device"]
        known = self._proofs.get(device, standing.Remembered())
        peer, talk = self.peers.all.get(device), self._progress.get(device)
        if talk is None:
            return standing.peer(device, member["name"], known, error=peer.error if peer is not None else "")
        return standing.peer(
            device, member["name"], known, connected=True, equal=talk.proved and talk.proved_at == held,
            behind=lacking(held, talk.theirs), ahead=lacking(talk.theirs, held),
            address=peer.link.address if peer is not None and peer.link is not None else None, waiting=talk.waiting,
            sent_bytes=talk.sent_bytes, rcvd_bytes=talk.rcvd_bytes,
        )  # fmt: skip

    # --- opening ------------------------------------------------------------------------------------------------------

    def _open(self) -> None:
        self.store.initialize(self._config)
        identity, workspace = self.store.identity, self.store.workspace
        exchange = Exchange(self.store.store, self.store.ledger, identity, verify, self.store.wall_s)
        self._replica = Replica(exchange, identity.device, lambda device: membership.workspace_tag(workspace, device))
        self._certificates = self.store.certificates()
        self._key = membership.discovery_key(self.store.workspace_key)
        self._proofs = standing.load(self.store)
        self._names = standing.names(self.store)
        self._last_port = standing.port(self.store)

    def _close(self) -> None:
        """Remember what is known of the peers, and let go of the store."""
        with contextlib.suppress(StorageError, UsageError):  # of a disk that is full, or a store that did not open
            for device, known in self._proofs.items():
                standing.save(self.store, device, known)
        self.store.close()

    async def _listen(self) -> None:
        """Open the port: where peers remember this device, if nobody else has taken that."""
        ports = [self._port] if self._port or not self._last_port else [self._last_port, 0]
        for port in ports:
            self.peers = Peers(self.store.identity, lambda: self._certificates, self._carry, port, self._remember)
            try:
                await self._stack.enter_async_context(self.peers)
                break
            except UsageError:
                if port == ports[-1]:
                    raise
        await self.run(lambda store: standing.save_port(store, self.port))

    def _discovery_keys(self) -> list[bytes]:
        return [self._key]

    async def _refresh_members(self) -> None:
        """Trust those who are members now."""
        before = self._certificates
        self._certificates = await self.run(StorageEngine.certificates)
        self._names = await self.run(standing.names)
        if self._certificates != before:
            await self.peers.refresh()
            if self.discovery is not None:
                self.discovery.refresh()

    # --- events to the replica, effects from it -----------------------------------------------------------------------

    async def _on_worker(self, work: Callable[..., T], *args: Any) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._worker, work, *args)

    async def _drive(self, work: Callable[..., list[Effect] | None], *args: Any) -> None:
        """Let the replica do something, and carry out what it says. Calls are carried out in the order they are made."""

        def step() -> tuple[list[Effect], dict[str, Progress], float | None]:
            effects = work(*args) or []
            return effects, self._replica.progress(), self._replica.next_deadline()

        effects, self._progress, deadline = await self._on_worker(step)
        for device in self._progress.keys() - self._met:
            self._met.add(device)
            self._troubles.pop(device, None)
            link = self.peers.all[device].link if device in self.peers.all else None
            self._happened(Happening("connected", device, text=link.address if link is not None else ""))
        for effect in effects:
            self._carry_out(effect)
        self._set_timer(deadline)

    async def _carry(self, link: Link) -> None:
        """Run one link: its frames to the replica, the replica's to it."""
        queue: asyncio.Queue[bytes | None] = asyncio.Queue()
        self._outgoing[link.peer] = queue
        sender = self._start(_send_all(link, queue))
        try:
            await self._drive(self._replica.connected, link.peer)
            await self._tell()
            async for frame in link:
                if self._outgoing.get(link.peer) is not queue:
                    return
                await self._drive(self._replica.frame_received, link.peer, frame, time.monotonic())
        except LinkClosedError:
            pass  # a link that breaks is dialled again
        finally:
            if self._outgoing.get(link.peer) is queue:
                del self._outgoing[link.peer]
                if link.peer in self._met:
                    self._met.discard(link.peer)
                    self._happened(Happening("lost", link.peer))
                with contextlib.suppress(RuntimeError):  # the worker is gone when all ends
                    await self._drive(self._replica.disconnected, link.peer)
                await self._tell()
            queue.put_nowait(None)
            await asyncio.gather(sender, return_exceptions=True)

    def _carry_out(self, effect: Effect) -> None:
        queue = self._outgoing.get(effect.peer)
        if isinstance(effect, Send):
            if queue is not None:
                queue.put_nowait(effect.frame)
        elif isinstance(effect, Close):
            if queue is not None:
                queue.put_nowait(None)
            if isinstance(effect.error, CorruptError):
                self._start(self._mend(effect.error.what))
            peer = self.peers.all.get(effect.peer)
            if peer is not None and effect.error is not None:
                peer.error = str(effect.error)
                if self._troubles.get(effect.peer) != peer.error:  # said once, however often it is tried again
                    self._troubles[effect.peer] = peer.error
                    self._happened(Happening("trouble", effect.peer, text=peer.error))
        elif isinstance(effect, Applied):
            self._happened(Happening("applied", effect.peer, effect.changes))
            self._start(self._after_applied())
        elif isinstance(effect, Proved):
            talk = self._progress.get(effect.peer)
            if talk is not None and talk.proved_at is not None:
                self.proved[effect.peer] = talk.proved_at
                self._start(self._note_proof(effect.peer, talk.proved_at))
        elif isinstance(effect, Differs):
            self._start(self._rebuild())

    def _set_timer(self, deadline: float | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if deadline is not None:
            delay = max(0.0, deadline - time.monotonic())
            tick = self._replica.tick
            self._timer = asyncio.get_running_loop().call_later(
                delay, lambda: self._start(self._drive(tick, time.monotonic()))
            )

    async def _push(self) -> None:
        """Tell the replica of this device's own commits, as soon as they are durable."""
        while True:
            await self._kick.wait()
            self._kick.clear()
            await self._drive(self._replica.committed, time.monotonic())
            await self._tell()

    async def _watch_others(self) -> None:
        """Notice what other processes commit to the same store."""
        store = self.store.store
        seen = await self._on_worker(store.version)
        position = await self.run(standing.log_position)
        while True:
            await asyncio.sleep(limits.WATCH_INTERVAL_S)
            version = store.version()
            if version != seen:
                seen, before = version, position
                position = await self.run(standing.log_position)
                if position != before:
                    self._kick.set()
                    await self._refresh_members()

    async def _after_applied(self) -> None:
        await self._refresh_members()
        await self._tell()

    async def _rebuild(self) -> None:
        """Fold the log anew: the content is a function of it, so a difference is damage on one of the two sides."""
        await self.run(StorageEngine.rebuild)
        await self._drive(self._replica.rebuilt, time.monotonic())

    async def _mend(self, what: str) -> None:
        """Fold the log anew, since something in the view is not what was written."""
        await self._rebuild()
        self.fault = f"{what} was damaged on this disk, and made anew from the log; watch this disk."

    async def _scrub(self) -> None:
        """Look at every stored entity within a day, a slice at a time; fold the log anew should one be damaged."""
        after: bytes = b""
        while True:
            total = sum((await self.run(StorageEngine.counts)).values())
            limit = max(limits.SCRUB_ENTITIES_MIN, 2 * total // (limits.SCRUB_S_MAX // limits.SCRUB_INTERVAL_S))
            found, following = await self.run(lambda store, after=after, limit=limit: store.scrub(after, limit))  # type: ignore[misc]
            if found:
                await self._mend(found[0].what)
            after = following or b""
            await asyncio.sleep(limits.SCRUB_INTERVAL_S)

    async def _note_proof(self, device: str, at: Frontier) -> None:
        known = self._proofs.setdefault(device, standing.Remembered())
        known.changes, known.proved_s = standing.count(at), time.time()
        self._happened(Happening("equal", device, known.changes))
        await self._tell()
        now = time.monotonic()
        if now >= self._saved.get(device, 0.0) + limits.PROOF_SAVED_EVERY_S:
            self._saved[device] = now
            await self.run(lambda store: standing.save(store, device, known))

    def _remember(self, device: str, endpoint: Endpoint) -> None:
        self._proofs.setdefault(device, standing.Remembered()).endpoint = endpoint

    def _found(self, device: str, endpoints: list[Endpoint]) -> None:
        peer = self.peers.all.get(device)
        if peer is not None and peer.link is None and endpoints[0] not in peer.endpoints:
            self._happened(Happening("found", device, text=address(*endpoints[0])))
        self.peers.found(device, endpoints)

    async def _tell(self) -> None:
        self._changes += 1
        async with self._changed:
            self._changed.notify_all()

    def _start(self, work: Any) -> asyncio.Task[Any]:
        task: asyncio.Task[Any] = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[Any]) -> None:
        """Note what ended a task of ours: a full disk shows in the status; a bug is the event loop's to report."""
        self._tasks.discard(task)
        error = None if task.cancelled() else task.exception()
        if isinstance(error, EddaError):
            self.fault = str(error)
            self._happened(Happening("trouble", text=self.fault))
        elif error is not None:
            context = {"message": "a task of the device failed", "exception": error, "task": task}
            asyncio.get_running_loop().call_exception_handler(context)

    async def _finish_tasks(self) -> None:
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


def address(host: str, port: int) -> str:
    """Return an address as people write it."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


async def _send_all(link: Link, queue: asyncio.Queue[bytes | None]) -> None:
    """Send a link's frames in order; None, or the link's end, ends it."""
    with contextlib.suppress(EddaError):
        while (frame := await queue.get()) is not None:
            await link.send(frame)
    await link.close()
