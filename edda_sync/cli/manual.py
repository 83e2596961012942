"""``edda manual``: write the manual pages, one for each command, made of what the commands say of themselves."""

from __future__ import annotations

import re
from collections.abc import Iterator
from inspect import cleandoc
from pathlib import Path
from typing import Final

import click

from edda_sync.cli.commands import Command
from edda_sync.cli.common import FilePath, count, safe_line, say
from edda_sync.words import exits
from edda_sync.words.files import make_folders, replace_file

CODES: Final = {
    exits.DONE: "done",
    exits.FAILED: "failed, or a part of it",
    exits.USAGE: "wrong usage; nothing was done",
    exits.NOT_FOUND: "what was named, or the store, is not there",
    exits.NOT_EQUAL: "not yet proved equal with another device",
    exits.UNSHOWN: "done, but the answer could not be printed",
    exits.INTERRUPTED: "interrupted",
    exits.PIPE: "the reader of the answer has gone",
}
"""What each exit code means."""


@click.command("manual", cls=Command)
@click.argument("folder", type=FilePath())
@click.pass_context
def manual(ctx: click.Context, folder: Path) -> None:
    """
    Write the manual pages into a folder, such as ~/.local/share/man/man1, where `man edda` finds them.

    There is one for each command, such as edda-task-add.1; those that are there are replaced.
    """
    made = dict(pages(ctx.find_root().command))
    make_folders(folder)
    for name, page in made.items():
        replace_file(folder / f"{name}.1", lambda file, page=page: file.write(page.encode()), keep_mode=True)  # type: ignore[misc]
    say(f"Wrote {count(len(made), 'page')} to {safe_line(str(folder))}.")


def pages(command: click.Command, name: str = "edda", above: click.Context | None = None) -> Iterator[tuple[str, str]]:
    """Yield the name and text of the page of a command, and of each below it."""
    ctx = click.Context(command, info_name=name.rpartition("-")[2], parent=above)
    yield name, page(command, name, ctx)
    if isinstance(command, click.Group):
        for each in command.list_commands(ctx):
            below = command.get_command(ctx, each)
            assert below is not None, "a group has the commands that it lists"
            yield from pages(below, f"{name}-{each}", ctx)


def page(command: click.Command, name: str, ctx: click.Context) -> str:
    """Return the manual page of a command, in the macros of man(7)."""
    usage = " ".join(command.collect_usage_pieces(ctx))
    first, _, _ = _help(command).partition("\n\n")
    parts = [
        f'.TH "{name.upper()}" "1" "" "edda" "edda manual"',
        f".SH NAME\n{_escaped(name)} \\- {_escaped(_one_line(first))}",
        f".SH SYNOPSIS\n.B {_escaped(name.replace('-', ' '))}\n{_escaped(usage)}",
        ".SH DESCRIPTION\n" + "\n.PP\n".join(_escaped(_one_line(each)) for each in _help(command).split("\n\n")),
    ]
    options = [each.get_help_record(ctx) for each in command.get_params(ctx) if isinstance(each, click.Option)]
    parts += _listed("OPTIONS", [each for each in options if each])
    if isinstance(command, click.Group):
        below = [(each, command.get_command(ctx, each)) for each in command.list_commands(ctx)]
        parts += _listed(
            "COMMANDS", [(f"{name}-{each}(1)", found.get_short_help_str(300)) for each, found in below if found]
        )
    parts += _listed("EXIT STATUS", [(str(code), meaning) for code, meaning in CODES.items()])
    return "\n".join(parts) + "\n"


def _help(command: click.Command) -> str:

    return cleandoc(command.help or "")


def _listed(heading: str, rows: list[tuple[str, str]]) -> list[str]:
    if not rows:
        return []
    return [f".SH {heading}", *(f".TP\n.B {_escaped(name)}\n{_escaped(_one_line(told)) or '.'}" for name, told in rows)]


def _one_line(text: str) -> str:
    return " ".join(re.sub("[\b]", "", text).split())


def _escaped(text: str) -> str:
    """Return text that roff shows as it is."""
    shown = text.replace("\\", "\\e").replace("-", "\\-").replace("'", "\\(aq").replace("`", "\\(ga")
    return f"\\&{shown}" if shown.startswith(".") else shown
