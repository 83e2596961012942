"""``edda tag``: add, list, rename, rm."""

from __future__ import annotations

import click

from edda_sync.cli import taking_back
from edda_sync.cli.columns import NOTHING, print_table
from edda_sync.cli.commands import Group
from edda_sync.cli.common import (
    TagName,
    can_ask,
    json_option,
    note,
    on_terminal,
    opened,
    print_json,
    safe_line,
    say,
    write,
)
from edda_sync.words import model, values
from edda_sync.words.errors import UsageError


@click.group("tag", cls=Group)
def tag() -> None:
    """Tags: a name is a tag's identity, whatever its case. Put them on with `edda task edit --tag`, or `edda doc edit`."""


@tag.command("add")
@click.argument("name", type=TagName())
@click.option("--color", metavar="COLOR", help="Such as #ff8800.")
@click.option("--description", metavar="TEXT", help="What it stands for.")
@json_option
def add(name: str, color: str | None, description: str | None, as_json: bool) -> None:
    """
    Make a tag, or set what an existing one looks like.

    A deleted tag comes back on all that carried it.
    """
    with opened(make=True) as store:
        tag_id = write(store, lambda tx: tx.create_tag(name, color, description))
        made = next(each for each in store.tags() if each.id == tag_id)
    if as_json:
        print_json(model.as_json(made))
    elif on_terminal():
        note(f"The tag {safe_line(name)} is there; `edda task edit ID --tag NAME` or `edda doc edit` puts it on.")
    else:
        say(tag_id)


@tag.command("list")
@json_option
def list_(as_json: bool) -> None:
    """List all tags, by name."""
    with opened() as store:
        found = store.tags()
    if as_json:
        print_json([model.as_json(each) for each in found])
    elif not found:
        note("No tags. `edda task edit ID --tag NAME` makes one.")
    else:
        print_table(
            ["name", "color", "description"], [[t.name, t.color or NOTHING, t.description or ""] for t in found]
        )


@tag.command("rename")
@click.argument("name", type=TagName())
@click.argument("new_name", type=TagName())
@click.option(
    "--merge",
    is_flag=True,
    help="Let it become one with a tag that there is already; only `edda undo` parts them again.",
)
def rename(name: str, new_name: str, merge: bool) -> None:
    """Rename a tag, on all that carries it."""
    with opened() as store:
        old, new = values.tag_id(name), values.tag_id(new_name)
        tags = store.tags()
        was_there = old != new and any(each.id == new for each in tags)
        is_same = any((each.id, each.name) == (old, new_name) for each in tags)
        if was_there and not merge:
            _check_merge(name, new_name)
        with taking_back.written(store) as dots:
            write(store, lambda tx: tx.rename_tag(name, new_name))
    if is_same:
        note(f"The tag is called {safe_line(new_name)} already.")
    elif not was_there:
        note(f"Renamed the tag {safe_line(name)} to {safe_line(new_name)}.")
        taking_back.note_undo(dots)
    else:
        note(f"There was a tag {safe_line(new_name)} already: what carried {safe_line(name)} carries that one now.")
        taking_back.note_undo(dots)


def _check_merge(name: str, new_name: str) -> None:
    """
    Let two tags become one only if that is meant.

    Raises:
        UsageError: It was not confirmed, and nobody can be asked.
        ClickException: The person answered no.
    """
    there = f"There is a tag {safe_line(new_name)} already; what carries {safe_line(name)} would carry that one"
    if not can_ask():
        raise UsageError(f"{there}. Nothing was changed; --merge does it.")
    if not click.confirm(f"{there}. Make them one?", err=True):
        raise click.ClickException("Nothing was changed.")


@tag.command("rm")
@click.argument("name", type=TagName())
def rm(name: str) -> None:
    """Take a tag off everything and delete it; `edda tag add` brings it back."""
    with opened() as store:
        write(store, lambda tx: tx.delete_tag(name))
    note(f"Deleted the tag {name}; `edda tag add` brings it back to all that carried it.")
