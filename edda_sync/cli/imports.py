"""``edda import``: bring in the content of other programs, and what `edda export` wrote."""

from __future__ import annotations

import codecs
import io
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Final

import click

from edda_sync.cli import streams, taking_back
from edda_sync.cli.commands import Group
from edda_sync.cli.common import FilePath, home, is_new, json_option, opened, safe_line, settings
from edda_sync.cli.progress import Progress
from edda_sync.engine.engine import StorageEngine
from edda_sync.words import limits
from edda_sync.words.config import StorageConfig
from edda_sync.words.errors import EmptySourceError, UsageError, typed

if TYPE_CHECKING:
    from edda_sync.imports import Adapter, Report, Source

STDIN: Final = "-"  # the name of a file that means standard input
_TEXTS: Final = (".md", ".markdown", ".txt")  # how the name of a single file ends


@click.group("import", cls=Group)
def import_() -> None:
    """Bring in tasks and documents of other programs, or an export. Importing again changes nothing, and undoes nothing."""


def _options(function: Any) -> Any:
    """Add the options of every import."""
    for option in (
        json_option,
        click.option(
            "--prefer",
            type=click.Choice(["here", "source"]),
            help="Settle what both sides have changed; otherwise it stays as it is here, and is told again.",
        ),
        click.option("--dry-run", is_flag=True, help="Write nothing; show what would become of each item."),
    ):
        function = option(function)
    return function


def _reads(name: str, none: str, what: str) -> None:
    """Return the command of a format that is one file of tasks. ``none`` is what an empty one lacks, ``what`` its help."""

    @click.argument("path", type=FilePath())
    @_options
    def command(path: Path, **options: Any) -> None:
        source: Adapter = import_module(f"edda_sync.imports.{name}")
        shown = _shown(path)
        if path.is_dir():
            raise UsageError(f"{shown} is a folder; name the file that was exported.")
        with _lines(path) as lines:
            found = source.parse(lines)
        _import(lambda _: found, "task", f"{shown} holds no {none}", found, **options)

    command.__doc__ = what
    import_.command(name)(command)


_reads(
    "beads",
    "issues, of which each would be a line of JSON",
    """
    Import the issues of a Beads export, a file of JSON lines or stdin for -, as tasks.

    What no field holds goes into their metadata.
    """,
)
_reads(
    "taskwarrior",
    "tasks, as `task export` writes them",
    """
    Import what `task export` of Taskwarrior wrote, a file or stdin for -, as tasks.

    Priorities H, M and L become 0, 1 and 3. A template of recurring tasks is left out, and its tasks are taken. What no
    field holds goes into their metadata.
    """,
)
_reads(
    "todotxt",
    "tasks, of which each would be a line",
    """
    Import a file of todo.txt, or stdin for -, as tasks.

    Projects and contexts become tags, with their + and @. A task is known by its key id:, or else by its text: if that is
    edited in the file, it is another task.
    """,
)
_reads(
    "ics",
    "tasks (VTODO)",
    """
    Import the tasks (VTODO) of an iCalendar file, or of stdin for -.

    A time in a zone is kept, and one without a zone is taken as one of this machine. Events are left out.
    """,
)
_reads(
    "todoist",
    "tasks",
    """
    Import the CSV that Todoist makes of a project, or stdin for -, as tasks.

    Labels become tags, and sections tags of their name. A task is known by its text and what is above it.
    """,
)


@import_.command("markdown")
@click.argument("path", type=FilePath())
@click.option(
    "--under", metavar="PATH", default="", help="Put before the paths; keeps folders with equal names inside apart."
)
@click.option("--hidden", is_flag=True, help="Take hidden folders, too, and folders of programs such as node_modules.")
@click.option("--same", is_flag=True, help="Take this for the folder of that name that was imported before.")
@_options
def markdown(path: Path, under: str, hidden: bool, same: bool, **options: Any) -> None:
    """
    Import a Markdown file, or all below a folder, as documents, byte for byte.

    A document is known again by what `edda export --format markdown` noted in the folder, by its folder's name and its path
    inside, and, if it was renamed, by its content. Title, tags and times come from front matter. What both sides have
    edited is merged. What lies in a folder NAME.files beside NAME.md is attached to its document when that is made; what
    came there since is told, and attached with --prefer source.
    """
    from edda_sync.imports import markdown as source

    _check_markdown(path)
    read = source.read(path, under, hidden=hidden)
    none = f"There are no files in {safe_line(str(path))} whose names end in .md"
    _import(lambda store: read.source(store, same=same), "document", none, read, **options)


