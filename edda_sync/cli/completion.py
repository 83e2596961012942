"""``edda completion``: print a script with which a shell completes commands."""

from __future__ import annotations

from typing import Final

import click

from edda_sync.cli.commands import Command

_COMPINIT: Final = "(( $+functions[compdef] )) || { autoload -Uz compinit && compinit; }"


@click.command("completion", cls=Command)
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(ctx: click.Context, shell: str) -> None:
    """
    Print what makes SHELL complete commands and options.

    Put it where the shell looks: `eval "$(edda completion bash)"` in ~/.bashrc, the same with zsh in ~/.zshrc, or
    `edda completion fish > ~/.config/fish/completions/edda.fish`.
    """
    from click.shell_completion import get_completion_class

    found = get_completion_class(shell)
    assert found is not None, "click completes for each of these shells"
    source = found(ctx.find_root().command, {}, "edda", "_EDDA_COMPLETE").source()
    if shell == "zsh":  # in a ~/.zshrc that does not set completion up, there is no compdef
        first, line, rest = source.partition("\n")
        source = f"{first}{line}{_COMPINIT}\n{rest}"
    click.echo(source)
