"""``edda import``: bring in the content of other programs, and what `edda export` wrote."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from edda_sync.cli.commands import Group
from edda_sync.cli.common import FilePath, Progress, count, note, opened, safe_line, say, settings
from edda_sync.words import exits
from edda_sync.words.errors import UsageError

if TYPE_CHECKING:
    from edda_sync.imports import Refused, Report, Source

LISTED_MAX: Final = 10  # refused or edited items that are listed one by one


@click.group("import", cls=Group)
def import_() -> None:
    """Bring in tasks and documents of other programs, or an export. Importing again changes nothing, and undoes nothing."""


@import_.command("beads")
@click.argument("path", type=FilePath())
def beads(path: Path) -> None:
    """Import the issues of a Beads export, a file of JSON lines, as tasks; what no field holds goes into their metadata."""
    from edda_sync.imports import beads as source

    shown = safe_line(str(path))
    if path.is_dir():
        raise UsageError(
            f"{shown} is a folder; name the file that Beads wrote, such as .beads/issues.jsonl in its folder."
        )
    _import(source.read(path), "task", f"{shown} holds no issues, of which each would be a line of JSON")


@import_.command("markdown")
@click.argument("path", type=FilePath())
@click.option(
    "--under", metavar="PATH", default="", help="Put before the paths; keeps folders with equal names inside apart."
)
def markdown(path: Path, under: str) -> None:
    """
    Import a Markdown file, or all *.md below a folder, as documents, byte for byte.

    A document is known by its path inside the folder: import another folder that has files of the same names with --under.
    So a folder that `edda export --format markdown` wrote comes as new documents, without tags and links; for an export as
    it was, see `edda import jsonl`.
    """
    from edda_sync.imports import markdown as source

    _import(
        source.read(path, under), "document", f"There are no files in {safe_line(str(path))} whose names end in .md"
    )


@import_.command("jsonl")
@click.argument("path", type=FilePath())
def jsonl(path: Path) -> None:
    """
    Import what `edda export` wrote, under the same ids; what is here already stays as it is here.

    What an export does not hold does not come: the trash, the history, the values that conflicts keep, and when something
    was last changed.
    """
    from edda_sync.imports import jsonl as source

    shown = safe_line(str(path))
    if path.is_dir():
        raise UsageError(f"{shown} is a folder; name the file that `edda export FILE` wrote.")
    found = source.read(path)
    if not (found.items or found.tags or found.refused):
        _refuse_empty(f"{shown} holds no tasks or documents, of which each would be a line of JSON")
    named = settings()
    with opened() as store, Progress("Importing", len(found.items)) as progress:
        report = source.bring_into(store, found, agent=named.agent, reason=named.reason, progress=progress)
    say(f"{report.created:,} created, {report.unchanged:,} here already.")
    if report.in_trash:
        note(f"Left in the trash: {count(report.in_trash, 'item')}.")
    if report.edited:
        note(f"Other in the file than here, and left as it is here: {count(len(report.edited), 'value')}.")
        _list([f"{name}: {field}" for name, field in report.edited])
    _tell_refused(found.refused)


def _refuse_empty(none: str) -> None:
    note(f"{none}; nothing was imported.")
    click.get_current_context().exit(exits.NOT_FOUND)


def _import(source: Source, what: str, none: str) -> None:
    """Merge a source into the store, and print the result. ``none`` is the message for an empty source."""
    from edda_sync.imports import merge_into

    if not (source.items or source.refused):
        _refuse_empty(none)
    named = settings()
    with opened() as store, Progress("Importing", len(source.items)) as progress:
        report = merge_into(store, source, agent=named.agent, reason=named.reason, progress=progress)
    _tell(report, what)
    if report.kept:
        note(f"Kept in metadata, since no field holds it: {_counts(report.kept)}.")
    if report.nearly:
        note(f"Taken as near as a field holds it, and kept in metadata as it was: {_counts(report.nearly)}.")
    _tell_refused(source.refused)


def _tell_refused(refused: Sequence[Refused]) -> None:
    if refused:
        note(f"Could not be imported: {len(refused):,}.")
        _list([f"{each.name}: {each.why}" for each in refused])
        click.get_current_context().exit(exits.FAILED)


def _tell(report: Report, what: str) -> None:
    numbers = {"created": report.created, "updated": report.updated, "unchanged": report.unchanged}
    say(", ".join(f"{number:,} {name}" for name, number in numbers.items()) + ".")
    if report.in_trash:
        note(f"Left in the trash: {count(report.in_trash, what)}.")
    if report.edited:
        note(f"Changed in the source and here too, so that yours stayed: {count(len(report.edited), 'value')}.")
        _list([f"{name}: {field}" for name, field in report.edited])


def _list(lines: list[str]) -> None:
    for line in lines[:LISTED_MAX]:
        note(f"  {safe_line(line)}")
    if len(lines) > LISTED_MAX:
        note(f"  and {len(lines) - LISTED_MAX:,} more")


def _counts(kept: Mapping[str, int]) -> str:
    ordered = sorted(kept.items(), key=lambda pair: (-pair[1], pair[0]))
    return ", ".join(f"{safe_line(name)} {number:,}" for name, number in ordered)
