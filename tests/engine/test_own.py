"""The device that a store belongs to: one identity, made once, kept beside the store, and missed when it is gone."""

from __future__ import annotations

import platform
from pathlib import Path

import pytest

from edda_sync.engine.engine import StorageEngine
from edda_sync.engine.engine import open as open_store
from edda_sync.transport.identity import Identity
from edda_sync.words.config import StorageConfig
from edda_sync.words.errors import LostIdentityError, UsageError


def lose_identity(home: Path) -> None:
    for name in ("identity.json", "identity.key"):
        (home / name).unlink()


def test_a_device_has_its_configured_name_or_else_that_of_its_machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(platform, "node", lambda: "kitchen")
    with open_store(tmp_path / "one", StorageConfig(name="laptop")) as store:
        assert store.own.name == "laptop"
    with open_store(tmp_path / "two") as store:
        assert store.own.name == "kitchen"
        monkeypatch.setattr(platform, "node", lambda: "")
        assert store.own.name == "device"


def test_an_identity_is_made_once_and_found_again(tmp_path: Path) -> None:
    with open_store(tmp_path / "home") as store:
        made = store.own.make_identity()
        assert store.own.make_identity() is made
    with open_store(tmp_path / "home") as store:
        assert store.own.identity.device == made.device
        assert store.own.make_identity().certificate == made.certificate


def test_a_store_without_a_workspace_has_no_device_and_says_how_to_get_one(tmp_path: Path) -> None:
    with StorageEngine(tmp_path / "home") as engine:
        engine.open_store()
        engine.own.check_identity()  # nothing is lost
        with pytest.raises(UsageError, match="edda init"):
            _ = engine.own.identity


def test_an_identity_that_was_lost_is_missed(tmp_path: Path) -> None:
    home = tmp_path / "home"
    with open_store(home) as store:
        store.own.check_identity()
    lose_identity(home)
    with open_store(home) as store:
        with pytest.raises(LostIdentityError):
            store.own.check_identity()
        with pytest.raises(LostIdentityError):
            _ = store.own.identity


def test_an_identity_that_the_caller_keeps_is_used_and_written_nowhere(tmp_path: Path) -> None:
    home = tmp_path / "home"
    with open_store(home) as store:
        pass
    lose_identity(home)
    with open_store(home) as store:
        other = Identity.create()
        store.own.use(other)
        store.own.check_identity()
        assert store.own.make_identity() is other
    assert not list(home.glob("identity*"))


def test_a_store_in_memory_keeps_its_identity_with_it(tmp_path: Path) -> None:
    with open_store(tmp_path / "home", StorageConfig(backend="memory")) as store:
        store.own.check_identity()
        assert len(store.members()) == 1
    assert not (tmp_path / "home").exists()
