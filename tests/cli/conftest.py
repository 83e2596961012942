from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from edda_sync.cli.main import root
from tests.cli.meeting import EVIL, Machines, joined
from tests.cli.processes import Machine


class Edda:
    """The command line over one store; each call says which exit code it expects."""

    def __init__(self, home: Path) -> None:
        self.home = home

    def __call__(self, *args: str, code: int = 0, stdin: str | bytes | None = None) -> Result:
        result = CliRunner().invoke(root, ["--home", str(self.home), *args], input=stdin)
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        assert result.exit_code == code, f"{args!a} ended with {result.exit_code}: {result.stderr}"
        return result

    def id_of(self, *args: str, stdin: str | bytes | None = None) -> str:
        return self(*args, stdin=stdin).stdout.strip()

    def json(self, *args: str, stdin: str | None = None) -> Any:
        return json.loads(self(*args, "--json", stdin=stdin).stdout)

    def everything(self) -> str:
        """Everything that the store holds, including the trash."""
        listed = [self("export").stdout, *(self(kind, "list", "--trash", "--json").stdout for kind in ("task", "doc"))]
        return "\n".join(listed)


@pytest.fixture
def edda(tmp_path: Path) -> Edda:
    """A store of its own that exists already."""
    made = Edda(tmp_path / "home")
    made("init", "--name", "laptop")
    return made


@pytest.fixture
def editor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Sets an editor: a line of Python that uses the edited file's ``path``."""

    def make(code: str) -> None:
        script = tmp_path / "editor.py"
        script.write_text(f"import pathlib, sys\npath = pathlib.Path(sys.argv[1])\n{code}\n")
        monkeypatch.setenv("VISUAL", f'"{sys.executable}" "{script}"')

    return make


@pytest.fixture
def another_edda(tmp_path: Path) -> Callable[[str], Edda]:
    """Makes the command line of a folder."""
    return lambda name: Edda(tmp_path / name)


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machines]:
    made: list[Machine] = []

    def make(name: str) -> Machine:
        made.append(Machine(tmp_path, name))
        return made[-1]

    yield make
    for each in made:
        each.kill()


@pytest.fixture
def pair(machine: Machines) -> tuple[Machine, Machine]:
    """Two members of one workspace, with one task; neither is running."""
    return joined(machine("laptop"), machine("phone"), "phone")


@pytest.fixture
def evil_pair(machine: Machines) -> tuple[Machine, Machine]:
    """Two members of one workspace; the name of one contains control codes for a terminal."""
    return joined(machine("laptop"), machine("phone"), EVIL)


@pytest.fixture
def obedient() -> list[str]:
    """The words before a command that make it obey permissions, even if root runs the tests."""
    if os.geteuid() != 0:
        return []
    prefix = ["setpriv", "--bounding-set=-dac_override,-dac_read_search"]
    if shutil.which("setpriv") is None or subprocess.run([*prefix, "true"], check=False).returncode != 0:
        pytest.skip("root may write everywhere, and cannot give that up here")
    return prefix
