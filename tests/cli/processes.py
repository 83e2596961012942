"""Real processes of the command line: each machine has a store of its own, and tests wait for what a process prints."""

from __future__ import annotations

import contextlib
import json
import os
import pty
import queue
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

from tests.cli import starting

EDDA = [sys.executable, "-c", "from edda_sync.cli.main import main; main()"]
PATIENCE_S = 90.0  # far above what anything here takes: a test that hangs ends

AGAIN_S = 2.0

Start = Callable[..., starting.Started | subprocess.Popen[bytes]]


def on_a_terminal(home: Path, *args: str, typed: bytes = b"", term: str = "xterm") -> tuple[int, str]:
    """Run the command as a person does; return its code and what it printed."""
    ours, theirs = pty.openpty()
    command = ["--home", str(home), *args]
    with starting.start(command, {**os.environ, "TERM": term}, stdin=theirs, stdout=theirs, stderr=theirs) as process:
        os.close(theirs)
        os.write(ours, typed)
        printed = b""
        while True:
            try:
                piece = os.read(ours, 65536)
            except OSError:  # the other end is closed
                break
            if not piece:
                break
            printed += piece
    os.close(ours)
    return process.wait(), printed.decode()


def asked_on_a_terminal(home: Path, *args: str, answers: Sequence[bytes]) -> tuple[int, str]:
    """
    Run a command that asks for secrets, and answer each time it asks; return its code and what it printed.

    What is typed before a secret is asked for is thrown away by the terminal. A question ends with a colon and a space.
    """
    ours, theirs = pty.openpty()
    left = list(answers)
    with starting.start(
        ["--home", str(home), *args], dict(os.environ), stdin=theirs, stdout=theirs, stderr=theirs
    ) as run:
        os.close(theirs)
        printed, seen = b"", 0
        while True:
            try:
                piece = os.read(ours, 65536)
            except OSError:  # the other end is closed
                break
            if not piece:
                break
            printed += piece
            if printed.endswith(b": ") and len(printed) > seen and left:
                seen = len(printed)
                os.write(ours, left.pop(0) + b"\n")
    os.close(ours)
    return run.wait(), printed.decode()


class Running:
    """A process whose lines are read as they come: from a pipe, or, as a person sees them, from a terminal of its own."""

    def __init__(
        self, arguments: list[str], environment: dict[str, str], *, terminal: bool = False, start: Start = starting.anew
    ) -> None:
        if terminal:
            ours, theirs = pty.openpty()
            environment = {**environment, "TERM": "xterm"}
            self.process = start(arguments, environment, stdin=theirs, stdout=theirs, stderr=theirs)
            self._typing = ours
        else:
            ours, theirs = os.pipe()
            with open(os.devnull, "rb") as nothing:
                self.process = start(arguments, environment, stdin=nothing.fileno(), stdout=theirs, stderr=theirs)
        os.close(theirs)
        self._printed = os.fdopen(ours, "rb")
        self.lines: list[str] = []
        self._coming: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        with contextlib.suppress(OSError):  # so a terminal ends when its last process is gone
            for line in self._printed:
                self._coming.put(line.decode().rstrip("\r\n"))
        self._coming.put(None)

    def wait_for(self, pattern: str, *, past: int = 0) -> re.Match[str]:
        """Return the first match in a line, from line ``past`` on; fail when the process ends without one."""
        end = time.monotonic() + PATIENCE_S
        at = past
        while True:
            while at < len(self.lines):
                found = re.search(pattern, self.lines[at])
                if found is not None:
                    return found
                at += 1
            try:
                line = self._coming.get(timeout=max(0.0, end - time.monotonic()))
            except queue.Empty:
                line = None
            if line is None:
                raise AssertionError(f"{pattern!r} was not printed; what was:\n" + "\n".join(self.lines))
            self.lines.append(line)

    def type(self, text: str) -> None:
        """Type at its terminal."""
        os.write(self._typing, text.encode())

    def end(self, number: int = signal.SIGTERM) -> int:
        """Ask it to end; return its exit code, with all that it printed in ``lines``."""
        self.process.send_signal(number)
        return self.wait()

    def give_up(self) -> int:
        """Press Ctrl-C at a process that reads what is typed; press it again if the process was not reading yet."""
        while self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(AGAIN_S)
        return self.wait()

    def wait(self) -> int:
        """Wait until it has ended by itself, and return the exit code."""
        code = self.process.wait(PATIENCE_S)
        while (line := self._coming.get(timeout=PATIENCE_S)) is not None:
            self.lines.append(line)
        self._let_go()
        return code

    def kill(self) -> None:
        """End it at the end of a test, whatever it is doing."""
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait(PATIENCE_S)
        self._let_go()

    def _let_go(self) -> None:
        self._reader.join(PATIENCE_S)
        self._printed.close()


