from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Any

import pytest

from edda_sync.sealing import kdf, wrapping
from edda_sync.sealing.wrapping import InFile, InKeyring, UnderPassphrase
from edda_sync.words import asking
from edda_sync.words.config import EncryptionConfig, KeyDerivationFunction, KeyStorage
from edda_sync.words.errors import CorruptError, StoreKeyError, UsageError
from tests.keyrings import DeafKeyring, ShelfKeyring, using

ID = bytes(range(8))
KEYRING, PASSPHRASE = EncryptionConfig(), EncryptionConfig(key_storage=KeyStorage.PASSPHRASE)


@pytest.fixture
def database(tmp_path: Path) -> Path:
    folder = tmp_path / "store"
    folder.mkdir()
    return folder / "edda.db"


def in_file(path: Path) -> EncryptionConfig:
    return EncryptionConfig(key_storage=KeyStorage.FILE, key_file=path)


# --- the keyring ------------------------------------------------------------------------------------------------------


def test_a_key_in_the_keyring_is_fetched_again_and_dropped(database: Path, shelf: ShelfKeyring) -> None:
    kept, key = wrapping.new(KEYRING, database, os.urandom)
    assert isinstance(kept, InKeyring)
    assert wrapping.fetch(kept, database) == key
    assert list(shelf.entries) == [("edda-sync", f"store {kept.id.hex()}")]
    kept.drop()
    assert shelf.entries == {}
    with pytest.raises(
        StoreKeyError, match=r"missing from the system's keyring .* nothing was changed: put the keyring"
    ):
        wrapping.fetch(kept, database)


def test_without_a_keyring_that_keeps_it_no_key_is_made_and_another_place_is_named(
    database: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("EDDA_KEYRING", raising=False)
    with using(DeafKeyring()), pytest.raises(UsageError, match="--passphrase, or --key-file"):
        wrapping.new(KEYRING, database, os.urandom)


def test_a_locked_keyring_says_so(database: Path, shelf: ShelfKeyring) -> None:
    kept, _ = wrapping.new(KEYRING, database, os.urandom)
    shelf.locked = True
    with pytest.raises(StoreKeyError, match="unlock it"):
        wrapping.fetch(kept, database)


@pytest.mark.parametrize("line", ["", "nonsense", f"edda-store-key {ID.hex()} !!!", f"edda-store-key {ID.hex()} AAAA"])
def test_a_damaged_entry_of_the_keyring_is_noticed(database: Path, shelf: ShelfKeyring, line: str) -> None:
    shelf.entries["edda-sync", f"store {ID.hex()}"] = line
    with pytest.raises(StoreKeyError, match="damaged"):
        wrapping.fetch(InKeyring(ID), database)


# --- a passphrase -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("function", KeyDerivationFunction)
def test_a_passphrase_gives_the_same_key_again(database: Path, function: KeyDerivationFunction) -> None:
    asking.ask_with(lambda _prompt, _new: "correct horse")
    kept, key = wrapping.new(EncryptionConfig(kdf=function, key_storage=KeyStorage.PASSPHRASE), database, os.urandom)
    assert isinstance(kept, UnderPassphrase)
    assert kept.function.NAME is function
    assert wrapping.fetch(kept, database) == key
    asking.ask_with(lambda _prompt, _new: "correct horses")
    assert wrapping.fetch(kept, database) != key


# --- a file -----------------------------------------------------------------------------------------------------------


def test_a_key_in_a_file_is_private_and_is_fetched_again_also_from_where_it_was_moved(
    database: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "stick.key"
    kept, key = wrapping.new(in_file(path), database, os.urandom)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert wrapping.fetch(kept, database) == key
    moved = path.rename(tmp_path / "moved.key")
    with pytest.raises(StoreKeyError, match=r"stick\.key is missing; nothing was changed: put it back, or mount"):
        wrapping.fetch(kept, database)
    monkeypatch.setenv(wrapping.VARIABLE, str(moved))
    assert wrapping.fetch(kept, database) == key


def test_a_file_with_a_key_serves_a_second_store_and_other_files_are_left_alone(database: Path, tmp_path: Path) -> None:
    path = tmp_path / "stick.key"
    first = wrapping.new(in_file(path), database, os.urandom)
    assert wrapping.new(in_file(path), database, os.urandom) == first
    other = tmp_path / "other"
    for text in ("my diary", f"{' '.join(path.read_text().split()[:1])} no-id a2V5"):
        other.write_text(text)
        other.chmod(0o644)
        with pytest.raises(UsageError, match="holds something else"):
            wrapping.new(in_file(other), database, os.urandom)
        assert other.read_text() == text
    other.write_text("my diary")
    other.chmod(0o644)
    with pytest.raises(UsageError, match="holds something else"):
        wrapping.new(in_file(other), database, os.urandom)
    assert stat.S_IMODE(other.stat().st_mode) == 0o644, "it is private only if it is a key"


@pytest.mark.parametrize("name", ["folder", "x" * 300])
def test_what_can_be_no_file_is_refused(database: Path, tmp_path: Path, name: str) -> None:
    (tmp_path / "folder").mkdir()
    with pytest.raises(UsageError, match="cannot be the key file"):
        wrapping.new(in_file(tmp_path / name), database, os.urandom)


def test_a_file_beside_the_store_or_without_a_folder_is_refused(database: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="beside the store"):
        wrapping.new(in_file(database.parent / "key"), database, os.urandom)
    with pytest.raises(UsageError, match="make it first"):
        wrapping.new(in_file(tmp_path / "missing" / "key"), database, os.urandom)
    with pytest.raises(UsageError, match="--key-file"):
        wrapping.new(EncryptionConfig(key_storage=KeyStorage.FILE), database, os.urandom)


def test_the_key_of_another_store_is_noticed(database: Path, tmp_path: Path) -> None:
    kept, _ = wrapping.new(in_file(tmp_path / "stick.key"), database, os.urandom)
    assert isinstance(kept, InFile)
    with pytest.raises(StoreKeyError, match="another store"):
        wrapping.fetch(InFile(ID, kept.path), database)


# --- what the key file says -------------------------------------------------------------------------------------------

FUNCTION = kdf.Scrypt(salt=bytes(16))


@pytest.mark.parametrize("kept", [InKeyring(ID), UnderPassphrase(ID, FUNCTION), InFile(ID, Path("/mnt/key"))], ids=str)
def test_the_place_of_a_key_is_read_as_it_was_written(kept: wrapping.Wrapping) -> None:
    assert wrapping.read(kept.record(), "it") == kept


def test_the_place_of_a_key_is_written_alike_in_every_version() -> None:
    assert InKeyring(ID).record() == {"in": "keyring", "id": "0001020304050607"}
    assert InFile(ID, Path("/mnt/key")).record() == {"in": "file", "id": "0001020304050607", "path": "/mnt/key"}
    made = UnderPassphrase(ID, FUNCTION).record()
    assert made == {"in": "passphrase", "id": "0001020304050607", **FUNCTION.parameters()}


@pytest.mark.parametrize(
    "found",
    [
        {}, {"in": "keyring"}, {"in": "cloud", "id": ID.hex()}, {"in": "keyring", "id": "00"}, {"in": "keyring", "id": "zz"},
        {"in": "keyring", "id": 7}, {"in": "file", "id": ID.hex()}, {"in": "file", "id": ID.hex(), "path": None},
        {"in": "passphrase", "id": ID.hex()},
    ],
    ids=str,
)  # fmt: skip
def test_a_damaged_place_is_refused(found: dict[str, Any]) -> None:
    with pytest.raises(CorruptError):
        wrapping.read(found, "it")
