"""What commands say about a damaged store: that it is damaged, in which part, and what helps."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import edda_sync
from edda_sync.cli import damaged as notes
from edda_sync.words.model import Task
from tests.cli.meeting import Machines
from tests.cli.processes import Machine
from tests.engine.test_doctor import spoil
from tests.store.sqlite.test_damage import wipe

MANY = 60
WAY_BACK = "keep a copy of the folder, move edda.db away, and bring it back with `edda backup restore`, or from another"


def fill(home: Path) -> None:
    with edda_sync.open(home) as store, store.begin_transaction() as tx:
        for number in range(MANY):
            tx.create_task(Task(title=f"Task {number}", description="d" * 200))


@pytest.fixture
def damaged(pair: tuple[Machine, Machine]) -> tuple[Machine, Machine]:
    """Two members of one workspace; the tasks of the second are damaged."""
    laptop, phone = pair
    wipe(phone.home / "edda.db", "tasks")
    return laptop, phone


@pytest.mark.parametrize("way", ["--bring", "--leave"])
@pytest.mark.parametrize("inviter", ["laptop", "other"])
def test_a_damaged_store_cannot_join_a_workspace_until_it_is_made_anew(
    damaged: tuple[Machine, Machine], machine: Machines, way: str, inviter: str
) -> None:
    laptop, phone = damaged
    other = laptop if inviter == "laptop" else machine("other")
    before = (phone.home / "edda.db").read_bytes()
    invitation, code, address = other.invite()
    printed = phone.run("join", code, "--at", address, way, code=1)
    assert f"{phone.home / 'edda.db'} (tasks) is damaged on this disk; run `edda doctor`" in printed
    assert (phone.home / "edda.db").read_bytes() == before
    assert not list(phone.home.glob("left-*"))
    assert "`edda doctor --rebuild` folds the tables anew from the log, which is sound." in phone.run("doctor", code=1)
    assert "put right: damage in tasks" in phone.run("doctor", "--rebuild")
    assert "proved equal" in phone.run("join", code, "--at", address, way)  # and the code was not spent
    assert invitation.wait() == 0


def test_a_store_whose_log_is_damaged_is_moved_away_before_it_joins(pair: tuple[Machine, Machine]) -> None:
    laptop, phone = pair
    wipe(phone.home / "edda.db", "_log")
    invitation, code, address = laptop.invite()
    printed = phone.run("join", code, "--at", address, "--leave", code=1)
    assert f"{phone.home / 'edda.db'} (the log of changes) is damaged on this disk" in printed
    assert WAY_BACK in printed
    (phone.home / "edda.db").rename(phone.home.parent / "damaged.db")  # as it said
    assert "proved equal" in phone.run("join", code, "--at", address)
    assert invitation.wait() == 0


def test_commands_that_look_at_a_store_say_that_it_is_damaged_and_which_command_says_more(
    another_edda: Callable[[str], Any], tmp_path: Path
) -> None:
    fill(tmp_path / "home")
    edda = another_edda("home")
    assert edda.json("status")["damaged"] == []
    wipe(tmp_path / "home" / "edda.db", "tasks")
    sentence = "this store is damaged on this disk (tasks): `edda doctor` says what helps."
    assert f"damaged: {sentence}" in edda("status").stdout
    assert edda.json("status")["damaged"] == ["tasks"]
    looked = edda("conflicts")
    assert (looked.stdout, f"Not all may be shown, since {sentence}" in looked.stderr) == ("", True)
    assert json.loads(edda("conflicts", "--json").stdout) == []


def test_the_doctor_names_the_damage_in_the_words_of_this_project(
    another_edda: Callable[[str], Any], tmp_path: Path
) -> None:
    fill(tmp_path / "home")
    edda = another_edda("home")
    wipe(tmp_path / "home" / "edda.db", "tasks")
    assert edda("doctor", code=1).stdout.startswith(
        "DAMAGED  tables: edda.db is not what was written: it is damaged in tasks\nsound    log: "
    )
    wipe(tmp_path / "home" / "edda.db", "_log")
    said = edda("doctor", code=1)
    what = "DAMAGED  file: edda.db is not what was written: it is damaged in tasks, the log of changes\n"
    assert said.stdout == what
    first, then = said.stderr.split(" Then ")
    assert first.startswith(
        "`edda sync`, while another device runs, and `edda export` may still save what is only here:"
    )
    assert "move edda.db away, and bring it back with `edda backup restore`" in then


def test_a_running_device_says_that_its_store_is_damaged(damaged: tuple[Machine, Machine]) -> None:
    _, phone = damaged
    running, _ = phone.up()
    assert any("this store is damaged on this disk (tasks)" in line for line in running.lines)
    assert phone.json("status")["damaged"] == ["tasks"]
    running.end()


def test_a_sync_over_a_damaged_store_says_so_and_not_that_the_next_one_goes_on(
    damaged: tuple[Machine, Machine],
) -> None:
    laptop, phone = damaged
    running, address = laptop.up()
    printed = phone.run("sync", "--at", address, "--timeout", "3", code=4)
    assert "edda.db is damaged on this disk; run `edda doctor`" in printed
    assert "the next sync goes on from there" not in printed
    assert running.end() == 0


def test_commands_that_write_into_a_damaged_store_say_so_and_commands_that_look_do_not(
    another_edda: Callable[[str], Any], tmp_path: Path
) -> None:
    fill(tmp_path / "home")
    edda = another_edda("home")
    spoil(tmp_path / "home", "UPDATE _log SET body = zeroblob(length(body)) WHERE position = 2")
    edda("doctor", code=1)
    found = "this store was found damaged on this disk (the log of changes)"
    added = edda("task", "add", "a")
    assert (added.stderr, len(added.stdout)) == (f"It is written, but {found}: `edda doctor` says more.\n", 37)
    assert "damaged" not in edda("tag", "rm", "nothing", code=3).stderr
    assert edda("task", "list", "--limit", "1").stderr == "", "it only looks"


def test_damage_found_by_a_look_is_remembered_too(another_edda: Callable[[str], Any], tmp_path: Path) -> None:
    fill(tmp_path / "home")
    edda = another_edda("home")
    wipe(tmp_path / "home" / "edda.db", "tasks")
    edda("status")
    assert notes.noted(tmp_path / "home" / "edda.db") == "tasks"
    edda("status")
    assert notes.noted(tmp_path / "home" / "edda.db") == "tasks"


def test_what_only_the_doctor_found_is_told_by_every_command_that_looks(
    another_edda: Callable[[str], Any], tmp_path: Path
) -> None:
    fill(tmp_path / "home")
    edda = another_edda("home")
    spoil(tmp_path / "home", "UPDATE _log SET body = zeroblob(length(body)) WHERE position = 2")
    assert edda.json("status")["damaged"] == []
    edda("doctor", "--rebuild", code=1)
    assert edda.json("status")["damaged"] == ["the log of changes"]
    assert "damaged: this store is damaged on this disk (the log of changes)" in edda("status").stdout
    assert "(the log of changes)" in edda("conflicts").stderr
    wipe(tmp_path / "home" / "edda.db", "tasks")
    assert edda.json("status")["damaged"] == ["the log of changes", "tasks"]


def test_the_doctor_remembers_what_it_found_and_forgets_what_is_mended(
    another_edda: Callable[[str], Any], tmp_path: Path
) -> None:
    fill(tmp_path / "home")
    edda = another_edda("home")
    wipe(tmp_path / "home" / "edda.db", "tasks")
    edda("doctor", code=1)
    assert notes.noted(tmp_path / "home" / "edda.db") == "tables"
    edda("doctor", "--rebuild")
    assert edda("task", "add", "a").stderr == ""


def test_a_note_about_another_file_says_nothing(tmp_path: Path) -> None:
    database = tmp_path / "edda.db"
    database.write_bytes(b"x")
    notes.remember(database, ["tasks", "tags"])
    assert notes.noted(database) == "tasks, tags"
    notes.remember(database, [])
    assert notes.noted(database) == "tasks, tags"
    database.rename(tmp_path / "aside.db")
    assert notes.noted(database) == ""
    (tmp_path / "edda.db").write_bytes(b"y")
    assert notes.noted(database) == ""
    notes.forget(database)
    notes.forget(database)
    assert [each.name for each in tmp_path.glob("edda.db-*")] == []
