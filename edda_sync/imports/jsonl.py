"""
JSON lines: what ``edda export`` wrote, under the same ids.

An id names one and the same item wherever it is, so an item that is here already stays as it is here: to bring two stores
to the same state is what sync is for, and an export does not tell which of two values came later. What an export does not
hold cannot come: the trash, the history, the values that conflicts keep, and when something was last changed.

    from edda_sync.imports import jsonl
    report = jsonl.bring_into(store, jsonl.read("notes.jsonl"))
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from edda_sync.imports.around import Around
from edda_sync.imports.lines import is_exported, loaded, why
from edda_sync.imports.merge import merge_into
from edda_sync.imports.order import parents_first
from edda_sync.imports.report import Report
from edda_sync.imports.source import Attach, Imported, Refused, Source
from edda_sync.words import limits, values
from edda_sync.words.errors import InvalidValueError, UsageError
from edda_sync.words.listed import Link, Tag
from edda_sync.words.model import Document, Item, Task, cells_of

if TYPE_CHECKING:
    from edda_sync.engine.engine import StorageEngine

KEY: Final = "jsonl"

_MADE: Final[dict[str, type[Task] | type[Document] | type[Tag] | type[Link]]] = {
    "tag": Tag, "document": Document, "task": Task, "link": Link,
}  # fmt: skip
_DERIVED: Final = ("updated_at", "version")  # these follow from what is written here


@dataclass(frozen=True, slots=True)
class Enclosed:
    """
    An attachment of an export.

    Attributes:
        document_id: Id of its document.
        name: What people call it.
        content_type: Its media type.
        file: The path of its content in the folder beside the export; None if the export has none of it.
    """

    document_id: str
    name: str
    content_type: str
    file: str | None


@dataclass(frozen=True, slots=True)
class Exported:
    """
    What was read from an export.

    Attributes:
        items: Documents and tasks; a task comes after its parent.
        tags: Tags, with color and description.
        links: Links of tasks and documents.
        refused: What cannot be imported.
        attachments: What is attached to documents, in the order of the lines.
    """

    items: Sequence[Imported] = ()
    tags: Sequence[Tag] = ()
    links: Sequence[Link] = ()
    refused: Sequence[Refused] = ()
    attachments: Sequence[Enclosed] = ()


def read(path: Path) -> Exported:
    """
    Read an export; pass what it returns to :func:`bring_into`.

    Args:
        path: The file of JSON lines.

    Raises:
        OSError: It cannot be read.
        UsageError: It is no export of edda's.
    """
    with path.open("rb") as file:
        return parse(file)


def parse(lines: Iterable[bytes]) -> Exported:
    """
    Return what the lines of an export hold. A line that cannot be read is refused, and the others are returned.

    Raises:
        UsageError: No line is of an export of edda's.
    """
    found: dict[tuple[str, ...], tuple[str, Item | Tag | Link | Enclosed]] = {}
    refused = []
    is_ours = False
    for number, line in enumerate(lines, 1):
        where = f"line {number:,}"
        try:
            value = loaded(line, number)
            if value is None:
                continue
            if not is_exported(value):
                raise ValueError("is not a line of `edda export`")
            is_ours = True
            key, made = _made(value)
            if found.get(key, (where, made))[1] != made:
                raise ValueError(f"holds what {found[key][0]} holds too, with other values")
        except (ValueError, InvalidValueError, RecursionError) as error:
            refused.append(Refused(where, why(error)))
        else:
            found.setdefault(key, (where, made))
    if refused and not is_ours:
        raise UsageError(
            "No line of this file was written by `edda export`; nothing was imported: `edda import beads` takes an export "
            "of Beads."
        )
    everything = [made for _, made in found.values()]
    documents: list[Item] = [each for each in everything if isinstance(each, Document)]
    tasks = parents_first(
        [each for each in everything if isinstance(each, Task)],
        lambda task: task,
        lambda task: refused.append(Refused(ascii(task.title), "comes without its parent, which is below it")),
    )
    return Exported(
        [Imported(each.title, each) for each in [*documents, *tasks]],
        [each for each in everything if isinstance(each, Tag)],
        [each for each in everything if isinstance(each, Link)],
        refused,
        [each for each in everything if isinstance(each, Enclosed)],
    )


def _enclosed(value: dict[str, Any]) -> tuple[tuple[str, ...], Enclosed]:
    """Return what the line of an attachment holds, checked, and what names it."""
    lacking = sorted({"id", "document_id", "name", "content_type", "file"} - value.keys())
    if lacking:
        raise ValueError(f"lacks {', '.join(lacking)}")
    attachment = values.id_text(values.id_bytes("id", value["id"]))
    document = values.id_text(values.id_bytes("document_id", value["document_id"]))
    name = values.line("name", value["name"], code_points_max=limits.FILE_NAME_CODE_POINTS_MAX)
    file = None if value["file"] is None else values.text("file", value["file"])
    return ("attachment", attachment), Enclosed(
        document, name, values.line("content_type", value["content_type"]), file
    )


def _made(value: dict[str, Any]) -> tuple[tuple[str, ...], Item | Tag | Link | Enclosed]:
    """Return what a line holds, checked, and what names it."""
    kind = value["kind"]
    if kind == "attachment":
        return _enclosed(value)
    given = {name: each for name, each in value.items() if name != "kind" and name not in _DERIVED}
    names = {name for name in _MADE[kind].__dataclass_fields__ if not name.startswith("_")} - {*_DERIVED}
    if missing := sorted(names - given.keys()):
        raise ValueError(f"lacks {', '.join(missing)}")
    if unknown := sorted(given.keys() - names):
        raise ValueError(f"holds {', '.join(map(ascii, unknown))}, which this version does not know")
    if kind == "link":
        ends = (values.id_bytes("task_id", given["task_id"]), values.id_bytes("document_id", given["document_id"]))
        task, document = map(values.id_text, ends)
        relationship = values.line("relationship_type", given["relationship_type"])
        return (kind, task, document), Link(
            task_id=task, document_id=document, relationship_type=relationship, created_at=""
        )
    if kind == "tag":
        name = values.line("name", given["name"])
        color, text = (None if given[k] is None else values.text(k, given[k]) for k in ("color", "description"))
        tag_id = values.tag_id(name)
        return (kind, tag_id), Tag(id=tag_id, name=name, color=color, description=text, created_at="")
    if not isinstance(given["tags"], list):
        raise ValueError("has tags that are no list")
    fields = {**given, "id": values.id_text(values.id_bytes("id", given["id"])), "tags": set()}
    item = Task(**fields) if kind == "task" else Document(**fields)
    item.tags = {values.line("tags", each) for each in given["tags"]}
    cells_of(item)
    return (kind, item.id), item


def bring_into(
    store: StorageEngine,
    source: Exported,
    *,
    beside: Path | None = None,
    prefer: str | None = None,
    dry_run: bool = False,
    agent: str | None = None,
    reason: str | None = None,
    progress: Callable[[int], object] = lambda _done: None,
) -> Report:
    """
    Create what an export holds and a store lacks, in transactions that no device has to wait for long; see ``batches``.

    Safe to repeat, also after it was interrupted.

    Args:
        store: Where to.
        source: What :func:`read` returned.
        beside: The folder with the content of attachments; nothing outside of it is read. None if there is none.
        prefer: Whether what is other here takes the export's value, ``source``; otherwise it stays.
        dry_run: Whether to write nothing, and only say what would be done.
        agent, reason: Who imports, and why; as ``begin_transaction``.
        progress: Called with the number of items that are done, until it raises something, which the log says.

    Returns:
        A :class:`Report`, of which ``edited`` has what is other here than in the export. It was left as it is here.

    Raises:
        LocalError, StorageError: As they say; earlier batches are in.
    """
    why_done, report = reason or "import from an export", Report()
    around = Around(store, report, prefer, dry_run, agent, why_done)
    around.bring_tags(source.tags)
    files = _files(source.attachments, beside)
    items = [replace(each, files=files.get(each.item.id, ())) for each in source.items]
    report.add(
        merge_into(
            store,
            Source(KEY, items, remembers=False),
            prefer=prefer,
            dry_run=dry_run,
            agent=agent,
            reason=why_done,
            progress=progress,
        )
    )
    around.bring_files(items)
    around.bring_links(source.links, {each.item.id: each.item.title for each in items})
    return report


def _files(enclosed: Sequence[Enclosed], beside: Path | None) -> dict[str, list[Attach]]:
    """Return what to attach, by document."""
    found: dict[str, list[Attach]] = {}
    for each in enclosed:
        why = "its content is not in this export"
        path = None
        if each.file is not None and beside is not None:
            path, why = _within(beside, each.file), "its path leads out of the folder of the export"
        found.setdefault(each.document_id, []).append(Attach(path, each.name, each.content_type, why))
    return found


def _within(folder: Path, file: str) -> Path | None:
    """Return the path of a file in a folder; None if it leads out of it, also by a link."""
    if "\0" in file:
        return None
    path = folder / file
    real, inside = os.path.realpath(path), os.path.realpath(folder)
    return path if os.path.commonpath([real, inside]) == inside and real != inside else None
