from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from edda_sync.cli.main import root
from tests.encrypted import holds


def test_the_first_command_makes_the_store_and_says_so_once(tmp_path: Path, another_edda: Callable[[str], Any]) -> None:
    edda = another_edda("fresh")
    first = edda("task", "add", "a")
    assert len(first.stderr.splitlines()) == 1
    assert str(tmp_path / "fresh") in first.stderr
    assert edda("task", "list").stderr == ""


def test_init_names_the_device_and_says_when_there_is_a_store_already(another_edda: Callable[[str], Any]) -> None:
    edda = another_edda("fresh")
    assert '"my laptop"' in edda("init", "--name", "my laptop").stdout
    assert "already" in edda("init").stdout
    assert "`edda devices rename NAME` renames it" in edda("init", "--name", "other", code=2).stderr
    another_edda("other")("init", "--name", "", code=2)


def test_an_encrypted_store_is_made_only_anew_and_its_key_is_named(
    another_edda: Callable[[str], Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EDDA_KEYRING", "off")
    key = tmp_path / "stick.key"
    edda = another_edda("fresh")
    said = edda("init", "--encrypt", "--name", "laptop", "--key-file", str(key)).stdout
    assert said.endswith(f'this device is called "laptop". It is encrypted, and its key is in the file {key}.\n')
    edda("task", "add", "nobody may read this")
    assert holds(tmp_path / "fresh", b"nobody may read") == []
    assert "`edda store encrypt` encrypts it" in edda("init", "--encrypt", code=2).stderr
    assert "is said with --encrypt" in another_edda("other")("init", "--passphrase", code=2).stderr
    assert "--passphrase, or --key-file" in another_edda("other")("init", "--encrypt", code=2).stderr
    assert not (tmp_path / "other" / "edda.db").exists()


def test_a_store_that_cannot_be_made_leaves_no_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDDA_KEYRING", "off")
    monkeypatch.setenv("EDDA_STATE", str(tmp_path / "state" / "lives"))
    (tmp_path / "kept").mkdir()
    for home in (tmp_path / "new" / "home", tmp_path / "kept" / "home"):
        said = CliRunner().invoke(root, ["--home", str(home), "init", "--encrypt"])
        assert (said.exit_code, "nothing was changed" in said.stderr) == (2, True)
    assert sorted(each.name for each in tmp_path.iterdir()) == ["kept"]
    assert not list((tmp_path / "kept").iterdir())
