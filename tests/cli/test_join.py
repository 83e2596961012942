from __future__ import annotations

import signal
from pathlib import Path

import edda_sync
from edda_sync import testing
from edda_sync.engine.engine import StorageEngine
from edda_sync.words.config import StorageConfig
from tests.cli.meeting import Machines, titles
from tests.cli.processes import Machine, asked_on_a_terminal


def test_a_new_device_joins_by_a_code_and_holds_everything(machine: Machines) -> None:
    laptop, phone = machine("laptop"), machine("phone")
    laptop.run("init", "--name", "laptop")
    laptop.run("task", "add", "Buy milk")
    invitation, code, address = laptop.invite()
    printed = phone.run("join", *code.split("-"), "--at", address, "--name", "phone")  # in the groups that are shown
    assert "joined the workspace of laptop" in printed
    assert "1 task and 0 documents came; proved equal with laptop." in printed
    assert invitation.wait() == 0
    assert "phone is a member of this workspace now." in invitation.lines
    assert "phone holds all that is here: proved equal." in invitation.lines
    assert titles(phone) == {"Buy milk"}
    assert phone.json("status")["digest"] == laptop.json("status")["digest"]
    assert {(each["name"], each["this"]) for each in phone.json("devices")} == {("laptop", False), ("phone", True)}
    assert laptop.json("devices")[1]["proved_at"] is not None


def test_the_code_is_asked_for_where_other_users_cannot_read_it(machine: Machines, tmp_path: Path) -> None:
    laptop = machine("laptop")
    laptop.run("task", "add", "Buy milk")
    invitation, code, address = laptop.invite()
    invitation.wait_for(r"^It asks for the code\.$")
    arguments = ("join", "--at", address, "--name", "phone")
    ended, printed = asked_on_a_terminal(tmp_path / "phone", *arguments, answers=[code.encode()])
    assert ended == 0
    assert "Code that `edda invite` shows: " in printed
    assert "1 task and 0 documents came; proved equal with" in printed
    assert invitation.wait() == 0


def test_without_a_terminal_a_missing_code_is_a_mistake(machine: Machines) -> None:
    assert "CODE" in machine("phone").run("join", code=2)


def test_a_person_who_stops_the_search_for_an_invitation_is_told_that_nothing_was_done(machine: Machines) -> None:
    phone = machine("phone")
    joining = phone.start("join", "12-3456-7890")
    joining.wait_for("Looking for the device that invites")
    assert joining.end(signal.SIGINT) == 130
    assert joining.lines[-1] == "Nothing was done."


def test_an_invalid_code_or_address_is_reported_before_anything_is_done(machine: Machines) -> None:
    phone = machine("phone")
    assert "ten digits" in phone.run("join", "12-34", code=2)
    for wrong in ("nowhere", "host:", "host:0", "host:99999", "::1:80", "host:٣"):
        assert "no address" in phone.run("join", "12-3456-7890", "--at", wrong, code=2)
    assert not (phone.home / "edda.db").exists()


def test_a_store_with_content_is_not_touched_unless_someone_says_what_to_do_with_it(machine: Machines) -> None:
    laptop, phone = machine("laptop"), machine("phone")
    phone.run("task", "add", "Mine")
    before = phone.json("status")["digest"]
    invitation, code, address = laptop.invite()
    printed = phone.run("join", code, "--at", address, code=2)
    assert "1 task, 0 documents, 0 tags" in printed
    assert "--bring" in printed
    assert "--leave" in printed
    assert phone.json("status")["digest"] == before
    phone.run("join", code, "--at", address, "--leave")  # the code was not spent
    assert invitation.wait() == 0


def test_a_store_that_is_put_aside_stays_usable_there(machine: Machines) -> None:
    laptop, phone = machine("laptop"), machine("phone")
    laptop.run("task", "add", "Theirs")
    phone.run("task", "add", "Mine")
    phone.join(laptop, "--leave")
    assert titles(phone) == {"Theirs"}
    (aside,) = phone.home.glob("left-*")
    with edda_sync.open(aside) as store:
        assert [task.title for task in store.query_tasks(edda_sync.TaskQuery())] == ["Mine"]
        store.create_task(edda_sync.Task(title="Still mine"))


def test_content_that_is_brought_along_reaches_the_inviter_under_its_ids(machine: Machines) -> None:
    laptop, phone = machine("laptop"), machine("phone")
    laptop.run("task", "add", "Theirs")
    mine = phone.run("task", "add", "Mine", "--tag", "home").splitlines()[-1]
    printed = phone.join(laptop, "--bring")
    assert "Brought along: 1 task and 0 documents." in printed
    assert titles(laptop) == titles(phone) == {"Theirs", "Mine"}
    assert laptop.json("task", "show", mine)["tags"] == ["home"]
    assert laptop.json("status")["digest"] == phone.json("status")["digest"]


