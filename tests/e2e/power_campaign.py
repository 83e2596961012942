"""
A campaign of power losses: ``python -m tests.e2e.power_campaign --images 10000 --seed 0``, or ``make power``.

Each seed is one process that is recorded, and one image for each moment at which power may fail; the last seed's images are
spread evenly over its trace. The next campaign goes on at the seed after the last. The result is appended to
docs/evidence.md. A failure keeps the trace and the image, and names the command that makes the same image again.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import shutil
import statistics
import sys
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from edda_sync.simulations import evidence
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


def run(first: int, images: int, verdicts: list[Verdict]) -> int:
    """Make a number of images, and add each result to ``verdicts``; return the last seed."""
    seed = first
    while True:
        folder = scratch()
        home = folder / "home"
        home.mkdir()
        command = ("-m", "tests.e2e.power_work", home, folder / "state", str(seed))
        trace = record(compile_recorder(folder), home, folder / "trace", command)
        failed = 0
        for verdict, image in judge_moments(trace, sample(trace, images - len(verdicts), seed), seed, folder / "judge"):
            verdicts.append(verdict)
            if verdict.faults:
                failed += 1
                kept = folder / f"image-{verdict.cut}"
                lay_out(image, kept)
                _report(verdict, kept, f"--trace {folder / 'trace'} --seed {seed} --cut {verdict.cut}")
            if failed == FAILURES_MAX:
                break
            if len(verdicts) % 100 == 0:
                _say(f"\r{len(verdicts)} images, seed {seed}")
        if failed:
            return seed
        shutil.rmtree(folder)
        if len(verdicts) >= images:
            _say("\n")
            return seed
        seed += 1


def repeat(trace: Path, seed: int, cut: int) -> Verdict:
    """Make one image again, and inspect it."""
    folder = scratch()
    try:
        ((verdict, _),) = judge_moments(read_trace(trace), {cut}, seed, folder)
        return verdict
    finally:
        shutil.rmtree(folder)


def _report(verdict: Verdict, kept: Path, again: str) -> None:
    _say(f"\ncut {verdict.cut} failed ({verdict.loss.value}); its image is in {kept}\n")
    _say(f"again: python -m tests.e2e.power_campaign {again}\n")
    _say("".join(f"  {fault}\n" for fault in verdict.faults))


def _say(text: str) -> None:
    sys.stderr.write(text)
    sys.stderr.flush()


def row_of(verdicts: Sequence[Verdict], first: int, last: int, took_s: float) -> str:
    """Return a campaign's row for docs/evidence.md."""
    failed = [verdict.cut for verdict in verdicts if verdict.faults]
    losses = Counter(verdict.loss for verdict in verdicts)
    took_ms = sorted(verdict.took_s * 1000 for verdict in verdicts)
    in_flight, kept = (sum(getattr(verdict, name) for verdict in verdicts) for name in ("in_flight", "kept"))
    went_on, folded = (sum(getattr(verdict, name) for verdict in verdicts) for name in ("written", "rebuilt"))
    fields = (
        evidence.time_now(),
        evidence.commit(),
        f"{first}-{last}",
        f"**failed**: cuts {failed}" if failed else "all held",
        f"{len(verdicts):,}: {' / '.join(f'{losses[loss]:,}' for loss in Loss)}",
        "see the failures" if failed else f"{sum(verdict.acknowledged for verdict in verdicts):,}, none lost",
        f"{in_flight:,} ({kept:,})",
        f"{went_on:,}, {folded:,}",
        f"{statistics.median(took_ms):.1f} ms, {took_ms[-1]:.1f} ms",
        f"{took_s:,.0f} s",
    )
    return f"| {' | '.join(fields)} |"


def main() -> int:
    """Run a campaign and write down its result; or repeat one image."""
    parser = argparse.ArgumentParser(description="Let power fail at every moment, and look what is left of a store.")
    parser.add_argument("--images", type=int, default=10_000, help="how many images")
    parser.add_argument("--seed", type=int, default=0, help="the first process's seed; each process has the next one")
    parser.add_argument("--trace", type=Path, help="a trace that a failure kept, with the failure's seed and cut")
    parser.add_argument("--cut", type=int, default=0, help="how many events of that trace come before the loss")
    chosen = parser.parse_args()
    os.environ["EDDA_KEYRING"] = "off"
    if chosen.trace is not None:
        verdict = repeat(chosen.trace, chosen.seed, chosen.cut)
        _say(f"{verdict}\n")
        return int(bool(verdict.faults))
    started = time.monotonic()
    verdicts: list[Verdict] = []
    last = chosen.seed
    with contextlib.suppress(KeyboardInterrupt):  # the images that are done count
        last = run(chosen.seed, chosen.images, verdicts)
    if verdicts:
        row = row_of(verdicts, chosen.seed, last, time.monotonic() - started)
        evidence.append(SECTION, row)
        _say(row + "\n")
    return int(not verdicts or any(verdict.faults for verdict in verdicts))


if __name__ == "__main__":
    sys.exit(main())
