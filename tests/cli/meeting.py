"""Helpers for tests of the network's commands: machines, each with a folder of its own, and two members of one workspace."""

from __future__ import annotations

import re
from collections.abc import Callable

import edda_sync
from edda_sync import testing
from edda_sync.engine.engine import StorageEngine
from edda_sync.words.config import StorageConfig
from tests.cli.processes import Machine, Running

Machines = Callable[[str], Machine]


def titles(machine: Machine) -> set[str]:
    return {task["title"] for task in machine.json("task", "list", "--all")}


def joined(laptop: Machine, phone: Machine, name: str) -> tuple[Machine, Machine]:
    """Make both members of one workspace, with one task, the second under a name."""
    with StorageEngine(laptop.home) as first, StorageEngine(phone.home) as second:
        first.initialize(StorageConfig(name="laptop", state_path=laptop.state))
        second.open_store(StorageConfig(name=name, state_path=phone.state))
        testing.pair(first, second)
        first.create_task(edda_sync.Task(title="Buy milk"))
        testing.sync(first, second)
    return laptop, phone


ESCAPE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
EVIL = "ph\u202eone"  # printed as it is, its end would be shown from right to left


def shown(running: Running) -> list[str]:
    """The lines that a person sees, without the codes that a terminal obeys."""
    return [ESCAPE.sub("", line) for line in running.lines]
