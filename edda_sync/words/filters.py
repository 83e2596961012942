"""
Filters as people type them behind ``edda task list`` and ``edda doc list``: ``milk +home -work due:week status:open,done``.

Each word is a condition, and all must hold. What is none of the forms below is a word to look for in titles and texts.

===========================  ===========================================================================
``+home``, ``tag:home``      carries the tag; ``#home`` says it too, as lists show it
``-work``, ``no-tag:work``   does not carry it
``overdue``                  is over, and neither done nor cancelled
``due:week``                 due in a span that :mod:`.spans` reads; ``due:none`` and ``due:any``
``due.before:friday``        due before it, or ``due.after``; ``due<friday``, ``<=``, ``>``, ``>=`` say it too
``status:open,done``         one of these statuses; ``active`` is open or in progress, ``all`` is any
``priority:0,1``             one of these priorities; ``priority:0-2`` is a range
``parent:ID``, ``under:ID``  subtasks of a task, or everything below it; ``parent:none`` is the top level
``document:ID``              linked to a document
``task:ID``                  a document that is linked to a task
``type:note``                a document of this type, or of one of several
``sort:due``                 in this order; ``sort:-due`` reverses it
``text:overdue``             looks for a word that would mean something else
``-text:milk``               does not hold the word; ``no-text:milk`` says it too
===========================  ===========================================================================
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from edda_sync.words import dates, limits, spans, values
from edda_sync.words.dates import Clock
from edda_sync.words.errors import InvalidValueError
from edda_sync.words.spans import Span

ACTIVE: Final = ("open", "in_progress")
NONE: Final = "none"
ANY: Final = "any"
ALL: Final = "all"
SORTS: Final = {
    "due": "due_date", "created": "created_at", "updated": "updated_at", "name": "title", "urgency": "urgent",
}  # fmt: skip
"""Shorter names of orders."""
_KEYS: Final = {
    "tag": "tags", "no-tag": "no_tags", "due": "due", "due.before": "due.before", "due.after": "due.after",
    "status": "status", "priority": "priority", "prio": "priority", "pri": "priority", "p": "priority", "parent": "parent",
    "under": "under", "document": "document", "doc": "document", "sort": "sort", "order": "sort", "text": "text",
    "no-text": "no_text",
}  # fmt: skip
_DOCUMENT_KEYS: Final = {
    "tag": "tags", "no-tag": "no_tags", "task": "task", "type": "types", "sort": "sort", "order": "sort", "text": "text",
    "no-text": "no_text",
}  # fmt: skip
# patterns; to compile one takes a while
_KEYED: Final = r"([A-Za-z.-]+):(.*)"
_COMPARED: Final = r"due(<=|>=|<|>|=)(.+)"
_RANGE: Final = r"(\d)-(\d)"
_STATUSES: Final = {
    "in-progress": "in_progress", "in progress": "in_progress", "started": "in_progress", "doing": "in_progress",
    "canceled": "cancelled", "todo": "open", "pending": "open", "completed": "done", "closed": "done", "finished": "done",
}  # fmt: skip
"""What other programs call a status."""


class Filter(NamedTuple):
    """
    What was asked for, as far as it was said.

    Attributes:
        statuses: The statuses of which one must hold; empty for any; None if nothing was said about them.
        priorities: The same for priorities; empty if nothing was said.
        tags, no_tags: Names of tags.
        due: Due dates; None for any.
        has_due: Whether there must be a due date; None for either.
        overdue: Whether only what is not settled yet counts.
        parent, under, document: References as they were typed; ``none`` for a parent that must be missing.
        task: A reference to a task that links to the document.
        types: The types of documents of which one must hold; empty for any.
        sort: A name of an order, maybe with ``-`` before it.
        words: Words to look for.
        no_words: Words that must not be found.
    """

    statuses: tuple[str, ...] | None = None
    priorities: tuple[int, ...] = ()
    tags: tuple[str, ...] = ()
    no_tags: tuple[str, ...] = ()
    due: Span | None = None
    has_due: bool | None = None
    overdue: bool = False
    parent: str | None = None
    under: str | None = None
    document: str | None = None
    task: str | None = None
    types: tuple[str, ...] = ()
    sort: str | None = None
    words: tuple[str, ...] = ()
    no_words: tuple[str, ...] = ()


def read(typed: Sequence[str], clock: Clock, kind: str = "task") -> Filter:
    """
    Return what a person asks for.

    Args:
        typed: The words, as a shell splits them.
        clock: The present moment of the person.
        kind: What is looked for: ``task`` or ``document``.

    Raises:
        InvalidValueError: A condition cannot be read, such as ``due:someday``.
    """
    found = Filter()
    for word in typed:
        found = _with(found, word, clock, kind)
    return found


def status(text: str) -> str:
    """Return the status that a person means by a word; the word itself if it is none."""
    said = text.strip().lower()
    return _STATUSES.get(said, said)


def statuses(field: str, text: str) -> tuple[str, ...]:
    """
    Return the statuses in a list such as ``open,done``; none for ``all``.

    Raises:
        InvalidValueError: One is none.
    """
    found: list[str] = []
    for each in text.split(","):
        said = status(each)
        if said == ALL:
            return ()
        if said != "active" and said not in values.STATUSES:
            raise InvalidValueError(field, f"must be {', '.join(values.STATUSES)}, active or all", each)
        found += ACTIVE if said == "active" else (said,)
    return tuple(dict.fromkeys(found))


def order(field: str, text: str, known: Sequence[str]) -> tuple[str, bool]:
    """
    Return the name of an order, and whether it is reversed.

    Args:
        field: What to call it in an error.
        text: What was typed; ``-`` before it reverses the order.
        known: The orders that are possible.

    Raises:
        InvalidValueError: There is no such order.
    """
    said = text.removeprefix("-").lower()
    name = said if said in known else SORTS.get(said, said)
    if name not in known:
        short = {meant: each for each, meant in SORTS.items() if meant.startswith(each)}
        names = ", ".join(short.get(each, each) for each in known)
        raise InvalidValueError(field, f"must be one of {names}, with - before it to reverse it", text)
    return name, text.startswith("-")


def turned(word: str) -> str:
    """Return what a dash before a condition means: ``no-tag:work`` for ``-work``, ``no-text:milk`` for ``-text:milk``."""
    if len(word) == 1 or word[:1] != "-" or " " in word.partition(":")[0]:
        return word
    key = word[1:].partition(":")[0].lower()
    return f"no-{word[1:]}" if ":" in word and (key in _KEYS or key in _DOCUMENT_KEYS) else f"no-tag:{word[1:]}"


# --- one word ---------------------------------------------------------------------------------------------------------


def _with(found: Filter, word: str, clock: Clock, kind: str = "task") -> Filter:
    """Return a filter with the condition of a word."""
    if len(word) > 1 and word[0] in "+#" and " " not in word:
        return found._replace(tags=(*found.tags, *values.names(word[1:])))
    word = turned(word)
    if kind == "task" and word.lower() == "overdue":
        return _due(found, spans.overdue(clock), clock)._replace(overdue=True)
    if kind == "task" and (match := re.fullmatch(_COMPARED, word)) is not None:
        return _due(found, _compared(match[1], match[2], clock), clock)
    match = re.fullmatch(_KEYED, word)
    key = None if match is None else (_KEYS if kind == "task" else _DOCUMENT_KEYS).get(match[1].lower())
    if match is not None and key is None:
        _refuse_nearly(word, match[1].lower(), kind)
    if match is None or key is None:
        return found._replace(words=(*found.words, word))
    value = match[2]
    if not value:
        raise InvalidValueError(
            match[1], f"lacks what comes behind the colon; text:{word} looks for it as a word", word
        )
    return _keyed(found, key, value, clock)


def _refuse_nearly(word: str, key: str, kind: str) -> None:
    """Refuse what is nearly a condition, and not meant to be a word."""
    from difflib import get_close_matches  # only for a mistake

    keys, others, other = (_KEYS, _DOCUMENT_KEYS, "documents") if kind == "task" else (_DOCUMENT_KEYS, _KEYS, "tasks")
    plain = key.removeprefix("no-")
    if plain != key and plain in {**keys, **others}:
        why = "cannot be asked for; a dash stands before a tag, as in -work, or before text:, as in -text:milk"
        raise InvalidValueError(f"-{plain}", why)
    if key in others:
        raise InvalidValueError(word, f"is a condition of {other}; text:{word} looks for it as a word")
    meant = next(iter(get_close_matches(key, [*keys], 1, 0.8)), "")
    if meant:
        raise InvalidValueError(word, f"names no condition; did you mean {meant}:? text:{word} looks for it as a word")


def _keyed(found: Filter, key: str, value: str, clock: Clock) -> Filter:
    if key in ("tags", "no_tags"):
        changed: dict[str, Any] = {key: (*getattr(found, key), *values.names(value))}
        return found._replace(**changed)
    if key.startswith("due"):
        if key == "due" and value.lower() in (NONE, ANY):
            return found._replace(has_due=value.lower() == ANY)
        if key == "due" and value.lower() == "overdue":
            return _with(found, "overdue", clock)
        span = {"due": spans.read, "due.before": _before, "due.after": _after}[key]("due", value, clock)
        return _due(found, span, clock)
    if key == "status":
        said = statuses("status", value)
        return found._replace(statuses=(*(found.statuses or ()), *said) if said else ())
    if key == "priority":
        return found._replace(priorities=(*found.priorities, *_priorities(value)))
    if key == "types":
        return found._replace(types=(*found.types, *value.split(",")))
    if key in ("text", "no_text"):
        name = "words" if key == "text" else "no_words"
        changed = {name: (*getattr(found, name), value)}
        return found._replace(**changed)
    changed = {key: value}
    return found._replace(**changed)


def _due(found: Filter, span: Span, clock: Clock) -> Filter:
    return found._replace(due=span if found.due is None else spans.both(found.due, span, clock))


def _before(field: str, value: str, clock: Clock) -> Span:
    return spans.before(dates.read(field, value, clock))


def _after(field: str, value: str, clock: Clock) -> Span:
    return spans.since(spans.behind(dates.read(field, value, clock)))


def _compared(sign: str, value: str, clock: Clock) -> Span:
    if sign == "=":
        return spans.read("due", value, clock)
    when = dates.read("due", value, clock)
    border = spans.behind(when) if sign in ("<=", ">") else when
    return spans.before(border) if "<" in sign else spans.since(border)


def _priorities(value: str) -> tuple[int, ...]:
    found: list[int] = []
    for each in value.split(","):
        match = re.fullmatch(_RANGE, each)
        low, high = match.groups() if match else (each, each)
        if not (low.isascii() and low.isdigit()) or not int(low) <= int(high) <= limits.PRIORITY_MAX:
            raise InvalidValueError(
                "priority",
                f"must be 0 (most urgent) to {limits.PRIORITY_MAX}, several with commas, or a range as 0-2",
                value,
            )
        found += range(int(low), int(high) + 1)
    return tuple(dict.fromkeys(found))
