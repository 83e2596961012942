"""The library as a programmer meets it: its names, its help, its types, and what it says to what it cannot take."""

from __future__ import annotations

import ast
import dataclasses
import datetime
import inspect
import pydoc
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import edda_sync as edda
from edda_sync.device.device import Device
from edda_sync.engine.indexes import IndexManager
from edda_sync.engine.transaction import Transaction
from edda_sync.testing import devices
from tests import user

NOWHERE = "0192f0c1-0000-7000-8000-00000000dead"
WRONG: list[Any] = [
    None, 3, -1, 10**30, 1.5, float("nan"), True, b"x", "", "\0", "zzz", [], [None], {}, {"a": 1}, {3: 4}, (1, 2), set(),
    object(), datetime.date(2026, 1, 1), edda.UNSET,
]  # fmt: skip
UNREAD = {"updated_at", "version", "place"}
"""Fields that are derived, so that nobody may set them, and one that counts only beside another."""
INSIDE = {
    # what a program that uses the library has no need of, and why
    "adopt", "welcome", "found", "membership",  # pairing does this
    "ledger", "writing", "store", "snapshot", "frontier", "identity", "workspace", "open_store", "attach", "initialize",
    "rebuild", "refold", "check_still_there", "has_written", "settle",  # the command and the simulator use them
    "drafts", "mend", "reattach",
}  # fmt: skip


@pytest.fixture(scope="module")
def store() -> Iterator[edda.StorageEngine]:
    with devices(1, backend="memory") as (engine,):
        engine.create_task(edda.Task(id=NOWHERE, title="a task"))
        engine.create_document(edda.Document(id=NOWHERE, title="a document", content="abc"))
        yield engine


def fields(kind: Any) -> list[str]:
    return [each.name for each in dataclasses.fields(kind) if each.name not in UNREAD | {"_base"}]


def with_fields(kind: Any, call: str, **others: Any) -> dict[str, Callable[[edda.StorageEngine, Any], object]]:
    """Return calls with an object of a kind, each field of which is given something in turn."""

    def made(name: str) -> Callable[[edda.StorageEngine, Any], object]:
        return lambda store, wrong: getattr(store, call)(kind(**{**others, name: wrong}))

    return {f"{call} {name}": made(name) for name in fields(kind)}


def with_one(call: str) -> Callable[[edda.StorageEngine, Any], object]:
    return lambda store, wrong: getattr(store, call)(wrong)


def in_transaction(work: Callable[[Transaction, Any], object]) -> Callable[[edda.StorageEngine, Any], object]:
    def call(store: edda.StorageEngine, wrong: Any) -> object:
        with store.begin_transaction() as tx:
            return work(tx, wrong)

    return call


