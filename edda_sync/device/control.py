"""
The local socket: how commands talk to a running device, be it ``edda up`` or another program. It is a Unix socket that only
its owner may open.

Requests and answers are JSON, one object a line. A request is ``{"do": "status" | "sync" | "invite", ...}``. The last answer
contains ``"done": true``, or is ``{"error": {...}}``.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import socket
import stat
import sys
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any, Final

from edda_sync.device.locked import LOCK_FILE, lock
from edda_sync.engine import opening
from edda_sync.words import limits
from edda_sync.words.config import StorageConfig, absolute
from edda_sync.words.errors import EddaError, UsageError
from edda_sync.words.files import disk_error
from edda_sync.words.folders import make_folder, socket_path
from edda_sync.words.process import Owner, held

LINE_BYTES_MAX: Final = 1024 * 1024

Answer = dict[str, Any]
Handler = Callable[[Answer], AsyncIterator[Answer]]


@contextlib.contextmanager
def only_runner(home: Path, config: StorageConfig | None = None) -> Iterator[None]:
    """
    Hold the store's lock, so that only this process syncs the store.

    Args:
        home: The store's folder.
        config: How the store is kept. Several folders may say that it is in one file elsewhere, which is locked, too.

    Raises:
        UsageError: Another process holds it.
        LinkError: A symbolic link lies where the lock file goes.
        ReadOnlyError, DiskFullError: The lock file cannot be created.
    """
    home = absolute(home)
    is_new = not os.path.exists(home)
    fd = lock(home / "run" / LOCK_FILE, home)
    try:
        with contextlib.suppress(OSError):  # a full disk is no reason not to run
            os.ftruncate(fd, 0)
            program = Path(sys.argv[0]).name or "python"
            os.pwrite(fd, f"process {os.getpid()} on {os.uname().nodename}, {program}".encode(), 0)
        with held(fd), _file_locked(config):
            yield
    finally:
        if is_new:
            _leave_no_trace(home)
        os.close(fd)


@contextlib.contextmanager
def _file_locked(config: StorageConfig | None) -> Iterator[None]:
    """Hold the lock beside a store's file that is not in the store's folder."""
    if config is None or config.database_path is None:
        yield
        return
    path = config.database_path
    with opening.naming_path(path):
        make_folder(path.parent)
    fd = lock(path.with_name(f"{path.name}-lock"), path)
    try:
        with held(fd):
            yield
    finally:
        os.close(fd)


def _leave_no_trace(home: Path) -> None:
    """Take away a folder that was made for the lock alone, while that is held, if nothing else came into it."""
    folder = home / "run"
    with contextlib.suppress(OSError):  # other things are there, and stay
        if os.listdir(home) == [folder.name] and os.listdir(folder) == [LOCK_FILE]:
            (folder / LOCK_FILE).unlink()
            folder.rmdir()
            home.rmdir()


def _is_private(folder: Path) -> bool:
    """Tell whether a folder is private. Anybody can create one in the system's folder for temporary files."""
    try:
        found = folder.lstat()
    except OSError:
        return False
    return stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid() and not found.st_mode & 0o077


@contextlib.asynccontextmanager
async def serve(home: Path, handler: Handler) -> AsyncIterator[None]:
    """
    Answer requests as long as the context lasts.

    Raises:
        UsageError: The socket's folder belongs to another user, or something else lies in its place.
    """
    path = socket_path(home)
    make_folder(path.parent)
    if not _is_private(path.parent):
        raise UsageError(f"{path.parent} is not yours alone; remove it, or set TMPDIR to a folder of your own.")
    _clear(path)
    tasks: set[asyncio.Task[None]] = set()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None, "asyncio runs this as a task"
        tasks.add(task)
        try:
            await _answer(reader, writer, handler)
        except (ConnectionError, asyncio.CancelledError):
            pass
        finally:
            tasks.discard(task)
            writer.close()

    owner = Owner("This socket")
    bound = _bound(path)
    server = await asyncio.start_unix_server(connected, sock=bound, limit=LINE_BYTES_MAX)
    try:
        with held(bound.fileno()):
            yield
    finally:
        if owner.is_here:  # in a forked child, all of this belongs to the parent
            server.close()
            for task in list(tasks):
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            with contextlib.suppress(FileNotFoundError):
                path.unlink()


def _clear(path: Path) -> None:
    """
    Take away the socket of a process that was killed. The lock says that its path is ours.

    Raises:
        UsageError: Something else is there, which stays.
    """
    with contextlib.suppress(FileNotFoundError):
        if not stat.S_ISSOCK(path.lstat().st_mode):
            raise UsageError(f"{path} is no socket of edda, and stays as it is: move it away, then try again.")
        path.unlink()


def _bound(path: Path) -> socket.socket:
    """Return a socket that only the owner can connect to. Until it listens nobody can, whatever the umask."""
    bound = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        bound.bind(os.fsencode(path))
        path.chmod(0o600)
    except OSError as error:
        bound.close()
        raise disk_error(path, error) from None
    return bound


async def _answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, handler: Handler) -> None:
    try:
        request = json.loads(await reader.readline())
        if not isinstance(request, dict):
            raise ValueError("not an object")
    except ValueError:  # no JSON, no UTF-8, or a line that is too long
        request = {}
    # The client may leave; its invitation is closed then.
    gone = asyncio.ensure_future(reader.read(1))
    answers = handler(request)
    following: asyncio.Future[Answer] | None = None
    try:
        while True:
            following = asyncio.ensure_future(anext(answers))
            await asyncio.wait({following, gone}, return_when=asyncio.FIRST_COMPLETED)
            if not following.done():
                return
            try:
                answer = following.result()
            except StopAsyncIteration:
                return
            except EddaError as error:
                answer = {"error": {"text": str(error), "exit_code": error.exit_code}}
            writer.write(json.dumps(answer).encode() + b"\n")
            await writer.drain()
            if "error" in answer:
                return
    finally:
        pending: list[asyncio.Future[Any]] = [gone] if following is None else [gone, following]
        for each in pending:
            each.cancel()
        await asyncio.gather(*pending, return_exceptions=True)
        await answers.aclose()  # type: ignore[attr-defined]


async def answered(home: Path, request: Answer) -> Answer:
    """
    Return the last answer of the running device to a short request; an empty one if it ends without any.

    Raises:
        TimeoutError: It was stopped, or hangs.
        ConnectionError: No device is running.
        EddaError: The error that it answered.
    """

    async def last() -> Answer:
        found: Answer = {}
        async with contextlib.aclosing(ask(home, request)) as answers:
            async for each in answers:
                found = each
        return found

    return await asyncio.wait_for(last(), limits.DEVICE_ANSWER_S)


async def ask(home: Path, request: Answer) -> AsyncGenerator[Answer, None]:
    """
    Ask the running device, and yield its answers.

    Raises:
        ConnectionError: No device is running.
        EddaError: The error that it answered.
    """
    path = socket_path(home)
    if not _is_private(path.parent):
        raise ConnectionError(f"no device of this user listens in {path.parent}")
    try:
        reader, writer = await asyncio.open_unix_connection(path, limit=LINE_BYTES_MAX)
    except OSError as error:
        raise ConnectionError(str(error)) from None
    try:
        writer.write(json.dumps(request).encode() + b"\n")
        await writer.drain()
        while line := await reader.readline():
            answer = json.loads(line)
            if "error" in answer:
                answered = UsageError(answer["error"]["text"])
                answered.exit_code = answer["error"]["exit_code"]
                raise answered
            yield answer
    finally:
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()
