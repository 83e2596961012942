"""``python -m edda_sync.simulations``: a campaign; ``edda simulate`` is for single runs."""

from __future__ import annotations

import argparse
import os
import sys

from edda_sync.simulations.campaign import Campaign, conduct, seeds_of
from edda_sync.simulations.plays import PLAYS


def main() -> int:
    """Run a range of seeds."""
    parser = argparse.ArgumentParser(
        prog="python -m edda_sync.simulations", description="Run a range of simulated seeds."
    )
    parser.add_argument("--seeds", default="10000", help="FIRST-LAST, or how many that were not run yet")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes")
    parser.add_argument("--backend", choices=("memory", "sqlite", "rocksdb"), help="of every run; drawn by default")
    parser.add_argument("--scenario", choices=sorted(PLAYS), help="draw each run around this story")
    chosen = parser.parse_args()
    try:
        seeds = seeds_of(chosen.seeds, chosen.scenario)
    except ValueError:
        parser.error(f"--seeds is FIRST-LAST, or a number, not {chosen.seeds}")
    return conduct(Campaign(*seeds, chosen.jobs, chosen.backend, play=chosen.scenario))


if __name__ == "__main__":
    sys.exit(main())
