from __future__ import annotations

from pathlib import Path

from edda_sync.simulations import evidence
from edda_sync.simulations.campaign import SECTION, next_seed


def test_rows_go_below_their_section_and_the_section_comes_with_the_first_row(page: Path) -> None:
    evidence.append(SECTION, "| first |", page)
    evidence.append("## Kills\n", "| twice |", page)
    evidence.append(SECTION, "| second |", page)
    text = page.read_text()
    assert text.index("| once |\n| twice |\n") < text.index(SECTION.splitlines()[0])
    assert text.endswith("| first |\n| second |\n")
    assert text.count("## Simulations") == 1


def test_the_next_campaign_goes_on_where_the_last_one_ended(page: Path) -> None:
    assert next_seed(page) == 0
    for seeds in ("0-99", "500-799", "100-199"):
        evidence.append(SECTION, f"| time | commit | {seeds} | all held |", page)
    assert next_seed(page) == 800
