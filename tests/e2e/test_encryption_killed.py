"""
Encryption of a store, and the replacement of its keys, are killed at moments spread over all of their work. The states of
the store are in RocksDB, so there are two parts that must end alike.

Each is done once undisturbed, to see how long it takes. Then it is begun again and again by a process that a timer of the
kernel kills, until so many were killed before their end.
"""

from __future__ import annotations

import io
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from functools import partial
from pathlib import Path

import pytest

import edda_sync as edda
from edda_sync.engine import backend, encryption
from edda_sync.engine.encryption import EncryptionManager
from edda_sync.sealing import datakeys
from edda_sync.store.sqlite.keyed import damaged_pages
from edda_sync.store.sqlite.store import SqliteStore
from edda_sync.words.config import EncryptionConfig, KeyStorage, StorageBackend, StorageConfig
from edda_sync.words.errors import UsageError
from tests.encrypted import config_of, holds

KILLS = 8
TRIES_MAX = 200
GOLDEN = 0.618034  # multiples of it, modulo 1, are spread evenly however many there are
PLANTED = "nobody may read this"
ATTACHED = PLANTED.encode() * 70_000  # two chunks and their list
FRESH = multiprocessing.get_context("forkserver")  # its children come from a process that has not used RocksDB
FRESH.set_forkserver_preload([__name__])

WRITING = """
import sys
import edda_sync as edda
with edda.open(sys.argv[1]) as store:
    print("open", flush=True)
    number = 0
    while sys.stdin.readline():
        store.create_task(edda.Task(title=f"written {number}"))
        print(number, flush=True)
        number += 1
"""


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    datakeys.forget_unlocked()
    home = tmp_path / "home"
    with edda.open(home, StorageConfig(backend=StorageBackend.ROCKSDB)) as store:
        for _ in range(4):
            store.transact(fill)
        document = store.create_document(edda.Document(title="d"))
        store.transact(lambda tx: tx.attach(document, io.BytesIO(ATTACHED), name="a"))
    yield home
    datakeys.forget_unlocked()


def fill(tx: edda.Transaction) -> None:
    for number in range(100):
        tx.create_task(edda.Task(title=f"{PLANTED} {number}", description=PLANTED * 20))


def encrypted(home: Path) -> StorageConfig:
    return StorageConfig(encryption_config=config_of(home / "edda.db"))


def killed_after(seconds: float, work: Callable[[], object]) -> bool:
    """Do some work in a process that is killed after a time; tell whether it was killed before the end of its work."""

    process = FRESH.Process(target=limited, args=(seconds, work))
    process.start()
    process.join()
    assert process.exitcode in (0, -signal.SIGALRM)
    return process.exitcode != 0


def limited(seconds: float, work: Callable[[], object]) -> None:
    """Do some work in this process, which a timer ends."""
    signal.signal(signal.SIGALRM, signal.SIG_DFL)  # which ends the process at once, like SIGKILL
    signal.setitimer(signal.ITIMER_REAL, seconds)
    work()
    os._exit(0)


def moments(work: Callable[[], object]) -> Iterator[float]:
    """Yield moments at which to kill some work, in seconds from its beginning, spread over the time that it takes."""
    # It may have been slower than the next ones will be, so early moments are more frequent; or faster, so some are later.
    longest = 1.5 * taken_by(work)
    for number in range(1, TRIES_MAX):
        yield longest * (number * GOLDEN % 1) ** 2


def taken_by(work: Callable[[], object]) -> float:
    """Return how many seconds some work takes in a process of its own."""
    began = time.monotonic()
    assert not killed_after(600, work)
    return time.monotonic() - began


