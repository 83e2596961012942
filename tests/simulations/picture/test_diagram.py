from __future__ import annotations

import re

import pytest

from edda_sync.simulations import picture
from edda_sync.simulations.picture import words
from tests.simulations.picture.drawn import SVG, acted_out, parsed, recorded


def test_the_same_run_is_drawn_alike_every_time() -> None:
    first, second = (picture.svg(recorded(16)[0]) for _ in range(2))
    assert first == second


def test_thousands_of_frames_share_arrows_and_none_is_missing() -> None:
    recording, _, _ = acted_out("agent-storm")
    root = parsed(picture.svg(recording, arrows_max=60))
    titles = [title.text or "" for group in root.iter(f"{SVG}g") for title in group.iter(f"{SVG}title")]
    counts = [int(match[1]) for title in dict.fromkeys(titles) if (match := re.search(r"(\d+) changes$", title))]
    assert len(recording.messages) > 400
    assert 0 < len(counts) <= 30
    assert sum(counts) == sum(message.changes for message in recording.messages)


@pytest.mark.parametrize(
    ("paths", "sides"),
    [
        ([p for x in "bcd" for p in ((x, "a"), ("a", x))], [["b", "c", "d"], ["a"]]),
        ([(x, y) for x in "abcd" for y in "abcd" if (x in "ab") != (y in "ab")], [["a", "b"], ["c", "d"]]),
        ([("a", "b"), ("b", "a")], [["a", "b", "c", "d"]]),
        ([("a", x) for x in "bcd"], [["a", "b", "c", "d"]]),
    ],
)
def test_cut_paths_part_devices_into_sides(paths: list[tuple[str, str]], sides: list[list[str]]) -> None:
    assert words.sides_of(["a", "b", "c", "d"], tuple(paths)) == sides
