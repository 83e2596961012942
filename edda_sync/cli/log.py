"""What ``edda up`` prints, for a person or for a program that collects logs: one line for each thing that happens."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final, Literal, NamedTuple

import click

from edda_sync.cli import streams
from edda_sync.cli.common import drop_stdout, note, safe_line, say

Form = Literal["text", "json"]
NOTHING: Final[Mapping[str, Any]] = {}


class Line(NamedTuple):
    """
    Something to print.

    Attributes:
        text: The line for a person.
        event: What happened, in a word for a program.
        fields: Details for a program.
        is_trouble: Whether something is not as it should be.
    """

    text: str
    event: str
    fields: Mapping[str, Any] = NOTHING
    is_trouble: bool = False


class Log:
    """
    Prints lines. One that cannot be printed, since nobody reads any more or a disk is full, is told once and ends nothing.

    Args:
        form: ``text`` for a person, or ``json`` for JSON objects, one a line.
        quiet: Whether only troubles are printed.
    """

    def __init__(self, form: Form = "text", *, quiet: bool = False) -> None:
        self._form, self._quiet = form, quiet
        if form == "json":
            logging.getLogger("edda_sync").addHandler(_Handler(self))

    def happened(self, line: Line) -> None:
        """Print something that happened just now."""
        self._print(line, lead=time.strftime("%H:%M:%S"))

    def said(self, text: str, event: str, **fields: Any) -> None:
        """Print a line of the banner."""
        self._print(Line(text, event, fields))

    def noted(self, text: str) -> None:
        """Print what a person must know, on stderr."""
        if self._form == "json":
            click.echo(_encoded(Line(text, "note", is_trouble=True)), err=True)
        else:
            note(text)

    def check_printed(self) -> None:
        """Say once if the output is closed, or is a log on a full disk."""
        if why := streams.unshown():
            self.noted(_unprinted(why))

    def _print(self, line: Line, lead: str = "") -> None:
        if self._quiet and not line.is_trouble:
            return
        try:
            if self._form == "json":
                click.echo(_encoded(line))
            elif lead:
                say(safe_line(line.text), lead=lead)
            else:
                say(line.text)
        except OSError as error:  # a closed pipe is no reason to stop syncing
            drop_stdout()
            self.noted(_unprinted(error.strerror or str(error)))
        else:
            self.check_printed()


class _Handler(logging.Handler):
    """Prints what the library logs, such as the traces of bugs, as lines of JSON."""

    def __init__(self, log: Log) -> None:
        super().__init__(logging.WARNING)
        self._log = log

    def emit(self, record: logging.LogRecord) -> None:
        """Print a record."""
        self._log.noted(self.format(record))


def _encoded(line: Line) -> str:
    moment = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    level = "warning" if line.is_trouble else "info"
    return json.dumps({"time": moment, "level": level, "event": line.event, "text": line.text, **line.fields})


def _unprinted(why: str) -> str:
    return f"What happens cannot be printed any more ({why}); the device goes on."
