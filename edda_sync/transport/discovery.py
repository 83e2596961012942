"""
Discovery: members of one workspace find each other's addresses on the LAN, and a joiner finds its inviter.

What a device announces is a hint, never a proof: a link proves who is at an address (see ``link``). It names neither
workspace nor device. The instance name is random, and new after each change of the network and each hour; the TXT
record carries HMACs, which members can compute and nobody else can read: *tags* of the name, *dates* of name and hour, and
*answers* to names that were heard. Members recognise each other by the tags, whatever their clocks say.

Anybody can record an announcement and repeat it later, to see whether members of that workspace are there. So a member is
called only if it is *live*: its date is of about this hour, or it has answered to the present name of this device, which
takes a moment longer, and needs no common clock. A device answers to every name without a date of this hour, a stranger's
too, with random bytes: nobody else can see whom it knows.

A device that hears a member under a new name announces itself again. So the newcomer need not wait for an answer, which
RFC 6762 (section 6) holds back for a second when the record was multicast just before.
"""

from __future__ import annotations

import asyncio
import contextlib
import hmac
import secrets
from collections import Counter, deque
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from zeroconf.asyncio import AsyncServiceInfo

from edda_sync.transport.interfaces import Endpoint, endpoints_of, interfaces
from edda_sync.transport.multicast import Look, Station
from edda_sync.words.limits import (
    ANSWERS_MAX,
    ANSWERS_WINDOW_S,
    ANSWERS_WITHIN_WINDOW,
    DISCOVERY_KEYS_MAX,
    ENDPOINTS_MAX,
    FURTHER_INVITATIONS_S,
    INVITATIONS_TRIED_MAX,
    RENAMED_EVERY_S,
)

SYNC = "_edda-sync._tcp.local."
PAIR = "_edda-pair._tcp.local."
VERSION = "1"
TAG_BYTES = 8


def tag(key: bytes, device: str, name: str) -> str:
    """
    Return the tag that a device announces under one name.

    Args:
        key: The workspace's discovery key.
        device: The device id.
        name: The random name of the announcement, 16 hex digits.

    Returns:
        16 hex digits: the first 8 bytes of HMAC-SHA256 (RFC 2104).
    """
    return hmac.digest(key, f"{device} {name}".encode(), "sha256")[:TAG_BYTES].hex()


# --- members ----------------------------------------------------------------------------------------------------------


def date(key: bytes, device: str, name: str, hour: int) -> str:
    """Return what a device adds to its :func:`tag` in one hour, in whole hours since 1970 by its clock."""
    return tag(key, device, f"{name} at {hour}")


def answer(key: bytes, device: str, name: str, heard: str) -> str:
    """Return what a device adds to its :func:`tag` after it has heard another name."""
    return tag(key, device, f"{name} heard {heard}")


@dataclass(frozen=True, slots=True)
class _Record:
    tags: tuple[str, ...]
    dates: tuple[str, ...]
    answers: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Announcement:
    record: _Record
    endpoints: tuple[Endpoint, ...]
    device: str | None = None  # None as long as no known member has these tags
    key: bytes = b""  # the newest one that both have
    is_live: bool = False


