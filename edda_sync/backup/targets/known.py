"""
The targets of a store: ``backup-targets.json`` in its folder, which only its owner can read, and which holds no secret.

The file is written whole or not at all, and read strictly: a target that is not what was added could take backups
elsewhere.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

from edda_sync.backup.targets.place import FOLDER, Place, parse
from edda_sync.words import values
from edda_sync.words.config import StorageConfig
from edda_sync.words.errors import DamagedBackupError, InvalidValueError, LocalError, NotFoundError
from edda_sync.words.files import disk_error, locked, mend_file, replace_file
from edda_sync.words.folders import backups_folder
from edda_sync.words.limits import TARGET_NAME_CHARACTERS_MAX, TARGETS_BYTES_MAX

KNOWN_FILE: Final = "backup-targets.json"
USUAL: Final = "this-disk"
"""The name of the folder to which backups go if a store has no target."""
KEYRING, FILE, ENVIRONMENT, NOWHERE = "keyring", "file", "environment", "none"
"""Where the credentials of a target are: ``keeping`` reads them. ``none`` is that of a folder."""

SAME_DISK: Final = "disk"
"""What a target lacks that lies on the store's own disk."""
_FORMAT: Final = 1
_LACKS: Final = {"create", "swap", "part", "list", "delete", "clock", SAME_DISK}
_TEXTS: Final = ("name", "kind", "root", "prefix", "region", "endpoint", "account", "id", "credentials", "proved_at")


class Known(NamedTuple):
    """
    A target of a store.

    Attributes:
        name: What people call it.
        place: Where it is.
        id: Of a folder, what its marker says; otherwise under what its credentials are kept. 32 hexadecimal digits.
        credentials: Where they are: :data:`KEYRING`, :data:`FILE`, :data:`ENVIRONMENT` or :data:`NOWHERE`.
        proved_at: When it was proved, RFC 3339.
        lacks: What it does not keep; see ``proving.told``.
    """

    name: str
    place: Place
    id: str
    credentials: str
    proved_at: str
    lacks: tuple[str, ...]

    def plain(self) -> dict[str, Any]:
        """Return it for JSON. Nothing in it is secret."""
        return {
            "name": self.name, **self.place._asdict(), "id": self.id, "credentials": self.credentials,
            "proved_at": self.proved_at, "lacks": list(self.lacks),
        }  # fmt: skip


def load(home: Path) -> list[Known]:
    """
    Return the targets of the store in a folder, in the order in which they were added.

    Raises:
        DamagedBackupError: The file is not what was written; nothing in it was used.
        StorageError: It cannot be read, or others can.
    """
    path = home / KNOWN_FILE
    try:
        if not mend_file(path):
            return []
        with path.open("rb") as file:
            raw = file.read(TARGETS_BYTES_MAX + 1)
    except OSError as error:
        raise disk_error(path, error) from None
    try:
        if len(raw) > TARGETS_BYTES_MAX:
            raise ValueError("it is too long")
        return _decoded(json.loads(raw))
    except (ValueError, RecursionError, LocalError) as error:
        why = str(error) if isinstance(error, LocalError) else "it is no list of targets"
        advice = "put it back from a backup, or delete it and add the targets again with `edda backup target add`"
        raise DamagedBackupError(str(path), why, advice) from None


def find(home: Path, name: str) -> Known:
    """
    Return a target of the store in a folder.

    Raises:
        NotFoundError: There is none of that name.
    """
    for each in load(home):
        if each.name == name:
            return each
    raise NotFoundError("target", name)


def change(home: Path, work: Callable[[list[Known]], Sequence[Known]]) -> None:
    """
    Replace the targets of the store in a folder, while no other process changes them.

    Args:
        home: The folder, which exists.
        work: Returns the targets that are to be, given those that are.

    Raises:
        DamagedBackupError: The file is damaged, and stays as it is.
        StorageError: It cannot be written, and is as it was.
    """
    path = home / KNOWN_FILE
    with locked(home):
        whole = {"format": _FORMAT, "targets": [each.plain() for each in work(load(home))]}
        try:
            replace_file(path, lambda file: file.write(json.dumps(whole, indent=1).encode() + b"\n"))
        except OSError as error:
            raise disk_error(path, error) from None


def check_name(name: str) -> str:
    """
    Return the name of a target: one line that can be part of a command and of a file's name.

    Raises:
        InvalidValueError: It is no such name, or that of the usual folder.
    """
    values.line("name", name, code_points_max=TARGET_NAME_CHARACTERS_MAX)
    if name != name.strip() or name.startswith(("-", ".")) or "/" in name:
        raise InvalidValueError(
            "name", "begins with - or a dot, or has a / or spaces around it; choose another one", name
        )
    if name == USUAL:
        raise InvalidValueError("name", "is that of the folder of backups on this disk; choose another one", name)
    return name


def only_here(home: Path, config: StorageConfig) -> str | None:
    """
    Return what to tell about a store whose backups all lie on its own disk; None if some lie elsewhere.

    Raises:
        DamagedBackupError: The file of targets is damaged.
    """
    known = load(home)
    if any(SAME_DISK not in each.lacks for each in known):
        return None
    where = known[0].place.root if known else str(backups_folder(config))
    return (
        f"Backups go to {where}, on this disk: that helps against mistakes, and not against a lost disk; "
        "`edda backup target add NAME URL` names another place."
    )


def _decoded(found: Any) -> list[Known]:
    if not isinstance(found, dict) or found.keys() != {"format", "targets"} or not isinstance(found["targets"], list):
        raise ValueError
    if found["format"] != _FORMAT:
        raise InvalidValueError("format", "is that of a newer version: update edda-sync")
    known = [_one(each) for each in found["targets"]]
    if len({each.name for each in known}) < len(known):
        raise InvalidValueError("name", "is that of two targets")
    return known


def _one(found: Any) -> Known:
    if not isinstance(found, dict) or found.keys() != {*_TEXTS, "lacks"}:
        raise ValueError
    if not all(isinstance(found[each], str) for each in _TEXTS) or not isinstance(found["lacks"], list):
        raise ValueError
    place = Place(*(found[each] for each in Place._fields))
    is_folder = place.kind == FOLDER
    if (is_folder and not place.root.startswith("/")) or parse(place.url, *place[3:]) != place:
        raise InvalidValueError("place", "is none")
    if len(found["id"]) != 32 or found["id"].strip("0123456789abcdef"):
        raise InvalidValueError("id", "is none")
    if found["credentials"] not in ((NOWHERE,) if is_folder else (KEYRING, FILE, ENVIRONMENT)):
        raise InvalidValueError("credentials", "are in no such place")
    if not all(isinstance(each, str) and each in _LACKS for each in found["lacks"]):
        raise InvalidValueError("lacks", "holds what is unknown")
    proved_at = values.time("proved_at", found["proved_at"])
    return Known(check_name(found["name"]), place, found["id"], found["credentials"], proved_at, tuple(found["lacks"]))
