"""
Multicast DNS (RFC 6762, RFC 6763) on whatever network there is now: announcing, hearing, and noticing that it changed.

Rules that the code keeps, each found by trying:
  1. Sockets are opened per interface, by address. ``InterfaceChoice.Default`` needs a default route; loopback alone, or
     a cable between two devices, has none.
  2. Questions ask for multicast answers. Processes of one machine share port 5353: a unicast one reaches one of them.
  3. After any change of the interfaces everything is opened anew under a new name: memberships and cached records of an
     interface that went and came back are stale, and a new name is news to those who remember the old one.
  4. Callbacks run from the event loop, never inside zeroconf, whose sockets close when one raises.
"""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import secrets
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

import ifaddr
import zeroconf
from zeroconf import DNSQuestionType, ServiceStateChange, Zeroconf
from zeroconf.asyncio import AsyncServiceBrowser, AsyncServiceInfo, AsyncZeroconf

from edda_sync.words.limits import (
    ADDRESSES_MAX,
    DISCOVERY_POLL_S,
    ENDPOINTS_MAX,
    OPEN_TIMEOUT_S,
    RECONNECT_DELAY_S_MAX,
)

LOOPBACK = "127.0.0.1"

Endpoint = tuple[str, int]
Look = Callable[[], frozenset["Interface"]]
Heard = Callable[[str, AsyncServiceInfo | None], None]


# --- interfaces -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Interface:
    """One network interface as it is now; ``addresses`` can be used, and carry no scope."""

    name: str
    index: int
    up: bool
    addresses: frozenset[str]


def interfaces() -> frozenset[Interface]:
    """
    The interfaces of this machine; compare two calls to see whether the network has changed.

    Raises:
        OSError: The system would not say.
    """
    tentative = _tentative()
    found = set()
    for adapter in ifaddr.get_adapters():
        addresses = {str(ipaddress.ip_address(ip.ip if isinstance(ip.ip, str) else ip.ip[0])) for ip in adapter.ips}
        up = _carries(adapter.name)
        found.add(Interface(adapter.name, adapter.index or 0, up, frozenset(addresses - tentative)))
    return frozenset(found)


def has_network() -> bool:
    """Whether this machine has an address on any interface but its loopback."""
    return any(
        not ipaddress.ip_address(each).is_loopback
        for interface in interfaces()
        if interface.up
        for each in interface.addresses
    )


def _carries(name: str) -> bool:
    """Whether packets pass. Loopback and tunnels say "unknown"; a system without such files is taken at its word."""
    try:
        return (Path("/sys/class/net") / name / "operstate").read_text().strip() in ("up", "unknown")
    except OSError:
        return True


def _tentative() -> frozenset[str]:
    """IPv6 addresses that Linux still checks for duplicates (RFC 4862), and that no socket can use yet."""
    try:
        lines = Path("/proc/net/if_inet6").read_text().splitlines()
    except OSError:
        return frozenset()
    unusable = 0x40 | 0x08  # IFA_F_TENTATIVE, IFA_F_DADFAILED
    fields = (line.split() for line in lines)
    return frozenset(
        str(ipaddress.IPv6Address(int(address, 16)))
        for address, _, _, _, flags, _ in fields
        if int(flags, 16) & unusable
    )


def _preference(address: str) -> tuple[bool, bool, str]:
    """IPv4 first, which works as soon as a link is up; IPv6 link-local, which needs a scope, last."""
    parsed = ipaddress.ip_address(address)
    return parsed.version == 6, parsed.is_link_local, address


def _usable(present: Iterable[Interface]) -> list[str]:
    """The addresses at which others reach this device, best first; loopback when there is nothing else."""
    addresses = {address for interface in present if interface.up for address in interface.addresses}
    outward = [address for address in addresses if not ipaddress.ip_address(address).is_loopback]
    return sorted(outward, key=_preference)[:ADDRESSES_MAX] or [LOOPBACK]


