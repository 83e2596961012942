"""
A machine: a store with its own home and state, and the real command ``edda`` on it, in processes of their own.

Its processes are ended when the context ends, whatever happened. They are forked from one that has loaded everything
(``tests/cli/starting.py``), unless it is another version's, or has another clock.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import selectors
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryFile
from types import MappingProxyType, TracebackType
from typing import Any, Final, Self, TextIO, cast

from edda_sync import testing
from edda_sync.device import control
from edda_sync.engine.engine import StorageEngine
from edda_sync.words.config import StorageConfig
from tests.cli import starting

EDDA: Final = (sys.executable, "-c", "from edda_sync.cli.main import main; main()")
PATIENCE_S: Final = 60.0  # a guard against waiting for ever, far above what anything here takes
POLL_S: Final = 0.02
OPENS_SLOWLY: Final = "Opening the store\n"  # printed after a second of waiting: not a complaint
ENDS_SLOWLY: Final = re.compile(r"Finishing [^\n]*\n\Z")  # nor is this

Facts = dict[str, Any]


class Process:
    """A process of a machine, whose output waits in pipes; it has the part of ``subprocess.Popen`` that tests use."""

    def __init__(
        self, process: starting.Started | subprocess.Popen[bytes], stdout: TextIO | None, stderr: TextIO
    ) -> None:
        self._process = process
        self.stdout, self.stderr = stdout, stderr
        self._reading = threading.Lock()  # a failed test ends a process of which one of its threads waits for the end
        self._said = {each: b"" for each in (stdout, stderr) if each is not None}

    @property
    def pid(self) -> int:
        """Return its number."""
        return self._process.pid

    @property
    def returncode(self) -> int | Any:  # as in the standard library's types: whoever asks knows that it has ended
        """Return its exit code."""
        return self._process.returncode

    def poll(self) -> int | None:
        """Return its exit code if it has ended."""
        return self._process.poll()

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end, at most some seconds; return its exit code, which is -N if signal N ended it."""
        return self._process.wait(timeout)

    def send_signal(self, number: int) -> None:
        """Send it a signal, if it still runs."""
        self._process.send_signal(number)

    def kill(self) -> None:
        """End it, whatever it is doing."""
        self._process.kill()

    def communicate(self, timeout: float | None = None) -> tuple[str, str]:
        """Read what it writes until its end, at most for some seconds; return all of it that nobody has read before."""
        end = None if timeout is None else time.monotonic() + timeout
        with self._reading, selectors.DefaultSelector() as selector:
            for each in self._said:
                if not each.closed:
                    selector.register(each, selectors.EVENT_READ)
            while selector.get_map():
                ready = selector.select(None if end is None else max(0.0, end - time.monotonic()))
                if not ready and end is not None and time.monotonic() >= end:
                    raise subprocess.TimeoutExpired(EDDA, timeout or 0)
                for key, _ in ready:
                    stream = cast(TextIO, key.fileobj)
                    piece = os.read(key.fd, 65_536)
                    self._said[stream] += piece
                    if not piece:
                        selector.unregister(stream)
                        stream.close()
        self.wait(None if end is None else max(0.0, end - time.monotonic()))
        return self._text(self.stdout), self._text(self.stderr)

    def _text(self, stream: TextIO | None) -> str:
        return self._said[stream].decode() if stream is not None else ""


