from __future__ import annotations

import re
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import edda_sync
from edda_sync import testing
from edda_sync.engine.engine import StorageEngine
from edda_sync.words.config import StorageConfig
from tests.cli.processes import PATIENCE_S, Machine, Running, on_a_terminal

Machines = Callable[[str], Machine]


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machines]:
    made: list[Machine] = []

    def make(name: str) -> Machine:
        made.append(Machine(tmp_path, name))
        return made[-1]

    yield make
    for each in made:
        each.kill()


def titles(machine: Machine) -> set[str]:
    return {task["title"] for task in machine.json("task", "list", "--all")}


@pytest.fixture
def pair(machine: Machines) -> tuple[Machine, Machine]:
    """Two members of one workspace, with one task; neither is running."""
    return joined(machine("laptop"), machine("phone"), "phone")


def joined(laptop: Machine, phone: Machine, name: str) -> tuple[Machine, Machine]:
    """Make both members of one workspace, with one task, the second under a name."""
    with StorageEngine(laptop.home) as first, StorageEngine(phone.home) as second:
        first.initialize(StorageConfig(name="laptop", state_path=laptop.state))
        second.open_store(StorageConfig(name=name, state_path=phone.state))
        testing.pair(first, second)
        first.create_task(edda_sync.Task(title="Buy milk"))
        testing.sync(first, second)
    return laptop, phone


# --- invite and join --------------------------------------------------------------------------------------------------


def test_a_new_device_joins_by_a_code_and_holds_everything(machine: Machines) -> None:
    laptop, phone = machine("laptop"), machine("phone")
    laptop.run("init", "--name", "laptop")
    laptop.run("task", "add", "Buy milk")
    invitation, code, address = laptop.invite()
    printed = phone.run("join", code, "--at", address, "--name", "phone")
    assert "joined the workspace of laptop" in printed
    assert "1 task and 0 documents came; proved equal with laptop." in printed
    assert invitation.wait() == 0
    assert "phone is a member of this workspace now." in invitation.lines
    assert titles(phone) == {"Buy milk"}
    assert phone.json("status")["digest"] == laptop.json("status")["digest"]
    assert {(each["name"], each["this"]) for each in phone.json("devices")} == {("laptop", False), ("phone", True)}
    assert laptop.json("devices")[1]["proved_at"] is not None


def test_a_running_device_invites_and_says_who_joined(machine: Machines) -> None:
    laptop, phone = machine("laptop"), machine("phone")
    running, _ = laptop.up()
    phone.join(laptop, "--name", "phone")
    running.wait_for("phone joined the workspace")
    running.wait_for("phone: proved equal")
    assert running.end() == 0


def test_a_wrong_code_ends_the_invitation_and_leaves_no_store_behind(machine: Machines) -> None:
    laptop, phone = machine("laptop"), machine("phone")
    invitation, code, address = laptop.invite()
    wrong = code[:-1] + str((int(code[-1]) + 1) % 10)
    assert "Pairing failed: the code was wrong" in phone.run("join", wrong, "--at", address, code=1)
    assert invitation.wait() == 1
    assert any("the code was wrong" in line for line in invitation.lines)
    assert not (phone.home / "edda.db").exists()
    assert "no invitation is open there" in phone.run("join", code, "--at", address, code=1)


def test_a_code_works_once(machine: Machines) -> None:
    laptop, phone, tablet = machine("laptop"), machine("phone"), machine("tablet")
    invitation, code, address = laptop.invite()
    phone.run("join", code, "--at", address)
    assert invitation.wait() == 0
    assert "no invitation is open there" in tablet.run("join", code, "--at", address, code=1)


def test_a_code_expires(machine: Machines) -> None:
    laptop, phone = machine("laptop"), machine("phone")
    invitation, code, address = laptop.invite("--window", "0.1")
    assert invitation.wait() == 1
    assert any("this code has expired" in line for line in invitation.lines)
    assert "Pairing failed" in phone.run("join", code, "--at", address, code=1)


