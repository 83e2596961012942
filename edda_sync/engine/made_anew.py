"""Made anew: rows that rotted in a store's file, from the states of their items or from the log; see ``soundly``."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from edda_sync.crdt.keys import key_of
from edda_sync.engine.files import attached_to
from edda_sync.store.seams import StoreWriter
from edda_sync.store.sqlite.errors import is_fault
from edda_sync.words import values
from edda_sync.words.callbacks import LOG_NAME, log
from edda_sync.words.errors import (
    CorruptError,
    DamagedRowsError,
    InvalidValueError,
    LostStatesError,
    NestedError,
    StorageError,
)

if TYPE_CHECKING:
    from edda_sync.engine.opened import Opened
    from edda_sync.engine.writing import Writing
    from edda_sync.ledger.ledger import Ledger


def make_anew(opened: Opened, ledger: Ledger, writing: Writing, error: DamagedRowsError) -> None:
    """
    Make rows anew, and say so in the log of this process.

    Args:
        opened: The store.
        ledger, writing: Its write side.
        error: Says which rows are damaged.

    Raises:
        DamagedRowsError: The store cannot be written now.
        CorruptError: The log is damaged, too; nothing was changed.
    """
    try:
        if not _from_states(opened, ledger, error):
            _from_log(opened, writing)
    except CorruptError:
        raise
    except (StorageError, NestedError) as other:  # read-only, full, busy: what was asked cannot be answered now
        raise error from other
    import logging  # rarely needed

    what = f"{error.what} was damaged on this disk, and was made anew; watch this disk."
    log(logging.getLogger(LOG_NAME), logging.WARNING, what)


def _from_states(opened: Opened, ledger: Ledger, error: DamagedRowsError) -> bool:
    """Write rows again from states that are sound, or that are folded anew; tell whether the rows are sound then."""
    try:
        keys = [key_of(error.kind, values.id_bytes("id", each)) for each in error.ids]
    except InvalidValueError:  # the id is damaged
        return False

    def work(tx: StoreWriter, write: Callable[[StoreWriter], object]) -> None:
        before = tx.tables.counts()
        write(tx)
        if tx.tables.counts() != before:  # an index is damaged, and a row is there twice now
            raise error
        _look(tx, error)

    def show(tx: StoreWriter) -> None:
        ledger.fold(tx).show_again(keys)

    def fold(tx: StoreWriter) -> None:
        ledger.refold(tx, keys)

    for each in (show, fold) if keys else ():
        try:
            opened.store.transact(lambda tx, each=each: work(tx, each))  # type: ignore[misc]
            return True
        except StorageError as failed:
            if not isinstance(failed, CorruptError) and is_fault(failed):
                raise
    return False  # another row may be in the way, which no item has


def _look(tx: StoreWriter, error: DamagedRowsError) -> None:
    """Read rows again, which raises an error if one is damaged still, or belongs to no item."""
    for each in error.ids:
        if tx.tables.row(error.kind, each) is None:
            raise error
        if error.kind == "task":
            tx.edges.links_of(each, None)
        if error.kind == "document":
            attached_to(tx, each)
    if error.kind != "tag":
        tx.edges.tags_of(error.kind, error.ids)


def _from_log(opened: Opened, writing: Writing) -> None:
    """Make all tables anew; a table that cannot even be emptied is taken out of the file."""
    try:
        writing.rebuild()
    except LostStatesError:
        raise
    except CorruptError:
        if opened.file is None or not opened.file.checks.damaged_parts(thorough=True):  # it is the log that is damaged
            raise
        opened.file.checks.forget_damaged()
        writing.rebuild()
