"""All that there is: a later feature adds its own small file, and one line here."""

from __future__ import annotations

from typing import Final

from simulations import faults, workload
from simulations.checkers.convergence import Convergence
from simulations.simulator import Action, Checker

ACTIONS: Final[tuple[Action, ...]] = (*workload.ACTIONS, *faults.ACTIONS)

CHECKERS: Final[tuple[type[Checker], ...]] = (Convergence,)
