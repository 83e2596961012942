from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edda_sync.simulations.catalogue import ACTIONS
from edda_sync.simulations.protocols import Verdict
from edda_sync.simulations.seeds import FILE, LIARS, line_of, tape_of, tapes
from edda_sync.simulations.tape import BESIDE, Event, Profile, Tape

NAMES = sorted(action.name for action in ACTIONS)
events = st.lists(
    st.builds(Event, st.integers(0, 999), st.integers(0, 10**6).map(lambda ms: ms / 1000), st.sampled_from(NAMES)),
    max_size=6,
)
profiles = st.builds(
    Profile,
    devices=st.integers(2, 8),
    backend=st.sampled_from(["memory", "sqlite"]),
    groups=st.sampled_from([frozenset[str](), frozenset({LIARS})]),
    real_keys=st.booleans(),
    lawless=st.integers(0, 30),
    tight=st.booleans(),
    line=st.booleans(),
)


@given(st.integers(0, 10**9), st.booleans(), profiles, events)
def test_a_line_gives_the_run_that_it_was_made_from(
    seed: int, calm: bool, profile: Profile, planned: list[Event]
) -> None:
    verdict = Verdict(seed, profile, planned=planned)
    drawn = Tape(seed, calm=calm)
    tape = tape_of(line_of(drawn, verdict) + "  # what it found")
    assert (tape.seed, tape.calm) == (seed, calm)
    assert tape.profile([]) == profile
    assert tape.events([]) == planned
    assert [tape.has(what) for what in BESIDE] == [drawn.has(what) for what in BESIDE]


@pytest.mark.parametrize("line", ["", "seed", "1", "1 devices=2", "1 devices=2 backend=memory 0 add task"])
def test_an_invalid_line_is_an_error(line: str) -> None:
    with pytest.raises(ValueError, match=r".*"):
        tape_of(line)


def test_comments_and_empty_lines_are_no_runs(tmp_path: Path) -> None:
    file = tmp_path / "seeds.txt"
    file.write_text("# why\n\n7 devices=2 backend=memory 0@0.500 add task  # lost\n")
    assert [tape.seed for tape in tapes(file)] == [7]


def test_every_action_of_the_kept_runs_is_in_the_catalogue() -> None:
    kept = {event.action for tape in tapes(FILE) for event in tape.events([])}
    assert kept <= set(NAMES)
