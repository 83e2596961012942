"""
Where a text holds what a person looked for: one line of it, with the places of the words.

The index holds folded words, so the places are found anew in the text as it was written.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final, NamedTuple

from edda_sync.words import arguments, limits
from edda_sync.words.folding import spans
from edda_sync.words.model import TEXT_FIELDS, Document, Item, Task, kind_of
from edda_sync.words.phrases import Phrase, occurrences, phrases, places

_ELLIPSIS: Final = "…"
_BLANK: Final = re.compile(r"\s+")


WIDTH: Final = 100  # characters of an excerpt: a line of a terminal


class Excerpt(NamedTuple):
    """
    A line of a text.

    Attributes:
        text: The line, or a part of it between ellipses.
        marks: Where the words stand in it: start and end of each, in characters.
    """

    text: str
    marks: tuple[tuple[int, int], ...]


class Found(NamedTuple):
    """
    Where an item holds what was looked for.

    Attributes:
        title: The whole title.
        body: The line of the description or content that holds the most of it; None if none holds anything of it.
    """

    title: Excerpt
    body: Excerpt | None


def found_in(item: Item, text: str, width: int = WIDTH) -> Found:
    """
    Show where a task or document, as a query returned it, holds the words of that query.

    Args:
        item: The task or document.
        text: The text of the query, as in ``TaskQuery.text``.
        width: The most characters of a line that are returned.

    Raises:
        InvalidValueError: The text holds no word.
    """
    asked = phrases("text", text)
    arguments.of_type("item", item, (Task, Document), "an edda.Task or edda.Document")
    body = getattr(item, TEXT_FIELDS[kind_of(item)])
    return Found(Excerpt(item.title, marks(item.title, asked)), excerpt(body, asked, width) if body else None)


def excerpt(text: str, asked: Sequence[Phrase], width: int) -> Excerpt | None:
    """
    Return the first line that holds the most of what was looked for; None if no line holds anything of it.

    Args:
        text: The text. Only its beginning is looked through, if it is very long.
        asked: What was looked for.
        width: The most characters to return.
    """
    best, most = "", 0
    for line in text[: limits.EXCERPT_SOURCE_CHARACTERS_MAX].splitlines():
        held = sum(occurrences([each], [line]) > 0 for each in asked)
        if held > most:
            best, most = line, held
            if held == len(asked):
                break
    return _cut(_BLANK.sub(" ", best.strip()), asked, width) if most else None


def marks(line: str, asked: Sequence[Phrase]) -> tuple[tuple[int, int], ...]:
    """Return where a line holds what was looked for: starts and ends in characters, in order, not overlapping."""
    found = spans(line)
    words = [word for word, _, _ in found]
    held = sorted((found[at][1], found[at + len(each.words) - 1][2]) for each in asked for at in places(words, each))
    merged: list[tuple[int, int]] = []
    for start, end in held:
        if merged and start <= merged[-1][1]:
            merged[-1] = merged[-1][0], max(end, merged[-1][1])
        else:
            merged.append((start, end))
    return tuple(merged)


def _cut(line: str, asked: Sequence[Phrase], width: int) -> Excerpt:
    """Return the part of a line around the first mark."""
    held = marks(line, asked)
    start = 0
    if len(line) > width and held:
        start = max(0, min(held[0][0] - width // 4, len(line) - width))
        if start and (space := line.find(" ", start, held[0][0])) >= 0:
            start = space + 1
    end = min(len(line), start + width)
    before, behind = _ELLIPSIS if start else "", _ELLIPSIS if end < len(line) else ""
    shift = len(before) - start
    inside = ((max(one, start) + shift, min(other, end) + shift) for one, other in held if one < end and other > start)
    return Excerpt(before + line[start:end] + behind, tuple(inside))
