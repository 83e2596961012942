"""
Beads: an issue tracker's export, one JSON object a line, as tasks.

A field that a task has takes the value; whatever no field holds as it is written there goes into the task's metadata as
``beads.KEY``, so that each issue can be told back from its task: an unknown status, a time of other precision, notes,
design, comments. Each dependency has a key of its own, ``beads.dependency.TYPE.ID``, so that two devices that add one each
keep both; the first dependency of type ``parent-child`` is the task's parent too. A value that JSON cells cannot hold (too
deep, half a character) is kept as its JSON text, ``beads.KEY:json``, and a key that metadata cannot hold together with its
value, ``beads.key:HASH``.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Final

from edda_sync.imports import moments
from edda_sync.imports.kept import Mapped
from edda_sync.imports.lines import instead, is_exported, loaded, other_format, why
from edda_sync.imports.order import parents_first
from edda_sync.imports.source import Imported, Refused, Source, title_from
from edda_sync.words import limits, values
from edda_sync.words.errors import InvalidValueError, UsageError
from edda_sync.words.model import Task

KEY: Final = "beads"
PARENT_CHILD: Final = "parent-child"


_STATUS: Final = {"open": "open", "in_progress": "in_progress", "blocked": "blocked", "closed": "done"}
_STATUS_NEAREST: Final = {
    "hooked": "in_progress", "pinned": "open", "deferred": "blocked", "tombstone": "cancelled", "done": "done",
    "cancelled": "cancelled", "canceled": "cancelled",
}  # fmt: skip


def task_id(issue_id: str) -> str:
    """Return the id of the task that an issue becomes, the same on every device."""
    return values.uuid8(KEY, issue_id)


def read(path: Path) -> Source:
    """
    Read an export; pass what it returns to ``imports.merge_into``.

    Args:
        path: The file of JSON lines.

    Raises:
        OSError: It cannot be read.
        UsageError: It is an export of edda's own.
    """
    with path.open("rb") as file:
        return parse(file)


def parse(lines: Iterable[bytes]) -> Source:
    """
    Return the tasks of lines of JSON, parents first; a line that holds no issue is refused, and the others stand.

    Raises:
        UsageError: They are an export of another program, or of edda itself.
    """
    issues: dict[str, tuple[str, dict[str, Any]]] = {}
    refused = []
    for number, line in enumerate(lines, 1):
        where = f"line {number:,}"
        if number == 1 and not line.lstrip(b"\xef\xbb\xbf \t").startswith(b"{") and other_format(line):
            raise UsageError(f"This is no export of Beads{instead(line, KEY)}")
        try:
            issue = _issue_of(loaded(line, number))
            if issue is None:
                continue
            if issues.get(issue["id"], (where, issue))[1] != issue:
                raise ValueError(f"{issue['id']!a} was in {issues[issue['id']][0]} already, with other values")
        except (ValueError, RecursionError) as error:
            refused.append(Refused(where, why(error)))
        else:
            issues.setdefault(issue["id"], (where, issue))
    items: list[Imported] = []
    for where, issue in issues.values():
        try:
            mapped = task_of(issue)
        except (InvalidValueError, RecursionError) as error:
            refused.append(Refused(where, why(error)))
        else:
            items.append(
                Imported(
                    issue["id"], mapped.task, mapped.kept, mapped.nearly, changed_at=_moment(issue.get("updated_at"))
                )
            )
    return Source(KEY, parents_first(items, _task), refused)


def _issue_of(issue: Any) -> dict[str, Any] | None:
    if issue is None:
        return None
    if is_exported(issue):
        raise UsageError(
            "This is an export of edda itself, and not of Beads; nothing was imported: `edda import jsonl FILE` takes it."
        )
    if not isinstance(issue, dict) or not isinstance(issue.get("id"), str) or not issue["id"]:
        raise ValueError("is not an issue with an id")
    return issue


# --- one issue --------------------------------------------------------------------------------------------------------


def task_of(issue: dict[str, Any]) -> Mapped:
    """
    Return the task of one issue.

    Raises:
        InvalidValueError: Something in it is too long to be kept.
    """
    mapped = Mapped(KEY, Task(id=task_id(issue["id"]), metadata={}, tags=set()), _FIELDS)
    mapped.keep("id", issue["id"])
    mapped.kept.clear()  # every issue has one
    for key, value in issue.items():
        take = _FIELDS.get(key)
        if key != "id" and (take is None or not take(mapped, value)):
            mapped.keep(key, value, called=f"{key} {value!a}" if key == "status" else None)
    if "title" not in issue:
        mapped.task.title = values.TITLE_DEFAULT
    _take_closed_at(mapped, issue)
    return mapped


def _take_title(mapped: Mapped, value: Any) -> bool:
    mapped.task.title = title_from(value if isinstance(value, str) else "", values.TITLE_DEFAULT)
    return bool(mapped.task.title == value)


def _take_description(mapped: Mapped, value: Any) -> bool:
    if not isinstance(value, str):
        return False
    mapped.task.description = values.text("description", value.encode(errors="replace").decode())
    return mapped.task.description == value


def _take_status(mapped: Mapped, value: Any) -> bool:
    exact = _STATUS.get(value) if isinstance(value, str) else None
    nearest = _STATUS_NEAREST.get(value, values.STATUS_DEFAULT) if isinstance(value, str) else values.STATUS_DEFAULT
    mapped.task.status = exact or nearest
    return exact is not None


def _take_priority(mapped: Mapped, value: Any) -> bool:
    if not isinstance(value, int) or isinstance(value, bool):
        return False
    mapped.task.priority = min(max(value, 0), limits.PRIORITY_MAX)
    return bool(mapped.task.priority == value)


def _take_labels(mapped: Mapped, value: Any) -> bool:
    """Tag the task; exact when the names of its tags, in order, tell the labels."""
    if not isinstance(value, list):
        return False
    for label in value:
        try:
            mapped.task.tags.add(values.line("labels", label))
        except InvalidValueError:
            continue
    plain = all(isinstance(label, str) and values.tag_name_normal(label) == label for label in value)
    return plain and value == sorted(mapped.task.tags) and value != []


def _take_created_at(mapped: Mapped, value: Any) -> bool:
    moment = _moment(value)
    if moment is not None:
        mapped.task.created_at = moment
    return moment is not None and _is_exact(moment, value)


def _take_due_at(mapped: Mapped, value: Any) -> bool:
    mapped.task.due_date = _moment(value)
    return mapped.task.due_date is not None and _is_exact(mapped.task.due_date, value)


def _take_closed_at(mapped: Mapped, issue: dict[str, Any]) -> None:
    """Note when the task was done; only a task that is done can tell."""
    if "closed_at" not in issue:
        return
    moment = _moment(issue["closed_at"])
    done = mapped.task.status == "done" and moment is not None
    if done:
        mapped.task.completed_at = moment
    if not done or moment is None or not _is_exact(moment, issue["closed_at"]):
        mapped.keep("closed_at", issue["closed_at"])


def _take_dependencies(mapped: Mapped, value: Any) -> bool:
    """Keep each dependency under a key of its own; the first parent is the task's."""
    sound = isinstance(value, list) and all(
        isinstance(each, dict) and isinstance(each.get("type"), str) and isinstance(each.get("depends_on_id"), str)
        for each in value
    )
    if not sound or not value:
        return False
    parents = [each for each in value if each["type"] == PARENT_CHILD]
    first = min(parents, key=lambda each: (str(each.get("created_at", "")), each["depends_on_id"]), default=None)
    if first is not None:
        mapped.task.parent_id = task_id(first["depends_on_id"])
    for each in sorted(value, key=lambda each: json.dumps(each, sort_keys=True)):
        mapped.keep_dependency(each["type"], each["depends_on_id"], each, is_parent=each is first)
    return True


_FIELDS: Final[dict[str, Callable[[Mapped, Any], bool]]] = {
    "title": _take_title,
    "description": _take_description,
    "status": _take_status,
    "priority": _take_priority,
    "labels": _take_labels,
    "created_at": _take_created_at,
    "due_at": _take_due_at,
    "dependencies": _take_dependencies,
    "closed_at": lambda _mapped, _value: True,  # looked at once the status is known
}
"""How each field is taken; false when metadata must keep the value, since the field does not tell it exactly."""


def _moment(value: Any) -> str | None:
    return moments.moment(value) if isinstance(value, str) else None


def _is_exact(moment: str, written: str) -> bool:
    """Tell whether a column tells what was written: seconds when there are no milliseconds."""
    return written == moment.replace(".000Z", "Z")


def _task(item: Imported) -> Task:
    assert isinstance(item.item, Task), "issues become tasks"
    return item.item
