"""The root of all errors, and functions that quote other people's text in error sentences."""

from __future__ import annotations

from typing import Final

from edda_sync.words import exits


class EddaError(Exception):
    """Base of all errors of edda-sync. Its text is one sentence for a person."""

    exit_code = exits.FAILED


def is_panic(error: BaseException) -> bool:
    """Tell whether an error is a panic of native code. pyo3 raises these as an exception that is not an ``Exception``."""
    return type(error).__name__ == "PanicException"


def is_bug(error: BaseException) -> bool:
    """Tell whether an exception means that code failed, and not that somebody ends the thread or the process."""
    return isinstance(error, Exception) or is_panic(error)


def shown(text: str, width: int = 60) -> str:
    """Return a piece of a person's input for the text of an error: quoted, short, and without control characters."""
    short = text if len(text) <= width else text[: width - 1] + "…"
    return repr(short)


LISTED: Final = ("task", "document", "tag", "device", "target", "backup", "index")  # kinds that a command lists


def command_of(kind: str) -> str:
    """Return the name of the command group that lists entities of a kind."""
    return {"document": "doc", "device": "devices", "target": "backup target"}.get(kind, kind)


def typed(word: str) -> str:
    """Return what a person typed as one word of a command, for advice that can be copied."""
    from shlex import quote

    return quote(" ".join(word.split()))


def bare(reason: str) -> str:
    """Return a sentence of somebody else, such as a peer, without its full stop, to be part of ours."""
    return reason.rstrip(".")


def named(peer: str, before: str = " ") -> str:
    """Return the beginning of a peer's id with a space before it; nothing if the peer is unknown."""
    return f"{before}{peer[:12]}" if peer else ""
