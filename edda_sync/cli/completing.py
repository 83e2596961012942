"""
Completing: what a shell may put behind a part of a word: ids of tasks and documents with their titles, tags, files.

A completion makes no store, asks nothing, and says nothing: where it cannot answer, it has no answers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import click

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

_IDS: Final = ("ID", "ID...", "TASK", "DOCUMENT", "TASK...", "DOCUMENT...")
_ID_NAMES: Final = ("id", "ids", "task", "document", "parent")  # of arguments
_FILES: Final = ("file", "files", "--file", "--description-file", "--content-file")
_TAGS: Final = ("--tag", "--untag", "--any-tag", "--no-tag", "name", "old")


def complete(param: click.Parameter) -> None:
    """Let a shell complete a parameter that names something of the store, or a file."""
    names = param.opts
    if (param.metavar or "") in _IDS or any(name in _ID_NAMES for name in names):
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
        what: ``ids``, ``tags``, ``conditions`` or ``files``.
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
        path = ctx.command_path.split()
        if self._what == "files":
            if "doc" in path and path[-1] not in ("add", "edit"):
                return []  # what is attached has such a name here, and no file on disk
            return click.Path().shell_complete(ctx, param, incomplete)
        if self._what == "tags" and not (param.opts[0].startswith("--") or "tag" in path):
            return []
        from edda_sync.cli import candidates

        if self._what in ("tags", "conditions"):
            return {"tags": candidates.tags, "conditions": candidates.conditions}[self._what](ctx, incomplete)
        words = f"{param.name} {param.metavar or ''}".lower()
        if "document" in words or "task" in words or "parent" in words:
            kinds = ["document" if "document" in words else "task"]
        else:
            kinds = [kind for kind, group in (("task", "task"), ("document", "doc")) if group in path]
        return [each for kind in kinds or ("task", "document") for each in candidates.ids(ctx, kind, incomplete)]
