"""``edda join`` that Ctrl-C or a kill ends midway: what is said, and what brings along the store that was here."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

import edda_sync
from edda_sync.engine import aside as asides
from edda_sync.engine.engine import StorageEngine
from edda_sync.words.config import DATABASE_FILE, StorageConfig
from tests.cli.meeting import Machines, titles
from tests.cli.processes import PATIENCE_S, Machine, Running

MANY = 1_200  # tasks, which are brought along in several transactions
BOTH = ("number", [signal.SIGINT, signal.SIGKILL])
SAID = "its content was not, or not all, brought along yet; `edda join --bring` goes on"

Moment = Callable[[Machine, Running, Running], None]


def file(home: Path, pattern: str) -> Path:
    """Wait for a file, and return its path."""
    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end:
        for found in home.glob(pattern):
            return found
    raise AssertionError(f"{pattern} did not appear")


def when_the_store_has_moved(phone: Machine, _joining: Running, _invitation: Running) -> None:
    file(phone.home, f"left-*/{DATABASE_FILE}")


def before_the_first_sync(phone: Machine, joining: Running, invitation: Running) -> None:
    file(phone.home, f"left-*/{DATABASE_FILE}")
    invitation.process.send_signal(signal.SIGSTOP)  # the device that invites answers no more
    joining.wait_for("joined the workspace of laptop")


def when_it_is_proved_equal(_phone: Machine, joining: Running, _invitation: Running) -> None:
    joining.wait_for("proved equal with laptop")


MOMENTS = [when_the_store_has_moved, before_the_first_sync, when_it_is_proved_equal]


@pytest.fixture
def two(machine: Machines) -> tuple[Machine, Machine]:
    """A laptop and a phone, each with tasks of its own: the phone with so many that they are not brought along at once."""
    laptop, phone = machine("laptop"), machine("phone")
    laptop.run("init", "--name", "laptop")
    laptop.run("task", "add", "Theirs")
    with StorageEngine(phone.home) as store:
        store.initialize(StorageConfig(name="phone", state_path=phone.state))
        with store.begin_transaction() as tx:
            for number in range(MANY):
                tx.create_task(edda_sync.Task(title=f"Mine {number}"))
    return laptop, phone


def interrupted(two: tuple[Machine, Machine], how: str, moment: Moment, number: signal.Signals) -> str:
    """Begin to join, and end it at a moment by a signal; return what was printed."""
    laptop, phone = two
    invitation, code, address = laptop.invite()
    joining = phone.start("join", code, "--at", address, how)
    moment(phone, joining, invitation)
    assert joining.end(number) == (130 if number == signal.SIGINT else -number)
    invitation.process.send_signal(signal.SIGCONT)
    invitation.end(signal.SIGINT)
    return "\n".join(joining.lines)


def check_all_is_there(laptop: Machine, phone: Machine) -> None:
    assert titles(laptop) == titles(phone) == {"Theirs", *(f"Mine {number}" for number in range(MANY))}
    assert laptop.json("status")["digest"] == phone.json("status")["digest"]
    assert phone.json("status")["to_bring"] == []
    assert "brought along yet" not in phone.run("status") + phone.run("doctor")


@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize(*BOTH)
def test_a_repeated_join_brings_along_what_an_interrupted_one_did_not(
    two: tuple[Machine, Machine], moment: Moment, number: signal.Signals
) -> None:
    laptop, phone = two
    said = interrupted(two, "--bring", moment, number)
    (aside,) = phone.home.glob("left-*")
    if number == signal.SIGINT:
        assert f"Interrupted; the store that was here before is in {aside}, and {SAID}" in said
    printed = phone.join(laptop, "--bring")
    assert "known again" not in printed
    assert "Brought along: " in printed
    assert list(phone.home.glob("left-*")) == [aside]
    check_all_is_there(laptop, phone)


@pytest.mark.parametrize("moment", [before_the_first_sync, when_it_is_proved_equal])
@pytest.mark.parametrize(*BOTH)
def test_what_is_outstanding_is_told_and_comes_along_without_a_new_code(
    two: tuple[Machine, Machine], moment: Moment, number: signal.Signals
) -> None:
    laptop, phone = two
    interrupted(two, "--bring", moment, number)
    (aside,) = phone.home.glob("left-*")
    assert phone.json("status")["to_bring"] == [str(aside)]
    assert f"outstanding: the store that was here before is in {aside}, and {SAID}" in phone.run("status")
    assert f"outstanding: the store that was here before is in {aside}, and {SAID}" in phone.run("doctor")
    running, address = laptop.up()
    printed = phone.run("join", "--bring", "--at", address)
    assert "Brought along: " in printed
    if moment is before_the_first_sync:
        assert "The first sync is not done yet" in printed
    phone.run("sync", "--at", address)
    assert running.end() == 0
    check_all_is_there(laptop, phone)
    assert "Nothing is left to be brought along" in phone.run("join", "--bring", code=2)


def test_a_first_sync_that_reaches_nobody_leaves_what_is_outstanding_as_it_is(two: tuple[Machine, Machine]) -> None:
    _, phone = two
    interrupted(two, "--bring", before_the_first_sync, signal.SIGKILL)
    waiting = phone.json("status")["to_bring"]
    printed = phone.run("join", "--bring", "--at", "no-such-host.invalid:22", code=4)
    assert "The first sync is not done yet" in printed
    assert phone.json("status")["to_bring"] == waiting != []


@pytest.mark.parametrize("moment", MOMENTS[:2])
def test_an_interrupted_join_that_leaves_a_store_says_where_it_is(two: tuple[Machine, Machine], moment: Moment) -> None:
    laptop, phone = two
    said = interrupted(two, "--leave", moment, signal.SIGINT)
    (aside,) = phone.home.glob("left-*")
    assert f"the store that was here is in {aside}" in said.splitlines()[-1]
    phone.join(laptop)
    assert titles(phone) == {"Theirs"}
    assert phone.json("status")["to_bring"] == []


def test_a_kill_before_the_new_store_is_made_leaves_a_way_to_go_on(two: tuple[Machine, Machine]) -> None:
    laptop, phone = two
    aside = phone.home / "left-2026-01-01-000000"
    asides.plan(aside, bytes(16))
    (phone.home / DATABASE_FILE).rename(aside / DATABASE_FILE)  # this is where the kill comes
    for command in (["join", "--bring"], ["status"], ["task", "add", "New"], ["up"]):
        printed = phone.run(*command, code=2)
        assert f"the store that was here is in {aside}" in printed
        assert "`edda join CODE --bring`, with a new code of `edda invite`" in printed
    assert "Brought along: 1,200 tasks" in phone.join(laptop, "--bring")
    check_all_is_there(laptop, phone)


def test_what_was_to_go_into_one_workspace_goes_into_another_only_if_the_person_says_so(
    two: tuple[Machine, Machine], machine: Machines
) -> None:
    _, phone = two
    interrupted(two, "--bring", before_the_first_sync, signal.SIGINT)
    other = machine("other")
    other.run("init", "--name", "other")
    assert "Brought along" not in phone.join(other)
    assert titles(other) == set()
    assert phone.json("status")["to_bring"]
    assert "Brought along: 1,200 tasks" in phone.join(other, "--bring")
    assert len(titles(other)) == MANY


def test_a_person_who_does_not_want_it_any_more_says_leave(two: tuple[Machine, Machine]) -> None:
    laptop, phone = two
    interrupted(two, "--bring", before_the_first_sync, signal.SIGINT)
    (aside,) = phone.home.glob("left-*")
    assert f"A store from before stays in {aside}, and is not brought along." in phone.join(laptop, "--leave")
    assert titles(phone) == {"Theirs"}
    assert phone.json("status")["to_bring"] == []


def test_a_join_without_a_code_says_what_is_missing(machine: Machines) -> None:
    phone = machine("phone")
    assert "Missing argument 'CODE'" in phone.run("join", code=2)
    assert "Nothing is left to be brought along; `edda join CODE`" in phone.run("join", "--bring", code=2)
    assert not phone.home.exists()