@import_.command("jsonl")
@click.argument("path", type=FilePath())
@_options
def jsonl(path: Path, prefer: str | None, dry_run: bool, as_json: bool) -> None:
    """
    Import what `edda export` wrote, a file or stdin for -, under the same ids; what is here already stays as it is here.

    What an export does not hold does not come: the trash, the history, the values that conflicts keep, and when something
    was last changed. What is attached comes from the folder beside the file, whose name has .files behind it.
    """
    from edda_sync.cli import imported
    from edda_sync.imports import jsonl as source
    from edda_sync.imports.markdown import SUFFIX

    shown = _shown(path)
    if path.is_dir():
        raise UsageError(f"{shown} is a folder; name the file that `edda export FILE` wrote.")
    with _lines(path) as lines:
        found = source.parse(lines)
    if not (found.items or found.tags or found.refused):
        raise EmptySourceError(f"{shown} holds no tasks or documents, of which each would be a line of JSON")
    named, beside = settings(), None if str(path) == STDIN else path.with_name(path.name + SUFFIX)
    with (
        _opened(dry_run) as store,
        Progress("Importing", len(found.items)) as progress,
        taking_back.written(store) as dots,
    ):
        report = source.bring_into(
            store,
            found,
            beside=beside,
            prefer=prefer,
            dry_run=dry_run,
            agent=named.agent,
            reason=named.reason,
            progress=progress,
        )
    imported.tell_export(found, report, dots, dry_run=dry_run, as_json=as_json)


def _shown(path: Path) -> str:
    return "Standard input" if str(path) == STDIN else safe_line(str(path))


@contextmanager
def _lines(path: Path) -> Iterator[IO[bytes]]:
    """Open a file, or stdin for ``-``."""
    if str(path) != STDIN:
        with path.open("rb") as file:
            yield _readable(path, file)
    elif streams.can_read():
        yield _readable(path, sys.stdin.buffer)
    else:
        raise UsageError("Standard input is closed, and - reads it; name a file instead. Nothing was imported.")


def _readable(path: Path, file: IO[bytes]) -> IO[bytes]:
    """Refuse a file in UTF-16, as PowerShell writes what is redirected: no line of it could be read."""
    start = file.peek(2)[:2] if isinstance(file, io.BufferedReader) else b""
    if start in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE):
        raise UsageError(
            f"{_shown(path)} is UTF-16 text; nothing was imported: write it as UTF-8 (in PowerShell, "
            "`Out-File -Encoding utf8` does)."
        )
    return file


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


@contextmanager
def _opened(dry_run: bool) -> Iterator[StorageEngine]:
    """Open the store. A dry run where there is none makes none: it looks at an empty one in memory."""
    if not dry_run or not is_new():
        with opened(make=not dry_run) as store:
            yield store
        return
    with StorageEngine(home()) as store:
        store.open_store(StorageConfig(backend="memory"), must_exist=False)
        yield store


def _import(
    recognise: Callable[[StorageEngine], Source],
    what: str,
    none: str,
    read: Any,
    *,
    prefer: str | None,
    dry_run: bool,
    as_json: bool,
) -> None:
    """
    Merge a source into the store, and print the result.

    Args:
        recognise: Returns the source, whose items are known again in the store.
        what: What its items become.
        none: The message for an empty source.
        read: What was read: it has items, and what was refused and left out.
        prefer, dry_run, as_json: The options of every import.
    """
    from edda_sync.cli import imported
    from edda_sync.imports import merge_into

    if not (read.items or read.refused):
        imported.tell_left_out(read.left_out)
        raise EmptySourceError(none)
    named = settings()

    def merged(store: StorageEngine) -> tuple[Source, Report]:
        source = recognise(store)
        with Progress("Importing", len(source.items)) as progress:
            return source, merge_into(
                store, source, prefer=prefer, dry_run=dry_run, agent=named.agent, reason=named.reason, progress=progress
            )

    with _opened(dry_run) as store, taking_back.written(store) as dots:
        source, report = merged(store)
    imported.tell(source, report, what, dots, dry_run=dry_run, as_json=as_json)
