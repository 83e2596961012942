"""``edda key``: rotate."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from edda_sync.sealing import datakeys, keyfile
from tests.cli.conftest import Edda


@pytest.fixture(autouse=True)
def new_process(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("EDDA_KEYRING", "off")
    datakeys.forget_unlocked()
    yield
    datakeys.forget_unlocked()


@pytest.fixture
def secret(tmp_path: Path) -> Edda:
    """A store whose key is in a file."""
    made = Edda(tmp_path / "secret")
    made("init", "--encrypt", "--key-file", str(tmp_path / "first.key"))
    made("task", "add", "a")
    return made


def passphrase(path: Path, text: str) -> str:
    path.touch(0o600)
    path.write_text(text)
    return str(path)


def test_the_key_of_the_store_is_kept_in_another_file_from_then_on(secret: Edda, tmp_path: Path) -> None:
    data = (secret.home / "edda.db").read_bytes()
    said = secret("key", "rotate", "--store", "--key-file", str(tmp_path / "second.key"))
    assert said.stdout == f"The store has a new key, which is in the file {tmp_path / 'second.key'}.\n"
    assert (secret.home / "edda.db").read_bytes() == data
    (tmp_path / "first.key").unlink()
    datakeys.forget_unlocked()
    assert len(secret.json("task", "list")) == 1
    assert (
        "name a new file"
        in secret("key", "rotate", "--store", "--key-file", str(tmp_path / "second.key"), code=2).stderr
    )


def test_a_passphrase_is_replaced_by_another_one(secret: Edda, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDDA_PASSPHRASE_FILE", passphrase(tmp_path / "old", "the old passphrase"))
    secret("key", "rotate", "--store", "--passphrase")
    assert "set EDDA_NEW_PASSPHRASE_FILE" in secret("key", "rotate", "--store", code=2).stderr
    monkeypatch.setenv("EDDA_NEW_PASSPHRASE_FILE", passphrase(tmp_path / "new", "the new passphrase"))
    secret("key", "rotate", "--store")
    datakeys.forget_unlocked()
    assert "that is not its passphrase" in secret("task", "list", code=1).stderr
    monkeypatch.setenv("EDDA_PASSPHRASE_FILE", str(tmp_path / "new"))
    assert len(secret.json("task", "list")) == 1


def test_the_data_gets_a_new_key(secret: Edda) -> None:
    before = (secret.home / "edda.db").read_bytes()
    said = secret("key", "rotate", "--store", "--data")
    assert "under a new key" in said.stdout
    after = (secret.home / "edda.db").read_bytes()
    assert all(before[at : at + 4_096] != after[at : at + 4_096] for at in range(0, len(before), 4_096))
    assert len(keyfile.load(secret.home / "edda.db").keys) == 2
    assert len(secret.json("task", "list")) == 1


def test_what_is_not_clear_is_refused(secret: Edda, edda: Edda) -> None:
    assert "Say which key" in secret("key", "rotate", code=2).stderr
    assert "--data replaces no key" in secret("key", "rotate", "--store", "--data", "--passphrase", code=2).stderr
    assert "`edda store encrypt` encrypts it" in edda("key", "rotate", "--store", code=2).stderr