def test_an_invitation_is_taken_back_with_ctrl_c_by_whoever_answers_it(machine: Machines) -> None:
    laptop, phone = machine("laptop"), machine("phone")
    running, _ = laptop.up()
    invitation, code, address = laptop.invite()
    assert invitation.end(signal.SIGINT) == 130
    assert invitation.lines[-1] == "Nothing was done."
    assert "no invitation is open there" in phone.run("join", code, "--at", address, code=1)
    assert running.end() == 0


def test_who_gives_up_looking_for_an_invitation_is_told_that_nothing_was_done(machine: Machines) -> None:
    phone = machine("phone")
    joining = phone.start("join", "12-3456-7890")
    joining.wait_for("Looking for the device that invites")
    assert joining.end(signal.SIGINT) == 130
    assert joining.lines[-1] == "Nothing was done."


def test_what_is_no_code_or_no_address_is_told_before_anything_is_done(machine: Machines) -> None:
    phone = machine("phone")
    assert "ten digits" in phone.run("join", "12-34", code=2)
    for wrong in ("nowhere", "host:", "host:0", "host:99999", "::1:80", "host:٣"):
        assert "no address" in phone.run("join", "12-3456-7890", "--at", wrong, code=2)
    assert not (phone.home / "edda.db").exists()


def test_a_store_with_content_is_not_touched_unless_someone_says_what_becomes_of_it(machine: Machines) -> None:
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


def test_a_store_that_is_left_stays_usable_where_it_goes(machine: Machines) -> None:
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
    assert {each["name"] for each in laptop.json("devices")} >= {"telephone"}  # the name that it had


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


# --- up ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_up_ends_cleanly_when_it_is_told_to(machine: Machines, number: int) -> None:
    laptop = machine("laptop")
    running, _ = laptop.up()
    laptop.run("task", "add", "Buy milk")
    assert running.end(number) == 0
    assert running.lines[-1] == "Stopped; everything is on disk."
    assert titles(laptop) == {"Buy milk"}
    assert not (laptop.home / "run" / "edda.sock").exists()


def test_devices_that_run_pass_on_what_other_processes_write(pair: tuple[Machine, Machine]) -> None:
    laptop, phone = pair
    first, address = laptop.up()
    second, _ = phone.up("--at", address)
    second.wait_for("connected to laptop")
    second.wait_for("laptop: proved equal")
    seen = len(second.lines)
    laptop.run("task", "add", "Buy bread")
    second.wait_for("laptop: .*1 change applied", past=seen)
    assert titles(phone) == {"Buy milk", "Buy bread"}
    assert first.end() == 0
    second.wait_for("lost laptop")
    assert second.end() == 0


def test_a_running_device_says_how_far_behind_one_is_that_is_not_connected(pair: tuple[Machine, Machine]) -> None:
    laptop, phone = pair
    running, address = laptop.up()
    phone.run("sync", "--at", address)
    running.wait_for("lost phone")
    laptop.run("task", "add", "Buy bread")
    laptop.run("task", "add", "Buy butter")
    assert "not connected; 2 changes here since then" in laptop.run("status")
    (peer,) = laptop.json("status")["peers"]
    assert (peer["connected"], peer["ahead"], peer["behind"]) == (False, 2, None)
    assert running.end() == 0
    assert "not connected; 2 changes here since then" in laptop.run("status")


def test_a_store_is_run_by_one_process_at_a_time(machine: Machines) -> None:
    laptop = machine("laptop")
    running, _ = laptop.up()
    assert "Another edda is syncing" in laptop.run("up", code=2)
    assert running.end() == 0


def test_a_port_that_is_taken_is_named(machine: Machines) -> None:
    laptop = machine("laptop")
    with socket.create_server(("", 0)) as taken:
        port = taken.getsockname()[1]
        assert f"Port {port} is in use" in laptop.run("up", "--no-discovery", "--port", str(port), code=2)


def test_a_device_listens_where_it_did_before(machine: Machines) -> None:
    laptop = machine("laptop")
    running, address = laptop.up()
    assert running.end() == 0
    again, same = laptop.up()
    assert same == address
    assert again.end() == 0
    with socket.create_server(("", int(address.rpartition(":")[2]))):
        other, elsewhere = laptop.up()
        assert elsewhere != address
        assert other.end() == 0


