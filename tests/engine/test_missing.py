"""Acknowledged changes that are gone: the store says how many, and peers give them back."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import edda_sync as edda
from edda_sync import testing
from edda_sync.engine import doctor, missing, standing
from edda_sync.store.seams import StoreWriter
from edda_sync.testing import sync
from edda_sync.words.config import DATABASE_FILE
from edda_sync.words.errors import LostStoreError

WAIT_S = 60
WRITTEN = 8

KILLED = """
import os, signal, sys
import edda_sync as edda
store = edda.open(sys.argv[1])
for number in range(int(sys.argv[2])):
    store.create_task(edda.Task(title=f"acknowledged {number}"))
os.kill(os.getpid(), signal.SIGKILL)
"""


def write_and_be_killed(home: Path, count: int = WRITTEN) -> None:
    done = subprocess.run([sys.executable, "-c", KILLED, str(home), str(count)], timeout=WAIT_S, check=False)
    assert done.returncode == -signal.SIGKILL


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A store that a process was killed in: all that it acknowledged is in the journal, and nowhere else."""
    home = tmp_path / "home"
    edda.open(home).close()
    shutil.copy(home / DATABASE_FILE, tmp_path / "older.db")
    write_and_be_killed(home)
    return home


def flip_a_byte(home: Path) -> None:
    journal = home / f"{DATABASE_FILE}-wal"
    content = bytearray(journal.read_bytes())
    content[32 + 24 + 100] ^= 1  # in the first page: SQLite reads no further
    journal.write_bytes(content)


def flip_its_header(home: Path) -> None:
    journal = home / f"{DATABASE_FILE}-wal"
    content = bytearray(journal.read_bytes())
    content[17] ^= 1
    journal.write_bytes(content)


def remove_it(home: Path) -> None:
    (home / f"{DATABASE_FILE}-wal").unlink()


def put_an_older_file_in_place(home: Path) -> None:
    (home / DATABASE_FILE).write_bytes((home.parent / "older.db").read_bytes())
    remove_it(home)


@pytest.mark.parametrize("lose", [flip_a_byte, flip_its_header, remove_it, put_an_older_file_in_place])
def test_a_store_that_lost_acknowledged_changes_says_how_many(home: Path, lose: Callable[[Path], None]) -> None:
    lose(home)
    journal = home / f"{DATABASE_FILE}-wal"
    before = journal.read_bytes() if journal.exists() else None
    with edda.open(home) as store:
        assert store.reading.missing() == WRITTEN
        assert store.reading.news()[0].startswith("8 changes that were written here and acknowledged are missing")
        assert standing.facts(store)["missing"] == WRITTEN
        (found,) = [each for each in doctor.check(store) if each.check == "missing"]
        assert not found.sound
        assert "while `edda up` runs" in found.detail
        kept = [(home / name).read_bytes() for name in store.reading.journals_aside()]
        assert kept == ([] if before is None else [before]), "SQLite drops the journal, and somebody may mend it"
    with edda.open(home) as store:  # a new life begins with this, and the sidecar knows that one
        store.create_task(edda.Task(title="later"))
        assert store.reading.news() == [], "it has been reported"
    with edda.open(home) as store:
        assert store.reading.missing() == WRITTEN
        assert len(store.reading.journals_aside()) == len(kept)
        doctor.rebuild(store)
        assert store.reading.missing() == 0, "a user who cannot get them back gives them up"