def sound(home: Path, *, is_finished: bool = False) -> str:
    """
    Return the digest of a store, after a check that every page and row of it is whole, and what is attached.

    Unless the work ``is_finished``, the states may still be under another key than the rest, as the doctor says.
    """
    with edda.open(home) as store:
        assert isinstance(store.store, SqliteStore)
        with closing(store.store.connect()) as connection:
            assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        if store.store.keys is not None:
            assert damaged_pages(store.store.connect) == []
            assert {len(each.name) for each in (home / "files").glob("??/*")} == {94}, "all is sealed"
        (document,) = store.query_documents(edda.DocumentQuery())
        assert store.open_attachment(document.id, "a").read() == ATTACHED
        assert backend.compare(store.store)[1] == 0
        assert all(is_sound for is_sound, _ in backend.look(store.store)) or not is_finished
        return store.digest()


def to_encrypted(home: Path) -> None:
    with suppress(UsageError):  # it is encrypted already
        encryption.encrypt(home, encrypted(home))


def to_plain(home: Path) -> None:
    with suppress(UsageError):
        encryption.decrypt(home, StorageConfig())


def with_new_data_key(home: Path) -> None:
    with edda.open(home) as store:
        EncryptionManager(store).rotate_data_key()


def with_new_wrapping_key(home: Path, number: int) -> None:
    another = EncryptionConfig(key_storage=KeyStorage.FILE, key_file=home.with_name(f"{number}.key"))
    datakeys.wrap_anew(home / "edda.db", another)


def is_encrypted(home: Path) -> bool:
    return not (home / "edda.db").read_bytes().startswith(b"SQLite format 3")


def test_a_store_that_is_encrypted_and_decrypted_under_kills_is_always_whole_and_ends_as_was_wished(home: Path) -> None:
    digest = sound(home)
    encrypt, decrypt = partial(to_encrypted, home), partial(to_plain, home)
    for work in (encrypt, decrypt):
        wished = work is encrypt
        if is_encrypted(home) is wished:
            (decrypt if wished else encrypt)()
        kills, states = 0, set[bool]()
        for moment in moments(work):
            if kills >= KILLS and len(states) == 2:
                break
            (decrypt if wished else encrypt)()
            assert is_encrypted(home) is not wished
            kills += killed_after(moment, work)
            states.add(is_encrypted(home))
            assert sound(home) == digest
            work()
            assert is_encrypted(home) is wished
            assert sound(home, is_finished=True) == digest
            assert not list(home.glob("*.converting*"))
            assert bool(holds(home, PLANTED.encode())) is not wished
            assert len(list((home / "edda.rocks").iterdir())) == 1
        assert kills >= KILLS
        assert states == {True, False}, "some were killed before the swap, and some came to it"


def test_a_data_key_that_is_replaced_under_kills_while_others_write_loses_nothing(home: Path) -> None:
    encryption.encrypt(home, encrypted(home))
    rotate = partial(with_new_data_key, home)
    run = [sys.executable, "-c", WRITING, str(home)]
    with subprocess.Popen(run, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as writing:
        assert writing.stdin is not None
        assert writing.stdout is not None
        assert writing.stdout.readline() == "open\n"
        kills, written = 0, 0
        for moment in moments(rotate):
            if kills == KILLS:
                break
            for _ in range(3):  # they are asked for before the kill, and most of them are written during the rotation
                writing.stdin.write("more\n")
            writing.stdin.flush()
            kills += killed_after(moment, rotate)
            for _ in range(3):
                assert writing.stdout.readline() == f"{written}\n"
                written += 1
            sound(home)
            with edda.open(home) as store:
                titles = {task.title for task in store.query_tasks(edda.TaskQuery(text="written", limit=1_000))}
            assert titles >= {f"written {number}" for number in range(written)}
        writing.stdin.close()
        assert writing.wait() == 0
    assert kills == KILLS
    assert holds(home, PLANTED.encode()) == holds(home, b"written 1") == []


def test_a_wrapping_key_that_is_replaced_under_kills_always_opens_the_store(home: Path) -> None:
    encryption.encrypt(home, encrypted(home))
    digest, kills = sound(home), 0
    for number, moment in enumerate(moments(partial(with_new_wrapping_key, home, 0)), start=1):
        if kills == KILLS:
            break
        kills += killed_after(moment, partial(with_new_wrapping_key, home, number))
        datakeys.forget_unlocked()
        assert sound(home) == digest
    assert kills == KILLS
