"""The part below the lanes: the axis, how far each device is behind, the number of conflicts, and the legend."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from edda_sync.simulations.picture.diagram import LEFT, RIGHT, break_at, colour_of, sign_at
from edda_sync.simulations.picture.marks import about, clock, element, number, titled, width_of
from edda_sync.simulations.picture.scale import Scale
from edda_sync.simulations.recording import Recording

TICKS_APART: Final = 74.0
STRIP: Final = 26.0
STRIP_EACH: Final = 38.0
Steps = list[tuple[float, int]]


def axis(scale: Scale, top: float, bottom: float) -> Iterator[str]:
    """Draw the axis, with the time that each break leaves out. Its grid lines go down to ``bottom``."""
    yield element("line", class_="axis", x1=LEFT, x2=RIGHT, y1=top, y2=top)
    for gap in scale.gaps():
        left, right = scale(gap.start), scale(gap.end)
        text = about(gap.end - gap.start)
        if width_of(text) < right - left:
            middle = (left + right) / 2
            yield element("text", text, class_="small soft", x=middle, y=top + 14, text_anchor="middle")
    for at in scale.ticks(TICKS_APART):
        x = scale(at)
        yield element("line", class_="axis", x1=x, x2=x, y1=top, y2=bottom)
        yield element("text", clock(at), class_="small", x=x, y=top + 31, text_anchor="middle")


def charts(recording: Recording, scale: Scale, top: float) -> Iterator[str]:
    """Draw a step chart for each device, all with one scale, and one for conflicts."""
    heading = "Changes that each device lacks, and another one holds"
    yield element("text", heading, class_="soft small", x=16, y=top + 4)
    most = max((value for steps in recording.lag.values() for _, value in steps), default=0)
    y = top + 16
    for name in (each for each in recording.devices if each in recording.lag):
        yield from _strip(recording, scale, recording.lag[name], y, most, name, colour_of(recording, name))
        y += STRIP_EACH
    yield element("text", "Conflicts: values that are kept beside the ones shown", class_="soft small", x=16, y=y + 14)
    most = max(value for _, value in recording.conflicts)
    yield from _strip(recording, scale, recording.conflicts, y + 26, most, "conflicts", "c7")


def height_of(recording: Recording) -> float:
    """Return the height of the charts."""
    return 16 + STRIP_EACH * (len(recording.lag) + 1) + 30


def _strip(
    recording: Recording, scale: Scale, steps: Steps, top: float, most: int, name: str, colour: str
) -> Iterator[str]:
    base = top + STRIP
    first = scale(steps[0][0])
    path = f"M{number(first)} {number(base)}"
    for at, value in steps:
        path += f"H{number(scale(at))}V{number(base - STRIP * value / max(most, 1))}"
    end = scale(recording.ended_at)
    path += f"H{number(end)}"
    peak = max(value for _, value in steps)
    what = titled(f"{name}: at most {peak}")
    raw = element("path", class_="area", d=f"{path}V{number(base)}Z", raw=what)
    raw += element("path", class_="line", d=path)
    raw += element("text", name, class_="small", x=16, y=base - 4)
    if peak:
        at = scale(next(at for at, value in steps if value == peak))
        y = base - STRIP * peak / most
        raw += element("text", str(peak), class_="count", x=at - 4, y=y + 9, text_anchor="end")
    raw += element("text", str(steps[-1][1]), class_="count", x=end + 6, y=base + 3)
    yield element("line", class_="axis", x1=LEFT, x2=RIGHT, y1=base, y2=base)
    yield element("g", raw=raw, class_=colour, data_strip=name)


_LEGEND: Final = {
    "edit": "somebody does something",
    "data": "message with changes (how many)",
    "talk": "hello, acknowledgement",
    "proof": "proved equal to a peer",
    "cut": "hears nobody outside",
    "oneway": "is not heard by a peer",
    "asleep": "asleep",
    "hard": "slow, or its disk is full",
    "crash": "power fails, or killed",
    "refused": "cannot do it, and says so",
    "boot": "starts",
    "put back": "an old copy of the folder is put back",
    "other": "something else: point at it",
    "break": "time left out",
}


def legend(used: set[str], top: float) -> tuple[str, float]:
    """Explain the signs that were drawn; return the legend, and where it ends."""
    parts, x, y = [], 16.0, top
    for sign, text in _LEGEND.items():
        if sign not in used:
            continue
        width = 34 + width_of(text) + 14
        if x + width > RIGHT + 30:
            x, y = 16.0, y + 24
        parts.append(_key(sign, x, y) + element("text", text, class_="small soft", x=x + 32, y=y + 4))
        x += width
    return element("g", raw="".join(parts), class_="c0"), y + 16


def _key(sign: str, x: float, y: float) -> str:
    if sign in ("cut", "asleep", "hard"):
        return element("rect", class_=sign, x=x, y=y - 7, width=24, height=14, rx=4)
    if sign in ("data", "talk"):
        path = f"M{number(x)} {number(y)}h18M{number(x + 24)} {number(y)}l-7 -3v6z"
        return element("g", raw=element("path", d=path), class_=sign)
    if sign == "oneway":
        return element("path", class_="oneway", d=f"M{number(x)} {number(y)}h24")
    if sign == "proof":
        return element("circle", class_="proof", cx=x + 12, cy=y, r=3.2)
    if sign == "break":
        return element("path", class_="line", d=f"M{number(x)} {number(y)}h24") + break_at(x + 12, y)
    return sign_at(sign, x + 12, y)
