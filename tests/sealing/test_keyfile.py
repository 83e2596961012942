from __future__ import annotations

import json
import stat
from pathlib import Path
from typing import Any

import pytest

from edda_sync.sealing import keyfile
from edda_sync.sealing.keyfile import KeyFile, WrappedKey
from edda_sync.sealing.wrapping import InKeyring
from edda_sync.words.errors import CorruptError, StoreKeyError

ID = bytes(range(8))
KEY = WrappedKey(ID, "2026-11-30T06:00:00.000Z", bytes(range(16)), b"sealed")
CONTENT = KeyFile(InKeyring(ID), (KEY,))
GOLDEN = """{
 "format": 1,
 "wrapping": {
  "in": "keyring",
  "id": "0001020304050607"
 },
 "keys": [
  {
   "id": "0001020304050607",
   "made": "2026-11-30T06:00:00.000Z",
   "salt": "000102030405060708090a0b0c0d0e0f",
   "sealed": "c2VhbGVk"
  }
 ]
}
"""


def test_a_key_file_has_the_same_bytes_in_every_version() -> None:
    assert keyfile.encode(CONTENT).decode() == GOLDEN
    assert keyfile.decode(GOLDEN.encode(), "it") == CONTENT


def test_it_lies_beside_the_store_private_to_its_owner_and_is_replaced_as_a_whole(tmp_path: Path) -> None:
    database = tmp_path / "edda.db"
    keyfile.save(database, KeyFile(InKeyring(bytes(8)), (KEY,)))
    keyfile.save(database, CONTENT)
    assert keyfile.load(database) == CONTENT
    assert [each.name for each in tmp_path.iterdir()] == ["edda.db-key"]
    assert stat.S_IMODE((tmp_path / "edda.db-key").stat().st_mode) == 0o600


def test_one_that_others_could_read_is_made_private(tmp_path: Path) -> None:
    keyfile.save(tmp_path / "edda.db", CONTENT)
    (tmp_path / "edda.db-key").chmod(0o644)
    keyfile.load(tmp_path / "edda.db")
    assert stat.S_IMODE((tmp_path / "edda.db-key").stat().st_mode) == 0o600


def test_a_missing_one_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(StoreKeyError, match=r"its key file edda\.db-key is missing; nothing was changed: put it back"):
        keyfile.load(tmp_path / "edda.db")


def test_a_store_that_is_moved_keeps_a_copy_and_one_without_a_key_file_needs_none(tmp_path: Path) -> None:
    keyfile.copy(tmp_path / "edda.db", tmp_path / "other.db")
    assert list(tmp_path.iterdir()) == []
    keyfile.save(tmp_path / "edda.db", CONTENT)
    keyfile.copy(tmp_path / "edda.db", tmp_path / "other.db")
    assert keyfile.load(tmp_path / "other.db") == keyfile.load(tmp_path / "edda.db") == CONTENT


def test_a_key_file_that_is_put_aside_gets_a_name_of_its_own(tmp_path: Path) -> None:
    database = tmp_path / "edda.db"
    assert keyfile.put_aside(database) is None
    for number in (1, 2):
        keyfile.save(database, CONTENT)
        assert keyfile.put_aside(database) == tmp_path / f"edda.db-key-before-{number}"


def changed(**fields: Any) -> bytes:
    return json.dumps({**json.loads(GOLDEN), **fields}).encode()


WRONG = {**json.loads(GOLDEN)["keys"][0]}


@pytest.mark.parametrize(
    "raw",
    [
        b"", b"{", b"[]", b"\xff", b"[" * 60_000, b" " * (65 * 1024), changed(format="1"), changed(format=True),
        changed(keys=[]), changed(keys=[WRONG, WRONG]), changed(keys=[{**WRONG, "id": f"{n:016x}"} for n in range(17)]),
        changed(keys=None), changed(keys=[None]), changed(keys=[{**WRONG, "sealed": "?"}]), changed(keys=[{}]),
        changed(keys=[{**WRONG, "salt": "00"}]), changed(keys=[{**WRONG, "made": 7}]), changed(wrapping=None),
        changed(keys=[{**WRONG, "id": "00"}]), changed(wrapping={}),
    ],
    ids=lambda raw: raw[:40],
)  # fmt: skip
def test_a_damaged_one_is_refused_before_anything_in_it_is_used(raw: bytes, tmp_path: Path) -> None:
    with pytest.raises(CorruptError):
        keyfile.decode(raw, "it")
    (tmp_path / "edda.db-key").write_bytes(raw)
    with pytest.raises(StoreKeyError, match=r"edda\.db-key is damaged"):
        keyfile.load(tmp_path / "edda.db")


def test_one_of_a_newer_version_says_so() -> None:
    with pytest.raises(StoreKeyError, match="update edda-sync"):
        keyfile.decode(changed(format=2, keys="something else"), "it")


def test_fields_of_a_later_version_of_the_same_format_are_no_reason_to_refuse_it() -> None:
    assert keyfile.decode(changed(more={"a": 1}), "it") == CONTENT


def test_only_one_at_a_time_changes_it(tmp_path: Path) -> None:
    import subprocess
    import sys

    code = (
        "import sys, fcntl, os; d = os.open(sys.argv[1], os.O_RDONLY)\n"
        "try: fcntl.flock(d, fcntl.LOCK_EX | fcntl.LOCK_NB)\n"
        "except OSError: print('waits')\n"
    )
    for is_held in (True, False):
        run = [sys.executable, "-c", code, str(tmp_path)]
        if is_held:
            with keyfile.locked(tmp_path / "edda.db"):
                said = subprocess.run(run, capture_output=True, text=True, check=True).stdout
        else:
            said = subprocess.run(run, capture_output=True, text=True, check=True).stdout
        assert bool(said) is is_held
