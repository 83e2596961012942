"""A store that must be there already: for commands that make no sense in an empty folder, and so make no store."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from edda_sync.cli.common import configuration, database, home, opened, safe_line
from edda_sync.engine.opening import has_identity, has_store, refuse_missing
from edda_sync.store.sqlite.opening import check_file
from edda_sync.words.errors import EddaError, NoStoreError
from edda_sync.words.folders import state_folder

if TYPE_CHECKING:
    from edda_sync.engine.engine import StorageEngine


def no_store() -> EddaError:
    """Return the error for what makes no sense where no store was ever made, or where nobody may look for one."""
    try:
        check_file(database())
    except EddaError as error:
        return error
    return NoStoreError(
        safe_line(str(home())),
        "with a recovery code, type `edda backup restore --recovery`; if another device is left, `edda invite` there and "
        "`edda join CODE` here; `edda init` begins anew",
    )


def check_store() -> None:
    """
    Check that there is a store, for a command that makes none.

    Raises:
        NoStoreError: There is none.
        StorageError, UsageError: A store was here, or is elsewhere, or something else is in its place.
    """
    config = configuration()
    if not has_store(config.database(home())):
        refuse_missing(home(), config.database(home()), state_folder(config))


@contextmanager
def existing() -> Iterator[StorageEngine]:
    """
    Open the store for a command that makes no sense without one, and so makes none.

    Raises:
        NoStoreError: There is none, and never was.
    """
    if not (has_store(database()) or has_identity(home())):
        raise no_store()
    with opened() as store:
        yield store
