"""
Processes of the command line that start at once: one process loads the command line, and forks for each command.

Loading takes a command that talks to others four tenths of a second of a processor, and what it does then mostly less than
one. Each of these is a real process, with a number, folder, terminal, signals and an end of its own; only its modules were
loaded before. That Python loads what a command needs is shown where Python is started for it: by tests that use ``EDDA``,
and by the demo. ``pytest --started-anew`` starts Python for each command.
"""

from __future__ import annotations

import atexit
import contextlib
import gc
import io
import json
import os
import select
import selectors
import signal
import socket
import subprocess
import sys
import threading
import time
import warnings
from collections.abc import Mapping, Sequence
from functools import cache
from importlib import import_module
from pathlib import Path
from pkgutil import walk_packages
from typing import Any, Final, NoReturn, Self, TextIO

import edda_sync
from tests import own_network

COMMAND: Final = (sys.executable, "-m", "edda_sync.cli")
ROOT: Final = Path(__file__).resolve().parents[2]
LATE: Final = (  # what packages of others load when they are first used
    "sqlite_utils",
    "cryptography.x509",
    "cryptography.hazmat.backends.openssl.backend",
    "encodings.idna",
)
NEEDLESS: Final = ("edda_sync.simulations", "edda_sync.demo")  # no command that is started here needs them
ENTER: Final = ("ip", "netns", "exec")  # and a name: the words before a command that bring it into a network
READ_BY_PYTHON: Final = ("PYTHON", "LC_", "LANG", "LD_", "OPENSSL", "SSL_")  # before any line of ours runs
OBEYED: Final = ("PYTHONUNBUFFERED", "PYTHONWARNINGS")  # by a forked process itself

started_anew = False  # whether Python is started for each command


