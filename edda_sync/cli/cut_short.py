"""
Edits that were cut short: the window of the terminal was closed, or the command was killed, while an editor was open.

Each edit has a folder of its own, with a mark in it until the command has said what became of the text. A mark that no
process holds is of an edit that was cut short, and the next edit names what that one left.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

PREFIX: Final = "edda-"  # of the name of an edit's folder
MARK: Final = ".edda-edits"  # a file in it, until the command has said what became of the text


@contextmanager
def marked(folder: Path, text: bytes) -> Iterator[list[int]]:
    """
    Mark a folder as one in which a text is being edited, in a ``with`` block; :func:`left` finds it if the block never ends.

    It yields the descriptor of the mark, if there is one: an editor that has it too goes on with the edit.

    Args:
        folder: The edit's own folder.
        text: The text before the edit.
    """
    with contextlib.ExitStack() as stack:
        held: list[int] = []
        with contextlib.suppress(OSError):  # a disk that is full now: the edit goes on without a mark
            mark = stack.enter_context((folder / MARK).open("xb"))
            stack.callback((folder / MARK).unlink, missing_ok=True)
            _hold(mark.fileno())
            mark.write(_name(text))
            mark.flush()
            held.append(mark.fileno())
        yield held


def left(place: Path) -> list[Path]:
    """
    Return the files that edits left which were cut short, each once; what holds nothing new is removed.

    Args:
        place: The folder in which edits have their folders.
    """
    found: list[Path] = []
    for mark in sorted(place.glob(f"{PREFIX}*/{MARK}")):
        with contextlib.suppress(OSError):  # it is another user's, another process looks too, or the edit goes on
            if mark.parent.lstat().st_uid != os.getuid():
                continue
            with mark.open("rb") as file:
                _hold(file.fileno())
                before = file.read()
                files = [each for each in sorted(mark.parent.iterdir()) if each != mark]
                new = [each for each in files if not each.is_file() or _name(each.read_bytes()) != before]
                new = [each for each in new if not each.is_file() or each.read_bytes().strip()]
                mark.unlink()
            found += new
            if not new:
                shutil.rmtree(mark.parent, ignore_errors=True)
    return found


def _name(text: bytes) -> bytes:
    return hashlib.blake2b(text, digest_size=32).digest()


def _hold(descriptor: int) -> None:
    """Hold a file until it is closed. Raises an OSError if another process holds it."""
    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
