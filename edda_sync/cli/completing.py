"""
Completing: what a shell may put behind a part of a word: ids of tasks and documents with their titles, tags, files.

A completion makes no store, asks nothing, and says nothing: where it cannot answer, it has no answers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import click

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

VARIABLE: Final = "_EDDA_COMPLETE"  # is set where a shell asks
_IDS: Final = ("ID", "ID...", "TASK", "DOCUMENT", "TASK...", "DOCUMENT...")
_ID_NAMES: Final = ("id", "ids", "task", "document", "parent")  # of arguments
_FILES: Final = ("file", "files", "--file", "--description-file", "--content-file")
_OTHERS: Final = {
    "changes": "changes", "names": "devices", "field": "fields", "--target": "targets", "--order": "orders",
    "--priority": "priorities", "--due": "days", "--due-before": "days", "--due-after": "days", "--since": "past",
    "--at": "past",
}  # fmt: skip
"""Options and arguments with candidates of their own; what stands for one of them is in ``candidates.FOUND``."""
_NAMED: Final = {"index": "indexes", "target": "targets", "tag": "tags"}  # what ``name`` is in a group
_TAGS: Final = ("--tag", "--untag", "--any-tag", "--no-tag", "name", "old")


def complete(param: click.Parameter) -> None:
    """Let a shell complete a parameter that names something of the store, or a file, or takes one of a few words."""
    names = param.opts
    told = next((what for name, what in _OTHERS.items() if name in names), None)
    if told is not None and type(param.type).shell_complete is click.ParamType.shell_complete:
        param.type = Completing(param.type, told)
    elif (param.metavar or "") in _IDS or any(name in _ID_NAMES for name in names):
        param.type = Completing(param.type, "ids")
    elif any(name in _FILES for name in names):
        param.type = Completing(param.type, "files")
    elif "words" in names:
        param.type = Completing(param.type, "conditions")
    elif any(name in _TAGS for name in names):
        param.type = Completing(param.type, "tags")


class Completing(click.ParamType):  # type: ignore[type-arg]  # generic only since click 8.3
    """
    A type that completes, and is otherwise another one.

    Args:
        inner: The type.
        what: ``ids``, ``files``, or what is in ``candidates.FOUND``.
    """

    def __init__(self, inner: Any, what: str) -> None:
        self._inner, self._what = inner, what
        self.name = inner.name

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return what the other type makes of a value."""
        return self._inner(value, param, ctx)

    def get_metavar(self, param: click.Parameter, ctx: click.Context) -> str | None:
        """Return what stands for a value in a help."""
        found: str | None = self._inner.get_metavar(param, ctx)
        return found

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        """Return what may stand here."""
        path, what = ctx.command_path.split(), self._what
        if what == "files" and "doc" in path and path[-1] not in ("add", "edit"):
            what = "attached"  # it has such a name here, and is no file on disk
        if what == "files":
            return click.Path().shell_complete(ctx, param, incomplete)
        if what == "tags" and not param.opts[0].startswith("--"):
            what = _NAMED.get(path[-2], "") if path[-1] not in ("add", "create") or "tag" in path else ""
        from edda_sync.cli import candidates

        if what != "ids":
            return candidates.FOUND[what](ctx, incomplete) if what else []
        words = f"{param.name} {param.metavar or ''}".lower()
        if "document" in words or "task" in words or "parent" in words:
            kinds = ["document" if "document" in words else "task"]
        else:
            kinds = [kind for kind, group in (("task", "task"), ("document", "doc")) if group in path]
        return [each for kind in kinds or ("task", "document") for each in candidates.ids(ctx, kind, incomplete)]
