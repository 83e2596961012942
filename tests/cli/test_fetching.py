"""The content of attached files between devices: real processes, TLS between them, and what people type and read."""

from __future__ import annotations

import os
import random
import re
import time
from pathlib import Path

import pytest

from tests.cli.meeting import Machines, joined
from tests.cli.processes import PATIENCE_S, Machine

MEBIBYTE = 1 << 20


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder in which commands run."""
    folder = tmp_path / "folder"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


def attach(machine: Machine, folder: Path, size: int, name: str = "film.mp4") -> tuple[str, bytes]:
    """Attach a file of noise to a new document; return the document's id, and the content."""
    content = random.Random(size).randbytes(size)
    (folder / name).write_bytes(content)
    (folder / "text").write_text("text")
    machine.run("doc", "add", "text", "--title", "Trip")
    document = machine.json("doc", "list")[0]["id"]
    machine.run("attach", document, name)
    (folder / name).unlink()
    return document, content


def is_here(machine: Machine, document: str) -> bool:
    return bool(machine.json("doc", "files", document)[0]["here"])


def chunks(machine: Machine) -> dict[str, tuple[int, int]]:
    """The files of chunks of a machine: what tells whether each was written again."""
    found = (machine.home / "files").glob("[0-9a-f][0-9a-f]/*")
    return {path.name: (path.stat().st_ino, path.stat().st_mtime_ns) for path in found}


def test_small_files_come_with_a_sync_and_large_ones_when_somebody_saves_them(
    pair: tuple[Machine, Machine], folder: Path
) -> None:
    laptop, phone = pair
    document, small = attach(laptop, folder, 3_000)
    large = random.Random(1).randbytes(2 * MEBIBYTE + 5)
    (folder / "large").write_bytes(large)
    laptop.run("attach", document, "large")
    (folder / "large").unlink()
    phone.run("config", "set", "files.always_below", "1 MB")
    _, address = laptop.up()
    said = phone.run("sync", "--at", address)
    assert "laptop: proved equal" in said
    assert "1 attached file is not here yet (2.1 MB in all); `edda doc fetch` gets it from a device that has it" in said
    assert "1 attached file is not here yet" in phone.run("status")
    assert {each["name"]: each["here"] for each in phone.json("doc", "files", document)} == {
        "film.mp4": True, "large": False,
    }  # fmt: skip
    phone.run("doc", "save", document, "large", "--at", address)
    assert (folder / "large").read_bytes() == large
    assert phone.json("status")["files"]["missing"] == 0
    phone.run("doc", "save", document, "film.mp4")
    assert (folder / "film.mp4").read_bytes() == small


def test_a_sync_stays_until_the_other_device_has_the_files(pair: tuple[Machine, Machine], folder: Path) -> None:
    laptop, phone = pair
    running, address = phone.up()
    document, _ = attach(laptop, folder, 4 * MEBIBYTE)
    laptop.run("sync", "--at", address)
    assert is_here(phone, document)
    running.wait_for(r"1 attached file came \(4\.19 MB\)")


def test_a_running_device_fetches_for_a_command_and_says_when_nobody_has_it(
    pair: tuple[Machine, Machine], folder: Path
) -> None:
    laptop, phone = pair
    phone.run("config", "set", "files.always_below", "0")
    document, _ = attach(laptop, folder, 5_000)
    running, address = laptop.up()
    phone.up("--at", address)
    laptop.run("sync")
    assert not is_here(phone, document)
    assert "Fetched: film.mp4" in phone.run("doc", "fetch", document)
    assert "everything is here" in phone.run("doc", "fetch", document)
    other, _ = attach(laptop, folder, 6_000)
    laptop.run("sync")  # with all that is there: the phone's would not wait for what it has not heard of
    running.end()
    assert "No device that could be reached has all of 'film.mp4'" in phone.run("doc", "fetch", other, code=1)


def test_a_file_goes_over_a_device_between_two_that_never_meet(machine: Machines, folder: Path) -> None:
    laptop, phone = joined(machine("laptop"), machine("phone"), "phone")
    tablet = machine("tablet")
    tablet.join(phone, "--name", "tablet")
    _, address = phone.up()
    laptop.up("--at", address)
    running, _ = tablet.up("--at", address)
    document, content = attach(laptop, folder, 2 * MEBIBYTE + 1)
    running.wait_for("1 attached file came")
    tablet.run("doc", "save", document)
    assert (folder / "film.mp4").read_bytes() == content


def test_a_killed_device_goes_on_with_the_chunks_that_came(pair: tuple[Machine, Machine], folder: Path) -> None:
    laptop, phone = pair
    document, content = attach(laptop, folder, 24 * MEBIBYTE)
    _, address = laptop.up()
    running, _ = phone.up("--at", address)
    end = time.monotonic() + PATIENCE_S
    while len(chunks(phone)) < 4:
        assert time.monotonic() < end
        os.sched_yield()
    running.process.kill()
    running.process.wait(PATIENCE_S)
    before = chunks(phone)
    assert len(before) < 25
    assert not is_here(phone, document)
    running, _ = phone.up("--at", address)
    running.wait_for("1 attached file came")
    after = chunks(phone)
    assert {name: after[name] for name in before} == before  # none of them came twice
    assert len(after) == 25
    phone.run("doc", "save", document)
    assert (folder / "film.mp4").read_bytes() == content


def test_a_chunk_that_was_changed_where_it_was_attached_never_arrives(
    pair: tuple[Machine, Machine], folder: Path
) -> None:
    laptop, phone = pair
    document, content = attach(laptop, folder, 3 * MEBIBYTE)
    largest = max((laptop.home / "files").glob("[0-9a-f][0-9a-f]/*"), key=lambda path: path.stat().st_size)
    packed = bytearray(largest.read_bytes())
    packed[len(packed) // 2] ^= 1
    largest.write_bytes(packed)
    _, address = laptop.up()
    said = phone.run("sync", "--at", address)
    assert "1 attached file is not here yet" in said
    assert not is_here(phone, document)
    assert not is_here(laptop, document)  # it was found there
    (folder / "film.mp4").write_bytes(content)
    laptop.run("attach", document, "film.mp4")
    phone.run("sync", "--at", address)
    assert is_here(phone, document)


def test_a_chunk_that_rotted_or_vanished_comes_again_when_the_file_is_saved(
    pair: tuple[Machine, Machine], folder: Path
) -> None:
    laptop, phone = pair
    document, content = attach(laptop, folder, 3 * MEBIBYTE)
    _, address = laptop.up()
    phone.run("sync", "--at", address)
    first, second, third, _ = (phone.home / "files").glob("[0-9a-f][0-9a-f]/*")
    first.unlink()
    second.write_bytes(b"\0rot")
    third.write_bytes(b"")
    phone.run("doc", "save", document, "--at", address)
    assert (folder / "film.mp4").read_bytes() == content
    second.write_bytes(b"rot")
    assert "Fetched: film.mp4" in phone.run("doc", "fetch", document, "--at", address)
    assert re.search("every byte is what was attached", phone.run("doctor"))
