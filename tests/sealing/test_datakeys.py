from __future__ import annotations

import json
from pathlib import Path

import pytest

from edda_sync.sealing import datakeys, keyfile
from edda_sync.sealing.datakeys import DataKey, FollowedKeys
from edda_sync.words import asking, limits
from edda_sync.words.config import EncryptionAlgorithm, EncryptionConfig, KeyDerivationFunction, KeyStorage
from edda_sync.words.errors import StoreKeyError, UsageError
from tests.keyrings import ShelfKeyring

KEYRING = EncryptionConfig()
PASSPHRASE = EncryptionConfig(kdf=KeyDerivationFunction.SCRYPT, key_storage=KeyStorage.PASSPHRASE)
AES = EncryptionAlgorithm.AES_256_GCM


@pytest.fixture
def database(tmp_path: Path) -> Path:
    folder = tmp_path / "store"
    folder.mkdir()
    return folder / "edda.db"


def config(place: KeyStorage, tmp_path: Path) -> EncryptionConfig:
    return EncryptionConfig(kdf=KeyDerivationFunction.SCRYPT, key_storage=place, key_file=tmp_path / "stick.key")


@pytest.mark.parametrize("place", KeyStorage)
@pytest.mark.usefixtures("shelf")
def test_the_data_key_is_the_same_in_the_next_process(place: KeyStorage, database: Path, tmp_path: Path) -> None:
    asking.ask_with(lambda _prompt, _new: "correct horse")
    made = datakeys.create(database, config(place, tmp_path))
    datakeys.forget_unlocked()
    found = datakeys.unlock(database)
    assert found.keys == made.keys
    assert datakeys.storage_of(found.wrapping) is place
    assert found.current.key.hex() not in keyfile.path_of(database).read_text()


def test_the_key_of_the_database_is_the_same_in_every_version() -> None:
    key = DataKey(bytes(8), "2026-11-30T06:00:00.000Z", bytes(16), bytes(range(32)))
    derived = "dc8294b9d70021219bdd2abaa06c1401fe306a7b28790eab771616f3f0a1c981"
    assert key.pragma == f"x'{derived}{bytes(16).hex()}'"


def test_a_passphrase_is_asked_for_once_in_a_process(database: Path) -> None:
    asked = []

    def ask(_prompt: str, new: bool) -> str:
        asked.append(new)
        return "correct horse"

    asking.ask_with(ask)
    datakeys.create(database, PASSPHRASE)
    for _ in range(3):
        datakeys.unlock(database)
    datakeys.add(database)
    assert asked == [True]
    datakeys.forget_unlocked()
    for _ in range(3):
        datakeys.unlock(database)
    assert asked == [True, False]


def test_a_wrong_passphrase_opens_nothing_and_is_asked_for_again(database: Path) -> None:
    asking.ask_with(lambda _prompt, _new: "correct horse")
    datakeys.create(database, PASSPHRASE)
    before = keyfile.path_of(database).read_bytes()
    datakeys.forget_unlocked()
    asking.ask_with(lambda _prompt, _new: "wrong horse")
    with pytest.raises(StoreKeyError, match=r"that is not its passphrase.*nothing was changed: try again"):
        datakeys.unlock(database)
    assert keyfile.path_of(database).read_bytes() == before
    asking.ask_with(lambda _prompt, _new: "correct horse")
    datakeys.unlock(database)


@pytest.mark.usefixtures("shelf")
@pytest.mark.parametrize("field", ["id", "made", "salt", "sealed"])
def test_a_key_file_in_which_something_was_changed_does_not_open(field: str, database: Path) -> None:
    datakeys.create(database, KEYRING)
    path = keyfile.path_of(database)
    found = json.loads(path.read_text())
    value = found["keys"][0][field]
    found["keys"][0][field] = ("1" if value[0] != "1" else "2") + value[1:]
    path.write_text(json.dumps(found))
    with pytest.raises(StoreKeyError, match="does not open its key file"):
        datakeys.unlock(database)


