"""A command that looks does not wait for a writer: another process holds the writer's lock for as long as it likes."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import click
import pytest
from sqlcipher3 import dbapi2 as sqlite

import edda_sync
from edda_sync.cli.main import root
from edda_sync.device.control import only_runner
from edda_sync.engine import doctor
from edda_sync.engine.engine import StorageEngine
from edda_sync.store.seams import StoreWriter
from edda_sync.store.sqlite.store import SqliteStore
from edda_sync.testing import devices, sync
from edda_sync.words import limits
from edda_sync.words.folders import socket_path
from tests.cli.conftest import Edda
from tests.cli.meeting import Machines
from tests.test_unreadable import FOREIGN

HOLD: Final = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("BEGIN IMMEDIATE")
print("held", flush=True)
sys.stdin.read()
"""

LOOKING: Final = {
    "task search": [["task", "search", "oat"]],
    "task list": [
        ["task", "list"],
        ["task", "list", "oat", "due:week", "-work"],
        ["task", "list", "--trash"],
        ["task", "list", "--text", "oat"],
    ],
    "task show": [["task", "show", "TASK"]],
    "doc list": [["doc", "list"], ["doc", "list", "--trash"]],
    "doc show": [["doc", "show", "DOCUMENT"]],
    "doc search": [["doc", "search", "first"]],
    "doc files": [["doc", "files", "DOCUMENT"]],
    "tag list": [["tag", "list"]],
    "export": [["export"], ["export", "--format", "markdown", "FOLDER"]],
    "history": [["history"], ["history", "TASK"]],
    "conflicts": [["conflicts"]],
    "devices": [["devices"]],
    "status": [["status"]],
    "doctor": [["doctor"], ["doctor", "--network"]],
    "config show": [["config", "show"]],
    "bundle show": [["bundle", "show", "BUNDLE"]],
    "backup list": [["backup", "list"]],
    "index list": [["index", "list"]],
}
WRITING: Final = {
    "init", "task add", "task edit", "task start", "task done", "devices rename", "task rm", "task restore", "task move",
    "doc add", "doc edit", "doc rm", "doc restore", "tag add", "tag rename", "tag rm", "link", "import beads",
    "import markdown", "import jsonl", "import taskwarrior", "import todotxt", "import ics", "import todoist", "up",
    "invite", "join", "sync", "store encrypt", "store decrypt", "store migrate", "key rotate",
    "attach", "doc detach", "doc fetch", "doc save", "bundle export", "bundle import", "split",
    "backup recovery new", "undo", "revert",
    "conflicts show", "conflicts restore", "conflicts dismiss",
    "index create", "index drop", "service install", "service uninstall",
}  # fmt: skip
WORDS: Final = ("words", "latest", "newer", "more", "c", "renamed", "brand", "nothing")
WITHOUT_A_STORE: Final = {
    "demo",
    "simulate",
    "completion",
    "manual",
    "config set",
    "config unset",
    "backup now",
    "backup verify",
    "backup restore",
    "backup target add",
    "backup target list",
    "backup target remove",
    "backup recovery check",
    "service status",
}


@pytest.fixture
def ids(edda: Edda) -> dict[str, str]:
    """A store with something of each kind to see, and a text whose row is out of date."""
    task = edda.id_of("task", "add", "Buy oat milk", "--tag", "home")
    gone = edda.id_of("task", "add", "Buy soy milk")
    edda("task", "rm", gone)
    document = edda.id_of("doc", "add", "--title", "Notes", "-", stdin="first words\n")
    thrown = edda.id_of("doc", "add", "--title", "Old notes", "-", stdin="others\n")
    edda("doc", "rm", thrown)
    with edda_sync.open(edda.home) as store:
        leave_texts(store)
        store.edit_text(document, "content", [(0, 0, "the very ")])
    bundle = str(edda.home.parent / "some.edda")
    edda("bundle", "export", bundle)
    return {"TASK": task, "DOCUMENT": document, "FOLDER": str(edda.home.parent / "out"), "BUNDLE": bundle}


@pytest.fixture
def held(edda: Edda, ids: dict[str, str]) -> Iterator[None]:
    yield from hold(edda.home / "edda.db")


