"""A folder as a target: a drive that comes and goes, a full disk, links, killed writers."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edda_sync.backup.targets import folder
from edda_sync.backup.targets.folder import MARKER, WRITING, FolderTarget, mark
from edda_sync.words.errors import DamagedBackupError, NoObjectError, TargetError
from tests.mounting import mount

KEY = "edda/t/objects/00ff"
CALLS: list[Callable[[FolderTarget], object]] = [
    lambda target: target.put(KEY, b"x"),
    lambda target: target.get(KEY),
    lambda target: list(target.list("edda/")),
    lambda target: target.delete(KEY),
    lambda target: target.check(),
]
CALL_NAMES = ["put", "get", "list", "delete", "check"]


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return tmp_path / "stick"


@pytest.fixture
def stick(place: Path) -> FolderTarget:
    """A drive with an object on it."""
    made = FolderTarget("stick", place, mark("stick", place))
    made.put(KEY, b"content")
    return made


def tree(place: Path) -> list[str]:
    return sorted(str(path.relative_to(place)) for path in place.rglob("*"))


def test_the_marker_of_a_target_has_these_bytes(place: Path) -> None:
    made = mark("stick", place)
    text = f"edda-target 1 {made}\nBackups of edda lie in this folder. Without this file, edda writes nothing here.\n"
    assert (place / "edda-target").read_text() == text
    assert (place / "edda-target").stat().st_mode & 0o777 == 0o600
    assert tree(place) == ["edda-target"]


def test_an_object_is_a_file_of_its_key_and_nothing_else_is_left(stick: FolderTarget, place: Path) -> None:
    assert (place / KEY).read_bytes() == b"content"
    assert (place / KEY).stat().st_mode & 0o777 == 0o600
    assert list((place / WRITING).iterdir()) == []


@pytest.mark.parametrize("call", CALLS, ids=CALL_NAMES)
def test_a_drive_that_is_away_says_so(stick: FolderTarget, place: Path, call: Callable[[FolderTarget], object]) -> None:
    place.rename(place.with_name("unplugged"))
    with pytest.raises(TargetError, match=r"'stick' cannot be used .its folder is not here.: connect the drive"):
        call(stick)
    assert not place.exists()


@pytest.mark.parametrize("call", CALLS, ids=CALL_NAMES)
def test_nothing_is_written_into_the_empty_mount_point_of_a_drive_that_is_away(
    stick: FolderTarget, place: Path, call: Callable[[FolderTarget], object]
) -> None:
    place.rename(place.with_name("unplugged"))
    place.mkdir()
    with pytest.raises(TargetError, match="without the file edda-target"):
        call(stick)
    assert tree(place) == []
    place.rmdir()
    place.with_name("unplugged").rename(place)
    assert stick.get(KEY) == b"content"


@pytest.mark.parametrize("call", CALLS, ids=CALL_NAMES)
@pytest.mark.parametrize(
    "content", [f"edda-target 1 {'0' * 32}\n", "", "edda-target 1\n", "edda-target 2 x", "\xff" * 9]
)
def test_another_drive_in_its_place_is_left_alone(
    stick: FolderTarget, place: Path, call: Callable[[FolderTarget], object], content: str
) -> None:
    (place / MARKER).write_text(content, encoding="latin-1")
    before = tree(place)
    with pytest.raises(TargetError):
        call(stick)
    assert tree(place) == before


def test_a_folder_that_is_a_target_stays_the_same_one_for_a_second_device(place: Path) -> None:
    assert mark("stick", place) == mark("stick", place)


def test_a_damaged_marker_is_replaced_when_the_folder_is_added_again(place: Path) -> None:
    place.mkdir()
    (place / MARKER).write_text("nonsense")
    FolderTarget("stick", place, mark("stick", place)).check()
    assert tree(place) == [MARKER]


def test_a_disk_without_hard_links_gets_its_marker_too(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object, **__: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", refused)
    FolderTarget("stick", place, mark("stick", place)).check()
    assert tree(place) == [MARKER]


def test_a_folder_whose_parent_is_missing_is_not_made(tmp_path: Path) -> None:
    with pytest.raises(TargetError, match=r"there is no folder .*nowhere"):
        mark("stick", tmp_path / "nowhere" / "backups")
    (tmp_path / "file").write_text("")
    with pytest.raises(TargetError, match="is no folder"):
        mark("stick", tmp_path / "file")
    assert tree(tmp_path) == ["file"]


def test_no_link_below_the_folder_is_followed(stick: FolderTarget, place: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "00ff").write_bytes(b"private")
    (place / "edda/linked").symlink_to(outside)
    (place / "edda/t/objects/11").symlink_to(outside / "00ff")
    for key in ("edda/linked/00ff", "edda/t/objects/11"):
        with pytest.raises((TargetError, NoObjectError)):
            stick.get(key)
    with pytest.raises(TargetError, match="a link or a file lies where a folder"):
        stick.put("edda/linked/new", b"x")
    with pytest.raises(TargetError, match="a link or a file lies where a folder"):
        stick.delete("edda/linked/00ff")
    assert [each.key for each in stick.list("edda/")] == [KEY]
    stick.put("edda/t/objects/11", b"mine")
    assert (outside / "00ff").read_bytes() == b"private"
    assert tree(outside) == ["00ff"]


def test_files_of_others_are_not_listed(stick: FolderTarget, place: Path) -> None:
    for name in ("edda/.DS_Store", "edda/t/Thumbs.db", "edda/t/objects/ä", "edda/t/objects/a b"):
        (place / name).write_text("")
    os.mkfifo(place / "edda/t/objects/fifo")
    (place / "edda/t/.Trash-1000").mkdir()
    (place / "edda/t/.Trash-1000/00").write_text("")
    assert [each.key for each in stick.list("edda/")] == [KEY]
    with pytest.raises(NoObjectError):
        stick.get("edda/t/objects/fifo")


def test_what_a_killed_writer_left_is_removed_a_day_later_by_the_clock_of_the_disk(
    stick: FolderTarget, place: Path
) -> None:
    old, new = place / WRITING / "old", place / WRITING / "new"
    old.write_bytes(b"half")
    new.write_bytes(b"half")
    now = (place / KEY).stat().st_mtime
    os.utime(old, (now - 90_000, now - 90_000))
    stick.put("edda/a", b"x")
    assert old.exists(), "it is looked for once, at the first write"
    FolderTarget("stick", place, stick._id).put("edda/b", b"x")
    assert (old.exists(), new.exists()) == (False, True)
    assert [each.key for each in stick.list("edda/")] == ["edda/a", "edda/b", KEY]


@pytest.mark.parametrize("step", ["write", "fsync", "rename"])
def test_a_writer_that_is_killed_leaves_the_former_object_or_the_new_one(
    stick: FolderTarget, place: Path, step: str
) -> None:
    code = (
        "import os, signal, sys\nfrom pathlib import Path\n"
        "from edda_sync.backup.targets.folder import FolderTarget\n"
        "def die(*_, **__): os.kill(os.getpid(), signal.SIGKILL)\n"
        f"os.{step} = die\n"
        "FolderTarget('stick', Path(sys.argv[1]), sys.argv[2]).put(sys.argv[3], b'new')\n"
    )
    assert stick._id is not None
    ended = subprocess.run([sys.executable, "-c", code, str(place), stick._id, KEY], check=False)
    assert ended.returncode == -signal.SIGKILL
    assert stick.get(KEY) == b"content"
    assert [each.key for each in stick.list("edda/")] == [KEY]
    stick.put(KEY, b"new")
    assert stick.get(KEY) == b"new"


def test_a_full_disk_says_so_and_one_that_can_only_be_read_is_read(tmp_path: Path) -> None:
    place = tmp_path / "small"
    place.mkdir()
    mount("-t", "tmpfs", "-o", "size=256k", "tmpfs", str(place))
    try:
        small = FolderTarget("small", place, mark("small", place))
        small.put(KEY, b"content")
        with pytest.raises(TargetError, match=r"its disk is full.: free some room there"):
            small.put(KEY, bytes(300_000))
        assert small.get(KEY) == b"content"
        assert list((place / WRITING).iterdir()) == []
        small.put(KEY, bytes(100_000))
        subprocess.run(["mount", "-o", "remount,ro", str(place)], check=True)
        assert small.get(KEY) == bytes(100_000)
        assert [each.key for each in small.list("edda/")] == [KEY]
        with pytest.raises(TargetError, match="its disk can only be read"):
            small.put(KEY, b"x")
    finally:
        subprocess.run(["umount", str(place)], check=True)


def test_an_object_larger_than_any_is_not_read(stick: FolderTarget, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folder, "OBJECT_BYTES_MAX", 6)
    with pytest.raises(DamagedBackupError, match="larger than any"):
        stick.get(KEY)


def test_a_folder_without_a_marker_is_made_when_it_is_written(tmp_path: Path) -> None:
    usual = FolderTarget("this-disk", tmp_path / "state" / "backups", None)
    assert list(usual.list("edda/")) == []
    usual.delete(KEY)
    assert tree(tmp_path) == []
    usual.put(KEY, b"x")
    assert (tmp_path / "state").stat().st_mode & 0o777 == 0o700
    assert usual.get(KEY) == b"x"


def test_whoever_finds_a_folder_of_backups_or_a_copy_of_one_can_read_it(stick: FolderTarget, place: Path) -> None:
    assert folder.found("found", place).get(KEY) == b"content"
    (place / MARKER).unlink()
    assert [each.key for each in folder.found("found", place).list("edda/")] == [KEY]
    for path in (place / "none", place / KEY):
        with pytest.raises(TargetError, match="is not here"):
            folder.found("found", path)


_parts = st.sampled_from(["a", "b", "a-", "a.", "a0", "0"])
_keys = st.lists(_parts, min_size=3, max_size=3).map("/".join)  # of one depth: no key is the folder of another
_steps = st.lists(st.tuples(st.sampled_from(["put", "delete"]), _keys, st.binary(max_size=5)), max_size=12)


@given(_steps, _parts, _keys | st.just(""))
@settings(max_examples=25)
def test_a_folder_holds_and_lists_what_a_dictionary_would(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, str, bytes]], prefix: str, after: str
) -> None:
    target = FolderTarget("usual", tmp_path_factory.mktemp("model") / "backups", None)
    model: dict[str, bytes] = {}
    for what, key, data in steps:
        if what == "put":
            target.put(key, data)
            model[key] = data
        else:
            target.delete(key)
            model.pop(key, None)
    assert {key: target.get(key) for key in model} == model
    expected = [(key, len(model[key])) for key in sorted(model) if key.startswith(f"{prefix}/") and key > after]
    assert [(each.key, each.size) for each in target.list(f"{prefix}/", after)] == expected
