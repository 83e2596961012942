"""
Where the credentials of targets are kept: in the system's keyring, in a private file, or only in the usual variables.

The file is ``backup-secrets.json`` in the store's folder. Each entry is one line, by the target's id.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

from edda_sync.backup.targets.credentials import Credentials, from_line, from_variables, variables_of
from edda_sync.backup.targets.explaining import Trouble
from edda_sync.backup.targets.known import ENVIRONMENT, FILE, KEYRING, Known
from edda_sync.sealing import vault
from edda_sync.words.errors import DamagedBackupError, KeyringError, TargetError, UsageError
from edda_sync.words.files import disk_error, locked, mend_file, replace_file, sweep_files
from edda_sync.words.limits import TARGETS_BYTES_MAX

SECRETS_FILE: Final = "backup-secrets.json"
_PREFIX: Final = "backup-target-"
_FORMAT: Final = 1


def keep(home: Path, id: str, credentials: Credentials, where: str | None) -> str:  # noqa: A002 - its name everywhere
    """
    Keep the credentials of a target.

    Args:
        home: The store's folder.
        id: The target's id.
        credentials: The credentials.
        where: :data:`~.known.KEYRING`, :data:`~.known.FILE` or :data:`~.known.ENVIRONMENT`; None for the keyring if there is
            a safe one, otherwise the file.

    Returns:
        Where they are.

    Raises:
        UsageError: They are to be in the keyring, and this machine has no safe one.
        StorageError: The file cannot be written.
    """
    if where == ENVIRONMENT:
        return ENVIRONMENT
    if where != FILE:
        if vault.put(_PREFIX + id, credentials.line()):
            return KEYRING
        if where == KEYRING:
            raise UsageError(
                "This machine has no keyring that keeps secrets, or it is locked; nothing was kept: unlock it, or keep the "
                "credentials in a file with --credentials file."
            )
    _change(home, lambda found: {**found, id: credentials.line()})
    return FILE


def find(home: Path, known: Known, environment: Mapping[str, str]) -> Credentials:
    """
    Return the credentials of a target.

    Raises:
        TargetError: They are not where they were kept, or are damaged; or the keyring cannot be reached now.
        StorageError: The file cannot be read.
    """
    kind = known.place.kind
    if known.credentials == ENVIRONMENT:
        found = from_variables(kind, environment)
        if found is None:
            raise TargetError(known.name, "its credentials are not in the environment", f"set {variables_of(kind)}")
        return found
    if known.credentials == KEYRING:
        try:
            line = vault.get(_PREFIX + known.id, "What opens a backup target") or ""
        except KeyringError as error:
            why, _, advice = error.why.partition(": ")
            raise TargetError(
                known.name, f"its credentials are in the system's keyring, which {why}", advice
            ) from error
        where = "the keyring"
    else:
        line, where = _read(home / SECRETS_FILE).get(known.id, ""), SECRETS_FILE
    found = from_line(kind, line)
    if found is None:
        advice = f"name them again with `edda backup target add NAME {known.place.url} --force`"
        raise Trouble(f"its credentials are missing from {where}, or damaged there", advice).of(known.name)
    return found


def drop(home: Path, known: Known) -> None:
    """Forget the credentials of a target, wherever they are."""
    if known.credentials == KEYRING:
        vault.remove(_PREFIX + known.id)
    elif known.credentials == FILE:
        _change(home, lambda found: {id_: line for id_, line in found.items() if id_ != known.id})


def _change(home: Path, work: Callable[[dict[str, str]], Mapping[str, str]]) -> None:
    path = home / SECRETS_FILE
    with locked(home):
        wanted = work(_read(path))
        try:
            if not wanted:
                path.unlink(missing_ok=True)
                return
            whole = {"format": _FORMAT, "secrets": wanted}
            sweep_files(home, time.time())  # what was killed here may have left secrets
            replace_file(path, lambda file: file.write(json.dumps(whole, indent=1).encode() + b"\n"))
        except OSError as error:
            raise disk_error(path, error) from None


def _read(path: Path) -> dict[str, str]:
    try:
        if not mend_file(path):
            return {}
        with path.open("rb") as file:
            raw = file.read(TARGETS_BYTES_MAX + 1)
    except OSError as error:
        raise disk_error(path, error) from None
    try:
        found: Any = json.loads(raw)
        secrets: Any = found["secrets"]
        if found["format"] != _FORMAT or not all(isinstance(each, str) for each in secrets.values()):
            raise ValueError
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        advice = "put it back from a backup, or delete it and add the targets again with --force"
        raise DamagedBackupError(str(path), "it holds no credentials of targets", advice) from None
    return dict(secrets)
