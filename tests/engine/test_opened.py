"""The open store of an engine: made or found in its folder, released at the end, and never in a folder that moves."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

import edda_sync as edda
from edda_sync.engine.engine import StorageEngine
from edda_sync.engine.engine import open as open_store
from edda_sync.engine.opened import Opened
from edda_sync.store.memory.store import MemoryStore
from edda_sync.words.config import StorageConfig
from edda_sync.words.errors import LostStoreError, UsageError


def opened_at(home: Path) -> Opened:
    return Opened(home, os.urandom)


def open_it(opened: Opened, config: StorageConfig) -> bool:
    return opened.open(config, lambda _: None, lambda _: False)


@pytest.fixture
def config(tmp_path: Path) -> StorageConfig:
    return StorageConfig(state_path=tmp_path / "state")


def test_a_store_is_made_and_says_later_whether_it_belongs_to_a_workspace(
    tmp_path: Path, config: StorageConfig
) -> None:
    opened = opened_at(tmp_path / "home")
    assert not open_it(opened, config)
    assert (tmp_path / "home" / "edda.db").is_file()
    assert opened.close()
    with open_store(tmp_path / "home", config):
        pass
    assert open_it(opened, config)
    opened.close()


def test_a_closed_store_says_so_and_closing_again_is_nothing(tmp_path: Path, config: StorageConfig) -> None:
    opened = opened_at(tmp_path / "home")
    open_it(opened, config)
    assert opened.close()
    assert not opened.close()
    assert (opened.sidecar, opened.file) == (None, None)
    with pytest.raises(UsageError, match="closed"):
        _ = opened.store


def test_a_store_that_is_open_is_not_opened_again(tmp_path: Path, config: StorageConfig) -> None:
    opened = opened_at(tmp_path / "home")
    open_it(opened, config)
    with pytest.raises(UsageError, match="open already"):
        open_it(opened, config)
    with pytest.raises(UsageError, match="open already"):
        opened.attach(MemoryStore, config, None)
    opened.close()


def test_the_folder_is_the_one_that_a_link_led_to_when_it_was_opened(tmp_path: Path, config: StorageConfig) -> None:
    (tmp_path / "one").mkdir()
    (tmp_path / "link").symlink_to("one")
    opened = opened_at(tmp_path / "link")
    open_it(opened, config)
    assert opened.home == tmp_path / "one"
    opened.close()


def test_a_relative_folder_is_one_from_where_the_engine_was_made(
    tmp_path: Path, config: StorageConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    opened = opened_at(Path("home"))
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    open_it(opened, config)
    assert (tmp_path / "home" / "edda.db").is_file()
    opened.close()


def test_a_store_in_memory_has_no_file_and_nothing_to_lose(tmp_path: Path) -> None:
    opened = opened_at(tmp_path / "home")
    assert not open_it(opened, StorageConfig(backend="memory"))
    assert (opened.database, opened.file, opened.sidecar) == (None, None, None)
    opened.check_still_there()
    assert opened.close()
    assert not (tmp_path / "home").exists()


def test_a_store_whose_folder_was_moved_is_missed(tmp_path: Path, config: StorageConfig) -> None:
    opened = opened_at(tmp_path / "home")
    open_it(opened, config)
    opened.check_still_there()
    (tmp_path / "home").rename(tmp_path / "moved")
    with pytest.raises(LostStoreError):
        opened.check_still_there()
    opened.close()


def test_findings_at_opening_are_reported_until_the_store_is_opened_again(
    tmp_path: Path, config: StorageConfig
) -> None:
    home = tmp_path / "home"
    with open_store(home, config) as store:
        store.create_task(edda.Task(title="kept"))
    old = (home / "edda.db").read_bytes()
    with open_store(home, config) as store:
        store.create_task(edda.Task(title="lost"))
        assert store.reading.news() == []
    for path in home.glob("edda.db-*"):
        path.unlink()
    (home / "edda.db").write_bytes(old)
    with StorageEngine(home) as store:
        store.initialize(config)
        (said,) = store.reading.news()
        assert "1" in said
