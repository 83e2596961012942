"""Chunks that are written anew: sealed, plain, or under another key, whatever happens meanwhile."""

from __future__ import annotations

import os
import random
import signal
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from edda_sync.files.chunks import name_of
from edda_sync.files.coding import is_sealed
from edda_sync.files.disk import DiskChunks
from edda_sync.files.recoding import recode, wipe_unfinished
from edda_sync.sealing import datakeys
from edda_sync.words.errors import DamagedFileError, UsageError
from tests.encrypted import holds, sealed_in
from tests.files.test_chunks import added
from tests.forked import fork

PLANTED = b"a string that nobody may read"
SAMPLES = [PLANTED, PLANTED * 2_000, PLANTED + random.Random(1).randbytes(5_000)]
NAMES = [name_of(sample) for sample in SAMPLES]
LATER = 4_000_000_000.0  # wall time: after everything here


@pytest.fixture(autouse=True)
def new_process() -> Iterator[None]:
    yield
    datakeys.forget_unlocked()


def plain(folder: Path) -> DiskChunks:
    """Return the chunks of a store that is plain, and may hold sealed ones."""
    return DiskChunks(folder / "files", sealed_in(folder, seals=False))


def sealed(folder: Path) -> DiskChunks:
    return DiskChunks(folder / "files", sealed_in(folder))


def new_key(folder: Path) -> None:
    datakeys.add(folder / "store" / "edda.db")


def kinds(chunks: DiskChunks) -> set[bool]:
    return {is_sealed(digits) for digits in chunks.files()}


def test_chunks_are_sealed_and_opened_again_and_stay_what_they_are(tmp_path: Path) -> None:
    assert added(plain(tmp_path), *SAMPLES) == NAMES
    assert holds(tmp_path / "files", PLANTED)
    for chunks, is_now_sealed in ((sealed(tmp_path), True), (plain(tmp_path), False)):
        counts: list[int] = []
        assert recode(chunks, counts.append) == len(SAMPLES)
        assert counts == [1, 2, 3]
        assert kinds(chunks) == {is_now_sealed}
        assert bool(holds(tmp_path / "files", PLANTED)) is not is_now_sealed
        assert not is_now_sealed or not {name.hex() for name in NAMES} & set(chunks.files())
        assert [chunks.get(name) for name in NAMES] == SAMPLES
        assert sorted(chunks.names()) == sorted(NAMES)
        assert recode(chunks) == 0
        assert os.listdir(tmp_path / "files" / "new") == []


def test_under_a_new_key_nothing_of_the_old_one_is_left(tmp_path: Path) -> None:
    chunks = sealed(tmp_path)
    added(chunks, *SAMPLES)
    before = set(chunks.files())
    new_key(tmp_path)
    assert recode(chunks) == len(SAMPLES)
    assert not before & set(chunks.files())
    (newest, _) = datakeys.unlock(tmp_path / "store" / "edda.db").keys[::-1]
    assert {chunks.path_of(digits).read_bytes()[3:11] for digits in chunks.files()} == {newest.id}
    assert [chunks.get(name) for name in NAMES] == SAMPLES


def test_another_process_goes_on_while_the_key_is_replaced(tmp_path: Path) -> None:
    other = sealed(tmp_path)
    added(other, *SAMPLES)
    new_key(tmp_path)
    recode(sealed(tmp_path))
    assert [other.get(name) for name in NAMES] == SAMPLES, "it looks for a newer key"
    assert other.has(NAMES[0])
    (late,) = added(other, b"late")
    assert recode(sealed(tmp_path)) == 0, "it writes under the newest key"
    assert other.drop([late], LATER) == 1


def test_what_is_read_and_written_meanwhile_is_there_all_the_time(tmp_path: Path) -> None:
    added(sealed(tmp_path), *SAMPLES)
    ended, faults, written = threading.Event(), list[object](), set[bytes]()

    def use() -> None:
        chunks, number = sealed(tmp_path), 0
        while not ended.is_set():
            number += 1
            found = [chunks.get(name) for name in NAMES]
            if found != SAMPLES or not all(chunks.has(name) for name in NAMES):
                faults.append(number)
            written.update(added(chunks, b"%d" % (number % 20), SAMPLES[number % 3]))

    threads = [threading.Thread(target=use) for _ in range(2)]
    for thread in threads:
        thread.start()
    for _ in range(5):
        new_key(tmp_path)
        recode(sealed(tmp_path))
    ended.set()
    for thread in threads:
        thread.join()
    assert faults == []
    chunks = sealed(tmp_path)
    assert set(chunks.names()) == {*written, *NAMES}
    assert all(chunks.get(name) is not None for name in chunks.names())
    assert recode(chunks) == 0, "nothing was written under a former key after the walk had begun"


