"""Where a backup gets its targets: those that a store knows, or the usual folder. Also how one is added and removed."""

from __future__ import annotations

import os
import secrets
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from edda_sync.backup.target import Target
from edda_sync.backup.targets import keeping, proving
from edda_sync.backup.targets.credentials import Credentials
from edda_sync.backup.targets.folder import FolderTarget, found, mark
from edda_sync.backup.targets.known import NOWHERE, USUAL, Known, change, check_name, find, load
from edda_sync.backup.targets.mounts import is_same_disk
from edda_sync.backup.targets.objects import ObjectTarget
from edda_sync.backup.targets.place import FOLDER, MEMORY, Place
from edda_sync.backup.targets.timed import TimedTarget
from edda_sync.words import values
from edda_sync.words.config import StorageConfig
from edda_sync.words.errors import UsageError
from edda_sync.words.errors.root import shown
from edda_sync.words.folders import backups_folder, make_folder


def opened(home: Path, known: Known, environment: Mapping[str, str] = os.environ) -> Target:
    """
    Return a target of the store in a folder.

    Whether it is there, and where its credentials are, is looked at when it is used. So one of which something is missing
    does not keep backups from the others.
    """
    if known.place.kind == FOLDER:
        return TimedTarget(FolderTarget(known.name, Path(known.place.root), known.id))
    return TimedTarget(ObjectTarget(known.name, known.place, lambda: keeping.find(home, known, environment)))


def usual(config: StorageConfig) -> Target:
    """Return the folder of backups of a store without targets, see ``known.only_here``. It is made when it is written."""
    return TimedTarget(FolderTarget(USUAL, backups_folder(config), None))


def unremembered(place: Place, credentials: Credentials) -> Target:
    """
    Return a place that no store remembers, such as to restore from it. It is neither proved nor written by this.

    Raises:
        TargetError: The folder is not here.
    """
    if place.kind != FOLDER:
        return TimedTarget(ObjectTarget(place.url, place, credentials))
    return TimedTarget(found(place.url, Path(place.root)))


def named(home: Path, config: StorageConfig, name: str | None = None) -> list[Target]:
    """
    Return the targets to which the backups of a store go: the one of a name, or all, or the usual folder if there are
    none.

    Raises:
        NotFoundError: There is none of that name.
    """
    if name == USUAL:
        return [usual(config)]
    known = load(home) if name is None else [find(home, name)]
    return [opened(home, each) for each in known] or [usual(config)]


def all_of(home: Path, config: StorageConfig) -> list[Target]:
    """Return the targets of a store, and the usual folder, too, if backups from before there were any lie there."""
    found = named(home, config)
    before = load(home) and backups_folder(config).is_dir()
    return [*found, usual(config)] if before else found


def add(
    home: Path, name: str, place: Place, credentials: Credentials, *, where: str | None = None, force: bool = False
) -> Known:
    """
    Let a place prove that it can be a target, and remember it.

    Args:
        home: The store's folder; it is made when it is missing.
        name: What to call it.
        place: Where it is.
        credentials: What opens it.
        where: Where to keep them; see ``keeping.keep``.
        force: Whether it may replace a target of this name.

    Returns:
        The target; ``proving.told`` says what it lacks.

    Raises:
        UsageError: There is one of this name or at this place, or it would lie in the store's own folder or in memory.
        TargetError: It cannot be reached, or does not keep what backups need. Nothing was remembered.
    """
    check_free(home, name, place, force=force)
    if place.is_plain and "sas_token" in credentials.values:
        raise UsageError("A SAS token is sent as it is, and that server is spoken to without TLS: use an account key.")
    lacks: tuple[str, ...] = ()
    if place.kind == FOLDER:
        id_ = mark(name, Path(place.root))
        for each in load(home):
            if each.name != name and each.id == id_:  # the same drive, where it was not before
                raise _known(each)
        inner: FolderTarget | ObjectTarget = FolderTarget(name, Path(place.root), id_)
        lacks = (proving.SAME_DISK,) if is_same_disk(home, Path(place.root)) else ()
    else:
        id_ = secrets.token_hex(16)
        inner = ObjectTarget(name, place, credentials)
    lacks += proving.prove(TimedTarget(inner)).lacks
    make_folder(home)
    kept = NOWHERE if place.kind == FOLDER else keeping.keep(home, id_, credentials, where)
    now = values.time("proved_at", datetime.now(UTC))
    added = Known(name, place, id_, kept, now, lacks)
    replaced: list[Known] = []

    def put(found: list[Known]) -> list[Known]:
        replaced.extend(each for each in found if each.name == name)
        if replaced and not force:  # another process was faster
            raise _taken(name)
        return [*(each for each in found if each.name != name), added]

    try:
        change(home, put)
    except BaseException:
        keeping.drop(home, added)
        raise
    for each in replaced:
        keeping.drop(home, each)
    return added


def remove(home: Path, name: str) -> Known:
    """
    Forget a target and its credentials. What lies there stays.

    Raises:
        NotFoundError: There is none of that name.
    """
    known = find(home, name)
    keeping.drop(home, known)
    change(home, lambda found: [each for each in found if each.name != name])
    return known


def check_free(home: Path, name: str, place: Place, *, force: bool) -> None:
    """
    Check what can be checked before a person is asked for credentials.

    Raises:
        UsageError: There is a target of this name or at this place, or it would lie in the store's own folder or in memory.
        InvalidValueError: That is no name.
    """
    check_name(name)
    if not force and any(each.name == name for each in load(home)):
        raise _taken(name)
    for each in load(home):
        if each.name != name and each.place == place:
            raise _known(each)
    if place.kind == MEMORY:
        raise UsageError("A target in memory ends with the command that makes it; name a folder or a bucket.")
    if place.kind == FOLDER and _is_within(Path(place.root), home):
        raise UsageError("That folder is in the store's own, and would be lost with it; name another one.")


def _known(known: Known) -> UsageError:
    return UsageError(
        f"That is the backup target {shown(known.name)} already, and nothing was changed: `edda backup target add "
        f"{known.name} PLACE --force` gives it a new place or new credentials."
    )


def _taken(name: str) -> UsageError:
    return UsageError(f"There is a backup target {shown(name)} already; --force replaces it. Nothing was changed.")


def _is_within(path: Path, folder: Path) -> bool:
    real, outer = Path(os.path.realpath(path)), Path(os.path.realpath(folder))
    return real == outer or outer in real.parents
