"""A program that is interrupted at random moments goes on; ``make interrupts`` tries more of them."""

from __future__ import annotations

import subprocess
import sys

WAIT_S = 120
ROUNDS = 200


def test_a_program_that_is_interrupted_again_and_again_still_writes_and_closes_and_loses_nothing() -> None:
    command = [sys.executable, "-m", "tests.e2e.interrupts", "--rounds", str(ROUNDS), "--seed", "0"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=WAIT_S, check=False)
    assert done.returncode == 0, f"{' '.join(command[1:])}: {done.stderr[-4000:]}"
    interrupts = int(done.stdout.split()[0])
    assert interrupts > ROUNDS / 10, "nearly all interrupts came too late"
