"""Commands about backups, bundles and copies make no store in an empty folder, and say what to do there."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from edda_sync.backup import recovery
from edda_sync.backup.code import RecoveryCode
from edda_sync.engine.engine import StorageEngine
from edda_sync.words.config import StorageConfig
from tests.cli.conftest import Edda


@pytest.fixture(autouse=True)
def in_files(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDDA_KEYRING", "off")


@pytest.mark.parametrize(
    "command",
    [
        "backup now", "backup list", "backup verify", "backup restore", "backup recovery new", "bundle show x",
        "bundle import x", "bundle export x", "split other",
    ],
)  # fmt: skip
def test_where_no_store_ever_was_none_is_made(another_edda: Callable[[str], Edda], command: str) -> None:
    empty = another_edda("empty")
    said = empty(*command.split(), code=3).stderr
    assert "There is no store in" in said
    assert "`edda backup restore --recovery`" in said
    assert "`edda join CODE` here" in said
    assert not empty.home.exists()


def test_an_empty_store_gives_way_to_one_that_comes_back(
    edda: Edda, another_edda: Callable[[str], Edda], tmp_path: Path
) -> None:
    place, new, code = tmp_path / "place", another_edda("new"), RecoveryCode(bytes(range(20)))
    place.mkdir()
    edda("task", "add", "Buy milk")
    with StorageEngine(edda.home) as store:
        store.initialize(StorageConfig())
        recovery.make(store, code)
    edda("backup", "target", "add", "drive", str(place))
    edda("backup", "now")
    new("init")
    new("backup", "target", "add", "drive", str(place))
    said = new("backup", "restore", "--recovery", stdin=" ".join(code.words))
    assert "The empty store that was here made room." in said.stderr
    assert [task["title"] for task in new.json("task", "list")] == ["Buy milk"]
    refused = new("backup", "restore", "--recovery", stdin=" ".join(code.words), code=2)
    assert "restore into it without --recovery" in refused.stderr


def test_nobody_types_fifteen_words_before_a_place_is_known(
    another_edda: Callable[[str], Edda], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("EDDA_STATE", str(tmp_path / "state"))
    said = another_edda("new")("backup", "restore", "--recovery", stdin="", code=2).stderr
    assert "`edda backup target add NAME URL` names it first." in said
