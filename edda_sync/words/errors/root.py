"""The root of all errors, and how their sentences quote what others said."""

from __future__ import annotations

from typing import Final

from edda_sync.words import exits


class EddaError(Exception):
    """Base of all errors of edda-sync; its text is one sentence for a person."""

    exit_code = exits.FAILED


def is_panic(error: BaseException) -> bool:
    """Tell whether native code failed in a way that it did not foresee; pyo3 raises that as no ``Exception``."""
    return type(error).__name__ == "PanicException"


def is_bug(error: BaseException) -> bool:
    """Tell whether an exception says that code failed, and not that somebody wants the thread or the process to end."""
    return isinstance(error, Exception) or is_panic(error)


def shown(text: str, width: int = 60) -> str:
    """Return a piece of a person's input in quotes, short and without control characters, for the text of an error."""
    short = text if len(text) <= width else text[: width - 1] + "…"
    return repr(short)


LISTED: Final = ("task", "document", "tag", "device")  # kinds that a command lists


def command_of(kind: str) -> str:
    """Return the group of commands that lists entities of a kind."""
    return {"document": "doc", "device": "devices"}.get(kind, kind)


def bare(reason: str) -> str:
    """Return a sentence of somebody else, such as a peer, as a part of ours."""
    return reason.rstrip(".")


def named(peer: str, before: str = " ") -> str:
    """Return the beginning of a peer's id with a space before it; nothing for a peer that nobody knows."""
    return f"{before}{peer[:12]}" if peer else ""
