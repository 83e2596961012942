from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import stat
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from edda_sync.device import control
from edda_sync.device.control import Answer, ask, only_runner, serve
from edda_sync.words import folders, limits
from edda_sync.words.config import StorageConfig
from edda_sync.words.errors import NotFoundError, UsageError
from edda_sync.words.files import open_file
from edda_sync.words.folders import socket_path

PATIENCE_S = 90.0


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    made = tmp_path / "h"
    made.mkdir()
    monkeypatch.setattr(folders, "SOCKET_PATH_BYTES_MAX", 107)  # pytest's folders are long
    return made


async def counting(request: Answer) -> AsyncIterator[Answer]:
    for number in range(request["to"]):
        yield {"number": number}
    yield {"done": True}


async def failing(request: Answer) -> AsyncIterator[Answer]:
    yield {"asked": request}
    raise NotFoundError("task", "abcdef")


async def collected(home: Path, request: Answer) -> list[Answer]:
    async with asyncio.timeout(PATIENCE_S):
        return [answer async for answer in ask(home, request)]


async def test_a_request_is_answered_line_by_line(home: Path) -> None:
    async with serve(home, counting):
        assert await collected(home, {"to": 3}) == [{"number": 0}, {"number": 1}, {"number": 2}, {"done": True}]
        assert await collected(home, {"to": 0}) == [{"done": True}]  # and the next one


async def test_an_error_arrives_with_its_sentence_and_its_exit_code(home: Path) -> None:
    async with serve(home, failing):
        answers = ask(home, {"do": "x"})
        assert await anext(answers) == {"asked": {"do": "x"}}
        with pytest.raises(UsageError, match="There is no task 'abcdef' here") as raised:
            await anext(answers)
        assert raised.value.exit_code == NotFoundError.exit_code


@pytest.mark.parametrize("line", [b"", b"\n", b"{\n", b"[1]\n", b"\xff\xfe\n", b"7\n"])
async def test_what_is_no_request_is_passed_on_as_an_empty_one(home: Path, line: bytes) -> None:
    async with serve(home, failing), asyncio.timeout(PATIENCE_S):
        reader, writer = await asyncio.open_unix_connection(socket_path(home))
        writer.write(line)
        writer.write_eof()
        answered = await reader.readline()
        assert answered in (b"", b'{"asked": {}}\n')  # a client that has gone may get nothing
        writer.close()
        await writer.wait_closed()


async def test_a_request_that_never_ends_is_no_request(home: Path, caplog: pytest.LogCaptureFixture) -> None:
    async with serve(home, failing), asyncio.timeout(PATIENCE_S):
        reader, writer = await asyncio.open_unix_connection(socket_path(home))
        writer.write(b"x" * (control.LINE_BYTES_MAX + 10))
        assert await reader.readline() in (b"", b'{"asked": {}}\n')
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()
    assert caplog.records == []


async def test_who_asked_and_leaves_ends_what_was_begun_for_them(home: Path) -> None:
    ended = asyncio.Event()

    async def patient(_: Answer) -> AsyncIterator[Answer]:
        try:
            yield {"begun": True}
            await asyncio.Event().wait()
        finally:
            ended.set()

    async with serve(home, patient), asyncio.timeout(PATIENCE_S):
        answers = ask(home, {})
        assert await anext(answers) == {"begun": True}
        await answers.aclose()
        await ended.wait()


async def test_leaving_ends_answers_that_are_under_way(home: Path) -> None:
    begun, ended = asyncio.Event(), asyncio.Event()

    async def patient(_: Answer) -> AsyncIterator[Answer]:
        try:
            begun.set()
            await asyncio.Event().wait()
            yield {}
        finally:
            ended.set()

    async with asyncio.timeout(PATIENCE_S):
        async with serve(home, patient):
            asking = asyncio.ensure_future(collected(home, {}))
            await begun.wait()
        await ended.wait()
        assert await asking == []
    assert not socket_path(home).exists()


async def test_nobody_there_is_a_connection_error(home: Path) -> None:
    with pytest.raises(ConnectionError):
        await collected(home, {})
    async with serve(home, counting):
        pass
    with pytest.raises(ConnectionError):
        await collected(home, {})


async def test_a_socket_that_a_killed_process_left_is_replaced(home: Path) -> None:
    path = socket_path(home)
    path.parent.mkdir(mode=0o700)
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(os.fspath(path))
    with pytest.raises(ConnectionError):
        await collected(home, {})
    async with serve(home, counting):
        assert await collected(home, {"to": 0}) == [{"done": True}]


