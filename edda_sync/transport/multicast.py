"""
Multicast DNS (RFC 6762, RFC 6763): announces and listens on the present network, and notices when the network changes.

Rules that the code keeps, each found by experiment:
  1. Sockets are opened for each interface, by address. ``InterfaceChoice.Default`` needs a default route; loopback alone,
     or a cable between two devices, has none.
  2. Questions ask for multicast answers. Processes of one machine share port 5353, and a unicast answer reaches only one.
  3. After any change of the interfaces everything is opened again under a new name. When an interface went away and came
     back, its memberships and cached records are stale, and devices that remember the old name notice a new one.
  4. Callbacks run from the event loop, never inside zeroconf, which closes its sockets when a callback raises.
  5. Everything is opened again after very many names were heard, too: zeroconf keeps a question for each, for an hour.
  6. Only names of our own form are looked at. Anybody can send any name, and zeroconf raises an exception for many of them.
"""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import logging
import re
import secrets
from collections.abc import Awaitable, Callable, Mapping
from types import TracebackType
from typing import Self

import zeroconf
from zeroconf import DNSQuestionType, ServiceStateChange, Zeroconf
from zeroconf.asyncio import AsyncServiceBrowser, AsyncServiceInfo, AsyncZeroconf

from edda_sync.transport.interfaces import Interface, interfaces, usable
from edda_sync.words.limits import (
    DISCOVERY_POLL_S,
    ENDPOINTS_MAX,
    NAMES_HEARD_MAX,
    OPEN_TIMEOUT_S,
    RECONNECT_DELAY_S_MAX,
)

_NAME_BYTES = 8
_OUR_NAME = re.compile(rf"[0-9a-f]{{{2 * _NAME_BYTES}}}")

# zeroconf logs records that it cannot read, with a traceback and with what a stranger wrote; here they are nothing special.
logging.getLogger("zeroconf").setLevel(logging.CRITICAL)

Look = Callable[[], frozenset[Interface]]
Heard = Callable[[str, AsyncServiceInfo | None], None]


class Station:
    """
    One announcement and one browser on the network. Both are opened again when the network or the announcement changes.

    Args:
        service: The service type, fully qualified.
        port: The port to announce, if ``text`` is given.
        text: Returns the present TXT record for a name; None announces nothing.
        period: Returns a number; when it changes, so does the name.
        more: Returns what is added to the record when it is announced again. What it adds does not change the name.
        heard: Called with the name and content of an announcement; the content is None if it was withdrawn. None to not
            listen.
        reopening: Called before everything is opened again, with whether the network has changed.
        look: Returns the present interfaces.
    """

    def __init__(
        self,
        service: str,
        *,
        port: int = 0,
        text: Callable[[str], Mapping[str, str]] | None = None,
        period: Callable[[], int] = lambda: 0,
        more: Callable[[], Mapping[str, str]] = dict,
        heard: Heard | None = None,
        reopening: Callable[[bool], None] | None = None,
        look: Look = interfaces,
    ) -> None:
        self.reason = "discovery has not started"
        self.present: frozenset[Interface] = frozenset()
        self._service, self._port, self._text, self._period = service, port, text, period
        self._more = more
        self._heard, self._reopening, self._look = heard, reopening, look
        self._air: _Air | None = None
        self.name = ""
        self._announced: object = None
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
        """Wait until the network is no longer watched: the context was left, or a bug ended it, which is raised then."""
        await asyncio.shield(self._watcher)

    @property
    def available(self) -> bool:
        """Tell whether it can send and receive; ``reason`` says why not."""
        return self._air is not None

    def announce(self) -> None:
        """Send the announcement again, at once."""
        if self._air is not None:
            self._air.announce(self._more())

    async def _watch(self) -> None:
        while not self._stopping.is_set():
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(DISCOVERY_POLL_S):
                    await self._stopping.wait()
            if not self._stopping.is_set():
                await self._reconcile()

    def _said(self) -> object:
        """Return what the announcement depends on, besides the network."""
        return self._text and (self._period(), self._text(self.name))

    async def _reconcile(self, *, starting: bool = False) -> None:
        """Bring what is open in line with the network and the announcement."""
        loop = asyncio.get_running_loop()
        try:
            present = self._look()
        except OSError:
            return  # the system lacks something at the moment; the next look tries again
        due = self._air is None and loop.time() >= self._retry_at
        crowded = self._air is not None and self._air.is_crowded
        if (present, self._said()) == (self.present, self._announced) and not due and not crowded:
            return
        if self._reopening is not None and not starting:
            loop.call_soon(self._reopening, present != self.present)
        self.present, self.name = present, secrets.token_hex(_NAME_BYTES)
        self._announced = self._said()
        text = self._text(self.name) if self._text is not None else None
        closing, self._air = self._air, None
        if closing is not None:
            closing.deafen()
        try:
            self._air = await _Air.opened(self._service, present, self._port, self.name, text, self._heard)
            self.reason = ""
        except (OSError, zeroconf.Error) as error:
            self.reason = f"multicast does not work here: {getattr(error, 'strerror', None) or error}"
            self._retry_at = loop.time() + RECONNECT_DELAY_S_MAX
        if closing is not None:  # last, so that the new name is announced before the old one is withdrawn
            with contextlib.suppress(OSError, zeroconf.Error):  # its network may be gone, and its goodbye with it
                await closing.close()


