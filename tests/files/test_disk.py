"""Chunks on disk, beyond the contract that both places pass (test_chunks): crashes, full disks, links, permissions."""

from __future__ import annotations

import os
import random
import signal
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from edda_sync.files.chunks import name_of
from edda_sync.files.disk import DiskChunks
from edda_sync.words import limits
from edda_sync.words.errors import (
    DamagedFileError,
    DiskFaultError,
    DiskFullError,
    LinkError,
    NotAStoreError,
    ReadOnlyError,
    StorageError,
)
from tests.forked import fork
from tests.mounting import mount

LATER = 4_000_000_000.0  # wall time: after everything here


@pytest.fixture
def chunks(tmp_path: Path) -> DiskChunks:
    return DiskChunks(tmp_path / "files")


def added(chunks: DiskChunks, sample: bytes) -> bytes:
    with chunks.adding() as adding:
        name = adding.add(sample)
        adding.settle()
    return name


def leftovers(chunks: DiskChunks) -> list[str]:
    return os.listdir(chunks.folder / "new") if (chunks.folder / "new").exists() else []


def test_a_chunk_is_a_file_that_only_its_owner_can_read(chunks: DiskChunks) -> None:
    name = added(chunks, b"sample")
    path = chunks.folder / name.hex()[:2] / name.hex()[2:]
    assert path.read_bytes() == b"\0sample"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert {stat.S_IMODE(each.stat().st_mode) for each in (chunks.folder, path.parent)} == {0o700}
    assert leftovers(chunks) == []


def test_reading_makes_no_folder(chunks: DiskChunks) -> None:
    assert chunks.get(name_of(b"never")) is None
    assert list(chunks.names()) == []
    assert not chunks.folder.exists()


def test_what_is_no_chunk_is_passed_over(chunks: DiskChunks) -> None:
    name = added(chunks, b"sample")
    (chunks.folder / "zz").mkdir()
    (chunks.folder / "notes.txt").write_text("mine")
    (chunks.folder / name.hex()[:2] / "notes.txt").write_text("mine")
    (chunks.folder / name.hex()[:2] / name.hex()[2:].upper()).write_text("mine")
    assert list(chunks.names()) == [name]


def test_only_old_leftovers_are_swept(chunks: DiskChunks) -> None:
    added(chunks, b"sample")
    (chunks.folder / "new" / "left").write_bytes(b"half")
    chunks.sweep(before_s=1.0)
    assert leftovers(chunks) == ["left"]
    chunks.sweep(LATER)
    assert leftovers(chunks) == []


# --- crashes ----------------------------------------------------------------------------------------------------------

SAMPLES = [b"chunk %d " % number * 1000 for number in range(3)]


def add_until_killed(chunks: DiskChunks, steps: int, said: int) -> None:
    """Add three chunks in this process, which ends before the step of that number; write the names of what was added."""
    left = steps

    def counted(function: Any) -> Any:
        def run(*args: Any, **kwargs: Any) -> Any:
            nonlocal left
            left -= 1
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)
            return function(*args, **kwargs)

        return run

    say = os.write
    for name in ("open", "write", "fsync", "close", "replace", "mkdir", "utime", "unlink"):
        setattr(os, name, counted(getattr(os, name)))
    with chunks.adding() as adding:
        for sample in SAMPLES:
            say(said, adding.add(sample))
        adding.settle()
    say(said, b"settled")


