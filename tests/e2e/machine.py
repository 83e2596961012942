"""
A machine: a store with its own home and state, and the real command ``edda`` on it, in processes of their own.

Its processes are ended when the context ends, whatever happened.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from edda_sync import control

EDDA: Final = (sys.executable, "-c", "from edda_sync.cli import main; main()")
PATIENCE_S: Final = 60.0  # a guard against waiting for ever, far above what anything here takes
POLL_S: Final = 0.02

Facts = dict[str, Any]


class Machine:
    """
    Where ``edda`` runs.

    Args:
        folder: Its home and state are made in here.
        name: What the device is called.
        enter: What makes a command run elsewhere, for example in a network namespace.
    """

    def __init__(self, folder: Path, name: str, enter: Sequence[str] = ()) -> None:
        self.name = name
        self.home = folder / name
        self._command = (*enter, *EDDA)
        self._folder = folder
        self._processes: list[subprocess.Popen[str]] = []
        self._environment = {key: value for key, value in os.environ.items() if not key.startswith("EDDA_")} | {
            "EDDA_HOME": str(self.home),
            "EDDA_STATE": str(folder / f"{name}-state"),
            "EDDA_KEYRING": "off",
            "PYTHONWARNINGS": "error",
        }

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for process in self._processes:
            process.kill()
            process.communicate()

    def run(self, *arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        """Run a command to its end, whatever that is."""
        return subprocess.run(
            [*self._command, *arguments],
            env=self._environment,
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
            timeout=PATIENCE_S,
        )

    def edda(self, *arguments: str, stdin: str = "") -> str:
        """Run a command that must do; return what it printed, without the last line's end."""
        done = self.run(*arguments, stdin=stdin)
        assert done.returncode == 0, f"edda {' '.join(arguments)}: {done.returncode}: {done.stderr}"
        return done.stdout.removesuffix("\n")

    def json(self, *arguments: str) -> Any:
        """Run a command with ``--json``; return what it printed, decoded."""
        return json.loads(self.edda(*arguments, "--json"))

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """Start a command; its output waits in pipes."""
        process = subprocess.Popen(
            [*self._command, *arguments],
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self._processes.append(process)
        return process

    async def up(self, *arguments: str) -> subprocess.Popen[str]:
        """Start ``edda up`` and return once it answers."""
        process = self.start("up", *arguments)

        async def answers() -> bool:
            assert process.poll() is None, f"edda up ended: {process.communicate()}"
            return await self.status() is not None

        await until(answers)
        return process

    async def status(self) -> Facts | None:
        """Return what the running device says of itself, by its socket; None when none is running."""
        try:
            async for answer in control.ask(self.home, {"do": "status"}):
                return answer
        except ConnectionError:
            pass
        return None


async def until(wish: Callable[[], Awaitable[object]], patience_s: float = PATIENCE_S) -> float:
    """Ask until a wish is true; return how long that took, in seconds."""
    started = time.monotonic()
    while not await wish():
        assert time.monotonic() - started < patience_s, f"still not so after {patience_s:g} s"
        await asyncio.sleep(POLL_S)
    return time.monotonic() - started


async def are_equal(machines: Sequence[Machine]) -> bool:
    """Tell whether each of some running devices is proved equal to each of the others, at one digest."""
    said = await asyncio.gather(*(machine.status() for machine in machines))
    devices = {each["device"] for each in said if each is not None}
    if len(devices) != len(machines):
        return False
    return len({(each["digest"], str(each["frontier"])) for each in said if each is not None}) == 1 and all(
        {peer["device"] for peer in each["peers"] if peer["equal"]} >= devices - {each["device"]}
        for each in said
        if each is not None
    )
