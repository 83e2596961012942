"""What the lists of tasks and of documents share: conditions, orders, pages, counting and explaining."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from functools import reduce
from itertools import islice
from typing import TYPE_CHECKING, Any, TypeVar

import click
from click.core import ParameterSource

from edda_sync.cli.commands import TYPED, Command, named
from edda_sync.cli.common import note, print_json, safe_line, said_if_long, say, tags_option
from edda_sync.words import values
from edda_sync.words.errors import InvalidValueError, UsageError
from edda_sync.words.model import Item
from edda_sync.words.query import DocumentQuery, Query, TaskQuery, cursor
from edda_sync.words.values import STATUSES

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

    from edda_sync.engine.engine import StorageEngine

I = TypeVar("I", bound=Item)  # noqa: E741 - an item
Q = TypeVar("Q", TaskQuery, DocumentQuery)
BEGIN = "begin"
# patterns; to compile one takes a while
_WHERE = r"(?s)(!?)((?:[^\"=<>!~]|\"[^\"]*\")+?)(?:(!=|<=|>=|=|<|>|~)(.*))?"
_DISTANCE = r"([0-9]+(?:\.[0-9]*)?|\.[0-9]+)\s*(m|km|)"


class Place(click.ParamType):  # type: ignore[type-arg]  # generic only since click 8.3
    """A place on Earth: latitude and longitude, with a comma between."""

    name = "place"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the two numbers, which the query checks."""
        try:
            lat, lon = map(float, str(value).split(","))
        except ValueError:
            self.fail(f"{value!r} is no latitude and longitude, such as 52.52,13.405.", param, ctx)
        return lat, lon


class Distance(click.ParamType):  # type: ignore[type-arg]  # generic only since click 8.3
    """A distance: a number of metres, or of kilometres with ``km``."""

    name = "distance"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return it in metres."""
        match = re.fullmatch(_DISTANCE, str(value).strip().lower())
        if match is None:
            self.fail(f"{value!r} is no distance, such as 800m or 5km.", param, ctx)
        return float(match[1]) * (1_000 if match[2] == "km" else 1)


class Order(click.ParamType):  # type: ignore[type-arg]  # generic only since click 8.3
    """
    An order of a list, with ``-`` before it to reverse it.

    Args:
        known: The orders that there are.
    """

    name = "order"

    def __init__(self, known: Sequence[str]) -> None:
        self._known = known

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, bool]:
        """Return its name, and whether it is reversed."""
        from edda_sync.words import filters  # rarely needed

        return filters.order(named(param, ctx, "sort"), str(value), self._known)


class Statuses(click.ParamType):  # type: ignore[type-arg]  # generic only since click 8.3
    """Statuses of tasks, several with commas; ``all`` for any."""

    name = "status"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, ...]:  # noqa: ARG002 - click's
        """Return them; none for any."""
        from edda_sync.words import filters  # rarely needed

        return filters.statuses("status" if param is None else param.opts[0], str(value))

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:  # noqa: ARG002 - click's
        """Return the statuses that begin as what stands behind the last comma."""
        from click.shell_completion import CompletionItem  # rarely needed

        before, comma, begun = incomplete.rpartition(",")
        return [
            CompletionItem(f"{before}{comma}{each}") for each in (*STATUSES, "active", "all") if each.startswith(begun)
        ]


class FilterCommand(Command):
    """A command whose words are conditions. ``-work`` is one of them, and not several options of one letter each."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Read the arguments and options."""
        takes = {
            opt for each in self.params if isinstance(each, click.Option) and not each.is_flag for opt in each.opts
        }
        rest, read = iter(args), list[str]()
        for word in rest:
            if word == "--":
                read += [word, *rest]
            elif word in takes:
                read += [word, *islice(rest, 1)]
            else:
                is_condition = word[:1] == "-" and word[1:2] not in ("", "-") and word != "-h"
                read.append(_turned(word) if is_condition else word)
        found = super().parse_args(ctx, read)
        ctx.meta[TYPED] = list(args)
        return found


def _turned(word: str) -> str:
    from edda_sync.words import filters  # a plain list has no conditions

    return filters.turned(word)


def statuses(given: Sequence[tuple[str, ...]]) -> tuple[str, ...] | None:
    """Return the statuses of several options; none for any, None if no option was given."""
    if not given:
        return None
    return () if () in given else tuple(dict.fromkeys(each for several in given for each in several))


def order_option(known: Sequence[str], usual: str) -> Callable[[Any], Any]:
    """Return what adds ``--order``, which is called ``--sort`` too."""
    said = f"{', '.join(known)}; with - before it, reversed. It is {usual}."
    return click.option("--order", "--sort", "order", type=Order(known), metavar="NAME", help=said)


def note_unknown(store: StorageEngine, no_tags: Sequence[str]) -> None:
    """Say which tags were to be left out that there are not. A dash before a word is about tags, and not about words."""
    if not no_tags:
        return
    known = {each.id for each in store.tags()}
    for name in no_tags:
        if values.tag_id(name) not in known:
            meant = "-WORD leaves out what carries a tag, and -text:WORD what holds a word."
            note(f"There is no tag {safe_line(name)}, so nothing was left out: {meant}")


def nearly(store: StorageEngine, query: Query) -> str:
    """Return what to say of an empty list whose words find something, or look like conditions; as the end of a sentence."""
    words = (query.text or "").split()
    keys = [word.partition(":")[0] for word in words if re.fullmatch(r"[A-Za-z.-]+:[^/\s].*", word)]
    if keys:
        return f"; {keys[0]}: is no condition, so it was looked for as a word"
    if not words or any(word[-1] in '*"' for word in words):
        return ""
    begun = " ".join(f"{word}*" for word in words)
    found = store.count(replace(all_of(query), text=begun))
    return f"; {begun} finds {found:,} that begin{'s' if found == 1 else ''} so" if found else ""


