"""Saving an attachment as a file: its name never decides where a byte is written."""

from __future__ import annotations

import io
import os
import random
import shutil
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from edda_sync.files.saving import safe_name, save
from edda_sync.words import limits
from edda_sync.words.errors import DiskFaultError, DiskFullError, NoFolderError, UsageError
from tests.mounting import mount


@pytest.mark.parametrize("name", ["report.pdf", "Bericht für März.txt", "写真.jpeg", "a.tar.gz", "README", "x" * 100])
def test_a_harmless_name_stays_as_it_is(name: str) -> None:
    assert safe_name(name) == name


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        ("..", "file"),
        (".", "file"),
        ("../../etc/passwd", "_._.._etc_passwd"),
        ("/etc/passwd", "_etc_passwd"),
        ("..\\..\\boot.ini", "_._.._boot.ini"),
        ("C:\\boot.ini", "C__boot.ini"),
        (".bashrc", "_bashrc"),
        ("-rf", "_rf"),
        ("CON", "_CON"),
        ("nul.txt", "_nul.txt"),
        ("com1 .log", "_com1 .log"),
        ("LPT³", "_LPT³"),
        ("a\nb\x00c\x7f", "a_b_c_"),
        ("name. . .", "name"),
        ("   ", "file"),
        ("photo\u202egnp.exe", "photo_gnp.exe"),
        ("a:stream", "a_stream"),
        ("\ud800", "_"),
    ],
)
def test_what_would_mean_something_to_a_system_is_replaced(name: str, safe: str) -> None:
    assert safe_name(name) == safe


def test_a_long_name_is_cut_and_keeps_its_ending() -> None:
    assert safe_name("é" * 300 + ".pdf").endswith("é.pdf")
    assert safe_name("a." + "b" * 300).startswith("a.bbb")


def test_no_name_at_all_leads_out_of_a_folder(tmp_path: Path) -> None:
    draw = random.Random(11)
    pieces = ["..", ".", "/", "\\", "\0", "a", "CON", ":", " ", "~", "\u202e", "é", "\n", "-", "%00"]
    for _ in range(1_000):
        name = safe_name("".join(draw.choices(pieces, k=draw.randrange(1, 9))))
        assert os.path.basename(name) == name
        assert name not in ("", ".", "..")
        assert name[0] not in ".- "
        assert len(name.encode()) <= limits.FILE_NAME_BYTES_MAX
        assert os.path.normpath(tmp_path / name) == str(tmp_path / name)
        assert safe_name(name) == name


def test_a_file_is_saved_with_the_permissions_that_the_user_wants(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        save(io.BytesIO(b"content" * 100_000), tmp_path / "a")
    finally:
        os.umask(before)
    assert (tmp_path / "a").read_bytes() == b"content" * 100_000
    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == 0o640
    assert os.listdir(tmp_path) == ["a"]


@pytest.mark.parametrize("links", [True, False], ids=["links", "no-links"])
def test_nothing_is_replaced_unless_that_is_allowed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, links: bool
) -> None:
    if not links:

        def refuses(*_: object, **__: object) -> None:
            raise PermissionError(1, "Operation not permitted")

        monkeypatch.setattr(os, "link", refuses)
    target, outside = tmp_path / "target", tmp_path / "outside"
    save(io.BytesIO(b"first"), target)
    with pytest.raises(UsageError, match="exists already"):
        save(io.BytesIO(b"second"), target)
    assert target.read_bytes() == b"first"
    save(io.BytesIO(b"second"), target, replace=True)
    assert target.read_bytes() == b"second"
    target.unlink()
    target.symlink_to(outside)  # which points nowhere
    with pytest.raises(UsageError):
        save(io.BytesIO(b"third"), target)
    assert not outside.exists()
    save(io.BytesIO(b"third"), target, replace=True)
    assert (target.is_symlink(), target.read_bytes(), outside.exists()) == (False, b"third", False)
    assert os.listdir(tmp_path) == ["target"]


def test_a_file_that_appears_meanwhile_is_kept(tmp_path: Path) -> None:
    target = tmp_path / "target"

    class Slow(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            target.write_bytes(b"theirs")
            return super().read(size)

    with pytest.raises(UsageError, match="exists already"):
        save(Slow(b"ours"), target)
    assert target.read_bytes() == b"theirs"
    assert os.listdir(tmp_path) == ["target"]


def test_a_stream_or_disk_that_fails_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Broken(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            if self.tell():
                raise RuntimeError
            return super().read(size)

    with pytest.raises(RuntimeError):
        save(Broken(bytes(10**6)), tmp_path / "target")
    assert os.listdir(tmp_path) == []

    def fails(_: int) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "fsync", fails)
    with pytest.raises(DiskFaultError):
        save(io.BytesIO(b"content"), tmp_path / "target")
    assert os.listdir(tmp_path) == []


def test_a_folder_is_no_target_and_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is a folder"):
        save(io.BytesIO(b""), tmp_path, replace=True)
    with pytest.raises(NoFolderError):
        save(io.BytesIO(b""), tmp_path / "missing" / "a")


@pytest.mark.parametrize("replace", [False, True])
def test_a_device_or_pipe_is_no_target_and_stays(tmp_path: Path, replace: bool) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(UsageError, match="no ordinary file"):
        save(io.BytesIO(b"x"), tmp_path / "pipe", replace=replace)
    assert stat.S_ISFIFO((tmp_path / "pipe").stat().st_mode)
    assert os.listdir(tmp_path) == ["pipe"]


@pytest.mark.parametrize("replace", [False, True])
def test_a_name_that_is_too_long_for_the_disk_is_named_before_anything_is_written(
    tmp_path: Path, replace: bool
) -> None:
    with pytest.raises(UsageError, match="too long a name"):
        save(io.BytesIO(b"x"), tmp_path / ("x" * 256), replace=replace)
    assert os.listdir(tmp_path) == []


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    """A disk of 1 MiB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount("-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder))
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


@pytest.mark.parametrize("before", [None, b"before"])
def test_a_disk_that_fills_up_at_any_write_leaves_what_was_there_and_the_next_save_works(
    small: Path, before: bytes | None
) -> None:
    content, target, full = random.Random(3).randbytes(600_000), small / "target", 0
    if before is not None:
        target.write_bytes(before)
    there = os.listdir(small)
    for room in range(0, 600_000, 60_000):
        (small / "ballast").write_bytes(bytes(shutil.disk_usage(small).free - room))
        try:
            save(io.BytesIO(content), target, replace=True)
        except DiskFullError:
            full += 1
        (small / "ballast").unlink()
        assert os.listdir(small) == there
        assert before is None or target.read_bytes() == before
    assert full == 10
    save(io.BytesIO(content), target, replace=True)
    assert target.read_bytes() == content
