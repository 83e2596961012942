from __future__ import annotations

from pathlib import Path

from edda_sync.engine import aside as asides
from edda_sync.words.config import DATABASE_FILE

WORKSPACE = bytes(range(16))


def moved(home: Path, name: str) -> Path:
    """A store that was put aside, to be brought along."""
    folder = home / name
    asides.plan(folder, WORKSPACE)
    (folder / DATABASE_FILE).write_bytes(b"")
    return folder


def test_a_store_waits_from_when_it_is_moved_until_it_was_brought_along(tmp_path: Path) -> None:
    assert asides.outstanding(tmp_path) == {}
    folder = tmp_path / "left-1"
    asides.plan(folder, WORKSPACE)
    assert asides.outstanding(tmp_path) == {}, "nothing was moved yet"
    moved(tmp_path, "left-1")
    assert asides.outstanding(tmp_path) == {folder: WORKSPACE}
    asides.done(folder)
    asides.done(folder)  # a second time has no effect
    assert asides.outstanding(tmp_path) == {}


def test_stores_that_wait_are_listed_from_the_oldest_on(tmp_path: Path) -> None:
    newer, older = moved(tmp_path, "left-2026-02-01-000000"), moved(tmp_path, "left-2026-01-01-000000")
    assert [*asides.outstanding(tmp_path)] == [older, newer]


def test_the_sentence_names_every_folder_and_the_command() -> None:
    for folders in (["/a/left-1"], ["/a/left-1", "/a/left-2"]):
        said = asides.sentence(folders)
        assert all(folder in said for folder in folders)
        assert "`edda join --bring`" in said
