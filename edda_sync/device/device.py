"""
A device: a store that finds the workspace's other devices and syncs with them, on asyncio.

This class is what programs use. Its parts are the ``runner`` (passes events to the replica and the steward, and carries out
what they return), the ``peers`` (links), and the ``status`` (what is known of the peers, and told to people).

A fault of the disk or of another process ends nothing that a device does. A bug ends the device, and so does the loss of the
store's file. But a bug while handling a peer's frames ends only the session with that peer: neither a peer nor a callback of
the program may be able to end the device.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from typing import Any, Final, TypeVar

from edda_sync.crdt.frontier import Frontier, covers
from edda_sync.device import backups, clock, control, filing, rotation, service
from edda_sync.device.filing import Files
from edda_sync.device.happening import Happening
from edda_sync.device.introducing import Introducing
from edda_sync.device.invite import invite
from edda_sync.device.peers import DIAL_AGAIN_S, Peers
from edda_sync.device.runner import Runner
from edda_sync.device.status import Status
from edda_sync.engine import backend, exchanged, standing
from edda_sync.engine.engine import StorageEngine
from edda_sync.engine.watched import ConflictChange, QueryChange
from edda_sync.sync.progress import Progress
from edda_sync.transport.discovery import Discovery
from edda_sync.transport.interfaces import Endpoint
from edda_sync.transport.link import Link
from edda_sync.words import limits
from edda_sync.words.callbacks import Callback, log, log_broken
from edda_sync.words.config import StorageConfig, absolute
from edda_sync.words.configured import configured
from edda_sync.words.errors import CallbackError, RemoteError, StorageError, UsageError
from edda_sync.words.listed import Member
from edda_sync.words.metrics import StorageMetrics, as_json
from edda_sync.words.process import Owner, hold_loop, release_loop
from edda_sync.words.query import Query
from edda_sync.workspace import welcome as membership

T = TypeVar("T")
LOG: Final = logging.getLogger("edda_sync.device.device")

_HAPPENINGS: Final = "telling what happens"


class Device:
    """
    A store that syncs. Use it as an asynchronous context manager; nothing else has to be called.

    Only one process at a time runs a store's device. Meanwhile the commands ``status``, ``sync``, ``devices`` and
    ``invite`` ask that process, through the local socket.

    If a bug ends the device, or its store's file is taken away, the task that entered the context is cancelled, and leaving
    the context raises the error.

    Args:
        home: The store's folder.
        config: How to keep it; combined with other settings as in :func:`edda_sync.open`.
        port: TCP port to listen on; 0 for the last one, or for any port if that is taken.
        at: Addresses of devices to dial, besides those that are found.
        discover: Whether to look for others on the LAN, and to let them find this device.
        tell: Called from the event loop with what happens. If it raises an exception, it is not called any more, the log
            and :attr:`fault` say so, and the device goes on.

    Attributes:
        store: The engine. From asyncio use :meth:`run`, because the engine's calls wait for the disk.
        discovery: Finds others on the LAN; None if switched off.
        peers: The links to the other members.
        began: What the store held when this device was started.
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
        self.home = absolute(home)
        self.store = StorageEngine(self.home)
        self._config = configured(self.home, config)
        self._port, self._at, self._discover = port, at, discover
        self._is_on_disk = self._config.backend != "memory"
        self._tell = Callback(tell, "What happens", self._listener_broke, passes=_is_cancelled)
        self._status = Status(self._tell)
        self._runner: Runner
        self._introducing: Introducing
        self._stack = contextlib.AsyncExitStack()
        self._certificates: dict[str, bytes] = {}  # of the members, as last read from the store
        self._trusted: dict[str, bytes] = {}  # the members that the open port lets in
        self.discovery: Discovery | None = None
        self.peers: Peers
        self.began = exchanged.Held()
        self._owner = Owner("This device")

    async def __aenter__(self) -> Device:
        if not hasattr(self, "_runner"):  # not opened yet; it may have been made in another process
            self._owner = Owner("This device")
        self._owner.check()
        runner = self._runner = Runner(
            self.store, self._status, self._meet, lambda text: self._tell(Happening("trouble", text=text))
        )
        self._introducing = Introducing(self.store, runner.run, self._meet, self._tell)
        if self._is_on_disk:
            self._stack.enter_context(control.only_runner(self.home, self._config))
        hold_loop(self, asyncio.get_running_loop())
        self._stack.callback(release_loop, self)
        self._stack.push_async_callback(runner.close)
        try:
            await self._stack.enter_async_context(runner.tasks)
            await runner.open(self._open)
            if self._restored:
                self._tell(Happening("trouble", text=self._restored))
            await self._listen()
            for device, remembered in self._status.remembered().items():
                if remembered.endpoint is not None:
                    self.peers.found(device, [remembered.endpoint])
            if self._discover:
                await self._begin_discovery()
            self._stack.push_async_callback(runner.end)
            self._stack.callback(self.peers.leave)  # first: a peer that hears goodbye calls again at once
            for endpoint in self._at:
                runner.tasks.start(self.dial(*endpoint))
            runner.begin()
            runner.tasks.start(clock.watch(self.peers.renew))
            if rotation.has_policy(self.store):
                tell = lambda text: self._tell(Happening("trouble", text=text))  # noqa: E731 - like the runner's
                runner.tasks.start(rotation.rotate_when_due(self.run, tell))
            if backups.has_schedule(self.store):
                runner.tasks.start(backups.Backups(self.store, self._tell, remembered=self._status.remembered).go_on())
            if self._is_on_disk:
                await self._stack.enter_async_context(control.serve(self.home, service.handler(self)))
        except BaseException:
            await self.__aexit__()
            raise
        return self

    async def __aexit__(self, *exception: object) -> None:
        try:
            self._owner.check()  # in a forked child no worker answers, and the links are the parent's
        except UsageError as error:
            log(LOG, logging.ERROR, str(error))  # the child's event loop may end before it shows the exception
            raise
        self._runner.tasks.closing()
        await self._stack.aclose()

    # --- for programs -------------------------------------------------------------------------------------------------

    async def run(self, work: Callable[[StorageEngine], T]) -> T:
        """Run ``work`` with the store on another thread; return its result."""
        self._owner.check()
        return await self._runner.ask(work)

    async def watch(self, query: Query) -> AsyncIterator[QueryChange]:
        """Yield the result of a query, even if it is empty, and then each change of it, without end. See ``engine.live``."""
        self._owner.check()
        with await self.run(lambda store: store.watch(query)) as watched:
            async for change in watched:
                yield change

    async def watch_conflicts(self) -> AsyncIterator[ConflictChange]:
        """Yield the conflicts, even if there are none, and then each change of them, without end. See :meth:`watch`."""
        self._owner.check()
        with await self.run(lambda store: store.watch_conflicts()) as watched:
            async for change in watched:
                yield change

    async def equal(self, peers: set[str] | None = None) -> None:
        """
        Wait until peers are proved equal to this device, with everything that it holds now.

        Args:
            peers: Device ids; by default every peer with a link. Then it waits until there is at least one.
        """
        self._owner.check()
        await self._runner.ask_peers()
        target = await self.run(standing.given)  # first, what is kept back may have to be replaced by other changes

        def proved() -> bool:
            asked = peers or self.progress.keys()
            return bool(asked) and all(p in self.proved and covers(self.proved[p], target) for p in asked)

        await self.until(proved)

    @property
    def fault(self) -> str:
        """What fails here now, such as a full disk; otherwise what was mended last; empty for neither. For a person."""
        return self._runner.trouble

    @property
    def large(self) -> str | None:
        """The peer with whom something large is being exchanged, which cannot be cut; None for none."""
        return self._runner.large

    @property
    def files(self) -> Files:
        """The content of attached files: how this device stands with them, and how more of them are fetched."""
        return self._runner.files

    @property
    def port(self) -> int:
        """The port where this device listens."""
        return self.peers.port

    @property
    def progress(self) -> dict[str, Progress]:
        """The progress of every open session, by the peer's device id."""
        return self._status.progress

    @property
    def proved(self) -> dict[str, Frontier]:
        """The frontier at which each peer was last proved equal, since this device was started."""
        return self._status.proved

    @property
    def shut_out(self) -> str | None:
        """A sentence for a person whose device is refused by the device that let it in; None if it is not."""
        return self._status.shut_out_sentence

    def name_of(self, device: str) -> str:
        """Return the name of a member, made unique among equal names; the start of its id as long as no name is known."""
        return self._status.name_of(device)

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait until a condition holds. It is checked whenever :attr:`progress` or :attr:`peers` change."""
        self._owner.check()
        await self._runner.changes.until(condition)

    async def dial(self, host: str, port: int) -> str:
        """Dial an address that a person named, repeatedly until a member answers; return its device id."""
        self._owner.check()
        said = ""
        while True:
            try:
                return await self.peers.dial_address(host, port)
            except (RemoteError, StorageError) as error:  # a private key that is in use is in a file for a moment
                if str(error) != said:
                    said = str(error)
                    self._tell(Happening("trouble", text=said))
                await asyncio.sleep(DIAL_AGAIN_S)

    async def invite(
        self, opened: Callable[[str, int, str], None], *, port: int = 0, window_s: float = limits.PAIRING_WINDOW_S
    ) -> Member:
        """
        Invite one new device; return it once it is a member. Then :meth:`equal` waits until it holds everything.

        Args:
            opened: Called with the code to show, the port of the invitation, and why the LAN cannot find it (empty if it
                can). An exception of it ends the invitation, and is raised here.
            port: TCP port for the invitation; 0 lets the system choose.
            window_s: How long the code is valid, in seconds.

        Raises:
            PairingError: Nobody came, or the code was wrong.
            UsageError: What this device holds is not proved yet.
        """
        self._owner.check()
        member = await invite(
            self._runner, self._meet, opened,
            listening=self.port, discover=self._discover, port=port, window_s=window_s,
        )  # fmt: skip
        self._tell(Happening("joined", member.device))
        return member

    async def status(self) -> dict[str, Any]:
        """
        Return the status: this device, its peers, and what is proved.

        Raises:
            LostStoreError, ReplacedStoreError: The store's file was taken away. The device ends.
        """
        self._owner.check()
        self._runner.check_still_there()
        facts = await self.run(standing.facts)
        held = await self.run(StorageEngine.frontier)  # after the facts: another process may just have written
        peers = [self._status.of_peer(each, held) for each in await self.run(standing.devices) if not each["this"]]
        discovery = {"available": False, "reason": "switched off"}
        if self.discovery is not None:
            discovery = {"available": self.discovery.available, "reason": self.discovery.reason}
        for peer in peers:
            peer["exchanging"] = peer["device"] == self.large
        own = {
            "running": True,
            "fault": self.fault,
            "copy_at": self._introducing.copy_at,
            "port": self.port,
            "addresses": service.addresses(),
            "discovery": discovery,
        }
        facts["files"].update(filing.facts(self.files.progress))
        return {**facts, **own, "metrics": as_json(await self.metrics()), "peers": peers}

    async def metrics(self) -> StorageMetrics:
        """Return the figures of the store, and of its syncs and the files that it moved since this device was started."""
        self._owner.check()
        found = await self.run(StorageEngine.metrics)
        found = replace(found, files=filing.measured(found.files, self.files.progress))
        return self._status.metrics(found, await self.run(StorageEngine.frontier))

    # --- opening ------------------------------------------------------------------------------------------------------

    def _open(self) -> None:
        self.store.initialize(self._config)
        self._restored = backend.restore(self.store.store, self.store.rebuild)
        self.store.membership.readmit()
        self._certificates = self._trusted = self.store.reading.certificates()
        self._status.open(self.store)
        self.began = exchanged.held(self.store)
        self._last_port = standing.port(self.store)
        self._introducing.open()

    async def _listen(self) -> None:
        """Open the port: the one where peers remember this device, unless another program has taken it."""
        ports = [self._port] if self._port or not self._last_port else [self._last_port, 0]
        for port in ports:
            self.peers = self._status.peers = Peers(
                self.store.identity, lambda: self._certificates, self._carry, port, self._answered, self._runner,
                self._refused, self.name_of, self._status.troubled, self._introducing.take, self._introducing.introduce,
                self._found_own,
            )  # fmt: skip
            try:
                await self._stack.enter_async_context(self.peers)
                break
            except UsageError:
                if port == ports[-1]:
                    raise
        await self._runner.run(lambda store: standing.save_port(store, self.port))

    async def _begin_discovery(self) -> None:
        key = membership.discovery_key(self.store.membership.workspace_key)
        self.discovery = Discovery(
            self.store.identity.device, lambda: [key], self.peers.port, members=lambda: self._certificates,
            on_found=self._found, on_own=self._found_own, now=time.time, on_network_change=self.peers.network_changed,
        )  # fmt: skip
        await self._stack.enter_async_context(self.discovery)
        self._runner.tasks.start(self.discovery.watching())

    # --- called by its parts ------------------------------------------------------------------------------------------

    async def _meet(self) -> None:
        """Read the members again, and trust exactly these."""
        certificates, names = await self._runner.run(standing.met)
        self._certificates = certificates
        self._status.name(names)
        if certificates != self._trusted:
            await self.peers.refresh()
            if self.discovery is not None:
                self.discovery.refresh()
            self._trusted = certificates  # last, so that it is done again after a fault

    async def _carry(self, link: Link) -> None:
        await self._introducing.met(link.peer)
        self._status.linked(link.peer, link.clock_s)
        await self._runner.carry(link)

    def _answered(self, device: str, endpoint: Endpoint) -> None:
        self._status.answered(device, endpoint)
        self._runner.linked()

    def _refused(self, device: str) -> None:
        self._runner.tasks.start(self._runner.note_refusal(device))

    def _found(self, device: str, endpoints: list[Endpoint]) -> None:
        self._status.found(device, endpoints)
        self.peers.found(device, endpoints, hinted=True)

    def _found_own(self, endpoints: list[Endpoint]) -> None:
        self._runner.tasks.start(self._introducing.look(endpoints))

    def _listener_broke(self, error: CallbackError) -> None:
        log_broken(error)
        self._runner.failed(_HAPPENINGS, error)


def _is_cancelled(error: BaseException) -> bool:
    """Tell whether an error means that the running task is cancelled. Other code may raise the same error itself."""
    if not isinstance(error, asyncio.CancelledError):
        return False
    try:
        task = asyncio.current_task()
    except RuntimeError:  # this thread runs no task
        return False
    return task is not None and task.cancelling() > 0


__all__ = ["Device", "Happening", "QueryChange"]
