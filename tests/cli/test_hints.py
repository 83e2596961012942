"""Hints for a command or option that does not exist: every listed word leads to an existing one."""

from __future__ import annotations

import click
import pytest

from edda_sync.cli import hints
from edda_sync.cli.main import COMMANDS, root

ROOT = click.Context(root)
IMPORTS = ("beads", "ics", "jsonl", "markdown", "taskwarrior", "todoist", "todotxt")
GROUPS = {
    name: found for name in COMMANDS if isinstance(found := root.get_command(ROOT, name), click.Group)
}  # fmt: skip


def leaf(place: str) -> click.Command:
    """The command of a path such as ``task add``; its arguments and options may follow."""
    found: click.Command = root
    for word in place.split():
        if not isinstance(found, click.Group) or word.startswith("--"):
            break
        below = found.get_command(ROOT, word)
        assert below is not None, place
        found = below
    return found


def options(command: click.Command) -> list[str]:
    return [opt for each in command.get_params(click.Context(command)) for opt in each.opts if opt.startswith("--")]


def meant(place: str, name: str) -> list[str]:
    group = leaf(place) if place else root
    assert isinstance(group, click.Group)
    return hints.command(place, name, hints.commands_of(group, ROOT))


@pytest.mark.parametrize(
    ("place", "name", "found"),
    [
        ("doc", "new", ["doc add"]),
        ("task", "NEW", ["task add"]),
        ("task", "delete", ["task rm"]),
        ("tag", "ls", ["tag list"]),
        ("tag", "mv", ["tag rename"]),
        ("doc", "update", ["doc edit"]),
        ("task", "finish", ["task done"]),
        ("doc", "undelete", ["doc restore"]),
        ("doc", "find", ["doc search"]),
        ("task", "find", ["task search"]),
        ("import", "md", ["import markdown"]),
        ("import", "json", ["import jsonl FILE", "import beads FILE"]),
        ("import", "notes/", [f"import {each} PATH" for each in IMPORTS]),
        ("task", "undone", ["task edit ID --status open"]),
        ("task", "undo", ["undo", "task restore ID"]),
        ("", "documents", ["doc"]),
        ("", "new", ["task add", "doc add", "tag add"]),
        ("", "edit", ["task edit", "doc edit"]),
        ("", "done", ["task done"]),
        ("", "statuss", ["status"]),
        ("import", "obsidian", ["import markdown PATH"]),
        ("import", "csv", ["import todoist FILE"]),
        ("", "man", ["manual DIR"]),
        ("task", "lisst", ["task list"]),
        ("task", "zzzz", []),
    ],
)
def test_the_nearest_right_command_is_found(place: str, name: str, found: list[str]) -> None:
    assert meant(place, name) == found


@pytest.mark.parametrize("group", [*GROUPS, ""])
def test_every_group_knows_the_other_words_for_each_of_its_commands(group: str) -> None:
    below = hints.commands_of(GROUPS[group], ROOT) if group else {}
    for verb in hints.VERBS.keys() & below.keys():
        for other in hints.VERBS[verb]:
            if other not in below and f"{group} {other}" not in hints.PHRASES:
                assert f"{group} {verb}" in meant(group, other)


def test_no_listed_word_is_a_command_itself_and_each_leads_to_a_command() -> None:
    for typed, found in hints.PHRASES.items():
        place, _, name = typed.rpartition(" ")
        group = leaf(place) if place else root
        assert isinstance(group, click.Group)
        assert name not in group.list_commands(ROOT), typed
        for each in found:
            named = [word for word in each.split() if word.startswith("--")]
            assert set(named) <= set(options(leaf(each))), each


def test_no_other_word_for_an_option_is_itself_an_option_of_that_command() -> None:
    everywhere = {opt for group in GROUPS.values() for name in group.commands for opt in options(group.commands[name])}
    everywhere |= {opt for name in COMMANDS if name not in GROUPS for opt in options(leaf(name))}
    assert hints.OPTIONS.keys() <= everywhere
    for place, forms in hints.FORMS.items():
        known = options(leaf(place))
        for form, others in forms.items():
            assert f"`edda {place}" in form
            assert not {f"--{other}" for other in others} & set(known), place


@pytest.mark.parametrize(
    ("place", "name", "says"),
    [
        ("doc add", "--content", "`edda doc add FILE`"),
        ("doc add", "--body", "`edda doc add FILE`"),
        ("task add", "--title", "`edda task add TITLE...`"),
        ("task add", "--desc", "Did you mean --description?"),
        ("task list", "--desc", "Did you mean --reverse?"),
        ("task add", "--deadline", "Did you mean --due?"),
        ("task list", "--sort-by", "Did you mean --order?"),
        ("doc edit", "--body", "Did you mean --content?"),
        ("doc edit", "--conten", "Did you mean --content or --content-type?"),
        ("sync", "--host", "Did you mean --at?"),
        ("task add", "--prioritty", "Did you mean --priority?"),
        ("task add", "--zzzz", ""),
        ("task add", "--", ""),
    ],
)
def test_the_nearest_right_option_or_form_is_named(place: str, name: str, says: str) -> None:
    found = hints.option(place, name, options(leaf(place)))
    assert says in found
    assert bool(found) == bool(says)


def test_alternatives_read_as_a_person_says_them() -> None:
    assert [hints.either(each) for each in (["a"], ["a", "b"], ["a", "b", "c"])] == ["a", "a or b", "a, b or c"]
