"""What the commands for tasks and for documents share: finding, showing, tags, metadata."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection, Iterable, Sequence
from typing import TYPE_CHECKING, Any, Final, TypeVar

from edda_sync.cli import times
from edda_sync.cli.columns import GAP, columns, fitted, highlighted, terminal_width
from edda_sync.cli.common import count, note, on_terminal, print_json, safe_line, say, write
from edda_sync.words import model, values
from edda_sync.words.errors import (
    AmbiguousIdError,
    InTrashError,
    LocalError,
    NotFoundError,
    NotTaggedError,
    UsageError,
    command_of,
)
from edda_sync.words.model import UNSET, Document, Item, Task, kind_of
from edda_sync.words.query import TaskQuery

if TYPE_CHECKING:
    from edda_sync.engine.engine import StorageEngine
    from edda_sync.engine.transaction import Transaction

T = TypeVar("T")

_LINK = ("task_id", "document_id", "relationship_type", "created_at")  # as ``listed.Link`` has them
_TIMES = ("due_date", "created_at", "updated_at", "completed_at")
_HEADINGS = 16  # columns that headings may take beside cells that are shorter
LISTED_MAX = 10  # subtasks that a hint names
_CHANGED = {
    "title": "title", "description": "description", "content": "content", "status": "status", "priority": "priority",
    "due_date": "due date", "parent_id": "parent", "doc_type": "type", "content_type": "content type", "tags": "tags",
    "metadata": "metadata", "agent_context": "agent context",
}  # fmt: skip
"""The fields that a person changes, and what to call them."""


def task(store: StorageEngine, reference: str) -> Task:
    """
    Return the task with a whole or short id.

    Raises:
        NotFoundError: No task has this id.
        AmbiguousIdError: Several tasks have it.
        InTrashError: The task was deleted.
    """
    whole = whole_id(store, "task", reference)
    found = store.get_task(whole)
    if found is None:
        raise _absent(store, "task", whole, reference)
    return found


def document(store: StorageEngine, reference: str) -> Document:
    """Return the document with a whole or short id; see :func:`task`."""
    whole = whole_id(store, "document", reference)
    found = store.get_document(whole)
    if found is None:
        raise _absent(store, "document", whole, reference)
    return found


def whole_id(store: StorageEngine, kind: str, reference: str) -> str:
    """
    Return the complete id for a complete or short one.

    Raises:
        NotFoundError: Nothing of this kind has it; the error says so if it is the id of a task instead of a document, or the
            other way round.
        AmbiguousIdError: Several have it.
    """
    try:
        return store.resolve(kind, reference)
    except NotFoundError:
        other = "document" if kind == "task" else "task"
        if is_id(store, other, reference):
            raise NotFoundError(kind, reference, other) from None
        raise


def is_id(store: StorageEngine, kind: str, reference: str) -> bool:
    """Tell whether a complete or short id names one item of a kind."""
    try:
        store.resolve(kind, reference)
    except (NotFoundError, AmbiguousIdError):
        return False
    return True


def of_any_kind(store: StorageEngine, reference: str) -> list[str]:
    """
    Return the ids of the tasks and documents that a reference names; none if it names nothing.

    Raises:
        AmbiguousIdError: It fits several tasks, or several documents.
    """
    found = []
    for kind in ("task", "document"):
        try:
            found.append(store.resolve(kind, reference))
        except NotFoundError:
            continue
    return found


def _absent(store: StorageEngine, kind: str, whole: str, reference: str) -> NotFoundError:
    return InTrashError(kind, reference) if store.reading.in_trash(kind, [whole]) else NotFoundError(kind, reference)


def several(find: Callable[[str], T], references: Sequence[str]) -> list[T]:
    """
    Return the items that several references name, each item once.

    Args:
        find: Finds the item that a reference names, such as :func:`task`.
        references: What was typed.

    Raises:
        NotFoundError, AmbiguousIdError: The only reference is wrong.
        UsageError: Some of several references are wrong; the error names them all. A command does everything that it
            was asked to do, or nothing.
    """
    found: dict[str, T] = {}
    wrong: list[LocalError] = []
    for reference in references:
        try:
            item = find(reference)
            found.setdefault(getattr(item, "id", reference), item)
        except (NotFoundError, AmbiguousIdError) as error:
            wrong.append(error)
    if not wrong:
        return list(found.values())
    if len(references) == 1:
        raise wrong[0]
    for each in wrong:
        note(str(each))
    others = f", not even with the other{'s' if len(found) > 1 else ''}" if found else ""
    refused = UsageError(f"Nothing was done{others}: mend or leave out what is wrong, and run it again.")
    refused.exit_code = wrong[0].exit_code
    raise refused from wrong[0]


def note_if_gone(store: StorageEngine, kind: str, whole: str) -> None:
    """Say if a task or document that was opened a while ago has been deleted meanwhile, and how to bring it back."""
    error = _absent(store, kind, whole, whole)
    if isinstance(error, InTrashError):
        note(f"Meanwhile: {error}")


def below(store: StorageEngine, ids: Sequence[str]) -> dict[str, Task]:
    """Return the subtasks of tasks, at any depth, without the tasks themselves."""
    found: dict[str, Task] = {}
    seen, todo = set(ids), list(ids)
    while todo:
        for subtask in store.query_tasks(TaskQuery(parent=todo.pop())):
            if subtask.id not in seen:
                seen.add(subtask.id)
                found[subtask.id] = subtask
                todo.append(subtask.id)
    return found


def one_line(title: str) -> str:
    """Return a title as it was meant: where it was pasted with tabs or line breaks, these are spaces."""
    return re.sub(r"[ ]*[\t\r\n]+[ ]*", " ", title).strip()


def say_id(store: StorageEngine, kind: str, made: str) -> None:
    """Print the id of a new item: to a program the whole, to a person as much as is needed."""
    say(store.reading.short_ids(kind, [made])[made] if on_terminal() else made)


def also(**written: object) -> list[str]:
    """Return the names of the fields of which something was written."""
    return [name for name, value in written.items() if value]


def note_changed(before: Item, after: Item | None, change: Item, also: Iterable[str] = ()) -> None:
    """
    Say which of the fields that a command has written are other than before.

    Args:
        before: The item before the command.
        after: The item now; None if it has been deleted meanwhile.
        change: What was written: the fields that are set.
        also: Further fields that were written.
    """
    if after is None:
        return
    named = [name for name in _CHANGED if getattr(change, name, UNSET) is not UNSET or name in also]
    different = [_CHANGED[name] for name in named if getattr(before, name) != getattr(after, name)]
    what = f"Changed {', '.join(different)}" if different else "Same as before"
    note(f"{what}: {after.title}")


def restore(store: StorageEngine, kind: str, references: Sequence[str], *, recursive: bool = False) -> None:
    """
    Bring tasks or documents back from the trash in one change, and say which were not in it.

    Args:
        store: The store.
        kind: ``task`` or ``document``.
        references: What was typed.
        recursive: Whether subtasks come back, too, at any depth.

    Raises:
        LocalError: As for :func:`several`. Nothing was restored.
    """
    get = store.get_task if kind == "task" else store.get_document

    def find(reference: str) -> tuple[str, Item | None]:
        whole = whole_id(store, kind, reference)
        item = get(whole)
        absent = None if item is not None else _absent(store, kind, whole, reference)
        if absent is not None and not isinstance(absent, InTrashError):
            raise absent
        return whole, item

    here = dict(several(find, references))
    under = _deleted_below(store, list(here)) if kind == "task" else []
    hidden = [whole for whole, item in here.items() if item is None] + (under if recursive else [])

    def work(tx: Transaction) -> None:
        for whole in hidden:
            tx.restore_task(whole) if kind == "task" else tx.restore_document(whole)

    write(store, work)
    for item in here.values():
        if item is not None:
            note(f"Not in the trash: {item.title}")
    if hidden:
        note(f"Restored {count(len(hidden), kind)}.")
    if under and not recursive:
        shorts = store.reading.short_ids("task", under[:LISTED_MAX])
        named = " ".join(shorts.values()) + (" ..." if len(under) > LISTED_MAX else "")
        are = "is" if len(under) == 1 else "are"
        note(
            f"{count(len(under), 'subtask')} {are} still in the trash ({named}); --recursive brings subtasks back too."
        )


def _deleted_below(store: StorageEngine, restored: list[str]) -> list[str]:
    """Return the subtasks of tasks, at any depth, that are in the trash, parents first."""
    trash = [each for each in store.trash("task") if isinstance(each, Task)]
    above, left = set(restored), list[str]()
    while found := [each.id for each in trash if each.parent_id in above and each.id not in above]:
        above.update(found)
        left += found
    return left


def note_kept(store: StorageEngine, item: Item) -> None:
    """Say of which fields of a task or document other values are kept beside what is shown."""
    fields = dict.fromkeys(each.field for each in store.conflicts() if (each.kind, each.id) == (kind_of(item), item.id))
    if fields:
        short = store.reading.short_ids(kind_of(item), [item.id])[item.id]
        note(f"Other values are kept ({safe_line(', '.join(fields))}); `edda conflicts show {short}` shows them.")


def way_back(command: str, ids: Collection[str], *, several: bool = False) -> str:
    """Return how to bring back what went to the trash, as the end of a sentence; nothing if it is too much to type."""
    if len(ids) > LISTED_MAX:
        return ""
    return f"; `{' '.join(['edda', command, *ids])}` brings {'them' if several or len(ids) > 1 else 'it'} back"


def none_shown(
    kind: str, total: int, limit: int | None, *, trash: bool = False, asked: str = "", hint: str = ""
) -> str:
    """
    Return why a list is empty: there are no items, no rows were wanted, or nothing matches.

    Args:
        kind: ``task`` or ``document``.
        total: How many there are without conditions.
        limit: The value of ``--limit``.
        trash: Whether these are the items in the trash.
        asked: What was typed.
        hint: What to say about items that do not match.
    """
    where = " in the trash" if trash else ""
    if not total:
        made = "" if trash else f"; `edda {command_of(kind)} add {'TITLE' if kind == 'task' else 'FILE'}` makes one"
        return f"There are no {kind}s{where}{made}."
    in_all = f"there {'is' if total == 1 else 'are'} {count(total, kind)}{where}"
    if limit == 0:
        return f"--limit 0 shows nothing; {in_all}."
    return f"Nothing matches{asked and ' '}{safe_line(asked)}; {in_all} in all{hint}."


def as_json(item: Item) -> dict[str, Any]:
    """Return an item for ``--json``."""
    return model.as_json(item)


def listed(store: StorageEngine, found: Sequence[Item]) -> list[dict[str, Any]]:
    """Return the items of a list for ``--json``, with their links."""
    links: dict[str, list[dict[str, Any]]] = {}
    for row in store.table("task_documents") if found else ():  # as rows: to load what a link is takes longer
        for end in row[:2]:
            links.setdefault(end, []).append(dict(zip(_LINK, row, strict=True)))
    return [{**as_json(each), "links": links.get(each.id, [])} for each in found]


def print_item(store: StorageEngine, item: Item | None) -> None:
    """Print an item as JSON, with its links."""
    assert item is not None, "it was written a moment ago"
    links = store.links(task_id=item.id) if isinstance(item, Task) else store.links(document_id=item.id)
    version = {"version": store.version("task", item.id)} if isinstance(item, Task) else {}
    print_json({**as_json(item), **version, "links": [model.as_json(link) for link in links]})


_IMPORTED: Final = "import."  # begins the key of what an import remembers; see ``imports.memory``


def print_fields(item: Item, leave_out: Collection[str]) -> None:
    """Print the fields that are set, one on each line."""
    for field, value in as_json(item).items():
        if field in leave_out or value in (None, {}, []):
            continue
        if isinstance(value, dict):
            for key, inner in value.items():
                if field == "metadata" and key.startswith(_IMPORTED):  # hashes, for the next import
                    say(f"imported: {safe_line(key.removeprefix(_IMPORTED))}")
                    continue
                say(f"{field}.{safe_line(key)}: {safe_line(json.dumps(inner, ensure_ascii=False))}")
        else:
            shown = times.short(value) if field in _TIMES else value
            say(f"{field}: {', '.join(shown) if isinstance(shown, list) else shown}")


def found_lines(found: Sequence[Item], rows: list[list[str]], text: str | None, leads: Sequence[str] = ()) -> list[str]:
    """
    Show a person where items hold what was looked for: highlight it in their titles, and return a line for each item.

    Args:
        found: The items.
        rows: Their rows, whose last cells begin with the title. These cells are replaced.
        text: What was looked for; None for nothing.
        leads: What stands before each title.
    """
    if text is None or not on_terminal():
        return []
    from edda_sync.words.excerpts import found_in

    others = [max(map(columns, column)) + len(GAP) for column in list(zip(*rows, strict=True))[:-1]]
    room = terminal_width() - sum(others) - _HEADINGS
    lines = []
    for item, row, lead in zip(found, rows, leads or [""] * len(rows), strict=True):
        row[-1] = fitted(row[-1], max(room, _HEADINGS))
        held, shown = found_in(item, text), len(row[-1])
        marks = [(min(start + len(lead), shown), min(end + len(lead), shown)) for start, end in held.title.marks]
        row[-1] = highlighted(row[-1], marks)
        lines.append("" if held.body is None else highlighted(*held.body))
    return lines


def with_tags(title: str, tags: Iterable[str]) -> str:
    """Return a title followed by its tags."""
    return "  ".join([title, *(f"#{tag}" for tag in sorted(tags))])


def change_tags(tx: Transaction, kind: str, item_id: str, added: Iterable[str], removed: Iterable[str]) -> None:
    """
    Add tags to an item, and remove tags from it.

    Raises:
        NotTaggedError: The item does not carry a tag that is to be removed.
    """
    for tag in added:
        tx.add_tag(item_id, tag, kind)
    for tag in removed:
        item = tx.get_task(item_id) if kind == "task" else tx.get_document(item_id)
        tx.remove_tag(item_id, tag, kind)  # first, because it refuses what cannot be a tag's name
        if item is not None and values.tag_id(tag) not in map(values.tag_id, item.tags):
            raise NotTaggedError(kind, item_id, tag)


def remove_keys(mapping: dict[str, Any], keys: Iterable[str]) -> None:
    """
    Remove keys of metadata.

    Raises:
        NotFoundError: There is no such key.
    """
    for key in keys:
        if key not in mapping:
            raise NotFoundError("metadata key", key)
        del mapping[key]
