"""Small disks for tests, mounted where that is permitted."""

from __future__ import annotations

import subprocess

import pytest


def mount(*arguments: str) -> None:
    """Mount something, or skip the test if that is not permitted here."""
    done = subprocess.run(["mount", *arguments], check=False, capture_output=True, text=True)
    if done.returncode != 0:
        pytest.skip(f"mounting is not permitted here: {done.stderr.strip()}")
