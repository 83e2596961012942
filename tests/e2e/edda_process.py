"""Commands on a store, each a process of its own that may be killed after a time."""

from __future__ import annotations

import json
import os
import re
import time
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any, Final

from tests.cli import starting

PATIENCE_S: Final = 120.0  # a guard against waiting for ever


class FaultError(Exception):
    """Something is not as it should be."""


class Edda:
    """A store's folder, and commands on it, each a process of its own."""

    def __init__(self, folder: Path, name: str) -> None:
        self.home, self.name = folder / name, name
        self.temporary = folder / "tmp"
        self.temporary.mkdir(exist_ok=True)
        self._environment = {
            **{key: value for key, value in os.environ.items() if not key.startswith(("EDDA_", "AWS_"))},
            "EDDA_KEYRING": "off",
            "EDDA_HOME": str(self.home),
            "EDDA_STATE": str(folder / "state"),
            "TMPDIR": str(self.temporary),
            "PYTHONUNBUFFERED": "1",
        }

    def __call__(self, *arguments: str, typed: str = "", code: int | None = 0) -> str:
        """Run a command to its end; return what it printed on both streams."""
        ended, printed = self.run(*arguments, typed=typed)
        if "Traceback" in printed or (code is not None and ended != code):
            raise FaultError(f"{' '.join(arguments)} on {self.name} ended with {ended}: {printed[-1500:]}")
        return printed

    def json(self, *arguments: str) -> Any:
        """Run a command that answers in JSON."""
        with TemporaryFile() as errors:
            ended, printed = self.run(*arguments, "--json", errors=errors.fileno())
            errors.seek(0)
            if ended:
                raise FaultError(f"{' '.join(arguments)} on {self.name} ended with {ended}: {errors.read().decode()}")
        return json.loads(printed)

    def run(
        self, *arguments: str, typed: str = "", kill_after_s: float | None = None, errors: int | None = None
    ) -> tuple[int, str]:
        """Run a command, kill it after a time if one is given, and return its exit code and what it printed."""
        with TemporaryFile() as given, TemporaryFile() as out:
            given.write(typed.encode())
            given.seek(0)
            files = {"stdin": given.fileno(), "stdout": out.fileno(), "stderr": errors or out.fileno()}
            process = starting.start([*arguments], self._environment, **files)
            if kill_after_s is not None:
                time.sleep(kill_after_s)
                process.kill()
            ended = process.wait(PATIENCE_S)
            out.seek(0)
            return ended, out.read().decode()

    def titles(self) -> set[str]:
        """Return the titles of all tasks."""
        return {task["title"] for task in self.json("task", "list", "--limit", "1000")}


def words_in(printed: str) -> str:
    """Return the words of a recovery code that a command showed; nothing if not all of them."""
    found = {int(number): word for number, word in re.findall(r"(\d+) ([a-z]+)", printed)}
    return " ".join(found[number] for number in range(1, 16)) if {*range(1, 16)} <= found.keys() else ""
