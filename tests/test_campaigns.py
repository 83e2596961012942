"""What campaigns share: what was judged until the end, or until Ctrl-C, is written down; a fault makes the command fail."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from edda_sync.simulations import evidence
from tests import campaigns
from tests.campaigns import carry_out, command_line

SECTION = """\
## Tries (`make tries`)

Things are tried.

| time (UTC) | commit | seeds | verdict | tries |
|---|---|---|---|---|
"""


@dataclass
class Verdict:
    seed: int
    faults: list[str] = field(default_factory=list)


@pytest.fixture
def page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a page of evidence that campaigns of a test append to."""
    made = tmp_path / "evidence.md"
    made.write_text("# Evidence\n")
    append = evidence.append
    monkeypatch.setattr(evidence, "append", lambda section, row: append(section, row, made))
    return made


def _row(verdicts: list[Verdict], _took_s: float) -> str:
    failed = [verdict.seed for verdict in verdicts if verdict.faults]
    return campaigns.row(f"{verdicts[0].seed}-{verdicts[-1].seed}", failed, f"{len(verdicts)} tries")


def _judged(*seeds: int, interrupted: bool = False) -> Iterator[Verdict]:
    for seed in seeds:
        yield Verdict(seed, ["It is lost."] if seed < 0 else [])
    if interrupted:
        raise KeyboardInterrupt


def test_a_campaign_appends_a_row_and_says_where_to_go_on(page: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert carry_out(SECTION, _judged(3, 4), _row, what="tries") == 0
    assert carry_out(SECTION, _judged(5), _row, what="tries") == 0
    rows = page.read_text().splitlines()[-2:]
    assert [row.split(" | ")[2:] for row in rows] == [
        ["3-4", "all held", "2 tries |"],
        ["5-5", "all held", "1 tries |"],
    ]
    assert "the next seed is 6\n" in capsys.readouterr().err


def test_what_was_judged_until_somebody_pressed_ctrl_c_counts(page: Path) -> None:
    assert carry_out(SECTION, _judged(3, 4, interrupted=True), _row, what="tries") == 0
    assert "| 3-4 | all held | 2 tries |" in page.read_text()


def test_a_fault_is_in_the_row_and_in_the_exit_code(page: Path) -> None:
    assert carry_out(SECTION, _judged(-2, -1, 0), _row, what="tries") == 1
    assert "| -2-0 | **2 failed**: -2, -1 | 3 tries |" in page.read_text()


def test_a_campaign_that_judged_nothing_writes_nothing_and_fails(page: Path) -> None:
    assert carry_out(SECTION, _judged(interrupted=True), _row, what="tries") == 1
    assert page.read_text() == "# Evidence\n"


def test_its_command_line_has_how_many_and_the_first_seed() -> None:
    parser = command_line("Try things.", "tries", 300)
    assert vars(parser.parse_args([])) == {"tries": 300, "seed": 0}
    assert vars(parser.parse_args(["--tries", "2", "--seed", "7"])) == {"tries": 2, "seed": 7}
