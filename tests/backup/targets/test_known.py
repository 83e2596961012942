"""The targets that a store knows, and the file that remembers them."""

from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from edda_sync.backup.targets.known import (
    ENVIRONMENT,
    FILE,
    KNOWN_FILE,
    NOWHERE,
    SAME_DISK,
    USUAL,
    Known,
    change,
    check_name,
    find,
    load,
    only_here,
)  # fmt: skip
from edda_sync.backup.targets.place import AZURE, FOLDER, S3, Place
from edda_sync.words.config import StorageConfig
from edda_sync.words.errors import DamagedBackupError, InvalidValueError, NotFoundError

NOW = "2026-11-30T12:00:00.000Z"
STICK = Known("stick", Place(FOLDER, "/media/stick"), "0" * 32, NOWHERE, NOW, (SAME_DISK,))
CLOUD = Known(
    "the cloud", Place(S3, "bucket", "a/b", "eu-central-1", "https://h:9"), "1" * 32, FILE, NOW, ("create", "swap")
)
AZ = Known("az", Place(AZURE, "container", account="mine"), "2" * 32, ENVIRONMENT, NOW, ())
GOLDEN = """\
{
 "format": 1,
 "targets": [
  {
   "name": "stick",
   "kind": "file",
   "root": "/media/stick",
   "prefix": "",
   "region": "",
   "endpoint": "",
   "account": "",
   "id": "00000000000000000000000000000000",
   "credentials": "none",
   "proved_at": "2026-11-30T12:00:00.000Z",
   "lacks": [
    "disk"
   ]
  }
 ]
}
"""


def save(home: Path, *known: Known) -> None:
    change(home, lambda _: known)


def test_the_file_has_these_bytes_and_only_its_owner_reads_it(tmp_path: Path) -> None:
    save(tmp_path, STICK)
    assert (tmp_path / KNOWN_FILE).read_text() == GOLDEN
    assert (tmp_path / KNOWN_FILE).stat().st_mode & 0o777 == 0o600


def test_what_was_saved_is_loaded_in_its_order(tmp_path: Path) -> None:
    assert load(tmp_path) == []
    save(tmp_path, CLOUD, STICK, AZ)
    assert load(tmp_path) == [CLOUD, STICK, AZ]
    assert find(tmp_path, "stick") == STICK
    with pytest.raises(NotFoundError, match="no target 'none' here; `edda backup target list`"):
        find(tmp_path, "none")


def test_a_file_that_others_can_read_is_made_private(tmp_path: Path) -> None:
    save(tmp_path, STICK)
    (tmp_path / KNOWN_FILE).chmod(0o644)
    load(tmp_path)
    assert (tmp_path / KNOWN_FILE).stat().st_mode & 0o777 == 0o600


def test_processes_that_change_it_at_once_lose_nothing(tmp_path: Path) -> None:
    def add(number: int) -> None:
        change(tmp_path, lambda found: [*found, STICK._replace(name=f"stick {number}")])

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(add, range(24)))
    assert len(load(tmp_path)) == 24


def damages() -> dict[str, Callable[[dict[str, Any]], Any]]:
    """Ways in which a file can be wrong: each gets the decoded file, and returns what is written instead."""

    def changed(**fields: Any) -> Callable[[dict[str, Any]], Any]:
        return lambda whole: {**whole, "targets": [{**whole["targets"][0], **fields}]}

    return {
        "no list": lambda whole: {**whole, "targets": {}},
        "more": lambda whole: {**whole, "more": 1},
        "another format": lambda whole: {**whole, "format": 2},
        "twice": lambda whole: {**whole, "targets": whole["targets"] * 2},
        "a text": lambda _: "targets",
        "a part too many": changed(more=1),
        "a part missing": lambda whole: {**whole, "targets": [{"name": "x"}]},
        "a number": changed(name=1),
        "no name": changed(name=""),
        "a relative folder": changed(root="media/stick"),
        "a folder that is not normal": changed(root="/media/../stick"),
        "another kind": changed(kind="s3"),
        "an unknown kind": changed(kind="ftp"),
        "a prefix of a folder": changed(prefix="x"),
        "a region of a folder": changed(region="x"),
        "no id": changed(id="../x"),
        "credentials elsewhere": changed(credentials="elsewhere"),
        "a folder with credentials": changed(credentials="file"),
        "no time": changed(proved_at="yesterday"),
        "an unknown lack": changed(lacks=["much"]),
        "no lacks": changed(lacks="disk"),
    }


@pytest.mark.parametrize("name", damages())
def test_a_damaged_file_is_refused_and_not_used_or_replaced(tmp_path: Path, name: str) -> None:
    save(tmp_path, STICK)
    path = tmp_path / KNOWN_FILE
    path.write_text(json.dumps(damages()[name](json.loads(path.read_text()))))
    before = path.read_bytes()
    for work in (lambda: load(tmp_path), lambda: save(tmp_path, AZ), lambda: only_here(tmp_path, StorageConfig())):
        with pytest.raises(DamagedBackupError, match=r"backup-targets.json is damaged .*edda backup target add"):
            work()
    assert path.read_bytes() == before


@pytest.mark.parametrize("raw", [b"", b"{", b"\xff\xfe", b"[" * 100_000, b" " * 300_000], ids=range(5))
def test_a_file_that_is_no_json_is_refused(tmp_path: Path, raw: bytes) -> None:
    (tmp_path / KNOWN_FILE).write_bytes(raw)
    with pytest.raises(DamagedBackupError):
        load(tmp_path)


def test_every_file_that_is_cut_short_is_refused(tmp_path: Path) -> None:
    for length in range(len(GOLDEN) - 2):
        (tmp_path / KNOWN_FILE).write_text(GOLDEN[:length])
        with pytest.raises(DamagedBackupError):
            load(tmp_path)


@pytest.mark.parametrize("name", ["", " ", "-x", " x", "x ", "a\nb", "x" * 61, "a/b", "..", ".a", USUAL])
def test_what_is_no_name_of_a_target_is_refused(name: str) -> None:
    with pytest.raises(InvalidValueError):
        check_name(name)


def test_a_store_whose_backups_are_all_on_its_own_disk_is_told_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EDDA_STATE", "/state")
    said = only_here(tmp_path, StorageConfig())
    assert said is not None
    assert said.startswith(
        "Backups go to /state/backups, on this disk: that helps against mistakes, and not against a lost"
    )
    save(tmp_path, STICK)
    assert (only_here(tmp_path, StorageConfig()) or "").startswith("Backups go to /media/stick, on this disk")
    save(tmp_path, STICK, CLOUD)
    assert only_here(tmp_path, StorageConfig()) is None
