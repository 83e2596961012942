"""Files that only their owner can read, whatever the umask and whoever made them."""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import stat
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import pytest

from edda_sync.words.errors import DiskFaultError, DiskFullError, InTheWayError, LinkError, ReadOnlyError, StorageError
from edda_sync.words.files import (
    disk_error,
    locked,
    make_file,
    mend_file,
    move_file,
    open_file,
    replace_file,
    sweep_files,
)

UMASKS = [0o000, 0o022, 0o077]
NOBODY = 65534
WAIT_S = 60


@contextmanager
def umask(mask: int) -> Iterator[None]:
    before = os.umask(mask)
    try:
        yield
    finally:
        os.umask(before)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.parametrize("mask", UMASKS)
def test_a_new_file_is_its_owners_alone_under_every_umask(tmp_path: Path, mask: int) -> None:
    with umask(mask):
        make_file(tmp_path / "made")
        os.close(open_file(tmp_path / "opened"))
        replace_file(tmp_path / "replaced", lambda file: file.write(b"whole"))
        replace_file(tmp_path / "kept", lambda file: file.write(b"whole"), keep_mode=True)
    assert {mode(path) for path in tmp_path.iterdir()} == {0o600}


def test_an_existing_file_is_not_made_anew(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"mine")
    make_file(tmp_path / "file")
    os.close(open_file(tmp_path / "file"))
    assert (tmp_path / "file").read_bytes() == b"mine"


@pytest.mark.parametrize(("wide", "mended"), [(0o644, 0o600), (0o666, 0o600), (0o440, 0o400), (0o777, 0o700)])
def test_a_file_that_others_may_read_is_mended_when_it_is_used(tmp_path: Path, wide: int, mended: int) -> None:
    path = tmp_path / "file"
    for use in (mend_file, lambda path: os.close(open_file(path))):
        path.touch()
        path.chmod(wide)
        use(path)
        assert mode(path) == mended
        path.unlink()
    mend_file(path)
    assert not path.exists()


