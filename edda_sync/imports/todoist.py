"""
Todoist: the CSV that Todoist makes of a project, as tasks.

Rows are tasks, sections, and notes of the task above them. A task's level says what it is part of. The CSV has no ids: a
task is known by its text and the texts above it, so a task whose text is edited is another one. Dates are kept as Todoist
writes them where they are words, such as "every day".

Source: Todoist's help, "Format a CSV file to import into Todoist".
"""

from __future__ import annotations

import csv
import datetime
import io
import re
from collections import Counter
from typing import IO, Final
from zoneinfo import ZoneInfo

from edda_sync.imports.kept import Mapped
from edda_sync.imports.lines import instead, why
from edda_sync.imports.moments import moment
from edda_sync.imports.source import Imported, Refused, Source, title_from
from edda_sync.words import limits, values
from edda_sync.words.errors import InvalidValueError, UsageError
from edda_sync.words.model import Task

KEY: Final = "todoist"
Row = dict[str, str]

_LABEL: Final = re.compile(r"(?:^|(?<=\s))@(\S+)")
_PRIORITIES: Final = {"1": 0, "2": 1, "3": 2, "4": 3}
_OF_ROWS: Final = ("type", "content", "meta")
_OF_TASKS: Final = ("description", "priority", "indent", "date", "timezone", "deadline")
_FORMS: Final = ("%d %b %Y", "%d %b %Y %H:%M", "%b %d %Y", "%b %d %Y %H:%M", "%d/%m/%Y", "%m/%d/%Y %H:%M")


def parse(lines: IO[bytes]) -> Source:
    """
    Return what a CSV holds. A row that cannot be read is refused, and the others are returned.

    Raises:
        UsageError: It is no CSV of Todoist.
    """
    try:
        text = lines.read().decode("utf-8-sig")
    except UnicodeDecodeError:
        raise UsageError("This file is not UTF-8 text, as Todoist writes it; nothing was imported.") from None
    rows = _rows(text)
    reader = _Reader()
    for number, row in rows:
        try:
            reader.take(row)
        except (ValueError, InvalidValueError) as error:
            reader.refused.append(Refused(f"line {number:,}", why(error)))
    return Source(KEY, reader.items, reader.refused, reader.left_out)


def _rows(text: str) -> list[tuple[int, Row]]:
    csv.field_size_limit(limits.TEXT_BYTES_MAX)
    listed = csv.reader(io.StringIO(text, newline=""))
    try:
        heading = [each.strip().lower() for each in next(listed, [])]
        if heading and not {"type", "content"} <= set(heading):
            other = instead(text.split("\n", 1)[0].encode(), KEY)
            raise UsageError(f"The first line names no columns TYPE and CONTENT, as a CSV of Todoist does{other}")
        return [(listed.line_num, _named(heading, row)) for row in listed if any(each.strip() for each in row)]
    except csv.Error as error:
        raise UsageError(f"This file is no CSV ({error}); nothing was imported.") from None


def _named(heading: list[str], row: list[str]) -> Row:
    """Return the cells of a row by the names of their columns. One that has no name, or that of another, gets a number."""
    named: Row = {}
    for number, value in enumerate(row, 1):
        name = heading[number - 1] if number <= len(heading) else ""
        named[f"column {number}" if not name or name in named else name] = value
    return named


class _Reader:
    """Takes the rows of a CSV, one after another."""

    def __init__(self) -> None:
        self.items: list[Imported] = []
        self.refused: list[Refused] = []
        self.left_out: list[Refused] = []
        self._section = ""
        self._above: list[tuple[str, str]] = []  # identity and id of the tasks above, by level
        self._seen: Counter[str] = Counter()
        self._last: Mapped | None = None

    def take(self, row: Row) -> None:
        """Take a row."""
        kind, content = row["type"].strip().lower(), row.get("content", "")
        if kind == "section":
            self._section, self._above, self._last = title_from(content, ""), [], None
            for name in _others(row):
                self.left_out.append(Refused(f"{name} of section {content!a}", "is of a section, which is a tag here"))
        elif kind == "note":
            if self._last is None:
                raise ValueError("is a note without a task above it")
            self._note(self._last, content, row)
        elif kind == "task":
            self._task(row, content)
        elif kind and kind != "meta":
            raise ValueError(f"is of a type that is not known, {kind!a}")

    def _note(self, mapped: Mapped, content: str, row: Row) -> None:
        number = 1
        while f"{KEY}.note.{number}" in mapped.task.metadata:
            number += 1
        mapped.keep(f"note.{number}", content, called="note")
        for name in _others(row):
            mapped.keep(f"note.{number} {name}", row[name], called=f"{name} of a note")

    def _task(self, row: Row, content: str) -> None:
        indent = row.get("indent", "").strip() or "1"
        if not indent.isdecimal():
            raise ValueError(f"has a level that is no number, {indent!a}")
        level = int(indent)
        self._above = self._above[: max(level - 1, 0)]
        title = _LABEL.sub("", content)
        above = self._above[-1] if self._above else (self._section, None)
        identity = f"{above[0]}\0{' '.join(title.split())}"
        self._seen[identity] += 1
        if self._seen[identity] > 1:
            identity += f"\0{self._seen[identity]}"
        task = Task(id=values.uuid8(KEY, identity), metadata={}, tags=set(), parent_id=above[1])
        mapped = Mapped(KEY, task, ("content", "priority", "date"))
        task.title = title_from(title, values.TITLE_DEFAULT)
        if task.title != " ".join(each for each in title.split(" ") if each):  # it was cut, or has several lines
            mapped.keep("content", content)
        task.description = values.text("description", row.get("description", "")) or None
        urgency = row.get("priority", "").strip()
        task.priority = _PRIORITIES.get(urgency, values.PRIORITY_DEFAULT)
        if urgency and urgency not in _PRIORITIES:
            mapped.keep("priority", urgency)
        task.status = "open"
        for name in (*_LABEL.findall(content), self._section):
            if name and not mapped.tag(name):
                mapped.keep("label", name)
        self._date(mapped, row)
        for name in _others(row):
            if name not in _OF_TASKS:
                mapped.keep(name, row[name])
        self.items.append(Imported(content[:40], task, mapped.kept, mapped.nearly))
        self._above.append((identity, task.id))
        self._last = mapped

    def _date(self, mapped: Mapped, row: Row) -> None:
        """Take the date, or else the deadline; what is not taken exactly is kept."""
        named = row.get("timezone", "").strip()
        zone = _zone(named)
        for name in ("date", "deadline"):
            written = row.get(name, "").strip()
            found = _moment(written, zone) if written else None
            if found is not None and not mapped.task.due_date:
                mapped.task.due_date = found
            elif written:
                mapped.keep(name, written)
        if named and (zone is None or not mapped.task.due_date):
            mapped.keep("timezone", named)


def _others(row: Row) -> list[str]:
    """Return the names of what a row holds beside its text."""
    return [
        name for name, value in row.items() if value.strip() and name not in _OF_ROWS and not name.endswith("_lang")
    ]


def _zone(name: str) -> ZoneInfo | None:
    try:
        return ZoneInfo(name) if name else None
    except (KeyError, ValueError, OSError):
        return None


def _moment(written: str, where: datetime.tzinfo | None) -> str | None:
    """Return a date that is written in one of the usual ways; None for words such as ``every day``."""
    found = moment(written, where)
    for form in () if found else _FORMS:
        try:
            read = datetime.datetime.strptime(written.replace(",", ""), form)
        except ValueError:
            continue
        return moment(read if "%H" in form else read.date(), where)
    return found
