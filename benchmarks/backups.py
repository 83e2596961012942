"""
Backups: the first one, one after 100 changes, verifying and restoring, beside restic and a copy by ``VACUUM INTO``.

All three back the same store up, in turn, and each figure is the least of some rounds. The CPU time is that of all processes
that did the work: it is nearly the same on a busy machine and on a quiet one.

restic cannot read a file that is in use, so making a copy for it counts. What was restored can be used once its fifty most
urgent tasks were listed.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final

from sqlcipher3 import dbapi2 as sqlite

import edda_sync as edda
from benchmarks.measure import Figure, Options, Source, Spent, a_folder, fill, size_of, spent
from edda_sync.backup.manager import BackupManager
from edda_sync.backup.recovering import recover
from edda_sync.backup.targets.opening import usual
from edda_sync.engine.engine import StorageEngine
from edda_sync.transport import identity as identities

CHANGES: Final = 100
ROUNDS: Final = 3
MORE_S_MAX: Final = 0.3
MORE_BYTES_MAX: Final = 40_000
COLUMNS: Final = ("edda-sync", "restic", "VACUUM INTO")


def run(options: Options) -> Iterator[Figure]:
    with a_folder(options) as folder:
        config = edda.StorageConfig(state_path=folder / "state")
        with edda.open(folder / "home", config) as store:
            fill(store, Source().tasks(options.tasks))
            ours = _Ours(folder / "ours", store)
            yield from _run((ours, _Restic(folder / "restic", store), _Copy(folder / "copy", store)), options.tasks)


def _run(contestants: tuple[_Ours, _Restic, _Copy], tasks: int) -> Iterator[Figure]:
    what, (ours, restic, copy) = f"{tasks:,} tasks", contestants
    yield from _row(f"first backup of {what}", [spent(each.back_up) for each in contestants])
    yield from _sizes("  on disk", [each.size() for each in contestants])

    before = [each.size() for each in contestants]
    works = (ours.back_up, restic.back_up, copy.back_up)
    took = _in_turn(works, lambda: _change(ours.store))
    added = [(each.size() - size) // ROUNDS for each, size in zip(contestants, before, strict=True)]
    yield from _row(f"backup after {CHANGES} changes", took, f"{MORE_S_MAX} s", took[0].wall_s <= MORE_S_MAX)
    yield from _sizes("  added", added, f"{MORE_BYTES_MAX:,} bytes", added[0] <= MORE_BYTES_MAX)
    took = _in_turn([ours.back_up_by_command], lambda: _change(ours.store))
    yield from _row("  as a process: `edda backup now`", took, f"{MORE_S_MAX} s", took[0].wall_s <= MORE_S_MAX)

    for each in contestants:  # of what is there now, so that what is restored can be compared with it
        each.back_up()
    yield from _row(f"verify {what}", _in_turn([each.verify for each in contestants]))
    took = _in_turn([each.restore for each in contestants])
    is_faster = took[0].wall_s < took[1].wall_s
    yield from _row(f"restore {what}, until they can be used", took, "faster than restic", is_faster)


def _change(store: StorageEngine) -> None:
    for number in range(CHANGES):
        store.create_task(edda.Task(title=f"One more {number}"))


class _Contestant:
    """
    Something that backs a store up.

    Args:
        folder: Where its backups lie, and what it restores.
        store: The store.
    """

    def __init__(self, folder: Path, store: StorageEngine) -> None:
        self.store, self._folder, self._restored = store, folder, 0
        self.place = folder / "place"
        self.place.mkdir(parents=True)

    def size(self) -> int:
        """Return how many bytes its backups take."""
        return size_of(self.place)

    def _home(self) -> Path:
        """Return a new folder for a store."""
        self._restored += 1
        home = self._folder / f"restored{self._restored}"
        home.mkdir()
        return home

    def _use(self, home: Path) -> None:
        """Open a store that was restored, and list what is most urgent."""
        with StorageEngine(home) as engine:
            engine.open_store(self.store.config)
            assert len(engine.query_tasks(edda.MOST_URGENT)) == edda.MOST_URGENT.limit
            assert engine.digest() == self.store.digest()
        shutil.rmtree(home)

    def _vacuum_into(self, file: Path) -> None:
        """Copy the store's file, as people would, for a program that cannot read a file in use."""
        file.unlink(missing_ok=True)
        connection = sqlite.connect(str(self.store.database))
        connection.execute("VACUUM INTO ?", (str(file),))
        connection.close()


