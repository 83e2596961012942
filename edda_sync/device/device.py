"""
A device: a store that finds the workspace's other devices and syncs with them, on asyncio.

This is a runner: it carries events to the replica and effects from it. The replica runs on one thread of its own, so
that a commit that waits for the disk holds up neither the network nor anybody else's reading.

What it does for as long as it runs are its duties. A fault of the disk or of another process ends none of them; a bug ends
the device, and so does it when somebody takes the store's file away (see ``supervisor``). But a bug that what a peer sent
brings to light ends the talk with that peer, and nothing else: no peer is to be able to end a device.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import time
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal, TypeVar

from edda_sync.crdt.frontier import Frontier, covers, lacking
from edda_sync.crdt.records import told_apart
from edda_sync.device import control, service
from edda_sync.device.duties import MENDING
from edda_sync.device.lookout import Lookout
from edda_sync.device.outgoing import Outgoing
from edda_sync.device.peers import DIAL_AGAIN_S, Endpoint, Peers
from edda_sync.device.supervisor import Supervisor
from edda_sync.engine import standing
from edda_sync.engine.engine import StorageEngine
from edda_sync.sync.effects import Applied, Close, Differs, Effect, Mended, Proved, Send
from edda_sync.sync.exchange import Exchange
from edda_sync.sync.replica import Replica
from edda_sync.sync.session import Progress
from edda_sync.transport import pairing
from edda_sync.transport.discovery import Discovery, announce_pairing
from edda_sync.transport.identity import verify
from edda_sync.transport.link import Link
from edda_sync.words import limits
from edda_sync.words.addresses import host_port
from edda_sync.words.config import StorageConfig, absolute
from edda_sync.words.errors import (
    BugError,
    CorruptError,
    EddaError,
    LinkClosedError,
    LostStoreError,
    RemoteError,
    ReplacedStoreError,
    StorageError,
    UsageError,
)
from edda_sync.words.model import Item, Member
from edda_sync.words.process import Owner, hold_loop, release_loop
from edda_sync.words.query import DocumentQuery, Query
from edda_sync.workspace import welcome as membership

T = TypeVar("T")
LOG: Final = logging.getLogger("edda_sync.device.device")

_TALKING: Final = "talking with peers"
_TAKING: Final = "taking in what peers send"
_REFUSALS: Final = "noting who knows this device"
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
    A store that syncs. Use it as an asynchronous context manager; nothing else need be called. One process at a time runs
    a store's device; the commands ``status``, ``sync``, ``devices`` and ``invite`` ask it by the local socket meanwhile.

    Should a bug end it, or somebody take its file away, the task that entered the context is cancelled, and leaving the
    context raises what ended it.

    Args:
        home: The store's folder.
        config: How to keep it; see :class:`StorageConfig`.
        port: TCP port to listen on; 0 is the one of last time, or any when that is taken.
        at: Addresses of devices to dial, beside those that are found.
        discover: Whether to look for others on the LAN, and to let them find this device.
        tell: Called from the event loop with what happens; what it raises ends the device, as a bug does.

    Attributes:
        store: The engine. From asyncio use :meth:`run`, since its calls wait for the disk.
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
        self.home = absolute(Path(home))
        self.store = StorageEngine(self.home)
        self._config, self._port, self._at, self._discover = config, port, at, discover
        self._is_on_disk = config is None or config.backend != "memory"
        self._happened = tell
        self._worker = ThreadPoolExecutor(1, "edda-replica")
        self._stack = contextlib.AsyncExitStack()
        self._outgoing: dict[str, Outgoing] = {}
        self._changed = asyncio.Condition()
        self._timer: asyncio.TimerHandle | None = None
        self._tasks = Supervisor(lambda fault: tell(Happening("trouble", text=fault)), self._mend_soon)
        self._committed, self._ticked, self._applied, self._damaged = (asyncio.Event() for _ in range(4))
        self._unsaved, self._noticed = asyncio.Event(), asyncio.Event()
        self._lookout = Lookout(self._is_quiet, self._noticed)
        self._damage: list[str] = []  # what was found and is not mended yet
        self._differing: set[bytes] = set()  # keys of entities to fold anew
        self._all_damaged = False
        self._mended = ""
        self._scrubbed = b""  # the entity that was looked at last
        self._proofs: dict[str, standing.Remembered] = {}
        self._names: dict[str, str] = {}
        self._progress: dict[str, Progress] = {}
        self._certificates: dict[str, bytes] = {}  # of the members, as the store has them
        self._trusted: dict[str, bytes] = {}  # whom the open port lets in
        self._met: set[str] = set()
        self._troubles: dict[str, str] = {}
        self._shut_out: str | None = None  # the device that knew this one and does not any more
        self._changes = 0
        self.proved: dict[str, Frontier] = {}
        self.discovery: Discovery | None = None
        self.peers: Peers
        self._replica: Replica
        self._owner = Owner("This device")

    async def __aenter__(self) -> Device:
        if not hasattr(self, "_replica"):  # it was made, perhaps in another process, and not opened yet
            self._owner = Owner("This device")
        self._owner.check()
        if self._is_on_disk:
            self._stack.enter_context(control.only_runner(self.home))
        loop = asyncio.get_running_loop()
        hold_loop(self, loop)
        self._stack.callback(release_loop, self)
        self._stack.push_async_callback(self._let_go)
        try:
            await self._stack.enter_async_context(self._tasks)
            await self._on_worker(self._open)

            def committed() -> None:
                loop.call_soon_threadsafe(self._committed.set)

            self.store.writing.on_commit(committed)
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
                self._tasks.start(self.discovery.watching())
            self._stack.push_async_callback(self._drive, self._replica.close)
            for endpoint in self._at:
                self._tasks.start(self.dial(*endpoint))
            self._start_duties()
            if self._is_on_disk:
                await self._stack.enter_async_context(control.serve(self.home, service.handler(self)))
        except BaseException:
            await self.__aexit__()
            raise
        return self

    async def __aexit__(self, *exception: object) -> None:
        try:
            self._owner.check()  # in a forked child there is no worker to wait for, and the links are the parent's
        except UsageError as error:
            LOG.error("%s", error)  # the child's event loop ends before it could bring this out
            raise
        self._tasks.closing()
        await self._stack.aclose()

    # --- for its users ------------------------------------------------------------------------------------------------

    async def run(self, work: Callable[[StorageEngine], T]) -> T:
        """Run ``work`` with the store on a thread, and return what it returns."""
        self._owner.check()
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
        target = await self.run(standing.given)  # what is kept back may have to become other changes first

        def proved() -> bool:
            asked = peers or self._progress.keys()
            return bool(asked) and all(p in self.proved and covers(self.proved[p], target) for p in asked)

        await self.until(proved)

    @property
    def fault(self) -> str:
        """What fails here now, such as a full disk, or else what was mended, for a person; empty for neither."""
        return self._tasks.fault or self._mended

    @property
    def port(self) -> int:
        """Where this device listens."""
        return self.peers.port

    @property
    def progress(self) -> dict[str, Progress]:
        """How it stands with each peer that there is a talk with, by device id."""
        return self._progress

    @property
    def shut_out(self) -> str | None:
        """What a person must know whose device is not known any more where it was let in; None while it is."""
        return None if self._shut_out is None else standing.shut_out_sentence(self.name_of(self._shut_out))

    def name_of(self, device: str) -> str:
        """Return what people call a member, told apart from others of that name; the start of its id until it is known."""
        return self._names.get(device, device[:12])

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait until a condition on :attr:`progress` and :attr:`peers` holds; it is asked whenever those have changed."""
        self._owner.check()
        async with self._changed:
            await self._changed.wait_for(condition)

    async def dial(self, host: str, port: int) -> str:
        """Dial an address that a person named, again and again until a member answers; return its device id."""
        self._owner.check()
        said = ""
        while True:
            try:
                return await self.peers.dial_address(host, port)
            except (RemoteError, StorageError) as error:  # a key that is used lies on the disk for a moment
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
            UsageError: What this device holds is not proved yet.
        """
        self._owner.check()
        await self.run(StorageEngine.check_can_invite)
        code = pairing.make_code(os.urandom)
        nameplate = pairing.parse_code(code).nameplate
        announcing: list[asyncio.Task[None]] = []

        async def announce(at: int) -> None:
            async with announce_pairing(at, nameplate) if self._discover else _SILENT as reason:
                opened(code, at, reason)
                await asyncio.Event().wait()

        async def admit(encoded: bytes) -> bytes:
            record = membership.decode_card(encoded)
            welcome = await self.run(lambda store: store.welcome(record, self.port))
            await self._refresh_members()
            return membership.encode(welcome)

        try:
            record = await pairing.invite(
                self.store.identity, code, admit, port=port, window_s=window_s,
                opened=lambda at: announcing.append(self._tasks.start(announce(at))),
            )  # fmt: skip
        finally:
            for task in announcing:
                task.cancel()
            await asyncio.gather(*announcing, return_exceptions=True)
        certificate = membership.decode_card(record).certificate
        member = next(each for each in await self.run(StorageEngine.members) if each.certificate == certificate)
        self._happened(Happening("joined", member.device))
        return member

    async def status(self) -> dict[str, Any]:
        """
        Return how it stands: this device, its peers, what is proved.

        Raises:
            LostStoreError, ReplacedStoreError: The store's file was taken away, and this device ends.
        """
        self._check_still_there()
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
            ahead = standing.ahead_of(known, held)
            return standing.peer(
                device, member["name"], known, ahead=ahead, error=peer.error if peer is not None else ""
            )
        return standing.peer(
            device, member["name"], known, connected=True, equal=talk.proved and talk.proved_at == held,
            behind=lacking(held, talk.theirs), ahead=lacking(talk.theirs, held),
            address=peer.link.address if peer is not None and peer.link is not None else None, waiting=talk.waiting,
            differs=[standing.difference(each) for each in talk.differing],
            sent_bytes=talk.sent_bytes, rcvd_bytes=talk.rcvd_bytes,
        )  # fmt: skip

    # --- opening ------------------------------------------------------------------------------------------------------

    def _open(self) -> None:
        self.store.initialize(self._config)
        self.store.readmit()
        self._version = self.store.store.version()
        self._position, self._own = standing.written(self.store)
        identity, workspace = self.store.identity, self.store.workspace
        exchange = Exchange(self.store.store, self.store.ledger, identity, verify, self.store.wall_s, self.store.random)
        self._replica = Replica(exchange, identity.device, lambda device: membership.workspace_tag(workspace, device))
        self._certificates = self._trusted = self.store.reading.certificates()
        self._key = membership.discovery_key(self.store.membership.workspace_key)
        self._proofs = standing.load(self.store)
        self._names = told_apart(standing.names(self.store))
        self._last_port = standing.port(self.store)
        self._shut_out = standing.shut_out_by(self.store)

    async def _let_go(self) -> None:
        """Remember what is known of the peers, and let go of the store."""
        try:
            if self._proofs:  # else it may not have opened
                await self._save_proofs()
        except EddaError as error:
            self._tasks.failed("saving proofs", error)
        finally:
            self._set_timer(None)
            await self._on_worker(self.store.close)
            self._worker.shutdown()

    async def _listen(self) -> None:
        """Open the port: where peers remember this device, if nobody else has taken that."""
        ports = [self._port] if self._port or not self._last_port else [self._last_port, 0]
        for port in ports:
            self.peers = Peers(
                self.store.identity, lambda: self._certificates, self._carry, port, self._remember, self._tasks,
                self._refused, self.name_of, self._troubled,
            )  # fmt: skip
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
        certificates, names = await self.run(standing.met)
        self._certificates, self._names = certificates, told_apart(names)
        if certificates != self._trusted:
            await self.peers.refresh()
            if self.discovery is not None:
                self.discovery.refresh()
            self._trusted = certificates  # last: after a fault it is done again

    # --- events to the replica, effects from it -----------------------------------------------------------------------

    async def _on_worker(self, work: Callable[..., T], *args: Any) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._worker, work, *args)

    async def _drive(self, work: Callable[..., list[Effect] | None], *args: Any) -> None:
        """Let the replica do something, and carry out what it says. Calls are carried out in the order they are made."""

        def step() -> tuple[list[Effect], dict[str, Progress], float | None]:
            effects = work(*args) or []
            return effects, self._replica.progress(), self._replica.next_deadline()

        effects, self._progress, deadline = await self._on_worker(step)
        self._tasks.worked(_TALKING)
        for device in self._progress.keys() - self._met:
            self._met.add(device)
            link = self.peers.all[device].link if device in self.peers.all else None
            self._happened(Happening("connected", device, text=link.address if link is not None else ""))
            if device == self._shut_out:
                self._tasks.start(self._note_known(device))
        for effect in effects:
            self._carry_out(effect)
        self._set_timer(deadline)

    async def _carry(self, link: Link) -> None:
        """Run one link: its frames to the replica, the replica's to it. One that breaks is dialled again."""
        outgoing = self._outgoing[link.peer] = Outgoing(link)
        sender = self._tasks.start(outgoing.run())
        try:
            await self._drive(self._replica.connected, link.peer)
            await self._tell()
            async for frame in link:
                if self._outgoing.get(link.peer) is not outgoing:
                    return
                await self._drive(self._replica.frame_received, link.peer, frame, time.monotonic())
        except LinkClosedError:
            pass
        except StorageError as error:
            self._tasks.failed(_TALKING, error)
            self._committed.set()  # what was taken may be in the log, and nobody has been told of it
            self._applied.set()
            raise
        except EddaError:
            raise  # the peer's, who is told
        except Exception as bug:
            self._tasks.fail(bug)
            raise
        finally:
            if self._outgoing.get(link.peer) is outgoing:
                del self._outgoing[link.peer]
                if link.peer in self._met:
                    self._met.discard(link.peer)
                    self._happened(Happening("lost", link.peer))
                await self._drive(self._replica.disconnected, link.peer, time.monotonic())
                await self._tell()
            outgoing.end()
            await asyncio.gather(sender, return_exceptions=True)

    def _carry_out(self, effect: Effect) -> None:
        outgoing = self._outgoing.get(effect.peer)
        if isinstance(effect, Send):
            if outgoing is not None and not outgoing.send(effect.frame):
                self._troubled(
                    effect.peer, f"{self.name_of(effect.peer)} does not read what it is sent; it is dialled again."
                )
        elif isinstance(effect, Close):
            if outgoing is not None:
                outgoing.end()
            if effect.error is not None:
                self._failed(effect.peer, effect.error)
        elif isinstance(effect, Applied):
            self._tasks.worked(_TAKING)
            self._happened(Happening("applied", effect.peer, effect.changes))
            self._applied.set()
        elif isinstance(effect, Proved):
            self._tasks.worked(_TAKING)
            self._troubles.pop(effect.peer, None)
            talk = self._progress.get(effect.peer)
            if talk is not None and talk.proved_at is not None:
                self._note_proof(effect.peer, talk.proved_at)
        elif isinstance(effect, Differs):  # the content is a function of the log: one of the two sides is damaged
            self._differing.update(effect.keys)
            self._damaged.set()
        elif isinstance(effect, Mended):  # what of the log had rotted is here again
            self._mend_soon("", None)

    def _failed(self, device: str, error: EddaError) -> None:
        """Take in what ended a talk: a fault of this device's own is no trouble with the peer."""
        if isinstance(error, CorruptError):
            self._mend_soon(error.what)
        if isinstance(error, BugError):
            LOG.error("%s", error, exc_info=error.bug)
        peer = self.peers.all.get(device)
        if peer is not None:
            peer.is_failing = True
        if isinstance(error, StorageError) and not isinstance(error, CorruptError):
            self._tasks.failed(_TAKING, error)
            if peer is not None:
                peer.error = str(error)
        else:
            self._troubled(device, error.told(self.name_of(device)) if isinstance(error, RemoteError) else str(error))

    def _troubled(self, device: str, text: str) -> None:
        """Note what is wrong with a peer, and say it once, however often it is tried again."""
        peer = self.peers.all.get(device)
        if peer is not None:
            peer.error = text
            if self._troubles.get(device) != text:
                self._troubles[device] = text
                self._happened(Happening("trouble", device, text=text))

    def _set_timer(self, deadline: float | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if deadline is not None:
            delay = max(0.0, deadline - time.monotonic())
            self._timer = asyncio.get_running_loop().call_later(delay, self._ticked.set)

    # --- duties -------------------------------------------------------------------------------------------------------

    def _start_duties(self) -> None:
        keep = self._tasks.keep
        keep("telling of commits", self._push, due=self._committed)
        keep("timers of talks", self._tick, due=self._ticked)
        keep("looking for members", self._take_in, due=self._applied)
        keep(MENDING, self._mend, due=self._damaged)
        keep("saving proofs", self._save_proofs, due=self._unsaved, pause_s=limits.PROOF_SAVED_EVERY_S)
        keep("watching the store", self._watch, due=self._noticed)
        self._lookout.begin()
        self._stack.callback(self._lookout.end)
        keep("scrubbing", self._scrub, pause_s=limits.SCRUB_INTERVAL_S)

    async def _push(self) -> None:
        """Tell the replica of this device's own commits, as soon as they are durable."""

        def push(now: float) -> list[Effect]:
            own = standing.written(self.store).own  # first: what is written meanwhile may be told twice, and not never
            effects = self._replica.committed(now)
            self._own = own
            return effects

        await self._drive(push, time.monotonic())
        await self._tell()

    async def _tick(self) -> None:
        await self._drive(self._replica.tick, time.monotonic())

    async def _take_in(self) -> None:
        """Something was applied: there may be other members, or other answers."""
        try:
            await self._refresh_members()
        finally:
            await self._tell()

    def _is_quiet(self) -> bool:
        """Tell whether nobody has committed, and the store's file is where it was."""
        self.store.check_still_there()
        return self.store.store.version() == self._version

    async def _watch(self) -> None:
        """Notice what other processes have committed to the same store, and that its file was taken away."""
        self._lookout.check()
        self._check_still_there()
        version = self.store.store.version()
        if version != self._version:
            position, own = await self.run(standing.written)
            if position != self._position:
                self._tasks.worked(_TAKING)  # as far as anybody can tell: the disk takes what is written
                if own != self._own:
                    self._committed.set()
                else:  # of peers', which no other one waits for
                    await self._drive(self._replica.grown, time.monotonic())
                self._applied.set()
            self._version, self._position = version, position
        self._lookout.begin()

    def _check_still_there(self) -> None:
        """
        Look whether the store's file is where it was; end everything otherwise: nobody finds what is written to it.

        Raises:
            LostStoreError, ReplacedStoreError: As they say.
        """
        try:
            self.store.check_still_there()
        except (LostStoreError, ReplacedStoreError) as lost:
            self._tasks.fail(lost)
            raise

    async def _scrub(self) -> None:
        """Look at a slice of what is stored, all of it within a day; have it mended should something be damaged."""
        total = sum((await self.run(StorageEngine.counts)).values())
        limit = max(limits.SCRUB_ENTITIES_MIN, 2 * total // (limits.SCRUB_S_MAX // limits.SCRUB_INTERVAL_S))
        found, following = await self.run(lambda store: store.scrub(self._scrubbed, limit))
        for damage in found:
            self._mend_soon(damage.what, damage.key)
        self._scrubbed = following or b""

    def _mend_soon(self, what: str, key: bytes | None = None) -> None:
        """Have something folded anew: an entity, or all where it is not said which."""
        if key is None:
            self._all_damaged = True
        else:
            self._differing.add(key)
        if what:
            self._damage.append(what)
        self._damaged.set()

    async def _mend(self) -> None:
        """Fold the log anew, or some entities of it: the tables are not what was written, or a peer holds something else."""
        keys = sorted(self._differing)
        try:
            await self.run(StorageEngine.rebuild if self._all_damaged else lambda store: store.refold(keys))
        except CorruptError:  # the log itself: what of it rotted is asked of the peers, by hash
            await self._drive(self._replica.fetch, time.monotonic())
            raise
        self._all_damaged = False
        self._differing.difference_update(keys)
        await self._drive(self._replica.rebuilt, time.monotonic())
        if self._damage:
            self._mended = f"{self._damage[0]} was damaged on this disk, and made anew from the log; watch this disk."
            self._damage.clear()
            self._happened(Happening("trouble", text=self._mended))

    def _note_proof(self, device: str, at: Frontier) -> None:
        self.proved[device] = at
        known = self._proofs.setdefault(device, standing.Remembered())
        known.changes, known.proved_s = standing.count(at), time.time()
        self._happened(Happening("equal", device, known.changes))
        self._unsaved.set()
        self._tasks.start(self._tell())

    async def _save_proofs(self) -> None:
        proofs = dict(self._proofs)
        await self.run(lambda store: standing.save(store, proofs))

    def _remember(self, device: str, endpoint: Endpoint) -> None:
        self._proofs.setdefault(device, standing.Remembered()).endpoint = endpoint

    def _refused(self, device: str) -> None:
        self._tasks.start(self._note_refusal(device))

    async def _note_refusal(self, device: str) -> None:
        """Tell that a device does not know this one any more, if it did before."""
        known = self._proofs.get(device, standing.Remembered())
        try:
            knew = await self.run(lambda store: standing.note_refusal(store, device, known))
        except StorageError as error:
            self._tasks.failed(_REFUSALS, error)
            return
        self._tasks.worked(_REFUSALS)
        if knew:
            self._shut_out = device
            self._troubled(device, standing.shut_out_sentence(self.name_of(device)))

    async def _note_known(self, device: str) -> None:
        """Take back what was told: the device knows this one."""
        try:
            await self.run(lambda store: standing.note_known(store, device))
        except StorageError as error:
            self._tasks.failed(_REFUSALS, error)
            return
        self._tasks.worked(_REFUSALS)
        self._shut_out = None

    def _found(self, device: str, endpoints: list[Endpoint]) -> None:
        peer = self.peers.all.get(device)
        if peer is not None and peer.link is None and endpoints[0] not in peer.endpoints:
            self._happened(Happening("found", device, text=host_port(*endpoints[0])))
        self.peers.found(device, endpoints)

    async def _tell(self) -> None:
        self._changes += 1
        async with self._changed:
            self._changed.notify_all()