class Started:
    """A forked process, with the part of ``subprocess.Popen`` that tests use."""

    def __init__(self, pid: int, handle: int, line: socket.socket) -> None:
        self.pid = pid
        self.returncode: int | None = None
        self._handle, self._line = handle, line
        self._telling = threading.Lock()

    def poll(self) -> int | None:
        """Return its exit code if it has ended."""
        return self._ended(0)

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end, at most some seconds; return its exit code, which is -N if signal N ended it."""
        code = self._ended(timeout)
        if code is None:
            raise subprocess.TimeoutExpired(COMMAND, timeout or 0)
        return code

    def send_signal(self, number: int) -> None:
        """Send it a signal, if it still runs."""
        if self.poll() is None:
            with contextlib.suppress(ProcessLookupError):  # it ends right now
                signal.pidfd_send_signal(self._handle, number)

    def kill(self) -> None:
        """End it, whatever it is doing."""
        self.send_signal(signal.SIGKILL)

    def _ended(self, timeout: float | None) -> int | None:
        told: list[socket.socket] = []
        if self.returncode is None:
            with contextlib.suppress(OSError, ValueError):  # another thread was told, and has closed the line
                told = select.select([self._line], [], [], timeout)[0]
        with self._telling:
            if self.returncode is None and told:
                said = self._line.recv(64)
                assert said, "the process that all others are forked from is gone"
                self.returncode = int(said)
                self._line.close()
                os.close(self._handle)
        return self.returncode

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.wait()


def anew(
    command: Sequence[str | bytes], environment: Mapping[str, str], *, stdin: int, stdout: int, stderr: int
) -> subprocess.Popen[bytes]:
    """Start a forked process with these open files."""
    return subprocess.Popen(command, env=environment, stdin=stdin, stdout=stdout, stderr=stderr)


def start(
    arguments: Sequence[str | bytes],
    environment: Mapping[str, str],
    *,
    stdin: int,
    stdout: int,
    stderr: int,
) -> Started | subprocess.Popen[bytes]:
    """Start a command of edda with these open files."""
    return start_elsewhere((), arguments, environment, stdin=stdin, stdout=stdout, stderr=stderr)


def start_elsewhere(
    enter: Sequence[str],
    arguments: Sequence[str | bytes],
    environment: Mapping[str, str],
    *,
    stdin: int,
    stdout: int,
    stderr: int,
    first: str = "",
) -> Started | subprocess.Popen[bytes]:
    """
    Start a command of edda with these open files.

    Args:
        enter: Words before the command that make it run elsewhere, as in another network.
        first: Python that its process runs before the command.
    """
    namespace = enter[3] if len(enter) == 4 and tuple(enter[:3]) == ENTER else ""
    if started_anew or not hasattr(os, "pidfd_open") or (enter and not namespace):
        python = (COMMAND[0], "-c", f"{first}\nfrom edda_sync.cli.command import main; main()") if first else COMMAND
        return anew([*enter, *python, *arguments], environment, stdin=stdin, stdout=stdout, stderr=stderr)
    mask = os.umask(0)
    os.umask(mask)
    told = {
        "arguments": [os.fsdecode(each) for each in arguments],
        "environment": dict(environment),
        "folder": os.getcwd(),
        "umask": mask,
        "namespace": namespace,
        "first": first,
    }
    line, end = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with open(os.memfd_create("command"), "w+b") as command, end:
        command.write(json.dumps(told).encode())
        command.flush()
        read = {
            key: value for key, value in environment.items() if key.startswith(READ_BY_PYTHON) and key not in OBEYED
        }
        asked = _loaded(tuple(sorted(read.items())))
        socket.send_fds(asked.control, [b"start"], [command.fileno(), stdin, stdout, stderr, end.fileno()])
    said, handles, _, _ = socket.recv_fds(line, 64, 1)
    assert said, "no process could be forked"
    return Started(int(said), handles[0], line)


class _Loaded:
    """A process that has loaded the command line."""

    def __init__(self, environment: dict[str, str]) -> None:
        self.control, end = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with end:
            command = [sys.executable, "-m", "tests.cli.starting", str(end.fileno())]
            self.process = subprocess.Popen(
                command, env=environment, stdin=subprocess.DEVNULL, pass_fds=[end.fileno()], cwd=ROOT
            )

    def end(self) -> None:
        self.control.close()
        self.process.wait()


_all: list[_Loaded] = []


@cache
def _loaded(environment: tuple[tuple[str, str], ...]) -> _Loaded:
    _all.append(_Loaded({"PATH": os.environ.get("PATH", os.defpath), **dict(environment)}))
    return _all[-1]


def end() -> None:
    """End the loaded process when the tests have ended."""
    while _all:
        _all.pop().end()
    _loaded.cache_clear()


def serve(control: socket.socket) -> None:
    """Fork a process for each requested command; return in each of these, and when no request can come any more."""
    sees_interrupts = signal.signal(signal.SIGINT, signal.SIG_DFL) is signal.default_int_handler
    gc.collect()
    gc.freeze()
    running: dict[int, tuple[int, socket.socket]] = {}
    with selectors.DefaultSelector() as selector:
        selector.register(control, selectors.EVENT_READ)
        while True:
            for key, _ in selector.select():
                if key.fileobj is not control:  # a process has ended
                    handle = key.fd
                    pid, line = running.pop(handle)
                    selector.unregister(handle)
                    _, status = os.waitpid(pid, 0)
                    os.close(handle)
                    with line, contextlib.suppress(BrokenPipeError):  # nobody waits for it
                        line.send(str(os.waitstatus_to_exitcode(status)).encode())
                    continue
                asked, files, _, _ = socket.recv_fds(control, 64, 5)
                if not asked:
                    sys.exit()
                pid = os.fork()
                if pid:
                    handle, line = os.pidfd_open(pid), socket.socket(fileno=files.pop())
                    for file in files:
                        os.close(file)
                    running[handle] = pid, line
                    selector.register(handle, selectors.EVENT_READ)
                    socket.send_fds(line, [str(pid).encode()], [handle])
                else:
                    control.close()
                    for handle, (_, line) in running.items():
                        os.close(handle)
                        line.close()
                    become(files, sees_interrupts=sees_interrupts)
                    return


def become(files: list[int], *, sees_interrupts: bool) -> None:
    """Become what ``python -m edda_sync.cli`` is when it begins to run, with a command, its input and its output."""
    with open(files[0], "rb") as command:
        command.seek(0)
        told: dict[str, Any] = json.load(command)
    for number, file in enumerate(files[1:4]):
        os.dup2(file, number)
    for file in files[1:]:
        os.close(file)
    sys.argv = [str(ROOT / "edda_sync" / "cli" / "__main__.py"), *told["arguments"]]
    os.environ.clear()
    os.environ.update(told["environment"])
    os.chdir(told["folder"])
    os.umask(told["umask"])
    if told["namespace"]:
        own_network.enter(told["namespace"])
    time.tzset()
    if told["environment"].get("PYTHONWARNINGS"):
        warnings.simplefilter(told["environment"]["PYTHONWARNINGS"])
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        opened = _text(number, getattr(sys, name), buffered=number == 0 or not os.environ.get("PYTHONUNBUFFERED"))
        setattr(sys, name, opened)
        setattr(sys, f"__{name}__", opened)
    if sees_interrupts:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    exec(told["first"], {})  # it is of a test


def _text(number: int, before: TextIO, *, buffered: bool) -> io.TextIOWrapper:
    """Open one of the three standard files as Python does when it starts (``create_stdio`` in its ``pylifecycle.c``)."""
    assert isinstance(before, io.TextIOWrapper)
    raw = open(number, "rb" if number == 0 else "wb", buffering=-1 if buffered else 0, closefd=False)  # noqa: SIM115
    return io.TextIOWrapper(
        raw,
        before.encoding,
        before.errors,
        newline=None if number == 0 else "\n",
        line_buffering=buffered and (number == 2 or raw.isatty()),
        write_through=not buffered,
    )


def load() -> None:
    """Load everything that commands load when they need it."""
    for found in walk_packages(edda_sync.__path__, "edda_sync."):
        if not found.name.startswith(NEEDLESS) and not found.name.endswith("__main__"):
            import_module(found.name)
    for name in LATE:
        import_module(name)


def leave(code: int) -> NoReturn:
    """End as Python does, but free no module: that would copy most of the memory that was loaded before."""
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


if __name__ == "__main__":
    load()
    serve(socket.socket(fileno=int(sys.argv[1])))
    from edda_sync.cli.command import main

    try:
        main()
    except SystemExit as ended:
        if isinstance(ended.code, int):
            leave(ended.code)
        raise
