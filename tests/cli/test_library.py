"""A device that a program runs with the library, and commands beside it: there is one runner, and all of them find it."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.cli.processes import Machine, Running

Machines = Callable[[str], Machine]
PROGRAM = """
import asyncio, contextlib, sys
import edda_sync as edda

async def main() -> None:
    at = [(host, int(port)) for host, port in (each.split(":") for each in sys.argv[1:])]
    async with edda.Device({home!r}, at=tuple(at), discover=False) as device:
        print("running at port", device.port, flush=True)
        async for change in device.watch(edda.MOST_URGENT):
            print([item.title for item in change.added], flush=True)

with contextlib.suppress(KeyboardInterrupt):
    asyncio.run(main())
"""


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machines]:
    made: list[Machine] = []

    def make(name: str) -> Machine:
        made.append(Machine(tmp_path, name))
        return made[-1]

    yield make
    for each in made:
        each.kill()


@pytest.fixture
def program(machine: Machines, tmp_path: Path) -> Iterator[Callable[..., Running]]:
    """Runs a machine's store with the library, in a process of its own."""
    started: list[Running] = []

    def start(machine: Machine, *at: str) -> Running:
        script = tmp_path / "program.py"
        script.write_text(PROGRAM.format(home=str(machine.home)))
        started.append(Running([sys.executable, str(script), *at], machine.environment))
        return started[-1]

    yield start
    for each in started:
        each.kill()


def test_commands_beside_a_program_that_runs_the_device_ask_it(
    machine: Machines, program: Callable[..., Running]
) -> None:
    laptop, phone = machine("laptop"), machine("phone")
    laptop.run("init", "--name", "laptop")
    phone.join(laptop, "--name", "phone")
    up, address = laptop.up()
    running = program(phone, address)
    port = running.wait_for(r"running at port (\d+)")[1]
    laptop.run("task", "add", "From there")
    phone.run("task", "add", "From here")
    running.wait_for("From there")
    printed = phone.run("sync", "--timeout", "20")
    assert "laptop: proved equal" in printed
    printed = phone.run("status")
    assert f"running on port {port}" in printed
    found = phone.json("status")
    assert found["running"] is True
    assert found["peers"][0]["equal"] is True
    assert found["digest"] == laptop.json("status")["digest"]
    assert [each["this"] for each in phone.json("devices")] == [False, True]
    tablet = machine("tablet")
    tablet.join(phone, "--name", "tablet")
    assert up.end() == 0
    assert running.end(signal.SIGINT) == 0
    assert phone.json("status")["running"] is False


def test_a_second_runner_is_refused_whether_the_first_is_a_command_or_a_program(
    machine: Machines, program: Callable[..., Running]
) -> None:
    laptop = machine("laptop")
    laptop.run("task", "add", "Buy milk")
    first = program(laptop)
    first.wait_for("running at port")
    refused = laptop.run("up", "--no-discovery", code=2)
    holder = f"process {first.process.pid} on {os.uname().nodename}, program.py"
    who = f"Another edda is syncing {laptop.home} already ({holder}); stop it first"
    assert who in refused
    assert who in laptop.run("join", "12-3456-7890", code=2)
    second = program(laptop)
    assert second.wait() == 1
    assert second.lines[-1].startswith(f"edda_sync.words.errors.local.UsageError: {who}")
    assert first.end(signal.SIGINT) == 0
    up, _ = laptop.up()
    third = program(laptop)
    assert third.wait() == 1
    assert f"already (process {up.process.pid} on {os.uname().nodename}, " in third.lines[-1]
    assert up.end() == 0
