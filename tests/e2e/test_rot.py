"""Real processes on disks that rot: people read what was written, and what is lost comes back from another device."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from sqlcipher3 import dbapi2 as sqlite

from tests.e2e.machine import Machine, bring_together, settle_in, until

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
    running = await phone.status()
    assert running is not None
    await laptop.up("--no-discovery", "--at", f"127.0.0.1:{running['port']}")

    async def is_back() -> bool:
        listed = await asyncio.to_thread(laptop.run, "task", "list")
        assert "Buy mule" not in listed.stdout
        return "Buy milk" in listed.stdout

    await until(is_back)
    await asyncio.to_thread(laptop.edda, "doctor")


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