CALLS: dict[str, Callable[[edda.StorageEngine, Any], object]] = {
    **with_fields(edda.Task, "create_task", title="q"),
    **with_fields(edda.Task, "update_task", id=NOWHERE),
    **with_fields(edda.Document, "create_document", title="q"),
    **with_fields(edda.Document, "update_document", id=NOWHERE),
    **with_fields(edda.TaskQuery, "query_tasks"),
    **with_fields(edda.TaskQuery, "count"),
    **with_fields(edda.DocumentQuery, "query_documents"),
    **{
        name: with_one(name)
        for name in (
            "create_task", "update_task", "get_task", "delete_task", "restore_task", "query_tasks", "create_document",
            "update_document", "get_document", "delete_document", "restore_document", "query_documents", "count", "trash",
            "table", "undo", "history", "attachments", "watch", "begin_transaction", "transact",
        )
    },
    "revert": lambda store, wrong: store.revert(wrong, "2026-01-01"),
    "since": lambda store, wrong: store.revert("claude", wrong),
    "resolve": lambda store, wrong: store.resolve("task", wrong),
    "resolve kind": lambda store, wrong: store.resolve(wrong, "a task"),
    "links": lambda store, wrong: store.links(task_id=wrong),
    "links of a document": lambda store, wrong: store.links(document_id=wrong),
    "open_attachment": lambda store, wrong: store.open_attachment(NOWHERE, wrong),
    "as_of": lambda store, wrong: store.as_of("task", NOWHERE, wrong),
    "version": lambda store, wrong: store.version("task", wrong),
    "edits": lambda store, wrong: store.edit_text(NOWHERE, "content", wrong),
    "an edit": lambda store, wrong: store.edit_text(NOWHERE, "content", [wrong]),
    "position": lambda store, wrong: store.edit_text(NOWHERE, "content", [(wrong, 0, "")]),
    "deleted": lambda store, wrong: store.edit_text(NOWHERE, "content", [(0, wrong, "")]),
    "inserted": lambda store, wrong: store.edit_text(NOWHERE, "content", [(0, 0, wrong)]),
    "field": lambda store, wrong: store.edit_text(NOWHERE, wrong, []),
    "reason": lambda store, wrong: store.begin_transaction(reason=wrong),
    "tag": in_transaction(lambda tx, wrong: tx.add_tag(NOWHERE, wrong)),
    "tagged": in_transaction(lambda tx, wrong: tx.add_tag(wrong, "home")),
    "kind": in_transaction(lambda tx, wrong: tx.remove_tag(NOWHERE, "home", wrong)),
    "create_tag": in_transaction(lambda tx, wrong: tx.create_tag(wrong)),
    "color": in_transaction(lambda tx, wrong: tx.create_tag("home", wrong)),
    "rename_tag": in_transaction(lambda tx, wrong: tx.rename_tag(wrong, "other")),
    "link": in_transaction(lambda tx, wrong: tx.link(NOWHERE, wrong)),
    "relationship": in_transaction(lambda tx, wrong: tx.link(NOWHERE, NOWHERE, wrong)),
    "unlink": in_transaction(lambda tx, wrong: tx.unlink(wrong, NOWHERE)),
    "detach": in_transaction(lambda tx, wrong: tx.detach(NOWHERE, wrong)),
    "query in a transaction": in_transaction(lambda tx, wrong: tx.query_tasks(wrong)),
    "drop": lambda store, wrong: store.indexes.drop(wrong),
    "index": lambda store, wrong: store.indexes.create(wrong, ["title"]),
    "columns": lambda store, wrong: store.indexes.create("wrong", wrong),
    "index type": lambda store, wrong: store.indexes.create("wrong", ["title"], wrong),
    "index clause": lambda store, wrong: store.indexes.create("wrong", ["title"], where_clause=wrong),
    "cursor": lambda _store, wrong: edda.cursor(edda.TaskQuery(), wrong),
    "cursor query": lambda _store, wrong: edda.cursor(wrong, edda.Task(title="q")),
    "found_in": lambda _store, wrong: edda.found_in(wrong, "q"),
    "found_in text": lambda _store, wrong: edda.found_in(edda.Task(title="q"), wrong),
}  # fmt: skip


@pytest.mark.parametrize("call", CALLS)
def test_what_a_call_cannot_take_is_an_error_of_the_tree_and_never_another(
    store: edda.StorageEngine, call: str
) -> None:
    said, others = [], []
    for wrong in WRONG:
        try:
            CALLS[call](store, wrong)
        except edda.EddaError as error:
            said.append(str(error))
        except Exception as error:  # noqa: BLE001 - whatever it is, it is reported below
            others.append((wrong, error))
    assert others == []
    assert said != []
    assert [each for each in said if not each.endswith(".") or "--" in each] == [], "this is advice for the command"


