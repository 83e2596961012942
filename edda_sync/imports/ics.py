"""
iCalendar: the tasks (VTODO) of a calendar, as tasks; of CalDAV servers, phones and many programs.

A task is known by its UID, and one of a series also by its RECURRENCE-ID. A time in a zone, or in UTC, is that moment; one
without a zone is one of the machine that imports. Whatever no field holds is in metadata as ``ics.NAME``, as it is written:
also what is there twice though it may be there once, and a parent that is below its own task, or in another file.
Events, journals and busy times are left out.

Source: RFC 5545, iCalendar.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import IO, TYPE_CHECKING, Any, Final

from edda_sync.imports.kept import Mapped
from edda_sync.imports.lines import instead, other_format, why
from edda_sync.imports.moments import moment
from edda_sync.imports.order import parents_first
from edda_sync.imports.source import Imported, Refused, Source, title_from
from edda_sync.words import values
from edda_sync.words.errors import InvalidValueError, UsageError
from edda_sync.words.model import Task

if TYPE_CHECKING:
    from icalendar import Component

KEY: Final = "ics"

_STATUS: Final = {
    "NEEDS-ACTION": "open", "IN-PROCESS": "in_progress", "COMPLETED": "done", "CANCELLED": "cancelled",
}  # fmt: skip
_PRIORITIES: Final = (2, 0, 1, 1, 1, 2, 3, 3, 3, 4)  # of the priorities 0 (none), 1 (highest) to 9
_EXACT: Final = (0, 1, 3, 7, 9)
_SEVERAL: Final = ("CATEGORIES", "RELATED-TO")  # any other property of a field may be there once
_OF_THE_FILE: Final = ("UID", "RECURRENCE-ID", "DTSTAMP", "SEQUENCE")


def task_id(uid: str) -> str:
    """Return the id of the task that a VTODO becomes, the same on every device."""
    return values.uuid8(KEY, uid)


def parse(lines: IO[bytes]) -> Source:
    """
    Return the tasks of a calendar. What cannot be read is refused, and the rest is returned.

    Raises:
        UsageError: It is no iCalendar file.
    """
    from icalendar import Calendar

    raw = lines.read()
    first = raw.split(b"\n", 1)[0]
    if other_format(first) not in ("", KEY):
        raise UsageError(f"This is no iCalendar file{instead(first, KEY)}")
    try:
        with _tolerant():
            calendars = Calendar.from_ical(raw, multiple=True)
    except (ValueError, LookupError) as error:
        raise UsageError(f"This is no iCalendar file ({str(error)[:200]}); nothing was imported.") from None
    if not calendars:
        raise UsageError("This is no iCalendar file (it has no whole VCALENDAR); nothing was imported.")
    items: dict[str, Imported] = {}
    refused: list[Refused] = []
    named: dict[str, str] = {}  # the UIDs that tasks name, by the ids of the tasks
    others: Counter[str] = Counter()
    for calendar in calendars:
        for number, part in enumerate(calendar.subcomponents, 1):
            if part.name != "VTODO":
                others[str(part.name)] += part.name != "VTIMEZONE"
                continue
            where = f"task {number:,}"
            try:
                made = _imported(part)
                if made.item.id in items:
                    raise ValueError(f"has the UID of an earlier one, {made.name!a}")
                items[made.item.id] = made
                named.update((task_id(str(each)), str(each)) for each in _values(part, "RELATED-TO"))
            except (InvalidValueError, ValueError, LookupError) as error:
                refused.append(Refused(where, why(error)))
    left_out = [Refused(f"{name} ({number:,})", "is no task") for name, number in sorted(others.items()) if number]
    ordered = parents_first(list(items.values()), _task, partial(_keep_parent, named))
    for each in ordered:
        if _task(each).parent_id and _task(each).parent_id not in items:  # it may never come
            _keep_parent(named, each)
    return Source(KEY, ordered, refused, left_out)


@contextmanager
def _tolerant() -> Iterator[None]:
    """Let icalendar keep a value that it cannot read, which would otherwise fail the whole file, but for events."""
    from icalendar import Component

    before, Component.ignore_exceptions = Component.ignore_exceptions, True
    try:
        yield
    finally:
        Component.ignore_exceptions = before


def _imported(part: Component) -> Imported:
    uid, recurrence = str(part.get("UID", "")).strip(), part.get("RECURRENCE-ID")
    if not uid:
        raise ValueError("has no UID")
    identity = uid if recurrence is None else f"{uid}\0{_written(recurrence)}"
    mapped = Mapped(KEY, Task(id=task_id(identity), metadata={"ics.UID": uid}, tags=set()), _FIELDS)
    task = mapped.task
    task.title, task.status, task.priority = values.TITLE_DEFAULT, "open", values.PRIORITY_DEFAULT
    if recurrence is not None:
        task.metadata["ics.RECURRENCE-ID"] = _written(recurrence)
    completed, modified = (next(map(_moment, _values(part, name)), None) for name in ("COMPLETED", "LAST-MODIFIED"))
    if completed is not None and "STATUS" not in part:
        task.status = "done"  # some programs say only when
    for name in sorted(part, key=lambda name: (name != "STATUS", name)):  # it says whether COMPLETED counts
        for number, value in enumerate(_values(part, name)):
            take = _FIELDS.get(name) if number == 0 or name in _SEVERAL else None
            if name not in _OF_THE_FILE and (take is None or not take(mapped, value)):
                mapped.keep(name, _written(value))
    if task.status == "done":
        task.completed_at = completed
    for each in part.subcomponents:
        mapped.keep(str(each.name), each.to_ical().decode(errors="replace"))
    for name, problem in part.errors:
        mapped.keep(f"unreadable {name or 'line'}", str(problem))
    return Imported(uid[:40], task, mapped.kept, mapped.nearly, changed_at=modified)


def _keep_parent(named: Mapping[str, str], each: Imported) -> None:
    """Keep the parent of a task that may not be shown below it, since it is below that task, or in another file."""
    task, kept = _task(each), each.kept
    assert task.parent_id is not None, "that is what is kept"
    assert isinstance(kept, list), "it is what was mapped"
    Mapped(KEY, task, kept=kept).keep_dependency("PARENT", named[task.parent_id], task.parent_id)


def _values(part: Component, name: str) -> list[Any]:
    found: Any = part.get(name, [])
    return found if isinstance(found, list) else [found]


def _written(value: Any) -> str:
    """Return a value with its parameters, as the file has it."""
    params = getattr(value, "params", None)
    told = value.to_ical() if hasattr(value, "to_ical") else str(value)
    shown: str = told.decode(errors="replace") if isinstance(told, bytes) else told  # a place or a time of day is text
    return f"{params.to_ical().decode(errors='replace')}:{shown}" if params else shown


def _take_summary(mapped: Mapped, value: Any) -> bool:
    mapped.task.title = title_from(str(value), values.TITLE_DEFAULT)
    return bool(mapped.task.title == str(value))


def _take_description(mapped: Mapped, value: Any) -> bool:
    mapped.task.description = values.text("DESCRIPTION", str(value)) or None
    return True


def _take_status(mapped: Mapped, value: Any) -> bool:
    status = _STATUS.get(str(value).upper())
    mapped.task.status = status or "open"
    return status is not None


def _take_priority(mapped: Mapped, value: Any) -> bool:
    if not isinstance(value, int) or not 0 <= value < len(_PRIORITIES):
        return False
    mapped.task.priority = _PRIORITIES[value]
    return value in _EXACT


def _take_categories(mapped: Mapped, value: Any) -> bool:
    return all([mapped.tag(str(each).strip()) for each in value.cats])  # noqa: C419 - each of them is to be taken


def _take_due(mapped: Mapped, value: Any) -> bool:
    mapped.task.due_date = _moment(value)
    return mapped.task.due_date is not None and _is_plain(value)


def _take_created(mapped: Mapped, value: Any) -> bool:
    found = _moment(value)
    if found is not None:
        mapped.task.created_at = found
    return found is not None


def _take_related(mapped: Mapped, value: Any) -> bool:
    kind = str(value.params.get("RELTYPE", "PARENT")).upper()
    is_parent = kind == "PARENT" and not mapped.task.parent_id
    if is_parent:
        mapped.task.parent_id = task_id(str(value))
    else:
        mapped.keep_dependency(kind, str(value), task_id(str(value)))
    return True


_FIELDS: Final[dict[str, Callable[[Mapped, Any], bool]]] = {
    "SUMMARY": _take_summary,
    "DESCRIPTION": _take_description,
    "STATUS": _take_status,
    "PRIORITY": _take_priority,
    "CATEGORIES": _take_categories,
    "DUE": _take_due,
    "CREATED": _take_created,
    "RELATED-TO": _take_related,
    "COMPLETED": lambda mapped, value: mapped.task.status == "done" and _moment(value) is not None,
    "LAST-MODIFIED": lambda _mapped, value: _moment(value) is not None,
}
"""How each property is taken; false when metadata must keep it, since the field does not tell it exactly."""


def _moment(value: Any) -> str | None:
    try:
        return moment(getattr(value, "dt", None))
    except ValueError:  # what icalendar could not read tells this only when it is asked
        return None


def _is_plain(value: Any) -> bool:
    """Tell whether a time is in UTC: then a field tells it exactly, and no zone is lost."""
    return not value.params and _written(value).endswith("Z")


def _task(each: Imported) -> Task:
    assert isinstance(each.item, Task), "these become tasks"
    return each.item
