"""
Every kind of store in one table: each backend, plain and encrypted, beside raw SQLite, raw SQLCipher and raw RocksDB.

A cell is the median CPU time of one such work, by all processes that do it. All sides take turns, round by round, so that a
slow moment of the machine strikes all of them. In brackets: how many times the CPU time of the raw store of the same kind.
Ours writes a log of changes and folds it, keeps states, ten indexes and full text; a raw store has the rows and the
specification's indexes, and raw RocksDB one value for each task.
"""

from __future__ import annotations

import asyncio
import statistics
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

import edda_sync as edda
from benchmarks.asked import dataset
from benchmarks.first_sync import sync
from benchmarks.measure import TRANSACTION, Figure, Options, Spent, a_folder, milliseconds, spent
from benchmarks.pair import Homes, cpu_between
from benchmarks.raws import RawCipher, RawRocks, RawSqlite, RawStore, copy
from benchmarks.sides import BULK, CREATES, DURABLE, Beside, Ours, Side
from edda_sync.words.config import EncryptionConfig, KeyStorage, StorageBackend
from edda_sync.words.errors import UsageError

ROUNDS: Final = 7
SYNCS: Final = 2
SYNC: Final = "first sync, a task"
WALL: Final = "{}, by the clock"


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of store: its backend, whether it is encrypted, and the raw store that it stands beside."""

    name: str
    backend: StorageBackend
    encrypted: bool
    beside: str

    def config(self, home: Path) -> edda.StorageConfig:
        """Return how a new store of this kind is kept."""
        sealed = EncryptionConfig(key_storage=KeyStorage.FILE, key_file=home.parent / "keys" / home.name)
        return edda.StorageConfig(
            backend=self.backend, state_path=home.parent / "state", name=home.name,
            encryption_config=sealed if self.encrypted else None,
        )  # fmt: skip


KINDS: Final = (
    Kind("sqlite", StorageBackend.SQLITE, False, "raw SQLite"),
    Kind("sqlite, encrypted", StorageBackend.SQLITE, True, "raw SQLCipher"),
    Kind("rocksdb", StorageBackend.ROCKSDB, False, "raw RocksDB"),
    Kind("rocksdb, encrypted", StorageBackend.ROCKSDB, True, "raw RocksDB"),
)
RAWS: Final[dict[str, Callable[[Path], RawStore]]] = {
    "raw SQLite": RawSqlite, "raw SQLCipher": RawCipher, "raw RocksDB": RawRocks,
}  # fmt: skip


def run(options: Options) -> Iterator[Figure]:
    tasks = dataset(options.tasks + ROUNDS * CREATES)
    word = tasks[1].title.split()[1]
    with a_folder(options) as folder, ExitStack() as stack:
        kinds = [kind for kind in KINDS if _is_possible(kind, folder)]
        sides: list[Side] = []
        for kind in kinds:
            home = folder / kind.name
            ours = stack.enter_context(closing(Ours(home, kind.config(home), tasks, word)))
            sides.append(ours.side(kind.name, kind.beside))
        raws = {
            name: stack.enter_context(closing(Beside(partial(make, folder / name), tasks, word)))
            for name, make in RAWS.items()
        }
        sides += [raw.side(name) for name, raw in raws.items()]
        names = list(sides[0].works)
        for name in names:
            for number in range(options.tasks // TRANSACTION if name == BULK else ROUNDS):
                for side in sides if number % 2 else reversed(sides):
                    side.do(name)
        for _ in range(SYNCS):
            for side in sides:
                side.note(SYNC, _sync(side.name, kinds, raws, options))
    for name in (*names, SYNC):
        yield from _row(name, sides, name, lambda one: one.cpu_s)
        if name in (DURABLE, SYNC):
            yield from _row(WALL.format(name), sides, name, lambda one: one.wall_s)


def _is_possible(kind: Kind, folder: Path) -> bool:
    """Tell whether this version can make such a store."""
    home = folder / f"tried {kind.name}"
    (folder / "keys").mkdir(exist_ok=True)
    try:
        edda.open(home, kind.config(home)).close()
    except UsageError as error:
        print(f"kinds: no column for {kind.name}: {error}", file=sys.stderr)
        return False
    return True


def _sync(name: str, kinds: Sequence[Kind], raws: Mapping[str, Beside], options: Options) -> Spent:
    """Return what it takes until a new store holds the same, a task: by TLS between two processes, or copied by hand."""
    kind, tasks = next((each for each in kinds if each.name == name), None), dataset(options.tasks)
    with a_folder(options) as folder:
        (folder / "keys").mkdir()
        if kind is None:
            with closing(RAWS[name](folder / name)) as target:
                taken = spent(partial(copy, raws[name].store, target))
        else:
            linked, equal, _ = asyncio.run(sync(Homes.make(folder, tasks, kind.config)))
            taken = Spent((equal["ns"] - linked["ns"]) / 1e9, cpu_between(linked, equal))
    return Spent(taken.wall_s / len(tasks), taken.cpu_s / len(tasks))


def _row(what: str, sides: Sequence[Side], work: str, of: Callable[[Spent], float]) -> Iterator[Figure]:
    """Yield the cells of one work."""
    middles = {side.name: statistics.median(map(of, side.took[work])) for side in sides if work in side.took}
    for side in sides:
        if side.name in middles:
            middle = middles[side.name]
            ratio = f" ({middle / middles[side.beside]:.1f})" if side.beside in middles else ""
            yield Figure(what, "", f"{_shown(middle)}{ratio}", amount=middle, column=side.name)


def _shown(each_s: float) -> str:
    return milliseconds(each_s) if each_s >= 0.001 else f"{each_s * 1e6:,.1f} us"
