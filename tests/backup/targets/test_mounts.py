"""Mounts: a place whose drive is away is found before anything is made there."""

from __future__ import annotations

from pathlib import Path

from edda_sync.backup.targets.mounts import is_same_disk, unmounted


def test_a_place_in_the_table_where_nothing_is_mounted_is_found_at_and_below_it(tmp_path: Path) -> None:
    stick, table = tmp_path / "my stick", tmp_path / "fstab"
    escaped = str(stick).replace(" ", "\\040")
    table.write_text(f"# {tmp_path}/commented x\nUUID=1 / ext4 defaults 0 1\nUUID=2 {escaped} vfat noauto 0 0\nbad\n")
    assert unmounted(stick, table) == stick
    assert unmounted(stick / "backups" / "mine", table) == stick
    stick.mkdir()
    assert unmounted(stick / "backups", table) == stick
    assert unmounted(tmp_path / "commented", table) is None
    assert unmounted(tmp_path / "other", table) is None


def test_what_is_mounted_and_a_table_that_is_missing_say_nothing(tmp_path: Path) -> None:
    table = tmp_path / "fstab"
    assert unmounted(tmp_path, table) is None
    table.write_text("UUID=1 / ext4 defaults 0 1\nproc /proc proc defaults 0 0\n")
    assert unmounted(Path("/proc/self"), table) is None


def test_a_store_that_is_not_made_yet_has_the_disk_of_the_folder_above_it(tmp_path: Path) -> None:
    assert is_same_disk(tmp_path / "not" / "yet", tmp_path)
    assert not is_same_disk(tmp_path / "not" / "yet", Path("/proc"))