@pytest.mark.parametrize("first", [True, False])
def test_peers_give_back_the_missing_changes(tmp_path: Path, *, first: bool) -> None:
    """They may come before the store writes again in its old life, or after that, in a new one."""
    with testing.devices(2) as (laptop, phone):
        config, database = laptop.config, laptop.home / DATABASE_FILE
        laptop.close()
        shutil.copy(database, tmp_path / "older.db")
        laptop.initialize(config)
        for number in range(WRITTEN):
            laptop.create_task(edda.Task(title=f"acknowledged {number}"))
        sync(laptop, phone)
        laptop.close()
        database.write_bytes((tmp_path / "older.db").read_bytes())
        laptop.initialize(config)
        assert laptop.reading.missing() == WRITTEN
        if not first:
            laptop.create_task(edda.Task(title="later"))
            assert laptop.reading.missing() == WRITTEN
        sync(laptop, phone)
        assert laptop.reading.missing() == 0
        assert laptop.digest() == phone.digest()
        lives = len(laptop.reading.lives())
        laptop.create_task(edda.Task(title="last"))
        assert len(laptop.reading.lives()) == lives
        assert len(laptop.query_tasks(edda.TaskQuery())) == WRITTEN + (1 if first else 2)


def test_a_sidecar_that_lags_or_was_lost_reports_nothing_missing(home: Path) -> None:
    state = Path(os.environ["EDDA_STATE"])
    lagging = {path: path.read_bytes() for path in state.rglob("*") if path.is_file()}
    write_and_be_killed(home, 2)
    for path, content in lagging.items():
        path.write_bytes(content)
    with edda.open(home) as store:
        assert (store.reading.missing(), store.reading.news()) == (0, [])
    for path in lagging:
        path.unlink()
    with edda.open(home) as store:
        assert (store.reading.missing(), store.reading.news()) == (0, [])


def test_missing_changes_are_counted_by_life_and_forgotten_once_they_are_back() -> None:
    with testing.devices(1) as (laptop,):
        head = next(iter(laptop.frontier().items()))

        def work(tx: StoreWriter) -> list[int]:
            counts = []
            for last in ((head[0], head[1] + 3), (b"b" * 16, 4), (head[0], head[1] + 1)):
                missing.note(tx, last)
                counts.append(missing.count(tx))
            missing.give_up(tx)
            return [*counts, missing.count(tx)]

        assert laptop.store.transact(work) == [3, 7, 7, 0]


def test_a_received_change_that_is_missing_is_said_once_and_comes_again(tmp_path: Path) -> None:
    with testing.devices(2) as (laptop, phone):
        config, database = laptop.config, laptop.home / DATABASE_FILE
        laptop.close()
        shutil.copy(database, tmp_path / "older.db")
        laptop.initialize(config)
        phone.create_task(edda.Task(title="one"))
        phone.create_task(edda.Task(title="two"))
        sync(laptop, phone)
        laptop.close()
        database.write_bytes((tmp_path / "older.db").read_bytes())
        laptop.initialize(config)
        assert laptop.reading.missing() == 0
        (said,) = laptop.reading.news()
        assert said.startswith("2 changes of other devices that this one had received are missing")
        laptop.close()
        laptop.initialize(config)
        assert laptop.reading.news() == []
        sync(laptop, phone)
        assert laptop.digest() == phone.digest()


@pytest.mark.parametrize("lose", [flip_a_byte, flip_its_header, remove_it])
def test_no_workspace_is_founded_in_a_store_whose_first_changes_are_lost(
    tmp_path: Path, lose: Callable[[Path], None]
) -> None:
    home = tmp_path / "home"
    write_and_be_killed(home)  # nothing but the tables was ever copied out of the journal
    before = (home / f"{DATABASE_FILE}-wal").read_bytes()
    lose(home)
    journal = home / f"{DATABASE_FILE}-wal"
    lost = journal.read_bytes() if journal.exists() else b""
    with pytest.raises(LostStoreError) as caught:
        edda.open(home)
    assert "empty, since its journal is damaged, although a store was here; nothing was made" in str(caught.value)
    assert all((home / sign).exists() for sign in caught.value.signs), "a person can move away what it names"
    if lost:
        (kept,) = [sign for sign in caught.value.signs if "-wal-aside-" in sign]
        assert (home / kept).read_bytes() == lost != before
