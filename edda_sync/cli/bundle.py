"""``edda bundle``: export, show, import. Changes in a file, from one device to another."""

from __future__ import annotations

import errno
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from edda_sync.cli.commands import Group
from edda_sync.cli.common import (
    FilePath,
    count,
    json_option,
    note,
    print_json,
    safe_line,
    say,
)
from edda_sync.cli.existing import existing
from edda_sync.cli.overwriting import check_free, force_option
from edda_sync.cli.progress import Progress
from edda_sync.words import values
from edda_sync.words.errors import NotFoundError, UsageError, typed
from edda_sync.words.files import replace_file, sweep_files

if TYPE_CHECKING:
    from edda_sync.backup.bundle import Contents
    from edda_sync.backup.source import Source
    from edda_sync.engine.engine import StorageEngine
    from edda_sync.segments.run import Heads


@click.group("bundle", cls=Group)
def bundle() -> None:
    """Carry changes to another device in a file, such as on a memory stick."""


@bundle.command("export")
@click.argument("path", metavar="FILE", type=FilePath())
@click.option(
    "--since",
    metavar="DEVICE|BUNDLE",
    help="Leave out what that device holds, or whoever made that bundle.",
)
@force_option
def export(path: Path, since: str | None, force: bool) -> None:
    """
    Write what this device holds into a bundle.

    Take it to another device of the workspace, and type `edda bundle import FILE` there. Nobody else can read it.
    """
    from edda_sync.backup import bundle as bundles
    from edda_sync.backup.source import Source

    check_free(path, force)
    with existing() as store:
        source = Source(store)
        known, whose = _since(store, source, since)
        made: list[Contents] = []

        total = sum(store.frontier().values()) - sum(seq for _, seq, _ in known)
        with Progress("Exporting", total) as progress:
            sweep_files(path.parent, time.time())
            replace_file(
                path,
                lambda file: made.append(bundles.write(file, source.packing, source.objects, known, progress)),
            )
    beyond = f" that {safe_line(whose)} lacks" if whose else ""
    if whose and not made[0].changes:
        say(f"{safe_line(whose)} lacks nothing that is here; {safe_line(str(path))} holds no change.")
        return
    say(f"Wrote {count(made[0].changes, 'change')}{beyond} to {safe_line(str(path))}.")
    note(f"On the other device, type `edda bundle import {typed(path.name)}`; only your devices can read it.")


@bundle.command("show")
@click.argument("path", metavar="FILE", type=FilePath())
@json_option
def show(path: Path, as_json: bool) -> None:
    """Say what a bundle holds, and how much of it is new here. Nothing is taken."""
    from edda_sync.backup.source import Source

    with existing() as store:
        source = Source(store)
        held = _contents(source, path)
        fresh = _new(source, held)
        if as_json:
            print_json(_plain(store, held, fresh))
            return
        say(_sentence(store, path, held, fresh))


@bundle.command("import")
@click.argument("paths", metavar="FILE...", nargs=-1, required=True, type=FilePath())
def import_(paths: tuple[Path, ...]) -> None:
    """
    Take the changes of bundles. What is already here is passed over, so it may be done twice.

    Several are taken in the order that they need. If one of them is damaged, none is taken.
    """
    from edda_sync.backup.source import Source

    with existing() as store:
        source = Source(store)
        waiting = {path: _contents(source, path) for path in paths}
        while waiting:
            path = next((each for each, held in waiting.items() if _follows(source, held)), next(iter(waiting)))
            _take(store, source, path, waiting.pop(path))


def _follows(source: Source, held: Contents) -> bool:
    """Tell whether all that a bundle continues is here."""
    ours = source.exchange.frontier()
    return all(ours.get(name, 0) >= seq for name, seq, _ in held.since)


