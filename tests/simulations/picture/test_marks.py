from __future__ import annotations

from collections import Counter
from itertools import pairwise

import pytest

from edda_sync.simulations import picture
from edda_sync.simulations.recording import Moment, Recording, Spell
from tests.simulations.picture.drawn import SVG, parsed


def drawing(
    *moments: Moment, devices: tuple[str, ...] = ("laptop", "phone", "tablet"), until: float = 100
) -> Recording:
    recording = Recording()
    for name in devices:
        recording.note(0.0, "boot", name, {})
    for moment in moments:
        recording.note(moment.at, moment.what, moment.device, moment.facts)
    recording.note(until, "all equal", "", {})
    return recording


def classes_of(recording: Recording) -> Counter[str]:
    root = parsed(picture.svg(recording))
    return Counter(each.attrib.get("class", "").split(" ")[0] for each in root.iter())


ALONE = [path for other in ("laptop", "tablet") for path in (("phone", other), (other, "phone"))]
BARE = classes_of(drawing())


@pytest.mark.parametrize(
    ("shape", "moments"),
    [
        ("asleep", [Moment(5, "sleep", "phone"), Moment(50, "wake", "phone")]),
        ("down", [Moment(5, "crash", "phone", {"power": True}), Moment(50, "boot", "phone")]),
        ("hard", [Moment(5, "slow", "phone", {"pace": 1.0, "seconds": 30.0})]),
        ("hard", [Moment(5, "disk full", "phone", {"seconds": 30.0})]),
        ("oneway", [Moment(5, "one way", "", {"paths": [("phone", "tablet")], "seconds": 30.0})]),
        ("cut", [Moment(5, "isolated", "", {"paths": ALONE, "seconds": 30.0})]),
        ("bad", [Moment(5, "put back", "phone")]),
        ("bad", [Moment(5, "refused", "phone", {"why": "DiskFullError"})]),
        ("proof", [Moment(5, "equal", "phone", {"peer": "tablet"})]),
        ("edit", [Moment(5, "does", "phone", {"action": "edit task"})]),
        ("up", [Moment(5, "an unheard-of fault", "phone", {"size": 3})]),
        ("heal", [Moment(5, "heal", "")]),
    ],
)
def test_each_event_has_a_shape(shape: str, moments: list[Moment]) -> None:
    assert classes_of(drawing(*moments))[shape] > BARE[shape]


def test_a_shape_is_explained_only_where_it_is_drawn() -> None:
    slept = drawing(Moment(5, "sleep", "phone"), Moment(50, "wake", "phone"))
    assert "asleep" in "".join(parsed(picture.svg(slept)).itertext())
    assert "asleep" not in "".join(
        text for text in parsed(picture.svg(drawing())).itertext() if not text.startswith(":")
    )


def test_healing_ends_every_spell() -> None:
    cut = Moment(5, "isolated", "", {"paths": [("phone", "laptop")], "seconds": 900.0})
    recording = drawing(cut, Moment(60, "heal", ""))
    assert recording.spells() == [Spell(5, 60, "isolated", "", (("phone", "laptop"),))]


def test_labels_of_one_lane_never_lie_upon_each_other() -> None:
    edits = [Moment(at / 2, "does", "phone", {"action": f"renames something {at}"}) for at in range(1, 60)]
    root = parsed(picture.svg(drawing(*edits)))
    spots: dict[str, list[float]] = {}
    for text in root.iter(f"{SVG}text"):
        if (text.text or "").startswith("renames") and text.attrib.get("text-anchor") is None:
            spots.setdefault(text.attrib["y"], []).append(float(text.attrib["x"]))
    assert spots
    apart = [b - a for row in spots.values() for a, b in pairwise(sorted(row))]
    assert all(each > 100 for each in apart), "a label of 19 letters is wider than that"
