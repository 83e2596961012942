"""
Taskwarrior: what `task export` writes, a JSON list of tasks or one task a line, as tasks.

A task's own text is the title, and its annotations are the description. A template of recurring tasks is no task: it is left
out, and the tasks that Taskwarrior made of it are taken. What Taskwarrior has thrown away becomes cancelled if it is here,
and does not come otherwise. Whatever no field holds is in metadata as ``taskwarrior.KEY``, with values as Taskwarrior writes
them.

Source: Taskwarrior's RFC 31, "Taskwarrior JSON Format", and what versions 2.6 and 3 write.
"""

from __future__ import annotations

import datetime
from collections.abc import Callable
from typing import IO, Any, Final

from edda_sync.imports.kept import Mapped
from edda_sync.imports.lines import instead, loaded, why
from edda_sync.imports.moments import moment
from edda_sync.imports.source import Imported, Refused, Source, title_from
from edda_sync.words import values
from edda_sync.words.errors import InvalidValueError, UsageError
from edda_sync.words.model import Task

KEY: Final = "taskwarrior"

_STATUS: Final = {"pending": "open", "waiting": "open", "completed": "done", "deleted": "cancelled"}
_EXACT: Final = ("pending", "completed")
_PRIORITY: Final = {"H": 0, "M": 1, "L": 3}
_DERIVED: Final = ("id", "urgency", "mask", "imask")
_FORM: Final = "%Y%m%dT%H%M%SZ"


def task_id(uuid: str) -> str:
    """Return the id of the task that a task of Taskwarrior becomes, the same on every device."""
    return values.uuid8(KEY, uuid.lower())


def parse(lines: IO[bytes]) -> Source:
    """
    Return what an export holds. What cannot be read is refused, and the rest is returned.

    Raises:
        UsageError: It is no export of Taskwarrior.
    """
    items: dict[str, Imported] = {}
    refused: list[Refused] = []
    left_out: list[Refused] = []
    raw = lines.read()
    for where, told in _told(raw, refused):
        uuid = told.get("uuid") if isinstance(told, dict) else None
        if not isinstance(uuid, str) or not uuid:
            refused.append(Refused(where, "is not a task with a uuid"))
        elif told.get("status") == "recurring":
            left_out.append(Refused(title_from(str(told.get("description")), uuid), "is a template of recurring tasks"))
        elif task_id(uuid) in items:
            refused.append(Refused(where, f"has the uuid of an earlier one, {uuid!a}"))
        else:
            try:
                items[task_id(uuid)] = _imported(uuid, told)
            except (InvalidValueError, RecursionError) as error:
                refused.append(Refused(where, why(error)))
    if refused and not (items or left_out):
        other = instead(raw.partition(b"\n")[0], KEY)
        raise UsageError(f"Nothing in this file was written by `task export`{other}")
    return Source(KEY, list(items.values()), refused, left_out)


def _told(raw: bytes, refused: list[Refused]) -> list[tuple[str, Any]]:
    """Return the tasks of a list, or of lines, with where each is."""
    try:
        whole = loaded(raw, 1)
    except (ValueError, RecursionError):
        whole = None
    if isinstance(whole, list):
        return [(f"task {number:,}", each) for number, each in enumerate(whole, 1)]
    found = []
    for number, line in enumerate(raw.splitlines(), 1):
        try:
            each = loaded(line.strip().rstrip(b",") if line.strip() not in (b"[", b"]") else b"", number)
        except (ValueError, RecursionError) as error:
            refused.append(Refused(f"line {number:,}", why(error)))
        else:
            if each is not None:
                found.append((f"line {number:,}", each))
    return found


def _imported(uuid: str, told: dict[str, Any]) -> Imported:
    mapped = Mapped(KEY, Task(id=task_id(uuid), metadata={"taskwarrior.uuid": uuid}, tags=set()), _FIELDS)
    mapped.task.title, mapped.task.status, mapped.task.priority = values.TITLE_DEFAULT, "open", values.PRIORITY_DEFAULT
    for key, value in told.items():
        take = _FIELDS.get(key)
        if key not in ("uuid", *_DERIVED) and (take is None or not take(mapped, value)):
            mapped.keep(key, value)
    if mapped.task.status == "open" and told.get("start"):
        mapped.task.status = "in_progress"
    if mapped.task.status == "done":
        mapped.task.completed_at = _moment(told.get("end"))
    return Imported(
        uuid[:8],
        mapped.task,
        mapped.kept,
        mapped.nearly,
        changed_at=_moment(told.get("modified")),
        only_if_here=told.get("status") == "deleted",
    )


def _take_description(mapped: Mapped, value: Any) -> bool:
    mapped.task.title = title_from(value if isinstance(value, str) else "", values.TITLE_DEFAULT)
    return bool(mapped.task.title == value)


def _take_status(mapped: Mapped, value: Any) -> bool:
    mapped.task.status = _STATUS.get(value, "open") if isinstance(value, str) else "open"
    return value in _EXACT


def _take_priority(mapped: Mapped, value: Any) -> bool:
    if not isinstance(value, str) or value not in _PRIORITY:
        return False
    mapped.task.priority = _PRIORITY[value]
    return True


def _take_tags(mapped: Mapped, value: Any) -> bool:
    listed = value if isinstance(value, list) else [value]
    return all([mapped.tag(each) for each in listed])  # noqa: C419 - each of them is to be taken


def _take_due(mapped: Mapped, value: Any) -> bool:
    mapped.task.due_date = _moment(value)
    return mapped.task.due_date is not None


def _take_entry(mapped: Mapped, value: Any) -> bool:
    found = _moment(value)
    if found is not None:
        mapped.task.created_at = found
    return found is not None


def _take_annotations(mapped: Mapped, value: Any) -> bool:
    """Make the description of them, and keep them as they are: they have times."""
    listed = value if isinstance(value, list) else []
    texts = [str(each["description"]) for each in listed if isinstance(each, dict) and each.get("description")]
    if texts:
        mapped.task.description = values.text("annotations", "\n\n".join(texts).encode(errors="replace").decode())
    return False


def _take_depends(mapped: Mapped, value: Any) -> bool:
    """Keep each dependency by itself; older versions write them as one text with commas."""
    listed = value.split(",") if isinstance(value, str) else value
    if not isinstance(listed, list) or not all(isinstance(each, str) for each in listed):
        return False
    for each in sorted(set(listed)):
        mapped.keep_dependency("depends", each, task_id(each))
    return True


_FIELDS: Final[dict[str, Callable[[Mapped, Any], bool]]] = {
    "description": _take_description,
    "status": _take_status,
    "priority": _take_priority,
    "tags": _take_tags,
    "due": _take_due,
    "entry": _take_entry,
    "annotations": _take_annotations,
    "depends": _take_depends,
    "end": lambda mapped, value: mapped.task.status == "done" and _moment(value) is not None,
    "modified": lambda _mapped, value: _moment(value) is not None,
}
"""How each field is taken; false when metadata must keep the value, since the field does not tell it exactly."""


def _moment(value: Any) -> str | None:
    if not isinstance(value, str):
        return None
    try:
        return moment(datetime.datetime.strptime(value, _FORM).replace(tzinfo=datetime.UTC))
    except ValueError:
        return moment(value)
