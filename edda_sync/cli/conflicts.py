"""``edda conflicts``: fields that were written on several devices at once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from edda_sync.cli.commands import Command
from edda_sync.cli.common import damaged_parts, json_option, note, opened, print_json, safe_line, say
from edda_sync.cli.running import SHORT_DEVICE
from edda_sync.crdt.records import told_apart
from edda_sync.words.errors import damage_sentence
from edda_sync.words.listed import Clash, Conflict, ConflictValue

if TYPE_CHECKING:
    from edda_sync.engine.engine import StorageEngine

SHOWN_CHARACTERS_MAX = 200  # characters of one value; --json prints all of it


@click.command("conflicts", cls=Command)
@json_option
def conflicts(as_json: bool) -> None:
    """
    Show every field that several devices wrote at once: the value that is shown, and those that are kept beside it.

    Whatever is written to such a field next, such as with `edda task edit`, settles it on every device. Behind them come
    the items with the same values under a unique index: give one of them another value.
    """
    with opened() as store:
        damaged = damaged_parts(store)
        found, clashes = store.conflicts(), store.indexes.clashes()
        writers = _writers(store) if found else {}
    if damaged:
        note(f"Not all may be shown, since {damage_sentence(damaged)}")
    if as_json:
        print_json([*(_as_json(each, writers) for each in found), *map(asdict, clashes)])
    elif not found and not clashes:
        note("No conflicts.")
    else:
        say("\n\n".join([*(_as_text(each, writers) for each in found), *map(_clash_as_text, clashes)]))


def _clash_as_text(clash: Clash) -> str:
    values = ", ".join(f"{name} {_short(value)}" for name, value in zip(clash.columns, clash.values, strict=True))
    lines = [f"{clash.kind}s with the same {safe_line(values)}, which the index {clash.index} allows once"]
    lines += [
        f"  {what}  {each.replace('-', '')[-6:]}"
        for what, each in (("shown", clash.shown), *(("kept ", each) for each in clash.withheld))
    ]
    return "\n".join(lines)


def _writers(store: StorageEngine) -> dict[str, tuple[str, str]]:
    """Return the id and name of the device of each life, by the life's name in hex."""
    from edda_sync.engine import standing

    names = told_apart(standing.names(store))
    lives = store.reading.lives()
    return {life.name.hex(): (life.device, names.get(life.device, life.device[:SHORT_DEVICE])) for life in lives}


def _as_text(conflict: Conflict, writers: Mapping[str, tuple[str, str]]) -> str:
    lines = [
        f"{conflict.kind} {conflict.id.replace('-', '')[-6:]}  {safe_line(conflict.title)}  {safe_line(conflict.field)}"
    ]
    values = [("shown", conflict.shown), *(("kept ", each) for each in conflict.kept)]
    names = {each.actor: safe_line(writers.get(each.actor, ("", "?"))[1]) for _, each in values}
    width = max(map(len, names.values()))
    lines += [f"  {what}  {_moment(each)}  {names[each.actor]:{width}}  {_short(each.value)}" for what, each in values]
    return "\n".join(lines)


def _moment(value: ConflictValue) -> str:
    return value.written_at[:19] + "Z"


def _short(value: object) -> str:
    text = "(none)" if value is None else safe_line(str(value))
    return text if len(text) <= SHOWN_CHARACTERS_MAX else text[: SHOWN_CHARACTERS_MAX - 1] + "…"


def _as_json(conflict: Conflict, writers: Mapping[str, tuple[str, str]]) -> dict[str, Any]:
    return {
        "kind": conflict.kind,
        "id": conflict.id,
        "title": conflict.title,
        "field": conflict.field,
        "shown": _value_as_json(conflict.shown, writers),
        "kept": [_value_as_json(value, writers) for value in conflict.kept],
    }


def _value_as_json(value: ConflictValue, writers: Mapping[str, tuple[str, str]]) -> dict[str, Any]:
    plain = value.value.hex() if isinstance(value.value, bytes) else value.value
    device, name = writers.get(value.actor, (None, None))
    return {
        "value": plain, "written_at": value.written_at, "device": device, "name": name, "actor": value.actor,
        "seq": value.seq,
    }  # fmt: skip
