"""``edda simulate``: one seed, many, or a story; a failure prints the command that repeats it."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from edda_sync.cli.main import root
from edda_sync.simulations.runs import run
from edda_sync.simulations.tape import Tape


def simulate(*arguments: str) -> Result:
    return CliRunner().invoke(root, ["simulate", *arguments])


def test_a_seed_that_passes_says_so_with_its_digest() -> None:
    first, again = simulate("--seed", "21"), simulate("--seed", "21")
    assert first.exit_code == 0
    assert re.fullmatch(r"Held: all devices are proved equal \(.* digest [0-9a-f]{32}\)\.\n", first.stdout)
    assert again.stdout == first.stdout


def test_the_result_of_many_seeds_is_one_sentence() -> None:
    result = simulate("--seeds", "2")
    assert result.exit_code == 0
    assert re.fullmatch(
        r"Seeds 0 to 1: all held; [\d,]+ changes in [\d,.]+ simulated hours, [\d.]+ s\.\n", result.stdout
    )


def test_a_range_of_seeds_in_json_is_a_list_of_verdicts() -> None:
    verdicts = json.loads(simulate("--seeds", "7-8", "--backend", "memory", "--json").stdout)
    assert [verdict["seed"] for verdict in verdicts] == [7, 8]
    assert all(verdict["held"] and verdict["backend"] == "memory" for verdict in verdicts)


def test_a_failure_prints_the_command_that_repeats_it_and_shrinks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edda_sync.engine.life.Sidecar.doubt", lambda *_: "")
    failing = next(seed for seed in range(25, 2_000) if run(Tape(seed, backend="memory")).violation is not None)
    found = simulate("--seeds", f"{failing}-{failing}", "--backend", "memory", "--shrink")
    assert found.exit_code == 1
    again = re.search(r"^Again: edda simulate (.*)$", found.stderr, re.MULTILINE)
    assert again is not None
    repeated = simulate(*again[1].split())
    assert repeated.exit_code == 1
    assert repeated.stdout.startswith("Failed: invariant ")


def test_seeds_are_drawn_around_a_story_that_can_be_drawn() -> None:
    result = simulate("--scenario", "rolled-back-disk", "--seed", "1", "--backend", "memory")
    assert (result.exit_code, result.stdout[:5]) == (0, "Held:"), result.output
    refused = simulate("--scenario", "island", "--seeds", "2")
    assert refused.exit_code == 2
    assert "With a seed, --scenario is one of restored-laptop, cloned-vm, rolled-back-disk" in refused.stderr


def test_a_run_is_drawn_as_a_page(tmp_path: Path) -> None:
    page = tmp_path / "run.html"
    result = simulate("--seed", "21", "--html", str(page))
    assert result.exit_code == 0
    assert str(page) in result.stderr
    text = page.read_text()
    assert "edda simulate --seed 21" in text
    assert "<svg" in text


def test_stories_are_listed_and_run(tmp_path: Path) -> None:
    listed = simulate("--scenario", "list").stdout
    named = json.loads(simulate("--scenario", "list", "--json").stdout)
    assert [each["name"] for each in named] == [line.split()[0] for line in listed.splitlines()]
    assert "island" in listed
    told = simulate("--scenario", "island", "--html", str(tmp_path / "island.html"))
    assert told.exit_code == 0
    assert "Held: all devices are proved equal" in told.stdout
    assert "edda simulate --scenario island" in (tmp_path / "island.html").read_text()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--seed", "1", "--seeds", "2"), "Choose one of"),
        (("--seeds", "many"), "a range such as 100-199"),
        (("--seeds", "9-3"), "names no seed"),
        (("--seed", "1", "--keep", "a"), "such as 3,17,22"),
        (("--keep", "1"), "are for one run"),
        (("--scenario", "island", "--keep", "1"), "are for seeds"),
        (("--seed", "1", "--html", "nowhere/run.html"), "There is no folder nowhere"),
        (("--scenario", "nowhere"), "There is no scenario nowhere;"),
    ],
)
def test_wrong_usage_is_answered_with_the_right_one(arguments: tuple[str, ...], says: str) -> None:
    result = simulate(*arguments)
    assert result.exit_code == 2
    assert says in result.stderr