class Discovery:
    """
    Announce this device, and find the other members. Use it as an asynchronous context manager.

    Call :meth:`refresh` when members or keys were added. Callbacks run from the event loop.

    Args:
        device: This device's id.
        keys: The workspace's discovery keys, newest first; a device that missed a rotation knows only the older ones.
            Tags under the first ``DISCOVERY_KEYS_MAX`` are announced and recognised.
        port: The port where this device listens.
        members: Returns the ids of the present members; this device may be among them.
        on_found: Called with a member and the addresses that it announces, best first; again with each announcement.
        now: Returns the wall time in seconds since 1970.
        on_own: Called with the addresses that somebody announces for this device: itself, or a copy of its store.
        on_lost: Called with a member that withdrew all its announcements.
        on_network_change: Called when the interfaces have changed: dial again, because members are found again.
        look: Returns the present interfaces.
    """

    def __init__(
        self,
        device: str,
        keys: Callable[[], Sequence[bytes]],
        port: int,
        *,
        members: Callable[[], Iterable[str]],
        on_found: Callable[[str, list[Endpoint]], None],
        now: Callable[[], float],
        on_own: Callable[[list[Endpoint]], None] | None = None,
        on_lost: Callable[[str], None] | None = None,
        on_network_change: Callable[[], None] | None = None,
        look: Look = interfaces,
    ) -> None:
        self._device, self._keys, self._members, self._now = device, keys, members, now
        self._on_found, self._on_lost, self._on_network_change = on_found, on_lost, on_network_change
        self._on_own = on_own
        self._seen: dict[str, _Announcement] = {}
        self._answers: deque[str] = deque(maxlen=ANSWERS_MAX)
        self._answered_as = ""
        self._answered_s: deque[float] = deque(maxlen=ANSWERS_WITHIN_WINDOW)
        self._station = Station(
            SYNC, port=port, text=self._text, period=self._hour, more=self._more, heard=self._heard,
            reopening=self._reopening, look=look,
        )  # fmt: skip

    async def __aenter__(self) -> Self:
        await self._station.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._station.__aexit__(kind, error, traceback)

    async def watching(self) -> None:
        """Wait until the network is no longer watched: the context was left, or a bug ended it, which is raised then."""
        await self._station.watching()

    @property
    def available(self) -> bool:
        """Return whether this device announces itself and hears others now; if not, it will once an interface appears."""
        return self._station.available

    @property
    def reason(self) -> str:
        """Return why discovery is not available, for a person; empty when it is."""
        return self._station.reason

    def refresh(self) -> None:
        """Check again the announcements of unknown devices, because members have joined, or keys have come."""
        for name, seen in list(self._seen.items()):
            if seen.device is None and (after := self._judged(name, seen.record, seen.endpoints)).device is not None:
                self._seen[name] = after
                self._took(name, after, None)

    def _text(self, name: str) -> Mapping[str, str]:
        keys, hour = self._current_keys(), self._hour()
        return {
            "v": VERSION,
            "t": ",".join(tag(key, self._device, name) for key in keys),
            "d": ",".join(date(key, self._device, name, hour) for key in keys),
        }

    def _more(self) -> Mapping[str, str]:
        answers = self._answers if self._answered_as == self._station.name else ()
        return {"a": ",".join(answers)} if answers else {}

    def _hour(self) -> int:
        return int(self._now() // RENAMED_EVERY_S)

    def _current_keys(self) -> tuple[bytes, ...]:
        return tuple(self._keys())[:DISCOVERY_KEYS_MAX]

    def _judged(self, instance: str, record: _Record, endpoints: tuple[Endpoint, ...]) -> _Announcement:
        """Return whose announcement a record is, and whether that member is live."""
        name, hour, own = _name(instance), self._hour(), self._station.name
        members = {*self._members(), self._device}
        for key, each in ((key, each) for key in self._current_keys() for each in members):
            if tag(key, each, name) in record.tags:
                is_live = answer(key, each, name, own) in record.answers or any(
                    date(key, each, name, about) in record.dates for about in (hour - 1, hour, hour + 1)
                )
                return _Announcement(record, endpoints, each, key, is_live)
        return _Announcement(record, endpoints)

    def _answer(self, name: str, key: bytes) -> None:
        """Let a device that has this name know that it was heard, and a stranger see the same of each device."""
        now_s, own = asyncio.get_running_loop().time(), self._station.name
        if len(self._answered_s) == ANSWERS_WITHIN_WINDOW and now_s - self._answered_s[0] < ANSWERS_WINDOW_S:
            return
        self._answered_s.append(now_s)
        if self._answered_as != own:  # an answer under two names would tell strangers that both are of one device
            self._answers.clear()
            self._answered_as = own
        self._answers.append(answer(key or secrets.token_bytes(32), self._device, own, _name(name)))
        self._station.announce()

    def _reopening(self, network_changed: bool) -> None:
        self._seen.clear()
        if network_changed and self._on_network_change is not None:
            self._on_network_change()

    def _heard(self, name: str, info: AsyncServiceInfo | None) -> None:
        before = self._seen.pop(name, None)
        if info is None:
            remaining = {each.device for each in self._seen.values()}
            gone = before.device if before is not None else None
            if gone is not None and gone not in {self._device, *remaining} and self._on_lost is not None:
                self._on_lost(gone)
            return
        record, endpoints = _record(info), tuple(endpoints_of(info, self._station.present))
        if record is None or not info.port or not endpoints:
            return
        self._make_room()
        after = self._seen[name] = self._judged(name, record, endpoints)
        self._took(name, after, before)

    def _took(self, name: str, after: _Announcement, before: _Announcement | None) -> None:
        """Do what follows from an announcement; the same record comes by each interface and IP version."""
        if not after.is_live or after.device is None:
            if before is None:
                self._answer(name, after.key)
        elif after.device == self._device:
            if self._on_own is not None:
                self._on_own(list(after.endpoints))
        elif (after.device, after.endpoints, True) != (before and (before.device, before.endpoints, before.is_live)):
            if before is None:
                self._station.announce()
            self._on_found(after.device, list(after.endpoints))

    def _make_room(self) -> None:
        """Forget the oldest stranger, or else the oldest record of the device with most: a flood displaces only itself."""
        if len(self._seen) >= ENDPOINTS_MAX:
            counts = Counter(each.device for each in self._seen.values())
            crowd = max(counts, key=lambda device: (device is None, counts[device]))
            del self._seen[next(name for name, each in self._seen.items() if each.device == crowd)]


def _name(instance: str) -> str:
    return instance.partition(".")[0]


def _record(info: AsyncServiceInfo) -> _Record | None:
    """Return what a record says; None if this version cannot read it."""
    if info.properties.get(b"v") != VERSION.encode():
        return None
    listed = [
        tuple(each for each in (info.properties.get(key) or b"").decode("ascii", "replace").split(",")[:most]
              if len(each) == TAG_BYTES * 2)
        for key, most in ((b"t", DISCOVERY_KEYS_MAX), (b"d", DISCOVERY_KEYS_MAX), (b"a", ANSWERS_MAX))
    ]  # fmt: skip
    return _Record(*listed) if listed[0] else None


# --- pairing ----------------------------------------------------------------------------------------------------------


@contextlib.asynccontextmanager
async def announce_pairing(port: int, nameplate: str, *, look: Look = interfaces) -> AsyncIterator[str]:
    """
    Announce on the LAN that an invitation is open, as long as the context lasts; a joiner calls :func:`find_pairing`.

    Args:
        port: The port of the invitation.
        nameplate: The first two digits of its code.
        look: Returns the present interfaces.

    Yields:
        Why no device can find it, for a person who then types an address; empty if devices can find it.
    """
    text = {"v": VERSION, "n": nameplate}
    async with Station(PAIR, port=port, text=lambda _name: text, look=look) as station:
        yield station.reason


async def find_pairing(
    nameplate: str, timeout_s: float, *, look: Look = interfaces
) -> AsyncGenerator[list[Endpoint], None]:
    """
    Look for the invitation of a code; try its endpoints in turn with :func:`~edda_sync.transport.pairing.ends.join`.

    Anybody can announce an invitation with any nameplate, so go on with the next one if the code does not fit the first.
    Once one was found, others are waited for only ``FURTHER_INVITATIONS_S``.

    Args:
        nameplate: The first two digits of the code.
        timeout_s: How long to look, in seconds.
        look: Returns the present interfaces.

    Yields:
        The addresses of an invitation, best first; at most ``INVITATIONS_TRIED_MAX`` times.
    """
    found: asyncio.Queue[list[Endpoint]] = asyncio.Queue(INVITATIONS_TRIED_MAX)
    names: set[str] = set()

    def heard(name: str, info: AsyncServiceInfo | None) -> None:
        if info is None or name in names or found.full() or not info.port:
            return
        if (info.properties.get(b"v"), info.properties.get(b"n")) == (VERSION.encode(), nameplate.encode()):
            endpoints = endpoints_of(info, station.present)
            if endpoints:
                names.add(name)
                found.put_nowait(endpoints)

    station = Station(PAIR, heard=heard, look=look)  # before it opens, because announcements may arrive during that
    async with station:
        deadline = asyncio.get_running_loop().time() + timeout_s
        for _ in range(INVITATIONS_TRIED_MAX):
            try:
                async with asyncio.timeout_at(deadline):
                    endpoints = await found.get()
            except TimeoutError:
                return
            yield endpoints
            deadline = min(deadline, asyncio.get_running_loop().time() + FURTHER_INVITATIONS_S)
