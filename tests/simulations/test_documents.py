from __future__ import annotations

import re
from pathlib import Path

import pytest

from edda_sync.simulations import documents
from edda_sync.simulations.catalogue import ACTIONS, CHECKERS
from edda_sync.simulations.documents import PAGE, PICTURES, draw
from edda_sync.simulations.scenarios import SCENARIOS


@pytest.mark.parametrize("name", sorted(SCENARIOS))
def test_the_picture_in_the_documentation_is_the_one_that_the_code_draws(name: str) -> None:
    drawn = draw(SCENARIOS[name])
    assert len(drawn.encode()) < 60_000
    there = (PICTURES / f"{name}.svg").read_text(encoding="utf-8")
    assert drawn == there, "draw it anew: python -m edda_sync.simulations.documents"


def test_the_page_lists_faults_checkers_and_scenarios_as_they_are() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert documents.filled(page) == page, "write it anew: python -m edda_sync.simulations.documents"
    for checker in CHECKERS:
        assert re.search(rf"^\| {checker.number} \|.*\[{checker.__name__}\]", page, re.MULTILINE), checker.__name__
        assert checker.number in documents.INVARIANTS
    for action in ACTIONS:
        if action.group in ("partitions", "crashes", "disks"):
            assert f"| {action.group} | {action.name} |" in page
    links = [target for target in re.findall(r"\]\(([^)#]+)\)", page) if "://" not in target]
    assert len(links) > len(SCENARIOS)
    assert [target for target in links if not (PAGE.parent / target).exists()] == []


def test_an_outdated_page_is_written_anew(tmp_path: Path) -> None:
    page = tmp_path / "simulations.md"
    page.write_text(PAGE.read_text(encoding="utf-8").replace("| partitions |", "| parties |"), encoding="utf-8")
    documents.write(page, tmp_path / "pictures")
    assert page.read_text(encoding="utf-8") == PAGE.read_text(encoding="utf-8")
    assert {path.stem for path in (tmp_path / "pictures").iterdir()} == set(SCENARIOS)
