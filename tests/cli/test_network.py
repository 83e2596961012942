from __future__ import annotations

import re
import signal
import socket
import subprocess
import sys
from contextlib import closing
from typing import Any

import pytest
from sqlcipher3 import dbapi2 as sqlite

from edda_sync import StorageConfig, StorageEngine, Task
from edda_sync.cli import network
from edda_sync.words.config import DATABASE_FILE
from tests.cli import starting
from tests.cli.meeting import Machines, shown, titles
from tests.cli.processes import PATIENCE_S, Machine, Running
from tests.e2e.machine import OPENS_SLOWLY

STEADY = 10  # answers
LARGE = 3_500  # tasks of one change: more than is taken in a turn


NO_HANG_UP = pytest.mark.skipif(signal.getsignal(signal.SIGHUP) is signal.SIG_IGN, reason="nohup runs the tests")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, pytest.param(signal.SIGHUP, marks=NO_HANG_UP)])
def test_up_ends_cleanly_on_request(machine: Machines, number: int) -> None:
    laptop = machine("laptop")
    running, _ = laptop.up()
    laptop.run("task", "add", "Buy milk")
    assert running.end(number) == 0
    assert running.lines[-1] == "Stopped; everything is on disk."
    assert titles(laptop) == {"Buy milk"}
    assert not (laptop.home / "run" / "edda.sock").exists()


def test_up_goes_on_without_its_terminal_if_nohup_says_so(machine: Machines) -> None:
    laptop = machine("laptop")
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        running = Running([*starting.COMMAND, "up", "--no-discovery"], laptop.environment)
    finally:
        signal.signal(signal.SIGHUP, before)
    try:
        running.wait_for("Ctrl-C")
        running.process.send_signal(signal.SIGHUP)
        assert "running on port" in laptop.run("status")
        assert running.end() == 0
    finally:
        running.kill()


