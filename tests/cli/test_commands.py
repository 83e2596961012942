"""Commands and groups: an error names a value as it was typed, and a group says which command was meant."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import click
import pytest

from edda_sync.cli.commands import Command, Group
from edda_sync.cli.main import COMMANDS, root

ROOT = click.Context(root)


def all_of(group: click.Group) -> Iterator[click.Command]:
    for name in group.list_commands(ROOT):
        found = group.get_command(ROOT, name)
        assert found is not None
        yield found
        if isinstance(found, click.Group):
            yield from all_of(found)


def test_every_command_and_group_is_one_of_ours() -> None:
    found = list(all_of(root))
    assert len(found) > len(COMMANDS)
    assert [each.name for each in found if not isinstance(each, Command | Group)] == []


def test_no_help_shows_a_mark_that_only_a_library_reads() -> None:
    shown = {each.name: each.get_help(click.Context(each, info_name=each.name)) for each in all_of(root)}
    assert {name for name, text in shown.items() if re.search(r"\\|[\b\f\v]|``|:(func|class|meth):", text)} == set()


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (["task", "add", "a", "--due", "soon"], "--due: 'soon' is not a date such as"),
        (["task", "list", "--due-before", "soon"], "--due-before: 'soon' is not a date such as"),
        (["task", "list", "--due-after", "soon"], "--due-after: 'soon' is not a date such as"),
        (["task", "add", "a", "--priority", "9"], "--priority: must be a whole number"),
        (["task", "list", "--priority", "9"], "--priority: must be a whole number"),
        (["task", "add", "a", "--tag", ""], "--tag: is empty"),
        (["task", "add", "a", "--metadata", "{"], "--metadata: is not JSON"),
        (["task", "add", "a", "--agent-context", "7"], "--agent-context: must be a JSON object"),
        (["task", "list", "--limit", "-1"], "--limit: must be 0 or more"),
        (["task", "list", "--text", "*"], "--text: holds nothing to look for"),
        (["doc", "list", "--type", ""], "--type: is empty"),
        (["doc", "add", "-", "--title", "x", "--content-type", ""], "--content-type: is empty"),
        (["doc", "add", "-", "--title", ""], "--title: is empty"),
        (["--agent", "", "task", "add", "a"], "--agent: is empty"),
        (["--reason", "\n", "task", "add", "a"], "--reason: "),
        (["task", "add", ""], "title: is empty"),  # it is given without an option
    ],
)
def test_an_error_names_the_option_that_gave_a_value(edda: Any, args: list[str], says: str) -> None:
    assert edda(*args, code=2, stdin="words").stderr.startswith(says)


def test_an_error_names_the_variable_that_gave_a_value(edda: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDDA_AGENT", "a\tb")
    assert edda("task", "add", "a", code=2).stderr.startswith("EDDA_AGENT: has a control character")


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (["doc", "new"], "No such command 'new'. Did you mean `edda doc add`? `edda doc --help` says more."),
        (["documents", "list"], "No such command 'documents'. Did you mean `edda doc`? `edda --help` says more."),
        (["devices", "list"], "Did you mean `edda devices`?"),
        (["index", "rm", "x"], "Did you mean `edda index drop`?"),
        (["service", "reload"], "`edda service` has install, status, uninstall; `edda service --help` says more."),
        (["today"], "Did you mean `edda task list due:today`?"),
        (["rm", "x"], "Did you mean `edda task rm`, `edda doc rm` or `edda tag rm`?"),
        (["task", "\x1b[31m"], "No such command '\\x1b[31m'. `edda task` has add, done, edit"),
        (["task", "--nope", "list"], "No such option '--nope'"),
        (["task", "add", "a", "--due"], "Option '--due' requires an argument; `edda task add --help` says more."),
        (["completion"], "Choose from: bash, zsh, fish; `edda completion --help` says more."),
        (["doc", "add", "--content", "x"], "It stands without an option: `edda doc add FILE`"),
    ],
)
def test_an_unknown_command_or_option_is_answered_with_the_nearest_one(edda: Any, args: list[str], says: str) -> None:
    said = edda(*args, code=2).stderr
    assert says in said
    assert said.count("\n") == 1


def test_a_group_lists_the_whole_first_sentence_of_each_command(edda: Any) -> None:
    for group in (each for each in all_of(root) if isinstance(each, click.Group)):
        with click.Context(group, info_name=group.name, terminal_width=80, max_content_width=80) as context:
            listed = group.get_help(context).partition("Commands:")[2]
        assert listed.strip() != ""
        assert [line for line in listed.splitlines() if line.endswith("...")] == []
    assert "its title and description in your editor." in edda("task", "--help").stdout


@pytest.mark.parametrize(
    ("args", "of"),
    [(["help"], "edda [OPTIONS]"), (["help", "task", "add"], "edda task add"), (["task", "help"], "edda task [OPTIONS]"),
     (["task", "help", "list"], "edda task list"), (["help", "import", "ics"], "edda import ics")],
)  # fmt: skip
def test_help_may_be_asked_for_by_its_name(edda: Any, args: list[str], of: str) -> None:
    assert edda(*args).stdout.startswith(f"Usage: {of}")


def test_help_for_what_there_is_not_suggests_what_there_is(edda: Any) -> None:
    assert "Did you mean `edda task`?" in edda("help", "tasks", code=2).stderr


def test_an_option_of_all_commands_is_said_to_stand_behind_them(edda: Any) -> None:
    assert "`edda task list --json`" in edda("--json", "task", "list", code=2).stderr