def test_up_says_when_a_stranger_answers_at_an_address(machine: Machines) -> None:
    laptop, stranger = machine("laptop"), machine("stranger")
    other, address = stranger.up()
    running, _ = laptop.up("--at", address)
    running.wait_for("are not members of one workspace")
    assert running.end() == 0
    assert other.end() == 0


def test_up_ends_loudly_when_a_bug_ends_one_of_its_duties(machine: Machines) -> None:
    laptop = machine("laptop")
    laptop.run("task", "add", "Buy milk")
    script = (
        "from edda_sync.engine import standing\nreal, calls = standing.written, []\n"
        "def broken(store):\n    calls.append(store)\n    return real(store) if len(calls) == 1 else 1 / 0\n"
        "standing.written = broken\nfrom edda_sync.cli.main import main\nmain(['up', '--no-discovery'])\n"
    )
    running = Running([sys.executable, "-c", script], laptop.environment)
    running.wait_for("^ZeroDivisionError")
    assert running.wait() == 1
    assert "Stopped; everything is on disk." not in running.lines
    again, _ = laptop.up()
    assert again.end() == 0


def test_up_goes_on_when_nobody_reads_what_it_prints_any_more(pair: tuple[Machine, Machine]) -> None:
    laptop, phone = pair
    command = [sys.executable, "-m", "edda_sync.cli", "up", "--no-discovery"]
    with subprocess.Popen(
        command, env=laptop.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as running:
        assert running.stdout is not None
        assert running.stderr is not None
        banner = ""
        while "Ctrl-C" not in banner:
            banner += running.stdout.readline()
        running.stdout.close()  # as `edda up | head -4` does
        port = re.search(r"listening on port (\d+)", banner)
        assert port is not None
        for title in ("Buy bread", "Buy butter"):
            phone.run("task", "add", title)
            assert "laptop: proved equal" in phone.run("sync", "--at", f"127.0.0.1:{port[1]}")
        assert titles(laptop) == {"Buy milk", "Buy bread", "Buy butter"}
        running.send_signal(signal.SIGTERM)
        said = running.stderr.read()
        assert running.wait(PATIENCE_S) == 0
    assert said == "What happens cannot be printed any more (Broken pipe); the device goes on.\n"


# --- terminals --------------------------------------------------------------------------------------------------------

ESCAPE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
EVIL = "ph\u202eone"  # whoever shows this as it is shows its end from right to left


def shown(running: Running) -> list[str]:
    """The lines that a person sees: what a terminal obeys is not shown."""
    return [ESCAPE.sub("", line) for line in running.lines]


@pytest.fixture
def evil_pair(machine: Machines) -> tuple[Machine, Machine]:
    """Two members of one workspace, one of which is called something that fools a terminal."""
    return joined(machine("laptop"), machine("phone"), EVIL)


def test_up_on_a_terminal_dims_the_time_and_spells_out_what_is_not_its_own(evil_pair: tuple[Machine, Machine]) -> None:
    laptop, phone = evil_pair
    running, address = laptop.up(terminal=True)
    second, _ = phone.up("--at", address)
    running.wait_for("proved equal")
    assert second.end() == 0
    running.wait_for("lost")
    assert running.end() == 0
    told = [line for line in running.lines if "\x1b[2m" in line]
    assert len(told) >= 3
    assert all(re.search(r"\x1b\[2m\d\d:\d\d:\d\d\x1b\[0m \S", line) for line in told)
    assert any(re.fullmatch(r"\d\d:\d\d:\d\d connected to ph\\u202eone \(127.*\)", line) for line in shown(running))
    assert not any("\\x1b" in line or "\u202e" in line for line in running.lines)


def test_who_waits_on_a_terminal_that_only_prints_is_told_for_what(pair: tuple[Machine, Machine]) -> None:
    laptop, _ = pair
    code, printed = on_a_terminal(laptop.home, "sync", "--at", "127.0.0.1:9", "--timeout", "6", term="dumb")
    assert code == 4
    assert printed.startswith("Calling 127.0.0.1:9\r\n")
    assert "\x1b" not in printed.replace("\x1b[1m", "").replace("\x1b[0m", "")


def test_an_invitation_on_a_terminal_that_only_prints_has_no_clock(machine: Machines) -> None:
    laptop = machine("laptop")
    laptop.run("init")
    code, printed = on_a_terminal(laptop.home, "invite", "--window", "2", term="dumb")
    assert code == 1
    assert "\x1b[K" not in printed
    assert "Code: " in printed


def test_up_into_a_pipe_is_plain(evil_pair: tuple[Machine, Machine]) -> None:
    laptop, phone = evil_pair
    running, address = laptop.up()
    second, _ = phone.up("--at", address)
    running.wait_for(r"^\d\d:\d\d:\d\d connected to ph\\u202eone \(127")
    running.wait_for("proved equal")
    assert second.end() == running.end() == 0
    assert not any("x1b" in repr(line) for line in running.lines)


def test_a_name_that_would_give_orders_to_a_terminal_gives_none(machine: Machines) -> None:
    script = (
        "from edda_sync.cli.happenings import Lines\nfrom edda_sync.device.device import Happening\n"
        "class Told:\n    def name_of(self, device):\n        return 'evil\\x1b[31m\\x9b2J\\nnext\\r'\n"
        "lines = Lines()\nlines.device = Told()\nlines.start()\n"
        "lines.happened(Happening('connected', 'id', text='\\x1b]0;title\\a'))\nlines.happened(Happening('lost', 'id'))\n"
    )
    running = Running([sys.executable, "-c", script], machine("laptop").environment, terminal=True)
    assert running.wait() == 0
    first, last = shown(running)
    assert first.endswith(r"connected to evil\x1b[31m\x9b2J\nnext\x0d (\x1b]0;title\x07)")
    assert last.endswith(r"lost evil\x1b[31m\x9b2J\nnext\x0d")
    assert len(ESCAPE.findall("".join(running.lines))) == 4, "ours: dim and not, on each line"


def test_invite_on_a_terminal_shows_large_bold_digits(machine: Machines) -> None:
    laptop = machine("laptop")
    invitation = laptop.start("invite", terminal=True)
    invitation.wait_for("Ctrl-C takes it back")
    assert invitation.end(signal.SIGINT) == 130
    assert invitation.lines[-1] == "Nothing was done."
    assert sum("\x1b[1m" in line and "█" in line for line in invitation.lines) == 5
    assert not any("\\x1b" in line for line in invitation.lines)


# --- sync -------------------------------------------------------------------------------------------------------------


def test_sync_ends_with_0_once_all_who_can_be_reached_are_proved_equal(pair: tuple[Machine, Machine]) -> None:
    laptop, phone = pair
    running, address = laptop.up()
    phone.run("task", "add", "Buy bread")
    assert "laptop: proved equal" in phone.run("sync", "--at", address)
    assert titles(laptop) == {"Buy milk", "Buy bread"}
    found = phone.json("sync", "--at", address)
    assert found["equal"] is True
    assert [(peer["name"], peer["state"]) for peer in found["peers"]] == [("laptop", "equal")]
    assert running.end() == 0


def test_sync_through_a_running_device_dials_the_address_that_is_named(pair: tuple[Machine, Machine]) -> None:
    laptop, phone = pair
    first, address = laptop.up()
    second, _ = phone.up()
    assert "laptop: proved equal" in phone.run("sync", "--at", address)
    second.wait_for("connected to laptop")
    assert first.end() == 0
    assert second.end() == 0


def test_sync_ends_with_4_when_nobody_can_be_reached(pair: tuple[Machine, Machine]) -> None:
    laptop, _ = pair
    printed = laptop.run("sync", "--timeout", "0.5", code=4)
    assert "phone: not reached" in printed
    assert "No other device could be reached" in printed


def test_sync_ends_with_4_when_an_address_that_was_named_does_not_answer(pair: tuple[Machine, Machine]) -> None:
    laptop, phone = pair
    running, address = laptop.up()
    with socket.create_server(("127.0.0.1", 0)) as silent:
        dead = f"127.0.0.1:{silent.getsockname()[1]}"
        found = phone.json("sync", "--at", address, "--at", dead, "--timeout", "2", code=4)
    assert found["equal"] is False
    states = {peer["name"]: peer["state"] for peer in found["peers"]}
    assert states == {"laptop": "equal", dead: "unreachable"}
    assert running.end() == 0


def test_sync_gives_up_an_address_that_refuses_long_before_its_time_and_says_why(pair: tuple[Machine, Machine]) -> None:
    laptop, phone = pair
    running, address = laptop.up()
    with socket.create_server(("127.0.0.1", 0)) as gone:
        dead = f"127.0.0.1:{gone.getsockname()[1]}"
    hour = str(PATIENCE_S * 100)
    printed = phone.run("sync", "--at", address, "--at", dead, "--timeout", hour, code=4)
    assert "laptop: proved equal" in printed
    assert f"{dead}: not reached (No device answered at {dead} (" in printed
    assert "Not every address was answered; who was met is proved equal." in printed
    assert running.end() == 0
    printed = phone.run("sync", "--at", dead, "--timeout", hour, code=4)
    assert f"{dead}: not reached (No device answered at {dead} (" in printed
    assert "No other device could be reached" in printed


def test_devices_of_one_name_are_told_apart_wherever_they_are_named(machine: Machines) -> None:
    first, second, third = machine("first"), machine("second"), machine("third")
    for each in (first, second, third):
        each.run("init", "--name", "vm")
    assert 'This device, "vm", joined the workspace of vm (' in second.join(first, "--name", "vm")
    invitation, code, address = first.invite()
    printed = third.run("join", code, "--at", address, "--name", "vm")
    assert invitation.wait() == 0
    told = invitation.lines
    short = {each.home.name: each.json("status")["device"][:8] for each in (first, second, third)}
    others = ", ".join(sorted(f"vm ({short[name]})" for name in ("first", "second")))
    assert f"joined the workspace of {others}." in printed
    assert f"proved equal with vm ({short['first']})." in printed
    assert f"vm ({short['third']}) is a member of this workspace now." in told
    running, address = first.up()
    banner = next(line for line in running.lines if line.startswith("In this workspace too: "))
    assert set(re.findall(r"\w+ \(\w+\)", banner)) == {f"vm ({short[name]})" for name in ("second", "third")}
    assert f"vm ({short['first']}): proved equal" in second.run("sync", "--at", address)
    running.wait_for(rf"vm \({short['second']}\): proved equal")
    listed = second.run("status")
    assert f"vm ({short['first']})" in listed
    assert f"vm ({short['third']})" in listed
    assert {each["name"] for each in second.json("status")["peers"]} == {"vm"}, "a program gets names as they are"
    assert running.end() == 0


def test_sync_of_a_single_device_says_how_to_get_a_second_one(machine: Machines) -> None:
    assert "`edda invite` lets one in" in machine("laptop").run("sync", code=4)


# --- status -----------------------------------------------------------------------------------------------------------


def keys(found: dict[str, Any]) -> list[str]:
    return [*found, *found["peers"][0]]


def test_status_is_the_same_table_while_the_device_runs_and_while_it_does_not(pair: tuple[Machine, Machine]) -> None:
    laptop, phone = pair
    down = laptop.json("status")
    assert (down["running"], down["tasks"], down["peers"][0]["name"]) == (False, 1, "phone")
    running, address = laptop.up()
    second, _ = phone.up("--at", address)
    running.wait_for("phone: proved equal")
    up = laptop.json("status")
    assert keys(up) == keys(down)
    assert up["running"] is True
    assert (up["peers"][0]["connected"], up["peers"][0]["equal"]) == (True, True)
    assert up["digest"] == down["digest"]
    assert "proved equal" in laptop.run("status")
    assert second.end() == 0
    assert running.end() == 0
    laptop.run("task", "add", "Buy bread")
    assert laptop.json("status")["peers"][0]["ahead"] == 1
    assert "1 change here since then" in laptop.run("status")


def test_status_and_devices_are_right_after_the_running_device_was_killed(pair: tuple[Machine, Machine]) -> None:
    laptop, _ = pair
    running, _ = laptop.up()
    running.kill()
    assert (laptop.home / "run" / "edda.sock").exists()
    assert laptop.json("status")["running"] is False
    assert [each["name"] for each in laptop.json("devices")] == ["laptop", "phone"]
