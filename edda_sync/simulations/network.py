"""
The network, and what may go wrong on it.

1. A link is a TLS stream: frames arrive complete and in order until it breaks. A lost packet is sent again after a while
   (RFC 6298), so loss is delay. When a link breaks, what was under way is lost.
2. A cut path is silent. What is sent over it waits, and goes on when the path is mended. An end that receives nothing gives
   the link up after a while; until then the link may be half open.
3. A path may be cut in one direction only. While either direction is cut, nobody can dial.
4. A *lawless* path is no stream: it drops, doubles and reorders whole frames. TLS never does that, but the guarantees of the
   sessions must hold even then.
5. In each pair of devices one dials repeatedly. A new link to a peer replaces the old one.
6. Devices may be in a line: those that are not neighbours never meet, and learn of each other through the devices between
   them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Final

from edda_sync.device.peers import STEADY_LINK_S
from edda_sync.simulations.driver import Driver
from edda_sync.simulations.links import Host, Link
from edda_sync.simulations.tape import Draws
from edda_sync.words import limits

LATENCY_MS: Final = (0, 0, 1, 2, 5, 20, 80)  # of a path, in one direction
JITTER_MS: Final = (0, 1, 10, 100)
LOSS_PERCENT: Final = (0, 0, 0, 1, 5, 20)
RESEND_S: Final = 0.2  # the shortest time until a lost packet is sent again; it doubles each time
RESENDS_MAX: Final = 6
DIAL_AGAIN_S: Final = (0.5, 4.0)
DIALS_APART_MAX: Final = 8  # the longest delay after links that did not last, as a multiple; see ``peers.py``
DIAL_S: Final = 0.01  # the shortest duration of a handshake
GIVE_UP_S: Final = (limits.PING_INTERVAL_S, 2 * limits.PING_INTERVAL_S)  # when keepalive notices a silent link


class Path:
    """One direction between two devices."""

    def __init__(self, draws: Draws, lawless: int) -> None:
        self.draws = draws
        self.lawless = lawless
        self.latency_ms = draws.pick("latency", LATENCY_MS)
        self.jitter_ms = draws.pick("jitter", JITTER_MS)
        self.loss = draws.pick("loss", LOSS_PERCENT)

    def delay_s(self) -> float:
        """Draw the delay of the next frame, with losses and resends."""
        draws = self.draws
        delay = (self.latency_ms + draws.draw("jitter", self.jitter_ms + 1)) / 1000
        if self.loss:
            resends = 0
            while resends < RESENDS_MAX and draws.chance("loss", self.loss):
                delay += RESEND_S * 2**resends
                resends += 1
        return delay

    def soothe(self) -> None:
        """Behave well from now on."""
        self.loss = self.lawless = 0


class Network:
    """
    All paths and links.

    Args:
        sim: The simulation.
        lawless: The percentage of frames that a path mistreats.
    """

    def __init__(self, sim: Driver, lawless: int) -> None:
        self._sim = sim
        self._lawless = lawless
        self._draws = sim.tape.source("network", calm=True)
        self._paths: dict[tuple[str, str], Path] = {}
        self._blocked: Counter[tuple[str, str]] = Counter()
        self._dialling: set[tuple[str, str]] = set()
        self._failed: Counter[tuple[str, str]] = Counter()  # how many links in a row did not last
        self._parted: dict[tuple[str, str], tuple[Host, Host]] = {}
        self._links: list[Link] = []
        self._strangers: set[tuple[str, str]] = set()  # pairs that never meet
        self._healed = False
        self.bytes_sent: Counter[tuple[str, str]] = Counter()
        self.made: Counter[frozenset[str]] = Counter()  # how many links were made, by the names of their ends

    # --- links --------------------------------------------------------------------------------------------------------

    def join(self, newcomer: Host) -> None:
        """Make a device reachable for the others, and the others for it."""
        for other in self._sim.devices:
            if other.id != newcomer.id:
                self._dial_soon(newcomer, other)

    def line_up(self) -> None:
        """Let each device meet only its two neighbours, until :meth:`mingle`."""
        names = [device.name for device in self._sim.devices]
        self._strangers = {(a, b) for i, a in enumerate(names) for j, b in enumerate(names) if abs(i - j) > 1}

    @property
    def is_lined_up(self) -> bool:
        """Whether some devices never meet."""
        return bool(self._strangers)

    def mingle(self) -> None:
        """Let all devices meet."""
        self._strangers.clear()
        self.dial_all()

    def dial_all(self) -> None:
        """Let all devices dial at once, as they do when the network changes."""
        for first, second in self._pairs():
            self._dial_soon(first, second, at_once=True)

    def _pairs(self) -> Iterable[tuple[Host, Host]]:
        devices = self._sim.devices
        return [(a, b) for a in devices for b in devices if a.id < b.id]

    def _dial_soon(self, first: Host, second: Host, *, at_once: bool = False) -> None:
        if first.id > second.id:
            first, second = second, first
        key = (first.name, second.name)
        if key in self._dialling:
            return
        self._dialling.add(key)
        delay = DIAL_S if at_once else self._draws.seconds("dial", *DIAL_AGAIN_S)
        if not self._healed:
            delay *= min(2 ** self._failed[key], DIALS_APART_MAX)
        self._sim.later(delay, lambda: self._dial(first, second))

    def _dial(self, first: Host, second: Host) -> None:
        self._dialling.discard((first.name, second.name))
        if first.has_link(second):
            return
        if not self._can_meet(first, second):
            self._parted[first.name, second.name] = first, second
            return
        if not (first.trusts(second) and second.trusts(first)):
            self._dial_soon(first, second)
            return
        self.made[frozenset((first.name, second.name))] += 1
        link = Link(self.made.total(), first, second, self._sim.now)
        self._links.append(link)
        self._sim.note("link", first, peer=second.name, link=link.number)
        first.connected(link)
        if link.alive[1]:
            second.connected(link)

    def _can_meet(self, first: Host, second: Host) -> bool:
        is_whole = not self.is_blocked(first, second) and not self.is_blocked(second, first)
        is_whole = is_whole and (first.name, second.name) not in self._strangers
        return is_whole and first.is_awake and second.is_awake

    def try_again(self, device: Host | None = None) -> None:
        """
        Let those devices dial again that could not meet. Meanwhile no dialling is simulated, because it would have no
        effect.

        Args:
            device: The device that is up again; None when paths were mended.
        """
        for key, (first, second) in list(self._parted.items()):
            if device in (None, first, second) and self._can_meet(first, second):
                del self._parted[key]
                self._dial_soon(first, second)

    def send(self, link: Link, sender: Host, frame: bytes) -> None:
        """Transport a frame from one end of a link to the other."""
        side = link.side_of(sender)
        receiver = link.ends[1 - side]
        self.bytes_sent[sender.name, receiver.name] += len(frame)
        path = self.path(sender, receiver)
        due = self._sim.now + path.delay_s()
        lawless = path.lawless and path.draws.chance("lawless", path.lawless)
        if not lawless:
            link.arrival[1 - side] = due = max(due, link.arrival[1 - side])
        else:
            how = path.draws.pick("how", ("drop", "double", "overtake", "delay"))
            self._sim.note(how, sender, peer=receiver.name)
            if how == "drop":
                return
            if how == "double":
                self._arrive(link, sender, frame, due)
            if how != "overtake":
                due += path.draws.seconds("delay", 0, 2)
        self._arrive(link, sender, frame, due)

    def _arrive(self, link: Link, sender: Host, frame: bytes, due: float) -> None:
        sent = self._sim.now
        side = 1 - link.side_of(sender)

        def deliver() -> None:
            if not link.alive[side]:
                return
            if link.held[side] or self.is_blocked(sender, link.ends[side]):  # a stream keeps its order
                link.held[side].append((frame, sent))
            else:
                self._hand_over(link, side, frame, sent)

        self._sim.at(due, deliver)

    def _hand_over(self, link: Link, side: int, frame: bytes, sent: float) -> None:
        if link.frames_left is not None and not self._healed:
            link.frames_left -= 1
            if link.frames_left < 0:
                self._break(link)
                return
        link.ends[side].received(link, link.ends[1 - side], frame, sent)

    def _break(self, link: Link) -> None:
        """Break a link: what is under way is lost, and both ends know it at once."""
        self._sim.note("broken off", link.ends[0], peer=link.ends[1].name)
        for end in link.ends:
            end.disconnected(link)

    def close(self, link: Link, end: Host, *, told: bool = True) -> None:
        """
        Close one end of a link.

        Args:
            link: The link.
            end: The device at that end.
            told: Whether the other end is told; otherwise it gives up after a while.
        """
        side = link.side_of(end)
        if not link.alive[side]:
            return
        link.alive[side] = False
        link.held[side].clear()
        other = link.ends[1 - side]
        if not link.alive[1 - side]:
            self._links.remove(link)
            names = (link.ends[0].name, link.ends[1].name)
            self._failed[names] = self._failed[names] + 1 if self._sim.now < link.made_s + STEADY_LINK_S else 0
            if not self._sim.is_over:
                self._dial_soon(*link.ends)
        elif told and not self.is_blocked(end, other):
            self._sim.later(self.path(end, other).delay_s(), lambda: other.disconnected(link))
        else:
            self.expire(link, other)

    def expire(self, link: Link, end: Host) -> None:
        """Let an end of a link give it up after a while, unless it receives something."""
        patience = self._draws.seconds("give up", *GIVE_UP_S)

        def give_up() -> None:
            other = link.other(end)
            hears = link.alive[link.side_of(other)] and not self.is_blocked(other, end)
            if link.alive[link.side_of(end)] and not hears:
                end.disconnected(link)

        self._sim.later(patience, give_up)

    # --- paths --------------------------------------------------------------------------------------------------------

    def path(self, sender: Host, receiver: Host) -> Path:
        """Return one direction between two devices."""
        key = (sender.name, receiver.name)
        found = self._paths.get(key)
        if found is None:
            draws = self._sim.tape.source(f"path {key[0]} {key[1]}", calm=True)
            found = self._paths[key] = Path(draws, self._lawless)
            if self._healed:
                found.soothe()
        return found

    def is_blocked(self, sender: Host, receiver: Host) -> bool:
        """Tell whether a direction is cut."""
        return self._blocked[sender.name, receiver.name] > 0

    def cut(self, paths: Iterable[tuple[Host, Host]]) -> list[tuple[str, str]]:
        """Cut directions silently; return the argument for :meth:`mend`."""
        names = [(sender.name, receiver.name) for sender, receiver in paths]
        for name in names:
            self._blocked[name] += 1
        cut = set(names)
        for link in self._links:
            first, second = link.ends
            if (first.name, second.name) in cut or (second.name, first.name) in cut:
                for end in link.ends:
                    self.expire(link, end)
        return names

    def mend(self, names: Iterable[tuple[str, str]]) -> None:
        """Undo a :meth:`cut`: what was held back goes on."""
        for name in names:
            self._blocked[name] = max(0, self._blocked[name] - 1)
        self._flush()
        self.try_again()

    def heal(self) -> None:
        """Undo every cut, and let every path behave well from now on. Frames that a lawless path dropped stay lost."""
        self._healed = True
        self._blocked.clear()
        lawless = [
            link for link in self._links if any(self.path(*ends).lawless for ends in (link.ends, link.ends[::-1]))
        ]
        for path in self._paths.values():
            path.soothe()
        self._flush()
        for link in lawless:
            for end in link.ends:
                end.disconnected(link)
        self.dial_all()

    def _flush(self) -> None:
        for link in list(self._links):
            for side, receiver in enumerate(link.ends):
                sender = link.ends[1 - side]
                if link.held[side] and not self.is_blocked(sender, receiver):
                    self._sim.later(RESEND_S, lambda link=link, side=side: self._drain(link, side))  # type: ignore[misc]
                if not link.alive[1 - side] and link.alive[side]:
                    self.expire(link, receiver)

    def _drain(self, link: Link, side: int) -> None:
        """Deliver what was held back, in order."""
        held = link.held[side]
        while held and not self.is_blocked(link.ends[1 - side], link.ends[side]):
            self._hand_over(link, side, *held.popleft())

    def links_of(self, device: Host) -> list[Link]:
        """Return the links that a device considers open."""
        return [link for link in self._links if device in link.ends and link.alive[link.side_of(device)]]
