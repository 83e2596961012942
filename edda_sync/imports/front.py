"""
Front: what the beginning of a Markdown file says of it. That is its front matter, a block of YAML between lines of ``---``,
and its first heading, as the blocks of CommonMark have it.

Values of YAML are read as text: ``no`` and ``1.10`` are names of tags like others.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final

from edda_sync.imports.moments import moment
from edda_sync.imports.source import title_from
from edda_sync.words import limits, values
from edda_sync.words.errors import InvalidValueError

_BLOCK: Final = re.compile(
    r"\ufeff?---[ \t]*\r?\n(?P<yaml>.*?)(?:^|(?<=\n))(?:---|\.\.\.)[ \t]*(?:\r?\n|\Z)", re.DOTALL
)
_CREATED: Final = ("created", "created_at", "created at", "date created", "date")
_CHANGED: Final = ("updated", "updated_at", "modified", "last_modified", "lastmod", "date modified")
_TAGS: Final = ("tags", "tag")


@dataclass(frozen=True, slots=True)
class Front:
    """
    What the front of a text says.

    Attributes:
        title: From the front matter, or else the first heading of the first level; empty if there is neither.
        tags: Names of tags.
        created_at: RFC 3339 UTC; None if it is not said.
        changed_at: When the text was changed, as the text says it.
        unread: What is there and could not be taken.
    """

    title: str = ""
    tags: frozenset[str] = frozenset()
    created_at: str | None = None
    changed_at: str | None = None
    unread: tuple[str, ...] = ()


def front_of(text: str) -> Front:
    """Return what the front of a Markdown text says."""
    text = text[: limits.FRONT_CODE_POINTS_MAX]
    block = _BLOCK.match(text)
    said: Any = None
    if block is not None:
        said = _loaded(block["yaml"])
        if said is None:
            return Front(_heading(text[block.end() :]), unread=("front matter",))
    if not isinstance(said, dict) or block is None:
        return Front(_heading(text))
    fields = {str(name).lower(): value for name, value in said.items()}
    unread: list[str] = []
    title = fields.get("title", "")
    if not isinstance(title, str):
        title = ""
        unread.append("title")
    return Front(
        title_from(title, "") or _heading(text[block.end() :]),
        _tags(next((fields[name] for name in _TAGS if name in fields), ""), unread),
        _moment(fields, _CREATED, unread),
        _moment(fields, _CHANGED, unread),
        tuple(unread),
    )


def title_of(text: str, otherwise: str) -> str:
    """
    Return the title of a Markdown text: that of its front matter, or else its first heading of the first level.

    Args:
        text: Markdown.
        otherwise: What to make a title of when there is none; what comes of it may be empty.
    """
    return front_of(text).title or title_from(otherwise, "")


def _loaded(block: str) -> Any:
    """Return what a block of YAML says, with every value as text; None if it is no YAML."""
    import yaml

    try:
        return yaml.load(block, Loader=yaml.BaseLoader) or {}  # noqa: S506 - it makes text, lists and mappings only
    except (yaml.YAMLError, RecursionError, ValueError):
        return None


def _heading(text: str) -> str:
    from markdown_it import MarkdownIt

    parser = MarkdownIt("commonmark")
    parser.core.ruler.enableOnly(["normalize", "block"])
    tokens = parser.parse(text.removeprefix("\ufeff"))
    for opening, inline in pairwise(tokens):
        if opening.type == "heading_open" and opening.tag == "h1" and opening.level == 0:
            title = title_from(inline.content, "")
            if title:
                return title
    return ""


def _tags(value: Any, unread: list[str]) -> frozenset[str]:
    """Return tags, written as a list, or as one text with commas or spaces between them."""
    listed = re.split(r"[,\s]+", value) if isinstance(value, str) and "," not in value else value
    if isinstance(listed, str):
        listed = listed.split(",")
    found = set()
    for each in listed if isinstance(listed, list) else [listed]:
        name = " ".join(each.split()).removeprefix("#") if isinstance(each, str) else None
        if name == "":
            continue
        try:
            found.add(values.line("tags", name))
        except InvalidValueError:
            unread.append("tags")
    return frozenset(found)


def _moment(fields: dict[str, Any], names: tuple[str, ...], unread: list[str]) -> str | None:
    name = next((name for name in names if fields.get(name)), None)
    if name is None:
        return None
    found = moment(fields[name])
    if found is None:
        unread.append(name)
    return found
