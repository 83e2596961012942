"""
The space-time diagram: devices as lanes, time from left to right, messages as arrows, faults at their places.

Frames between two devices that would overlap become one arrow with the number of changes that they carry.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from edda_sync.simulations.picture import words
from edda_sync.simulations.picture.marks import COLOURS, clock, element, number, span_of, titled, width_of
from edda_sync.simulations.picture.scale import Scale
from edda_sync.simulations.recording import DATA, Message, Recording, Spell

LEFT: Final = 122.0
RIGHT: Final = 1164.0
TOP: Final = 46.0
LANE: Final = 112.0
LINE: Final = 78.0  # of a lane, from its top; labels are above it
ROWS: Final = (20.0, 34.0, 48.0)  # of labels, above the line
ARROW_FROM: Final = 6.0
COUNT_AT: Final = 0.35  # along an arrow, because its middle may be on a lane's line
SAME_PROOF: Final = 12.0
BREAK_WIDE: Final = 14.0  # a narrower one would hide more than it explains
LABEL_CHARS_MAX: Final = 36
_UNMARKED: Final = (
    words.NOT_SAID
    | {"all equal"}
    | {
        "heal",
        "equal",
        "mended",
        "sleep",
        "wake",
        "trouble",
        "slow",
        "disk full",
    }
)


@dataclass(slots=True)
class Bundle:
    """Frames that are drawn as one arrow."""

    first: Message
    last: Message
    frames: int
    changes: int


def colour_of(recording: Recording, name: str) -> str:
    """Return the CSS class with a device's colour."""
    return f"c{recording.devices.index(name) % COLOURS}"


