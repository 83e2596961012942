"""Lines of JSON: what the sources that are such files share."""

from __future__ import annotations

import json
from typing import Any, Final

_OURS: Final = {
    "task": frozenset(("parent_id", "agent_context")), "document": frozenset(("doc_type", "content_type")),
    "tag": frozenset(("name", "color")), "link": frozenset(("task_id", "document_id")),
    "attachment": frozenset(("document_id", "content_type")),
}  # fmt: skip
"""What only lines of ``edda export`` hold, by their kind."""


def loaded(line: bytes, number: int) -> Any:
    """
    Return the value of one line; None for an empty line.

    Args:
        line: Its bytes.
        number: Which line it is. A byte order mark may stand before the first one, 1.

    Raises:
        ValueError: It is not JSON in UTF-8, or an object has a key twice; pass it to :func:`why`.
        RecursionError: It is nested too deeply.
    """
    bare = line.removeprefix(b"\xef\xbb\xbf") if number == 1 else line
    return json.loads(bare.decode(), object_pairs_hook=_object) if bare.strip() else None


def is_exported(value: object) -> bool:
    """Tell whether a line's value is of ``edda export``, of which every line says what it is."""
    kind = value.get("kind") if isinstance(value, dict) else None
    marks = _OURS.get(kind) if isinstance(kind, str) else None
    return isinstance(value, dict) and marks is not None and marks <= value.keys()


def importer_of(line: bytes) -> str:
    """Return which import takes a file, by its first line: ``jsonl`` or ``beads``; empty if it is no export of either."""
    try:
        value = loaded(line, 1)
    except (ValueError, RecursionError):
        return ""
    if is_exported(value):
        return "jsonl"
    is_issue = isinstance(value, dict) and isinstance(value.get("id"), str) and isinstance(value.get("title"), str)
    return "beads" if is_issue else ""


def other_format(first: bytes) -> str:
    """Return which import takes a file that begins so, if it is none of plain lines of text; empty if it may be that."""
    start = first.removeprefix(b"\xef\xbb\xbf").strip()
    if start.upper() == b"BEGIN:VCALENDAR":
        return "ics"
    if start.upper().startswith(b"TYPE,CONTENT,"):
        return "todoist"
    if start == b"[" or (start.startswith((b'{"', b'[{"')) and start.endswith((b"}", b"},", b"}]"))):
        return importer_of(first) or "taskwarrior"
    return ""


def instead(first: bytes, own: str) -> str:
    """Return the end of a sentence that refuses a file: what takes it, by its first line, if that can be told."""
    other = other_format(first)
    known = other and other != own
    return (
        f"; nothing was imported: it looks like what `edda import {other}` takes."
        if known
        else "; nothing was imported."
    )


def why(error: Exception) -> str:
    """Return what to tell a person about a line that cannot be imported."""
    if isinstance(error, RecursionError):
        return "is nested too deeply"
    if isinstance(error, UnicodeDecodeError):
        return "is not UTF-8 text"
    if isinstance(error, json.JSONDecodeError):
        return f"is not JSON ({error.msg}, at character {error.pos + 1:,})"
    return str(error).rstrip(".")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        raise ValueError("has a key twice, and only one of its values could be kept")
    return made