def _take(store: StorageEngine, source: Source, path: Path, contents: Contents) -> None:
    from edda_sync.backup import bundle as bundles
    from edda_sync.engine import standing
    from edda_sync.engine.exchanged import exchanged, held

    fresh = _new(source, contents)
    say(_sentence(store, path, contents, fresh))
    before, known = held(store), standing.names(store)
    with Progress("Importing", max(fresh, 1)) as progress, path.open("rb") as file:
        came = bundles.take(
            file, source.objects, source.unpacking, safe_line(str(path)), lambda so_far: progress(so_far.applied)
        )
    found = exchanged(store, before, {})
    say(_came(found["came"]))
    if joined := [name for device, name in standing.names(store).items() if device not in known]:
        say(f"New in this workspace: {', '.join(map(safe_line, joined))}.")
    if found["new_conflicts"]:
        say(f"{count(found['new_conflicts'], 'field')} in conflict now; `edda conflicts` shows them.")
    if came.apart:
        note(
            "It holds changes of a device that differ from those that are here, which this bundle alone cannot settle: "
            "connect the two devices once."
        )


def _since(store: StorageEngine, source: Source, since: str | None) -> tuple[Heads, str]:
    """Return what is to be left out, and who has it."""
    from edda_sync.backup import bundle as bundles
    from edda_sync.backup.whose import device_meant
    from edda_sync.engine import standing

    if since is None:
        return (), ""
    names = standing.names(store)
    path = Path(since)
    try:
        device = device_meant(names, since)
    except NotFoundError:
        device = None
    if device is not None:
        remembered = standing.load(store).get(device)
        if remembered is None or not remembered.proved_s:
            raise UsageError(
                f"{names[device]} was never proved equal to this device, so it is not known what it holds; leave --since "
                "out, or name a bundle that was made there."
            )
        return bundles.heads_when_equal(store, remembered.changes), names[device]
    if not path.is_file():
        raise UsageError(
            f"{safe_line(since)} is no device of this workspace, and no file; `edda devices` lists the devices."
        )
    held = _contents(source, path)
    return held.heads, _maker(store, held)


def _contents(source: Source, path: Path) -> Contents:
    from edda_sync.backup import bundle as bundles

    if path.is_dir():
        raise UsageError(f"{safe_line(str(path))} is a folder: name the bundles in it.")
    if not path.is_file():
        hint = "there is no such file: `edda bundle export FILE` makes a bundle, on another device"
        raise FileNotFoundError(errno.ENOENT, hint, str(path))
    with path.open("rb") as file:
        return bundles.contents(file, source.objects, source.unpacking, safe_line(str(path)))


def _new(source: Source, held: Contents) -> int:
    """Return how many of its changes are not here."""
    ours = source.exchange.frontier()
    since = {name: seq for name, seq, _ in held.since}
    return sum(max(0, seq - max(ours.get(name, 0), since.get(name, 0))) for name, seq, _ in held.heads)


def _maker(store: StorageEngine, held: Contents) -> str:
    from edda_sync.crdt.records import device_id
    from edda_sync.engine import standing

    device = device_id(held.maker)
    return standing.names(store).get(device, f"a device that is not known here yet ({device[:8]})")


def _sentence(store: StorageEngine, path: Path, held: Contents, fresh: int) -> str:
    made = values.time_of(held.made_ms)[:16].replace("T", " ")
    new = "none of them new here" if not fresh else f"{fresh:,} of them new here"
    return (
        f"{safe_line(str(path))}: {count(held.changes, 'change')} from {safe_line(_maker(store, held))}, "
        f"made {made} UTC; {new}."
    )


def _came(came: dict[str, Any]) -> str:
    if not came["changes"]:
        return "Nothing was missing here."
    parts = [count(came[f"{kind}s"], kind) for kind in ("task", "document") if came[f"{kind}s"]]
    about = f" to {' and '.join(parts)}" if parts else ""
    return f"Took {count(came['changes'], 'change')}{about}."


def _plain(store: StorageEngine, held: Contents, fresh: int) -> dict[str, Any]:
    return {
        "maker": _maker(store, held),
        "made_at": values.time_of(held.made_ms),
        "changes": held.changes,
        "new": fresh,
        "since": {name.hex(): seq for name, seq, _ in held.since},
        "heads": {name.hex(): seq for name, seq, _ in held.heads},
    }
