"""A recovery that is killed just before it makes, moves or removes a file: given again, it brings the same store back."""

from __future__ import annotations

import io
import multiprocessing
import os
import signal
import sys
from contextlib import suppress
from pathlib import Path

import pytest

import edda_sync as edda
from edda_sync.backup import recovery
from edda_sync.backup.manager import BackupManager
from edda_sync.backup.recovering import recover
from edda_sync.backup.targets.folder import FolderTarget, mark
from edda_sync.engine import doctor
from edda_sync.words.config import StorageConfig
from edda_sync.words.errors import UsageError
from tests.backup.shelf import CODE

FRESH = multiprocessing.get_context("forkserver")
FRESH.set_forkserver_preload([__name__])
STEPS = {"os.rename", "os.remove", "os.mkdir", "os.link", "os.rmdir", "shutil.rmtree"}
EVERY = 5  # so many steps lie between two kills
COUNT_ONLY = 1 << 30


def come(home: Path, place: Path, kill_at: int, told: int) -> None:
    """Recover in this process, and kill it just before its n-th step; tell how many steps there were."""
    count = 0

    def look(event: str, _: object) -> None:
        nonlocal count
        if event in STEPS:
            count += 1
            if count == kill_at:
                os.kill(os.getpid(), signal.SIGKILL)

    os.environ["EDDA_KEYRING"] = "off"
    sys.addaudithook(look)
    recover(home, config_of(home), FolderTarget("stick", place, None), CODE)
    (home.parent / f"steps{told}").write_text(str(count))
    os._exit(0)


def config_of(home: Path) -> StorageConfig:
    return StorageConfig(name="new laptop", state_path=home.parent / "state")


def run(home: Path, place: Path, kill_at: int, told: int = 0) -> int:
    process = FRESH.Process(target=come, args=(home, place, kill_at, told))
    process.start()
    process.join()
    assert process.exitcode is not None
    return process.exitcode


@pytest.mark.usefixtures("in_files")
def test_a_recovery_that_is_killed_at_any_step_is_done_again_and_leaves_nothing(tmp_path: Path) -> None:
    place = tmp_path / "stick"
    mark("stick", place)
    with edda.open(tmp_path / "laptop", StorageConfig(name="laptop", state_path=tmp_path / "state")) as laptop:
        recovery.make(laptop, CODE)
        with laptop.begin_transaction() as tx:
            document = tx.create_document(edda.Document(title="Holiday"))
            tx.attach(document, io.BytesIO(b"picture" * 100_000), name="photo")
        BackupManager(laptop, FolderTarget("stick", place, None)).back_up()
    assert run(tmp_path / "whole", place, COUNT_ONLY) == 0
    steps = int((tmp_path / "steps0").read_text())
    assert steps > 10
    for kill_at in range(1, steps + 1, EVERY):
        home = tmp_path / f"new{kill_at}"
        assert run(home, place, kill_at) == -signal.SIGKILL
        for path in home.glob(".edda-*"):  # it may be being written, for a minute
            os.utime(path, (0, 0))
        with suppress(UsageError):  # it may have been killed when the store was in its place already
            recover(home, config_of(home), FolderTarget("stick", place, None), CODE)
        with edda.open(home, config_of(home)) as store:
            assert [each for each in doctor.check(store) if not each.sound] == []
            assert store.open_attachment(document, "photo").read() == b"picture" * 100_000
            assert {each.name for each in store.members()} == {"laptop", "new laptop"}
        left = {each.name for each in home.iterdir()} - {"edda.db", "identity.json", "identity.key", "files"}
        assert left == set(), f"killed at step {kill_at}"


@pytest.fixture
def in_files(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDDA_KEYRING", "off")
