"""``edda undo`` and ``edda revert``: changes that take earlier ones back."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from edda_sync.cli.columns import print_table
from edda_sync.cli.commands import Command
from edda_sync.cli.common import (
    count,
    json_option,
    note,
    opened,
    print_json,
    safe_line,
    said_if_long,
    settings,
)
from edda_sync.cli.days import Moment
from edda_sync.engine.dots import short
from edda_sync.words import exits

if TYPE_CHECKING:
    from edda_sync.engine.engine import StorageEngine
    from edda_sync.words.listed import TakenBack, Undone

_DONE = {"trashed": "to the trash", "restored": "out of the trash"}
_dry_run = click.option("--dry-run", is_flag=True, help="Only show what would be done.")


@click.command("undo", cls=Command)
@click.argument("changes", metavar="[CHANGE]...", nargs=-1)
@_dry_run
@json_option
def undo(changes: tuple[str, ...], dry_run: bool, as_json: bool) -> None:
    """
    Take changes back, by another change; without a name, the last one that was made on this device.

    `edda history` shows the names of changes; 1f3a9c20-12..15 names several. What others have written since stays. An undo
    is a change, too: undo it, and what it took back is there again.
    """
    named = settings()
    with opened() as store, said_if_long("Looking back."):
        found = store.undo(*changes, agent=named.agent, reason=named.reason, dry_run=dry_run)
        shorts = _shorts(store, found)
    _tell(found, shorts, dry_run, as_json)


@click.command("revert", cls=Command)
@click.option("--agent", "of_agent", metavar="NAME", required=True, help="Whose changes.")
@click.option(
    "--since", metavar="TIME", type=Moment(), required=True, help="Since when: yesterday, friday 10:00, 2026-03-01..."
)
@_dry_run
@json_option
def revert(of_agent: str, since: str, dry_run: bool, as_json: bool) -> None:
    """
    Take back everything that an agent did since a time, on whatever device, in one change.

    What others have written since stays. `edda undo` takes back the whole of it.
    """
    named = settings()
    with opened() as store, said_if_long("Looking back."):
        found = store.revert(of_agent, since, agent=named.agent, reason=named.reason, dry_run=dry_run)
        shorts = _shorts(store, found)
    if found.of or as_json:
        _tell(found, shorts, dry_run, as_json)
    if not found.of:
        note(f"{safe_line(of_agent)} has done nothing since then.")
        click.get_current_context().exit(exits.NOT_FOUND)


def _shorts(store: StorageEngine, found: Undone) -> dict[str, str]:
    """Return the short ids of the items that were changed."""
    return {each.id: store.reading.short_ids(each.kind, [each.id])[each.id] for each in found.items}


def _tell(found: Undone, shorts: dict[str, str], dry_run: bool, as_json: bool) -> None:
    if as_json:
        print_json({"change": found.dot, "of": list(found.of), "items": [asdict(each) for each in found.items]})
        return
    told = [each for each in found.items if each.fields or each.left]
    if told:
        print_table(
            ["kind", "id", "title", "result"],
            [[each.kind, shorts[each.id], each.title, line] for each in told for line in _lines(each)],
        )
    if dry_run:
        note(f"Of {count(len(found.of), 'change')}; nothing was done.")
    elif found.dot is None:
        note("Nothing of it is left to be taken back.")
    else:
        note(f"Took back {count(len(found.of), 'change')}; `edda undo {short(found.dot)}` does it again.")


def _lines(each: TakenBack) -> list[str]:
    back = [_DONE.get(field) or f"{_called(field)} set back" for field in each.fields]
    kept = [why if field == "trash" else f"{_called(field)} {why}" for field, why in each.left]
    return [", ".join(back), *kept] if back else kept


def _called(field: str) -> str:
    """Return what to call a cell: tags, links and files are members of a set, of which the id says little."""
    group, dot, _ = field.partition(".")
    return {"tag": "a tag", "link": "a link", "file": "a file"}.get(group, field) if dot else field
