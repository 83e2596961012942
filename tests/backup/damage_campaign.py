"""
A campaign of damaged repositories: ``make damage``, or ``python -m tests.backup.damage_campaign --repositories 5000``.

Each seed is one repository with one damage (``tests/backup/damage.py``). The next campaign goes on at seed + repositories.
The result is appended to docs/evidence.md.
"""

from __future__ import annotations

import os
import signal
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from itertools import chain, repeat
from pathlib import Path
from typing import Final

from tests import campaigns
from tests.backup import damage
from tests.backup.damage import Verdict
from tests.campaigns import say

BATCH: Final = 60  # seeds of one master
SECTION: Final = """\
## Damaged backups (`make damage REPOSITORIES=5000 SEED=0`)

One thing is done to a place with five backups of two devices: an object is cut, flipped, made longer, removed, swapped,
moved under other names, put back from before, or replaced by one of another workspace; or foreign objects lie beside
([how](../tests/backup/damage.py)). Then all backups are verified, and one of three things is done: backups are restored, a
machine with nothing but the recovery code comes, or the next backup is made. *Told* are those of which something was
reported; of the others nothing is harmed that this device can know of. *Intact* are backups of told repositories that
were said to hold. A fault is a backup that is wrongly said to hold or not to hold, harm that is not told, another content
than was backed up, an error that is not one of ours, or a next backup that is not whole.

| time (UTC) | commit | seeds | verdict | repositories | told | intact | took |
|---|---|---|---|---|---|---|---|
"""


def judge(first: int, count: int, images: bool) -> list[Verdict]:
    """Judge some seeds; after Ctrl-C, those until then."""
    stopped: list[int] = []
    signal.signal(signal.SIGINT, lambda number, _: stopped.append(number))
    verdicts = []
    with (
        tempfile.TemporaryDirectory(prefix="edda-damage-") as folder,
        damage.made(Path(folder), images=images) as master,
    ):
        for seed in range(first, first + count):
            if stopped:
                break
            verdicts.append(damage.judge(master, seed))
    return verdicts


def run(first: int, count: int, processes: int, *, images: bool = False) -> Iterator[list[Verdict]]:
    """Judge seeds, and yield verdicts in the order of the seeds."""
    starts = range(first, first + count, BATCH)
    with ProcessPoolExecutor(processes) as pool:
        try:
            yield from pool.map(judge, starts, [min(BATCH, first + count - start) for start in starts], repeat(images))
        finally:
            pool.shutdown(cancel_futures=True)


def row(verdicts: Sequence[Verdict], took_s: float, *, images: bool = False) -> str:
    """Return a campaign's row for docs/evidence.md."""
    failed = [verdict.seed for verdict in verdicts if verdict.faults]
    kinds = Counter(damage.kind_of(verdict.seed) for verdict in verdicts)
    told = [verdict for verdict in verdicts if verdict.told]
    return campaigns.row(
        f"{verdicts[0].seed}-{verdicts[-1].seed}{', with images' if images else ''}",
        failed,
        f"{len(verdicts):,}: " + ", ".join(f"{count} {kind}" for kind, count in kinds.items()),
        f"{len(told):,}",
        f"{sum(verdict.whole for verdict in told):,}",
        f"{took_s:,.0f} s",
    )


def main() -> int:
    """Run a campaign and write down its result."""
    parser = campaigns.command_line("Damage repositories of backups, and look what is told.", "repositories", 5_000)
    parser.add_argument("--images", action="store_true", help="let the backups have images")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    chosen = parser.parse_args()
    os.environ["EDDA_KEYRING"] = "off"
    if os.access("/dev/shm", os.W_OK):  # the stores need no disk
        os.environ["TMPDIR"] = tempfile.tempdir = "/dev/shm"
    verdicts = chain.from_iterable(run(chosen.seed, chosen.repositories, chosen.processes, images=chosen.images))
    return campaigns.carry_out(SECTION, map(_told, verdicts), partial(row, images=chosen.images), what="repositories")


def _told(verdict: Verdict) -> Verdict:
    """Tell what was wrong, if anything was."""
    if verdict.faults:
        say(f"\nseed {verdict.seed}: {verdict.damage}: {'; '.join(verdict.faults)}\n")
    return verdict


if __name__ == "__main__":
    sys.exit(main())