async def test_the_socket_is_for_its_owner_only(home: Path) -> None:
    async with serve(home, counting):
        path = socket_path(home)
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


async def test_a_path_too_long_for_a_socket_moves_it_into_a_private_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    temporary = tmp_path / "t"
    temporary.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(temporary))
    monkeypatch.setattr(folders, "SOCKET_PATH_BYTES_MAX", 10)
    assert socket_path(tmp_path / "one") != socket_path(tmp_path / "two")
    async with serve(tmp_path / "one", counting):
        assert socket_path(tmp_path / "one").is_relative_to(temporary)
        assert await collected(tmp_path / "one", {"to": 0}) == [{"done": True}]


async def test_a_folder_that_others_can_enter_is_not_trusted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr(folders, "SOCKET_PATH_BYTES_MAX", 10)
    socket_path(tmp_path).parent.mkdir()
    socket_path(tmp_path).parent.chmod(0o777)
    with pytest.raises(UsageError, match="not yours alone"):
        async with serve(tmp_path, counting):
            raise AssertionError("it was trusted")
    with pytest.raises(ConnectionError):
        await collected(tmp_path, {})


def test_a_store_has_one_runner_at_a_time_whoever_asks(home: Path) -> None:
    script = "import sys; from pathlib import Path; from edda_sync.device.control import only_runner\n"
    script += "with only_runner(Path(sys.argv[1])): print('mine')"

    def elsewhere() -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-c", script, str(home)], capture_output=True, text=True, check=False, timeout=PATIENCE_S
        )

    with only_runner(home):
        refused = elsewhere()
        assert "Another edda is syncing" in refused.stderr
        with pytest.raises(UsageError), only_runner(home):
            raise AssertionError("two hold the lock")
    assert elsewhere().stdout == "mine\n"


def test_a_folder_that_was_made_for_the_lock_alone_is_taken_away_again(home: Path) -> None:
    fresh = home / "fresh"
    with only_runner(fresh), pytest.raises(UsageError), only_runner(fresh):
        raise AssertionError("two hold the lock")
    assert not fresh.exists()
    with only_runner(fresh):
        (fresh / "mine").touch()
    assert sorted(path.name for path in fresh.iterdir()) == ["mine", "run"]
    with only_runner(fresh):
        (fresh / "mine").unlink()
    assert fresh.exists(), "it was there before"


def test_a_lock_that_was_taken_away_meanwhile_is_made_anew(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def open_and_lose(path: Path) -> int:
        fd = open_file(path)
        monkeypatch.setattr("edda_sync.device.locked.open_file", open_file)
        path.unlink()  # as the holder before does at its end
        path.parent.rmdir()
        return fd

    monkeypatch.setattr("edda_sync.device.locked.open_file", open_and_lose)
    with only_runner(home), pytest.raises(UsageError), only_runner(home):
        raise AssertionError("two hold the lock")


def test_a_file_that_several_folders_name_is_synced_by_one_process_only(tmp_path: Path) -> None:
    config = StorageConfig(database_path=tmp_path / "data" / "notes.db")
    with only_runner(tmp_path / "one", config):
        with (
            pytest.raises(UsageError, match=r"Another edda is syncing .*/notes\.db already"),
            only_runner(tmp_path / "other", config),
        ):
            raise AssertionError("two run one store")
        with only_runner(tmp_path / "other"):  # it has a store of its own
            pass
    with only_runner(tmp_path / "other", config):
        pass
    assert (tmp_path / "data" / "notes.db-lock").stat().st_mode & 0o777 == 0o600


async def test_what_is_no_socket_stays_where_the_socket_would_be(home: Path) -> None:
    socket_path(home).parent.mkdir(mode=0o700)
    socket_path(home).write_text("somebody's")
    with pytest.raises(UsageError, match="is no socket of edda, and stays as it is"):
        async with serve(home, counting):
            pass
    assert socket_path(home).read_text() == "somebody's"


async def test_a_short_question_has_one_answer_or_none_in_time(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with serve(home, counting):
        assert await control.answered(home, {"to": 3}) == {"done": True}
    with pytest.raises(ConnectionError):
        await control.answered(home, {"to": 3})
    monkeypatch.setattr(limits, "DEVICE_ANSWER_S", 0.05)
    with socket.socket(socket.AF_UNIX) as hanging:
        hanging.bind(str(socket_path(home)))
        hanging.listen()
        with pytest.raises(TimeoutError):
            await control.answered(home, {"to": 3})
