"""
A campaign of flipped bits: ``python -m tests.e2e.flips_campaign --flips 5000 --seed 0``, or ``make flips``.

The flips are spread evenly over the kinds of stores (``tests/e2e/flips.py``), each with a journal and without one. The
result is appended to docs/evidence.md.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Final

from tests import campaigns
from tests.campaigns import say
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
    parser = campaigns.command_line(
        "Flip bits in stores, and look whether it is noticed.", "flips", 5_000, "how many bits"
    )
    parser.add_argument("--kind", choices=sorted(flips.KINDS), help="only stores of this kind")
    chosen = parser.parse_args()
    os.environ["EDDA_KEYRING"] = "off"
    stores = [(kind, closed) for kind in flips.KINDS for closed in (False, True) if chosen.kind in (None, kind)]
    failed = 0
    for kind, closed in stores:
        verdicts = _run(kind, chosen.flips // len(stores), chosen.seed, closed=closed)
        row = partial(row_of, seed=chosen.seed, store=f"{kind}, {'closed' if closed else 'killed, with its journal'}")
        failed |= campaigns.carry_out(SECTION, verdicts, row, what="flips")
    return failed


def _run(kind: str, count: int, seed: int, *, closed: bool) -> Iterator[Verdict]:
    with tempfile.TemporaryDirectory(dir=_memory()) as folder:
        for verdict in flips.run(kind, count, seed, Path(folder), closed=closed):
            if verdict.faults:
                say(f"{verdict.flip}: {'; '.join(verdict.faults)}\n")
            yield verdict


def row_of(verdicts: list[Verdict], took_s: float, *, seed: int, store: str) -> str:
    """Return a campaign's row for docs/evidence.md."""
    ends = Counter(verdict.end for verdict in verdicts)
    return campaigns.row(
        str(seed),
        [verdict.flip for verdict in verdicts if verdict.end is End.FAULT],
        store,
        f"{len(verdicts):,}: {ends[End.REFUSED]:,} / {ends[End.FOUND]:,} / {ends[End.UNNOTICED]:,}",
        f"{took_s:,.0f} s",
    )


if __name__ == "__main__":
    sys.exit(main())