def endpoints_of(info: AsyncServiceInfo, present: Iterable[Interface]) -> list[Endpoint]:
    """
    Where an announcement says that somebody listens, best first.

    An IPv6 link-local address is worth nothing without the interface that it came by. Where zeroconf does not know (it
    heard of it by IPv4, or says ``%0``), every interface that has such addresses itself is a candidate.
    """
    scopes = sorted({str(i.index) for i in present if i.up and any(map(_is_scoped, i.addresses))})
    hosts: dict[str, tuple[bool, bool, str]] = {}
    for scoped in info.parsed_scoped_addresses():
        address, _, scope = scoped.partition("%")
        parsed = ipaddress.ip_address(address)
        if parsed.is_multicast or parsed.is_unspecified:
            continue
        known = [scope] if scope not in ("", "0") else scopes
        for host in [f"{address}%{each}" for each in known] if _is_scoped(address) else [address]:
            hosts[host] = _preference(address)
    return [(host, info.port or 0) for host in sorted(hosts, key=hosts.__getitem__)[:ADDRESSES_MAX]]


def _is_scoped(address: str) -> bool:
    parsed = ipaddress.ip_address(address)
    return parsed.version == 6 and parsed.is_link_local


# --- announcing and hearing -------------------------------------------------------------------------------------------


class Station:
    """
    One announcement and one browser on whatever network there is; opened anew when that changes, or the announcement.

    Args:
        service: Service type, fully qualified.
        port: What to announce, if ``text`` is given.
        text: The TXT record as it should be now; None announces nothing.
        heard: Called with the name and content of an announcement, content None when it was withdrawn; None to not ask.
        reopening: Called before everything is opened anew, with whether the network has changed.
        look: Where the interfaces come from.
    """

    def __init__(
        self,
        service: str,
        *,
        port: int = 0,
        text: Callable[[], Mapping[str, str]] | None = None,
        heard: Heard | None = None,
        reopening: Callable[[bool], None] | None = None,
        look: Look = interfaces,
    ) -> None:
        self.reason = "discovery has not started"
        self.present: frozenset[Interface] = frozenset()
        self._service, self._port, self._text = service, port, text
        self._heard, self._reopening, self._look = heard, reopening, look
        self._air: _Air | None = None
        self._announced: Mapping[str, str] | None = None
        self._retry_at = 0.0
        self._stopping = asyncio.Event()

    async def __aenter__(self) -> Self:
        await self._reconcile(starting=True)
        self._watcher = asyncio.create_task(self._watch())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._stopping.set()
        try:
            await self._watcher
        finally:
            if self._air is not None:
                await self._air.close()

    async def watching(self) -> None:
        """Wait until the network is no longer watched: the context was left, or a bug ended it, which is raised."""
        await asyncio.shield(self._watcher)

    @property
    def available(self) -> bool:
        """Whether anything is sent and heard; ``reason`` says why not."""
        return self._air is not None

    def announce(self) -> None:
        """Say again, at once, what is announced."""
        if self._air is not None:
            self._air.announce()

    async def _watch(self) -> None:
        while not self._stopping.is_set():
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(DISCOVERY_POLL_S):
                    await self._stopping.wait()
            if not self._stopping.is_set():
                await self._reconcile()

    async def _reconcile(self, *, starting: bool = False) -> None:
        """Bring what is open in line with the network and with what is to be announced."""
        loop = asyncio.get_running_loop()
        try:
            present = self._look()
        except OSError:
            return  # the system is short of something for the moment: the next look will tell
        text = self._text() if self._text is not None else None
        due = self._air is None and loop.time() >= self._retry_at
        if (present, text) == (self.present, self._announced) and not due:
            return
        if self._reopening is not None and not starting:
            loop.call_soon(self._reopening, present != self.present)
        self.present, self._announced = present, text
        closing, self._air = self._air, None
        if closing is not None:
            closing.deafen()
        try:
            self._air = await _Air.opened(self._service, present, self._port, text, self._heard)
            self.reason = ""
        except (OSError, zeroconf.Error) as error:
            self.reason = f"multicast does not work here: {getattr(error, 'strerror', None) or error}"
            self._retry_at = loop.time() + RECONNECT_DELAY_S_MAX
        if closing is not None:  # last, so that nobody loses the old name before hearing the new one
            with contextlib.suppress(
                OSError, zeroconf.Error
            ):  # its network may be gone: nobody is left to hear goodbye
                await closing.close()


