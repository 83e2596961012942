"""Real processes on a LAN whose clocks are hours and years apart (libfaketime): they find each other, and say so."""

from __future__ import annotations

import shutil
import subprocess
from contextlib import ExitStack
from functools import cache
from pathlib import Path

import pytest

from tests.e2e import lan
from tests.e2e.lan import Lan
from tests.e2e.machine import Machine, are_equal, pair, settle_in, until

CLOCKS = {"laptop": "+0", "phone": "+3h", "board": "@1970-01-02 00:00:00"}
POLL_S = 0.5  # each look costs time of the processor, and what is waited for takes seconds


@cache
def fault() -> str:
    """Return why clocks cannot be wrong here; empty if they can."""
    if shutil.which("faketime") is None:
        return "the command faketime is not installed"
    shown = subprocess.run(["faketime", "-f", "+3h", "date"], capture_output=True, text=True, check=False)
    return lan.fault() or shown.stderr.strip()


def by_clock(**settings: str) -> tuple[str, ...]:
    """Return the words before a command that give it another clock; the command faketime would keep signals from it."""
    shown = subprocess.run(["faketime", "-f", "+0", "env"], capture_output=True, text=True, check=True).stdout
    library = next(line for line in shown.splitlines() if line.startswith("LD_PRELOAD="))
    return ("env", library, *(f"{name}={value}" for name, value in settings.items()))


async def test_devices_whose_clocks_are_decades_apart_pair_and_find_each_other_on_a_lan_and_say_it(
    tmp_path: Path,
) -> None:
    if reason := fault():
        pytest.skip(reason)
    with Lan(len(CLOCKS)) as places, ExitStack() as stack:
        machines = [
            stack.enter_context(Machine(tmp_path, name, (*place.enter, *by_clock(FAKETIME=clock))))
            for place, (name, clock) in zip(places, CLOCKS.items(), strict=True)
        ]
        laptop, phone, board = machines
        settle_in(laptop, phone)
        await laptop.up()
        await pair(laptop, board)
        await phone.up()
        await board.up()

        async def equal() -> bool:
            return await are_equal(machines)

        await until(equal, poll_s=POLL_S)
        said = laptop.edda("status")
        assert "phone's clock is 3 h ahead of this one's; " in said
        assert "board's clock is 57 years behind this one's; " in said
        assert "laptop's clock is 3 h behind this one's; " in phone.edda("devices")
        apart = {each["name"]: each["clock_s"] for each in board.json("devices")}
        assert apart.pop("board") is None
        assert all(apart[name] > 50 * 365 * 86_400 for name in ("laptop", "phone"))
        for machine in machines:
            code, complaints = machine.end_up()
            assert code == 0, complaints
        assert "phone's clock is 3 h ahead of this one's; " in laptop.edda("devices"), "as when they were last linked"


async def test_a_clock_that_is_set_right_while_a_device_runs_is_told_at_once(tmp_path: Path) -> None:
    if reason := fault():
        pytest.skip(reason)
    clock = tmp_path / "clock"
    clock.write_text("-3h\n")
    wrong = by_clock(FAKETIME_TIMESTAMP_FILE=str(clock), FAKETIME_CACHE_DURATION="1", FAKETIME_DONT_FAKE_MONOTONIC="1")
    with Lan(2) as places, ExitStack() as stack:
        laptop = stack.enter_context(Machine(tmp_path, "laptop", places[0].enter))
        phone = stack.enter_context(Machine(tmp_path, "phone", (*places[1].enter, *wrong)))
        settle_in(laptop, phone)
        await laptop.up()
        await phone.up()

        async def told() -> tuple[float, float]:
            found = [await each.status() for each in (laptop, phone)]
            peers = [each["peers"][0] for each in found if each is not None]
            return tuple(each["clock_s"] if each["connected"] and each["clock_s"] else 0.0 for each in peers)  # type: ignore[return-value]

        async def is_behind() -> bool:
            ours, theirs = await told()
            return -10_900 < ours < -10_700 and 10_700 < theirs < 10_900

        async def is_right() -> bool:
            return all(0 < abs(each) < 60 for each in await told())

        await until(is_behind, poll_s=POLL_S)
        clock.write_text("+0\n")
        await until(is_right, poll_s=POLL_S)
        assert "clock is" not in laptop.edda("status")