class Machine:
    """A store, and commands that run on it in processes of their own."""

    def __init__(self, folder: Path, name: str) -> None:
        self.home = folder / name
        self.state = folder / "state"
        self.environment = {
            **{key: value for key, value in os.environ.items() if not key.startswith("EDDA_")},
            "EDDA_KEYRING": "off",
            "EDDA_HOME": str(self.home),
            "EDDA_STATE": str(self.state),
            "PYTHONUNBUFFERED": "1",
        }
        self._started: list[Running] = []

    def start(self, *arguments: str, terminal: bool = False) -> Running:
        """Start a command and return at once."""
        running = Running([*arguments], self.environment, terminal=terminal, start=starting.start)
        self._started.append(running)
        return running

    def run(self, *arguments: str, code: int = 0) -> str:
        """Run a command to its end; return what it printed, on both streams."""
        running = self.start(*arguments)
        ended = running.wait()
        printed = "\n".join(running.lines)
        assert ended == code, f"{arguments} ended with {ended}:\n{printed}"
        assert "Traceback" not in printed, printed
        return printed

    def json(self, *arguments: str, code: int = 0) -> Any:
        """Run a reading command and return its answer; it may print nothing else on stdout."""
        with open(os.devnull, "rb") as nothing, TemporaryFile() as out, TemporaryFile() as err:
            files = {"stdin": nothing.fileno(), "stdout": out.fileno(), "stderr": err.fileno()}
            ended = starting.start([*arguments, "--json"], self.environment, **files).wait(PATIENCE_S)
            out.seek(0)
            err.seek(0)
            assert ended == code, f"{arguments} ended with {ended}:\n{err.read().decode()}"
            return json.load(out)

    def up(self, *arguments: str, terminal: bool = False) -> tuple[Running, str]:
        """Run the device; return it and its address on this machine, once it listens."""
        running = self.start("up", "--no-discovery", *arguments, terminal=terminal)
        port = running.wait_for(r"listening on port (\d+)")[1]
        running.wait_for("Ctrl-C")
        return running, f"127.0.0.1:{port}"

    def invite(self, *arguments: str) -> tuple[Running, str, str]:
        """Invite; return the process, the code, and the address of the invitation on this machine."""
        running = self.start("invite", *arguments)
        code = running.wait_for(r"^Code: (\S+)$")[1]
        port = running.wait_for(r"--at \S+:(\d+)$")[1]
        return running, code, f"127.0.0.1:{port}"

    def join(self, inviter: Machine, *arguments: str) -> str:
        """Join another machine's workspace by a real code; return what was printed here."""
        invitation, code, address = inviter.invite()
        printed = self.run("join", code, "--at", address, *arguments)
        assert invitation.wait() == 0, invitation.lines
        return printed

    def kill(self) -> None:
        """End all processes that still run."""
        for running in self._started:
            running.kill()


def run(
    home: Path | str, *args: str | bytes, env: Mapping[str, str] | None = None, stdout: int | None = None
) -> subprocess.CompletedProcess[bytes]:
    """Run the real command in a process of its own; what it prints is kept, or goes to an open file."""
    command = ["--home", str(home), *args]
    return ran(command, os.environ if env is None else env, stdout=stdout)


def ran(
    command: Sequence[str | bytes], env: Mapping[str, str], *, stdout: int | None = None
) -> subprocess.CompletedProcess[bytes]:
    """Run the real command in an environment."""
    with open(os.devnull, "rb") as nothing, TemporaryFile() as out, TemporaryFile() as err:
        to = out.fileno() if stdout is None else stdout
        process = starting.start(command, env, stdin=nothing.fileno(), stdout=to, stderr=err.fileno())
        try:
            code = process.wait(PATIENCE_S)
        finally:
            process.kill()
        said = []
        for each in (out, err):
            each.seek(0)
            said.append(each.read())
        return subprocess.CompletedProcess(command, code, *said)
