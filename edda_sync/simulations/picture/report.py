"""The page about a run: its kind, its result, the command that repeats it, the picture, and everything that happened."""

from __future__ import annotations

from typing import Final

from edda_sync.simulations.picture import words
from edda_sync.simulations.picture.drawing import svg
from edda_sync.simulations.picture.marks import clock, element, span_of, text_of
from edda_sync.simulations.protocols import Verdict
from edda_sync.simulations.recording import Recording

ARROWS_MAX: Final = 400
ROWS_MAX: Final = 1_500  # of the table, so that a browser stays fast


def page(recording: Recording, verdict: Verdict, *, command: str, title: str = "", story: str = "") -> str:
    """
    Return a page about a run, complete in itself, and well-formed as XML and as HTML.

    Args:
        recording: The recording of the run.
        verdict: Its result.
        command: The command that repeats it.
        title: Its title; by default its seed.
        story: What it is about.
    """
    named = title or f"Seed {verdict.seed}"
    head = element("meta", charset="utf-8") + element("title", f"{named}: a simulated run")
    head += element("meta", name="viewport", content="width=device-width") + element("style", raw=text_of("page.css"))
    body = element("div", "edda simulate", class_="over") + element("h1", named)
    body += element("p", story, class_="story") if story else ""
    body += _verdict(recording, verdict)
    body += element("p", "Repeat it: ", raw=element("code", command))
    body += _profile(recording, verdict)
    body += element("div", " ", class_="zoom") + element(
        "div", raw=svg(recording, arrows_max=ARROWS_MAX), class_="frame"
    )
    body += _violation(verdict) + element("h2", "What happened") + _table(recording)
    body += element("script", raw=text_of("page.js"))
    html = element(
        "html", raw=element("head", raw=head) + element("body", raw=element("main", raw=body)),
        xmlns="http://www.w3.org/1999/xhtml", lang="en",
    )  # fmt: skip
    return f"<!DOCTYPE html>\n{html}\n"


def verdict_of(recording: Recording, verdict: Verdict) -> str:
    """Return the result of a run in one sentence."""
    if verdict.violation is not None:
        number, device = verdict.violation.number, verdict.violation.device
        if number == 0:
            return f"The code failed at {device} after {span_of(verdict.virtual_s)}."
        return f"Invariant {number} does not hold at {device}, {span_of(verdict.virtual_s)} into the run."
    took = (recording.equal_at or 0.0) - (recording.healed_at or 0.0)
    return f"Every invariant held, and all devices were proved equal {span_of(took)} after the last fault ended."


def _verdict(recording: Recording, verdict: Verdict) -> str:
    held = verdict.violation is None
    word = element("b", "✓ Held." if held else "✗ Failed.")
    sentence = element("span", verdict_of(recording, verdict))
    return element("p", raw=word + sentence, class_=f"verdict {'held' if held else 'fails'}")


def _profile(recording: Recording, verdict: Verdict) -> str:
    profile = verdict.profile
    facts = {
        "devices": str(len(recording.devices)),
        "store": profile.backend,
        "signatures": "Ed25519" if profile.real_keys else "stand-in",
        "frames mistreated": f"{profile.lawless} %" if profile.lawless else "",
        "virtual time": span_of(verdict.virtual_s),
        "frames": f"{len(recording.messages):,}",
        "digest": verdict.digest[:16],
        "concerns": ", ".join(sorted(profile.groups)),
    }
    return element("dl", raw="".join(
        element("div", raw=element("dt", name) + element("dd", value)) for name, value in facts.items() if value
    ))  # fmt: skip


def _violation(verdict: Verdict) -> str:
    if verdict.violation is None:
        return ""
    text = element("h2", "What does not hold") + element("pre", str(verdict.violation))
    return text + (element("pre", verdict.trace) if verdict.trace else "")


def _table(recording: Recording) -> str:
    born = recording.born()
    told = [moment for moment in recording.moments if moment.what not in words.NOT_SAID and moment.what != "equal"]
    rows = []
    for moment in told[:ROWS_MAX]:
        cells = (clock(moment.at), moment.device or "all", words.saying(recording, moment, born))
        whole = "all" if moment.what in ("heal", "all equal") else None
        rows.append(element("tr", raw="".join(element("td", cell) for cell in cells), class_=whole))
    if len(told) > ROWS_MAX:
        more = f"and {len(told) - ROWS_MAX:,} more"
        rows.append(element("tr", raw=element("td", "") + element("td", "") + element("td", more)))
    head = element("tr", raw="".join(element("th", name) for name in ("when", "who", "what")))
    table = element("table", raw=element("thead", raw=head) + element("tbody", raw="".join(rows)))
    return element("div", raw=table, class_="scroll")
