"""
Recovering: a store for a machine that has none, or has lost it, from what an identity or a recovery code opens at a target.

The store is made in a folder of its own below the store's folder, and is moved to its place when it is whole: its file last.
If this is interrupted, it is done again from the beginning, and nothing was there before.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from edda_sync.backup.admitting import admit
from edda_sync.backup.code import RecoveryCode
from edda_sync.backup.entering import Entered, chosen, enter
from edda_sync.backup.imaging import Tell, taken
from edda_sync.backup.manifest import Manifest
from edda_sync.backup.naming import called, named, when
from edda_sync.backup.packs import PackedChunks, bring_here, read_index
from edda_sync.backup.reviving import revive
from edda_sync.backup.target import Target
from edda_sync.backup.whose import names_in
from edda_sync.engine import opening, standing
from edda_sync.engine.engine import StorageEngine
from edda_sync.sealing import keyfile
from edda_sync.transport import identity as identities
from edda_sync.transport.identity import Identity
from edda_sync.words import values
from edda_sync.words.callbacks import Callback
from edda_sync.words.config import FILES_FOLDER, ROCKSDB_FOLDER, StorageBackend, StorageConfig, absolute
from edda_sync.words.errors import (
    BackupError,
    BrokenBackupError,
    DamagedBackupError,
    NoObjectError,
    UsageError,
)
from edda_sync.words.files import disk_error, move_file, sync_folder
from edda_sync.words.folders import make_folder, state_folder

FOLDER: Final = "recovering"
"""In a store's folder: the store that is being made."""


@dataclass(frozen=True, slots=True)
class Recovered:
    """
    What came of it.

    Attributes:
        backup: The backup that was restored.
        device: The id of this device.
        is_new: Whether the device was not a member before.
        is_encrypted: Whether the store is encrypted on this disk.
        lacks: Why not all attached files came back; empty if they did.
    """

    backup: Manifest
    device: str
    is_new: bool
    is_encrypted: bool
    lacks: str


def recover(
    home: Path,
    config: StorageConfig,
    target: Target,
    code: RecoveryCode | None,
    number: int | None = None,
    maker: str | None = None,
    tell: Callable[[str], object] = lambda _doing: None,
    make_room: Callable[[], object] | None = None,
) -> Recovered:
    """
    Make the store of a folder from a backup, the newest one by default.

    With a code, this device is let into the workspace. Without one, its identity must have been kept, in the folder or in
    the keyring, and opens its own backups. Nothing else may run the device meanwhile (``device.control.only_runner``).

    Args:
        home: The store's folder.
        config: How the store is to be kept, and what to call this device.
        target: Where the backup lies.
        code: The recovery code, if one is used.
        number: The number of the backup; the newest one if None.
        maker: The name or id of the device that made it; by default the one that made the newest.
        tell: Is told in a few words what is being done.
        make_room: Called once everything is whole, to remove a store that is here and empty; None if there must be none.

    Raises:
        UsageError: There is a store already, or neither a code nor an identity.
        BackupError: No backup can be opened, or it does not hold what it says. Nothing was made.
        NotFoundError: There is no backup with that number, or of that device.
    """
    tell = Callback(tell, "The progress of a restoration")
    home = absolute(home)
    database = config.database(home)
    if make_room is None:
        _check_free(home, database)
    opening.check_not_lost(home, database, state_folder(config), anew=True)
    kept = identities.load(home)
    identity = kept if code is None else code.identity
    if identity is None:
        raise UsageError(
            f"No device's identity is left in {home}, so this takes the recovery code: add --recovery. Nothing was made."
        )
    tell("looking for what can be opened")
    entered, backup = chosen(enter(target, identity), number, maker, identity.device)
    apart = home / FOLDER
    _empty(apart)
    _last_stop(database).unlink(missing_ok=True)
    try:
        make_folder(apart)
        if kept is not None:
            identities.save(apart, kept)
        keyfile.copy(database, StorageConfig().database(apart))  # what was encrypted here is so again, under its key
        here = config.changed(database_path=None, rocksdb_path=None, file_storage_path=None)
        held = _held_at_once(entered, backup, identity, apart, here, tell)
        with StorageEngine(apart) as store:
            store.open_store(here, anew=True)
            made = refill(store, entered, backup, identity if code is None else code, tell=tell, held=held)
            own = store.identity
        if make_room is not None:
            make_room()
        _check_free(home, database)  # another command may have made one meanwhile
        identities.save(home, own)
        _move(apart, home, config)
    except BaseException:
        _empty(apart)  # it holds a key, and what was restored so far
        raise
    return made