def test_an_empty_store_joins_without_a_question(machine: Machines) -> None:
    laptop, phone = machine("laptop"), machine("phone")
    phone.run("init", "--name", "telephone")
    phone.join(laptop)
    assert not list(phone.home.glob("left-*"))
    assert {each["name"] for each in laptop.json("devices")} >= {"telephone"}  # the name that it has had so far


def test_joining_the_same_workspace_again_keeps_the_store(pair: tuple[Machine, Machine]) -> None:
    laptop, phone = pair
    phone.run("task", "add", "Written since")
    phone.join(laptop, "--leave")
    assert not list(phone.home.glob("left-*"))
    assert titles(laptop) == {"Buy milk", "Written since"}
    assert len(laptop.json("devices")) == 2


def test_a_wrong_address_of_an_invitation_is_named_and_the_code_stays_good(machine: Machines) -> None:
    laptop, phone = machine("laptop"), machine("phone")
    laptop.run("init", "--name", "laptop")
    invitation, code, address = laptop.invite()
    printed = phone.run("join", code, "--at", "no-such-host.invalid:22", code=1)
    assert "No device answered at no-such-host.invalid:22" in printed
    assert "is `edda invite` open there, and is that the address that it shows behind --at?" in printed
    assert "edda up" not in printed
    phone.run("join", code, "--at", address)
    assert invitation.wait() == 0


def test_the_command_names_what_does_not_come_along_before_it_leaves_it_and_the_trash_comes_along(
    pair: tuple[Machine, Machine], machine: Machines
) -> None:
    laptop, phone = pair
    with StorageEngine(laptop.home) as first, StorageEngine(phone.home) as second:
        first.open_store(StorageConfig(state_path=laptop.state))
        second.open_store(StorageConfig(state_path=phone.state))
        (task,) = first.query_tasks(edda_sync.TaskQuery())
        for store, title in ((first, "Buy oat milk"), (second, "Buy soy milk")):
            store.update_task(edda_sync.Task(id=task.id, title=title))
        doomed = second.create_task(edda_sync.Task(title="Deleted", tags={"home"}))
        second.delete_task(doomed)
        testing.sync(first, second)
    other = machine("other")
    printed = phone.join(other, "--bring")
    what = "What does not come along: 1 value that conflicts keep beside what is shown; `edda conflicts` lists them"
    assert what in printed
    assert printed.index(what) < printed.index("joined the workspace")
    assert "Brought along: 1 task and 0 documents. 1 more is in the trash, as it was." in printed
    assert [each["title"] for each in other.json("task", "list", "--trash")] == ["Deleted"]


def test_a_person_is_asked_about_a_store_with_nothing_but_trash_too(machine: Machines) -> None:
    laptop, phone = machine("laptop"), machine("phone")
    mine = phone.run("task", "add", "Mine").splitlines()[-1]
    phone.run("task", "rm", mine)
    invitation, code, address = laptop.invite()
    assert "0 tasks, 0 documents, 0 tags, 1 in the trash" in phone.run("join", code, "--at", address, code=2)
    phone.run("join", code, "--at", address, "--bring")
    assert invitation.wait() == 0
    assert [each["title"] for each in phone.json("task", "list", "--trash")] == ["Mine"]


def test_a_join_that_did_nothing_leaves_nothing_behind(machine: Machines) -> None:
    phone, laptop = machine("phone"), machine("laptop")
    invitation, _, address = laptop.invite()
    invitation.end()
    printed = phone.run("join", "12-3456-7890", "--at", address, code=1)
    assert "no invitation is open there" in printed or "No device answered" in printed
    assert not phone.home.exists()


def test_a_device_that_joins_under_a_name_that_there_is_is_told_how_to_rename_it(machine: Machines) -> None:
    laptop, twin = machine("laptop"), machine("twin")
    laptop.run("init", "--name", "vm")
    invitation, code, address = laptop.invite()
    printed = twin.run("join", code, "--at", address, "--name", "vm")
    assert invitation.wait() == 0
    assert "Another device is called vm, too; `edda devices rename NAME` renames this one." in printed
    assert "joined the workspace of vm (" in printed, "equal names are told apart"
    twin.run("devices", "rename", "twin")
    assert {each["name"] for each in twin.json("devices")} == {"vm", "twin"}