def note_nearly(store: StorageEngine, query: Query) -> None:
    """Say of an empty answer, which says nothing itself, what :func:`nearly` knows."""
    said = nearly(store, query).removeprefix("; ")
    if said:
        note(f"Nothing matches: {said}.")


def check_trash(ctx: click.Context, words: Sequence[str]) -> None:
    """
    Refuse conditions beside ``--trash``, which would be left unheard.

    Raises:
        UsageError: There are some.
    """
    beside = ("trash", "as_json", "limit", "everything", "count_only")
    unheard = [
        param.opts[0]
        for param in ctx.command.params
        if isinstance(param, click.Option)
        and param.name not in beside
        and ctx.get_parameter_source(param.name or "") is ParameterSource.COMMANDLINE
    ]
    if words or unheard:
        what = " and ".join(unheard) or "the conditions"
        raise UsageError(f"--trash shows all that was deleted; leave out {what}.")


def all_of(query: Query) -> Query:
    """Return the query for all rows that meet the conditions of a query."""
    return replace(query, limit=None, after=None)


def typed() -> str:
    """Return what was typed behind the command, as a shell would take it."""
    import shlex  # only for an empty answer

    found = click.get_current_context().meta.get(TYPED, ())
    return shlex.join(each for each in found if each != "--json")


def conditions(kind: str) -> Callable[[Any], Any]:
    """Return what adds the options for conditions that tasks and documents share; ``kind`` is their word, such as tasks."""
    made = (
        click.option(
            "--where", "wheres", metavar="PATH=VALUE", multiple=True,
            help="metadata.KEY=VALUE, with =, !=, <, <=, >, >= or ~ (contains words); metadata.KEY if it exists, "
            "!metadata.KEY if not.",
        ),
        tags_option("--no-tag", "no_tags", help="Without this tag, or any of several."),
        tags_option("--any-tag", "any_tags", help=f"Several with commas, or given again: {kind} that carry one of them."),
        tags_option("--tag", "tags", help=f"Several with commas, or given again: {kind} that carry all of them."),
    )  # fmt: skip
    return lambda function: reduce(lambda made, option: option(made), made, function)


def answers(function: Any) -> Any:
    """Add the options for what is answered: a page behind another, a number, or how the answer is found."""
    for option in (
        click.option("--explain", is_flag=True, help="Show how the list is found, and by which indexes, instead of it."),
        click.option("--count", "count_only", is_flag=True, help="Show how many there are instead of them."),
        click.option(
            "--after", metavar="CURSOR",
            help=f"Continue behind a page: `{BEGIN}` for the first one; each page says how to get the next.",
        ),
    ):  # fmt: skip
        function = option(function)
    return function


def shared(given: dict[str, Any]) -> dict[str, Any]:
    """Return the conditions of a query from the options of :func:`conditions` and :func:`answers`."""
    after = given["after"]
    return {
        "tags": given["tags"], "any_tags": given["any_tags"], "no_tags": given["no_tags"],
        "where": [where(each) for each in given["wheres"]], "after": None if after == BEGIN else after,
    }  # fmt: skip


def where(typed: str) -> tuple[Any, ...]:
    """
    Return a condition as ``TaskQuery.where`` takes it. What is no number, ``true``, ``false`` or ``null`` is text.

    Raises:
        InvalidValueError: It is malformed.
    """
    match = re.fullmatch(_WHERE, typed)
    if match is None or (match[1] and match[3]):
        raise InvalidValueError("--where", "must be metadata.KEY=VALUE, metadata.KEY or !metadata.KEY", typed)
    if match[3] is None:
        return match[2], "missing" if match[1] else "exists"
    if match[3] == "~":
        return match[2], "contains", match[4]
    try:
        value = json.loads(match[4], parse_constant=str)
    except (ValueError, RecursionError):
        value = match[4]
    return match[2], match[3], match[4] if isinstance(value, (dict, list)) else value


def answered(store: StorageEngine, query: Query, given: dict[str, Any], *, as_json: bool) -> bool:
    """
    Print the number of matches, or how they are found, if that was asked for; tell whether it was.

    Before a search, full text is brought up to date. After an import or an update of edda, that may take a while.
    """
    if query.text and not given["explain"]:
        with said_if_long("Indexing texts for this search and later ones."):
            store.reading.index_texts()
    if given["count_only"]:
        found = store.count(query)
        say_count(found, as_json=as_json)
        if not found:
            note_nearly(store, query)
    elif given["explain"]:
        explained = store.reading.explain(query)
        if as_json:
            print_json([asdict(each) for each in explained])
        for at, each in enumerate(explained if not as_json else ()):
            say(("\nif that does not fill the list:\n" if at else "") + each.statement)
            for step in each.steps:
                say(f"  {step}")
            say(f"indexes: {', '.join(each.indexes) or 'none'}")
    return bool(given["count_only"] or given["explain"])


def say_count(found: int, *, as_json: bool) -> None:
    """Print how many there are."""
    print_json({"count": found}) if as_json else say(str(found))


def note_next(query: Query, given: dict[str, Any], listed: Sequence[I], shown: Sequence[I]) -> None:
    """Say how to get the next page, if pages were asked for and there is one."""
    if given["after"] is not None and shown and len(listed) > len(shown):
        note(f"More follow: --after {cursor(replace(query, after=None), shown[-1])}")
