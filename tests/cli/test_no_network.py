"""A machine without a network: what ``invite``, ``up``, ``join`` and ``sync`` say is true and helpful."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.cli.processes import Machine, Running

APART = ["unshare", "--net", "--map-root-user"]
START = (
    "import os, subprocess, sys\nsubprocess.run(['ip', 'link', 'set', 'lo', 'up'], check=True)\n"
    "os.execv(sys.argv[1], sys.argv[1:])"
)
SAID = "This machine has no network now"


@pytest.fixture
def alone(tmp_path: Path) -> Iterator[Callable[..., Running]]:
    """Starts a command in a network with nothing but loopback."""
    machine, started = Machine(tmp_path, "laptop"), list[Running]()
    if subprocess.run([*APART, "ip", "link", "set", "lo", "up"], capture_output=True, check=False).returncode:
        pytest.skip("a namespace without a network cannot be made here")
    machine.run("init", "--name", "laptop")

    def start(*arguments: str) -> Running:
        command = [*APART, sys.executable, "-c", START, sys.executable, "-m", "edda_sync.cli", *arguments]
        started.append(Running(command, machine.environment))
        return started[-1]

    yield start
    for each in started:
        each.kill()


def test_an_invitation_says_that_nobody_can_reach_it_yet(alone: Callable[..., Running]) -> None:
    invitation = alone("invite")
    invitation.wait_for(r"^Code: (\S+)$")
    invitation.wait_for("Ctrl-C takes it back")
    assert invitation.end(signal.SIGINT) == 130
    assert f"{SAID}; others find this invitation once it has one." in invitation.lines
    assert "On the other device, type:  edda join" in invitation.lines
    assert not [line for line in invitation.lines if "127.0.0.1" in line and "On this machine itself" not in line]


def test_up_says_that_it_waits_for_a_network(alone: Callable[..., Running]) -> None:
    running = alone("up")
    running.wait_for("Ctrl-C stops it")
    assert running.end() == 0
    assert f"{SAID}; the others are looked for once it has one." in running.lines
    assert "Looking for the others on the LAN." not in running.lines


def test_join_says_that_there_is_no_network(alone: Callable[..., Running]) -> None:
    joining = alone("join", "12-3456-7890")
    assert joining.wait() == 1
    assert "Pairing failed: this machine has no network now." in joining.lines[-1]
    assert "check its first two digits, and type it again" in joining.lines[-1]
