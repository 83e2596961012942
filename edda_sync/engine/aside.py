"""
Stores that were put aside, and whose content is still to be brought along into the store that took their place.

A device that joins another workspace moves its store into a folder ``left-*`` of its own folder. If the content is to come
along, a note in that folder says so from before the store is moved until everything has been brought. So a join that was
interrupted, at whatever moment, can be continued.
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Final

from edda_sync.words.config import DATABASE_FILE
from edda_sync.words.errors import UsageError
from edda_sync.words.files import disk_error, make_folders, replace_file, sync_folder

PREFIX: Final = "left-"
NOTE_FILE: Final = "to-bring"
_ID_BYTES: Final = 16  # of a workspace


def plan(aside: Path, workspace: bytes) -> None:
    """
    Note durably, before a store is moved into a folder, that its content is to be brought along. Then move it there.

    Args:
        aside: The folder; it is created if it is missing.
        workspace: The id of the workspace into which it is to be brought, 16 bytes.

    Raises:
        StorageError: The note cannot be written.
    """
    try:
        make_folders(aside)
        replace_file(aside / NOTE_FILE, lambda file: file.write(workspace))
    except OSError as error:
        raise disk_error(aside / NOTE_FILE, error) from None


def done(aside: Path) -> None:
    """
    Take the note away, because everything was brought along, or is not to be any more.

    Raises:
        StorageError: It cannot be taken away.
    """
    try:
        (aside / NOTE_FILE).unlink(missing_ok=True)
        sync_folder(aside)
    except OSError as error:
        raise disk_error(aside / NOTE_FILE, error) from None


def held(home: Path, name: str) -> list[Path]:
    """Return the files of a name in the folders of stores that were put aside, in order; none where nobody may look."""
    try:
        return sorted(home.glob(f"{PREFIX}*/{name}"))
    except OSError:
        return []


def outstanding(home: Path) -> dict[Path, bytes]:
    """
    Return the folders of the stores that are still to be brought along, oldest first, each with the id of the workspace into
    which it was to be brought. Call :func:`done` after a store was brought.

    Args:
        home: The folder of the store that took their place.
    """
    found: dict[Path, bytes] = {}
    for note in held(home, NOTE_FILE):
        if (note.parent / DATABASE_FILE).exists():  # otherwise the store was not moved
            with suppress(OSError):
                found[note.parent] = note.read_bytes()[:_ID_BYTES]
    return found


def check_joined(home: Path) -> None:
    """
    Say how to go on in a folder without a store, if a join put it aside and was killed before it made a new one.

    Args:
        home: The folder.

    Raises:
        UsageError: It was.
    """
    for folder in outstanding(home):
        raise UsageError(
            f"This device has not joined yet, and the store that was here is in {folder}: `edda join CODE --bring`, with a "
            "new code of `edda invite`, joins and brings it along."
        )


def sentence(folders: list[str]) -> str:
    """
    Return what a person must know while stores are still to be brought along, and what to do.

    Args:
        folders: Their folders, as they may be shown; at least one.
    """
    where = f"the store that was here before is in {folders[0]}, and its"
    if len(folders) > 1:
        where = f"the stores that were here before are in {', '.join(folders)}, and their"
    return (
        f"{where} content was not, or not all, brought along yet; `edda join --bring` goes on, with a new code or "
        "without one"
    )
