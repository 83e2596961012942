"""The demo's devices: a store each in one temporary folder, the real commands over it, and ``edda up`` as a process."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shlex
import signal
import sys
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any, Final

from edda_sync.device import control
from edda_sync.engine import standing
from edda_sync.engine.engine import StorageEngine
from edda_sync.words.config import StorageConfig
from edda_sync.words.errors import EddaError

ALL: Final = "all"  # said of no one device
COMMAND_S_MAX: Final = 40.0  # any one command, on a slow and busy machine
STOP_S_MAX: Final = 5.0
LOOK_AGAIN_S: Final = 0.002  # the demo measures to this


class Machine:
    """
    One device of the demo. Call :meth:`start`, and :meth:`end` in any case.

    Args:
        folder: Of all the demo's devices.
        name: What the device is called.
        say: Called with the device's name and a line for each command that it runs.

    Attributes:
        facts: What its store held when it was last looked at.
        lines: What its running device printed, each with the time (monotonic seconds) when it came.
    """

    def __init__(self, folder: Path, name: str, say: Callable[[str, str], None]) -> None:
        self.name, self.home = name, folder / name
        self.facts: standing.Facts = {}
        self.lines: list[tuple[float, str]] = []
        self._say = say
        self._state = folder / "state"
        self._environment = {
            **{key: value for key, value in os.environ.items() if not key.startswith("EDDA_")},
            "EDDA_KEYRING": "off",
            "EDDA_HOME": str(self.home),
            "EDDA_STATE": str(self._state),
            "PYTHONUNBUFFERED": "1",
        }
        self._spawned: list[asyncio.subprocess.Process] = []
        self._up: asyncio.subprocess.Process | None = None
        self._reading: asyncio.Task[None] | None = None
        self._printed = asyncio.Condition()

    @property
    def is_running(self) -> bool:
        """Whether its ``edda up`` runs."""
        return self._up is not None

    @property
    def address(self) -> str:
        """Where its running device listens, for others on this machine."""
        return f"127.0.0.1:{self.facts['port']}"

    # --- commands -----------------------------------------------------------------------------------------------------

    async def run(self, *arguments: str, remark: str = "") -> str:
        """
        Run a command to its end and return what it printed; a remark is shown behind the command.

        Raises:
            EddaError: It failed.
        """
        self._say(self.name, _shown(arguments) + (f"  # {remark}" if remark else ""))
        return await self._run(*arguments)

    async def _run(self, *arguments: str) -> str:
        async with self._running(*arguments) as process:
            async with asyncio.timeout(COMMAND_S_MAX):
                printed, complaints = await process.communicate()
        if process.returncode != 0:
            said = complaints.decode(errors="replace").strip() or printed.decode(errors="replace").strip()
            raise EddaError(f"On the {self.name}, `{_shown(arguments)}` ended with {process.returncode}: {said}")
        return printed.decode()

    async def ask(self, *arguments: str) -> Any:
        """Run a reading command, unseen, and return its answer."""
        return json.loads(await self._run(*arguments, "--json"))

    def running(self, *arguments: str) -> contextlib.AbstractAsyncContextManager[asyncio.subprocess.Process]:
        """Start a command; it has ended when the block is left."""
        self._say(self.name, _shown(arguments))
        return self._running(*arguments)

    @contextlib.asynccontextmanager
    async def _running(self, *arguments: str) -> AsyncIterator[asyncio.subprocess.Process]:
        process = await self._spawn(*arguments, stderr=asyncio.subprocess.PIPE)
        try:
            yield process
        finally:
            if process.returncode is None:
                with contextlib.suppress(ProcessLookupError):
                    process.kill()
                await process.wait()

    async def _spawn(self, *arguments: str, stderr: int) -> asyncio.subprocess.Process:
        # In a session of its own: Ctrl-C is for the demo, which then ends its devices in order.
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "edda_sync.cli", *arguments, env=self._environment, start_new_session=True,
            stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=stderr,
        )  # fmt: skip
        self._spawned.append(process)
        return process

    def kill(self) -> None:
        """End every process that still runs, at once: for an end that was interrupted itself."""
        for process in self._spawned:
            if process.returncode is None:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(process.pid, signal.SIGKILL)

    # --- the running device -------------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Run the device, until :meth:`end`; it listens when this returns."""
        self._say(self.name, "$ edda up")
        seen = len(self.lines)
        self._up = await self._spawn("up", stderr=asyncio.subprocess.STDOUT)
        self._reading = asyncio.ensure_future(self._read(self._up))
        await self.printed("Ctrl-C stops it", seen)

    async def printed(self, text: str, past: int = 0) -> float:
        """Wait for a line that holds a text, after so many lines; return when it came, in monotonic seconds."""

        def found() -> float | None:
            return next((at for at, line in self.lines[past:] if text in line), None)

        async with asyncio.timeout(COMMAND_S_MAX), self._printed:
            await self._printed.wait_for(lambda: found() is not None or not self.is_running)
        at = found()
        if at is None:
            said = "; ".join(line for _, line in self.lines[past:])
            raise EddaError(f"`edda up` on the {self.name} ended: {said}")
        return at

    async def _read(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdout is not None, "it was asked for"
        async for line in process.stdout:
            self.lines.append((time.monotonic(), line.decode(errors="replace").rstrip()))
            async with self._printed:
                self._printed.notify_all()
        await process.wait()
        self._up = None
        async with self._printed:
            self._printed.notify_all()

    async def end(self) -> None:
        """Let the running device end as a person would, and make sure that it has."""
        process, reading = self._up, self._reading
        if process is None or reading is None:
            return
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        try:
            async with asyncio.timeout(STOP_S_MAX):
                await asyncio.shield(reading)
        except TimeoutError:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await reading

    # --- looking ------------------------------------------------------------------------------------------------------

    async def look(self) -> standing.Facts:
        """Look at the device: ask it when it runs, else open its store."""
        if self.is_running:
            with contextlib.suppress(ConnectionError):  # it is about to end
                async with contextlib.aclosing(control.ask(self.home, {"do": "status"})) as answers:
                    async for self.facts in answers:
                        return self.facts
        self.facts = await asyncio.to_thread(self._look_inside)
        return self.facts

    def _look_inside(self) -> standing.Facts:
        with StorageEngine(self.home) as store:
            store.open_store(StorageConfig(state_path=self._state))
            return standing.status(store)

    async def tasks_reach(self, count: int) -> float:
        """Wait until its store shows so many tasks; return when that was, in monotonic seconds."""
        return await asyncio.to_thread(self._tasks_reach, count)

    def _tasks_reach(self, count: int) -> float:
        end = time.monotonic() + COMMAND_S_MAX
        with StorageEngine(self.home) as store:
            store.open_store(StorageConfig(state_path=self._state))
            while store.counts()["tasks"] < count:
                if time.monotonic() > end:
                    raise TimeoutError
                time.sleep(LOOK_AGAIN_S)
            return time.monotonic()

    def is_equal_with(self, others: int) -> bool:
        """Tell whether it said, when it was last looked at, that it is proved equal with so many others."""
        return [peer["equal"] for peer in self.facts.get("peers", ())] == [True] * others


def _shown(arguments: tuple[str, ...]) -> str:
    """Return a command line as a person would type it: short ids, names of files, and texts of several lines left out."""
    return " ".join(["$ edda", *map(_word, arguments)])


def _word(argument: str) -> str:
    if "\n" in argument:
        return "..."
    if len(argument) == 36 and argument.count("-") == 4:
        return argument[-6:]
    return shlex.quote(Path(argument).name if argument.startswith("/") else argument)
