"""``edda backup``: now, list, verify."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

from edda_sync.cli import times
from edda_sync.cli.columns import print_table
from edda_sync.cli.commands import Command
from edda_sync.cli.common import (
    PROGRESS_AFTER_S,
    can_redraw,
    configuration,
    count,
    database,
    home,
    json_option,
    note,
    print_json,
    safe_line,
    say,
)
from edda_sync.cli.existing import existing
from edda_sync.engine.opening import has_store
from edda_sync.words import exits, values
from edda_sync.words.errors import BackupError, NotFoundError, TargetError, UsageError
from edda_sync.words.units import size_in_words

if TYPE_CHECKING:
    from edda_sync.backup.manager import BackupManager
    from edda_sync.backup.manifest import Included, Manifest
    from edda_sync.backup.target import Target
    from edda_sync.engine.engine import StorageEngine

device_option = click.option(
    "--device", "maker", metavar="NAME", help="Of this device, by its name or id; of this one by default."
)
target_option = click.option("--target", "name", metavar="NAME", help="Only this target; all of them by default.")


@click.command("now", cls=Command)
@target_option
@click.option(
    "--wait-converged",
    "wait_s",
    type=click.FloatRange(0),
    metavar="SECONDS",
    help="Sync with the other devices first, and wait so long for all of them to be proved equal.",
)
@json_option
def now(name: str | None, wait_s: float | None, as_json: bool) -> None:
    """
    Make a backup of everything, and prove that it can be restored.

    Only what is new since the last one is written. It says which devices are in it. Ends with 4 if backup.require_converged
    is set, and a device was not proved equal to it; it is made all the same.
    """
    from edda_sync.backup.targets.known import only_here
    from edda_sync.cli.recovery import NO_CODE
    from edda_sync.workspace import codes

    policy = configuration().backup_config
    if wait_s and has_store(database()):
        from edda_sync.cli import converging

        converging.wait(wait_s)
    with existing() as store:
        made: list[dict[str, Any]] = []
        is_enough, is_failed = True, False
        targets = targets_of(store, name)
        for target in targets:
            try:
                with told(f"looking at {target.name}") as tell:
                    result = manager_of(store, target).back_up(tell)
            except BackupError as error:
                if len(targets) == 1:
                    raise
                is_failed = True  # such as a drive that is away: the others are good places all the same
                made.append({"target": target.name, "is_new": False, "error": str(error)})
                note(f"No backup at {safe_line(target.name)}: {safe_line(str(error))}")
                continue
            made.append({"target": target.name, "is_new": result.is_new, **plain(result.manifest)})
            is_enough = is_enough and not (policy.require_converged and result.manifest.outstanding)
            if not as_json:
                _say_made(target, result.manifest, is_new=result.is_new)
        if as_json:
            print_json(made)
        else:
            with store.snapshot() as reader:
                has_code = bool(codes.current(reader))
            for said in (only_here(home(), store.config), None if has_code else NO_CODE):
                if said is not None:
                    note(said)
    if is_failed:
        raise SystemExit(exits.FAILED)
    if not is_enough:
        note(
            "backup.require_converged asks for more: `edda backup now --wait-converged SECONDS` waits for the other "
            "devices, and `edda up` takes another backup once they are proved equal."
        )
        raise SystemExit(exits.NOT_EQUAL)


@click.command("list", cls=Command)
@target_option
@click.option("--device", "maker", metavar="NAME", help="Only those of this device, by its name or id.")
@json_option
def list_(name: str | None, maker: str | None, as_json: bool) -> None:
    """List the backups of all devices, which devices are in each, and what it costs."""
    with existing() as store:
        rows, found, troubles = [], [], []
        targets = all_targets(store) if name is None else targets_of(store, name)
        for target in targets:
            names, manager = _names(store), manager_of(store, target)
            try:
                with told(f"looking at {target.name}"):
                    backups = manager.backups()
                    troubles += [str(each) for each in manager.troubles(backups)]
            except TargetError as error:
                if len(targets) == 1:
                    raise
                troubles.append(str(error))
                continue
            manifests = [each.manifest for each in backups if each.manifest is not None]
            device = None if maker is None else device_named(store, manifests, maker)
            for made in manifests:
                if device not in (None, made.device):
                    continue
                found.append({"target": target.name, **plain(made)})
                rows.append(
                    [
                        str(made.number), when(made.made_ms), names.get(made.device, made.device[:12]), target.name,
                        f"{made.tasks:,}", f"{made.documents:,}", size_in_words(made.added_bytes), _state(made),
                    ]
                )  # fmt: skip
        if as_json:
            print_json({"backups": found, "troubles": troubles})
        elif rows:
            print_table(["backup", "made", "by", "target", "tasks", "documents", "added", "other devices"], rows)
        else:
            say("There is no backup yet; `edda backup now` makes one.")
        if not as_json:
            for trouble in troubles:
                note(safe_line(trouble))


@click.command("verify", cls=Command)
@click.argument("number", type=click.IntRange(1), required=False)
@click.option("--all", "everything", is_flag=True, help="Verify every backup, and not only the newest.")
@target_option
@device_option
@json_option
def verify(number: int | None, everything: bool, name: str | None, maker: str | None, as_json: bool) -> None:
    """Restore a backup into an empty store, the newest one by default, and compare it with what it should be."""
    if number is not None and everything:
        raise UsageError("Name a backup or say --all, not both.")
    with existing() as store:
        found: list[dict[str, Any]] = []
        absent: list[NotFoundError] = []
        targets = targets_of(store, name)
        for target in targets:
            try:
                for each in _verified(store, target, number, maker, everything=everything, as_json=as_json):
                    found.append({"target": target.name, **each})
                continue
            except TargetError as error:  # it may also go away while it is read
                if len(targets) == 1:
                    raise
                why = str(error)
            except NotFoundError as error:
                absent.append(error)
                if len(absent) == len(targets):
                    raise
                if number is not None or maker is not None:  # each place has backups and numbers of its own
                    continue
                why = str(error)
            found.append({"target": target.name, "number": None, "holds": False, "error": why})
            if not as_json:
                note(safe_line(why))
        if as_json:
            print_json(found)
    if not all(each["holds"] for each in found):
        raise SystemExit(exits.FAILED)


def _verified(
    store: StorageEngine, target: Target, number: int | None, maker: str | None, *, everything: bool, as_json: bool
) -> Iterator[dict[str, Any]]:
    """Verify backups at a target; say and yield what came of each, and what else is wrong there."""
    manager = manager_of(store, target)
    there = manager.backups()
    troubles = [str(each) for each in manager.troubles(there)]
    listed = [each.manifest for each in there if each.manifest is not None]
    if maker is not None or not (troubles or listed) or (listed and not everything):
        device = device_named(store, listed, maker)
        listed = manager.of(device) if everything and listed else [manager.find(number, device)]
    for each in troubles:
        yield {"number": None, "holds": False, "error": each}
        if not as_json:
            say(safe_line(each))
    with told(f"looking at {target.name}") as tell:
        for verified in manager.verify(listed, tell):
            if not as_json:
                tell("")  # the line of progress makes room
                _say_verified(target, verified.manifest, verified.error)
            holds = verified.error is None
            yield {"number": verified.manifest.number, "holds": holds, "error": _text(verified.error)}


# --- parts ------------------------------------------------------------------------------------------------------------


def targets_of(store: StorageEngine, name: str | None) -> list[Target]:
    """Return the targets of a store, or the one of a name."""
    from edda_sync.backup.targets.opening import named

    return named(home(), store.config, name)


def all_targets(store: StorageEngine) -> list[Target]:
    """Return the targets of a store, with the usual folder, if backups lie there from before there was another place."""
    from edda_sync.backup.targets.opening import all_of

    return all_of(home(), store.config)


def manager_of(store: StorageEngine, target: Target) -> BackupManager:
    """Return the backups of a store at a target. What they say of other devices is what a running device knows by then."""
    from edda_sync.backup.manager import BackupManager
    from edda_sync.cli.converging import remembered

    return BackupManager(store, target, remembered)


def device_named(store: StorageEngine, backups: Iterable[Manifest], reference: str | None) -> str | None:
    """
    Return the id of the device whose backups are meant; None if nobody is named, which means this device.

    Args:
        store: The store.
        backups: Backups that name devices which the store may not know.
        reference: What was typed.

    Raises:
        NotFoundError, UsageError: There is no such device, or there are several.
    """
    if reference is None:
        return None
    from edda_sync.backup.whose import device_meant, names_in
    from edda_sync.engine import standing

    return device_meant(names_in(backups) | standing.names(store), reference)


def name_of(store: StorageEngine, device: str) -> str:
    """Return what to call a device."""
    return _names(store).get(device, device[:12])


def _names(store: StorageEngine) -> dict[str, str]:
    from edda_sync.crdt.records import told_apart
    from edda_sync.engine import standing

    return told_apart(standing.names(store))


@contextmanager
def told(doing: str = "working") -> Iterator[Callable[[str], object]]:
    """
    Show a person who waits for longer than a second what is being done.

    Args:
        doing: What is done at first. The block gets a function to call with what is done next; with an empty text it makes
            room for something else.
    """
    showing = _Showing(doing)
    timer = threading.Timer(PROGRESS_AFTER_S, showing.begin)
    timer.daemon = True
    if can_redraw():
        timer.start()
    try:
        yield showing.tell
    finally:
        timer.cancel()
        showing.end()


class _Showing:
    """A line on a terminal, which says what is being done once that has taken a while."""

    def __init__(self, doing: str) -> None:
        self._doing = doing
        self._lock = threading.Lock()
        self._is_shown = self._is_over = False

    def begin(self) -> None:
        """Show what is being done, from now on."""
        with self._lock:
            self._is_shown = not self._is_over
            self._draw()

    def tell(self, doing: str) -> None:
        """Note what is being done now."""
        with self._lock:
            self._doing = doing
            self._draw()

    def end(self) -> None:
        """Take the line away."""
        with self._lock:
            self._is_over = True
            if self._is_shown:
                click.echo("\r\x1b[K", nl=False, err=True)

    def _draw(self) -> None:
        if self._is_shown:
            click.echo(f"\r\x1b[K{safe_line(self._doing)}", nl=False, err=True)


def when(moment_ms: int) -> str:
    """Return a moment for a person."""
    return times.full(values.time_of(moment_ms))


def _state(manifest: Manifest) -> str:
    if not manifest.devices:
        return "no other device"
    if not manifest.outstanding:
        return f"converged: all {len(manifest.devices)}" if len(manifest.devices) > 1 else "converged"
    return f"{len(manifest.outstanding)} of {len(manifest.devices)} outstanding"


def _say_made(target: Target, made: Manifest, *, is_new: bool) -> None:
    held = f"{count(made.tasks, 'task')} and {count(made.documents, 'document')}"
    if is_new:
        say(
            f"Backup {made.number} at {safe_line(target.name)} is made, and was restored to prove it: {held}; "
            f"{size_in_words(made.added_bytes)} were added."
        )
    else:
        say(f"Nothing is new since backup {made.number} at {safe_line(target.name)}, of {when(made.made_ms)}: {held}.")
    if made.files_lacking:
        say(
            f"{count(made.files_lacking, 'attached file')} not here yet, and so not in it: `edda doc fetch` brings them."
        )
    if made.outstanding:
        for each in made.outstanding:
            say(_outstanding(each))
    elif made.devices:
        say("It is converged: every other device was proved equal to it.")


def _outstanding(each: Included) -> str:
    since = f"was last proved equal on {when(each.proved_ms)}" if each.proved_ms else "was never proved equal"
    return f"{safe_line(each.name)} {since}; what it wrote since and has not sent is not in this backup."


def _say_verified(target: Target, manifest: Manifest, error: BackupError | None) -> None:
    what = f"Backup {manifest.number} at {safe_line(target.name)}, of {when(manifest.made_ms)},"
    if error is None:
        say(f"{what} holds: it gives {count(manifest.tasks, 'task')} and {count(manifest.documents, 'document')}.")
    else:
        say(safe_line(f"{what} does not hold: {error}"))


def _text(error: BackupError | None) -> str | None:
    return None if error is None else str(error)


def plain(made: Manifest) -> dict[str, Any]:
    """Return what a backup holds, for JSON."""
    return {
        "number": made.number,
        "device": made.device,
        "made_at": values.time_of(made.made_ms),
        "tasks": made.tasks,
        "documents": made.documents,
        "changes": made.changes,
        "files": made.files,
        "files_lacking": made.files_lacking,
        "added_bytes": made.added_bytes,
        "total_bytes": made.total_bytes,
        "converged": not made.outstanding,
        "devices": [
            {
                "device": each.device,
                "name": each.name,
                "changes": each.changes,
                "proved_at": values.time_of(each.proved_ms) if each.proved_ms else None,
                "equal": each.is_equal,
            }
            for each in made.devices
        ],
    }
