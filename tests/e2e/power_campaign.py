"""
A campaign of power losses: ``python -m tests.e2e.power_campaign --images 10000 --seed 0``, or ``make power``.

Each seed is one process that is recorded, and one image for each moment at which power may fail; the last seed's images are
spread evenly over its trace. The next campaign goes on at the seed after the last. The result is appended to
docs/evidence.md. A failure keeps the trace and the image, and names the command that makes the same image again.
"""

from __future__ import annotations

import itertools
import os
import shutil
import statistics
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from tests import campaigns
from tests.campaigns import say
from tests.e2e.power import Loss, compile_recorder, read_trace, record, scratch
from tests.e2e.power_judge import Verdict, judge_moments, lay_out, sample

FAILURES_MAX: Final = 20  # a campaign with this many faults stops: they have to be mended first
SECTION: Final = """\
## Power loss (`make power IMAGES=10000 SEED=0`)

Every write, sync and change of a name that the real SQLite makes for 200 transactions of two threads is recorded,
beginning with the making of the store. Power then fails before each of them: unsynced sectors are lost, kept, torn,
garbled, or kept in any order and age ([the disk](../tests/e2e/power.py)). Each image is opened like any store, and
compared with what was acknowledged. *Images* are those with unsynced sectors dropped / kept / torn / garbled /
reordered. *Kept* are operations that had begun, were not acknowledged, and were whole on disk; the others left no
trace. *Went on* are images in which the store was written again; *folded* are those whose tables were compared with
their log. *Each* is the median time of an image.

| time (UTC) | commit | seeds | verdict | images | acknowledged | in flight (kept) | went on, folded | each, slowest | took |
|---|---|---|---|---|---|---|---|---|---|
"""


def run(first: int, images: int, seeds: list[int]) -> Iterator[Verdict]:
    """Make a number of images, and yield each result; add the seed of each process that is recorded to ``seeds``."""
    made = 0
    for seed in itertools.count(first):
        seeds.append(seed)
        folder = scratch()
        home = folder / "home"
        home.mkdir()
        command = ("-m", "tests.e2e.power_work", home, folder / "state", str(seed))
        trace = record(compile_recorder(folder), home, folder / "trace", command)
        failed = 0
        for verdict, image in judge_moments(trace, sample(trace, images - made, seed), seed, folder / "judge"):
            made += 1
            if verdict.faults:
                failed += 1
                kept = folder / f"image-{verdict.cut}"
                lay_out(image, kept)
                _report(verdict, kept, f"--trace {folder / 'trace'} --seed {seed} --cut {verdict.cut}")
            yield verdict
            if failed == FAILURES_MAX:
                break
        if failed:
            return
        shutil.rmtree(folder)
        if made >= images:
            return


def repeat(trace: Path, seed: int, cut: int) -> Verdict:
    """Make one image again, and inspect it."""
    folder = scratch()
    try:
        ((verdict, _),) = judge_moments(read_trace(trace), {cut}, seed, folder)
        return verdict
    finally:
        shutil.rmtree(folder)


def _report(verdict: Verdict, kept: Path, again: str) -> None:
    say(f"\ncut {verdict.cut} failed ({verdict.loss.value}); its image is in {kept}\n")
    say(f"again: python -m tests.e2e.power_campaign {again}\n")
    say("".join(f"  {fault}\n" for fault in verdict.faults))


def row_of(verdicts: Sequence[Verdict], first: int, last: int, took_s: float) -> str:
    """Return a campaign's row for docs/evidence.md."""
    failed = [verdict.cut for verdict in verdicts if verdict.faults]
    losses = Counter(verdict.loss for verdict in verdicts)
    took_ms = sorted(verdict.took_s * 1000 for verdict in verdicts)
    in_flight, kept = (sum(getattr(verdict, name) for verdict in verdicts) for name in ("in_flight", "kept"))
    went_on, folded = (sum(getattr(verdict, name) for verdict in verdicts) for name in ("written", "rebuilt"))
    return campaigns.row(
        f"{first}-{last}",
        [f"cut {cut}" for cut in failed],
        f"{len(verdicts):,}: {' / '.join(f'{losses[loss]:,}' for loss in Loss)}",
        "see the failures" if failed else f"{sum(verdict.acknowledged for verdict in verdicts):,}, none lost",
        f"{in_flight:,} ({kept:,})",
        f"{went_on:,}, {folded:,}",
        f"{statistics.median(took_ms):.1f} ms, {took_ms[-1]:.1f} ms",
        f"{took_s:,.0f} s",
    )


def main() -> int:
    """Run a campaign and write down its result; or repeat one image."""
    parser = campaigns.command_line("Let power fail at every moment, and look what is left.", "images", 10_000)
    parser.add_argument("--trace", type=Path, help="a trace that a failure kept, with the failure's seed and cut")
    parser.add_argument("--cut", type=int, default=0, help="how many events of that trace come before the loss")
    chosen = parser.parse_args()
    os.environ["EDDA_KEYRING"] = "off"
    if chosen.trace is not None:
        verdict = repeat(chosen.trace, chosen.seed, chosen.cut)
        say(f"{verdict}\n")
        return int(bool(verdict.faults))
    seeds: list[int] = []
    row = lambda verdicts, took_s: row_of(verdicts, seeds[0], seeds[-1], took_s)  # noqa: E731 - it needs the seeds
    return campaigns.carry_out(SECTION, run(chosen.seed, chosen.images, seeds), row, what="images")


if __name__ == "__main__":
    sys.exit(main())
