"""Limits: people write as much into one change as it may hold, and a little more, which is refused at once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from edda_sync.engine.engine import StorageEngine
from edda_sync.simulations.device import SimulatedDevice
from edda_sync.simulations.simulator import Simulation
from edda_sync.simulations.tape import Draws
from edda_sync.simulations.workload import Work, write
from edda_sync.words import limits
from edda_sync.words.errors import InvalidValueError, LimitError
from edda_sync.words.model import Task

VALUE: Final = "x" * (limits.JSON_BYTES_MAX - 2)  # the largest value, with its quotes
VALUES: Final = limits.ENTITY_CHANGE_BYTES_MAX // limits.JSON_BYTES_MAX


def _many(count: int) -> dict[str, Any]:
    return {f"k{number}": number for number in range(count)}


MOST: Final[tuple[Callable[[], Mapping[str, Any]], ...]] = (
    lambda: _many(limits.ENTITY_CHANGE_CELLS_MAX - 4),  # besides a title, a status, a priority and a time
    lambda: {"k" * limits.KEY_CODE_POINTS_MAX: 10 ** (limits.JSON_DIGITS_MAX - 1)},
    lambda: {f"k{number}": VALUE[:-200] for number in range(VALUES)},
)
MORE: Final[tuple[Callable[[], Mapping[str, Any]], ...]] = (
    lambda: _many(limits.ENTITY_CHANGE_CELLS_MAX + 1),
    lambda: {"k" * (limits.KEY_CODE_POINTS_MAX + 1): 1},
    lambda: {"k": 10**limits.JSON_DIGITS_MAX},
    lambda: {"k": VALUE + "x"},
    lambda: {f"k{number}": VALUE for number in range(VALUES + 1)},
)
"""The metadata of one new task."""


def fill(sim: Simulation, draws: Draws, device: SimulatedDevice) -> None:
    """Somebody writes as much into one task as a change may hold, or a little more, which is refused."""
    most = MOST[:-1] if sim.profile.tight else MOST  # with tight limits no header could list so many parts
    metadata = draws.pick("how much", (*most, *MORE))

    def work(engine: StorageEngine, word: str) -> str:
        try:
            return engine.create_task(Task(title=word, metadata=dict(metadata())))
        except LimitError:
            raise InvalidValueError("metadata", "is too much for one change", None) from None

    made = write(sim, device, work)
    assert made is None or metadata in MOST, "what is too much was written"


ACTIONS: Final = (Work("fill", "limits", 1, fill),)
