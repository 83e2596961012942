"""``edda index``: create, list, drop."""

from __future__ import annotations

from contextlib import ExitStack

import click

from edda_sync.cli.columns import print_table
from edda_sync.cli.commands import Group
from edda_sync.cli.common import json_option, note, opened, print_json, safe_line, said_if_long, say
from edda_sync.cli.progress import Progress
from edda_sync.words.errors import UsageError, typed
from edda_sync.words.indexes import IndexConfig, IndexType, as_data


@click.group("index", cls=Group)
def index() -> None:
    """Indexes: what makes a list fast that asks for certain columns or keys; docs/queries.md says which is for what."""


@index.command("create")
@click.argument("name")
@click.argument("column", nargs=-1)
@click.option("--on", type=click.Choice(["task", "doc"]), default="task", show_default=True, help="What it finds.")
@click.option(
    "--columns", metavar="COLUMN", multiple=True,
    help="A column, or metadata.KEY; may be given again, or with commas between. The same as COLUMN behind NAME.",
)  # fmt: skip
@click.option(
    "--type", "index_type", type=click.Choice([each.value for each in IndexType]), default="btree", show_default=True,
    help="btree: equality and ranges; hash: equality of long texts; full-text: words; spatial: nearness.",
)  # fmt: skip
@click.option("--unique", is_flag=True, help="No two may have the same values, on all devices of the workspace.")
@click.option("--where", "where_clause", metavar="CLAUSE", help="Only these, such as \"status = 'open'\".")
def create(
    name: str,
    column: tuple[str, ...],
    on: str,
    columns: tuple[str, ...],
    index_type: str,
    unique: bool,
    where_clause: str | None,
) -> None:
    """
    Make an index. A list that it serves uses it from then on; --explain shows that.

    As in `edda index create by-effort metadata.effort`, `edda index create nearby metadata.location --type spatial`, or
    `edda index create tickets metadata.ticket --unique`.
    """
    named = [each for given in (*column, *columns) for each in _split(given)]
    if not named:
        shown, key = (
            typed(safe_line(name)),
            typed(f'metadata."{name}"' if "." in name else f"metadata.{safe_line(name)}"),
        )
        raise UsageError(
            f"Name the column or key that the index is of, as in `edda index create {shown} {key}`; nothing was made."
        )
    with opened(make=True) as store, ExitStack() as stack:
        progress = Progress("Indexing", store.counts()[f"{_kind(on)}s"])
        waiting = progress if unique else said_if_long("Making the index. Whoever else writes to this store waits.")
        stack.enter_context(waiting)
        made = store.indexes.create(
            name,
            named,
            IndexType(index_type),
            unique=unique,
            where_clause=where_clause,
            on=_kind(on),
            progress=progress,
        )
    say(_said(made))


@index.command("list")
@json_option
def list_(as_json: bool) -> None:
    """List the indexes that were made, by name."""
    with opened() as store:
        found = store.indexes.list()
    if as_json:
        print_json([as_data(each) for each in found])
    elif not found:
        note("No indexes. `edda index create NAME metadata.KEY` makes one.")
    else:
        rows = [
            [each.name, _word(each.on), _type(each), ", ".join(each.columns), each.where_clause or ""] for each in found
        ]
        print_table(["name", "on", "type", "columns", "where"], rows)


@index.command("drop")
@click.argument("name")
def drop(name: str) -> None:
    """Remove an index. What it was about stays."""
    with opened() as store:
        before = next((each for each in store.indexes.list() if each.name == name), None)
        store.indexes.drop(name)
    again = "" if before is None else f"; `{command_of(before)}` makes it again"
    note(f"Dropped: {safe_line(name)}{again}")


def _split(given: str) -> list[str]:
    """Return names with commas between, where a quoted key may hold a comma."""
    if '"' in given:
        return [given]
    return [each.strip() for each in given.split(",")]


def _kind(typed: str) -> str:
    return {"doc": "document"}.get(typed, typed)


def _word(kind: str) -> str:
    return {"document": "doc"}.get(kind, kind)


def _type(config: IndexConfig) -> str:
    return "unique" if config.unique else config.index_type.value


def command_of(config: IndexConfig) -> str:
    """Return the command that makes an index."""
    from shlex import join

    columns = [[f'"{part}"' if set(".,") & set(part) else part for part in each] for each in config.paths]
    words = ["edda", "index", "create", config.name, *map(".".join, columns)]
    words += [] if config.on == "task" else ["--on", _word(config.on)]
    words += [] if config.index_type is IndexType.BTREE else ["--type", config.index_type.value]
    words += ["--unique"] if config.unique else []
    words += ["--where", config.where_clause] if config.where_clause else []
    return join(words)


def _said(config: IndexConfig) -> str:
    where = f" where {config.where_clause}" if config.where_clause else ""
    return f"{config.name}: {_type(config)} on {_word(config.on)}s, {', '.join(config.columns)}{where}"