def test_damage_stays_damage_and_is_never_shown(tmp_path: Path) -> None:
    added(plain(tmp_path), *SAMPLES)
    path = plain(tmp_path).path(NAMES[1])
    path.write_bytes(path.read_bytes()[:-1])
    plain(tmp_path).set_aside(NAMES[2])
    assert holds(tmp_path / "files" / "damaged", PLANTED)
    chunks = sealed(tmp_path)
    recode(chunks)
    assert holds(tmp_path / "files", PLANTED) == []
    assert all(is_sealed(digits) for digits in os.listdir(tmp_path / "files" / "damaged"))
    with pytest.raises(DamagedFileError):
        chunks.get(NAMES[1])
    path = chunks.path(NAMES[0])
    path.write_bytes(path.read_bytes()[:-1])  # its seal does not open any more
    new_key(tmp_path)
    recode(chunks)
    assert not chunks.has(NAMES[0])
    assert len(os.listdir(tmp_path / "files" / "damaged")) == 2
    recode(plain(tmp_path))
    assert holds(tmp_path / "files" / "damaged", PLANTED), "what was set aside when it was plain"


def test_what_is_no_chunk_is_not_touched_and_named(tmp_path: Path) -> None:
    added(plain(tmp_path), *SAMPLES)
    path = plain(tmp_path).path(NAMES[0])
    with path.open("wb") as file:
        file.truncate(2**31)
    with pytest.raises(UsageError, match="is no chunk"):
        recode(sealed(tmp_path))
    assert path.stat().st_size == 2**31


def test_a_plain_file_with_another_name_keeps_its_content_there(tmp_path: Path) -> None:
    added(plain(tmp_path), SAMPLES[0])
    os.link(plain(tmp_path).path(NAMES[0]), tmp_path / "backup")
    recode(sealed(tmp_path))
    assert PLANTED in (tmp_path / "backup").read_bytes()


def test_what_was_left_half_written_is_removed(tmp_path: Path) -> None:
    added(plain(tmp_path), SAMPLES[0])
    (tmp_path / "files" / "new" / "left").write_bytes(PLANTED)
    os.link(tmp_path / "files" / "new" / "left", tmp_path / "elsewhere")
    (tmp_path / "files" / "new" / "link").symlink_to(tmp_path / "elsewhere")
    wipe_unfinished(sealed(tmp_path))
    assert os.listdir(tmp_path / "files" / "new") == []
    assert (tmp_path / "elsewhere").read_bytes() == PLANTED
    assert recode(DiskChunks(tmp_path / "none", sealed_in(tmp_path))) == 0
    assert not (tmp_path / "none").exists()


# --- kills ------------------------------------------------------------------------------------------------------------


def killed_before(step: int, work: Callable[[], object]) -> bool:
    """Do some work in a fork that is killed before it takes a step of that number; tell whether it was."""

    def counted(function: Any) -> Any:
        def run(*args: Any, **kwargs: Any) -> Any:
            nonlocal step
            step -= 1
            if step == 0:
                os.kill(os.getpid(), signal.SIGKILL)
            return function(*args, **kwargs)

        return run

    child = fork()
    if child == 0:
        try:
            for name in ("open", "write", "fsync", "close", "replace", "mkdir", "unlink"):
                setattr(os, name, counted(getattr(os, name)))
            work()
        finally:
            os._exit(0)
    _, status = os.waitpid(child, 0)
    return os.WIFSIGNALED(status)


@pytest.mark.parametrize("way", ["seal", "open", "rotate"])
def test_a_process_that_is_killed_at_any_step_leaves_every_chunk_readable_and_is_resumed(
    tmp_path: Path, way: str
) -> None:
    step, was_killed = 0, True
    while was_killed:
        step += 1
        folder = tmp_path / str(step)
        folder.mkdir()
        added(plain(folder) if way == "seal" else sealed(folder), SAMPLES[0])
        if way == "rotate":
            new_key(folder)
        chunks = plain(folder) if way == "open" else sealed(folder)
        was_killed = killed_before(step, lambda chunks=chunks: recode(chunks))  # type: ignore[misc]
        for now in (chunks, sealed(folder), plain(folder)):
            assert now.get(NAMES[0]) == SAMPLES[0], step
        wipe_unfinished(chunks)
        recode(chunks)
        assert kinds(chunks) == {way != "open"}
        assert len(list(chunks.files())) == 1
        assert chunks.get(NAMES[0]) == SAMPLES[0]
        assert way == "open" or holds(folder / "files", PLANTED) == []
    assert step > 12
