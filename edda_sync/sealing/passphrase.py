"""Passphrases: from the file that ``EDDA_PASSPHRASE_FILE`` names, or from a person, whom ``words.asking`` asks."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Final

from edda_sync.sealing.kdf import check_passphrase
from edda_sync.words import asking, limits
from edda_sync.words.errors import NotPrivateError, UsageError

VARIABLE: Final = "EDDA_PASSPHRASE_FILE"
NEW_VARIABLE: Final = "EDDA_NEW_PASSPHRASE_FILE"


def existing(path: Path) -> str:
    """
    Return the passphrase of a store.

    Args:
        path: The store's file, for the prompt.

    Raises:
        UsageError: There is no file with it, and nobody can be asked.
    """
    return _given(f"Passphrase of {path}", path, VARIABLE, is_new=False)


def new(path: Path, *, is_another: bool = False) -> str:
    """
    Return a new passphrase for a store.

    Args:
        path: The store's file, for the prompt.
        is_another: Whether it replaces a passphrase. Then ``EDDA_NEW_PASSPHRASE_FILE`` names its file.

    Raises:
        InvalidValueError: It is too short.
        UsageError: As :func:`existing`.
    """
    variable = NEW_VARIABLE if is_another else VARIABLE
    return check_passphrase(_given(f"New passphrase for {path}", path, variable, is_new=True))


def _given(prompt: str, path: Path, variable: str, *, is_new: bool) -> str:
    named = os.environ.get(variable)
    if named:
        return _from_file(Path(named), variable)
    ask = asking.asker()
    given = None if ask is None else ask(prompt, is_new)
    if given is None:
        raise UsageError(
            f"{path} needs its passphrase, and nobody can be asked here; nothing was changed: set {variable} to a file "
            "that holds it."
        )
    return given


def _from_file(path: Path, variable: str) -> str:
    """Return the first line of a file. It may also be a pipe, as of a shell's ``<(...)``."""
    try:
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            if stat.S_ISREG(mode) and mode & 0o077:
                raise NotPrivateError(str(path))
            raw = file.read(4 * limits.PASSPHRASE_CODE_POINTS_MAX + 2)
    except OSError as error:
        raise UsageError(
            f"The passphrase cannot be read from {path}, which {variable} names ({error.strerror}); nothing was changed."
        ) from None
    try:
        found = raw.decode("utf-8").split("\n")[0].removesuffix("\r")
    except UnicodeDecodeError:
        found = ""
    if not found:
        raise UsageError(
            f"{path}, which {variable} names, has no passphrase in its first line, as UTF-8; nothing was changed."
        )
    return found