def refill(
    store: StorageEngine,
    entered: Entered,
    backup: Manifest,
    opener: Identity | RecoveryCode,
    new: Identity | None = None,
    tell: Callable[[str], object] = lambda _doing: None,
    held: int = 0,
) -> Recovered:
    """
    Fill an empty store from a backup, and let it go on as a device of the workspace.

    Args:
        store: The store: open, and empty, or made of the first runs of the backup.
        entered: What was opened at the target.
        backup: The backup.
        opener: What opened it: the identity of this device, or a recovery code, which then lets this device in.
        new: With a code, the identity that this device gets if its folder has none; a new one by default.
        tell: Is told in a few words what is being done.
        held: How many runs of the backup are in the store (``imaging.taken``).

    Raises:
        BackupError: The backup does not hold what it says. The store can be thrown away.
        LimitError: The workspace has as many devices as it may have.
    """
    tell = Callback(tell, "The progress of a restoration")
    store.own.use(opener.identity if isinstance(opener, RecoveryCode) else opener)
    try:
        revive(store, entered.repository, backup, entered.keys.ring, tell, held)
    except (DamagedBackupError, NoObjectError) as error:
        raise _with_an_earlier_one(named(error, backup, names_in(entered.backups)), entered, backup) from error
    lacks = _bring_files(store, entered, backup, tell)
    known = {member.device for member in store.members()}
    if isinstance(opener, RecoveryCode):
        admit(store, opener, new)
    device = store.identity.device
    return Recovered(backup, device, device not in known, store.reading.is_encrypted(), lacks)


def _held_at_once(
    entered: Entered, backup: Manifest, identity: Identity, apart: Path, config: StorageConfig, tell: Tell
) -> int:
    """Write the store's file from the image of a backup, if it will be as that is; return how many runs are in it."""
    file = StorageConfig().database(apart)
    is_plain = config.encryption_config is None and not keyfile.path_of(file).exists()
    if config.backend != StorageBackend.SQLITE or not is_plain:
        return 0
    return taken(entered.repository, backup, identity.public_key, file, tell)


def _check_free(home: Path, database: Path) -> None:
    if opening.has_store(database):
        raise UsageError(f"There is a store in {home} already, and nothing was changed: restore into it, or elsewhere.")


def _bring_files(store: StorageEngine, entered: Entered, backup: Manifest, tell: Callable[[str], object]) -> str:
    """Bring the attached files of a backup; return why not all of them came. The rest of the store does not hang on them."""
    if not backup.packs:
        return ""
    tell("restoring attached files")
    try:
        indexes = [read_index(entered.repository, ref) for ref in backup.packs]
        bring_here(store, PackedChunks(entered.repository, indexes), tell=tell)
    except (DamagedBackupError, NoObjectError) as error:
        return str(named(error, backup, standing.names(store)))
    return ""


def _with_an_earlier_one(error: BackupError, entered: Entered, backup: Manifest) -> BackupError:
    """
    Return the error of a backup that cannot be restored, with another one that may be: the one before it by the same
    device, or the newest one of another device.
    """
    names = names_in(entered.backups)
    before = [each for each in entered.backups if each.device == backup.device and each.number < backup.number]
    others = [each for each in entered.backups if each.device != backup.device]
    if not (before or others):
        return error
    last = max(before, key=lambda each: each.number) if before else max(others, key=lambda each: each.made_ms)
    named_so = f"an earlier one, such as {last.number}" if before else f"one of {called(last, names)} with --device"
    why = error.why if isinstance(error, BrokenBackupError) else str(error)
    advice = f"nothing was made; name {named_so}, of {values.time_of(last.made_ms)[:10]}"
    return BrokenBackupError(backup.number, called(backup, names), when(backup), why, advice)


def _move(apart: Path, home: Path, config: StorageConfig) -> None:
    """Move a whole store to its place, its file last: without that, there is no store yet."""
    database = config.database(home)
    made = StorageConfig().database(apart)
    keys = keyfile.path_of(made)
    try:
        for source, place in (
            (apart / ROCKSDB_FOLDER, config.rocksdb(home)),
            (apart / FILES_FOLDER, config.files(home)),
            (keys, keyfile.path_of(database)),
            (Path(f"{made}-wal"), Path(f"{database}-wal")),  # the store's end leaves none, if it can
            (made, _last_stop(database)),
        ):
            _move_all(source, place)
        _empty(apart)  # before there is a store: afterwards nobody would look for the key in it
        _last_stop(database).rename(database)
        sync_folder(database.parent)
    except OSError as error:
        raise disk_error(database, error) from error


def _last_stop(database: Path) -> Path:
    """Return where the file of a store waits beside its place, until nothing else is left to do."""
    return database.with_name(f"{database.name}-{FOLDER}")


def _move_all(source: Path, place: Path) -> None:
    """Move a file or folder. What is in a folder that is there already stays, beside what comes."""
    if source.is_dir():
        place.mkdir(mode=0o700, parents=True, exist_ok=True)
        for each in source.iterdir():
            _move_all(each, place / each.name)
    elif source.exists():
        place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        move_file(source, place)


def _empty(apart: Path) -> None:
    try:
        shutil.rmtree(apart)
    except FileNotFoundError:
        return
    except OSError as error:
        raise disk_error(apart, error) from error
