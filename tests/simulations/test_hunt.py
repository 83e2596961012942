"""Planted bugs are switched on and off without a trace, and runs notice them."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from edda_sync.simulations import hunt as hunting
from edda_sync.simulations.bugs.planting import Bug, one
from edda_sync.simulations.hunt import FEW, Clean, Found, Small, State, conduct, hunt, line, load, row, shrink
from edda_sync.simulations.planted import BUGS, bug_named
from edda_sync.simulations.protocols import Verdict
from edda_sync.simulations.runs import run
from edda_sync.simulations.tape import Event, Profile, Tape
from edda_sync.simulations.violation import Violation
from tests.simulations.hunting import code_of

NO_BUG = Bug("no bug at all", "Nothing is wrong.", (), ())
EVIDENT = (
    "a newcomer is not depended on",
    "a difference is taken for the whole",
    "a hash over what is not sorted",
    "signatures are not kept",
    "a store without a sidecar is itself",
    "a page that is never full",
)
SHORT_FROM = 13  # the first of some seeds whose runs take little time
QUICK = ("undone in the order of writing", "equality is proved once")


def found_soon(name: str) -> tuple[Found, int]:
    """Hunt a bug; return what was found, and the seed that noticed it."""
    found = hunt(bug_named(name), range(SHORT_FROM, 200))
    assert found.seed is not None, line(found)
    assert found.text
    assert found.runs == found.seed - SHORT_FROM + 1
    assert found.unclean == ()
    assert f"seed {found.seed}" in line(found)
    return found, found.seed


@pytest.mark.parametrize("name", EVIDENT)
def test_a_hunt_finds_an_evident_bug_soon(name: str) -> None:
    found_soon(name)


def test_runs_that_do_not_call_what_a_bug_edits_count_and_are_left_out() -> None:
    bug, clean = bug_named("nobody asks for the log behind"), Clean()
    rare = Bug("rare", "A.", (1,), bug.edits, needs="sync.learning:Learning.learn")
    seeds = range(300_004, 300_008)
    assert hunt(bug, seeds, clean) == hunt(bug, seeds)
    assert {clean.of(bug, seed) for seed in seeds} == {(True, True), (False, True)}
    assert [clean.of(rare, seed) for seed in seeds] == [(False, True)] * len(seeds)
    assert hunt(rare, seeds, clean).runs == len(seeds)


def test_a_bug_whose_code_cannot_run_is_not_taken_for_found() -> None:
    bug = one("broken", "A.", (1,), "sync.replica:Replica.connected", "self._links[peer] = link", "self.lacking()")
    with pytest.raises(AssertionError, match="edit the planted bug 'broken', whose code cannot run: AttributeError"):
        hunt(bug, range(3))


def test_what_is_taken_before_the_disk_has_it_is_noticed_by_what_was_told() -> None:
    found, _ = found_soon("taken before the disk has it")
    assert found.number == 8


def test_a_hunt_that_finds_nothing_says_so() -> None:
    found = hunt(NO_BUG, range(21, 24))
    assert (found.seed, found.runs, found.text) == (None, 3, "")
    assert line(found).startswith("MISSED in 3 runs: no bug at all")


def test_a_violation_that_also_occurs_without_the_bug_does_not_count() -> None:
    with bug_named("a difference is taken for the whole").on():
        found = hunt(NO_BUG, range(1))
    assert (found.seed, found.unclean) == (None, (0,))
    assert "seeds 0" in line(found)


@pytest.mark.parametrize("name", QUICK)
def test_a_found_violation_is_shrunk_to_few_events_that_do_nothing_without_the_bug(name: str) -> None:
    bug = bug_named(name)
    found, seed = found_soon(name)
    shrunk = shrink(bug, seed)
    assert len(shrunk.verdict.taken) <= min(FEW, shrunk.before)
    with bug.on():
        violation = run(shrunk.tape).violation
    assert violation is not None
    assert violation.number == found.number
    assert run(shrunk.tape).violation is None


def test_a_smaller_run_that_also_fails_without_the_bug_is_not_accepted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    bug = BUGS[0]
    true = code_of(bug)
    profile = Profile(devices=2, backend="memory", groups=frozenset(), real_keys=False, lawless=0)
    events = [Event(number, float(number), "add task") for number in range(16)]

    def run_it(tape: Tape) -> Verdict:
        taken = [event for event in events if tape.keep is None or event.number in tape.keep]
        fails = code_of(bug) != true or len(taken) < 7
        return Verdict(tape.seed, profile, Violation(1, "phone", "seen") if fails else None, taken=taken)

    monkeypatch.setattr(hunting, "run", run_it)
    assert len(shrink(bug, 0).verdict.taken) == 7


def test_a_run_that_does_not_notice_a_bug_cannot_be_shrunk() -> None:
    with bug_named("a difference is taken for the whole").on(), pytest.raises(ValueError, match="does not fail"):
        shrink(NO_BUG, 0)


def test_the_result_of_a_hunt_is_kept_with_the_size_that_it_was_shrunk_to(tmp_path: Path) -> None:
    file = tmp_path / "build" / "hunt.json"
    bug = bug_named("the digest only adds")
    hunted = conduct([bug], 19, 19, 1, file)  # a run that is not busy with files, which are not shrunk
    (found,) = hunted.found
    assert found.small is not None
    assert found.small.events < found.small.before
    assert found.small.runs > 2
    assert f"of {found.small.before} events {found.small.events} left, in {found.small.runs} runs" in line(found)
    assert load(file, hunted.key) == hunted


def test_a_hunt_whose_bugs_do_not_fit_the_code_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stale = one("stale", "It was written for other code.", (1,), "sync.forks:Forks.evidence", "no such line", "pass")
    monkeypatch.setattr(hunting, "BUGS", (stale,))
    with pytest.raises(AssertionError, match="edit the planted bug"):
        conduct([bug_named(QUICK[0])], 0, 5, 1, tmp_path / "hunt.json")


def test_a_hunt_goes_on_where_it_was_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edda_sync.simulations.evidence.commit", lambda: "abc1234")
    file = tmp_path / "build" / "hunt.json"
    file.parent.mkdir()
    kept = State(("abc1234", 5, 9), [Found(BUGS[0].name, 3, 7, 1, "seen")], 1.5)
    file.write_bytes(msgspec.json.encode(kept))
    assert conduct([BUGS[0]], 5, 9, 1, file).found == kept.found
    assert load(file, ("def5678", 5, 9)).found == []
    assert load(tmp_path / "none", ("abc1234", 5, 9)).found == []


def test_a_row_tells_the_median_the_worst_and_what_was_missed() -> None:
    names = [bug.name for bug in BUGS]
    found = [
        Found(names[2], 1_001, 1_000, 4, "d", small=Small(60, 22, 300)),
        Found(names[0], 1, 0, 1, "a", small=Small(40, 20, 50)),
        Found(names[3], 20_000, None, 0, ""),
        Found(names[1], 5, 4, 18, "c", small=Small(6, 3, 7)),
    ]
    fields = row(State(("abc1234", 0, 20_000), found, 12.0)).split(" | ")
    assert fields[1:6] == ["abc1234", "0", "3 of 4", "5", "1,001"]
    assert fields[6] == "2 of 3 (66 %), median 20, worst 22"
    assert fields[7] == f"{names[0]} 1 (1); {names[1]} 5 (18); {names[2]} 1,001 (4); **{names[3]} missed in 20,000**"


def test_a_row_has_a_field_for_each_column_even_if_all_was_missed() -> None:
    columns = hunting.SECTION.splitlines()[-1].count("|")
    assert row(State(("abc1234", 0, 9), [Found(BUGS[0].name, 9, None, 0, "")], 1.0)).count("|") == columns


def test_an_unknown_bug_is_a_mistake_in_the_command(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        hunting.main(["--bug", "nobody planted this"])
    assert "no planted bug called 'nobody planted this'" in capsys.readouterr().err


@pytest.mark.parametrize("note", [True, False])
def test_a_hunt_of_some_bugs_is_noted_where_this_is_asked_for(monkeypatch: pytest.MonkeyPatch, *, note: bool) -> None:
    found = [Found(bug.name, 3, 7, 1, "seen") for bug in BUGS[:2]]  # the second is of an earlier hunt
    monkeypatch.setattr(hunting, "conduct", lambda *_, **__: State(("abc1234", 5, 9), found, 1.5))
    rows: list[str] = []
    monkeypatch.setattr("edda_sync.simulations.evidence.append", lambda _section, row: rows.append(row))
    assert hunting.main(["--bug", BUGS[0].name, *(["--note"] if note else [])]) == 0
    assert [("1 of 1" in each, f"{BUGS[0].name} 3 (1)" in each) for each in rows] == ([(True, True)] if note else [])
