"""
What is remembered about a damaged store, so that a command which writes can say it without reading the whole file.

Whatever looks through the file notes the damage in a small file beside it: `edda status`, `edda conflicts`, `edda up` and
`edda doctor`. Only the doctor takes the note away, since the others look less closely.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from edda_sync.words.files import replace_file

SUFFIX: Final = "-damaged"
_PARTS_MAX: Final = 1_000  # bytes that are read of a note: each names a few parts


def remember(database: Path, parts: Sequence[str]) -> None:
    """
    Note which parts of a store are damaged. Where nothing can be written, nothing is noted.

    Args:
        database: The store's file.
        parts: What is damaged, in words for a person; if it is nothing, an earlier note stays.
    """
    if parts:
        with contextlib.suppress(OSError):
            noted = f"{database.stat().st_ino}\n{', '.join(parts)}".encode()
            if _read(database) != noted:
                replace_file(_note(database), lambda file: file.write(noted))


def forget(database: Path) -> None:
    """Take the note away, because the store is sound."""
    with contextlib.suppress(OSError):
        _note(database).unlink()


def known(database: Path, parts: Sequence[str]) -> list[str]:
    """
    Note which parts of a store are damaged, and return them with those that were noted earlier.

    Args:
        database: The store's file.
        parts: What a look found, in words for a person; it looks less closely than the doctor, whose note stays.
    """
    earlier = noted(database)
    found = [*filter(None, earlier.split(", ")), *(each for each in parts if each not in earlier.split(", "))]
    remember(database, found)
    return found


def noted(database: Path) -> str:
    """Return which parts of a store were found damaged; empty if none were, or the note is about another file."""
    inode, _, parts = _read(database).decode(errors="replace").partition("\n")
    with contextlib.suppress(OSError):
        return parts if inode == str(database.stat().st_ino) else ""
    return ""


def _note(database: Path) -> Path:
    return database.with_name(f"{database.name}{SUFFIX}")


def _read(database: Path) -> bytes:
    try:
        with _note(database).open("rb") as file:
            return file.read(_PARTS_MAX)
    except OSError:
        return b""
