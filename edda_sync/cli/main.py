"""
The command ``edda``: one file for each group of commands, which is imported only when it is used.

``edda task list`` is typed all day and must answer at once. So the root knows only the name, the place and a line of
help of each command. A command imports what it needs inside its function.

Every command ends with one of these codes: 0 done, 1 failed, 2 wrong usage, 3 not found, 4 not equal yet, 5 done but
not shown, 130 interrupted.
"""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Callable, Sequence
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from edda_sync.cli import streams
from edda_sync.cli.commands import Group
from edda_sync.cli.common import FilePath, Settings, drop_stdout, note, safe_line
from edda_sync.cli.completing import VARIABLE
from edda_sync.cli.interrupts import interrupted
from edda_sync.words import exits
from edda_sync.words.asking import ask_with
from edda_sync.words.config import absolute
from edda_sync.words.errors import EddaError

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

COMMANDS: Final = {
    "init": ("init:init", "Make a store here; other commands do so too."),
    "task": ("tasks:task", "Tasks: add, list, search, show, edit, start, done, rm, restore, move."),
    "doc": ("documents:doc", "Documents: add, list, show, edit, rm, restore, search, files, fetch, save, detach."),
    "tag": ("tags:tag", "Tags: add, list, rename, rm."),
    "link": ("links:link", "Link a document to a task."),
    "attach": ("attachments:attach", "Attach files to a document."),
    "import": ("imports:import_", "Bring in tasks and documents of other programs."),
    "export": ("exports:export", "Write everything out, as JSON lines or as Markdown files."),
    "conflicts": ("conflicts:conflicts", "Show what was written on several devices at once."),
    "history": ("history:history", "Show what was done, when, by whom and why."),
    "undo": ("undo:undo", "Take a change back, by another change."),
    "revert": ("undo:revert", "Take everything back that an agent did since a time."),
    "up": ("network:up", "Run this device: find the others, and sync."),
    "service": ("service:service", "Let the system run this device: install, status, uninstall."),
    "invite": ("invite:invite", "Let another device join."),
    "join": ("join:join", "Join the workspace of another device."),
    "devices": ("devices:devices", "List the devices of the workspace; rename."),
    "split": ("split:split", "Make a copy of a store a device of its own."),
    "sync": ("network:sync", "Sync once, until every reachable device is proved equal."),
    "status": ("status:status", "Show peers, and how far each is."),
    "bundle": ("bundle:bundle", "Changes in a file, for another device: export, show, import."),
    "index": ("indexes:index", "Indexes: create, list, drop."),
    "store": ("store:store", "How the store lies on disk: encrypt, decrypt."),
    "backup": ("backup:backup", "Backups: now, list, verify, restore, target, recovery."),
    "key": ("key:key", "Replace the keys of an encrypted store."),
    "config": ("config:config", "Settings: show, set, unset."),
    "doctor": ("doctor:doctor", "Check the store, and fold its tables anew."),
    "demo": ("demo:demo", "Show the main job on this machine, in half a minute."),
    "simulate": ("simulate:simulate", "Try the engine on simulated networks, disks and clocks."),
    "manual": ("manual:manual", "Write the manual pages."),
    "completion": ("completion:completion", "Print what makes a shell complete commands."),
}
"""Name of each command, its place (module in this package, and attribute), and its line of help."""


class Lazy(Group):
    """A group whose commands are imported when they are used. Commands whose module is missing are left out."""

    _as_json = False  # whether the command line asks for JSON

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """Return the names, in the order of :data:`COMMANDS`."""
        return [name for name in COMMANDS if _is_there(name)]

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:  # noqa: ARG002 - as above
        """Import a command."""
        if name not in COMMANDS or not _is_there(name):
            return None
        place, _ = COMMANDS[name]
        found = getattr(import_module(_module_of(place)), place.partition(":")[2])
        assert isinstance(found, click.Command), "COMMANDS names commands"
        return found

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of commands without importing any."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, COMMANDS[name][1]) for name in self.list_commands(ctx)])

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Return the commands that begin with what is typed, without importing any, and options."""
        from click.shell_completion import CompletionItem  # only where a shell asks

        names = [name for name in self.list_commands(ctx) if name.startswith(incomplete)]
        found = [CompletionItem(name, help=COMMANDS[name][1]) for name in names]
        return found + click.Command.shell_complete(self, ctx, incomplete)

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command. Turn an error that ends it into one line and an exit code."""
        try:
            result = super().invoke(ctx)
            sys.stdout.flush()  # a closed pipe should show here, and not when the interpreter ends
        except EddaError as error:
            self._fail(str(error), error.exit_code, type(error).__name__)
            ctx.exit(error.exit_code)
        except BrokenPipeError:
            drop_stdout()
            ctx.exit(exits.PIPE)
        except OSError as error:
            where = f"{safe_line(os.fsdecode(error.filename))}: " if error.filename is not None else ""
            code = exits.NOT_FOUND if isinstance(error, FileNotFoundError) else exits.FAILED
            self._fail(f"{where}{error.strerror or error}.", code, type(error).__name__)
            ctx.exit(code)
        except click.Abort:  # from a question, or from a wait for a person: see ``common.GivenUpError``
            self._end("Nothing was done.")
            ctx.exit(exits.INTERRUPTED)
        except KeyboardInterrupt:
            self._end(interrupted())
            ctx.exit(exits.INTERRUPTED)
        return result

    def _fail(self, message: str, code: int, kind: str) -> None:
        """Say on stderr why a command ends, to a program as one line of JSON."""
        if self._as_json:
            click.echo(json.dumps({"error": {"type": kind, "message": message, "exit_code": code}}), err=True)
        else:
            note(message)

    def _end(self, said: str) -> None:
        """Say on stderr that a person ended a command, below what a terminal shows for Ctrl-C."""
        if self._as_json:
            self._fail(said, exits.INTERRUPTED, "Interrupted")
        else:
            _note_apart(said)

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,  # noqa: ARG002 - it always ends the process
        **extra: Any,
    ) -> Any:
        """Run the command line and leave the process. Errors of usage are also one sentence."""
        streams.prepare()
        typed = sys.argv[1:] if args is None else list(args)
        self._as_json = "--json" in typed[: typed.index("--") if "--" in typed else None]
        if VARIABLE in os.environ:
            from edda_sync.cli import shells

            shells.register()
        try:
            code = super().main(args, prog_name or "edda", complete_var, standalone_mode=False, **extra)
            sys.stdout.flush()
        except click.exceptions.NoArgsIsHelpError as error:
            click.echo(error.format_message())
            code = exits.USAGE
        except click.UsageError as error:
            self._fail(_usage(error), exits.USAGE, "UsageError")
            code = exits.USAGE
        except click.ClickException as error:
            self._fail(error.format_message(), exits.FAILED, type(error).__name__)
            code = exits.FAILED
        except (KeyboardInterrupt, click.Abort):
            code = exits.INTERRUPTED
        except BrokenPipeError:  # from output before a command runs, such as its help
            drop_stdout()
            code = exits.PIPE
        sys.exit(_shown(code if isinstance(code, int) else 0))