def hold(database: Path) -> Iterator[None]:
    """Let another process hold the writer's lock."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(database)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        yield
        process.communicate()


def leave_texts(store: StorageEngine) -> None:
    """Keep the store from writing the rows of edited texts when it is quiet."""
    assert isinstance(store.store, SqliteStore)
    store.store.on_idle = None


def commands(group: click.Command, above: str = "") -> Iterator[str]:
    context = click.Context(group)
    if not isinstance(group, click.Group):
        yield above.strip()
        return
    if group.invoke_without_command and above:
        yield above.strip()
    for name in group.list_commands(context):
        found = group.get_command(context, name)
        assert found is not None
        yield from commands(found, f"{above} {name}")


def test_every_command_is_listed_as_one_that_looks_or_one_that_writes() -> None:
    assert set(commands(root)) == LOOKING.keys() | WRITING | WITHOUT_A_STORE


@pytest.mark.usefixtures("held")
@pytest.mark.parametrize("command", [line for lines in LOOKING.values() for line in lines], ids=" ".join)
def test_a_command_that_looks_answers_while_another_process_writes(
    edda: Edda, ids: dict[str, str], command: list[str]
) -> None:
    shown = edda(*[ids.get(word, word) for word in command]).stdout
    if command[:2] in (["doc", "show"], ["doc", "search"]) or command == ["export"]:
        assert "the very first words" in shown or "Notes" in shown
    if command[0] == "doc" and command[1] == "show":
        assert "the very first words" in shown


@pytest.mark.usefixtures("held")
def test_a_command_that_writes_waits_for_its_turn(edda: Edda, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "BUSY_TIMEOUT_MS", 10)
    assert "busy with another process" in edda("task", "add", "later", code=1).stderr


def test_a_backup_is_verified_while_another_process_writes(edda: Edda, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "BUSY_TIMEOUT_MS", 10)
    monkeypatch.setenv("EDDA_KEYRING", "off")
    edda("task", "add", "Buy oat milk")
    edda("backup", "now")
    for _ in hold(edda.home / "edda.db"):
        assert "holds: it gives 1 task" in edda("backup", "verify").stdout


def test_commands_show_the_same_while_another_process_writes_as_afterwards(tmp_path: Path) -> None:
    """Check that rows of edited texts, their digest, queries and the scrub agree before and after those rows are written."""

    def look(store: StorageEngine) -> list[Any]:
        latest = edda_sync.DocumentQuery(limit=2)
        return [
            store.query_documents(latest),
            [store.get_document(each.id) for each in store.query_documents(edda_sync.DocumentQuery())],
            store.query_documents(edda_sync.DocumentQuery(order="title", descending=True, limit=1, offset=1)),
            store.query_tasks(edda_sync.TaskQuery(order="updated_at")),
            [sorted(each.id for each in store.query_documents(edda_sync.DocumentQuery(text=word))) for word in WORDS],
            [sorted(each.id for each in store.query_tasks(edda_sync.TaskQuery(text=word))) for word in WORDS],
            store.table("documents"),
            store.table("tasks"),
            store.table("tags"),
            store.digest(),
            store.conflicts(),
            store.trash("document"),
            store.reading.scrub(),
            [each for each in doctor.check(store) if not each.sound],
        ]

    with devices(2) as (laptop, phone):
        documents = [laptop.create_document(edda_sync.Document(title=title, content="words")) for title in "abcd"]
        task = laptop.create_task(edda_sync.Task(title="t", description="words", tags={"home"}))
        sync(laptop, phone)
        laptop.update_document(edda_sync.Document(id=documents[3], title="one"))
        phone.update_document(edda_sync.Document(id=documents[3], title="other"))
        phone.edit_text(documents[3], "content", [(0, 0, "some ")])
        sync(laptop, phone)
        leave_texts(laptop)
        laptop.update_document(edda_sync.Document(id=documents[2], title="renamed"))
        laptop.create_task(edda_sync.Task(title="brand new words"))
        laptop.edit_text(documents[0], "content", [(0, 0, "latest ")])
        laptop.edit_text(documents[3], "content", [(0, 0, "newer ")])
        laptop.edit_text(task, "description", [(0, 0, "more ")])
        laptop.delete_document(documents[1])
        for _ in hold(laptop.home / "edda.db"):
            with laptop.store.read() as reader:
                assert len(reader.index.stale()) == 3
            meanwhile = look(laptop)
            with laptop.store.read() as reader:
                assert len(reader.index.stale()) == 3, "nothing was written"
        afterwards = look(laptop)
        with laptop.store.read() as reader:
            assert reader.index.stale() == []
        assert meanwhile == afterwards
        assert meanwhile[-1] == []
        (read,) = [each for each in meanwhile[1] if each.id == documents[0]]
        assert read.content == "latest words"


def test_new_words_are_found_while_another_process_writes(edda: Edda) -> None:
    edda("task", "add", "Buy oat milk")
    edda("task", "list", "--text", "oat")  # it is indexed
    with edda_sync.open(edda.home) as store:
        leave_texts(store)
        added = store.create_task(edda_sync.Task(title="Bake oat biscuits"))
        with store.store.read() as reader:
            assert reader.tables.unindexed()
    for _ in hold(edda.home / "edda.db"):
        assert added[-6:] in edda("task", "list", "--text", "biscuits").stdout


def test_new_words_are_found_while_this_process_writes() -> None:
    with devices(1) as (store,):
        leave_texts(store)
        task = store.create_task(edda_sync.Task(title="Bake oat biscuits"))
        begun, found = threading.Event(), threading.Event()

        def work(_: StoreWriter) -> None:
            begun.set()
            assert found.wait(30)

        with ThreadPoolExecutor() as pool:
            writing = pool.submit(store.store.transact, work)
            assert begun.wait(30)
            try:
                assert [each.id for each in store.query_tasks(edda_sync.TaskQuery(text="biscuits"))] == [task]
            finally:
                found.set()
            writing.result()


@pytest.mark.parametrize("what", FOREIGN)
def test_a_value_that_another_program_wrote_into_a_row_is_not_printed(
    edda: Edda, ids: dict[str, str], what: str
) -> None:
    column, value = FOREIGN[what]
    connection = sqlite.connect(str(edda.home / "edda.db"), isolation_level=None)
    connection.execute(f"UPDATE tasks SET {column} = ? WHERE id = ?", (value, ids["TASK"]))
    connection.close()
    edda("task", "add", "another")
    for command in (["task", "list"], ["task", "list", "--all"], ["task", "show", ids["TASK"]], ["export"]):
        edda(*command)
    assert edda.json("task", "show", ids["TASK"])[column] != value
    assert "made anew" not in edda("doctor").stdout


def test_a_reader_that_stays_open_does_not_hinder_readers_or_writers(edda: Edda, ids: dict[str, str]) -> None:
    connection = sqlite.connect(str(edda.home / "edda.db"), isolation_level=None)
    connection.execute("BEGIN")
    connection.execute("SELECT count(*) FROM tasks").fetchone()
    edda("doc", "show", ids["DOCUMENT"])
    edda("task", "add", "another")
    connection.close()


@contextmanager
def hanging(home: Path) -> Iterator[None]:
    """Listen where a running device does, and never answer, as one that was stopped."""
    path = socket_path(home)
    path.parent.mkdir(mode=0o700, exist_ok=True)
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(path))
        listening.listen()
        yield


@pytest.mark.parametrize("args", [("status",), ("devices",)])
def test_a_command_does_not_wait_for_a_hanging_device_and_asks_the_store(
    edda: Any, monkeypatch: pytest.MonkeyPatch, args: tuple[str, ...]
) -> None:
    monkeypatch.setattr(limits, "DEVICE_ANSWER_S", 0.1)
    with hanging(edda.home):
        answered = edda(*args)
    assert "does not answer" in answered.stderr
    assert "laptop" in answered.stdout


@pytest.mark.parametrize("args", [("sync",), ("invite",), ("backup", "now", "--wait-converged", "60")])
def test_a_command_that_needs_the_running_device_says_that_it_hangs(
    edda: Any, monkeypatch: pytest.MonkeyPatch, args: tuple[str, ...]
) -> None:
    monkeypatch.setattr(limits, "DEVICE_ANSWER_S", 0.1)
    with hanging(edda.home):
        refused = edda(*args, code=2)
    assert "does not answer (`edda up` was stopped, or hangs); nothing was done: let it go on" in refused.stderr
    assert limits.DEVICE_ANSWER_S <= 2


def test_a_device_that_begins_or_was_stopped_before_it_could_be_asked_is_not_called_none(edda: Any) -> None:
    with only_runner(edda.home):
        for args in (("status",), ("devices",)):
            answered = edda(*args)
            assert "cannot be asked (`edda up` begins, ends, or was stopped then)" in answered.stderr
            assert "laptop" in answered.stdout
        assert "running, but it does not answer now" in edda("status").stdout
    assert "not running" in edda("status").stdout


def test_a_stopped_device_is_told_and_answers_once_it_goes_on(machine: Machines) -> None:
    laptop = machine("laptop")
    running, _ = laptop.up()
    running.process.send_signal(signal.SIGSTOP)
    assert "running, but it does not answer now" in laptop.run("status")
    running.process.send_signal(signal.SIGCONT)
    assert "running on port" in laptop.run("status")
    assert running.end() == 0
