"""docs/comparison.md: each command of its table is run in one store, and prints what its row says."""

from __future__ import annotations

import re
import shlex
import subprocess
import textwrap
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from edda_sync.cli.main import root

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "comparison.md").read_text(encoding="utf-8")
FIRST, *_ = re.findall(r"(?:^    .*\n)+", PAGE, re.MULTILINE)
ROWS = [[cell.strip() for cell in line.split(" | ")] for line in PAGE.splitlines() if line.startswith("| ")][1:]
SHOWN = [(row[-2].strip("`"), row[-1].removesuffix(" |").strip("`")) for row in ROWS]
PAINS = 17  # the fifteen that come again and again, and two more


def run(command: str, home: Path) -> str:
    """Run a command of the page, in a store; return all that it printed."""
    name, *words = shlex.split(command)
    assert name == "edda", command
    result = CliRunner().invoke(root, words, env={"EDDA_HOME": str(home), "EDDA_STATE": str(home.with_name("state"))})
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.output


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A store as the page makes it. The present folder is the one beside it."""
    folder = tmp_path_factory.mktemp("comparison")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for line in textwrap.dedent(FIRST).splitlines():
            if line.startswith("edda "):
                run(line, folder / "home")
            else:
                subprocess.run(["sh", "-c", line], check=True, timeout=60)
        yield folder / "home"


@pytest.mark.parametrize(("command", "printed"), SHOWN, ids=[command for command, _ in SHOWN])
def test_a_command_of_the_comparison_prints_what_its_row_says(store: Path, command: str, printed: str) -> None:
    assert printed != ""
    assert printed in run(command, store)


def test_each_pain_has_a_row_with_reports_and_what_is_done_or_is_not() -> None:
    pains = [row for row in ROWS if row[0].removeprefix("| ").startswith("**")]
    assert len(pains) == PAINS
    for row in pains:
        assert re.search(r"[\w.-]+/[\w.-]+( PR)?#\d+", row[0]), row[0]
        assert len(row[1].split()) > 5


@pytest.mark.parametrize(
    ("group", "missing", "said"),
    [
        ("devices", "revoke", "a device cannot be revoked yet"),
        ("store", "compact", "the log itself is not compacted yet"),
        ("task", "claim", "an agent cannot claim a task"),
        ("task", "repeat", "there are no recurring tasks"),
    ],
)
def test_what_is_not_solved_is_said_for_as_long_as_that_is_so(group: str, missing: str, said: str) -> None:
    context = click.Context(root)
    found = root.get_command(context, group)
    assert isinstance(found, click.Group)
    assert (missing in found.list_commands(context)) != (said in PAGE)