def _shown(code: int) -> int:
    """If not all of the answer could be shown, say so, and that the work is done; return the exit code."""
    why = streams.unshown()
    if not why:
        return code
    done = "what the command was to do is done, but " if code == 0 else ""
    note(f"Standard output takes nothing ({why}): {done}its answer is not shown, or not all of it.")
    return code or exits.UNSHOWN


def _usage(error: click.UsageError) -> str:
    """Return what is wrong with a command line, and what would be right, if that can be guessed."""
    from edda_sync.cli import hints

    said = " ".join(error.format_message().split())  # click puts alternatives on lines of their own
    place = error.ctx.command_path if error.ctx is not None else "edda"
    if isinstance(error, click.NoSuchOption) and error.ctx is not None:
        name = error.option_name
        for option in root.params:
            if name in option.opts:
                behind = " ".join(filter(None, (name, option.metavar, place.removeprefix("edda").strip())))
                return f"{name} stands before the command, as in `edda {behind}`."
        if name == "--json" and error.ctx.parent is None:
            return "--json stands behind the command, as in `edda task list --json`."
        takes_words = any(isinstance(each, click.Argument) for each in error.ctx.command.params)
        if takes_words and not re.fullmatch(r"--[a-z][a-z-]*", name):  # edda has no short options
            words = error.ctx.command.collect_usage_pieces(error.ctx)[-1]
            return f"No such option {safe_line(name)!r}; what begins with - goes behind --: `{place} -- {words}`."
        known = [opt for each in error.ctx.command.get_params(error.ctx) for opt in each.opts if opt.startswith("--")]
        said = f"No such option {safe_line(name)!r}. {hints.option(place.removeprefix('edda').strip(), name, known)}".strip()
    more = f"`{place} --help` says more."
    return f"{said} {more}" if said.endswith(("?", "`.")) else f"{said.rstrip('.')}; {more}"


def _note_apart(text: str) -> None:
    """Print a line below what a terminal shows for Ctrl-C, or below a question without an answer."""
    note(f"\n{text}" if sys.stderr.isatty() else text)


@cache
def _is_there(name: str) -> bool:
    return find_spec(_module_of(COMMANDS[name][0])) is not None


def _module_of(place: str) -> str:
    return f"edda_sync.cli.{place.partition(':')[0]}"


def _print_version(ctx: click.Context, _parameter: click.Parameter, wanted: bool) -> None:
    if wanted:
        from edda_sync import __version__

        click.echo(f"edda {__version__}")
        ctx.exit()


@click.command("edda", cls=Lazy, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 120})
@click.option("--home", metavar="DIR", envvar="EDDA_HOME", type=FilePath(), help="The store's folder.")
@click.option(
    "--agent", metavar="NAME", envvar="EDDA_AGENT", help="Who does this, if not you: the name of an AI agent."
)
@click.option("--reason", metavar="TEXT", envvar="EDDA_REASON", help="Why, for the history.")
@click.option(
    "--version", is_flag=True, is_eager=True, expose_value=False, callback=_print_version, help="Show the version."
)
@click.pass_context
def root(ctx: click.Context, home: Path | None, agent: str | None, reason: str | None) -> None:
    """
    Tasks and documents on all your devices, offline and in sync.

    The store is in EDDA_HOME, or where --home says; EDDA_STATE is where it is remembered, so that a copy of it is
    noticed. Ids may be shortened to 6 or more characters of their end, or of their beginning.
    """
    ctx.obj = Settings(None if home is None else absolute(home), agent, reason)
    ask_with(_ask)


def _ask(prompt: str, is_new: bool) -> str | None:
    from edda_sync.cli.secrets import ask  # rarely needed

    return ask(prompt, is_new)


main: Callable[[], Any] = root
"""The function that the installed command runs."""
