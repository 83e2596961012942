"""
Passphrases: from the file that ``EDDA_PASSPHRASE_FILE`` names, or from a person.

A process has one terminal, so it sets once who asks there: ``ask_with``. Programs that use edda as a library set their own,
or the variable.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Final

from edda_sync.sealing.kdf import check_passphrase
from edda_sync.words import limits
from edda_sync.words.errors import NotPrivateError, UsageError

VARIABLE: Final = "EDDA_PASSPHRASE_FILE"

Ask = Callable[[str, bool], str]
"""Asks a person with a prompt; if it is a new passphrase, a second time, to see that both are the same."""

_ask: Ask | None = None


def ask_with(ask: Ask | None) -> None:
    """Set who asks a person for a passphrase in this process; None for nobody."""
    global _ask
    _ask = ask


def existing(path: Path) -> str:
    """
    Return the passphrase of a store.

    Args:
        path: The store's file, for the prompt.

    Raises:
        UsageError: There is no file with it, and nobody can be asked.
    """
    return _given(f"Passphrase of {path}", path, new=False)


def new(path: Path) -> str:
    """
    Return a new passphrase for a store.

    Raises:
        InvalidValueError: It is too short.
        UsageError: As :func:`existing`.
    """
    return check_passphrase(_given(f"New passphrase for {path}", path, new=True))


def _given(prompt: str, path: Path, *, new: bool) -> str:
    named = os.environ.get(VARIABLE)
    if named:
        return _from_file(Path(named))
    if _ask is None:
        raise UsageError(
            f"{path} needs its passphrase, and nobody can be asked here; nothing was changed: set {VARIABLE} to a file "
            "that holds it."
        )
    return _ask(prompt, new)


def _from_file(path: Path) -> str:
    """Return the first line of a file. It may also be a pipe, as of a shell's ``<(...)``."""
    try:
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            if stat.S_ISREG(mode) and mode & 0o077:
                raise NotPrivateError(str(path))
            raw = file.read(4 * limits.PASSPHRASE_CODE_POINTS_MAX + 2)
    except OSError as error:
        raise UsageError(
            f"The passphrase cannot be read from {path}, which {VARIABLE} names ({error.strerror}); nothing was changed."
        ) from None
    try:
        found = raw.decode("utf-8").split("\n")[0].removesuffix("\r")
    except UnicodeDecodeError:
        found = ""
    if not found:
        raise UsageError(
            f"{path}, which {VARIABLE} names, has no passphrase in its first line, as UTF-8; nothing was changed."
        )
    return found
