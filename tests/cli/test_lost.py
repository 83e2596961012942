"""What every command says about a lost store or identity: all say the same, and what helps."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.cli.processes import Machine

READING = [("task", "list"), ("doc", "list"), ("export",), ("conflicts",), ("doctor",), ("tag", "list")]
WRITING = [("init",), ("init", "--name", "laptop"), ("task", "add", "New"), ("doctor", "--rebuild")]
NETWORK = [("status",), ("devices",), ("sync", "--timeout", "1"), ("up", "--no-discovery"), ("invite",)]


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Callable[[str], Machine]]:
    made: list[Machine] = []

    def make(name: str) -> Machine:
        made.append(Machine(tmp_path, name))
        return made[-1]

    yield make
    for each in made:
        each.kill()


def said_of(machine: Machine, commands: list[tuple[str, ...]]) -> set[str]:
    return {machine.run(*command, code=1) for command in commands}


def test_every_command_refuses_a_store_that_is_missing_with_the_same_words(machine: Callable[[str], Machine]) -> None:
    laptop = machine("laptop")
    laptop.run("task", "add", "Mine")
    database = laptop.home / "edda.db"
    database.rename(laptop.home.parent / "backup")
    (said,) = said_of(laptop, READING + WRITING + NETWORK)
    assert said.startswith(f"{database} is missing or empty, although a store was here")
    assert "to begin anew, move away identity.json, identity.key." in said
    assert not database.exists()
    (laptop.home.parent / "backup").rename(database)
    assert [task["title"] for task in laptop.json("task", "list")] == ["Mine"]


def test_an_emptied_store_is_refused_and_comes_back_by_joining(machine: Callable[[str], Machine]) -> None:
    laptop, phone = machine("laptop"), machine("phone")
    laptop.run("init", "--name", "laptop")
    laptop.run("task", "add", "Mine")
    phone.join(laptop, "--name", "phone")
    before = phone.json("status")["device"]
    (phone.home / "edda.db").write_bytes(b"")
    (said,) = said_of(phone, [("task", "list"), ("init",), ("status",)])
    assert "`edda invite` there, `edda join` here" in said
    printed = phone.join(laptop, "--name", "phone")
    assert "1 task and 0 documents came; proved equal with laptop." in printed
    assert phone.json("status")["device"] == before


def test_a_running_device_stops_when_its_store_is_gone_and_says_the_same_as_every_command(
    machine: Callable[[str], Machine],
) -> None:
    laptop = machine("laptop")
    laptop.run("task", "add", "Mine")
    running, _ = laptop.up()
    (laptop.home / "edda.db").unlink()
    assert running.wait() == 1
    assert not any("everything is on disk" in line or "Traceback" in line for line in running.lines), running.lines
    assert running.lines[-1].startswith(f"{laptop.home / 'edda.db'} is missing or empty, although a store was here")
    assert said_of(laptop, [("task", "list"), ("status",)]) == {running.lines[-1]}


@pytest.mark.parametrize("suffix", ["-wal", "-shm"])
def test_a_running_device_stops_when_a_file_beside_its_store_is_gone_and_nothing_is_lost(
    machine: Callable[[str], Machine], suffix: str
) -> None:
    laptop = machine("laptop")
    laptop.run("task", "add", "Mine")
    running, _ = laptop.up()
    beside = laptop.home / f"edda.db{suffix}"
    beside.unlink()
    assert running.wait() == 1
    assert running.lines[-1].startswith(f"{beside}"), running.lines
    assert "end every program that uses this store" in running.lines[-1]
    assert [task["title"] for task in laptop.json("task", "list")] == ["Mine"]


def test_a_store_that_was_overwritten_comes_back_as_the_message_says(machine: Callable[[str], Machine]) -> None:
    laptop, phone = machine("laptop"), machine("phone")
    laptop.run("task", "add", "Mine")
    phone.join(laptop, "--name", "phone")
    (phone.home / "edda.db").write_bytes(b"x" * 8192)
    (said,) = said_of(phone, [("task", "list"), ("init",), ("status",), ("doctor",), ("join", "12-3456-7890")])
    assert "is no store any more, although a store was here" in said
    assert "keep edda.db elsewhere first, then bring it back with `edda backup restore`, or from another device" in said
    (phone.home / "edda.db").rename(phone.home.parent / "kept")
    assert "1 task and 0 documents came" in phone.join(laptop, "--name", "phone")


def test_the_messages_about_a_damaged_file_lead_to_its_repair_and_not_in_a_circle(
    machine: Callable[[str], Machine],
) -> None:
    laptop, phone = machine("laptop"), machine("phone")
    laptop.run("task", "add", "Mine")
    phone.join(laptop, "--name", "phone")
    database = phone.home / "edda.db"
    raw = database.read_bytes()
    database.write_bytes(raw[:4096] + b"\xa5" * (len(raw) - 4096))
    assert "run `edda doctor`" in phone.run("task", "list", code=1)
    for command in (("doctor",), ("doctor", "--rebuild")):
        said = phone.run(*command, code=1)
        assert "move edda.db away, and bring it back with `edda backup restore`, or from another device" in said
        assert "run `edda doctor`" not in said
    database.rename(phone.home.parent / "kept")
    assert "1 task and 0 documents came" in phone.join(laptop, "--name", "phone")


def test_a_join_that_failed_leaves_a_folder_in_which_a_store_can_be_made(machine: Callable[[str], Machine]) -> None:
    phone = machine("phone")
    assert "no invitation is open there" in phone.run("join", "12-3456-7890", "--at", "127.0.0.1:9", code=1)
    assert "Made a store" in phone.run("init")
    phone.run("task", "add", "Mine")


def test_every_command_that_needs_a_lost_identity_says_what_to_do_and_that_works(
    machine: Callable[[str], Machine],
) -> None:
    laptop, phone = machine("laptop"), machine("phone")
    laptop.run("task", "add", "On the laptop")
    phone.run("task", "add", "On the phone")
    for path in phone.home.glob("identity.*"):
        path.unlink()
    (said,) = said_of(phone, [("status",), ("up", "--no-discovery"), ("invite",), ("init",), ("init", "--name", "x")])
    assert "without its identity" in said
    assert "`edda join --bring`" in said
    phone.run("task", "add", "Written without")
    printed = phone.join(laptop, "--bring", "--name", "phone")
    assert "Brought along: 2 tasks and 0 documents." in printed
    assert {task["title"] for task in phone.json("task", "list")} == {
        "On the laptop",
        "On the phone",
        "Written without",
    }
    assert laptop.json("status")["digest"] == phone.json("status")["digest"]


def test_an_older_file_that_is_put_back_under_a_running_device_is_whole_and_everybody_is_told(
    machine: Callable[[str], Machine],
) -> None:
    laptop = machine("laptop")
    database = laptop.home / "edda.db"
    laptop.run("task", "add", "Old", "--description", "x" * 20_000)
    older = database.read_bytes()
    for number in range(5):
        laptop.run("task", "add", f"New {number}", "--description", "y" * 20_000)
    running, _ = laptop.up()
    laptop.run("task", "add", "Last before the restore")
    assert (laptop.home / "edda.db-wal").stat().st_size
    (laptop.home / "edda.db.new").write_bytes(older)
    (laptop.home / "edda.db.new").rename(database)
    assert running.wait() == 1, "nobody would find what it writes from now on"
    assert "was replaced by another file while it was in use" in running.lines[-1]
    said = laptop.run("task", "add", "After the restore")
    assert "edda.db-wal-aside-1 was put aside" in said
    assert [task["title"] for task in laptop.json("task", "list")] == ["Old", "After the restore"]
    said = laptop.run("doctor")
    assert "sound    journal: edda.db-wal-aside-1 was put aside" in said
    assert "put aside" in laptop.run("status")
    (laptop.home / "edda.db-wal-aside-1").unlink()
    assert "put aside" not in laptop.run("status") + laptop.run("doctor")


def test_a_running_device_whose_folder_is_moved_away_stops_and_says_so(machine: Callable[[str], Machine]) -> None:
    laptop = machine("laptop")
    laptop.run("task", "add", "Mine")
    running, _ = laptop.up()
    laptop.home.rename(laptop.home.with_name("moved"))
    assert running.wait() == 1
    assert running.lines[-1].startswith(f"{laptop.home / 'edda.db'} is missing or empty, although a store was here")
    laptop.home.with_name("moved").rename(laptop.home)
    assert [task["title"] for task in laptop.json("task", "list")] == ["Mine"]


def test_a_loss_of_acknowledged_changes_is_reported_once_by_any_command_and_then_by_status_and_doctor(
    machine: Callable[[str], Machine],
) -> None:
    laptop = machine("laptop")
    laptop.run("task", "add", "Mine")
    database = laptop.home / "edda.db"
    older = database.read_bytes()
    laptop.run("task", "add", "Gone")
    database.write_bytes(older)
    assert "1 change that was written here and acknowledged is missing" in laptop.run("task", "list")
    assert "missing" not in laptop.run("task", "list")
    assert "lost: 1 change" in laptop.run("status")
    assert laptop.json("status")["missing"] == 1
    assert "DAMAGED  missing: 1 change" in laptop.run("doctor", code=1)
    running, _ = laptop.up()
    assert any("1 change that was written here" in line for line in running.lines)
    assert running.end() == 0
    laptop.run("doctor", "--rebuild")
    assert "missing" not in laptop.run("status")