def test_no_flipped_bit_of_a_key_file_opens_it_with_other_keys(database: Path, tmp_path: Path) -> None:
    made = datakeys.create(database, config(KeyStorage.FILE, tmp_path))
    path = keyfile.path_of(database)
    whole = path.read_bytes()
    refused = 0
    for bit in range(len(whole) * 8):
        flipped = bytearray(whole)
        flipped[bit // 8] ^= 1 << bit % 8
        path.write_bytes(flipped)
        datakeys.forget_unlocked()
        try:
            assert datakeys.unlock(database).keys == made.keys  # a space more or less changes nothing
        except StoreKeyError:
            refused += 1
    assert refused > len(whole) * 6


def test_an_entry_of_the_keyring_that_is_gone_says_so(database: Path, shelf: ShelfKeyring) -> None:
    datakeys.create(database, KEYRING)
    shelf.entries.clear()
    datakeys.forget_unlocked()
    with pytest.raises(StoreKeyError, match="missing from the system's keyring"):
        datakeys.unlock(database)


def test_the_wrapping_key_is_replaced_and_the_data_key_stays(database: Path, shelf: ShelfKeyring) -> None:
    made = datakeys.create(database, KEYRING)
    (before,) = shelf.entries
    anew = datakeys.wrap_anew(database, KEYRING)
    assert anew.keys == made.keys
    assert before not in shelf.entries
    assert len(shelf.entries) == 1
    asking.ask_with(lambda _prompt, _new: "correct horse")
    datakeys.wrap_anew(database, PASSPHRASE)
    assert shelf.entries == {}
    datakeys.forget_unlocked()
    assert datakeys.unlock(database).keys == made.keys


def test_a_key_file_that_is_named_again_is_no_new_key(database: Path, tmp_path: Path) -> None:
    stick = config(KeyStorage.FILE, tmp_path)
    datakeys.create(database, stick)
    with pytest.raises(UsageError, match="name a new file"):
        datakeys.wrap_anew(database, stick)


@pytest.mark.usefixtures("shelf")
def test_a_new_data_key_comes_beside_the_others_and_the_oldest_go(database: Path) -> None:
    made = datakeys.create(database, KEYRING)
    more = datakeys.add(database)
    assert more.keys[:-1] == made.keys
    assert more.current == more.keys[-1] != made.current
    for _ in range(limits.DATA_KEYS_MAX):
        datakeys.add(database)
    assert len(datakeys.unlock(database).keys) == limits.DATA_KEYS_MAX
    assert keyfile.path_of(database).stat().st_size < limits.KEY_FILE_BYTES_MAX / 10


@pytest.mark.usefixtures("shelf")
def test_the_salt_of_a_database_says_which_key_is_tried_first(database: Path) -> None:
    datakeys.create(database, KEYRING)
    datakeys.add(database)
    keys = datakeys.add(database)
    old, middle, new = keys.keys
    assert keys.likely(bytes(16)) == [new, middle, old]
    assert keys.likely(middle.salt + b"more") == [middle, new, old]


@pytest.mark.usefixtures("shelf")
def test_each_purpose_has_a_sealer_that_opens_what_older_keys_sealed(database: Path) -> None:
    before = datakeys.create(database, KEYRING).sealer("values", AES)
    sealed = before.seal(b"plain", b"about")
    after = datakeys.add(database)
    assert after.sealer("values", AES).unseal(sealed, b"about", "it") == b"plain"
    assert after.sealer("values", AES).seal(b"plain", b"")[2:10] == after.current.id
    with pytest.raises(Exception, match="damaged"):
        after.sealer("files", AES).unseal(sealed, b"about", "it")


# --- keys that another process replaces -------------------------------------------------------------------------------


@pytest.mark.usefixtures("shelf")
def test_keys_that_are_followed_are_read_again_when_there_is_a_new_one(database: Path) -> None:
    made = datakeys.create(database, KEYRING)
    followed = FollowedKeys(database)
    assert (followed.data.keys, followed.look()) == (made.keys, False)
    more = datakeys.add(database)
    assert followed.data.keys == made.keys
    assert (followed.look(), followed.data.keys, followed.look()) == (True, more.keys, False)


def test_nobody_is_asked_for_a_passphrase_that_was_changed_while_the_keys_are_the_same(database: Path) -> None:
    asking.ask_with(lambda _prompt, _new: "correct horse")
    made = datakeys.create(database, PASSPHRASE)
    followed = FollowedKeys(database)
    assert followed.data.keys == made.keys
    datakeys.wrap_anew(database, PASSPHRASE)
    asking.ask_with(None)
    datakeys.forget_unlocked()
    assert not followed.look()


@pytest.mark.usefixtures("shelf")
def test_keys_that_are_followed_outlive_their_file(database: Path) -> None:
    made = datakeys.create(database, KEYRING)
    followed = FollowedKeys(database)
    assert followed.data.keys == made.keys
    keyfile.put_aside(database)
    assert not followed.look()


@pytest.mark.usefixtures("shelf")
def test_names_are_sealed_under_each_key_the_newest_first(database: Path) -> None:
    (old,) = datakeys.create(database, KEYRING).name_sealers("names")
    newest, other = datakeys.add(database).name_sealers("names")
    assert other.seal(b"name") == old.seal(b"name") != newest.seal(b"name")
    assert datakeys.unlock(database).name_sealers("others")[0].seal(b"name") != newest.seal(b"name")
