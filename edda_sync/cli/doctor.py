"""``edda doctor``: check the store, and fold its tables again."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import click

from edda_sync.cli.commands import Command
from edda_sync.cli.common import (
    count,
    database,
    home,
    json_option,
    note,
    opened,
    print_json,
    safe_line,
    say,
)
from edda_sync.cli.damaged import forget, remember
from edda_sync.cli.interrupts import keep
from edda_sync.cli.progress import Progress
from edda_sync.engine import aside as asides
from edda_sync.engine import doctor as doctors
from edda_sync.engine.file_checks import Finding
from edda_sync.words import exits
from edda_sync.words.errors import WAYS_BACK, CorruptError, DamagedStoreError, UsageError

# findings that are not about what is written wrongly in the store itself; each says what to do
_NO_DAMAGE = frozenset(("identity", "lives", "missing", "attachments"))
_CALLED = dict.fromkeys(("log", "membership"), "the log of changes") | {
    "file": "its file",
    "encryption": "its file",
}  # what other commands call damage; tables otherwise

if TYPE_CHECKING:
    from edda_sync.engine.engine import StorageEngine


@click.command("doctor", cls=Command)
@click.option("--rebuild", is_flag=True, help="Fold the log into fresh tables; nothing that was written is lost.")
@click.option("--network", is_flag=True, help="Check what it takes to meet other devices, instead of the store.")
@json_option
def doctor(rebuild: bool, network: bool, as_json: bool) -> None:
    """
    Check the store: the file, the chains of the log, the tables against the log, the digest against the rows.

    With --network: interface, multicast, port, firewall, certificate and clock of this machine, beside a running `edda up`
    or without one. It ends with 1 when something is not as it should be.
    """
    if network:
        from edda_sync.cli.examining import examine

        if rebuild:
            raise UsageError("--rebuild is about the store, and --network about the network: use one of them.")
        if not examine(as_json=as_json):
            click.get_current_context().exit(exits.FAILED)
        return
    rebuilt = None
    try:
        with opened() as store:
            if rebuild:
                rebuilt = _rebuild(store)
                keep()
            with Progress("Checking changes and items:") as progress:
                findings = doctors.check(store, progress)
    except CorruptError as error:  # the text of this error sends people to this command
        raise DamagedStoreError(str(database()), error.what) from error
    waiting = asides.outstanding(home())
    outstanding = asides.sentence([safe_line(str(folder)) for folder in waiting]) if waiting else ""
    if as_json:
        made = [Finding("rebuilt", True, rebuilt)] if rebuilt is not None else []
        if outstanding:
            findings.append(Finding("outstanding", True, outstanding))
        print_json([dataclasses.asdict(each) for each in (*made, *findings)])
    else:
        if rebuilt is not None:
            say(f"rebuilt  tables: {rebuilt}")
        for each in findings:
            say(f"{'sound  ' if each.sound else 'DAMAGED'}  {each.check}: {safe_line(each.detail)}")
        if outstanding:
            say(f"to do    outstanding: {outstanding}")
    damaged = {each.check for each in findings if not each.sound}
    written_wrong = [each.check for each in findings if not each.sound and each.check not in _NO_DAMAGE]
    if not written_wrong:
        forget(database())
    else:
        remember(database(), list(dict.fromkeys(_CALLED.get(each, "tables") for each in written_wrong)))
        if not rebuild and not damaged & {"log", "file"}:
            note("`edda doctor --rebuild` folds the tables anew from the log, which is sound.")
        else:
            note(
                "`edda sync`, while another device runs, and `edda export` may still save what is only here: try them "
                f"first. Then keep a copy of the store's folder, move {database().name} away, and {WAYS_BACK}."
            )
    if damaged:
        click.get_current_context().exit(exits.FAILED)


def _rebuild(store: StorageEngine) -> str:
    """Fold the log into new tables; return what was rebuilt, and what differed before."""
    missing = store.reading.missing()
    with Progress("Folding changes:") as progress:
        try:
            rebuilt = doctors.rebuild(store, progress)
        except CorruptError:
            remember(database(), [_CALLED["log"]])
            raise
    counts = store.counts()
    held = ", ".join(count(counts[key], key[:-1]) for key in ("tasks", "documents", "tags"))
    changes = f"{count(rebuilt.changes, 'change')} of the log"
    said = [f"made anew from {changes}: {held}, with their links, conflicts and full-text search"]
    if rebuilt.mended:
        said.append(f"put right: {', '.join(rebuilt.mended)}")
    elif rebuilt.different:
        said.append(
            "other rows than before: " + ", ".join(f"{n:,} in {table}" for table, n in rebuilt.different.items())
        )
    else:
        said.append("every row is the same as before")
    if missing:
        said.append(f"{count(missing, 'change')} that {'is' if missing == 1 else 'are'} missing given up")
    return "; ".join(said)