def test_a_replaced_file_passes_on_its_permissions_on_request(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.touch()
    path.chmod(0o640)
    replace_file(path, lambda file: file.write(b"one"), keep_mode=True)
    assert (path.read_bytes(), mode(path)) == (b"one", 0o640)
    replace_file(path, lambda file: file.write(b"two"))
    assert (path.read_bytes(), mode(path)) == (b"two", 0o600)


def test_a_files_content_is_on_disk_before_it_takes_its_place_and_its_name_before_the_call_returns(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise power may fail when only the name is on disk: the key of a device would be an empty file."""
    steps = list[str]()
    fsync, rename = os.fsync, os.replace

    def synced(descriptor: int) -> None:
        fsync(descriptor)
        is_folder = stat.S_ISDIR(os.fstat(descriptor).st_mode)
        steps.append("the folder" if is_folder else f"{os.fstat(descriptor).st_size} bytes")

    def renamed(source: str, target: Path) -> None:
        rename(source, target)
        steps.append("the name")

    monkeypatch.setattr(os, "fsync", synced)
    monkeypatch.setattr(os, "replace", renamed)
    replace_file(tmp_path / "file", lambda file: file.write(b"whole"))
    assert steps == ["5 bytes", "the name", "the folder"]


def test_a_file_that_cannot_be_written_whole_stays_what_it_was(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"before")

    def fail(_: object) -> None:
        raise ValueError("mine")

    with pytest.raises(ValueError, match="mine"):
        replace_file(path, fail)
    assert [each.name for each in tmp_path.iterdir()] == ["file"]
    assert path.read_bytes() == b"before"


def test_what_a_killed_writer_left_is_swept_and_what_a_living_one_writes_stays(tmp_path: Path) -> None:
    left, young, other = tmp_path / ".edda-left", tmp_path / ".edda-young", tmp_path / "file"
    for path in (left, young, other):
        path.write_bytes(b"secret")
    for path in (left, other):
        os.utime(path, (0, 0))
    (tmp_path / ".edda-folder").mkdir()
    found = []

    def write(file: IO[bytes]) -> None:
        file.write(b"whole")
        file.flush()
        (mine,) = {each.name for each in tmp_path.iterdir()} - {left.name, young.name, other.name, ".edda-folder"}
        os.utime(tmp_path / mine, (0, 0))
        sweep_files(tmp_path, 1_000_000.0)
        found.append((tmp_path / mine).exists())

    replace_file(other, write)
    assert found == [True]
    assert other.read_bytes() == b"whole"
    assert sorted(each.name for each in tmp_path.iterdir()) == [".edda-folder", ".edda-young", "file"]
    sweep_files(tmp_path / "missing", 0.0)


def test_a_file_that_cannot_be_replaced_is_named_and_not_the_temporary_one(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").touch()
    for path, named in (
        (tmp_path / "nowhere" / "x", tmp_path / "nowhere"),
        (tmp_path / "file" / "x", tmp_path / "file"),
        (tmp_path / "folder", tmp_path / "folder"),
    ):
        with pytest.raises(OSError, match=r".") as caught:
            replace_file(path, lambda file: file.write(b"x"))
        assert (caught.value.filename, caught.value.filename2) == (str(named), None)


def bind(path: Path) -> None:
    with contextlib.chdir(path.parent), socket.socket(socket.AF_UNIX) as bound:  # its name must be short
        bound.bind(path.name)


@pytest.mark.parametrize("use", [mend_file, open_file])
@pytest.mark.parametrize("make", [bind, os.mkfifo])
def test_what_is_no_file_is_called_what_it_is_and_no_fault_of_the_disk(
    tmp_path: Path, make: Callable[[Path], None], use: Callable[[Path], object]
) -> None:
    make(tmp_path / "file")
    with pytest.raises(InTheWayError, match="a pipe, a socket or a device is there"):
        use(tmp_path / "file")


def test_nothing_is_written_through_a_link(tmp_path: Path) -> None:
    link, target = tmp_path / "link", tmp_path / "target"
    link.symlink_to(target)
    for use in (make_file, open_file, mend_file):
        with pytest.raises(LinkError) as caught:
            use(link)
        assert caught.value.path == str(link)
    assert not target.exists()
    target.touch(mode=0o644)
    make_file(link)  # its target would be a file, which is not made
    for use in (open_file, mend_file):
        with pytest.raises(LinkError):
            use(link)
    assert mode(target) == 0o644


def test_a_file_whose_permissions_we_may_not_change_is_refused() -> None:
    if os.getuid() != 0:
        pytest.skip("only root can make a file that belongs to somebody else")
    script = f"""
import os, sys
from pathlib import Path
from typing import IO
from edda_sync.words import errors, files
os.setuid({NOBODY})
for use in (files.mend_file, files.open_file):
    try:
        use(Path(sys.argv[1]))
    except errors.NotPrivateError as error:
        print(error.path, "chmod" in str(error))
"""
    with tempfile.TemporaryDirectory() as folder:  # pytest's own folders are closed to others
        Path(folder).chmod(0o711)
        path = Path(folder) / "theirs"
        path.touch()
        path.chmod(0o666)
        done = subprocess.run(
            [sys.executable, "-c", script, str(path)], capture_output=True, text=True, timeout=WAIT_S, check=False
        )
        assert done.stdout == f"{path} True\n" * 2, done.stderr
        assert mode(path) == 0o666


@pytest.mark.parametrize(
    ("number", "kind"),
    [
        (errno.ENOSPC, DiskFullError),
        (errno.EDQUOT, DiskFullError),
        (errno.EROFS, ReadOnlyError),
        (errno.EACCES, ReadOnlyError),
        (errno.ELOOP, LinkError),
        (errno.EIO, DiskFaultError),
    ],
)
def test_an_error_of_the_system_becomes_one_of_ours_and_names_the_file(
    tmp_path: Path, number: int, kind: type[StorageError]
) -> None:
    found = disk_error(tmp_path, OSError(number, os.strerror(number)))
    assert type(found) is kind
    assert str(tmp_path) in str(found)


def test_a_file_that_cannot_be_made_is_an_error_with_its_place(tmp_path: Path) -> None:
    for use in (make_file, open_file):
        with pytest.raises(DiskFaultError, match="missing"):
            use(tmp_path / "missing" / "file")


def test_a_file_is_moved_within_a_disk_and_to_another_one(tmp_path: Path, other_disk: Path) -> None:
    for target in (tmp_path / "moved", other_disk / "moved"):
        source = tmp_path / "file"
        source.write_bytes(b"content")
        source.chmod(0o600)
        move_file(source, target)
        assert not source.exists()
        assert (target.read_bytes(), mode(target)) == (b"content", 0o600)


def test_a_file_that_cannot_be_moved_stays(tmp_path: Path, other_disk: Path) -> None:
    source = tmp_path / "file"
    source.write_bytes(b"content")
    for target in (tmp_path / "missing" / "moved", other_disk / "missing" / "moved"):
        with pytest.raises(OSError, match=r"No such file or directory"):
            move_file(source, target)
        assert source.read_bytes() == b"content"


def test_small_files_of_a_folder_are_changed_by_one_at_a_time(tmp_path: Path) -> None:
    seen: list[str] = []

    def change(name: str) -> None:
        with locked(tmp_path):
            seen.append(name)

    with locked(tmp_path):
        other = threading.Thread(target=change, args=("other",))
        other.start()
        seen.append("first")
    other.join()
    assert seen == ["first", "other"]
    with pytest.raises(StorageError), locked(tmp_path / "none"):
        pass
