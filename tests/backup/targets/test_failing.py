"""Places that fail in the middle of each duty: what happened is said, the status remembers it, and the next run goes on."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import pytest

import edda_sync as edda
from edda_sync.backup import recovery
from edda_sync.backup.manager import BackupManager
from edda_sync.backup.recovering import recover
from edda_sync.backup.target import Listed, Target
from edda_sync.backup.targets.folder import FolderTarget, mark
from edda_sync.backup.targets.objects import ObjectTarget
from edda_sync.backup.targets.place import S3, Place
from edda_sync.backup.targets.timed import TimedTarget
from edda_sync.engine import backed_up
from edda_sync.engine.engine import StorageEngine
from edda_sync.words.config import BackupConfig, RetentionPolicy, StorageConfig
from edda_sync.words.errors import TargetError
from tests.backup.shelf import CODE
from tests.backup.targets.stores import AWS, Answer, Asked, answering, careless
from tests.mounting import mount

ROOM_BYTES = 2 * 2**20


class Failing:
    """A target that fails from its n-th call on: then something real is done to it."""

    def __init__(self, inner: Target) -> None:
        self._inner, self.name = inner, inner.name
        self.calls, self.fails_at = 0, -1
        self.fail: Callable[[], object] = int

    def _called(self) -> Target:
        if self.calls == self.fails_at:
            self.fail()
        self.calls += 1
        return self._inner

    def put(self, key: str, data: bytes) -> None:
        self._called().put(key, data)

    def get(self, key: str) -> bytes:
        return self._called().get(key)

    def list(self, prefix: str, after: str = "") -> Iterator[Listed]:
        yield from self._called().list(prefix, after)

    def delete(self, key: str) -> None:
        self._called().delete(key)


class Fault(NamedTuple):
    """What is done to a place, how that is taken back, what is said, and whether reading goes on all the same."""

    do: Callable[[], object]
    undo: Callable[[], object]
    said: str
    reads_on: bool


# --- places -----------------------------------------------------------------------------------------------------------


def run(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True)


@contextmanager
def drive(folder: Path, fault: str) -> Iterator[tuple[Target, Fault]]:
    """A small drive, and a fault of it."""
    disk, place = folder / "disk", folder / "stick"
    disk.mkdir()
    place.mkdir()
    mount("-t", "tmpfs", "-o", f"size={ROOM_BYTES}", "edda-test", str(disk))
    try:
        run("mount", "--bind", str(disk), str(place))
        big = disk / "big"
        faults = {
            "it is pulled out": Fault(
                lambda: run("umount", "--lazy", str(place)),
                lambda: run("mount", "--bind", str(disk), str(place)),
                "as if its drive were away; nothing was written there): connect the drive, or mount it.",
                reads_on=False,
            ),
            "its folder is moved": Fault(
                lambda: (place / "backups").rename(place / "moved"),
                lambda: (place / "moved").rename(place / "backups"),
                "its folder is not here): connect the drive, or mount it.",
                reads_on=False,
            ),
            "it is full": Fault(
                lambda: subprocess.run(
                    ["dd", "if=/dev/zero", f"of={big}", "bs=4096"], check=False, capture_output=True
                ),
                big.unlink,
                "its disk is full): free some room there, or let fewer backups be kept.",
                reads_on=True,
            ),
            "it can only be read": Fault(
                lambda: run("mount", "-o", "remount,bind,ro", str(place)),
                lambda: run("mount", "-o", "remount,bind,rw", str(place)),
                "its disk can only be read): mount it so that it can be written.",
                reads_on=True,
            ),
        }
        backups = place if fault == "it is pulled out" else place / "backups"
        yield TimedTarget(FolderTarget("stick", backups, mark("stick", backups))), faults[fault]
    finally:
        subprocess.run(["umount", "--lazy", str(place)], check=False, capture_output=True)
        run("umount", "--lazy", str(disk))


class Server:
    """A server of S3 that ignores conditions, may refuse everything, and may list what was written only later."""

    def __init__(self) -> None:
        self._answer: Answer = careless()
        self.code, self.hidden = "", 0
        self._puts: list[str] = []

    def __call__(self, asked: Asked) -> tuple[int, bytes] | None:
        if self.code:
            return 400, f"<Error><Code>{self.code}</Code></Error>".encode()
        if asked.method == "PUT":
            self._puts.append(asked.path.partition("?")[0].removeprefix("/bucket/"))
        answered = self._answer(asked)
        if "list-type" in asked.path and answered is not None and self.hidden:
            body = answered[1].decode()
            for name in self._puts[-self.hidden :]:
                before, found, after = body.partition(f"<Contents><Key>{name}</Key>")
                body = before + after.partition("</Contents>")[2] if found else body
            return 200, body.encode()
        return answered


@contextmanager
def bucket() -> Iterator[tuple[Target, Server, Fault]]:
    server = Server()
    with answering(server) as url:
        target = TimedTarget(ObjectTarget("cloud", Place(S3, "bucket", "mine", endpoint=url), AWS))
        fault = Fault(
            lambda: setattr(server, "code", "ExpiredToken"),
            lambda: setattr(server, "code", ""),
            "its credentials have expired): give it new ones with `edda backup target add cloud URL --force`.",
            reads_on=False,
        )
        yield target, server, fault


# --- duties -----------------------------------------------------------------------------------------------------------


class Scene:
    """A laptop with two backups at a place, of which only one is to be kept from the next backup on."""

    def __init__(self, laptop: StorageEngine, target: Target, folder: Path) -> None:
        self.laptop, self.target, self._folder = laptop, Failing(target), folder
        self._number = 0
        recovery.make(laptop, CODE)
        for _ in range(2):
            self.add()
            self.manager.back_up()

    @property
    def manager(self) -> BackupManager:
        return BackupManager(self.laptop, self.target)

    def add(self) -> None:
        self._number += 1
        self.laptop.create_task(edda.Task(title=f"Task {self._number}", description="words " * 500))

    def back_up(self) -> None:
        """It writes, reads back, and lets an earlier backup go, which is the last thing it does."""
        self.add()
        assert self.manager.back_up().is_new

    def verify(self) -> None:
        found = [each.manifest for each in self.manager.backups() if each.manifest is not None]
        assert [each.error for each in self.manager.verify(found)] == [None] * len(found)

    def restore(self) -> None:
        backup = self.manager.find()
        with self.manager.restored(backup) as restored:
            found = self.manager.compare(restored)
            self.manager.bring_back(backup, restored, found)

    def recover(self) -> None:
        self._number += 1
        home = self._folder / f"new{self._number}"
        recover(
            home, StorageConfig(name=home.name, state_path=self._folder / f"state of {home.name}"), self.target, CODE
        )

    def failed(self) -> str:
        with self.laptop.store.read() as reader:
            return backed_up.of(reader, self.target.name).failed


USUAL_FAULT, USUAL_DUTIES = "it is pulled out", ("backing up", "restoring")
DUTIES = {
    "backing up": Scene.back_up,
    "verifying": Scene.verify,
    "restoring": Scene.restore,
    "recovering": Scene.recover,
}


@contextmanager
def scene(folder: Path, target: Target) -> Iterator[Scene]:
    kept = BackupConfig(retention=RetentionPolicy(keep_last=1))
    config = StorageConfig(name="laptop", state_path=folder / "state", backup_config=kept)
    with edda.open(folder / "home", config) as laptop:
        yield Scene(laptop, target, folder)


def refusal(duty: Callable[[Scene], None], made: Scene) -> str:
    """Do a duty, and return what is said if the place fails; any other error is none that a person can understand."""
    try:
        duty(made)
    except TargetError as error:
        return str(error)
    return ""


def try_each_moment(made: Scene, duty: Callable[[Scene], None], fault: Fault, *, writes: bool) -> None:
    """Let the fault come at the beginning, in the middle, and at the end of a duty."""
    made.target.calls = 0
    duty(made)
    calls, refused = made.target.calls, 0
    assert calls > 3
    for moment in (0, calls // 2, calls - 1):
        digest = made.laptop.digest()
        made.target.calls, made.target.fails_at, made.target.fail = 0, moment, fault.do
        said = refusal(duty, made)
        refused += bool(said)
        assert not said or said.endswith(fault.said)
        if said and duty is Scene.back_up:
            assert made.failed() == said
        assert made.target.calls > moment
        made.target.fails_at = -1
        fault.undo()
        if duty is not Scene.back_up:
            assert made.laptop.digest() == digest
        duty(made)
        made.verify()
        made.back_up()
        assert made.failed() == ""
    assert refused == (3 if not fault.reads_on else refused)
    assert (refused > 0) == (writes or not fault.reads_on)


@pytest.mark.parametrize("duty", DUTIES)
@pytest.mark.parametrize("fault", ["it is pulled out", "its folder is moved", "it is full", "it can only be read"])
def test_a_drive_that_fails_in_the_middle_is_told_and_the_next_run_goes_on(
    tmp_path: Path, fault: str, duty: str, *, whole: bool
) -> None:
    if not (whole or fault == USUAL_FAULT or duty in USUAL_DUTIES):
        pytest.skip("each fault with two duties and each duty with one fault are enough; --whole runs all")
    with drive(tmp_path, fault) as (target, what), scene(tmp_path, target) as made:
        try_each_moment(made, DUTIES[duty], what, writes=duty == "backing up")


@pytest.mark.parametrize("duty", DUTIES)
def test_credentials_that_expire_in_the_middle_are_told_and_the_next_run_goes_on(tmp_path: Path, duty: str) -> None:
    with bucket() as (target, _, fault), scene(tmp_path, target) as made:
        try_each_moment(made, DUTIES[duty], fault, writes=duty == "backing up")


def test_a_place_that_lists_late_and_ignores_conditions_gets_backups_that_hold(tmp_path: Path) -> None:
    with bucket() as (target, server, _), scene(tmp_path, target) as made:
        server.hidden = 4
        for _ in range(3):
            made.back_up()
        server.hidden = 0
        numbers = [each.number for each in made.manager.backups()]
        assert numbers == sorted(set(numbers)), "no number is used twice"
        made.verify()
        made.recover()
        made.back_up()
        assert made.manager.troubles(made.manager.backups()) == []
