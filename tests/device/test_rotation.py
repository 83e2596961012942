from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

import edda_sync as edda
from edda_sync.device.rotation import has_policy, rotate_when_due
from edda_sync.sealing import datakeys, keyfile
from edda_sync.words import limits
from edda_sync.words.config import KeyRotationPolicy, StorageConfig
from edda_sync.words.errors import BusyError
from tests.encrypted import config_of


class EndError(Exception):
    """Ends a duty that has no end."""


def encrypted(home: Path, **policy: Any) -> StorageConfig:
    return StorageConfig(
        encryption_config=config_of(home / "edda.db").changed(key_rotation=KeyRotationPolicy(**policy))
    )


async def test_it_is_tried_again_after_a_while_and_says_what_hinders_it() -> None:
    waited, told = list[float](), list[str]()

    async def run(_work: Callable[..., bool]) -> bool:
        if not waited:
            raise BusyError("/home/ada/edda.db")
        return True

    async def sleep(seconds: float) -> None:
        waited.append(seconds)
        if len(waited) == 2:
            raise EndError

    with pytest.raises(EndError):
        await rotate_when_due(run, told.append, sleep)
    assert waited == [limits.KEY_LOOKED_AT_EVERY_S] * 2
    assert len(told) == 1
    assert "could not be: /home/ada/edda.db has been busy" in told[0]


async def test_a_running_device_replaces_a_key_that_is_too_old(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    config = encrypted(home, max_age=timedelta(hours=1))
    datakeys.create(home / "edda.db", config_of(home / "edda.db"), now=lambda: 1_000_000_000.0)
    with edda.open(home, config) as store:
        assert has_policy(store)
        store.create_task(edda.Task(title="a"))
    async with edda.Device(home, config=config, discover=False) as device:
        async with asyncio.timeout(30):
            while len(keyfile.load(home / "edda.db").keys) == 1:
                await device.run(lambda store: store.counts())  # the store's thread does one thing after another
        assert (await device.run(lambda store: store.counts()))["tasks"] == 1


def test_a_store_without_a_policy_is_not_looked_at(tmp_path: Path) -> None:
    with edda.open(tmp_path / "plain") as store:
        assert not has_policy(store)
    with edda.open(tmp_path / "home", encrypted(tmp_path / "home")) as store:
        assert not has_policy(store)
