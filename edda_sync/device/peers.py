"""
Peers: the links to the other members, which are found, dialled, kept, and dialled again.

Each pair of devices has one link. The device with the lower id dials at once; the other dials a moment later, if it was not
dialled by then. If both dialled, the link that the lower id dialled stays. Addresses come from discovery, from earlier
sessions, and from a person (``--at``).
"""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from typing import Any, Final, Protocol

from edda_sync.device.peer import Peer
from edda_sync.transport import packets
from edda_sync.transport.dial import dial, peek
from edda_sync.transport.identity import Identity, device_of, public_key_of
from edda_sync.transport.interfaces import Endpoint, hosts_of, interfaces
from edda_sync.transport.link import Link
from edda_sync.transport.listener import Listener
from edda_sync.words import limits
from edda_sync.words.addresses import host_port
from edda_sync.words.errors import (
    EddaError,
    InvalidValueError,
    NotAMemberError,
    NotReachableError,
    OwnKeyError,
    RemoteError,
    StorageError,
)
from edda_sync.words.reasons import Reason

DIAL_AGAIN_S: Final = 1.0  # between two tries of an address that a person named
PATIENCE_S: Final = 0.5  # how long the higher id waits to be dialled
PROBE_S: Final = 1.0  # how long a link may take to answer after the network changed
STEADY_DELAYS: Final = 8  # tries with the shortest delay, because a device that has just left is often back soon
STEADY_LINK_S: Final = 5.0  # a link that ends sooner counts as a failed try: the two may never get along
_REFUSALS: Final = 2  # so many in a row, without another link of ours, show that there is a copy of this store
_CALLING: Final = "calling peers"


class Overseer(Protocol):
    """Is told what goes wrong here."""

    def failed(self, concern: str, error: EddaError) -> None:
        """Note a fault of some concern."""
        ...

    def worked(self, concern: str) -> None:
        """Note that a concern works again."""
        ...

    def fail(self, bug: BaseException) -> None:
        """Note a bug."""
        ...


