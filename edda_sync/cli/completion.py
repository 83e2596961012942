"""``edda completion``: print a script with which a shell completes commands."""

from __future__ import annotations

import click

from edda_sync.cli.commands import Command
from edda_sync.cli.completing import VARIABLE


@click.command("completion", cls=Command)
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(ctx: click.Context, shell: str) -> None:
    """
    Print what makes SHELL complete commands and options.

    Put it where the shell looks: `eval "$(edda completion bash)"` in ~/.bashrc, the same with zsh in ~/.zshrc, or
    `edda completion fish > ~/.config/fish/completions/edda.fish`.
    """
    from edda_sync.cli.shells import SHELLS

    click.echo(SHELLS[shell](ctx.find_root().command, {}, "edda", VARIABLE).source().strip())
