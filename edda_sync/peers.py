"""
Peers: the links to the other members, found, dialled, kept and dialled again.

One link a pair. The device with the lower id dials at once, the other a moment later, should it not have been dialled;
when both did, the link that the lower id dialled stays. Addresses come from discovery, from what worked before, and
from a person (``--at``).
"""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from edda_sync import limits
from edda_sync.errors import (
    EddaError,
    InvalidValueError,
    NotAMemberError,
    NotReachableError,
    RemoteError,
    StorageError,
)
from edda_sync.supervisor import Supervisor
from edda_sync.transport.identity import Identity, device_of, public_key_of
from edda_sync.transport.links import Link, Listener, dial, peek

PATIENCE_S: Final = 0.5  # how long the higher id waits to be dialled
PROBE_S: Final = 1.0  # how long a link may take to answer after the network changed
STEADY_DELAYS: Final = 8  # tries in the first steps of the backoff: who has just gone is soon back
STEADY_LINK_S: Final = 5.0  # a link that ends sooner counts as a try that failed: the two may never get along
_CALLING: Final = "calling peers"

Endpoint = tuple[str, int]


@dataclass(slots=True)
class Peer:
    """
    What is known of a member's whereabouts.

    Attributes:
        endpoints: Where it may be, best first.
        link: The open link; None when there is none.
        error: Why the last try failed, for a person.
        failures: Tries in a row that came to nothing.
    """

    device: str
    endpoints: list[Endpoint] = field(default_factory=list)
    link: Link | None = None
    error: str = ""
    failures: int = 0
    nudge: asyncio.Event = field(default_factory=asyncio.Event)
    keeper: asyncio.Task[None] | None = None


