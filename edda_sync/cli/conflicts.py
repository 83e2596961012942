"""``edda conflicts``: what was written on several devices at once."""

from __future__ import annotations

from typing import Any

import click

from edda_sync.cli.commands import Command
from edda_sync.cli.common import damaged_parts, json_option, note, opened, print_json, safe_line, say
from edda_sync.words.errors import damage_sentence
from edda_sync.words.listed import Conflict, ConflictValue

SHOWN_CHARACTERS_MAX = 200  # of one value; --json has all of it


@click.command("conflicts", cls=Command)
@json_option
def conflicts(as_json: bool) -> None:
    """
    Show every field that several devices wrote at once: the value that is shown, and those that are kept beside it.

    Whatever is written to such a field next, such as with `edda task edit`, settles it on every device.
    """
    with opened() as store:
        damaged = damaged_parts(store)
        found = store.conflicts()
    if damaged:
        note(f"Not all may be shown, since {damage_sentence(damaged)}")
    if as_json:
        print_json([_as_json(each) for each in found])
    elif not found:
        note("No conflicts.")
    else:
        say("\n\n".join(_as_text(each) for each in found))


def _as_text(conflict: Conflict) -> str:
    lines = [
        f"{conflict.kind} {conflict.id.replace('-', '')[-6:]}  {safe_line(conflict.title)}  {safe_line(conflict.field)}"
    ]
    lines += [f"  shown  {_moment(conflict.shown)}  {_short(conflict.shown.value)}"]
    lines += [f"  kept   {_moment(value)}  {_short(value.value)}" for value in conflict.kept]
    return "\n".join(lines)


def _moment(value: ConflictValue) -> str:
    return value.written_at[:19] + "Z"


def _short(value: object) -> str:
    text = "(none)" if value is None else safe_line(str(value))
    return text if len(text) <= SHOWN_CHARACTERS_MAX else text[: SHOWN_CHARACTERS_MAX - 1] + "…"


def _as_json(conflict: Conflict) -> dict[str, Any]:
    return {
        "kind": conflict.kind,
        "id": conflict.id,
        "title": conflict.title,
        "field": conflict.field,
        "shown": _value_as_json(conflict.shown),
        "kept": [_value_as_json(value) for value in conflict.kept],
    }


def _value_as_json(value: ConflictValue) -> dict[str, Any]:
    plain = value.value.hex() if isinstance(value.value, bytes) else value.value
    return {"value": plain, "written_at": value.written_at, "actor": value.actor, "seq": value.seq}