def test_ctrl_c_while_a_large_change_is_taken_explains_the_wait_and_works_again(
    pair: tuple[Machine, Machine],
) -> None:
    laptop, phone = pair
    with StorageEngine(phone.home) as engine:
        engine.initialize(StorageConfig(name="phone", state_path=phone.state))
        with engine.begin_transaction() as tx:
            for number in range(LARGE):
                tx.create_task(Task(title=f"task {number}"))
    running, address = laptop.up(terminal=True)
    laptop.run("task", "add", "acknowledged")
    with closing(sqlite.connect(laptop.home / DATABASE_FILE, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")  # so that it takes as long as the test needs
        sender, _ = phone.up("--at", address)
        running.wait_for("connected to phone")
        seen = 0
        while seen < STEADY:  # other long work is over sooner
            seen = seen + 1 if laptop.json("status")["peers"][0]["exchanging"] else 0
        assert "exchanging something large" in laptop.run("status")
        running.process.send_signal(signal.SIGINT)
        running.wait_for("Finishing something large that is exchanged with phone; press Ctrl-C again to end at once: ")
        running.process.send_signal(signal.SIGINT)
        assert running.wait() == -signal.SIGINT
        other.execute("ROLLBACK")
    assert titles(laptop) == {"Buy milk", "acknowledged"}
    running, _ = laptop.up()
    running.wait_for("phone: .*proved equal")
    assert len(titles(laptop)) == LARGE + 2
    assert (running.end(), sender.end()) == (0, 0)


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
    second.wait_for(r"lost laptop \(`edda up` or `edda sync` ended there; it is called again\)")
    assert "`edda up` or `edda sync` ended there" in phone.run("status")
    assert second.end() == 0


def test_a_running_device_says_how_far_behind_an_unconnected_device_is(pair: tuple[Machine, Machine]) -> None:
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


def test_a_port_in_use_is_named(machine: Machines) -> None:
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


def test_up_ends_with_an_error_when_a_bug_ends_one_of_its_duties(machine: Machines) -> None:
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


def test_up_goes_on_when_nobody_reads_its_output_any_more(pair: tuple[Machine, Machine]) -> None:
    laptop, phone = pair
    command = [sys.executable, "-m", "edda_sync.cli", "up", "--no-discovery"]
    with subprocess.Popen(
        command, env=laptop.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as running:
        assert running.stdout is not None
        assert running.stderr is not None
        try:
            banner = ""
            while "Ctrl-C" not in banner:
                line = running.stdout.readline()
                assert line, "it ended"
                banner += line
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
        finally:
            running.kill()  # if the test fails it would go on for ever
    said = said.removeprefix(OPENS_SLOWLY)
    assert said == "What happens cannot be printed any more (Broken pipe); the device goes on.\n"


def test_up_on_a_terminal_dims_the_time_and_escapes_text_from_others(evil_pair: tuple[Machine, Machine]) -> None:
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


def test_up_into_a_pipe_is_plain(evil_pair: tuple[Machine, Machine]) -> None:
    laptop, phone = evil_pair
    running, address = laptop.up()
    second, _ = phone.up("--at", address)
    running.wait_for(r"^\d\d:\d\d:\d\d connected to ph\\u202eone \(127")
    running.wait_for("proved equal")
    assert second.end() == running.end() == 0
    assert not any("x1b" in repr(line) for line in running.lines)


def test_sync_ends_with_0_once_all_reachable_devices_are_proved_equal(pair: tuple[Machine, Machine]) -> None:
    laptop, phone = pair
    running, address = laptop.up()
    phone.run("task", "add", "Buy bread")
    laptop.run("task", "add", "Buy eggs")
    (milk,) = (each["id"] for each in phone.json("task", "list") if each["title"] == "Buy milk")
    laptop.run("task", "edit", milk, "--priority", "1")
    phone.run("task", "edit", milk, "--priority", "3")
    printed = phone.run("sync", "--at", address)
    assert "laptop: proved equal" in printed
    moved = "Came: 2 tasks, new or changed; sent: 2 tasks, new or changed; 1 new conflict, shown by `edda conflicts`."
    assert moved in printed.splitlines()
    assert "Nothing was new on either side." in phone.run("sync", "--at", address)
    assert titles(laptop) == {"Buy milk", "Buy bread", "Buy eggs"}
    found = phone.json("sync", "--at", address)
    assert found["equal"] is True
    assert [(peer["name"], peer["state"]) for peer in found["peers"]] == [("laptop", "equal")]
    assert running.end() == 0


def test_sync_through_a_running_device_dials_the_given_address(pair: tuple[Machine, Machine]) -> None:
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


def test_sync_ends_with_4_when_a_given_address_does_not_answer(pair: tuple[Machine, Machine]) -> None:
    laptop, phone = pair
    running, address = laptop.up()
    with socket.create_server(("127.0.0.1", 0)) as silent:
        dead = f"127.0.0.1:{silent.getsockname()[1]}"
        found = phone.json("sync", "--at", address, "--at", dead, "--timeout", "2", code=4)
    assert found["equal"] is False
    states = {peer["name"]: peer["state"] for peer in found["peers"]}
    assert states == {"laptop": "equal", dead: "unreachable"}
    assert running.end() == 0


def test_sync_gives_up_an_address_that_refuses_long_before_the_timeout_and_says_why(
    pair: tuple[Machine, Machine],
) -> None:
    laptop, phone = pair
    running, address = laptop.up()
    with socket.create_server(("127.0.0.1", 0)) as gone:
        dead = f"127.0.0.1:{gone.getsockname()[1]}"
    hour = str(PATIENCE_S * 100)
    printed = phone.run("sync", "--at", address, "--at", dead, "--timeout", hour, code=4)
    assert "laptop: proved equal" in printed
    assert f"{dead}: not reached (No device answered at {dead} (" in printed
    assert "Not every address answered; the devices that did are proved equal." in printed
    assert running.end() == 0
    printed = phone.run("sync", "--at", dead, "--timeout", hour, code=4)
    assert f"{dead}: not reached (No device answered at {dead} (" in printed
    assert "No other device could be reached" in printed


def test_sync_of_a_single_device_says_how_to_get_a_second_one(machine: Machines) -> None:
    laptop = machine("laptop")
    laptop.run("init")
    assert "`edda invite` lets one in" in laptop.run("sync", code=4)


def keys(found: dict[str, Any]) -> list[str]:
    return [*found, *found["peers"][0]]


def test_status_is_the_same_table_while_the_device_runs_and_while_it_does_not(pair: tuple[Machine, Machine]) -> None:
    laptop, phone = pair
    down = laptop.json("status")
    assert (down["running"], down["tasks"], down["peers"][0]["name"]) == (False, 1, "phone")
    running, address = laptop.up()
    second, _ = phone.up("--at", address)
    running.wait_for("phone: .*proved equal")
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


@pytest.mark.parametrize(
    ("came", "sent", "conflicts", "said"),
    [
        ((1, 0, 1), (0, 2, 5), 0, "Came: 1 task, new or changed; sent: 2 documents, new or changed."),
        ((2, 1, 3), (0, 0, 0), 0, "Came: 2 tasks and 1 document, new or changed."),
        ((0, 0, 1), (0, 0, 0), 0, "Came: 1 change of other things, such as tags or links."),
        ((0, 0, 0), (0, 0, 0), 2, "Nothing was new on either side; 2 new conflicts, shown by `edda conflicts`."),
        ((None, None, 12_345), (0, 0, 0), 0, "Came: 12,345 changes."),
        ((0, 0, 0), (0, 0, 0), 0, "Nothing was new on either side."),
    ],
)  # fmt: skip
def test_a_sync_says_in_one_sentence_what_it_moved(
    came: tuple[int | None, ...], sent: tuple[int | None, ...], conflicts: int, said: str
) -> None:
    came_, sent_ = (dict(zip(("tasks", "documents", "changes"), each, strict=True)) for each in (came, sent))
    assert network._moved({"came": came_, "sent": sent_, "new_conflicts": conflicts}) == said
