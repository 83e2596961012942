"""``edda conflicts``: what was written on several devices at once, and the two commands that settle it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from edda_sync.cli import times
from edda_sync.cli.commands import Group
from edda_sync.cli.common import (
    damaged_parts,
    json_option,
    note,
    opened,
    print_json,
    safe_line,
    safe_text,
    say,
    settings,
)
from edda_sync.cli.running import SHORT_DEVICE
from edda_sync.crdt.records import told_apart
from edda_sync.engine.dots import short
from edda_sync.words import limits
from edda_sync.words.errors import AmbiguousIdError, NotFoundError, UsageError, damage_sentence, typed
from edda_sync.words.listed import DELETED, RENAMED, Clash, Conflict, ConflictValue
from edda_sync.words.model import TEXT_FIELDS, Replacement

if TYPE_CHECKING:
    from edda_sync.engine.engine import StorageEngine

_ENDS = {DELETED: ("delete it after all", "keep it"), RENAMED: ("show only one of them", "keep both")}
SHOWN_CHARACTERS_MAX = 200  # characters of one value; --json prints all of it
_LINKS = "link."
AROUND_CHARACTERS = 60  # characters of a line that are shown on each side of a place

_Field = tuple[str, str, str]


@click.group("conflicts", cls=Group, invoke_without_command=True)
@json_option
@click.pass_context
def conflicts(context: click.Context, as_json: bool) -> None:
    """
    Show every field, and every place of a text, that several devices wrote at once: the value that is shown, and those
    that are kept beside it; also what was deleted while another device edited it, and tags that were renamed twice at once.

    `edda conflicts restore` shows another one, and `edda conflicts dismiss` keeps the one that is shown; so does whatever is
    written to such a field or place next, unless a whole text is kept beside another one. Behind them come the items with
    the same values under a unique index: give one of them another value.
    """
    if context.invoked_subcommand is None:
        _list(as_json)


@conflicts.command("show")
@click.argument("id")
@click.argument("field", required=False)
@json_option
def show(id: str, field: str | None, as_json: bool) -> None:
    """Show the conflicts of a task, document or tag with all that was written; texts as what differs, word by word."""
    with opened() as store:
        found = _meant(_numbered(store.conflicts()), id, field)
        writers = _writers(store)
        around = [_around(store, each.conflict) or _linked(store, each.conflict) for each in found if not as_json]
    if as_json:
        print_json([_as_json(each, writers) for each in found])
    else:
        pairs = zip(found, around, strict=True)
        say("\n\n".join(_as_text(each, writers, whole=True, around=place) for each, place in pairs))


@conflicts.command("restore")
@click.argument("id")
@click.argument("field")
@click.argument("number", type=int, default=1)
def restore(id: str, field: str, number: int) -> None:
    """Show what is kept instead of what is shown; of several, the one with this NUMBER. It is a change like any other."""
    _settle(id, field, number, restore=True)


@conflicts.command("dismiss")
@click.argument("id")
@click.argument("field")
@click.argument("number", type=int, required=False)
def dismiss(id: str, field: str, number: int | None) -> None:
    """
    Keep what is shown, and drop what is kept beside it; of several places of a text, only in that with this NUMBER. It is a
    change like any other.
    """
    _settle(id, field, number, restore=False)


def _settle(reference: str, field: str, number: int | None, *, restore: bool) -> None:
    named = settings()
    with opened() as store:
        found = _meant(_numbered(store.conflicts()), reference, field)
        if number is not None:
            total, found = sum(len(each.numbers) for each in found), [each for each in found if number in each.numbers]
            if not found:
                raise UsageError(f"Of {field}, {total:,} other values are kept; there is no number {number}.")
        for each in found:
            take = number - each.first if restore and number is not None else None
            dot = store.settle(each.conflict, take, agent=named.agent, reason=named.reason)
            of = each.conflict.title or f"the {each.conflict.kind}"
            note(f"Settled {safe_line(each.conflict.field)} of {safe_line(of)}.")
            back = None if dot is None else _way_back(each.conflict, take, dot)
            if back is not None:
                note(f"{back} {'take' if ', and then ' in back else 'takes'} it back.")


def _way_back(conflict: Conflict, take: int | None, dot: str) -> str | None:
    """Return the command that takes a settling back; None if nothing is shown otherwise than before."""
    if conflict.kind in ("task", "document", "tag"):
        return f"`edda undo {short(dot)}`"
    if take is None:
        return None
    before, now = conflict.shown.value, conflict.kept[take].value
    if conflict.kind == "device":
        return f"`edda devices rename {typed(now)} {typed(before)}`"
    from edda_sync.cli.indexes import command_of  # settings of a workspace are unique indexes
    from edda_sync.words.indexes import of_data

    drop = None if now is None else f"`edda index drop {typed(now['name'])}`"
    make = None if before is None else f"`{command_of(of_data(before))}`"
    return ", and then ".join(each for each in (drop, make) if each)


class _Numbered(NamedTuple):
    """A conflict, and the number of the first of its values that are kept: a text may have several places in conflict."""

    conflict: Conflict
    first: int
    several: bool  # whether its field has several conflicts

    @property
    def numbers(self) -> range:
        return range(self.first, self.first + len(self.conflict.kept))


def _numbered(found: Sequence[Conflict]) -> list[_Numbered]:
    """Return conflicts with the numbers of what is kept, which go on through all places of a text."""
    places, begun, numbered = Counter((each.kind, each.id, each.field) for each in found), Counter[_Field](), []
    for each in found:
        field = each.kind, each.id, each.field
        numbered.append(_Numbered(each, begun[field] + 1, places[field] > 1))
        begun[field] += len(each.kept)
    return numbered


def _meant(found: list[_Numbered], reference: str, field: str | None) -> list[_Numbered]:
    """
    Return the conflicts of the item with a short or complete id, or a title.

    Raises:
        NotFoundError: There are none.
        AmbiguousIdError: Several items are meant.
    """
    bare = reference.replace("-", "").lower()
    is_id = len(bare) >= limits.SHORT_ID_CHARACTERS_MIN
    meant = [each for each in found if is_id and each.conflict.id.replace("-", "").endswith(bare)]
    meant = meant or [each for each in found if is_id and each.conflict.id.replace("-", "").startswith(bare)]
    meant = meant or [each for each in found if each.conflict.title == reference]
    meant = [each for each in meant if field in (None, each.conflict.field)]
    if not meant:
        raise NotFoundError("conflict", reference if field is None else f"{reference} {field}")
    ids = sorted({each.conflict.id for each in meant})
    if len(ids) > 1:
        raise AmbiguousIdError(reference, ids)
    return meant


def _list(as_json: bool) -> None:
    with opened() as store:
        damaged = damaged_parts(store)
        found, clashes = _numbered(store.conflicts()), store.indexes.clashes()
        writers = _writers(store) if found else {}
        linked = [_linked(store, each.conflict) for each in found if not as_json]
    if damaged:
        note(f"Not all may be shown, since {damage_sentence(damaged)}")
    if as_json:
        print_json([*(_as_json(each, writers) for each in found), *map(asdict, clashes)])
    elif not found and not clashes:
        note("No conflicts.")
    else:
        pairs = zip(found, linked, strict=True)
        listed = [_as_text(each, writers, around=place) for each, place in pairs]
        say("\n\n".join([*listed, *map(_clash_as_text, clashes)]))


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


def _as_text(
    numbered: _Numbered, writers: Mapping[str, tuple[str, str]], *, whole: bool = False, around: str = ""
) -> str:
    conflict = numbered.conflict
    short_id = conflict.id.replace("-", "")[-limits.SHORT_ID_CHARACTERS_MIN :]
    lines = [f"{conflict.kind} {short_id}  {safe_line(conflict.title)}  {safe_line(conflict.field)}"]
    if around:
        lines.append(f"  {safe_line(around)}")
    names = [_who(each, writers) for each in (conflict.shown, *conflict.kept)]
    width = max(map(len, names))
    several = len(conflict.kept) > 1 or numbered.several
    for at, (each, name) in enumerate(zip((conflict.shown, *conflict.kept), names, strict=True)):
        what = "shown" if at == 0 else f"kept {numbered.first + at - 1}" if several else "kept "
        value = _differs(conflict, each) if at and conflict.field in TEXT_FIELDS.values() else ""
        if conflict.field == DELETED:
            value = "deleted" if each.value else "still there, for what was written"
        said = safe_text(str(each.value)) if whole and not value else value or _short(each.value)
        lines.append(f"  {what}  {_moment(each)}  {name:{width}}  {said if whole else _cut(said)}")
    named = f"{short_id} {typed(conflict.field)}"
    number = " NUMBER" if several and conflict.field != DELETED else ""
    restore, dismiss = _ENDS.get(conflict.field, (f"show {'another' if several else 'the other'}", "keep this one"))
    lines.append(f"  to {restore}: edda conflicts restore {named}{number}")
    lines.append(f"  to {dismiss}: edda conflicts dismiss {named}{f' {numbered.first}' if numbered.several else ''}")
    return "\n".join(lines)


def _around(store: StorageEngine, conflict: Conflict) -> str:
    """Return the line of a text in which a place is in conflict, the place in brackets; empty if it is no place."""
    if conflict.position is None:
        return ""
    item = store.get_task(conflict.id) if conflict.kind == "task" else store.get_document(conflict.id)
    text, shown, at = str(getattr(item, conflict.field, None) or ""), str(conflict.shown.value), conflict.position
    if text[at : at + len(shown)] != shown:
        return ""  # it was written again meanwhile
    before = text[max(0, at - AROUND_CHARACTERS) : at].rpartition("\n")[2]
    behind = text[at + len(shown) : at + len(shown) + AROUND_CHARACTERS].partition("\n")[0]
    return f"place  {before}[{shown}]{behind}"


def _linked(store: StorageEngine, conflict: Conflict) -> str:
    """Return which document a link in conflict leads to, if it is here; empty if it is no link."""
    document = store.get_document(conflict.field[len(_LINKS) :]) if conflict.field.startswith(_LINKS) else None
    return "" if document is None else f"link   to {document.title}"


def _who(value: ConflictValue, writers: Mapping[str, tuple[str, str]]) -> str:
    name = writers.get(value.actor, ("", "?"))[1]
    return safe_line(name if value.agent is None else f"{value.agent} on {name}")


def _differs(conflict: Conflict, value: ConflictValue) -> str:
    """Return a text as what it has otherwise than the one that is shown: [-what it lacks-] and {+what it has instead+}."""
    from edda_sync.crdt.text.diff import diff

    base, made, behind = str(conflict.shown.value or ""), "", 0
    for at, deleted, inserted in sorted(_of_base(diff(base, str(value.value or "")))):
        made += base[behind:at]
        made += f"[-{base[at : at + deleted]}-]" if deleted else ""
        made += f"{{+{inserted}+}}" if inserted else ""
        behind = at + deleted
    return safe_line(made + base[behind:])


def _of_base(edits: Sequence[Replacement]) -> list[Replacement]:
    """Return edits, which count one after another, in positions of the text before all of them."""
    found, moved = [], 0
    for at, deleted, inserted in edits:
        found.append((at - moved, deleted, inserted))
        moved += len(inserted) - deleted
    return found


def _moment(value: ConflictValue) -> str:
    return times.full(value.written_at)


def _short(value: object) -> str:
    return _cut("(none)" if value is None else safe_line(str(value)))


def _cut(text: str) -> str:
    return text if len(text) <= SHOWN_CHARACTERS_MAX else text[: SHOWN_CHARACTERS_MAX - 1] + "…"


def _as_json(numbered: _Numbered, writers: Mapping[str, tuple[str, str]]) -> dict[str, Any]:
    conflict = numbered.conflict
    kept = zip(numbered.numbers, conflict.kept, strict=True)
    return {
        "kind": conflict.kind,
        "id": conflict.id,
        "title": conflict.title,
        "field": conflict.field,
        "position": conflict.position,
        "shown": _value_as_json(conflict.shown, writers),
        "kept": [{"number": number, **_value_as_json(value, writers)} for number, value in kept],
    }


def _value_as_json(value: ConflictValue, writers: Mapping[str, tuple[str, str]]) -> dict[str, Any]:
    plain = value.value.hex() if isinstance(value.value, bytes) else value.value
    device, name = writers.get(value.actor, (None, None))
    return {
        "value": plain, "written_at": value.written_at, "device": device, "name": name, "actor": value.actor,
        "seq": value.seq, "agent": value.agent,
    }  # fmt: skip
