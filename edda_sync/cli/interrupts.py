"""
What to say of a command that Ctrl-C ended: whether a part of its work is done.

Whatever finishes a part calls :func:`keep`; the root says :func:`interrupted`.
"""

from __future__ import annotations

from typing import Final

import click

_KEPT: Final = "edda_sync.cli.kept"  # in click's context, which all groups and commands of one call share


def keep(what: str = "what was done until then is kept") -> None:
    """Note that part of a command's work is done, and stays if the command is interrupted now."""
    context = click.get_current_context(silent=True)
    if context is not None:
        context.meta[_KEPT] = what


def interrupted() -> str:
    """Return what to say about the command that was interrupted."""
    return f"Interrupted; {click.get_current_context().meta.get(_KEPT, 'nothing was changed')}."