@pytest.mark.parametrize(
    ("call", "given", "said"),
    [
        ("create_task", None, 'task: must be an edda.Task, such as edda.Task(title="Buy milk"), not None.'),
        ("create_task", {"title": "q"}, 'task: must be an edda.Task, such as edda.Task(title="Buy milk"), not dict.'),
        ("create_task", edda.Document(title="q"), "not Document."),
        ("update_document", edda.Task(id=NOWHERE, title="q"), "document: must be an edda.Document"),
        ("query_tasks", edda.DocumentQuery(), "query: must be an edda.TaskQuery, not DocumentQuery."),
        ("query_documents", edda.TaskQuery, "query: must be an edda.DocumentQuery, not the class TaskQuery."),
        ("count", "milk", "query: must be an edda.TaskQuery or an edda.DocumentQuery, not str."),
        ("query_tasks", edda.TaskQuery(limit="9"), "limit: must be a whole number from 0 to "),  # type: ignore[arg-type]
        ("query_tasks", edda.TaskQuery(tags=3.5), "tags: must be one value, or a list of values, not float."),  # type: ignore[arg-type]
        ("query_tasks", edda.TaskQuery(descending="no"), "descending: must be True or False, not str."),  # type: ignore[arg-type]
        ("query_tasks", edda.TaskQuery(status="opne"), "status: must be one of open, in_progress, "),
        ("query_tasks", edda.TaskQuery(due_before="2026-12-01 10:00"), "due_before: has no zone; write Z behind it"),
        ("create_task", edda.Task(title="q", due_date=3), "due_date: is not a date or time such as "),  # type: ignore[arg-type]
        ("create_task", edda.Task(title="q", tags="home"), "tags: must be a set of names, not one text."),  # type: ignore[arg-type]
        ("trash", "tasks", "kind: must be task or document."),
        ("table", "task", "name: must be one of tasks, documents, "),
        ("transact", None, "work: must be a function, not None."),
    ],
)
def test_an_error_names_the_argument_and_what_it_must_be(
    store: edda.StorageEngine, call: str, given: object, said: str
) -> None:
    with pytest.raises(edda.errors.InvalidValueError) as caught:
        getattr(store, call)(given)
    assert said in str(caught.value)


@pytest.mark.parametrize("wrong", [None, 3, b"x", "", "a\0b"])
def test_a_store_has_a_path(wrong: Any) -> None:
    for open_it in (edda.open, Device):
        with pytest.raises(edda.errors.InvalidValueError, match="path: "):
            open_it(wrong)


def test_a_configuration_is_one(tmp_path: Path) -> None:
    for wrong in ("sqlite", {"backend": "memory"}, edda.StorageConfig):
        with pytest.raises(edda.errors.InvalidValueError, match=r"config: must be an edda\.StorageConfig, not "):
            edda.open(tmp_path / "store", wrong)  # type: ignore[arg-type]
    assert not (tmp_path / "store").exists()


def test_a_users_program_uses_every_public_call_and_runs(tmp_path: Path) -> None:
    user.program(tmp_path / "notes")
    named = {each.attr for each in ast.walk(ast.parse(inspect.getsource(user))) if isinstance(each, ast.Attribute)}
    offered = {
        name
        for kind in (edda.StorageEngine, Transaction, IndexManager)
        for name, _ in inspect.getmembers(kind)
        if not name.startswith("_")
    }
    own = {"close", "name", "home", "config", "database", "own", "reading", "id", "members", "storage"}
    assert offered - INSIDE - named - own == set(), "tests/user.py does not use them"
    assert offered >= INSIDE, "they are there no more"


def test_every_public_name_is_documented_and_help_begins_with_where_to_start() -> None:
    for name in edda.__all__:
        found = getattr(edda, name)
        if inspect.isclass(found) or inspect.isroutine(found):
            assert inspect.getdoc(found), name
    for kind in (edda.StorageEngine, edda.Transaction, edda.Device, IndexManager):
        for name, member in inspect.getmembers(kind):
            assert name.startswith("_") or inspect.getdoc(member), name
    text = pydoc.plain(pydoc.render_doc(edda))
    beginning = text[: text.index("PACKAGE CONTENTS")]
    assert "edda.open" in beginning
    missing = [name for name in ("Task", "TaskQuery", "Transaction", "Device", "EddaError") if name not in beginning]
    assert missing == []


def test_the_types_are_shipped_with_the_package() -> None:
    assert (Path(inspect.getfile(edda)).parent / "py.typed").is_file()
    assert set(edda.__all__) < set(dir(edda))
    with pytest.raises(AttributeError, match="no attribute 'Tsk'"):
        edda.Tsk  # type: ignore[attr-defined]  # noqa: B018
