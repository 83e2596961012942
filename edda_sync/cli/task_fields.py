"""The fields of a task that options set; and its title and description in one text, for an editor or stdin."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import reduce
from typing import TYPE_CHECKING, Any, Final

import click

from edda_sync.cli import items, times
from edda_sync.cli.common import NONE, note, parse_object, read_text, safe_line, tags_option
from edda_sync.cli.days import EXAMPLES, Day
from edda_sync.crdt.keys import key_of
from edda_sync.words import values
from edda_sync.words.errors import InvalidValueError, UsageError
from edda_sync.words.model import UNSET, Task

if TYPE_CHECKING:
    from edda_sync.engine.engine import StorageEngine
    from edda_sync.engine.transaction import Transaction


class _Priority(click.ParamType):  # type: ignore[type-arg]  # generic only since click 8.3
    """A priority, by its number."""

    name = "priority"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:  # noqa: ARG002 - click's
        """Return it."""
        try:
            return values.priority(int(value) if str(value).isdecimal() else value)
        except InvalidValueError as error:
            raise InvalidValueError("--priority", f"{error.why}, and not {value!r}", value) from None


class _Status(click.Choice):  # type: ignore[type-arg]  # generic only since click 8.2
    """A status, as lists take it: ``in-progress`` and ``completed`` are statuses, too."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the status."""
        from edda_sync.words import filters  # rarely needed

        return super().convert(filters.status(str(value)), param, ctx)


def options(*, new: bool) -> Callable[[Any], Any]:
    """Return what adds the options that set a task's fields; those of a new task have defaults."""
    options = (
        click.option("--agent-context", metavar="JSON", help="A JSON object for AI agents, key by key."),
        click.option("--metadata", metavar="JSON", help="A JSON object, key by key."),
        tags_option("--tag", "tags", help="Add a tag; several with commas, or given again."),
        click.option("--parent", metavar="ID", help="The task that this is a subtask of; `none` for none."),
        click.option(
            "--due",
            type=Day(or_none=True),
            metavar="DATE",
            help=f"{EXAMPLES}; `none` for none.",
        ),
        click.option(
            "--priority",
            type=_Priority(),
            metavar="0-4",
            help=f"0 is most urgent{'; 2 unless you say so' if new else ''}.",
        ),
        click.option(
            "--status",
            type=_Status(values.STATUSES),
            help="open unless you say so." if new else "How far it is.",
        ),
        click.option("--description-file", metavar="FILE", help="Read the description from a file, or - for stdin."),
        click.option("--description", metavar="TEXT", help="Markdown, as long as you like; - reads it from stdin."),
    )
    return lambda function: reduce(lambda made, option: option(made), options, function)


def set_fields(store: StorageEngine, change: Task, fields: dict[str, Any]) -> None:
    """Write the options that were given into a task."""
    if fields["description"] is not None and fields["description_file"] is not None:
        raise UsageError("Give --description or --description-file, not both.")
    if fields["description"] is not None:
        change.description = read_text("-") if fields["description"] == "-" else fields["description"]
    if fields["description_file"] is not None:
        change.description = read_text(fields["description_file"])
    if fields["status"] is not None:
        change.status = fields["status"]
    if fields["priority"] is not None:
        change.priority = fields["priority"]
    if fields["due"] is not None:
        change.due_date = None if fields["due"] == NONE else _stored(fields["due"])
    if fields["parent"] is not None:
        change.parent_id = _parent(store, fields["parent"])
    if fields["metadata"] is not None:
        change.metadata = parse_object("metadata", fields["metadata"])
    if fields["agent_context"] is not None:
        change.agent_context = parse_object("agent_context", fields["agent_context"])


def _stored(due: Any) -> str:
    from edda_sync.words import dates  # only for what has dates

    return dates.stored(due)


def note_due(fields: dict[str, Any]) -> None:
    """Say what a due date was taken for."""
    if fields["due"] not in (None, NONE):
        from edda_sync.words import dates  # only for what has dates

        note(f"Due {dates.spoken(fields['due'], times.clock())}.")


_OPTIONS: Final = {"due": "due", "pri": "priority", "priority": "priority", "tag": "tag", "parent": "parent"}


def note_unparsed(words: Sequence[str], short: str) -> None:
    """Say which words of a title look like fields: other programs take them for these, and here options do."""
    kept, options = list[str](), list[str]()
    for word in words:
        key, _, value = word.partition(":")
        if len(word) > 1 and word[0] in "+#" and " " not in word:
            options.append(f"--tag {word[1:]}")
        elif value and " " not in word and key.lower() in _OPTIONS:
            options.append(f"--{_OPTIONS[key.lower()]} {value}")
        else:
            kept.append(word)
    if kept and options and len(words) > 1:
        meant = " ".join([f'--title "{" ".join(kept)}"', *options])
        note(f"The title has all of these words. If some are fields: `edda task edit {short} {safe_line(meant)}`.")


def joined(title: str, description: str | None) -> str:
    """Return a title and a description as one text: the first line, an empty line, and the rest."""
    return f"{title}\n\n{description}" if description else f"{title}\n"


def parted(text: str) -> tuple[str, str]:
    """Return the title and the description in a text, as :func:`joined` makes it. The empty line may be missing."""
    first, _, rest = text.partition("\n")
    empty, line, behind = rest.partition("\n")
    return items.one_line(first), behind if line and not empty.strip() else rest


def _parent(store: StorageEngine, reference: str) -> str | None:
    return None if reference == NONE else items.task(store, reference).id


def named_parent(store: StorageEngine, task_id: str) -> str | None:
    """Return the parent that a task names, also one that is not shown since it is in the trash, or in a ring."""
    from edda_sync.crdt import rows
    from edda_sync.crdt.state import entity_of

    key = key_of("task", values.id_bytes("id", task_id))
    with store.snapshot() as reader:
        record = reader.states.get([key]).get(key)
    return None if record is None else rows.parent_of(entity_of(key, record.state))


def check_ring(tx: Transaction, task_id: str, parent_id: str | None) -> None:
    """Refuse a parent that is the task itself or one of its subtasks, at any depth."""
    above = None if parent_id is UNSET else parent_id
    for _ in range(100_000):  # more than any chain has: the store shows no ring
        if above is None:
            return
        if above == task_id:
            raise UsageError("A task cannot stand below itself or below its own subtasks; choose another parent.")
        parent = tx.get_task(above)
        above = None if parent is None else parent.parent_id
