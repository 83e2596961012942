from __future__ import annotations

import subprocess
import sys

import edda_sync


def test_the_package_runs_as_the_command() -> None:
    command = [sys.executable, "-m", "edda_sync.cli", "--version"]
    ended = subprocess.run(command, capture_output=True, text=True, check=True)
    assert edda_sync.__version__ in ended.stdout
