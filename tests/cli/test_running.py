from __future__ import annotations

import re
from collections.abc import AsyncGenerator, AsyncIterator
from pathlib import Path

import pytest

from edda_sync.cli import running
from edda_sync.device import control
from edda_sync.device.device import Device
from edda_sync.words import folders
from edda_sync.words.errors import UsageError
from tests.cli.meeting import Machines
from tests.cli.processes import Machine, on_a_terminal


def test_a_store_is_run_by_one_process_at_a_time(machine: Machines) -> None:
    laptop = machine("laptop")
    running, _ = laptop.up()
    assert "Another edda is syncing" in laptop.run("up", code=2)
    assert running.end() == 0


def test_a_person_who_waits_at_a_terminal_that_only_prints_is_told_why(pair: tuple[Machine, Machine]) -> None:
    laptop, _ = pair
    code, printed = on_a_terminal(laptop.home, "sync", "--at", "127.0.0.1:9", "--timeout", "6", term="dumb")
    assert code == 4
    assert printed.startswith("Calling 127.0.0.1:9\r\n")
    assert "\x1b" not in printed.replace("\x1b[1m", "").replace("\x1b[0m", "")


def test_devices_with_the_same_name_are_told_apart_wherever_they_are_named(machine: Machines) -> None:
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


async def test_a_device_that_runs_since_before_an_update_counts_as_awake(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def older(request: control.Answer) -> AsyncIterator[control.Answer]:
        if request["do"] == "answer":
            raise UsageError("The running device does not know this request")
        yield {"done": True, "asked": request["do"]}

    def alone(_: Device) -> AsyncGenerator[control.Answer, None]:
        raise AssertionError("a device runs")

    monkeypatch.setattr(running, "home", lambda: tmp_path / "h")
    monkeypatch.setattr(folders, "SOCKET_PATH_BYTES_MAX", 107)
    async with control.serve(tmp_path / "h", older):
        assert [each["asked"] async for each in running.answers({"do": "sync"}, alone)] == ["sync"]
