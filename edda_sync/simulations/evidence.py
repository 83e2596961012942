"""What campaigns have shown: tables in docs/evidence.md, one section for each kind of campaign."""

from __future__ import annotations

import datetime
import subprocess
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
FILE: Final = ROOT / "docs" / "evidence.md"


def append(section: str, row: str, file: Path = FILE) -> None:
    """
    Append a row to the table of a section.

    Args:
        section: The section, used if it is not on the page yet: heading, description, and the head of the table.
        row: The row, without its end of line.
        file: The page.
    """
    text = file.read_text(encoding="utf-8")
    heading = section.splitlines()[0]
    start = text.find(heading + "\n")
    if start < 0:
        text = text.rstrip("\n") + "\n\n" + section.rstrip("\n") + "\n"
        start = text.index(heading + "\n")
    following = text.find("\n## ", start)
    before, after = (text, "") if following < 0 else (text[:following], text[following:])
    file.write_text(before.rstrip("\n") + "\n" + row + "\n" + after, encoding="utf-8")


def commit() -> str:
    """Return the commit that runs, with a plus sign if the code differs from it."""
    head = _git("rev-parse", "--short", "HEAD")
    return head + ("+" if _git("status", "--porcelain", "--", "edda_sync", "tests") else "")


def time_now() -> str:
    """Return the time in the tables' format."""
    return datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d %H:%M")


def _git(*arguments: str) -> str:
    done = subprocess.run(["git", "-C", str(ROOT), *arguments], capture_output=True, text=True, check=False)
    return done.stdout.strip()
