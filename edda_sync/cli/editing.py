"""
Texts that a person rewrites, in an editor or as a whole. What the person wrote is kept in a file if it cannot be saved.
A text is emptied only if that is meant. `edda undo` brings back what was there.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import click

from edda_sync.cli.common import can_ask, decode_text, note, safe_line, tags_option
from edda_sync.words import limits
from edda_sync.words.errors import UsageError, command_of

# Nobody reads and leaves a text sooner. An editor with a window of its own returns at once.
AT_ONCE_S: Final = 1.5
ALLOW: Final = "--allow-empty"
allow_empty_option = click.option(ALLOW, is_flag=True, help="Let a text that held something become empty.")
untag_option = tags_option("--untag", "untags", help="Take a tag off; several with commas, or given again.")
unset_option = click.option(
    "--unset-metadata", "unset", metavar="KEY", multiple=True, help="Remove a key; may be given again."
)


@contextmanager
def edited(text: str, suffix: str, *, is_secret: bool = False) -> Iterator[str]:
    """
    Let a person edit a text in their editor (VISUAL, EDITOR, or vi), byte for byte; yield the result.

    Args:
        text: The text.
        suffix: The end of the file's name, by which editors know what it is.
        is_secret: Whether the text is of an encrypted store. Its file is then in memory, where the system has such a folder.

    If anything goes wrong from then on, in the editor or in the block, the file with the result is kept, and the person
    is told. The file is also kept if the editor returned at once without a change, because it may still be open in a
    window.

    Raises:
        UsageError: The editor cannot be run.
        ClickException: The editor failed, or removed the file.
        InvalidValueError: The result is not text, or too long.
    """
    path = _written(text, suffix, _memory() if is_secret else None)
    began = time.monotonic()
    try:
        _run_editor(path)
        at_once = time.monotonic() - began < AT_ONCE_S
        yield decode_text("the edited text", _left(path))
    except BaseException:
        if _is_new(path, text):
            note(f"What you wrote is kept in {path}.")
        else:
            _remove(path)
        raise
    if at_once and _is_same(path, text):
        note(
            f"The editor returned at once; if it is still open, what you save there is in {path} and not here: set VISUAL "
            "or EDITOR to one that waits, such as `code --wait`."
        )
    else:
        _remove(path)


def check_emptied(kind: str, reference: str, before: str | None, after: str | None, *, allowed: bool) -> None:
    """
    Let a text with content become empty only if that was confirmed: by an option, or by a question on a terminal.

    Args:
        kind: ``task`` or ``document``.
        reference: How the item was named on the command line.
        before, after: The present text, and the new one.
        allowed: Whether ``--allow-empty`` was given.

    Raises:
        UsageError: It was not confirmed, and nobody can be asked.
        ClickException: The person answered no.
    """
    if allowed or _is_blank(before) or not _is_blank(after):
        return
    field = "description" if kind == "task" else "content"
    command, named = f"edda {command_of(kind)}", safe_line(reference)
    loss = f"That would empty the {field} of this {kind} ({len((before or '').encode()):,} bytes)"
    if not can_ask():
        raise UsageError(
            f"{loss}; nothing was changed: `{command} show {named}` still shows it, and "
            f'`{command} edit {named} --{field} "" {ALLOW}` empties it.'
        )
    if not click.confirm(f"{loss}. Empty it?", err=True):
        raise click.ClickException("Nothing was changed.")
    note(f"The {field} that it had is kept in {_written(before or '', '.md')}.")


def _is_blank(text: str | None) -> bool:
    return not (text or "").strip()


def _run_editor(path: Path) -> None:
    import shlex
    import subprocess

    editor = os.environ.get("VISUAL") or os.environ.get("EDITOR") or ("notepad" if os.name == "nt" else "vi")
    shown = safe_line(editor)
    try:
        code = subprocess.run([*shlex.split(editor), path], check=False).returncode
    except (OSError, ValueError) as error:  # it is missing, may not be run, or has an unclosed quote
        why = getattr(error, "strerror", None) or error
        raise UsageError(
            f"The editor {shown} cannot be run ({why}); nothing was changed: set VISUAL or EDITOR to one that can."
        ) from None
    if code != 0:
        raise click.ClickException(f"The editor {shown} ended with {code}; nothing was changed.")
    if not path.exists():
        raise click.ClickException(f"The editor {shown} took the file away; nothing was changed.")


def _memory() -> str | None:
    """Return a folder in memory: the user's own until they log out, or the one that all share; None if there is none."""
    for folder in (os.environ.get("XDG_RUNTIME_DIR", ""), "/dev/shm"):  # noqa: S108 - the file in it is made private
        if os.path.isabs(folder) and os.access(folder, os.W_OK | os.X_OK):
            return folder
    return None


def _written(text: str, suffix: str, folder: str | None = None) -> Path:
    """Write a text into a new temporary file that only its owner can read."""
    import tempfile

    descriptor, path = tempfile.mkstemp(prefix="edda-", suffix=suffix, dir=folder)
    with os.fdopen(descriptor, "wb") as file:
        file.write(text.encode())
    return Path(path)


def _left(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(limits.TEXT_BYTES_MAX + 1)


def _is_new(path: Path, text: str) -> bool:
    """Tell whether a file contains something that is nowhere else."""
    try:
        left = _left(path)
    except OSError:
        return path.is_file()  # unknown: keep the file
    return bool(left.strip()) and left != text.encode()


def _is_same(path: Path, text: str) -> bool:
    """Tell whether a file is as it was given to the editor."""
    try:
        return _left(path) == text.encode()
    except OSError:
        return False


def _remove(path: Path) -> None:
    with contextlib.suppress(OSError):  # an editor may have removed it, or put something else there
        path.unlink()