class _Air:
    """What a station has open at one time: sockets, a name, and questions that wait for answers."""

    def __init__(self, multicast: AsyncZeroconf, heard: Heard | None) -> None:
        self._multicast, self._heard = multicast, heard
        self._info: AsyncServiceInfo | None = None
        self._burst: asyncio.Future[None] | None = None
        self._name, self._addresses = "", list[str]()
        self._text: Mapping[str, str] = {}
        self._more: Mapping[str, str] = {}
        self._again = False
        self._browser: AsyncServiceBrowser | None = None
        self._asking: set[asyncio.Task[None]] = set()
        self._names = 0  # that were heard, whoever invented them

    @classmethod
    async def opened(
        cls,
        service: str,
        present: frozenset[Interface],
        port: int,
        name: str,
        text: Mapping[str, str] | None,
        heard: Heard | None,
    ) -> _Air:
        """Open everything; an ``OSError`` or a ``zeroconf.Error`` says why it cannot."""
        air = cls(_multicast(present), heard)
        opening = asyncio.ensure_future(air._open(service, port, name, text, usable(present)))
        try:
            await asyncio.shield(opening)  # zeroconf cannot be closed after its start was cancelled
        except BaseException:
            await asyncio.wait({opening})
            await air.close()
            raise
        return air

    async def _open(
        self, service: str, port: int, name: str, text: Mapping[str, str] | None, addresses: list[str]
    ) -> None:
        await self._multicast.zeroconf.async_wait_for_start()
        if not self._multicast.zeroconf.engine.senders:
            raise OSError("no network interface takes part in it")
        if text is not None:
            self._name, self._text, self._addresses = name, text, addresses
            self._info = _record(service, name, port, text, addresses)
            # Two random names of 64 bits never collide: probing for the name first (RFC 6762, section 8.1) would only take
            # time.
            burst = await self._multicast.async_register_service(self._info, cooperating_responders=True)
            self._burst = asyncio.ensure_future(self._bursting(lambda: burst))
        if self._heard is not None:
            self._browser = AsyncServiceBrowser(
                self._multicast.zeroconf, service, handlers=[self._changed], question_type=DNSQuestionType.QM
            )

    def announce(self, more: Mapping[str, str]) -> None:
        """Announce again, with more in the record."""
        if self._info is None:
            return
        # A device that asked during a burst hears the rest of it, so many newcomers together cause one burst at a time.
        # But a change of the record needs another one.
        is_news, self._more = more != self._more, more
        if self._burst is None or self._burst.done():
            self._burst = asyncio.ensure_future(self._bursting(self._announce_again))
        else:
            self._again = self._again or is_news

    async def _bursting(self, first: Callable[[], Awaitable[None]]) -> None:
        await first()
        while self._again:
            self._again = False
            await self._announce_again()

    @property
    def is_crowded(self) -> bool:
        """Whether so many names were heard that what zeroconf keeps of each is too much."""
        return self._names > NAMES_HEARD_MAX

    def deafen(self) -> None:
        """Stop asking and listening."""
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

    async def _announce_again(self) -> None:
        assert self._info is not None, "what was announced once is announced again"
        properties = {**self._text, **self._more}
        self._info = _record(self._info.type, self._name, self._info.port or 0, properties, self._addresses)
        await (await self._multicast.async_update_service(self._info))

    def _changed(self, zeroconf: Zeroconf, service_type: str, name: str, state_change: ServiceStateChange) -> None:
        self._names += 1
        instance, _, service = name.partition(".")
        if service != service_type or not _OUR_NAME.fullmatch(instance):
            return
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


def _record(service: str, name: str, port: int, text: Mapping[str, str], addresses: list[str]) -> AsyncServiceInfo:
    return AsyncServiceInfo(
        service,
        f"{name}.{service}",
        port=port,
        properties=dict(text),
        server=f"{name}.local.",
        parsed_addresses=addresses,
    )


def _multicast(present: frozenset[Interface]) -> AsyncZeroconf:
    """Return sockets on every interface that is up; an ``OSError`` says why there are none."""
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
    except RuntimeError as error:  # zeroconf's error for an interface that has just disappeared
        raise OSError("an interface has just gone") from error
