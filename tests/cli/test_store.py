"""``edda store``: encrypt, decrypt, migrate."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from edda_sync.sealing import datakeys
from edda_sync.store.sqlite.store import SqliteStore
from tests.cli.conftest import Edda
from tests.cli.processes import asked_on_a_terminal
from tests.encrypted import holds

PLANTED = "nobody may read this"
HORSE = b"correct horse"


@pytest.fixture(autouse=True)
def new_process(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("EDDA_KEYRING", "off")
    datakeys.forget_unlocked()
    yield
    datakeys.forget_unlocked()


@pytest.fixture
def key(tmp_path: Path) -> str:
    return str(tmp_path / "stick.key")


def test_a_store_is_encrypted_in_place_used_and_decrypted(edda: Edda, key: str) -> None:
    task = edda.id_of("task", "add", PLANTED)
    said = edda("store", "encrypt", "--key-file", key)
    assert said.stdout == f"The store is encrypted; its key is in the file {key}.\n"
    assert said.stderr == "Keep edda.db-key with edda.db, also in backups: nobody can read the store without both.\n"
    edda("task", "add", f"{PLANTED} either")
    assert holds(edda.home, PLANTED.encode()) == []
    assert PLANTED in edda("task", "show", task).stdout
    assert edda.json("status")["encryption"]["key"] == f"in the file {key}"
    assert f"encrypted: its key is in the file {key}" in edda("status").stdout
    assert "encryption: every page is what was encrypted" in edda("doctor").stdout
    said = edda("store", "decrypt")
    assert said.stdout == "The store is not encrypted any more.\n"
    assert "edda.db-key-before-1 is its former key file" in said.stderr
    assert len(edda.json("task", "list")) == 2
    assert edda.json("status")["encryption"] is None
    assert "no new life" not in edda("status").stdout
    assert "lives:" not in edda("status").stdout


def test_a_store_that_is_to_be_encrypted_by_its_settings_is_not_decrypted(edda: Edda, key: str) -> None:
    edda("store", "encrypt", "--key-file", key)
    edda("config", "set", "encryption.key_rotation.max_age", "90 days")
    assert "`edda config unset KEY`" in edda("store", "decrypt", code=2).stderr
    edda("task", "list")
    edda("config", "unset", "encryption.key_rotation.max_age")
    edda("store", "decrypt")
    edda("task", "list")


def test_what_is_left_in_plain_files_is_said(edda: Edda, key: str) -> None:
    (edda.home / "edda.db-wal-aside-1").write_bytes(b"a journal")
    assert "yours to delete: edda.db-wal-aside-1." in edda("store", "encrypt", "--key-file", key).stderr


@pytest.mark.parametrize("command", [("encrypt",), ("decrypt",)])
def test_a_folder_without_a_store_is_left_alone(another_edda: object, tmp_path: Path, command: tuple[str]) -> None:
    assert callable(another_edda)
    said = another_edda("fresh")("store", *command, code=2)
    assert "There is no store" in said.stderr
    assert "edda.db" not in [each.name for each in (tmp_path / "fresh").rglob("*")]


def test_a_store_in_use_is_refused_with_what_to_do(edda: Edda, key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    store = SqliteStore(edda.home / "edda.db")
    assert "open in this process" in edda("store", "encrypt", "--key-file", key, code=2).stderr
    store.close()


def test_a_running_device_is_named(edda: Edda, key: str) -> None:
    from edda_sync.device.control import only_runner

    with only_runner(edda.home):
        said = edda("store", "encrypt", "--key-file", key, code=2)
    assert said.stderr == "`edda up` is running on this store; nothing was changed: stop it, then try again.\n"


def test_without_a_keyring_the_other_places_are_named(edda: Edda) -> None:
    assert "use --passphrase, or --key-file PATH" in edda("store", "encrypt", code=2).stderr
    assert sorted(each.name for each in edda.home.iterdir() if each.is_file()) == [
        "edda.db", "identity.json", "identity.key",
    ]  # fmt: skip
    assert (
        "one of --keyring, --passphrase and --key-file"
        in edda("store", "encrypt", "--keyring", "--passphrase", code=2).stderr
    )


def test_a_person_types_the_passphrase_twice_once_and_wrongly(edda: Edda) -> None:
    edda("task", "add", PLANTED)
    code, printed = asked_on_a_terminal(edda.home, "store", "encrypt", "--passphrase", answers=[HORSE, HORSE])
    assert code == 0, printed
    assert "New passphrase for" in printed
    assert HORSE.decode() not in printed
    code, printed = asked_on_a_terminal(edda.home, "task", "list", answers=[HORSE])
    assert code == 0, printed
    assert printed.count("Passphrase of") == 1
    assert PLANTED in printed
    code, printed = asked_on_a_terminal(edda.home, "task", "list", answers=[b"wrong horse"])
    assert code == 1
    assert "that is not its passphrase" in printed


def test_states_are_moved_to_another_backend_and_everything_else_goes_on(edda: Edda) -> None:
    edda("task", "add", "Buy milk", "--tag", "shop")
    before = json.loads(edda("status", "--json").stdout)["digest"]
    for to in ("rocksdb", "sqlite", "rocksdb"):
        assert f"The states are in {to} now: " in edda("store", "migrate", "--to", to).stdout
        assert "already; nothing was changed" in edda("store", "migrate", "--to", to, code=2).stderr
        assert json.loads(edda("status", "--json").stdout)["digest"] == before
        assert "Buy milk" in edda("task", "list").stdout
        edda("doctor")
