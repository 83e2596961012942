"""``--force``: whether a command may replace a file that is there."""

from __future__ import annotations

import os
from pathlib import Path

import click

from edda_sync.cli.common import safe_line
from edda_sync.words.errors import UsageError

force_option = click.option("--force", is_flag=True, help="Replace what is there.")


def check_free(path: Path | None, force: bool) -> None:
    """
    Refuse to overwrite an existing file without ``--force``. Call this before any work is done.

    Args:
        path: Where to write; None for nowhere.
        force: Whether ``--force`` was given.

    Raises:
        UsageError: Something is there, and stays as it is; or the folder does not exist.
    """
    if path is None:
        return
    shown = safe_line(str(path))
    if not os.path.lexists(path):
        if not path.parent.is_dir():
            raise UsageError(f"There is no folder {safe_line(str(path.parent))}; nothing was written: make it first.")
        return
    if path.exists() and not path.is_file():
        raise UsageError(f"{shown} is no ordinary file; nothing was written: name another one.")
    if not force:
        raise UsageError(f"{shown} is there already; nothing was written: --force replaces it.")
