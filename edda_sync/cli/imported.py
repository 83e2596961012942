"""What an import says: a line that counts, what a person should know, a table of a dry run, or all of it as JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

import click

from edda_sync.cli import columns, items, taking_back
from edda_sync.cli.common import count, note, print_json, safe_line, say
from edda_sync.imports.report import IN_TRASH
from edda_sync.words import exits
from edda_sync.words.errors import command_of
from edda_sync.words.model import Task

if TYPE_CHECKING:
    from edda_sync.crdt.frontier import Dot
    from edda_sync.imports import Refused, Report, Row, Source
    from edda_sync.imports.jsonl import Exported

LISTED_MAX: Final = 10  # refused or edited items that are listed one by one


def tell(source: Source, report: Report, what: str, dots: list[Dot], *, dry_run: bool, as_json: bool) -> None:
    """Print what an import did, or would do, and end with a code for what failed."""
    if as_json:
        print_json(_as_json(report, source.refused, source.left_out, dry_run, dots))
    else:
        if dry_run:
            _print_rows(report.rows)
        would = "would be " if dry_run else ""
        made = f"{count(report.created, what)} {would}created"
        say(f"{made}, {report.updated:,} {would}updated, {report.unchanged:,} unchanged.")
        _tell_left(report, what)
        _tell_metadata(report)
        _tell_attached(report)
        tell_left_out(source.left_out)
        _tell_refused(source.refused)
        taking_back.note_undo(dots)
    _end(source.refused, report)


def tell_export(found: Exported, report: Report, dots: list[Dot], *, dry_run: bool, as_json: bool) -> None:
    """Print what the import of an export of ours did, or would do."""
    if as_json:
        print_json(_as_json(report, found.refused, (), dry_run, dots))
    else:
        if dry_run:
            _print_rows(report.rows)
        tasks = sum(isinstance(each.item, Task) for each in found.items)
        held = f"{count(tasks, 'task')} and {count(len(found.items) - tasks, 'document')}"
        say(f"{held}: {report.created:,} {'would be ' if dry_run else ''}created, {report.unchanged:,} here already.")
        if report.updated:
            note(f"Taken from the file: {count(report.updated, 'item')}.")
        if report.in_trash:
            note(
                f"Left in the trash: {count(report.in_trash, 'item')}; `edda task list --trash` and `edda doc list --trash` "
                "show what is there."
            )
        if report.edited:
            several = "them" if len(report.edited) > 1 else "it"
            note(
                f"Other in the file than here, and left as it is here: {count(len(report.edited), 'value')}; "
                f"`--prefer source` takes {several}."
            )
            _list([f"{name}: {field}" for name, field in report.edited])
        _tell_attached(report)
        _tell_refused(found.refused)
        taking_back.note_undo(dots)
    _end(found.refused, report)


def _as_json(
    report: Report, refused: Sequence[Refused], left_out: Sequence[Refused], dry_run: bool, dots: list[Dot]
) -> dict[str, Any]:
    names = ("created", "updated", "unchanged", "in_trash", "older", "thrown_away", "attached")
    return {
        "dry_run": dry_run,
        **{name: getattr(report, name) for name in names},
        "undo": taking_back.command(dots) if dots else None,
        "open": [{"name": name, "field": field} for name, field in report.edited],
        "merged": [{"name": name, "field": field} for name, field in report.merged],
        "kept": dict(report.kept),
        "nearly": dict(report.nearly),
        "refused": [{"name": each.name, "why": each.why} for each in refused],
        "lacking": [{"name": name, "file": file} for name, file in report.lacking],
        "unattached": [{"name": each.name, "why": each.why} for each in report.unattached],
        "left_out": [{"name": each.name, "why": each.why} for each in left_out],
        "items": [
            {
                "verdict": row.verdict, "name": row.name, "title": row.title, "id": row.id, "taken": list(row.taken),
                "merged": list(row.merged), "open": list(row.open),
            }
            for row in report.rows
        ],
    }  # fmt: skip


def _print_rows(rows: Sequence[Row]) -> None:
    columns.print_table(
        ("", "item", "title", "changes"), [(row.verdict, row.name, row.title, _changes(row)) for row in rows]
    )


def _changes(row: Row) -> str:
    told = [*row.taken, *(f"{name} (merged)" for name in row.merged), *(f"{name} (open)" for name in row.open)]
    return ", ".join(told)


def _tell_left(report: Report, what: str) -> None:
    if report.in_trash:
        ids = [row.id for row in report.rows if row.verdict == IN_TRASH]
        named = command_of(what)
        back = items.way_back(f"{named} restore", ids) or f"; `edda {named} list --trash` shows what is there"
        note(f"Left in the trash: {count(report.in_trash, what)}{back}.")
    if report.older:
        note(f"Left, since the source is older than what was imported last: {count(report.older, what)}.")
    if report.thrown_away:
        note(f"Thrown away in the source, and never here: {count(report.thrown_away, what)}.")
    if report.merged:
        note(f"Edited on both sides, so that the edits were merged: {count(len(report.merged), 'text')}.")
        _list([f"{name}: {field}" for name, field in report.merged])
    if report.edited:
        note(
            f"Changed in the source and here too, so that yours stayed: {count(len(report.edited), 'value')}; "
            "`--prefer here` or `--prefer source` settles that."
        )
        _list([f"{name}: {field}" for name, field in report.edited])


def _tell_metadata(report: Report) -> None:
    if report.kept:
        note(f"Kept in metadata, since no field holds it: {_counts(report.kept)}.")
    if report.nearly:
        note(f"Taken as near as a field holds it, and kept in metadata as it was: {_counts(report.nearly)}.")


def _tell_attached(report: Report) -> None:
    if report.attached:
        note(f"Attached: {count(report.attached, 'file')}.")
    if report.lacking:
        note(
            f"Not attached here, since their documents were here already: {count(len(report.lacking), 'file')}; "
            "`--prefer source` attaches them."
        )
        _list([f"{name}: {file}" for name, file in report.lacking])
    if report.unattached:
        note(f"Could not be attached: {len(report.unattached):,}.")
        _list([f"{each.name}: {each.why}" for each in report.unattached])


def tell_left_out(left_out: Sequence[Refused]) -> None:
    """Say what is not meant to be imported."""
    if left_out:
        note(f"Left out: {len(left_out):,}.")
        _list([f"{each.name} {each.why}" for each in left_out])


def _tell_refused(refused: Sequence[Refused]) -> None:
    if refused:
        note(f"Could not be imported: {len(refused):,}.")
        _list([f"{each.name}: {each.why}" for each in refused])


def _end(refused: Sequence[Refused], report: Report) -> None:
    if refused or report.unattached:
        click.get_current_context().exit(exits.FAILED)


def _list(lines: list[str]) -> None:
    for line in lines[:LISTED_MAX]:
        note(f"  {safe_line(line)}")
    if len(lines) > LISTED_MAX:
        note(f"  and {len(lines) - LISTED_MAX:,} more")


def _counts(kept: Mapping[str, int]) -> str:
    ordered = sorted(kept.items(), key=lambda pair: (-pair[1], pair[0]))
    return ", ".join(f"{safe_line(name)} {number:,}" for name, number in ordered)
