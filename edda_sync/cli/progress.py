"""How far long work is, for a person who waits."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import Final

import click

from edda_sync.cli.common import PROGRESS_AFTER_S, can_redraw, note

PROGRESS_EVERY_S: Final = 0.1
LINE_EVERY_S: Final = 5.0  # where it is printed in lines


class Progress:
    """
    A line on stderr that tells a person how far long work is. It is silent for a program, and during the first second.

    Call it with the count so far. Use it in a ``with`` block, which removes the line at its end.

    Args:
        doing: What is being done, such as ``Importing``.
        total: How many there are in all; 0 if unknown.
        now: A clock, in seconds.
    """

    def __init__(self, doing: str, total: int = 0, now: Callable[[], float] = time.monotonic) -> None:
        self._doing, self._total, self._now = doing, total, now
        self._next = now() + PROGRESS_AFTER_S
        self._shown = False

    def __call__(self, done: int) -> None:
        """Show how many are done, at intervals."""
        now = self._now()
        if now < self._next or not sys.stderr.isatty():
            return
        of = f" of {self._total:,}" if self._total else ""
        if not can_redraw():
            self._next = now + LINE_EVERY_S
            note(f"{self._doing} {done:,}{of}")
            return
        self._next = now + PROGRESS_EVERY_S
        self._shown = True
        click.echo(f"\r\x1b[K{self._doing} {done:,}{of}", nl=False, err=True)

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, *_: object) -> None:
        if self._shown:
            click.echo("\r\x1b[K", nl=False, err=True)
