"""``edda join`` by a device that is already a member of this workspace or another: what it asks and says."""

from __future__ import annotations

import signal

import pytest

from edda_sync.engine.engine import StorageEngine
from edda_sync.words.config import StorageConfig
from edda_sync.words.model import Task
from tests.cli.meeting import Machines, joined, titles
from tests.cli.processes import Machine


@pytest.fixture
def pair(machine: Machines) -> tuple[Machine, Machine]:
    """Two members of one workspace; the second has a task that the first has not."""
    laptop, phone = joined(machine("laptop"), machine("phone"), "phone")
    with StorageEngine(phone.home) as engine:
        engine.open_store(StorageConfig(name="phone", state_path=phone.state))
        engine.create_task(Task(title="Not synced yet"))
    return laptop, phone


def test_a_member_at_a_terminal_is_not_asked_about_its_store_which_is_kept(pair: tuple[Machine, Machine]) -> None:
    laptop, phone = pair
    invitation, code, address = laptop.invite()
    joining = phone.start("join", code, "--at", address, terminal=True)
    assert joining.wait() == 0
    assert invitation.wait() == 0
    said = "\n".join(joining.lines)
    assert "Bring them along?" not in said
    assert "joined" not in said
    assert 'This device, "phone", is a member already of the workspace of laptop.' in said
    assert "Its store stays, with all that was written here." in said
    assert "2 tasks and 0 documents are here now; proved equal with laptop." in said
    assert titles(laptop) == titles(phone) == {"Buy milk", "Not synced yet"}


@pytest.mark.parametrize("way", ["--leave", "--bring"])
def test_a_member_that_asks_for_another_name_is_told_the_one_it_has(pair: tuple[Machine, Machine], way: str) -> None:
    laptop, phone = pair
    printed = phone.join(laptop, way, "--name", "telephone")
    assert 'This device, "phone", is a member already of the workspace of laptop.' in printed
    assert 'It is not called "telephone": a device keeps the name with which it first joined.' in printed
    assert "are here now" in printed
    assert "Brought along" not in printed
    assert phone.json("status")["name"] == "phone"
    assert not list(phone.home.glob("left-*"))


def test_a_member_whose_store_was_lost_is_told_the_name_it_has(pair: tuple[Machine, Machine]) -> None:
    laptop, phone = pair
    for each in phone.home.glob("edda.db*"):
        each.unlink()
    printed = phone.join(laptop, "--name", "telephone")
    assert 'This device, "phone", joined the workspace of laptop.' in printed
    assert 'It is not called "telephone"' in printed
    assert phone.json("status")["name"] == "phone"


def test_without_a_terminal_the_command_says_what_would_be_asked_and_the_code_stays_good(
    pair: tuple[Machine, Machine],
) -> None:
    laptop, phone = pair
    invitation, code, address = laptop.invite()
    printed = phone.run("join", code, "--at", address, code=2)
    assert "in a workspace with 1 other device" in printed
    assert "with either it stays as it is, should it be that workspace's already" in printed
    phone.run("join", code, "--at", address, "--leave")
    assert invitation.wait() == 0


def test_a_member_of_another_workspace_is_asked_as_soon_as_that_is_known(
    pair: tuple[Machine, Machine], machine: Machines
) -> None:
    _, phone = pair
    other = machine("other")
    other.run("init", "--name", "other")
    other.run("task", "add", "Theirs")
    invitation, code, address = other.invite()
    joining = phone.start("join", code, "--at", address, terminal=True)
    joining.wait_for("It is put aside")
    joining.type("y\n")
    assert joining.wait() == 0
    assert invitation.wait() == 0
    said = "\n".join(joining.lines)
    assert 'This device, "phone", joined the workspace of other.' in said
    assert "Brought along: 2 tasks and 0 documents." in said
    assert titles(other) == titles(phone) == {"Buy milk", "Not synced yet", "Theirs"}
    assert len(list(phone.home.glob("left-*"))) == 1


def test_a_person_who_stops_at_that_question_is_told_the_state_of_things_and_joins_again(
    pair: tuple[Machine, Machine], machine: Machines
) -> None:
    _, phone = pair
    other = machine("other")
    other.run("init", "--name", "other")
    other.run("task", "add", "Theirs")
    invitation, code, address = other.invite()
    joining = phone.start("join", code, "--at", address, terminal=True)
    joining.wait_for("It is put aside")
    assert joining.give_up() == 130
    said = "\n".join(joining.lines)
    assert "This device is a member of the workspace of other now, and its store is as it was; `edda join`" in said
    assert "Nothing was done" not in said
    assert titles(phone) == {"Buy milk", "Not synced yet"}
    invitation.end(signal.SIGINT)
    assert "joined the workspace of other" in phone.join(other, "--leave")
    assert titles(phone) == {"Theirs"}
