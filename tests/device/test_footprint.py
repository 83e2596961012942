"""A process that stays takes little memory. Each case is a process of its own, measured by Linux."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(not Path("/proc/self/smaps").exists(), reason="Linux says what a process holds")

MEASURE = """
from pathlib import Path
from edda_sync.device.footprint import give_back, take_little
def held(what):
    lines = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return int(lines[what].split()[0])
"""


def measured(code: str) -> list[int]:
    ended = subprocess.run([sys.executable, "-c", MEASURE + code], capture_output=True, check=True, text=True)
    return [int(each) for each in ended.stdout.split()]


def test_what_only_the_start_needed_is_given_back_and_all_goes_on() -> None:
    before, after, own_before, own_after = measured(
        "import edda_sync.device.device, threading\n"
        "before, own = held('RssFile'), held('RssAnon')\n"
        "give_back()\n"
        "print(before, held('RssFile'), own, held('RssAnon'))\n"
        "give_back()\n"
        "import cryptography.hazmat.primitives.asymmetric.ed25519 as keys\n"
        "assert keys.Ed25519PrivateKey.generate().sign(b'it still signs')\n"
    )
    assert after < before / 2
    assert own_after < own_before + 1_000


GROWN = """
from concurrent.futures import ThreadPoolExecutor
def work(number):
    return len(b"".join(bytes([number % 256]) * (1 << 20) for _ in range(4)))
before = held("RssAnon")
with ThreadPoolExecutor(8) as pool:
    assert sum(pool.map(work, range(64))) == 256 << 20
    print(held("RssAnon") - before)
"""


def test_large_buffers_go_back_to_the_system_whichever_thread_had_them() -> None:
    (grown,) = measured("take_little()\n" + GROWN)
    assert grown < 4_000  # KiB; without it, each thread keeps some
