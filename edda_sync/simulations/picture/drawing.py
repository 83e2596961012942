"""The whole picture as one SVG: lanes, axis, charts, legend."""

from __future__ import annotations

from typing import Final

from edda_sync.simulations.picture import charts
from edda_sync.simulations.picture.diagram import LEFT, RIGHT, Diagram
from edda_sync.simulations.picture.marks import XMLNS, element, number, style
from edda_sync.simulations.picture.scale import Scale
from edda_sync.simulations.recording import Recording

WIDTH: Final = RIGHT + 36
ARROWS_MAX: Final = 180  # as many as a person can take in
AXIS: Final = 44.0
_HATCH: Final = element(
    "pattern",
    raw=element("path", class_="hatch", d="M0 7L7 0"),
    id="hatch",
    width=7,
    height=7,
    patternUnits="userSpaceOnUse",
)


def svg(recording: Recording, *, arrows_max: int = ARROWS_MAX) -> str:
    """
    Draw a run.

    Args:
        recording: The recording of a run.
        arrows_max: The largest number of arrows; if there are more, frames share arrows.

    Returns:
        One SVG without references to anything outside; the same for the same recording.
    """
    times = [0.0, recording.ended_at]
    times += [at for message in recording.messages for at in (message.sent, message.arrived)]
    times += [moment.at for moment in recording.moments]
    times += [spell.end for spell in recording.spells()]
    scale = Scale(times, LEFT, RIGHT)
    diagram = Diagram(recording, scale, arrows_max)
    lanes = diagram.draw()
    charts_top = diagram.bottom + AXIS + 14
    legend_top = charts_top + charts.height_of(recording) + 14
    legend, height = charts.legend(diagram.used, legend_top)
    axis = "".join(charts.axis(scale, diagram.bottom, legend_top - 16))
    below = "".join(charts.charts(recording, scale, charts_top))
    raw = style() + element("defs", raw=_HATCH)
    raw += element("rect", class_="paper", width=WIDTH, height=height) + axis + lanes + below + legend
    size = f"0 0 {number(WIDTH)} {number(height)}"
    return element("svg", raw=raw, xmlns=XMLNS, viewBox=size, class_="run", role="img") + "\n"