class _Air:
    """What a station has open at one time: the sockets, a name, and the questions that wait for answers."""

    def __init__(self, multicast: AsyncZeroconf, heard: Heard | None) -> None:
        self._multicast, self._heard = multicast, heard
        self._info: AsyncServiceInfo | None = None
        self._burst: asyncio.Future[None] | None = None
        self._browser: AsyncServiceBrowser | None = None
        self._asking: set[asyncio.Task[None]] = set()

    @classmethod
    async def opened(
        cls,
        service: str,
        present: frozenset[Interface],
        port: int,
        text: Mapping[str, str] | None,
        heard: Heard | None,
    ) -> _Air:
        """Open everything; an ``OSError`` or a ``zeroconf.Error`` says why that is not possible."""
        air = cls(_multicast(present), heard)
        opening = asyncio.ensure_future(air._open(service, port, text, _usable(present)))
        try:
            await asyncio.shield(opening)  # zeroconf cannot be closed any more once its start was cancelled
        except BaseException:
            await asyncio.wait({opening})
            await air.close()
            raise
        return air

    async def _open(self, service: str, port: int, text: Mapping[str, str] | None, addresses: list[str]) -> None:
        await self._multicast.zeroconf.async_wait_for_start()
        if not self._multicast.zeroconf.engine.senders:
            raise OSError("no network interface takes part in it")
        if text is not None:
            name = secrets.token_hex(8)
            self._info = AsyncServiceInfo(
                service,
                f"{name}.{service}",
                port=port,
                properties=dict(text),
                server=f"{name}.local.",
                parsed_addresses=addresses,
            )
            # Nobody draws the same 64 bits: to probe for the name first (RFC 6762, section 8.1) would only cost time.
            burst = await self._multicast.async_register_service(self._info, cooperating_responders=True)
            self._burst = asyncio.ensure_future(burst)
        if self._heard is not None:
            self._browser = AsyncServiceBrowser(
                self._multicast.zeroconf, service, handlers=[self._changed], question_type=DNSQuestionType.QM
            )

    def announce(self) -> None:
        # Who spoke during a burst hears the rest of it; so a crowd of newcomers costs one burst at a time.
        if self._info is not None and (self._burst is None or self._burst.done()):
            self._burst = asyncio.ensure_future(self._announce_again(self._info))

    def deafen(self) -> None:
        """Stop asking and hearing."""
        self._heard = None

    async def close(self) -> None:
        """Say goodbye and close the sockets."""
        tasks = [*self._asking, *([self._burst] if self._burst is not None else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._browser is not None:
            await self._browser.async_cancel()
        await self._multicast.async_close()

    async def _announce_again(self, info: AsyncServiceInfo) -> None:
        await (await self._multicast.async_update_service(info))

    def _changed(self, zeroconf: Zeroconf, service_type: str, name: str, state_change: ServiceStateChange) -> None:
        if self._info is not None and name == self._info.name:
            return
        if state_change is ServiceStateChange.Removed:
            self._tell(name, None)
            return
        info = AsyncServiceInfo(service_type, name)
        if info.load_from_cache(zeroconf):
            self._tell(name, info)
        elif len(self._asking) < ENDPOINTS_MAX:
            task = asyncio.create_task(self._ask(zeroconf, info))
            self._asking.add(task)
            task.add_done_callback(self._asking.discard)

    async def _ask(self, zeroconf: Zeroconf, info: AsyncServiceInfo) -> None:
        if await info.async_request(zeroconf, OPEN_TIMEOUT_S * 1000, DNSQuestionType.QM):
            self._tell(info.name, info)

    def _tell(self, name: str, info: AsyncServiceInfo | None) -> None:
        if self._heard is not None:
            asyncio.get_running_loop().call_soon(self._heard, name, info)


def _multicast(present: frozenset[Interface]) -> AsyncZeroconf:
    """Sockets on every interface that is up; an ``OSError`` says why there are none."""
    chosen: list[str | int] = []
    for interface in sorted((each for each in present if each.up), key=lambda each: each.index):
        by_version: dict[int, list[str]] = {4: [], 6: []}
        for address in sorted(interface.addresses):
            parsed = ipaddress.ip_address(address)
            if parsed.version == 4 or not parsed.is_loopback:  # zeroconf cannot listen on ::1
                by_version[parsed.version].append(address)
        chosen += by_version[4][:1]
        chosen += [interface.index] if by_version[6] and interface.index else []
    if not chosen:
        raise OSError("no network interface is up")
    try:
        return AsyncZeroconf(interfaces=chosen)
    except RuntimeError as error:  # zeroconf's word for an interface that has gone since we looked
        raise OSError("an interface has just gone") from error
