"""``edda history``: what was done to a task, a document or a tag, when, by whom and why."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import click

from edda_sync.cli import limiting, times
from edda_sync.cli.columns import NOTHING, print_table
from edda_sync.cli.commands import Command
from edda_sync.cli.common import TagName, json_option, note, opened, print_json
from edda_sync.engine.dots import SHORT, short
from edda_sync.words import values
from edda_sync.words.errors import AmbiguousIdError, NotFoundError, UsageError

if TYPE_CHECKING:
    from edda_sync.engine.engine import StorageEngine
    from edda_sync.words.listed import Done, History

_WHOLE = re.compile(rf"\b([0-9a-f]{{{SHORT}}})[0-9a-f]{{24}}-")  # the name of a change in a reason
PHRASE_MAX = 60  # characters of a phrase in a row: a title may have 500
WHAT_MAX = 6  # phrases in one row; --json has all


@click.command("history", cls=Command)
@click.argument("id", required=False)
@click.option("--tag", "tag", metavar="NAME", type=TagName(), help="The history of a tag.")
@click.option("--limit", type=int, metavar="N", help="Show N changes.")
@click.option("--all", "everything", is_flag=True, help="Show all changes.")
@json_option
def history(id: str | None, tag: str | None, limit: int | None, everything: bool, as_json: bool) -> None:
    """
    Show the changes of a task, document or tag, the latest first; without an ID, the latest changes of everything.

    `edda undo CHANGE` takes one back, and `edda doc show ID --at CHANGE` shows what was there after it.
    """
    if id is not None and tag is not None:
        raise UsageError("Give an ID or --tag, not both.")
    shown = limiting.chosen(limit, everything=everything or as_json)
    more = None if shown is None else shown + 1
    with opened() as store:
        if id is None and tag is None:
            found = store.history(limit=more)
        else:
            kind, whole = ("tag", values.tag_id(tag)) if tag is not None else meant(store, id or "")
            try:
                found = store.history(whole, kind=kind, limit=more)
            except NotFoundError:
                raise NotFoundError(kind, tag or id or "") from None
    _print(found, shown, limit, as_json)


def meant(store: StorageEngine, reference: str) -> tuple[str, str]:
    """
    Return the kind and the complete id of the task or document that is meant.

    Raises:
        NotFoundError, AmbiguousIdError: Nothing is meant, or several are.
    """
    found = []
    for kind in ("task", "document"):
        try:
            found.append((kind, store.resolve(kind, reference)))
        except NotFoundError:
            continue
    if not found:
        raise NotFoundError("task or document", reference)
    if len(found) > 1:
        shorts = [store.reading.short_ids(kind, [whole])[whole] for kind, whole in found]
        raise AmbiguousIdError(reference, [whole for _, whole in found], shorts)
    return found[0]


def who(done: Done) -> str:
    """Return who made a change: an agent and its device, or the device."""
    name = done.name or done.device[:SHORT]
    return name if done.agent is None else f"{done.agent} on {name}"


def _print(found: History, shown: int | None, limit: int | None, as_json: bool) -> None:
    changes = found.changes if shown is None else found.changes[:shown]
    if as_json:
        print_json({"whole": found.is_whole, "changes": [_as_json(each) for each in changes]})
        return
    if not changes:
        note("No changes.")
    else:
        rows = [
            [
                short(each.dot) or NOTHING,
                times.full(each.at) if each.at else NOTHING,
                who(each) or NOTHING,
                _WHOLE.sub(r"\1-", each.reason or NOTHING),
                _what(each),
            ]
            for each in changes
        ]
        print_table(["change", "when", "who", "why", "what"], rows)
    if len(changes) < len(found.changes) and limit is None:
        note(f"Only the latest {shown:,} are shown; --limit N or --all shows more.")
    elif not found.is_whole:
        note("What was done before is still on its way; `edda status` tells how far it is.")


def _what(done: Done) -> str:
    cut = [each if len(each) <= PHRASE_MAX else f"{each[:PHRASE_MAX]}…" for each in done.what[:WHAT_MAX]]
    return ", ".join([*cut, f"{len(done.what) - len(cut):,} more"] if len(cut) < len(done.what) else cut)


def _as_json(done: Done) -> dict[str, object]:
    return {
        "change": done.dot, "at": done.at, "device": done.device, "name": done.name, "agent": done.agent,
        "reason": done.reason, "what": list(done.what), "fields": list(done.fields),
    }  # fmt: skip