def test_a_process_that_is_killed_at_any_step_leaves_only_whole_chunks(tmp_path: Path) -> None:
    step, said = 0, b""
    while not said.endswith(b"settled"):
        step += 1
        chunks, (reading, writing) = DiskChunks(tmp_path / str(step)), os.pipe()
        child = fork()
        if child == 0:
            try:
                add_until_killed(chunks, step, writing)
            finally:
                os._exit(0)
        os.close(writing)
        with os.fdopen(reading, "rb") as pipe:
            said = pipe.read()
        _, status = os.waitpid(child, 0)
        assert said.endswith(b"settled") or os.WTERMSIG(status) == signal.SIGKILL
        names = [said[at : at + 32] for at in range(0, len(said) // 32 * 32, 32)]
        assert [chunks.get(name) for name in names] == SAMPLES[: len(names)], "what was named is here"
        assert all(chunks.get(name) is not None for name in chunks.names()), "what has a name is whole"
        chunks.sweep(LATER)
        assert leftovers(chunks) == []
        assert [chunks.get(added(chunks, sample)) for sample in SAMPLES] == SAMPLES, "and it goes on"
    assert step > 20


def test_a_chunk_has_no_name_before_it_is_synced(chunks: DiskChunks, monkeypatch: pytest.MonkeyPatch) -> None:
    steps: list[str] = []

    def noted(name: str) -> Any:
        function = getattr(os, name)

        def run(*args: Any, **kwargs: Any) -> Any:
            steps.append(name)
            return function(*args, **kwargs)

        return run

    for name in ("fsync", "replace"):
        monkeypatch.setattr(os, name, noted(name))
    with chunks.adding() as adding:
        adding.add(b"first, so that the folders are there")
        steps.clear()
        added_name = adding.add(b"sample")
        assert steps[-2:] == ["fsync", "replace"]
        steps.clear()
        assert adding.keep(added_name)
        adding.settle()
        assert steps == ["fsync"] * 2, "the folder of each chunk"
        steps.clear()
        adding.settle()
        assert steps == []


# --- disks ------------------------------------------------------------------------------------------------------------


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    """A disk of 1 MiB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount("-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder))
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


def test_a_full_disk_refuses_a_chunk_whole_and_takes_it_once_there_is_room(small: Path) -> None:
    chunks, draw = DiskChunks(small / "files"), random.Random(5)
    kept: list[bytes] = []

    def fill() -> None:
        while True:
            kept.append(added(chunks, draw.randbytes(70_000)))

    with pytest.raises(DiskFullError):
        fill()
    assert 5 < len(kept) < 20
    assert list(chunks.names()) == sorted(kept)
    assert all(chunks.get(name) is not None for name in kept)
    assert leftovers(chunks) == []
    mount("-o", "remount,size=2m", str(small))
    assert chunks.get(added(chunks, bytes(range(256)) * 273)) is not None


@pytest.mark.parametrize("room", range(9))
def test_a_disk_that_fills_up_at_any_step_leaves_only_whole_chunks(small: Path, room: int) -> None:
    ballast = small / "ballast"
    ballast.write_bytes(bytes(1024 * 1024 - 4096 * room))
    chunks = DiskChunks(small / "files")
    sample = random.Random(6).randbytes(3 * 4096)
    try:
        name = added(chunks, sample)
    except DiskFullError:
        assert list(chunks.names()) == []
        assert leftovers(chunks) == []
        ballast.unlink()
        name = added(chunks, sample)
    assert chunks.get(name) == sample


def test_a_disk_that_may_not_be_written_is_read(small: Path) -> None:
    chunks = DiskChunks(small / "files")
    name = added(chunks, b"sample")
    mount("-o", "remount,ro", str(small))
    assert chunks.get(name) == b"sample"
    with pytest.raises(ReadOnlyError):
        added(chunks, b"more")
    with pytest.raises(ReadOnlyError):
        chunks.drop([name], LATER)


@pytest.mark.parametrize("call", ["fsync", "write", "replace"])
def test_a_disk_that_fails_refuses_a_chunk_whole(
    chunks: DiskChunks, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    added(chunks, b"first, so that the folders are there")

    def fails(*_: object) -> None:
        raise OSError(5, "Input/output error")

    with chunks.adding() as adding:
        with monkeypatch.context() as patched:
            patched.setattr(os, call, fails)
            with pytest.raises(DiskFaultError):
                adding.add(b"sample")
        assert not chunks.has(name_of(b"sample"))
        assert leftovers(chunks) == []
        adding.keep(name_of(b"first, so that the folders are there"))
        with monkeypatch.context() as patched:
            patched.setattr(os, "fsync", fails)
            with pytest.raises(DiskFaultError):
                adding.settle()


# --- links, and other things in the way -------------------------------------------------------------------------------


def test_nothing_is_read_or_written_through_a_link(chunks: DiskChunks, tmp_path: Path) -> None:
    name = added(chunks, b"sample")
    path, outside = chunks.path(name), tmp_path / "outside"
    outside.write_bytes(path.read_bytes())
    path.unlink()
    path.symlink_to(outside)
    assert not chunks.has(name)
    with pytest.raises(LinkError):
        chunks.get(name)
    with pytest.raises(LinkError):
        added(chunks, b"sample")
    assert outside.read_bytes() == b"\0sample"
    path.unlink()
    path.parent.rmdir()
    path.parent.symlink_to(tmp_path)
    with pytest.raises(LinkError):
        added(chunks, b"sample")
    assert list(chunks.names()) == []
    assert sorted(os.listdir(tmp_path)) == ["files", "outside"]


def test_the_folder_itself_may_be_a_link(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "files").symlink_to(tmp_path / "elsewhere")
    chunks = DiskChunks(tmp_path / "files")
    assert chunks.get(added(chunks, b"sample")) == b"sample"


def test_a_file_in_place_of_the_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "files").write_text("mine")
    chunks = DiskChunks(tmp_path / "files")
    assert chunks.get(name_of(b"a")) is None
    with pytest.raises(NotAStoreError):
        added(chunks, b"sample")


def test_a_folder_pipe_or_long_file_in_place_of_a_chunk_is_damage(chunks: DiskChunks) -> None:
    name = added(chunks, b"sample")
    path = chunks.path(name)
    path.unlink()
    os.mkfifo(path)
    with pytest.raises(DamagedFileError):
        chunks.get(name)
    path.unlink()
    with path.open("wb") as file:
        file.truncate(limits.CHUNK_BYTES * 4096)
    with pytest.raises(DamagedFileError):
        chunks.get(name)
    path.unlink()
    path.mkdir()
    with pytest.raises(DamagedFileError):
        chunks.get(name)
    with pytest.raises(StorageError):
        added(chunks, b"sample")
    assert leftovers(chunks) == []


def test_a_chunk_is_on_disk_before_it_has_its_name_and_its_name_before_it_is_settled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = list[str]()
    sync, replace = os.fsync, os.replace

    def synced(descriptor: int) -> None:
        sync(descriptor)
        done.append("folder" if stat.S_ISDIR(os.fstat(descriptor).st_mode) else "content")

    def replaced(source: Path, target: Path) -> None:
        replace(source, target)
        done.append("name")

    chunks = DiskChunks(tmp_path / "files")
    with chunks.adding() as adding:
        adding.add(b"the first makes its folders")
    monkeypatch.setattr(os, "fsync", synced)
    monkeypatch.setattr(os, "replace", replaced)
    with chunks.adding() as adding:
        adding.add(b"another")
        assert [each for each in done if each != "folder"] == ["content", "name"]
        done.clear()
        adding.settle()
    assert done == ["folder"]
