"""
A device: a store that finds the workspace's other devices and syncs with them, on asyncio.

This is its face; the parts are the ``runner`` (events to the replica and the steward, and out what they say), the ``peers``
(links) and the ``status`` (what is known and said of peers).

A fault of the disk or of another process ends nothing of what a device does. A bug ends the device, and so does the loss
of the store's file. But a bug that something of a peer's brings to light ends the talk with that peer, and nothing else:
neither a peer nor a function of the program that runs a device is to be able to end it.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any, Final, TypeVar

from edda_sync.crdt.frontier import Frontier, covers
from edda_sync.device import control, service
from edda_sync.device.happening import Happening
from edda_sync.device.invite import invite
from edda_sync.device.peers import DIAL_AGAIN_S, Peers
from edda_sync.device.runner import Runner
from edda_sync.device.status import Status
from edda_sync.device.watch import QueryChange, watch
from edda_sync.engine import standing
from edda_sync.engine.engine import StorageEngine
from edda_sync.sync.progress import Progress
from edda_sync.transport.discovery import Discovery
from edda_sync.transport.interfaces import Endpoint
from edda_sync.words import limits
from edda_sync.words.callbacks import Callback, log, log_broken
from edda_sync.words.config import StorageConfig, absolute
from edda_sync.words.errors import CallbackError, RemoteError, StorageError, UsageError
from edda_sync.words.listed import Member
from edda_sync.words.model import Item
from edda_sync.words.process import Owner, hold_loop, release_loop
from edda_sync.words.query import DocumentQuery, Query
from edda_sync.workspace import welcome as membership

T = TypeVar("T")
LOG: Final = logging.getLogger("edda_sync.device.device")

_HAPPENINGS: Final = "telling what happens"


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
        tell: Called from the event loop with what happens. Should it raise something, it is not called any more, which
            the log and :attr:`fault` say; the device goes on.

    Attributes:
        store: The engine. From asyncio use :meth:`run`, since its calls wait for the disk.
        discovery: How others on the LAN are found; None while that is switched off.
        peers: The links to the other members.
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
        self._tell = Callback(tell, "What happens", self._listener_broke, passes=_is_cancelled)
        self._status = Status(self._tell)
        self._runner: Runner
        self._stack = contextlib.AsyncExitStack()
        self._certificates: dict[str, bytes] = {}  # of the members, as the store has them
        self._trusted: dict[str, bytes] = {}  # whom the open port lets in
        self.discovery: Discovery | None = None
        self.peers: Peers
        self._owner = Owner("This device")

    async def __aenter__(self) -> Device:
        if not hasattr(self, "_runner"):  # it was made, perhaps in another process, and not opened yet
            self._owner = Owner("This device")
        self._owner.check()
        runner = self._runner = Runner(
            self.store, self._status, self._meet, lambda text: self._tell(Happening("trouble", text=text))
        )
        if self._is_on_disk:
            self._stack.enter_context(control.only_runner(self.home))
        hold_loop(self, asyncio.get_running_loop())
        self._stack.callback(release_loop, self)
        self._stack.push_async_callback(runner.close)
        try:
            await self._stack.enter_async_context(runner.tasks)
            await runner.open(self._open)
            await self._listen()
            for device, remembered in self._status.remembered().items():
                if remembered.endpoint is not None:
                    self.peers.found(device, [remembered.endpoint])
            if self._discover:
                await self._begin_discovery()
            self._stack.push_async_callback(runner.end)
            for endpoint in self._at:
                runner.tasks.start(self.dial(*endpoint))
            runner.begin()
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
            log(LOG, logging.ERROR, str(error))  # the child's event loop ends before it could bring this out
            raise
        self._runner.tasks.closing()
        await self._stack.aclose()

    # --- for its users ------------------------------------------------------------------------------------------------

    async def run(self, work: Callable[[StorageEngine], T]) -> T:
        """Run ``work`` with the store on a thread, and return what it returns."""
        self._owner.check()
        return await self._runner.ask(work)

    def watch(self, query: Query) -> AsyncIterator[QueryChange]:
        """Yield what a query finds, even if that is nothing, and then each change of it, whoever made it, for ever."""

        def find(store: StorageEngine) -> list[Item]:
            if isinstance(query, DocumentQuery):
                return [*store.query_documents(query)]
            return [*store.query_tasks(query)]

        return watch(lambda: self.run(find), self._runner.changes)

    async def equal(self, peers: set[str] | None = None) -> None:
        """
        Wait until peers are proved equal to this device, with all that it holds now.

        Args:
            peers: Device ids; every peer with a link by default, of which there must be one.
        """
        self._owner.check()
        await self._runner.ask_peers()
        target = await self.run(standing.given)  # what is kept back may have to become other changes first

        def proved() -> bool:
            asked = peers or self.progress.keys()
            return bool(asked) and all(p in self.proved and covers(self.proved[p], target) for p in asked)

        await self.until(proved)

    @property
    def fault(self) -> str:
        """What fails here now, such as a full disk, or else what was mended, for a person; empty for neither."""
        return self._runner.trouble

    @property
    def port(self) -> int:
        """Where this device listens."""
        return self.peers.port

    @property
    def progress(self) -> dict[str, Progress]:
        """How it stands with each peer that there is a talk with, by device id."""
        return self._status.progress

    @property
    def proved(self) -> dict[str, Frontier]:
        """At which frontier each peer was last proved equal, since this device was started."""
        return self._status.proved

    @property
    def shut_out(self) -> str | None:
        """What a person must know whose device is not known any more where it was let in; None while it is."""
        return self._status.shut_out_sentence

    def name_of(self, device: str) -> str:
        """Return what people call a member, told apart from others of that name; the start of its id until it is known."""
        return self._status.name_of(device)

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait until a condition on :attr:`progress` and :attr:`peers` holds; it is asked whenever those have changed."""
        self._owner.check()
        await self._runner.changes.until(condition)

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
                    self._tell(Happening("trouble", text=said))
                await asyncio.sleep(DIAL_AGAIN_S)

    async def invite(
        self, opened: Callable[[str, int, str], None], *, port: int = 0, window_s: float = limits.PAIRING_WINDOW_S
    ) -> Member:
        """
        Let one new device in; return it once it is a member. :meth:`equal` waits until it holds what this device holds.

        Args:
            opened: Called with the code to show, the port where the invitation listens, and why the LAN cannot hear of
                it (empty when it can). What it raises ends the invitation, and is raised here.
            port: TCP port for the invitation; 0 lets the system choose.
            window_s: How long the code is good for, in seconds.

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
        Return how it stands: this device, its peers, what is proved.

        Raises:
            LostStoreError, ReplacedStoreError: The store's file was taken away, and this device ends.
        """
        self._owner.check()
        self._runner.check_still_there()
        facts = await self.run(standing.facts)
        held = await self.run(StorageEngine.frontier)  # no older than the facts: another process may just have written
        peers = [self._status.of_peer(each, held) for each in await self.run(standing.devices) if not each["this"]]
        discovery = {"available": False, "reason": "switched off"}
        if self.discovery is not None:
            discovery = {"available": self.discovery.available, "reason": self.discovery.reason}
        own = {"running": True, "fault": self.fault, "port": self.port, "discovery": discovery}
        return {**facts, **own, "peers": peers}

    # --- opening ------------------------------------------------------------------------------------------------------

    def _open(self) -> None:
        self.store.initialize(self._config)
        self.store.membership.readmit()
        self._certificates = self._trusted = self.store.reading.certificates()
        self._status.open(self.store)
        self._last_port = standing.port(self.store)

    async def _listen(self) -> None:
        """Open the port: where peers remember this device, if nobody else has taken that."""
        ports = [self._port] if self._port or not self._last_port else [self._last_port, 0]
        for port in ports:
            self.peers = self._status.peers = Peers(
                self.store.identity, lambda: self._certificates, self._runner.carry, port, self._answered, self._runner,
                self._refused, self.name_of, self._status.troubled,
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
            on_found=self._found, now=time.time, on_network_change=self.peers.network_changed,
        )  # fmt: skip
        await self._stack.enter_async_context(self.discovery)
        self._runner.tasks.start(self.discovery.watching())

    # --- what its parts say -------------------------------------------------------------------------------------------

    async def _meet(self) -> None:
        """Read anew who is a member, and trust those, and only those."""
        certificates, names = await self._runner.run(standing.met)
        self._certificates = certificates
        self._status.name(names)
        if certificates != self._trusted:
            await self.peers.refresh()
            if self.discovery is not None:
                self.discovery.refresh()
            self._trusted = certificates  # last: after a fault it is done again

    def _answered(self, device: str, endpoint: Endpoint) -> None:
        self._status.answered(device, endpoint)
        self._runner.linked()

    def _refused(self, device: str) -> None:
        self._runner.tasks.start(self._runner.note_refusal(device))

    def _found(self, device: str, endpoints: list[Endpoint]) -> None:
        self._status.found(device, endpoints)
        self.peers.found(device, endpoints)

    def _listener_broke(self, error: CallbackError) -> None:
        log_broken(error)
        self._runner.failed(_HAPPENINGS, error)


def _is_cancelled(error: BaseException) -> bool:
    """Tell whether an error is that the running task is cancelled; a function may raise the same for reasons of its own."""
    if not isinstance(error, asyncio.CancelledError):
        return False
    try:
        task = asyncio.current_task()
    except RuntimeError:  # this thread runs no task
        return False
    return task is not None and task.cancelling() > 0


__all__ = ["Device", "Happening", "QueryChange"]
