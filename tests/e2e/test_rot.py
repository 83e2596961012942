"""Real processes on disks that rot: people read what was written, and what is lost comes back from another device."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from rocksdict import AccessType
from sqlcipher3 import dbapi2 as sqlite

from edda_sync import testing
from edda_sync.engine.engine import StorageEngine
from edda_sync.store.rocks import database
from edda_sync.store.sqlite.store import SqliteStore
from edda_sync.words.config import ROCKSDB_FOLDER
from tests.e2e.machine import Machine, bring_together, settle_in, store_of, until
from tests.sync.newcomers import begin_with_segment

SOON = "from edda_sync.words import limits; limits.SCRUB_INTERVAL_S = 0.2"


@pytest.fixture
def machines(tmp_path: Path) -> Iterator[tuple[Machine, Machine]]:
    with Machine(tmp_path, "laptop", first=SOON) as laptop, Machine(tmp_path, "phone") as phone:
        settle_in(laptop, phone)
        yield laptop, phone


def rot(home: Path, *statements: str) -> None:
    with closing(sqlite.connect(str(home / "edda.db"), isolation_level=None)) as connection:
        for statement in statements:
            assert connection.execute(statement).rowcount > 0


def test_a_row_that_rotted_is_printed_as_it_was_written_and_this_is_said(machines: tuple[Machine, Machine]) -> None:
    laptop, _ = machines
    laptop.edda("task", "add", "Buy milk")
    rot(laptop.home, "UPDATE tasks SET title = 'Buy mule'")
    listed = laptop.run("task", "list")
    assert (listed.returncode, "Buy milk" in listed.stdout, "Buy mule" in listed.stdout) == (0, True, False)
    assert "was damaged on this disk, and was made anew; watch this disk." in listed.stderr
    assert laptop.run("task", "list").stderr == ""
    laptop.edda("doctor")


async def test_a_change_that_rotted_in_the_log_as_well_comes_back_from_another_device(
    machines: tuple[Machine, Machine],
) -> None:
    laptop, phone = machines
    laptop.edda("task", "add", "Buy milk")
    await bring_together(laptop, phone)
    await laptop.stop_up(15)
    rot(
        laptop.home,
        "UPDATE _log SET body = replace(body, 'Buy milk', 'Buy mule') WHERE instr(body, 'Buy milk')",
        "UPDATE _entities SET state = CAST(replace(state, 'Buy milk', 'Buy mule') AS BLOB) WHERE instr(state, 'Buy milk')",
        "UPDATE tasks SET title = 'Buy mule'",
    )
    refused = laptop.run("task", "list")
    assert refused.returncode == 1
    assert "is damaged on this disk" in refused.stderr
    assert "Traceback" not in refused.stderr
    assert "Buy mule" not in refused.stdout
    await until_it_is_back(laptop, phone)


async def test_a_part_of_an_attached_file_that_rotted_comes_back_from_another_device(
    machines: tuple[Machine, Machine], tmp_path: Path
) -> None:
    laptop, phone = machines
    content = bytes(range(256)) * 100
    (tmp_path / "picture").write_bytes(content)
    document = laptop.edda("doc", "add", "--title", "D", "-", stdin="text").split()[0]
    laptop.edda("attach", document, str(tmp_path / "picture"))
    await bring_together(laptop, phone)

    async def phone_has_it() -> bool:
        return (await asyncio.to_thread(phone.json, "doc", "files", document))[0]["here"] is True

    await until(phone_has_it)
    (chunk,) = [path for path in (laptop.home / "files").rglob("*") if path.is_file() and path.stat().st_size > 100]
    rotten = bytearray(chunk.read_bytes())
    rotten[50] ^= 1
    chunk.write_bytes(rotten)
    await asyncio.to_thread(laptop.edda, "doc", "save", document, "--to", str(tmp_path / "saved"))
    assert (tmp_path / "saved").read_bytes() == content


LINES = "one line of a note\nanother line of it\n"


@pytest.mark.parametrize(("backend", "also_the_row"), [("sqlite", False), ("sqlite", True), ("rocksdb", False)])
def test_a_text_that_rotted_is_neither_shown_nor_edited_but_folded_again(
    tmp_path: Path, backend: str, also_the_row: bool
) -> None:
    with Machine(tmp_path, "laptop") as laptop:
        laptop.edda("init", "--backend", backend)
        document = laptop.edda("doc", "add", "--title", "D", "-", stdin=LINES).split()[0]
        laptop.edda("doc", "edit", document, "--content", LINES + "third line\n")
        laptop.edda("doc", "search", "line")  # which writes the row and the hash of an edited text
        if backend == "rocksdb":
            rot_settled(laptop, b"another", b"amother")
        else:
            rot(laptop.home, "UPDATE _texts SET state = CAST(replace(state, 'another', 'amother') AS BLOB)")
        if also_the_row:
            rot(laptop.home, "UPDATE documents SET content = replace(content, 'another', 'amother')")
            listed = laptop.run("doc", "show", document)
            assert ("another line" in listed.stdout, "was made anew" in listed.stderr) == (True, True)
        wanted = LINES.replace("one line", "the first line") + "third line\n"
        edited = laptop.run("doc", "edit", document, "--content", wanted)
        assert ("was made anew" in edited.stderr) is not also_the_row
        assert laptop.edda("doc", "show", document) == wanted.removesuffix("\n")
        assert "content +10 -4" in laptop.edda("history", document).splitlines()[0]  # of what was typed, and no more
        laptop.edda("doctor")


def rot_settled(machine: Machine, old: bytes, new: bytes) -> None:
    """Change values in the RocksDB folder of a store, as if they had rotted before RocksDB made its checksums of them."""
    with store_of(machine) as store:
        assert isinstance(store.store, SqliteStore)
        store.store.settle()
    (folder,) = (machine.home / ROCKSDB_FOLDER).iterdir()
    rocks = database._opened(folder, AccessType.read_write())
    found = [(key, value) for key, value in rocks.items() if old in value]
    assert found
    for key, value in found:
        rocks[key] = value.replace(old, new)
    rocks.flush()
    rocks.close()


async def test_a_value_that_rotted_in_rocksdb_and_in_the_log_comes_back_from_another_device(tmp_path: Path) -> None:
    with Machine(tmp_path, "laptop", first=SOON) as laptop, Machine(tmp_path, "phone") as phone:
        laptop.edda("init", "--backend", "rocksdb")
        settle_in(laptop, phone)
        laptop.edda("task", "add", "Buy milk")
        await bring_together(laptop, phone)
        await laptop.stop_up(15)
        rot_settled(laptop, b"Buy milk", b"Buy mule")
        rot(laptop.home, "UPDATE tasks SET title = 'Buy mule'")
        listed = laptop.run("task", "list")
        assert ("Buy milk" in listed.stdout, "was made anew" in listed.stderr) == (True, True)
        rot_settled(laptop, b"Buy milk", b"Buy mule")
        rot(
            laptop.home,
            "UPDATE tasks SET title = 'Buy mule'",
            "UPDATE _log SET body = replace(body, 'Buy milk', 'Buy mule') WHERE instr(body, 'Buy milk')",
        )
        refused = laptop.run("task", "list")
        assert (refused.returncode, refused.stdout) == (1, "")
        assert refused.stderr.startswith("Change ")  # what is damaged is the log, and not edda.db as a file
        await until_it_is_back(laptop, phone)


async def until_it_is_back(laptop: Machine, phone: Machine) -> None:
    """Let a machine meet another one that runs, until it shows what it lost; it shows nothing else meanwhile."""
    running = await phone.status()
    assert running is not None
    await laptop.up("--no-discovery", "--at", f"127.0.0.1:{running['port']}")

    async def is_back() -> bool:
        listed = await asyncio.to_thread(laptop.run, "task", "list")
        assert "Buy mule" not in listed.stdout
        return "Buy milk" in listed.stdout

    await until(is_back)
    await until(lambda: is_sound(laptop))


async def is_sound(machine: Machine) -> bool:
    return (await asyncio.to_thread(machine.run, "doctor")).returncode == 0


@pytest.mark.parametrize("at", [0.0, 0.5])  # what it begins with, and what it holds
async def test_a_newcomer_whose_segment_rotted_gets_the_log_from_a_peer_and_blames_nobody(
    tmp_path: Path, at: float
) -> None:
    with Machine(tmp_path, "laptop") as laptop, Machine(tmp_path, "phone", first=SOON) as phone:
        settle_in(laptop)
        laptop.edda("task", "add", "Buy milk")
        with store_of(laptop) as host, StorageEngine(phone.home) as newcomer:
            newcomer.open_store(phone.config)
            testing.pair(host, newcomer)
            begin_with_segment(host, newcomer)
        phone.edda("task", "add", "Written on it")
        with closing(sqlite.connect(str(phone.home / "edda.db"), isolation_level=None)) as connection:
            (part,) = connection.execute("SELECT part FROM _segment_parts").fetchone()
            rotten = bytearray(part)
            rotten[int(len(part) * at)] ^= 1
            connection.execute("UPDATE _segment_parts SET part = ?", (rotten,))
        rot(
            phone.home,
            "UPDATE _entities SET state = CAST(replace(state, 'Buy milk', 'Buy mule') AS BLOB)",
            "UPDATE tasks SET title = 'Buy mule' WHERE title = 'Buy milk'",
        )
        refused = phone.run("task", "list")
        assert (refused.returncode, refused.stdout) == (1, "")
        assert refused.stderr.startswith("What this store began with (a ")
        assert "DAMAGED  log: what this store began with is not what was written" in phone.run("doctor").stdout
        await laptop.up("--no-discovery")
        await until_it_is_back(phone, laptop)
        assert "Written on it" in await asyncio.to_thread(phone.edda, "task", "list")
        for each in (phone, laptop):
            assert await each.stop_up(15) == 0
            assert each._running is not None
            assert each._running.stdout is not None
            assert "not allowed" not in await asyncio.to_thread(each._running.stdout.read)