class Peers:
    """
    The links of a device. Use it as an asynchronous context manager.

    Args:
        identity: This device.
        members: Certificates (DER) of the members by device id, as they are now.
        on_link: Runs for each link; returns when it ends.
        port: TCP port to listen on; 0 lets the system choose.
        on_dialled: Called with a member and the address where it answered.
        supervisor: Is told of faults of this device that are in the way of a link, and of bugs.
        on_refused: Called with a member that does not know this device.
    """

    def __init__(
        self,
        identity: Identity,
        members: Callable[[], Mapping[str, bytes]],
        on_link: Callable[[Link], Awaitable[None]],
        port: int,
        on_dialled: Callable[[str, Endpoint], None],
        supervisor: Supervisor,
        on_refused: Callable[[str], None] = lambda _device: None,
    ) -> None:
        self._identity, self._members = identity, members
        self._on_link, self._on_dialled, self._supervisor = on_link, on_dialled, supervisor
        self._on_refused = on_refused
        self._listener = Listener(identity, members, self._accepted, port=port)
        self._tasks: set[asyncio.Task[Any]] = set()
        self.all: dict[str, Peer] = {}

    async def __aenter__(self) -> Peers:
        await self._listener.__aenter__()
        self._meet()
        return self

    async def __aexit__(self, *exception: object) -> None:
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await asyncio.gather(*(peer.link.close("closing") for peer in self.all.values() if peer.link is not None))
        await self._listener.__aexit__(None, None, None)

    @property
    def port(self) -> int:
        """Where this device listens."""
        return self._listener.port

    async def refresh(self) -> None:
        """Members have come or gone: trust those who are, and only those."""
        await self._listener.refresh()
        self._meet()

    def found(self, device: str, endpoints: list[Endpoint]) -> None:
        """Take a hint of where a member is."""
        peer = self.all.get(device)
        if peer is not None:
            peer.endpoints = endpoints + [known for known in peer.endpoints if known not in endpoints][:4]
            self._look_again(peer)

    def network_changed(self) -> None:
        """The interfaces are others: ask every link whether it still is one, and dial the rest at once."""
        for peer in self.all.values():
            self._look_again(peer)

    async def dial_address(self, host: str, port: int) -> str:
        """
        Dial whoever is at an address, a member as its certificate says; return its device id.

        Raises:
            NotReachableError: Nobody answers.
            NotAMemberError: It is no member.
        """
        certificate = await peek(host, port)
        try:
            device = device_of(public_key_of(certificate))
        except InvalidValueError:
            raise NotReachableError(f"{host}:{port}", "what answers there is no edda device") from None
        pinned = self._members().get(device)
        if pinned is None or pinned != certificate or device == self._identity.device:
            raise NotAMemberError(f"The device at {host}:{port}")
        self._meet()
        peer = self.all[device]
        if peer.link is None:
            try:
                link = await dial(self._identity, device, pinned, host, port)
            except NotAMemberError as error:
                self._note_refusal(device, error)
                raise
            self._start(self._carry(peer, link, (host, port)))
        self.found(device, [(host, port)])
        return device

    # --- inside -------------------------------------------------------------------------------------------------------

    def _meet(self) -> None:
        """Keep a link to every member; let go of those who are members no more."""
        members = self._members()
        for device in members:
            if device != self._identity.device and device not in self.all:
                peer = self.all[device] = Peer(device)
                peer.keeper = self._start(self._keep(peer))
        for device in [device for device in self.all if device not in members]:
            peer = self.all.pop(device)
            if peer.keeper is not None:
                peer.keeper.cancel()

    def _start(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        bug = None if task.cancelled() else task.exception()
        if bug is not None:
            self._supervisor.fail(bug)

    async def _keep(self, peer: Peer) -> None:
        """Dial a peer whenever there is no link to it, the more seldom the longer that comes to nothing."""
        while True:
            if peer.link is not None or not peer.endpoints:
                peer.nudge.clear()
                await peer.nudge.wait()
                peer.nudge.clear()
                continue
            if peer.failures:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(_delay(peer.failures)):  # wait_for of 3.11 may swallow a cancellation
                        await peer.nudge.wait()
            if self._identity.device > peer.device:
                await asyncio.sleep(PATIENCE_S)
            peer.nudge.clear()
            if self._is_linked(peer):
                continue
            if not await self._dial(peer):
                peer.failures += 1

    @staticmethod
    def _is_linked(peer: Peer) -> bool:
        return peer.link is not None

    def _look_again(self, peer: Peer) -> None:
        """There is news of a peer: the link there is may be dead, a call under way may go nowhere, waiting is over."""
        peer.failures = min(peer.failures, 2)
        peer.nudge.set()
        if peer.link is not None:
            self._start(self._probe(peer, peer.link))

    async def _dial(self, peer: Peer) -> bool:
        """Try a peer's endpoints in turn, until there is news; when one answers, carry the link until it ends."""
        for host, port in list(peer.endpoints):
            certificate = self._members().get(peer.device)
            if certificate is None or self._is_linked(peer):
                return self._is_linked(peer)
            calling = asyncio.ensure_future(dial(self._identity, peer.device, certificate, host, port))
            news = asyncio.ensure_future(peer.nudge.wait())
            try:
                await asyncio.wait({calling, news}, return_when=asyncio.FIRST_COMPLETED)
                if not calling.done():
                    return False
                link = calling.result()
            except RemoteError as error:
                peer.error = str(error)
                self._note_refusal(peer.device, error)
                self._supervisor.worked(_CALLING)
                continue
            except StorageError as error:  # a key that is used lies on the disk for a moment
                peer.error = str(error)
                self._supervisor.failed(_CALLING, error)
                continue
            finally:
                calling.cancel()
                news.cancel()
            await self._carry(peer, link, (host, port))
            peer.nudge.clear()
            return True
        return False

    def _note_refusal(self, device: str, error: RemoteError) -> None:
        if isinstance(error, NotAMemberError) and error.by_peer:
            self._on_refused(device)

    async def _accepted(self, link: Link) -> None:
        self._meet()
        peer = self.all.get(link.peer)
        if peer is None:
            await link.close("not a member")
            return
        await self._carry(peer, link, None)

    async def _carry(self, peer: Peer, link: Link, endpoint: Endpoint | None) -> None:
        """Run a link until it ends, unless there is a better one."""
        while peer.link is not None:
            former = peer.link
            if not self._is_better(link, former) and await former.probe(PROBE_S):
                await link.close("another link is open")
                return
            if peer.link is former:
                peer.link = None
                self._start(former.close("a better link is open"))  # which takes its time where nobody answers
        peer.link, peer.error = link, ""
        self._supervisor.worked(_CALLING)
        began = asyncio.get_running_loop().time()
        if endpoint is not None:
            self._on_dialled(peer.device, endpoint)
        try:
            await self._on_link(link)
        except EddaError as error:
            peer.error = str(error)
        finally:
            if peer.link is link:
                peer.link = None
                lasted = asyncio.get_running_loop().time() - began
                peer.failures = 0 if lasted >= STEADY_LINK_S else peer.failures + 1
            peer.nudge.set()
            await link.close()

    def _is_better(self, link: Link, former: Link) -> bool:
        """Of two links to a peer the one dialled by the lower id is better; of two by the same, the newer."""
        if link.dialled == former.dialled:
            return True
        return link.dialled == (self._identity.device < link.peer)

    async def _probe(self, peer: Peer, link: Link) -> None:
        if not await link.probe(PROBE_S) and peer.link is link:
            peer.link = None
            peer.nudge.set()
            await link.close("no answer")


def _delay(failures: int) -> float:
    """Return how long to wait before the next try, in seconds: doubling, with jitter, and slow to give up hope."""
    doubled = limits.RECONNECT_DELAY_S_MIN * 2 ** min(max(0, failures - STEADY_DELAYS), 10)
    return float(min(limits.RECONNECT_DELAY_S_MAX, doubled)) * random.uniform(0.75, 1.25)  # noqa: S311 - jitter, no secret


__all__ = ["Endpoint", "NotReachableError", "Peer", "Peers"]
