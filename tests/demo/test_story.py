from __future__ import annotations

import asyncio
from importlib.resources import files
from pathlib import Path

import pytest

from edda_sync.demo.machines import Machine
from edda_sync.demo.story import BEANS, BOX, LEADS, NAMES, NOTE, TAGGED, TAP, TITLES, WORDING, Story
from edda_sync.imports import beads, markdown
from edda_sync.words.errors import EddaError
from edda_sync.words.model import Document

EXAMPLES = files("edda_sync.demo") / "examples"


def test_each_text_that_the_story_edits_is_in_the_examples_once() -> None:
    read = beads.read(Path(str(EXAMPLES / "tasks.jsonl")))
    titles = [each.item.title for each in read.items]
    assert [titles.count(title) for title in (BOX, BEANS, TAP, LEADS)] == [1, 1, 1, 1]
    notes = markdown.read(Path(str(EXAMPLES / "notes")))
    (note,) = (each.item for each in notes.items if each.item.title == NOTE)
    assert isinstance(note, Document)
    assert all((note.content or "").count(before) == 1 for before, _ in WORDING.values())
    assert not read.refused
    assert not notes.refused


def test_the_devices_write_different_things_into_the_same_places() -> None:
    for written in (TITLES, TAGGED, {name: before for name, (before, _) in WORDING.items()}):
        assert tuple(written) == NAMES
    assert len(set(TITLES.values())) == len({before for before, _ in WORDING.values()}) == 3


def test_the_outcome_is_printed_in_lines_that_name_what_is_kept(tmp_path: Path) -> None:
    story = Story(tmp_path, lambda *_: None, lambda: None)
    story.summary |= {
        "digests": dict.fromkeys(NAMES, "d1"), "paragraph": "The door opens at half past eight.", "tags_made_of_three": 1,
        "kept": [{"field": "title", "shown": "c", "kept": ["b", "a"]}], "deleted_and_edited_lives": True,
        "seconds": {"converging": 1.26},
    }  # fmt: skip
    assert list(story.outcome()) == [
        "Three digests, one content: d1",
        'One title is shown, "c"; kept beside it: "a", "b"',
        "One paragraph: The door opens at half past eight.",
        'The tag "urgent", made on all three, is one tag',
        f'"{TAP}", deleted on one and edited on another, lives, and is listed',
        "All three proved equal 1.3 s after they were started again",
    ]


@pytest.mark.parametrize(
    ("fault", "told"), [(EddaError("the disk is full"), "the disk is full"), (TimeoutError(), "took too long")]
)
async def test_a_story_that_fails_ends_its_devices_and_is_no_success(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: Exception, told: str
) -> None:
    ended: list[str] = []

    async def run(machine: Machine, *_: str, **__: str) -> str:
        raise fault

    async def end(machine: Machine) -> None:
        ended.append(machine.name)

    monkeypatch.setattr(Machine, "run", run)
    monkeypatch.setattr(Machine, "end", end)
    story = Story(tmp_path, lambda *_: None, lambda: None)
    async with asyncio.timeout(90):
        with pytest.raises(EddaError, match=told):
            await story.tell()
    assert ended == list(NAMES)
    assert not story.summary["equal"]
