"""``edda import``: bring in the content of other programs, and what `edda export` wrote."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Final

import click

from edda_sync.cli import streams, taking_back
from edda_sync.cli.commands import Group
from edda_sync.cli.common import FilePath, count, note, opened, safe_line, say, settings
from edda_sync.cli.progress import Progress
from edda_sync.words import exits, limits
from edda_sync.words.errors import UsageError, typed
from edda_sync.words.model import Task

if TYPE_CHECKING:
    from edda_sync.imports import Refused, Report, Source

STDIN: Final = "-"  # the name of a file that means standard input
_TEXTS: Final = (".md", ".markdown", ".txt")  # how the name of a single file ends
LISTED_MAX: Final = 10  # refused or edited items that are listed one by one


@click.group("import", cls=Group)
def import_() -> None:
    """Bring in tasks and documents of other programs, or an export. Importing again changes nothing, and undoes nothing."""


@import_.command("beads")
@click.argument("path", type=FilePath())
def beads(path: Path) -> None:
    """
    Import the issues of a Beads export, a file of JSON lines or stdin for -, as tasks.

    What no field holds goes into their metadata.
    """
    from edda_sync.imports import beads as source

    shown = _shown(path)
    if path.is_dir():
        raise UsageError(
            f"{shown} is a folder; name the file that Beads wrote, such as .beads/issues.jsonl in its folder."
        )
    with _lines(path) as lines:
        found = source.parse(lines)
    _import(found, "task", f"{shown} holds no issues, of which each would be a line of JSON")


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
    it was, see `edda import jsonl`. What lies in a folder NAME.files beside NAME.md is attached to its document.
    """
    from edda_sync.imports import markdown as source

    _check_markdown(path)
    _import(
        source.read(path, under), "document", f"There are no files in {safe_line(str(path))} whose names end in .md"
    )


@import_.command("jsonl")
@click.argument("path", type=FilePath())
def jsonl(path: Path) -> None:
    """
    Import what `edda export` wrote, a file or stdin for -, under the same ids; what is here already stays as it is here.

    What an export does not hold does not come: the trash, the history, the values that conflicts keep, and when something
    was last changed. What is attached comes from the folder beside the file, whose name has .files behind it.
    """
    from edda_sync.imports import jsonl as source
    from edda_sync.imports.markdown import SUFFIX

    shown = _shown(path)
    if path.is_dir():
        raise UsageError(f"{shown} is a folder; name the file that `edda export FILE` wrote.")
    with _lines(path) as lines:
        found = source.parse(lines)
    if not (found.items or found.tags or found.refused):
        _refuse_empty(f"{shown} holds no tasks or documents, of which each would be a line of JSON")
    named, beside = settings(), None if str(path) == STDIN else path.with_name(path.name + SUFFIX)
    with (
        opened(make=True) as store,
        Progress("Importing", len(found.items)) as progress,
        taking_back.written(store) as dots,
    ):
        report = source.bring_into(
            store, found, beside=beside, agent=named.agent, reason=named.reason, progress=progress
        )
    tasks = sum(isinstance(each.item, Task) for each in found.items)
    held = f"{count(tasks, 'task')} and {count(len(found.items) - tasks, 'document')}"
    say(f"{held}: {report.created:,} created, {report.unchanged:,} here already.")
    taking_back.note_undo(dots)
    if report.in_trash:
        note(f"Left in the trash: {count(report.in_trash, 'item')}.")
    if report.edited:
        note(f"Other in the file than here, and left as it is here: {count(len(report.edited), 'value')}.")
        _list([f"{name}: {field}" for name, field in report.edited])
    _tell_attached(report)
    _tell_refused(found.refused, report)


def _shown(path: Path) -> str:
    return "Standard input" if str(path) == STDIN else safe_line(str(path))


@contextmanager
def _lines(path: Path) -> Iterator[IO[bytes]]:
    """Open a file, or stdin for ``-``."""
    if str(path) != STDIN:
        with path.open("rb") as file:
            yield file
    elif streams.can_read():
        yield sys.stdin.buffer
    else:
        raise UsageError("Standard input is closed, and - reads it; name a file instead. Nothing was imported.")


def _check_markdown(path: Path) -> None:
    """Refuse a single file that is an export, or whose name is not one of a text, and say what takes it."""
    from edda_sync.imports.lines import importer_of

    if str(path) == STDIN:
        raise UsageError("A document is known by the name of its file; `edda doc add -` takes a text from stdin.")
    if not path.is_file():
        return
    shown = safe_line(str(path))
    with path.open("rb") as file:
        found = importer_of(file.readline(limits.TEXT_BYTES_MAX))
    if found:
        raise UsageError(
            f"{shown} is an export; nothing was imported: `edda import {found} {typed(str(path))}` takes it."
        )
    if path.suffix.lower() not in _TEXTS:
        raise UsageError(
            f"{shown} does not end in {', '.join(_TEXTS[:-1])} or {_TEXTS[-1]}; nothing was imported: "
            f"`edda doc add {typed(str(path))}` takes any text."
        )


def _refuse_empty(none: str) -> None:
    note(f"{none}; nothing was imported.")
    click.get_current_context().exit(exits.NOT_FOUND)


def _import(source: Source, what: str, none: str) -> None:
    """Merge a source into the store, and print the result. ``none`` is the message for an empty source."""
    from edda_sync.imports import merge_into

    if not (source.items or source.refused):
        _refuse_empty(none)
    named = settings()
    with (
        opened(make=True) as store,
        Progress("Importing", len(source.items)) as progress,
        taking_back.written(store) as dots,
    ):
        report = merge_into(store, source, agent=named.agent, reason=named.reason, progress=progress)
    _tell(report, what)
    if report.kept:
        note(f"Kept in metadata, since no field holds it: {_counts(report.kept)}.")
    if report.nearly:
        note(f"Taken as near as a field holds it, and kept in metadata as it was: {_counts(report.nearly)}.")
    taking_back.note_undo(dots)
    _tell_attached(report)
    _tell_refused(source.refused, report)


def _tell_attached(report: Report) -> None:
    if report.attached:
        note(f"Attached: {count(report.attached, 'file')}.")
    if report.unattached:
        note(f"Could not be attached: {len(report.unattached):,}.")
        _list([f"{each.name}: {each.why}" for each in report.unattached])


def _tell_refused(refused: Sequence[Refused], report: Report) -> None:
    if refused:
        note(f"Could not be imported: {len(refused):,}.")
        _list([f"{each.name}: {each.why}" for each in refused])
    if refused or report.unattached:
        click.get_current_context().exit(exits.FAILED)


def _tell(report: Report, what: str) -> None:
    say(f"{count(report.created, what)} created, {report.updated:,} updated, {report.unchanged:,} unchanged.")
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
