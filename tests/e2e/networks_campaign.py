"""
A campaign of drawn networks: ``python -m tests.e2e.networks_campaign --runs 300 --seed 0``, or ``make networks``.

Each seed is one network with three devices, and what happens in it (``tests/e2e/drawn.py``). Some run at a time, since they
mostly wait. The result is appended to docs/evidence.md; a failure keeps its stores and what the devices said.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import statistics
import sys
import tempfile
from collections import Counter, deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Final

from tests import campaigns
from tests.campaigns import say
from tests.e2e import joined, networks
from tests.e2e.drawn import HAZARDS, Hazard, draw
from tests.e2e.networks import Verdict

SECTION: Final = """\
## Networks (`make networks NETWORKS=300 SEED=0`)

Three processes of `edda up`, each in a namespace of its own, are joined by a drawn network: one switch, two of them, only
IPv6 link-local addresses, a router with or without NAT, a container's bridge ([how](../tests/e2e/drawn.py)). Cables lose,
delay, reorder and are slow; clocks are minutes to years apart; routers lose large packets without a word (*narrow*). While
all three write, interfaces and cables come and go, addresses change, the switch falls silent or loses multicast, routers
start anew, devices sleep and are killed. *Linked* is how long after the last event each two were linked for good, and
*equal* how long until all three were proved equal; both must be below 30 s. Nothing acknowledged may be missing, and whoever
has no link for six seconds must say why, in one sentence (*told*: how often one was said).

| time (UTC) | commit | seeds | verdict | networks | events | linked: p50, p99 | equal: p50, p99 | told, written | took |
|---|---|---|---|---|---|---|---|---|---|
"""


def run(first: int, count: int, beside: int, hazards: Iterable[Hazard] = HAZARDS) -> Iterator[Verdict]:
    """Make networks, some at a time, and yield what came of each in the order of the seeds."""
    with ThreadPoolExecutor(beside) as pool:
        under_way: deque[Future[Verdict]] = deque()
        seeds = iter(range(first, first + count))
        try:
            while True:
                for seed in seeds:
                    under_way.append(pool.submit(judge, seed, tuple(hazards)))
                    if len(under_way) == 2 * beside:  # one that takes long keeps no other waiting
                        break
                if not under_way:
                    return
                yield under_way.popleft().result()
        finally:
            pool.shutdown(cancel_futures=True)


def judge(seed: int, hazards: Iterable[Hazard] = HAZARDS) -> Verdict:
    """Make one network, and judge what came of it."""
    folder = Path(tempfile.mkdtemp(prefix="edda-networks-"))
    plan = draw(seed, hazards=hazards)
    verdict = asyncio.run(networks.run(plan, folder))
    if verdict.faults:
        again = f"python -m tests.e2e.networks_campaign --runs 1 --seed {seed}"
        say(f"\nseed {seed}, {plan}\n  {'; '.join(verdict.faults)}\nits stores are in {folder}; again: {again}\n")
    else:
        shutil.rmtree(folder)
    return verdict


def row_of(verdicts: list[Verdict], took_s: float, *, without: Sequence[Hazard] = ()) -> str:
    """Return a campaign's row for docs/evidence.md."""
    shapes = Counter(verdict.plan.shape for verdict in verdicts)
    narrow = sum(verdict.plan.is_narrow for verdict in verdicts)
    clocks = sum(any(verdict.plan.clocks_s) for verdict in verdicts)
    linked = [each_s for verdict in verdicts for each_s in verdict.linked_s]
    equal = [verdict.equal_s for verdict in verdicts]
    return campaigns.row(
        f"{verdicts[0].seed}-{verdicts[-1].seed}{''.join(f', without {hazard}' for hazard in without)}",
        [verdict.seed for verdict in verdicts if verdict.faults],
        f"{len(verdicts)}: {', '.join(f'{count} {shape}' for shape, count in shapes.items())};"
        f" {narrow} narrow, {clocks} with wrong clocks",
        f"{sum(len(verdict.plan.events) for verdict in verdicts):,}",
        f"{percentile(linked, 50):.1f} s, {percentile(linked, 99):.1f} s",
        f"{percentile(equal, 50):.1f} s, {percentile(equal, 99):.1f} s",
        f"{sum(verdict.losses for verdict in verdicts):,}, {sum(verdict.written for verdict in verdicts):,}",
        f"{took_s:,.0f} s",
    )


def percentile(values: list[float], percent: int) -> float:
    """Return the value below which so many percent of the values lie."""
    return statistics.quantiles(values, n=100, method="inclusive")[percent - 1] if len(values) > 1 else sum(values)


def main() -> int:
    """Run a campaign and write down its result."""
    parser = campaigns.command_line("Let three devices meet again in networks that are drawn.", "runs", 300)
    parser.add_argument("--beside", type=int, default=3, help="how many run at a time")
    parser.add_argument("--without", choices=HAZARDS, action="append", default=[], help="hazards that are not drawn")
    chosen = parser.parse_args()
    if reason := joined.fault():
        say(f"{reason}\n")
        return 2
    os.environ["EDDA_KEYRING"] = "off"
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # or each process compiles the product anew
    hazards = [hazard for hazard in HAZARDS if hazard not in chosen.without]
    verdicts = run(chosen.seed, chosen.runs, chosen.beside, hazards)
    return campaigns.carry_out(SECTION, verdicts, partial(row_of, without=chosen.without), what="networks")


if __name__ == "__main__":
    sys.exit(main())
