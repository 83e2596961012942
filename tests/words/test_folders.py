"""A store's folder is on disk before anything in it is acknowledged."""

from __future__ import annotations

import os
from pathlib import Path

import platformdirs
import pytest

from edda_sync.words import folders
from edda_sync.words.config import StorageConfig
from edda_sync.words.errors import NoFolderError, NotAStoreError
from edda_sync.words.folders import backups_folder, make_folder, make_state_folder, state_folder, user_folder


@pytest.fixture
def synced(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The syncs in order; they really happen."""
    seen: list[str] = []
    fsync = os.fsync

    def watch(descriptor: int) -> None:
        seen.append(os.readlink(f"/proc/self/fd/{descriptor}"))
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", watch)
    return seen


def test_every_new_folder_on_the_way_is_synced_in_its_parent(tmp_path: Path, synced: list[str]) -> None:
    make_folder(tmp_path / "a" / "b" / "c")
    assert set(synced) == {str(tmp_path), str(tmp_path / "a"), str(tmp_path / "a" / "b")}
    assert (tmp_path / "a" / "b" / "c").stat().st_mode & 0o777 == 0o700


def test_an_existing_folder_costs_nothing(tmp_path: Path, synced: list[str]) -> None:
    make_folder(tmp_path)
    assert not synced


def test_a_file_in_the_way_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    for place in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(NotAStoreError):
            make_folder(place)


def test_if_nothing_can_be_made_the_error_says_so() -> None:
    with pytest.raises(
        NoFolderError,
        match=r"^The folder /proc/nobody/may cannot be made .*another place, with --home or",
    ):
        make_folder(Path("/proc/nobody/may"))


def test_a_folder_of_sidecars_that_cannot_be_made_is_no_fault_of_the_disk(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    for place in (Path("/proc/nobody/may"), tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(NoFolderError, match="EDDA_STATE"):
            make_state_folder(place)


@pytest.mark.parametrize("home", ["/home/somebody", "somewhere", "", None])
@pytest.mark.parametrize("system", ["linux", "another"])
@pytest.mark.parametrize("named", [None, "", " ", "/srv/x", "/srv/x/", " /srv/x ", "relative", "~/x"])
def test_the_users_folders_are_those_of_other_programs(
    monkeypatch: pytest.MonkeyPatch, system: str, named: str | None, home: str | None
) -> None:
    monkeypatch.setattr(folders, "_SYSTEM", system)
    for variable, value in (("XDG_DATA_HOME", named), ("XDG_STATE_HOME", named), ("HOME", home)):
        monkeypatch.delenv(variable, raising=False) if value is None else monkeypatch.setenv(variable, value)
    assert user_folder("data") == Path(platformdirs.user_data_dir("edda"))
    assert user_folder("state") == Path(platformdirs.user_state_dir("edda"))


def test_backups_without_a_target_lie_beside_the_sidecars(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    named = StorageConfig(state_path=tmp_path / "named")
    assert (state_folder(named), backups_folder(named)) == (tmp_path / "named", tmp_path / "named" / "backups")
    monkeypatch.setenv("EDDA_STATE", str(tmp_path / "variable"))
    assert backups_folder(StorageConfig()) == tmp_path / "variable" / "backups"
    assert backups_folder(named) == tmp_path / "named" / "backups"
    monkeypatch.delenv("EDDA_STATE")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    assert state_folder(StorageConfig()) == tmp_path / "edda" / "lives"
    assert backups_folder(StorageConfig()) == tmp_path / "edda" / "backups"
