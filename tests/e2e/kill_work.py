"""
The writes of a device that will be killed, and how to read from a store which of them are there.

An operation is described by the *facts* that hold once it is done: a name and a value. A store shows either all facts of
an operation or none: that is what atomic means. A set whose members differ reads as a value that nobody wrote.
"""

from __future__ import annotations

import hashlib
import random
import uuid
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any, Final

import msgspec

from edda_sync.engine.engine import StorageEngine
from edda_sync.words.model import Document, Task

Key = tuple[str, str, str]  # kind, writer, mark
Facts = dict[Key, Any]

SET_TASKS: Final = 4
LARGE_DOCUMENTS: Final = 160
LARGE_LINE: Final = "A line that makes this change larger than one frame may be.\n"  # 160 * 80 of them: 750 KB
LARGE_LINES: Final = 80


class Operation(msgspec.Struct, frozen=True):
    """
    One transaction of a writer.

    Attributes:
        writer: The writer; only it changes these items.
        mark: Name of the operation, and the value that it writes.
        do: One of :data:`KINDS`.
        target: The mark of the earlier operation that this one undoes; empty when there is none.
    """

    writer: str
    mark: str
    do: str
    target: str = ""


KINDS: Final = ("create", "set", "token", "erase", "tag", "link", "metadata", "delete", "large")
_WEIGHTS: Final = (3, 4, 4, 2, 2, 2, 2, 1, 0)


def plan(writer: str, seed: int, *, large: bool = False) -> Iterator[Operation]:
    """Yield what a writer does in one run, without end; with ``large``, a change that travels in parts among the first."""
    rng = random.Random(f"{writer} {seed}")
    written: dict[str, list[str]] = {"create": [], "token": []}
    for number in range(1_000_000):
        do = rng.choices(KINDS, _WEIGHTS)[0]
        if large and number == 3:
            do = "large"
        target = ""
        undone = {"erase": "token", "delete": "create"}.get(do)
        if undone is not None:
            if not written[undone]:
                do = undone
            else:
                target = written[undone].pop(rng.randrange(len(written[undone])))
        mark = f"{seed}.{number}"
        if do in written:
            written[do].append(mark)
        yield Operation(writer, mark, do, target)


def facts_of(operation: Operation) -> Facts:
    """Return what is true once an operation is done."""
    writer, mark = operation.writer, operation.mark
    match operation.do:
        case "create":
            return {("task", writer, mark): mark}
        case "delete":
            return {("task", writer, operation.target): None}
        case "token":
            return {("token", writer, mark): 1}
        case "erase":
            return {("token", writer, operation.target): None}
        case "large":
            return {("large", writer, mark): LARGE_DOCUMENTS}
    return {(operation.do, writer, ""): mark}  # set, tag, link, metadata: the last one counts


def settle(store: StorageEngine, writer: str) -> None:
    """Make what a writer changes again and again: a set, an item, a text."""
    with store.begin_transaction() as tx:
        for number in range(SET_TASKS):
            tx.create_task(Task(id=_id(writer, f"set{number}"), title="start"))
        tx.create_document(Document(id=_id(writer, "set"), title="start", content="start\n"))
        tx.create_task(Task(id=_id(writer, "item"), title=f"The item of {writer}"))
        tx.create_document(Document(id=_id(writer, "text"), title=f"The text of {writer}", content="The end.\n"))


def perform(store: StorageEngine, operation: Operation) -> None:
    """Do an operation; it is acknowledged when this returns."""
    writer, mark = operation.writer, operation.mark
    item, text = _id(writer, "item"), _id(writer, "text")
    match operation.do:
        case "create":
            store.create_task(Task(id=_id(writer, mark), title=f"{writer} {mark}", tags={"made"}, priority=1))
        case "delete":
            store.delete_task(_id(writer, operation.target))
        case "token":
            store.edit_text(text, "content", [(0, 0, f"{mark}\n")])
        case "metadata":
            store.update_task(Task(id=item, metadata={"mark": mark}))
        case _:
            store.transact(lambda tx: _perform_together(tx, operation, item, text))


def _perform_together(tx: Any, operation: Operation, item: str, text: str) -> None:
    writer, mark = operation.writer, operation.mark
    if operation.do == "set":
        for number in range(SET_TASKS):
            tx.update_task(Task(id=_id(writer, f"set{number}"), title=mark))
        tx.update_document(Document(id=_id(writer, "set"), title=mark, content=f"{mark}\n"))
    elif operation.do == "erase":
        content = tx.get_document(text).content
        tx.edit_text(text, "content", [(content.index(f"{operation.target}\n"), len(operation.target) + 1, "")])
    elif operation.do == "tag":
        for name in tx.get_task(item).tags:
            tx.remove_tag(item, name)
        tx.add_tag(item, mark)
    elif operation.do == "link":
        tx.link(item, text, mark)
    else:
        assert operation.do == "large", "plan() draws from KINDS"
        for number in range(LARGE_DOCUMENTS):
            content = f"{number}\n{LARGE_LINE * LARGE_LINES}"
            title = f"{writer} {mark}"
            tx.create_document(
                Document(id=_id(writer, f"{mark}.{number}"), title=title, content=content, doc_type="large")
            )


def read_facts(store: StorageEngine, writers: Sequence[str]) -> Facts:
    """Return every fact that a store shows of these writers; a torn set gives a tuple of its values."""
    found: Facts = {}
    tasks = {row[0]: row for row in store.table("tasks")}
    documents = {row[0]: row for row in store.table("documents")}
    tags: dict[str, list[str]] = {}
    names = {row[0]: row[1] for row in store.table("tags")}
    for _, entity, tag, _ in store.table("entity_tags"):
        tags.setdefault(entity, []).append(names[tag])
    links = {(link.task_id, link.document_id): link.relationship_type for link in store.links()}
    for writer in writers:
        item, text = _id(writer, "item"), _id(writer, "text")
        members = {tasks[_id(writer, f"set{number}")][1] for number in range(SET_TASKS)}
        document = documents[_id(writer, "set")]
        members |= {document[1], document[3].removesuffix("\n")}
        found["set", writer, ""] = _one(members)
        found["tag", writer, ""] = _one(set(tags.get(item, ())))
        found["link", writer, ""] = links.get((item, text))
        found["metadata", writer, ""] = msgspec.json.decode(tasks[item][10] or "{}").get("mark")
        lines = documents[text][3].splitlines()
        found |= {("token", writer, line): count for line, count in Counter(lines).items()}
    for row in tasks.values():
        writer, _, mark = row[1].partition(" ")
        if mark and writer in writers:
            found["task", writer, mark] = mark if tags.get(row[0]) == ["made"] else f"{mark}, half made"
    for row in documents.values():
        if row[4] == "large":
            writer, _, mark = row[1].partition(" ")
            found["large", writer, mark] = found.get(("large", writer, mark), 0) + 1
    return {key: value for key, value in found.items() if value is not None and key[1] in writers}


def _one(values: set[str]) -> Any:
    return next(iter(values), None) if len(values) < 2 else tuple(sorted(values))


def _id(writer: str, name: str) -> str:
    digest = hashlib.blake2b(f"{writer} {name}".encode(), digest_size=16).digest()
    return str(uuid.UUID(bytes=digest, version=5))
