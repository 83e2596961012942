"""
An encrypted store beside a plain one, in turn in the same run: opened, written, read, converted, and under a new key.

In this table the column of raw SQLite shows the plain store, and the ratio is that of an encrypted store to a plain one.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Final

import edda_sync as edda
from benchmarks.creates import create_each
from benchmarks.measure import (
    Figure,
    Options,
    Source,
    Spent,
    a_folder,
    fill,
    median,
    milliseconds,
    rate,
    size_of,
    spent,
)  # fmt: skip
from benchmarks.urgent import list_by_command, list_ours
from edda_sync.engine import encryption
from edda_sync.engine.encryption import EncryptionManager
from edda_sync.sealing import datakeys
from edda_sync.words.config import EncryptionConfig, KeyStorage

ROUNDS: Final = 9
BULKS: Final = 3
CREATES: Final = 100
READS: Final = 300


@dataclass
class Kind:
    """A store, and what each kind of work took in it."""

    home: Path
    config: edda.StorageConfig
    spent: dict[str, list[Spent]] = field(default_factory=dict)

    def note(self, what: str, spent: Spent) -> None:
        self.spent.setdefault(what, []).append(spent)


def run(options: Options) -> Iterator[Figure]:
    source = Source()
    with a_folder(options) as folder:
        state = folder / "state"
        wanted = EncryptionConfig(key_storage=KeyStorage.FILE, key_file=folder / "key")
        plain = Kind(folder / "plain", edda.StorageConfig(state_path=state))
        coded = Kind(folder / "coded", edda.StorageConfig(state_path=state, encryption_config=wanted))
        kinds = plain, coded
        for number in range(BULKS):
            for kind in kinds:
                home = kind.home if number == BULKS - 1 else kind.home.with_name(f"{kind.home.name} {number}")
                with edda.open(home, kind.config) as store:
                    kind.note("bulk", spent(partial(fill, store, Source().tasks(options.tasks))))
        for _ in range(ROUNDS):
            for kind in kinds:
                list_ours(kind.home, kind.config)  # what was written before is in the file from now on
                kind.note("open", spent(partial(list_ours, kind.home, kind.config)))
                datakeys.forget_unlocked()
                kind.note("cold", spent(partial(list_ours, kind.home, kind.config)))
                kind.note("command", spent(partial(list_by_command, kind.home)))
                with edda.open(kind.home, kind.config) as store:
                    kind.note("create", spent(partial(create_each, store, source.tasks(CREATES))))
                    ids = [str(task.id) for task in store.query_tasks(edda.TaskQuery(limit=READS))]
                    kind.note("read", spent(partial(read_each, store, ids)))
        bulk = options.tasks
        for what, count, called in (
            ("open", 1, f"open, key known, and the 50 most urgent of {bulk:,}"),
            ("cold", 1, "the same, and the data key unsealed by a key in a file"),
            ("command", 1, "`edda task list`, a process, key in a file"),
            ("create", CREATES, "durable creates, 1 writer, each"),
            ("read", READS, "a task by its id, each"),
            ("bulk", bulk, f"bulk create of {bulk:,}, 1,000 a transaction, each"),
        ):
            yield figure(f"encrypted: {called}", kinds, what, count)
        yield from converted(plain, wanted)


def read_each(store: edda.StorageEngine, ids: list[str]) -> None:
    for each in ids:
        store.get_task(edda.TaskId(each))


def figure(called: str, kinds: tuple[Kind, Kind], what: str, count: int) -> Figure:
    """Return the medians of a kind of work in both stores; the rounds are compared one by one."""
    plain, coded = (kind.spent[what] for kind in kinds)
    ratio = statistics.median(theirs.wall_s / ours.wall_s for theirs, ours in zip(plain, coded, strict=True))
    ours, theirs = median(coded), median(plain)
    shown, raw = (f"{_each(taken.wall_s / count)} ({_each(taken.cpu_s / count)} CPU)" for taken in (ours, theirs))
    return Figure(called, "", shown, raw, ratio, amount=ours.wall_s / count, cpu_s=ours.cpu_s / count)


def _each(value_s: float) -> str:
    return milliseconds(value_s) if value_s >= 0.001 else f"{value_s * 1e6:,.0f} us"


def converted(kind: Kind, wanted: EncryptionConfig) -> Iterator[Figure]:
    """Encrypt a plain store, replace its keys, and decrypt it."""
    size = size_of(kind.home)
    config = kind.config.changed(encryption_config=wanted)

    def shown(what: str, taken: Spent) -> Figure:
        speed = f"{milliseconds(taken.wall_s)} ({rate(size / 1e6 / taken.wall_s).replace(' /s', ' MB/s')})"
        return Figure(f"{what}, a store of {size / 1e6:,.0f} MB", "", speed, amount=taken.wall_s, cpu_s=taken.cpu_s)

    yield shown("`edda store encrypt`", spent(lambda: encryption.encrypt(kind.home, config)))
    with edda.open(kind.home, config) as store:
        manager = EncryptionManager(store)
        yield shown("a new data key", spent(manager.rotate_data_key))
        another = wanted.changed(key_file=kind.home.with_name("other-key"))
        yield shown("a new wrapping key", spent(lambda: manager.rotate_wrapping_key(another)))
    yield shown("`edda store decrypt`", spent(lambda: encryption.decrypt(kind.home, kind.config)))
