"""The mutants fit the code, and a run of them says which are killed."""

from __future__ import annotations

import ast
import contextlib
import os
import select
from pathlib import Path

import pytest

from tests import mutants as running
from tests.mutants import MUTANTS, Fate, Verdict, judge_all, main, mutated, named, row
from tests.mutations.mutant import Mutant

ROOT = Path(__file__).parents[1]
PLACES = ("sync", "store", "fold", "ledger", "device")

SUM = Mutant("sums are differences", "All of it.", "sums.py", "a + b", "a - b", ("test_sums.py",))
UNSEEN = Mutant("nobody looks", "Nothing.", "sums.py", "return 7", "return 8", ("test_sums.py",))
NO_CODE = Mutant("no code", "Nothing.", "sums.py", "def add", "dfe add", ("test_sums.py",))


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_a_mutant_changes_the_program_and_its_fragment_occurs_once(mutant: Mutant) -> None:
    source = (ROOT / "edda_sync" / mutant.file).read_text(encoding="utf-8")
    assert ast.dump(ast.parse(mutated(mutant, source))) != ast.dump(ast.parse(source))
    assert mutant.costs.endswith(".")
    assert mutant.tests
    for test in mutant.tests:
        assert (ROOT / "tests" / test).is_file(), test


def test_there_are_thirty_mutants_of_the_parts_that_hold_data_and_each_has_its_own_name() -> None:
    assert len({mutant.name for mutant in MUTANTS}) == len(MUTANTS)
    of_place = {place: [each for each in MUTANTS if each.file.startswith(f"{place}/")] for place in PLACES}
    assert sum(map(len, of_place.values())) >= 30
    assert min(map(len, of_place.values())) >= 4


def test_mutants_are_chosen_by_words_of_their_names_or_files() -> None:
    assert named([]) == list(MUTANTS)
    assert {mutant.file for mutant in named(["ledger/"])} == {each.file for each in MUTANTS if "ledger/" in each.file}
    assert [mutant.name for mutant in named([MUTANTS[0].name])] == [MUTANTS[0].name]
    with pytest.raises(SystemExit, match="2"):
        main(["nobody thought of this"])


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A small tree: a product of two functions, and a test of one of them."""
    for folder in ("edda_sync", "tests"):
        (tmp_path / "tree" / folder).mkdir(parents=True)
    (tmp_path / "tree/edda_sync/__init__.py").touch()
    (tmp_path / "tree/edda_sync/sums.py").write_text("def add(a, b):\n    return a + b\n\ndef seven():\n    return 7\n")
    _write_test(tmp_path / "tree", "add(1, 1) == 2")
    return tmp_path / "tree"


def _write_test(tree: Path, says: str) -> None:
    (tree / "tests/test_sums.py").write_text(f"from edda_sync.sums import add\n\ndef test_add():\n    assert {says}\n")


def test_a_mutant_is_killed_by_a_failing_test_and_otherwise_survives(tree: Path) -> None:
    verdicts, failed = judge_all([SUM, UNSEEN, NO_CODE], 2, source=tree)
    assert [verdict.fate for verdict in verdicts] == [Fate.KILLED, Fate.SURVIVED, Fate.BROKEN]
    assert verdicts[0].test == "test_sums.py::test_add"
    assert failed == ""
    assert "a + b" in (tree / "edda_sync/sums.py").read_text()  # the mutants were made in copies


def test_a_test_that_fails_by_itself_kills_nothing(tree: Path) -> None:
    _write_test(tree, "add(1, 1) == 3")
    assert judge_all([SUM], 1, source=tree)[1] == "test_sums.py::test_add"


def test_what_the_tests_of_a_mutant_leave_running_ends_with_them(tree: Path, tmp_path: Path) -> None:
    """A mutant may well be that something never ends."""
    child = tmp_path / "child"
    (tree / "edda_sync/sums.py").write_text(
        "import pathlib\nimport subprocess\n\n\ndef add(a, b):\n"
        f"    pathlib.Path({str(child)!r}).write_text(str(subprocess.Popen(['sleep', '600']).pid))\n    return a + b\n"
    )
    assert judge_all([SUM], 1, source=tree)[0][0].fate is Fate.KILLED
    with contextlib.suppress(ProcessLookupError):  # it is gone
        ended = os.pidfd_open(int(child.read_text()))
        assert select.select([ended], [], [], 10)[0], "it still runs"
        os.close(ended)


def test_a_mutant_whose_fragment_does_not_occur_once_is_a_mistake() -> None:
    with pytest.raises(AssertionError, match="aim the mutant anew"):
        mutated(SUM, "nothing such")
    with pytest.raises(AssertionError, match="aim the mutant anew"):
        mutated(SUM, "a + b; a + b")


def test_a_row_names_the_survivors_and_has_a_field_for_each_column() -> None:
    killed, survived = Verdict(SUM, Fate.KILLED, "t", 1.0), Verdict(UNSEEN, Fate.SURVIVED, "", 2.0)
    assert row([killed], 3.0).split(" | ")[2:] == ["1", "1", "none", "3 s |"]
    assert row([killed, survived], 3.0).split(" | ")[2:5] == ["2", "1", "**1**: nobody looks"]
    assert row([killed], 3.0).count("|") == running.SECTION.splitlines()[-1].count("|")


def test_a_run_fails_if_one_mutant_survives(monkeypatch: pytest.MonkeyPatch) -> None:
    for fate, code in ((Fate.KILLED, 0), (Fate.SURVIVED, 1), (Fate.BROKEN, 1)):
        verdict = Verdict(MUTANTS[0], fate, "", 1.0)
        monkeypatch.setattr(running, "judge_all", lambda *_, verdict=verdict: ([verdict], ""))
        assert main([MUTANTS[0].name]) == code
    monkeypatch.setattr(running, "judge_all", lambda *_: ([], "test_sums.py::test_add"))
    assert main([MUTANTS[0].name]) == 1