class Machine:
    """
    Where ``edda`` runs.

    Args:
        folder: Its home and state are made in here.
        name: Name of the device.
        enter: Words before a command that make it run elsewhere, for example in a network namespace.
        software: A folder with another version of the package ``edda_sync``, which it runs.
        first: Python that each of its processes runs first, such as to make it end at some point.
        environment: What its processes find in their environment, too.
    """

    def __init__(
        self,
        folder: Path,
        name: str,
        enter: Sequence[str] = (),
        *,
        software: Path | None = None,
        first: str = "",
        environment: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        self.name = name
        self.home = folder / name
        self.config = StorageConfig(name=name, state_path=folder / f"{name}-state")
        self._enter, self._first = enter, first
        self._older: tuple[str, ...] = ()
        if software is not None:
            python, option, code = EDDA
            self._older = (
                *enter,
                python,
                option,
                f"import sys; sys.path.insert(0, {str(software)!r}); {first}\n{code}",
            )
        self._processes: list[Process] = []
        self._running: Process | None = None
        self._environment = {key: value for key, value in os.environ.items() if not key.startswith("EDDA_")} | {
            "EDDA_HOME": str(self.home),
            "EDDA_STATE": str(self.config.state_path),
            "EDDA_KEYRING": "off",
            "PYTHONWARNINGS": "error",
            **environment,
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
        """Run a command to its end, whatever its exit code."""
        with TemporaryFile() as given, TemporaryFile() as out, TemporaryFile() as err:
            given.write(stdin.encode())
            given.seek(0)
            process = self._start(arguments, stdin=given.fileno(), stdout=out.fileno(), stderr=err.fileno())
            try:
                code = process.wait(PATIENCE_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
                raise
            said = []
            for each in (out, err):
                each.seek(0)
                said.append(each.read().decode())
        return subprocess.CompletedProcess(arguments, code, *said)

    def edda(self, *arguments: str, stdin: str = "") -> str:
        """Run a command that must succeed; return what it printed, without the final line end."""
        done = self.run(*arguments, stdin=stdin)
        assert done.returncode == 0, f"edda {' '.join(arguments)}: {done.returncode}: {done.stderr}"
        return done.stdout.removesuffix("\n")

    def json(self, *arguments: str) -> Any:
        """Run a command with ``--json``; return what it printed, decoded."""
        return json.loads(self.edda(*arguments, "--json"))

    def start(self, *arguments: str) -> Process:
        """Start a command; its output waits in pipes."""
        return self.begin(arguments)

    def begin(self, arguments: Sequence[str], *, stdout: int | None = None) -> Process:
        """Start a command that writes its output to an open file, or else to a pipe; its complaints wait in a pipe."""
        with contextlib.ExitStack() as theirs:
            nothing = theirs.enter_context(open(os.devnull, "rb"))
            printed, out = _pipe(theirs) if stdout is None else (None, stdout)
            complained, err = _pipe(theirs)
            process = self._start(arguments, stdin=nothing.fileno(), stdout=out, stderr=err)
        self._processes.append(Process(process, printed, complained))
        return self._processes[-1]

    def _start(
        self, arguments: Sequence[str], *, stdin: int, stdout: int, stderr: int
    ) -> starting.Started | subprocess.Popen[bytes]:
        files = {"stdin": stdin, "stdout": stdout, "stderr": stderr}
        if self._older:
            return starting.anew([*self._older, *arguments], self._environment, **files)
        return starting.start_elsewhere(self._enter, arguments, self._environment, first=self._first, **files)

    async def up(self, *arguments: str) -> Process:
        """Start ``edda up`` and return once it answers."""
        process = self.start("up", *arguments)

        async def answers() -> bool:
            assert process.poll() is None, f"edda up ended: {process.communicate()}"
            return await self.status() is not None

        await until(answers)
        self._running = process
        return process

    def end_up(self) -> tuple[int, str]:
        """End ``edda up`` as Ctrl-C does; return its exit code and its complaints."""
        assert self._running is not None, "up() comes first"
        self._running.send_signal(signal.SIGINT)
        _, said = self._running.communicate(timeout=PATIENCE_S)
        return self._running.returncode, ENDS_SLOWLY.sub("", said.removeprefix(OPENS_SLOWLY))

    def kill_up(self) -> None:
        """Kill ``edda up`` with SIGKILL."""
        assert self._running is not None, "up() comes first"
        self._running.kill()
        self._running.wait()

    async def stop_up(self, which: int) -> int:
        """End ``edda up`` with a signal; return its exit code."""
        assert self._running is not None, "up() comes first"
        self._running.send_signal(which)
        return await asyncio.to_thread(self._running.wait, PATIENCE_S)

    async def status(self) -> Facts | None:
        """Return what the running device says about itself over its socket; None if no device is running."""
        try:
            async with contextlib.aclosing(control.ask(self.home, {"do": "status"})) as answers:
                return await anext(answers, None)
        except (ConnectionError, FileNotFoundError):
            return None


def _pipe(theirs: contextlib.ExitStack) -> tuple[TextIO, int]:
    """Make a pipe; return the end to read, as text, and the end that a process gets and is closed here."""
    ours, end = os.pipe()
    theirs.callback(os.close, end)
    return open(ours, encoding="utf-8"), end


async def until(
    wish: Callable[[], Awaitable[object]], patience_s: float = PATIENCE_S, *, poll_s: float = POLL_S
) -> float:
    """Ask until a condition holds; return how long that took, in seconds."""
    started = time.monotonic()
    while not await wish():
        assert time.monotonic() - started < patience_s, f"still not so after {patience_s:g} s"
        await asyncio.sleep(poll_s)
    return time.monotonic() - started


async def are_equal(machines: Sequence[Machine]) -> bool:
    """Return whether each of some running devices is proved equal to all others, at one digest."""
    said = await asyncio.gather(*(machine.status() for machine in machines))
    devices = {each["device"] for each in said if each is not None}
    if len(devices) != len(machines):
        return False
    return len({(each["digest"], str(each["frontier"])) for each in said if each is not None}) == 1 and all(
        {peer["device"] for peer in each["peers"] if peer["equal"]} >= devices - {each["device"]}
        for each in said
        if each is not None
    )


async def bring_together(dialler: Machine, listener: Machine) -> Process:
    """Start two members without discovery, where one knows the address of the other; return the first one's process."""
    await listener.up("--no-discovery")
    running = await listener.status()
    assert running is not None
    up = await dialler.up("--no-discovery", "--at", f"127.0.0.1:{running['port']}")
    await until(lambda: are_equal([dialler, listener]))
    return up


async def pair(inviter: Machine, newcomer: Machine, *, by_address: bool = False, sees_off: bool = True) -> str:
    """
    Let a newcomer join, as two people do it: one reads a code out, the other types it.

    Args:
        inviter: Has a store; whether it is running does not matter.
        newcomer: Has none.
        by_address: Whether the newcomer gets the address too, on a single machine where nobody searches the LAN.
        sees_off: Whether the inviter's command is to end well; otherwise it is not waited for.

    Returns:
        What the newcomer's command printed.
    """
    inviting = inviter.start("invite")
    assert inviting.stdout is not None
    shown = await asyncio.to_thread(inviting.stdout.readline)
    code = re.search(r"\d\d-\d{4}-\d{4}", shown)
    assert code is not None, (shown, inviting.poll() is not None and inviting.communicate())
    where: tuple[str, ...] = ()
    if by_address:
        port = None
        while port is None:
            port = re.search(r"--at \S+:(\d+)", await asyncio.to_thread(inviting.stdout.readline))
        where = ("--at", f"127.0.0.1:{port[1]}")
    printed = await asyncio.to_thread(newcomer.edda, "join", code[0], "--name", newcomer.name, *where)
    if sees_off:
        assert await asyncio.to_thread(inviting.wait, PATIENCE_S) == 0
    else:
        inviting.kill()
        inviting.communicate()
    return printed


def settle_in(*machines: Machine) -> None:
    """Make machines members of one workspace without a network, by doing what pairing does in this process."""
    with contextlib.ExitStack() as stack:
        first: StorageEngine | None = None
        for machine in machines:
            engine = stack.enter_context(StorageEngine(machine.home))
            engine.open_store(machine.config)
            if first is None:
                first = engine
                engine.found()
            else:
                testing.pair(first, engine)
                testing.sync(first, engine)


@contextlib.contextmanager
def store_of(machine: Machine, now: Callable[[], float] = time.time) -> Iterator[StorageEngine]:
    """Open a machine's store in this process, beside whatever runs there, by a clock in seconds since 1970."""
    with StorageEngine(machine.home, now=now) as engine:
        engine.open_store(machine.config)
        yield engine
