"""
todo.txt: one task a line, as tasks.

Projects and contexts become tags with their ``+`` and ``@``, so that a line can be told back. A line has no identity of its
own: a task is known by its key ``id:`` or ``uuid:``, or else by its words without what changes (done or not, priority,
dates), so a line whose words are edited is another task.

Source: the format's rules, github.com/todotxt/todo.txt.
"""

from __future__ import annotations

import re
from collections import Counter
from typing import IO, Final

from edda_sync.imports.kept import Mapped
from edda_sync.imports.lines import instead, other_format, why
from edda_sync.imports.moments import moment
from edda_sync.imports.source import Imported, Refused, Source, title_from
from edda_sync.words import values
from edda_sync.words.errors import InvalidValueError, UsageError
from edda_sync.words.model import Task

KEY: Final = "todotxt"

_LINE: Final = re.compile(r"(?P<done>x )?(?:\((?P<priority>[A-Z])\) )?(?P<text>.*)")
_DATE: Final = re.compile(r"\d{4}-\d\d-\d\d")
_TAG: Final = re.compile(r"[+@]\S+")
_PAIR: Final = re.compile(r"(?P<key>[^\W\d][^\s:]*):(?P<value>[^\s:/][^\s]*)")
_PRIORITIES: Final = {"A": 0, "B": 1, "C": 3, "D": 4}
_IDENTITY: Final = ("uuid", "id")


def parse(lines: IO[bytes]) -> Source:
    """
    Return the tasks of a file. A line that cannot be read is refused, and the others are returned.

    Raises:
        UsageError: The file is of another program, whose every line would be a task.
    """
    items: list[Imported] = []
    refused: list[Refused] = []
    seen: Counter[str] = Counter()
    for number, raw in enumerate(lines, 1):
        where = f"line {number:,}"
        if number == 1 and other_format(raw):
            raise UsageError(f"This is no todo.txt{instead(raw, KEY)}")
        try:
            line = raw.decode("utf-8-sig" if number == 1 else "utf-8").strip()
            if line:
                items.append(_imported(where, line, seen))
        except (ValueError, InvalidValueError) as error:
            refused.append(Refused(where, why(error)))
    return Source(KEY, items, refused)


def _imported(where: str, line: str, seen: Counter[str]) -> Imported:
    """Return the task of a line. ``seen`` counts the lines of one identity, since a file may have a line twice."""
    parts = _LINE.fullmatch(line)
    assert parts is not None, "every line is one of words at least"
    done, words = parts["done"] is not None, parts["text"].split()
    dates = _dates(words, 2 if done else 1)  # when it was done, and when it was made
    words = words[len(dates) :]
    pairs: dict[str, str] = {}
    for each in words:
        if found := _PAIR.fullmatch(each):
            pairs.setdefault(found["key"], found["value"])
    identity = next((f"{key}:{pairs[key]}" for key in _IDENTITY if key in pairs), "") or _words(words)
    seen[identity] += 1
    known = identity if seen[identity] == 1 else f"{identity}\0{seen[identity]}"
    task = Task(id=values.uuid8(KEY, known), metadata={}, tags=set())
    mapped = Mapped(KEY, task, ("priority", "due"))
    task.status = "done" if done else "open"
    task.priority = values.PRIORITY_DEFAULT
    letter = parts["priority"] or pairs.get("pri", "")
    if letter:
        task.priority = _PRIORITIES.get(letter, values.PRIORITY_DEFAULT + 2)
        if letter not in _PRIORITIES or letter == "D":
            mapped.keep("priority", letter)
    if done and dates:
        task.completed_at = dates.pop(0)
    if dates:
        task.created_at = dates[0]
    shown = []
    for each in words:
        pair = _PAIR.fullmatch(each)
        if _TAG.fullmatch(each) and mapped.tag(each):
            continue
        if pair is None:
            shown.append(each)
        elif pair["key"] == "due" and not task.due_date and (at := moment(pair["value"])):
            task.due_date = at
        elif pair["key"] != "pri" or pair["value"] != letter:
            mapped.keep(pair["key"], pair["value"])
    task.title = title_from(" ".join(shown), title_from(" ".join(words), values.TITLE_DEFAULT))
    return Imported(where, task, mapped.kept, mapped.nearly)


def _dates(words: list[str], most: int) -> list[str]:
    """Return the dates with which words begin, as moments. What only looks like a date is a word."""
    found: list[str] = []
    for each in words[:-1][:most]:
        at = moment(each) if _DATE.fullmatch(each) else None
        if at is None:
            break
        found.append(at)
    return found


def _words(words: list[str]) -> str:
    """Return what stays of a task when it is done, put off or gets another priority."""
    changing = ("due", "pri", "t", "rec")
    return " ".join(each for each in words if each.partition(":")[0] not in changing)
