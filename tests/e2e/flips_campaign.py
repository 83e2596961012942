"""
A campaign of flipped bits: ``python -m tests.e2e.flips_campaign --flips 5000 --seed 0``, or ``make flips``.

The flips are spread evenly over the kinds of stores (``tests/e2e/flips.py``), each with a journal and without one. The
result is appended to docs/evidence.md.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Final

from edda_sync.simulations import evidence
from tests.e2e import flips
from tests.e2e.flips import End, Verdict

SECTION: Final = """\
## Flipped bits (`make flips FLIPS=5000 SEED=0`)

One bit flips in a file of a store; then everything is read, checked, written into and synced ([how](../tests/e2e/flips.py)).
*Refused*: the store does not open. *Found*: an answer, the scrub or the doctor says so. *Unnoticed*: what is shown does
not depend on the bit. A fault is a wrong value that is shown and not found, an error that is not one of ours, or a peer
that holds something which nobody wrote.

| time (UTC) | commit | seed | verdict | store | refused / found / unnoticed | took |
|---|---|---|---|---|---|---|
"""


def _memory() -> str | None:
    """Return a folder in memory, if there is one: the stores need no disk."""
    return "/dev/shm" if os.access("/dev/shm", os.W_OK) else None


def main() -> int:
    """Run a campaign and write down its result."""
    parser = argparse.ArgumentParser(description="Flip bits in stores, and look whether it is noticed.")
    parser.add_argument("--flips", type=int, default=5_000, help="how many bits")
    parser.add_argument("--seed", type=int, default=0, help="another seed flips others")
    parser.add_argument("--kind", choices=sorted(flips.KINDS), help="only stores of this kind")
    chosen = parser.parse_args()
    os.environ["EDDA_KEYRING"] = "off"
    stores = [(kind, closed) for kind in flips.KINDS for closed in (False, True) if chosen.kind in (None, kind)]
    failed = False
    for kind, closed in stores:
        started, verdicts = time.monotonic(), list[Verdict]()
        with contextlib.suppress(KeyboardInterrupt), tempfile.TemporaryDirectory(dir=_memory()) as folder:
            for verdict in flips.run(kind, chosen.flips // len(stores), chosen.seed, Path(folder), closed=closed):
                verdicts.append(verdict)
                if verdict.faults:
                    failed = True
                    sys.stderr.write(f"{verdict.flip}: {'; '.join(verdict.faults)}\n")
        ends = Counter(verdict.end for verdict in verdicts)
        fields = (
            evidence.time_now(),
            evidence.commit(),
            str(chosen.seed),
            f"**{ends[End.FAULT]} faults**" if ends[End.FAULT] else "all held",
            f"{kind}, {'closed' if closed else 'killed, with its journal'}",
            f"{len(verdicts):,}: {ends[End.REFUSED]:,} / {ends[End.FOUND]:,} / {ends[End.UNNOTICED]:,}",
            f"{time.monotonic() - started:,.0f} s",
        )
        evidence.append(SECTION, f"| {' | '.join(fields)} |")
        sys.stderr.write(f"{' '.join(fields)}\n")
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
