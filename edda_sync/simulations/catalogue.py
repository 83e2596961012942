"""The catalogue of everything in the simulator. A new feature adds its own small file, and one line here."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from edda_sync.simulations import (
    acks,
    births,
    brims,
    doubles,
    far,
    faults,
    filework,
    forged,
    liars,
    lies,
    midway,
    mistyped,
    moods,
    odd,
    proofs,
    refusals,
    relays,
    restores,
    strange,
    taking_back,
    unasked,
    upgrades,
    workload,
)
from edda_sync.simulations.checker import Checker
from edda_sync.simulations.checkers.backed_up import BackedUp
from edda_sync.simulations.checkers.convergence import Convergence
from edda_sync.simulations.checkers.evidence import ClosedIsHeld, Innocent, OnlyNews
from edda_sync.simulations.checkers.fetched import Fetched
from edda_sync.simulations.checkers.following import Followed
from edda_sync.simulations.checkers.history import (
    Authority,
    CausalDelivery,
    Durability,
    MonotonicReads,
    PersistBeforePublish,
    UniqueDots,
)
from edda_sync.simulations.checkers.holdings import BoundedFiles, HereIsHere, RightlyBlamed
from edda_sync.simulations.checkers.hostility import AskedFor, BoundedBirths, BoundedHostility, RejectedMeansUnchanged
from edda_sync.simulations.checkers.meaning import Meaning, OrderIndependence, ViewOfTheLog
from edda_sync.simulations.checkers.newcomers import Served
from edda_sync.simulations.checkers.progress import (
    BoundedBytes,
    Everywhere,
    Kept,
    NothingHeldBack,
    Repair,
    Unfolded,
    WrittenAgain,
)
from edda_sync.simulations.checkers.reach import Reachable
from edda_sync.simulations.checkers.reading import Atomicity, NoPhantom, ReadYourWrites
from edda_sync.simulations.checkers.uniqueness import Unshared
from edda_sync.simulations.claiming import Claiming
from edda_sync.simulations.protocols import Action
from edda_sync.simulations.simulator import Simulation

ACTIONS: Final[tuple[Action, ...]] = (
    *workload.ACTIONS,
    *faults.ACTIONS,
    *lies.ACTIONS,
    *acks.ACTIONS,
    *proofs.ACTIONS,
    *unasked.ACTIONS,
    *births.ACTIONS,
    *forged.ACTIONS,
    *moods.ACTIONS,
    *far.ACTIONS,
    *relays.ACTIONS,
    *liars.ACTIONS,
    *strange.ACTIONS,
    *odd.ACTIONS,
    *mistyped.ACTIONS,
    *refusals.ACTIONS,
    *midway.ACTIONS,
    *upgrades.ACTIONS,
    *brims.ACTIONS,
    *restores.ACTIONS,
    *doubles.ACTIONS,
    *taking_back.ACTIONS,
)

CHECKERS: Final[tuple[type[Checker], ...]] = (
    Convergence,
    OrderIndependence,
    CausalDelivery,
    Atomicity,
    Durability,
    NoPhantom,
    ReadYourWrites,
    MonotonicReads,
    PersistBeforePublish,
    UniqueDots,
    ViewOfTheLog,
    Meaning,
    Authority,
    Innocent,
    ClosedIsHeld,
    BoundedHostility,
    AskedFor,
    BoundedBirths,
    RejectedMeansUnchanged,
    NothingHeldBack,
    BoundedBytes,
    OnlyNews,
    Everywhere,
    Kept,
    WrittenAgain,
    Repair,
    Unfolded,
    Served,
    Followed,
    Fetched,
    BackedUp,
    Unshared,
    HereIsHere,
    BoundedFiles,
    RightlyBlamed,
    Reachable,
)

PLANS: Final[tuple[Callable[[Simulation], object], ...]] = (Claiming, filework.plan)
"""What some runs have beside the events of their tapes, with choices of its own."""
