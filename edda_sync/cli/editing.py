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
from edda_sync.words.files import disk_error

# Nobody reads and leaves a text sooner. An editor with a window of its own returns at once.
AT_ONCE_S: Final = 1.5
_BYTE_ORDER: Final = "\ufeff"
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
    is told; so is what else the editor left beside it, such as what it had not saved. The file is also kept if the editor
    returned at once without a change, or with files of its own beside it, because it may still be open in a window. What
    an edit left that was cut short is named by the next one.

    Raises:
        UsageError: The editor cannot be run.
        ClickException: The editor failed, or removed the file.
        InvalidValueError: The result is not text, or too long.
        StorageError: The file cannot be written, for the reason in the error.
    """
    from edda_sync.cli import cut_short

    folder = _memory() if is_secret else None
    for each in cut_short.left(_place(folder)):
        note(f"An edit that was cut short left {safe_line(str(each))}.")
    path = _written(text, suffix, folder)
    with cut_short.marked(path.parent, text.encode()) as held:
        yield from _edited(path, text, held)


def _edited(path: Path, text: str, held: list[int]) -> Iterator[str]:
    began = time.monotonic()
    try:
        _run_editor(path, held)
        at_once = time.monotonic() - began < AT_ONCE_S
        yield _with_former_ends(text, decode_text("the edited text", _result(path)))
    except BaseException:
        if _is_new(path, text):
            note(f"What you wrote is kept in {path}.")
        elif _others(path, text):
            note(f"What the editor left is kept in {path.parent}.")
        else:
            _remove(path)
        raise
    if (at_once or _others(path, text)) and _is_same(path, text):
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


def _with_former_ends(before: str, after: str) -> str:
    """Return an edited text with line ends as it had them: an editor of Windows changes all, and puts a mark in front."""
    after = after if before.startswith(_BYTE_ORDER) else after.removeprefix(_BYTE_ORDER)
    is_changed = "\r" not in before and after.count("\r\n") == after.count("\r") == after.count("\n")
    return after.replace("\r\n", "\n") if is_changed else after


def _run_editor(path: Path, held: list[int]) -> None:
    import shlex
    import signal

    chosen = os.environ.get("VISUAL") or os.environ.get("EDITOR")
    if not chosen and not can_ask():  # one that nobody chose would wait for keys, or draw into a file
        raise UsageError(
            "There is no terminal for an editor, and neither VISUAL nor EDITOR is set; nothing was changed: say with "
            "options what to change."
        )
    editor = chosen or ("notepad" if os.name == "nt" else "vi")
    shown = safe_line(editor)
    try:
        code = _ran([*shlex.split(editor), str(path)], held)
    except (OSError, ValueError) as error:  # it is missing, may not be run, or has an unclosed quote
        why = getattr(error, "strerror", None) or error
        raise UsageError(
            f"The editor {shown} cannot be run ({why}); nothing was changed: set VISUAL or EDITOR to one that can."
        ) from None
    if code < 0:
        named = signal.Signals(-code).name
        raise click.ClickException(f"The editor {shown} was ended by {named}; nothing was changed.")
    if code != 0:
        raise click.ClickException(f"The editor {shown} ended with {code}; nothing was changed.")
    if not path.exists():
        raise click.ClickException(f"The editor {shown} took the file away; nothing was changed.")


def _ran(command: list[str], held: list[int]) -> int:
    """Run an editor, and return how it ended. Ctrl-C is for the editor, which may go on, and hold what was typed."""
    import signal
    import subprocess

    keys = [signal.SIGINT, *([signal.SIGQUIT] if os.name != "nt" else [])]
    former = {each: signal.getsignal(each) for each in keys if signal.getsignal(each) is not signal.SIG_IGN}
    try:
        for each in former:
            signal.signal(each, lambda *_: None)  # before it starts, which a signal ends as the system does
        return subprocess.Popen(command, pass_fds=() if os.name == "nt" else held).wait()
    finally:
        for each, handler in former.items():
            signal.signal(each, handler)


def _memory() -> str | None:
    """Return a folder in memory: the user's own until they log out, or the one that all share; None if there is none."""
    for folder in (os.environ.get("XDG_RUNTIME_DIR", ""), "/dev/shm"):  # noqa: S108 - the file in it is made private
        if os.path.isabs(folder) and os.access(folder, os.W_OK | os.X_OK):
            return folder
    return None


def _place(folder: str | None) -> Path:
    import tempfile

    return Path(folder or tempfile.gettempdir())


def _written(text: str, suffix: str, folder: str | None = None) -> Path:
    """Write a text into a new temporary folder that only its owner can read: editors write further files beside it."""
    import tempfile

    from edda_sync.cli.cut_short import PREFIX

    path = _place(folder)
    try:
        path = Path(tempfile.mkdtemp(prefix=PREFIX, dir=folder)) / f"text{suffix}"
        path.write_bytes(text.encode())
    except OSError as error:
        if path.name == f"text{suffix}":
            _remove(path)
        raise disk_error(path, error) from None
    path.chmod(0o600)
    return path


def _result(path: Path) -> bytes:
    try:
        return _left(path)
    except OSError as error:
        why = error.strerror or error
        raise click.ClickException(f"The edited text in {path} cannot be read ({why}); nothing was changed.") from None


def _left(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(limits.TEXT_BYTES_MAX + 1)


def _is_new(path: Path, text: str) -> bool:
    """Tell whether a file contains something that is nowhere else."""
    try:
        left = _left(path)
    except OSError:
        return path.exists()  # unknown: keep it
    return bool(left.strip()) and left != text.encode()


def _is_same(path: Path, text: str) -> bool:
    """Tell whether a file is as it was given to the editor."""
    try:
        return _left(path) == text.encode()
    except OSError:
        return False


def _others(path: Path, text: str) -> list[Path]:
    """Return what an editor left beside the file that holds something new, such as a swap file; not a copy of the text."""
    from edda_sync.cli.cut_short import MARK

    mark = path.with_name(MARK)
    with contextlib.suppress(OSError):
        return [each for each in path.parent.iterdir() if each not in (path, mark) and _is_new(each, text)]
    return []


def _remove(path: Path) -> None:
    import shutil

    shutil.rmtree(path.parent, ignore_errors=True)