class Diagram:
    """
    Draws the lanes and everything in them. Call :meth:`draw`.

    Args:
        recording: The recording of a run.
        scale: The places of times.
        arrows_max: The largest number of arrows.

    Attributes:
        bottom: Where the lanes end.
        used: The signs that were drawn, for the legend.
    """

    def __init__(self, recording: Recording, scale: Scale, arrows_max: int) -> None:
        self._recording, self._scale, self._arrows_max = recording, scale, arrows_max
        self._born = recording.born()
        self._spells = [spell for spell in recording.spells() if spell.end > spell.start]
        self.bottom = TOP + LANE * len(recording.devices)
        self.used: set[str] = set()

    def draw(self) -> str:
        """Return the elements, from back to front."""
        layers = (
            self._bands(),
            self._second_act(),
            self._cuts(),
            self._hardships(),
            self._arrows(),
            self._lanes(),
            self._breaks(),
            self._proofs(),
            self._marks(),
            self._labels(),
        )
        return "".join(part for layer in layers for part in layer)

    # --- places -------------------------------------------------------------------------------------------------------

    def top_of(self, name: str) -> float:
        """Return the top of a lane."""
        return TOP + LANE * self._recording.devices.index(name)

    def line_of(self, name: str) -> float:
        """Return the height of a lane's line."""
        return self.top_of(name) + LINE

    def _colour(self, name: str) -> str:
        return colour_of(self._recording, name)

    # --- layers -------------------------------------------------------------------------------------------------------

    def _bands(self) -> Iterator[str]:
        for index in range(0, len(self._recording.devices), 2):
            top = TOP + LANE * index
            yield element("rect", class_="band", x=0, y=top, width=RIGHT + 36, height=LANE)

    def _second_act(self) -> Iterator[str]:
        healed, equal = self._recording.healed_at, self._recording.equal_at
        if healed is None:
            return
        x = self._scale(healed)
        yield element("rect", class_="whole", x=x, y=TOP, width=RIGHT + 36 - x, height=self.bottom - TOP)
        yield element("line", class_="heal", x1=x, x2=x, y1=TOP - 8, y2=self.bottom)
        yield element("text", "every fault ends", class_="small soft", x=x + 4, y=TOP - 32, text_anchor="end")
        if equal is not None:
            x = self._scale(equal)
            text = f"all proved equal, {span_of(equal - healed)} later"
            yield element("line", class_="heal", x1=x, x2=x, y1=TOP - 12, y2=self.bottom, stroke_dasharray="none")
            yield element("text", text, class_="good", x=min(x + 24, RIGHT + 30), y=TOP - 15, text_anchor="end")

    def _cuts(self) -> Iterator[str]:
        for spell in self._spells:
            if spell.paths:
                yield element("g", raw="".join(self._cut(spell)), class_="parted", data_cut=spell.what)

    def _cut(self, spell: Spell) -> Iterator[str]:
        left, right = self._scale(spell.start), self._scale(spell.end)
        present = [name for name, at in self._born.items() if at <= spell.start]
        yield titled(words.cut_of(present, spell.paths, spell.end - spell.start))
        islands = words.islands_of(present, spell)
        for island in islands:
            self.used.add("cut")
            for first, last in _runs([self._recording.devices.index(name) for name in island]):
                top, height = TOP + LANE * first + 3, LANE * (last - first + 1) - 6
                width = max(right - left, 2.0)
                yield element("rect", class_="cut", x=left, y=top, width=width, height=height, rx=8)
                alone = len(island) == 1
                text = f"{'alone' if alone else 'cut off'} for {span_of(spell.end - spell.start)}"
                if width_of(text) < right - left:
                    yield element("text", text, class_="small cuttext", x=left + 8, y=top + 15)
        for sender, receiver in () if islands else spell.paths:
            self.used.add("oneway")
            towards = 9.0 if self.line_of(receiver) > self.line_of(sender) else -9.0
            y = self.line_of(sender) + towards
            yield element("path", class_="oneway", d=f"M{number(left)} {number(y)}H{number(max(right, left + 2))}")

    def _hardships(self) -> Iterator[str]:
        for spell in self._spells:
            if not spell.device:
                continue
            left, right, y = self._scale(spell.start), self._scale(spell.end), self.line_of(spell.device)
            lasted = span_of(spell.end - spell.start)
            if spell.what == "crash":
                self.used.add("down")
                yield element(
                    "path",
                    class_="down",
                    d=f"M{number(left)} {number(y)}H{number(right)}",
                    raw=titled(f"down for {lasted}"),
                )
                continue
            name = {"sleep": "asleep", "slow": "slow", "disk full": "disk full"}[spell.what]
            style = "asleep" if spell.what == "sleep" else "hard"
            self.used.add(style)
            box = {"x": left, "y": y - 12, "width": max(right - left, 2.0), "height": 24.0}
            yield element("rect", class_=style, rx=5, raw=titled(f"{spell.device}: {name} for {lasted}"), **box)
            text = f"{name} for {lasted}"
            if width_of(text) < right - left:
                yield element("text", text, class_="small soft", x=(left + right) / 2, y=y + 25, text_anchor="middle")

    def _lanes(self) -> Iterator[str]:
        for name in self._recording.devices:
            y, end = self.line_of(name), self._scale(self._recording.ended_at)
            yield element("text", name, class_=f"name {self._colour(name)}", x=16, y=y + 5, data_lane=name)
            downs = [s for s in self._spells if s.device == name and s.what == "crash"]
            x, path = self._scale(self._born[name]), ""
            for spell in downs:
                path += f"M{number(x)} {number(y)}H{number(self._scale(spell.start))}"
                x = self._scale(spell.end)
            if not downs or downs[-1].end < self._recording.ended_at:
                path += f"M{number(x)} {number(y)}H{number(end)}"
            yield element("path", class_=f"lane {self._colour(name)}", d=path)

    def _breaks(self) -> Iterator[str]:
        for gap in self._scale.gaps():
            left, right = self._scale(gap.start), self._scale(gap.end)
            if right - left < BREAK_WIDE:
                continue
            self.used.add("break")
            for name in self._recording.devices:
                if self._born[name] <= gap.start:
                    yield break_at((left + right) / 2, self.line_of(name))

    # --- messages -----------------------------------------------------------------------------------------------------

    def _arrows(self) -> Iterator[str]:
        talk = self._bundles([m for m in self._recording.messages if m.kind not in DATA], self._arrows_max // 2)
        data = self._bundles([m for m in self._recording.messages if m.kind in DATA], self._arrows_max // 2)
        if talk:
            self.used.add("talk")
            yield element("path", class_="talk", d="".join(self._arrow(bundle, 3.5)[0] for bundle in talk))
        for bundle in data:
            self.used.add("data")
            path, x, y = self._arrow(bundle, 6.5)
            first, changes = bundle.first, bundle.changes
            frames = f"{bundle.frames} frames" if bundle.frames > 1 else first.kind
            what = f"{first.sender} to {first.receiver}, {clock(first.sent)}: {frames}, {changes} changes"
            raw = element("path", d=path, raw=titled(what))
            if changes > 1:
                raw += element("text", str(changes), class_="count", x=x + 5, y=y + 4)
            yield element("g", raw=raw, class_=f"data {self._colour(first.sender)}")

    def _bundles(self, messages: list[Message], most: int) -> list[Bundle]:
        """Join frames until there are few enough arrows."""
        apart = 3.0
        while True:
            bundles: list[Bundle] = []
            latest: dict[tuple[str, str], Bundle] = {}
            for message in messages:
                key = message.sender, message.receiver
                bundle = latest.get(key)
                if bundle is None or self._scale(message.sent) - self._scale(bundle.first.sent) > apart:
                    bundle = latest[key] = Bundle(message, message, 0, 0)
                    bundles.append(bundle)
                bundle.last = message
                bundle.frames += 1
                bundle.changes += message.changes
            if len(bundles) <= most or apart > RIGHT:
                return bundles
            apart *= 1.5

    def _arrow(self, bundle: Bundle, head: float) -> tuple[str, float, float]:
        """Return the path of an arrow, and the place of its count."""
        x1, x2 = self._scale(bundle.first.sent), self._scale(bundle.last.arrived)
        y1, y2 = self.line_of(bundle.first.sender), self.line_of(bundle.first.receiver)
        down = 1 if y2 > y1 else -1
        y1, y2 = y1 + down * ARROW_FROM, y2 - down * ARROW_FROM
        length = ((x2 - x1) ** 2 + (y2 - y1) ** 2) ** 0.5
        ux, uy = (x2 - x1) / length, (y2 - y1) / length
        bx, by = x2 - head * ux, y2 - head * uy
        wide = head * 0.42
        corners = ((x2, y2), (bx - wide * uy, by + wide * ux), (bx + wide * uy, by - wide * ux))
        points = "L".join(f"{number(x)} {number(y)}" for x, y in corners)
        path = f"M{number(x1)} {number(y1)}L{number(bx)} {number(by)}M{points}Z"
        return path, x1 + COUNT_AT * (x2 - x1), y1 + COUNT_AT * (y2 - y1)

    # --- moments ------------------------------------------------------------------------------------------------------

    def _proofs(self) -> Iterator[str]:
        last: dict[str, float] = {}
        for moment in self._recording.moments:
            x = self._scale(moment.at)
            if moment.what == "equal" and x - last.get(moment.device, -SAME_PROOF) >= SAME_PROOF:
                last[moment.device] = x
                self.used.add("proof")
                peer = self._recording.names_of(moment.facts["peer"])
                what = titled(f"{moment.device} is proved equal to {peer}, {clock(moment.at)}")
                yield element("circle", class_="proof", cx=x, cy=self.line_of(moment.device) + 12, r=3.2, raw=what)

    def _marks(self) -> Iterator[str]:
        replaced = {(m.at, m.device) for m in self._recording.moments if m.what == "put back"}
        for moment in self._recording.moments:
            if not moment.device or moment.what in _UNMARKED:
                continue
            if moment.what in ("crash", "boot") and (moment.at, moment.device) in replaced:
                continue
            what = words.saying(self._recording, moment, self._born)
            sign = SIGNS.get(moment.what, "other")
            self.used.add(sign)
            x, y = self._scale(moment.at), self.line_of(moment.device)
            hover = titled(f"{moment.device}, {clock(moment.at)}: {what}")
            yield element("g", raw=hover + sign_at(sign, x, y), class_=self._colour(moment.device))

    def _labels(self) -> Iterator[str]:
        """Write what happened beside the signs, as far as there is room: from right to left, so that no line is crossed."""
        taken: dict[tuple[str, int], list[tuple[float, float]]] = {}
        told = {words.EDIT, "crash", "put back", "clock", "refused", "cannot"}
        moments = [m for m in self._recording.moments if m.device and m.what in told]
        crashes = {(m.at, m.device) for m in moments if m.what == "put back"}
        for moment in reversed(moments):
            if moment.what == "crash" and (moment.at, moment.device) in crashes:
                continue
            text = words.saying(self._recording, moment, self._born)
            text = text if len(text) <= LABEL_CHARS_MAX else f"{text[: LABEL_CHARS_MAX - 1]}…"
            x, width = self._scale(moment.at), width_of(text)
            at_end = x + width > RIGHT + 30
            left, right = (x - width, x + 3) if at_end else (x - 3, x + width)
            rows = [taken.setdefault((moment.device, row), []) for row in range(len(ROWS))]
            free = (r for r, row in enumerate(rows) if all(right < a or left > b for a, b in row))
            found = next(free, None)
            if found is None:
                continue
            rows[found].append((left, right))
            for row in rows[:found]:
                row.append((x - 3, x + 3))
            y = self.line_of(moment.device)
            style = "small" if moment.what == words.EDIT else "small badtext"
            yield element("path", class_="lead", d=f"M{number(x)} {number(y - 7)}V{number(y - ROWS[found] - 1)}")
            anchor = "end" if at_end else None
            yield element("text", text, class_=style, x=x - 2, y=y - ROWS[found], text_anchor=anchor)


SIGNS: Final = {
    words.EDIT: "edit",
    "crash": "crash",
    "boot": "boot",
    "put back": "put back",
    "refused": "refused",
    "cannot": "refused",
}


def sign_at(sign: str, x: float, y: float) -> str:
    """Return a sign: a shape that shows what happened without needing its colour."""
    if sign == "edit":
        return element("circle", class_="edit", cx=x, cy=y, r=5)
    if sign == "crash":
        return element("path", class_="bad", d=f"M{number(x - 5)} {number(y - 5)}l10 10m0 -10l-10 10")
    if sign == "refused":
        raw = element("circle", cx=x, cy=y, r=6, style="fill:var(--paper)", class_="bad")
        return raw + element("path", class_="bad", d=f"M{number(x - 4)} {number(y + 4)}l8 -8")
    if sign == "boot":
        return element("path", class_="up", d=f"M{number(x - 4)} {number(y - 6)}l10 6l-10 6z")
    if sign == "put back":
        raw = element("circle", cx=x, cy=y, r=9, style="fill:var(--paper)")
        raw += element("path", class_="bad", d=f"M{number(x - 5)} {number(y - 3)}a6 6 0 1 1 -1 5m0 -9v4.500h4.500")
        return raw
    return element("path", class_="up", d=f"M{number(x)} {number(y - 6)}l6 6l-6 6l-6 -6z")


def break_at(x: float, y: float) -> str:
    """Return the mark that shows that a line leaves time out."""
    hole = element("rect", class_="paper", x=x - 4, y=y - 3, width=8, height=6.0)
    slashes = f"M{number(x - 6.5)} {number(y + 7)}l5 -14m8 0l-5 14"
    return hole + element("path", class_="gapline", d=slashes)


def _runs(indexes: Iterable[int]) -> list[tuple[int, int]]:
    """Return neighbouring lanes as runs."""
    runs: list[tuple[int, int]] = []
    for index in sorted(indexes):
        if runs and runs[-1][1] == index - 1:
            runs[-1] = runs[-1][0], index
        else:
            runs.append((index, index))
    return runs
