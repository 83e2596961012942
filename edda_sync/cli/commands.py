"""
Commands and groups of ``edda``. If a command does not exist, its group suggests which one was meant. In errors about a
value, a command names the option and not the field, since the person typed the option.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import click
from click.core import ParameterSource

from edda_sync.cli import completing
from edda_sync.words.errors import InvalidValueError

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

_FIELDS: Final = {
    "due_date": "due", "due_from": "due_after", "parent_id": "parent", "status": "statuses", "priority": "priorities",
}  # fmt: skip
"""Parameters whose names differ from those of the fields that they set."""


_SENTENCE_MAX: Final = 500  # characters of a first sentence: none is so long that click would cut it
TYPED: Final = "edda.typed"  # in the context of a command: what was typed behind it


class Command(click.Command):
    """
    A command that names values in errors by their options, and adds its context to each error of usage.

    Each has ``--json``. If it has no answer of its own in JSON, the lines of its answer are put into one (``told``).
    """

    def __init__(self, *args: Any, **named: Any) -> None:
        super().__init__(*args, **named)
        self._is_told = not any("--json" in each.opts for each in self.params)
        if self._is_told:
            self.params.append(click.Option(["--json", "told"], is_flag=True, help="Answer in JSON."))
        for each in self.params:
            completing.complete(each)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Read the arguments and options."""
        ctx.meta[TYPED] = list(args)
        try:
            return super().parse_args(ctx, args)
        except click.UsageError as error:  # the parser itself does not set the context
            error.ctx = error.ctx or ctx
            raise

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command."""
        is_told = self._is_told and ctx.params.pop("told", False)
        try:
            if is_told:
                from edda_sync.cli import told

                return told.run(lambda: super(Command, self).invoke(ctx), at_once=self.name in told.AT_ONCE)
            return super().invoke(ctx)
        except InvalidValueError as error:
            typed = _typed(ctx, error.field)
            if typed is None:
                raise
            raise InvalidValueError(typed, error.why, error.value) from error


def named(param: click.Parameter | None, ctx: click.Context | None, otherwise: str) -> str:
    """Return the name of an option as it was typed, if it has several; ``otherwise`` for what is no option."""
    if param is None:
        return otherwise
    words = [str(word).partition("=")[0] for word in (ctx.meta.get(TYPED, ()) if ctx is not None else ())]
    return next((each for each in param.opts if each in words), param.opts[0])


def _typed(ctx: click.Context | None, field: str) -> str | None:
    """Return the option or variable that gave a field its value; None if none did."""
    name = field.partition(".")[0]  # the rest is a key of metadata
    while ctx is not None:
        for param in ctx.command.params:
            if isinstance(param, click.Option) and param.name in (name, _FIELDS.get(name), f"{name}s"):
                source = ctx.get_parameter_source(param.name or "")
                if source is ParameterSource.COMMANDLINE:
                    return named(param, ctx, param.opts[0])
                if source is ParameterSource.ENVIRONMENT and isinstance(param.envvar, str):
                    return param.envvar
        ctx = ctx.parent
    return None


class Group(click.Group):
    """A group that suggests a command for one that does not exist."""

    command_class = Command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands, each with its first sentence, which is wrapped and not cut."""
        listed = [(name, self.get_command(ctx, name)) for name in self.list_commands(ctx)]
        rows = [(name, each.get_short_help_str(_SENTENCE_MAX)) for name, each in listed if each and not each.hidden]
        if rows:
            with formatter.section("Commands"):
                formatter.write_dl(rows)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Return the commands that begin with what is typed, each with its first sentence, and options."""
        from click.shell_completion import CompletionItem  # only where a shell asks

        listed = [
            (name, self.get_command(ctx, name)) for name in self.list_commands(ctx) if name.startswith(incomplete)
        ]
        found = [CompletionItem(name, help=each.get_short_help_str(_SENTENCE_MAX)) for name, each in listed if each]
        return found + click.Command.shell_complete(self, ctx, incomplete)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find a command, like click does."""
        name = str(args[0])
        if name == "help" and not ctx.resilient_parsing and self.get_command(ctx, name) is None:
            if len(args) > 1:
                return self.resolve_command(ctx, [*args[1:], "--help"])
            click.echo(ctx.get_help())
            ctx.exit()
        if self.get_command(ctx, name) is None and not name.startswith("-") and not ctx.resilient_parsing:
            from edda_sync.cli import hints

            place = ctx.command_path.partition(" ")[2]
            meant = hints.command(place, name, hints.commands_of(self, ctx))
            said = f"No such command {name!r}."
            if meant:
                said += f" Did you mean {hints.either([f'`edda {each}`' for each in meant])}?"
            elif place:  # a small group; the root has its help
                said += f" `edda {place}` has {', '.join(self.list_commands(ctx))}"
            raise click.UsageError(said, ctx)
        return super().resolve_command(ctx, args)
