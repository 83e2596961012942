from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import click
import pytest

from edda_sync.cli.main import root
from edda_sync.cli.manual import CODES, pages
from edda_sync.words import exits
from tests.cli.test_looking import commands

DOCS = Path(__file__).resolve().parents[2] / "docs" / "scripts.md"


def test_there_is_a_page_for_each_command_and_it_names_each_option() -> None:
    made = dict(pages(root))
    assert {f"edda-{name.replace(' ', '-')}" for name in commands(root)} <= made.keys()
    assert "edda" in made
    for name, page in made.items():
        found: click.Command = root
        for each in name.split("-")[1:]:
            assert isinstance(found, click.Group)
            below = found.get_command(click.Context(found), each)
            assert below is not None
            found = below
        for param in found.params:
            if isinstance(param, click.Option) and not param.hidden:
                assert param.opts[0].replace("-", "\\-") in page, f"{name} {param.opts}"


@pytest.mark.skipif(shutil.which("groff") is None, reason="groff is not installed, which reads manual pages")
def test_roff_reads_each_page_without_a_warning(edda: Any, tmp_path: Path) -> None:
    edda("manual", str(tmp_path / "man1"))
    files = sorted(map(str, (tmp_path / "man1").iterdir()))
    ended = subprocess.run(["groff", "-man", "-Tascii", "-ww", "-z", *files], capture_output=True, check=True)
    assert ended.stderr == b""


def test_every_exit_code_is_documented_with_its_meaning() -> None:
    known = {value for name, value in vars(exits).items() if name.isupper()}
    table = {
        int(code): meaning for code, meaning in re.findall(r"^\| (\d+) \| (.*) \|$", DOCS.read_text(), re.MULTILINE)
    }
    assert table == CODES
    assert table.keys() == known
