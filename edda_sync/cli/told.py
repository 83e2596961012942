"""
Told: the answer of a command that has no answer of its own in JSON, as JSON: ``{"done": true, "said": [...]}``, its lines.

A command that goes on, or waits for another device, says each line at once, as a JSON object on a line of its own.
"""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Callable
from contextlib import redirect_stdout
from typing import Any, Final, TextIO

import click

from edda_sync.cli.common import print_json

AT_ONCE: Final = ("up", "invite", "join")
"""Commands whose lines are told while they run."""


def run(work: Callable[[], Any], *, at_once: bool = False) -> Any:
    """
    Run a command and print what it says as JSON. An error that ends it is not told here.

    Args:
        work: Runs the command.
        at_once: Whether each line is an object of its own.
    """
    if at_once:
        with redirect_stdout(_Lines(sys.stdout)):
            return work()
    said = _Collected()
    try:
        with redirect_stdout(said):
            result = work()
    except click.exceptions.Exit as ended:  # it says itself how it ends; an error says so in its own way
        said.conclude(done=ended.exit_code == 0)
        raise
    said.conclude(done=True)
    return result


class _Collected(io.TextIOWrapper):
    """Keeps what is written, as text or as bytes."""

    def __init__(self) -> None:
        self._kept = io.BytesIO()
        super().__init__(self._kept, encoding="utf-8", newline="", write_through=True)

    def conclude(self, *, done: bool) -> None:
        """Print it, unless it is JSON already, as the lines of an export are."""
        text = self._kept.getvalue().decode(errors="replace")
        if _is_json(text):
            sys.stdout.write(text)
        else:
            print_json({"done": done, "said": text.splitlines()})


def _is_json(text: str) -> bool:
    try:
        return bool(text) and all(isinstance(json.loads(line), dict) for line in text.splitlines())
    except ValueError:
        return False


class _Lines(io.TextIOBase):
    """Writes each whole line as a JSON object."""

    def __init__(self, out: TextIO) -> None:
        self._out, self._begun = out, ""

    def write(self, text: str) -> int:
        *whole, self._begun = (self._begun + text).split("\n")
        for line in whole:
            self._out.write(json.dumps({"said": line}) + "\n")
        self._out.flush()
        return len(text)

    def flush(self) -> None:
        self._out.flush()

    def fileno(self) -> int:
        return self._out.fileno()