class Peers:
    """
    The links of a device. Use it as an asynchronous context manager.

    Args:
        identity: The identity of this device.
        members: Returns the current members' certificates (DER) by device id.
        on_link: Runs for each link; returns when the link ends.
        port: TCP port to listen on; 0 lets the system choose.
        on_dialled: Called with a member and the address where it answered.
        overseer: Is told faults of this device that prevent a link, and bugs.
        on_refused: Called with a member that refuses this device as unknown.
        name_of: Returns the name of a member.
        on_trouble: Called with a member and a description of its trouble, for a person.
        on_copy: As for a ``Listener``.
        introduce: Called with a member that refuses this device, its certificate, and where it answers. It tells the member
            of this device, and returns whether it knows this device now.
        on_own: Called with addresses where this device's own key answers.
    """

    def __init__(
        self,
        identity: Identity,
        members: Callable[[], Mapping[str, bytes]],
        on_link: Callable[[Link], Awaitable[None]],
        port: int,
        on_dialled: Callable[[str, Endpoint], None],
        overseer: Overseer,
        on_refused: Callable[[str], None] = lambda _device: None,
        name_of: Callable[[str], str] = lambda device: device[:12],
        on_trouble: Callable[[str, str], None] = lambda *_: None,
        on_copy: Callable[[Link], Awaitable[None]] | None = None,
        introduce: Callable[[str, bytes, str, int], Awaitable[bool]] | None = None,
        on_own: Callable[[list[Endpoint]], None] = lambda _: None,
    ) -> None:
        self._identity, self._members = identity, members
        self._on_link, self._on_dialled, self._overseer = on_link, on_dialled, overseer
        self._on_refused, self._name_of, self._on_trouble = on_refused, name_of, on_trouble
        self._introduce, self._on_own = introduce, on_own
        self._listener = Listener(identity, members, self._accepted, port=port, on_copy=on_copy)
        self._tasks: set[asyncio.Task[Any]] = set()
        self.all: dict[str, Peer] = {}
        self._is_leaving = False

    async def __aenter__(self) -> Peers:
        await self._listener.__aenter__()
        self._meet()
        return self

    async def __aexit__(self, *exception: object) -> None:
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await asyncio.gather(*(peer.link.close(Reason.CLOSING) for peer in self.all.values() if peer.link is not None))
        await self._listener.__aexit__(None, None, None)

    def leave(self) -> None:
        """Make no more links, in either direction, because this device is about to say goodbye on those that are open."""
        self._is_leaving = True
        self._listener.refuse_callers()

    @property
    def port(self) -> int:
        """The port where this device listens."""
        return self._listener.port

    async def refresh(self) -> None:
        """Trust exactly the present members, after some have come or gone."""
        await self._listener.refresh()
        self._meet()

    def found(self, device: str, endpoints: list[Endpoint], *, hinted: bool = False) -> None:
        """Note addresses where a member may be, as a person or an earlier link says, or only a hint from the network."""
        peer = self.all.get(device)
        if peer is not None:
            is_news = not set(endpoints) <= set(peer.endpoints)
            peer.note(endpoints, known=not hinted)
            if (is_news or not peer.is_unsteady) and (not hinted or peer.hinted_hurries.take(_now_s())):
                self._look_again(peer)

    def network_changed(self) -> None:
        """Probe every link, and dial the other peers at once, because the network interfaces have changed."""
        for peer in self.all.values():
            self._look_again(peer)

    def renew(self) -> None:
        """Make every link anew, because each side says its time when one is made, and this device's clock was set."""
        for peer in self.all.values():
            if peer.link is not None:
                self._start(peer.link.close(Reason.CLOCK_SET))

    async def dial_address(self, host: str, port: int) -> str:
        """
        Dial the member at an address; return its device id, as its certificate says.

        Raises:
            NotReachableError: No device answers.
            NotAMemberError: The device is not a member.
        """
        *others, last = hosts_of(host, interfaces())
        for each in others:
            with contextlib.suppress(NotReachableError):
                return await self._dial_address(each, port)
        return await self._dial_address(last, port)

    async def _dial_address(self, host: str, port: int) -> str:
        certificate = await peek(host, port)
        try:
            device = device_of(public_key_of(certificate))
        except InvalidValueError:
            raise NotReachableError(f"{host}:{port}", "what answers there is no edda device") from None
        pinned = self._members().get(device)
        if certificate == self._identity.certificate:
            self._on_own([(host, port)])
            raise OwnKeyError(host_port(host, port))
        if pinned is None or pinned != certificate:
            raise NotAMemberError(f"The device at {host}:{port}")
        self._meet()
        peer = self.all[device]
        if peer.link is None:
            try:
                link = await self._call(device, pinned, host, port)
            except NotAMemberError as error:
                raise self._judged(peer, error, host_port(host, port), peer.hung_up) from error
            self._start(self._carry(peer, link, (host, port)))
        self.found(device, [(host, port)])
        return device

    # --- inside -------------------------------------------------------------------------------------------------------

    def _meet(self) -> None:
        """Keep a link to every member, and stop dialling devices that are no longer members."""
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
            self._overseer.fail(bug)

    async def _keep(self, peer: Peer) -> None:
        """Dial a peer whenever there is no link to it, after pauses that grow with each failure."""
        while not self._is_leaving:
            if peer.link is not None or not peer.endpoints:
                peer.nudge.clear()
                await peer.nudge.wait()
                peer.nudge.clear()
                continue
            if peer.failures:
                await self._pause(peer)
            if self._identity.device > peer.device:
                await asyncio.sleep(PATIENCE_S)
            peer.nudge.clear()
            if self._is_linked(peer) or self._is_leaving:
                continue
            if not await self._dial(peer):
                peer.failures += 1

    @staticmethod
    async def _pause(peer: Peer) -> None:
        """Wait as long as the number of failures requires. News of the peer ends the wait; a lost incoming link does not."""
        now = asyncio.get_running_loop().time
        end = now() + _delay(peer.failures)
        while not peer.hurry and (left_s := end - now()) > 0:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(left_s):  # wait_for of 3.11 may swallow a cancellation
                    await peer.nudge.wait()
            peer.nudge.clear()
        peer.hurry = False

    @staticmethod
    def _is_linked(peer: Peer) -> bool:
        return peer.link is not None

    def _look_again(self, peer: Peer) -> None:
        """React to news of a peer: probe its link, which may be dead, give up a call under way, and end a pause."""
        peer.failures = min(peer.failures, 2)
        peer.hurry = peer.link is None  # otherwise the probe decides
        peer.nudge.set()
        if peer.link is not None:
            self._start(self._probe(peer, peer.link))

    async def _dial(self, peer: Peer) -> bool:
        """Try a peer's addresses in turn until there is news. When one answers, run the link until it ends."""
        hung_up_before, peer.hung_up = peer.hung_up, False
        for host, port in list(peer.endpoints):
            certificate = self._members().get(peer.device)
            if certificate is None or self._is_linked(peer):
                return self._is_linked(peer)
            if not peer.may_call((host, port), _now_s()):
                continue
            calling = asyncio.ensure_future(self._call(peer.device, certificate, host, port))
            news = asyncio.ensure_future(peer.nudge.wait())
            try:
                await asyncio.wait({calling, news}, return_when=asyncio.FIRST_COMPLETED)
                if not calling.done():
                    return False
                link = calling.result()
            except RemoteError as error:
                met = self._judged(peer, error, host_port(host, port), hung_up_before)
                peer.error = met.told(self._name_of(peer.device))
                peer.is_unsteady = not isinstance(met, NotReachableError)
                self._overseer.worked(_CALLING)
                continue
            except StorageError as error:  # a private key that is in use is in a file for a moment
                peer.error = str(error)
                self._overseer.failed(_CALLING, error)
                continue
            finally:
                calling.cancel()
                news.cancel()
            await self._carry(peer, link, (host, port))
            peer.nudge.clear()
            return True
        return False

    async def _call(self, device: str, certificate: bytes, host: str, port: int) -> Link:
        """Call a member. If it does not know this device, let it be told, and call again."""
        size = self.all[device].packets.limit(_now_s())
        try:
            return await dial(self._identity, device, certificate, host, port, packet_bytes=size)
        except NotAMemberError as error:
            told = self._introduce if error.by_peer else None
            if told is None or not await told(device, certificate, host, port):
                raise
        return await dial(self._identity, device, certificate, host, port, packet_bytes=size)

    def _judged(self, peer: Peer, error: RemoteError, address: str, hung_up_before: bool) -> RemoteError:
        """Return what a failed call means: only a peer that hangs up on two calls in a row does not know this device."""
        if not (isinstance(error, NotAMemberError) and error.by_peer):
            return error
        peer.hung_up = True
        if not hung_up_before:
            return NotReachableError(address, "it hung up")
        self._on_refused(peer.device)
        return error

    async def _accepted(self, link: Link) -> None:
        self._meet()
        peer = self.all.get(link.peer)
        if peer is None:
            await link.close(Reason.NOT_A_MEMBER)
            return
        await self._carry(peer, link, None)

    async def _carry(self, peer: Peer, link: Link, endpoint: Endpoint | None) -> None:
        """Run a link until it ends, unless there is a better one."""
        while peer.link is not None:
            former = peer.link
            if not self._is_better(link, former) and await former.probe(PROBE_S):
                await link.close(Reason.ANOTHER)
                return
            if peer.link is former:
                peer.link = None
                self._start(former.close(Reason.BETTER))  # in a task, because it takes long if nobody answers
        peer.link, peer.error, peer.is_failing, peer.hung_up, peer.hurry = link, "", False, False, False
        self._overseer.worked(_CALLING)
        began = _now_s()
        if peer.packets.opened(began):
            self._on_trouble(peer.device, packets.sentence(self._name_of(peer.device)))
        self._limit_packets()
        if endpoint is not None:
            peer.note([endpoint], known=True)
            self._on_dialled(peer.device, endpoint)
        try:
            await self._on_link(link)
        except EddaError as error:
            peer.error, peer.is_failing = _text(error, self._name_of(peer.device)), True
        finally:
            if peer.link is link:
                peer.link = None
                lasted = _now_s() - began
                peer.is_unsteady = peer.is_failing or lasted < STEADY_LINK_S
                peer.failures = peer.failures + 1 if peer.is_unsteady else 0
                self._note_copy(peer, link)
            if link.has_stalled:
                peer.packets.stalled(_now_s())
                self._limit_packets()
                asyncio.get_running_loop().call_later(2 * limits.ANSWERS_SOON_S, self._limit_packets)
            peer.nudge.set()
            await link.close(Reason.CLOSING if self._is_leaving else Reason.DONE)

    def _limit_packets(self) -> None:
        """Limit the packets of whoever calls, whose address does not say who it is, as the least of all peers wants it."""
        now_s = _now_s()
        sizes = [peer.packets.limit(now_s) for peer in self.all.values()]
        self._listener.limit_packets(min((each for each in sizes if each != packets.ANY), default=packets.ANY))

    def _note_copy(self, peer: Peer, link: Link) -> None:
        """Detect a copy of this store: a peer keeps ending our links for another one, and that one is not ours."""
        peer.refused = peer.refused + 1 if link.reason in (Reason.ANOTHER, Reason.BETTER) else 0
        if peer.refused >= _REFUSALS:
            name = self._name_of(peer.device)
            peer.error = f"Another copy of this device's store is connected to {name}; use only one of the two."
            self._on_trouble(peer.device, peer.error)

    def _is_better(self, link: Link, former: Link) -> bool:
        """Tell whether a link is better than a former one: dialled by the lower id, or newer if one side dialled both."""
        if link.dialled == former.dialled:
            return True
        return link.dialled == (self._identity.device < link.peer)

    async def _probe(self, peer: Peer, link: Link) -> None:
        if not await link.probe(PROBE_S) and peer.link is link:
            peer.link = None
            peer.hurry = True
            peer.nudge.set()
            await link.close(Reason.NO_ANSWER)


def _now_s() -> float:
    return asyncio.get_running_loop().time()


def _text(error: EddaError, name: str) -> str:
    return error.told(name) if isinstance(error, RemoteError) else str(error)


def _delay(failures: int) -> float:
    """Return the delay before the next try, in seconds. It doubles after some failures, up to a limit, with jitter."""
    doubled = limits.RECONNECT_DELAY_S_MIN * 2 ** min(max(0, failures - STEADY_DELAYS), 10)
    return float(min(limits.RECONNECT_DELAY_S_MAX, doubled)) * random.uniform(0.75, 1.25)  # noqa: S311 - jitter, no secret


__all__ = ["DIAL_AGAIN_S", "Endpoint", "NotReachableError", "Peer", "Peers"]