class _Ours(_Contestant):
    """edda-sync, at the target that it uses if nobody names one."""

    def __init__(self, folder: Path, store: StorageEngine) -> None:
        super().__init__(folder, store)
        self._target = usual(store.config)

    @property
    def _manager(self) -> BackupManager:
        return BackupManager(self.store, self._target)

    def size(self) -> int:
        return sum(each.size for each in self._target.list("edda/"))

    def back_up(self) -> None:
        self._manager.back_up()

    def back_up_by_command(self) -> None:
        config = self.store.config
        environment = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
        environment |= {"EDDA_STATE": str(config.state_path), "EDDA_HOME": str(self.store.home), "EDDA_KEYRING": "off"}
        command = [sys.executable, "-m", "edda_sync.cli.command", "backup", "now"]
        subprocess.run(command, env=environment, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def verify(self) -> None:
        manager = self._manager
        assert [each.error for each in manager.verify([manager.find()])] == [None]

    def restore(self) -> None:
        home = self._home()
        identities.save(home, self.store.identity)
        recover(home, self.store.config, self._target, None)
        self._use(home)


class _Restic(_Contestant):
    """restic, which backs up a copy."""

    def __init__(self, folder: Path, store: StorageEngine) -> None:
        super().__init__(folder, store)
        found = shutil.which("restic")
        if found is None:
            raise RuntimeError("restic is missing: `apt-get install restic`")
        self._command = [found, "-q", "--no-cache", "-r", str(self.place)]
        self._environment = {**os.environ, "RESTIC_PASSWORD": "x"}
        self._do("init")

    def _do(self, *words: str) -> None:
        subprocess.run([*self._command, *words], env=self._environment, check=True, stdout=subprocess.DEVNULL)

    def back_up(self) -> None:
        file = self._folder / "edda.db"
        self._vacuum_into(file)
        self._do("backup", str(file))

    def verify(self) -> None:
        self._do("check", "--read-data")

    def restore(self) -> None:
        out, home = self._folder / "out", self._home()
        self._do("restore", "latest", "--target", str(out))
        next(out.rglob("edda.db")).rename(home / "edda.db")
        shutil.rmtree(out)
        self._use(home)


class _Copy(_Contestant):
    """A copy by SQLite, neither sealed nor compressed."""

    def back_up(self) -> None:
        self._vacuum_into(self.place / "edda.db")

    def verify(self) -> None:
        connection = sqlite.connect(str(self.place / "edda.db"))
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        connection.close()

    def restore(self) -> None:
        home = self._home()
        shutil.copyfile(self.place / "edda.db", home / "edda.db")
        self._use(home)


# --- figures ----------------------------------------------------------------------------------------------------------


def _in_turn(works: Sequence[Callable[[], object]], before: Callable[[], object] = lambda: None) -> list[Spent]:
    """Return the least that each work takes of some rounds; in each, something is done before, and then all in turn."""
    took: list[list[Spent]] = [[] for _ in works]
    for _ in range(ROUNDS):
        before()
        for spending, work in zip(took, works, strict=True):
            spending.append(spent(work))
    return [Spent(min(each.wall_s for each in one), min(each.cpu_s for each in one)) for one in took]


def _row(what: str, took: Sequence[Spent], aim: str = "none", reached: bool | None = None) -> Iterator[Figure]:
    for column, each in zip(COLUMNS, took, strict=False):
        text = f"{each.cpu_s:.2f} s of CPU, {each.wall_s:.2f} s by the clock"
        yield Figure(what, aim, text, amount=each.wall_s, cpu_s=each.cpu_s, column=column)
    yield from _aim(what, aim, reached)


def _sizes(what: str, sizes: Sequence[int], aim: str = "none", reached: bool | None = None) -> Iterator[Figure]:
    for column, each in zip(COLUMNS, sizes, strict=True):
        yield Figure(what, aim, f"{each:,} bytes", amount=float(each), column=column)
    yield from _aim(what, aim, reached)


def _aim(what: str, aim: str, reached: bool | None) -> Iterator[Figure]:
    yield Figure(what, aim, aim, column="aim")
    yield Figure(what, aim, "" if reached is None else "yes" if reached else "no", column="reached")
