"""The page about the architecture: its picture shows the import contract, and all that it names exists."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests import architecture
from tests.architecture import FILE, PACKAGE, ROOT, contracts, draw, layers, part

PAGE = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
NAMED = re.findall(r"`([\w/]+(?:/|\.py))`", PAGE)
PARTS = [name for layer in layers(contracts()["layers"]) for name in layer]


def test_the_picture_shows_the_import_contract() -> None:
    assert FILE.read_text(encoding="utf-8") == draw(), "draw it anew: python -m tests.architecture"


def test_the_picture_shows_every_part_above_what_it_may_import(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    shown = re.findall(r'class="name" x="\d[\d.]*" y="([\d.]+)">([\w]+)(?:/|\.py)<', draw())
    assert [name for _, name in shown] == PARTS
    heights = {name: float(y) for y, name in shown}
    assert heights["sync"] < heights["ledger"] < heights["changes"] < heights["words"]
    assert heights["store"] == heights["transport"]
    monkeypatch.setattr(architecture, "FILE", tmp_path / "drawn.svg")
    assert architecture.main() == 0
    assert (tmp_path / "drawn.svg").read_text(encoding="utf-8") == draw()


@pytest.mark.parametrize("name", PARTS)
def test_the_docstring_of_every_part_begins_with_a_sentence_about_it(name: str) -> None:
    shown = part(name)
    assert 10 < len(shown.says) < 200
    for module in re.findall(r"\w+", shown.modules):
        assert (PACKAGE / name / module).is_dir() or (PACKAGE / name / f"{module}.py").is_file(), module


@pytest.mark.parametrize("name", sorted(set(NAMED)))
def test_every_module_that_the_page_names_exists(name: str) -> None:
    assert (PACKAGE / name).exists()


def test_the_page_leads_through_the_folders_of_the_main_job() -> None:
    walks = PAGE.partition("## A write, down to the disk")[2].partition("## The decisions")[0]
    led = {name.partition("/")[0] for name in re.findall(r"`([\w/]+\.py)`", walks)}
    assert led >= {
        "engine",
        "ledger",
        "fold",
        "crdt",
        "changes",
        "store",
        "sync",
        "workspace",
        "transport",
        "device",
        "cli",
    }
    assert all(name.endswith("/") or "/" in name for name in NAMED), "a module is named by its path"


def test_the_page_can_be_read_in_five_minutes_and_its_links_lead_to_files() -> None:
    assert len(PAGE.split()) < 1_600
    for target in re.findall(r"\]\((?!http)([^)#]+)\)", PAGE):
        assert (FILE.parent / target).exists(), target
    assert "docs/architecture.md" in (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
