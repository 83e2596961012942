"""Mistyped operations: numbers that are not integers, booleans instead of numbers, lists of the wrong length."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from edda_sync.simulations.faults import Mishap
from edda_sync.simulations.liars import DELETE, EDIT, PUT, TOUCH, body_of, liar_of
from edda_sync.simulations.simulator import Simulation
from edda_sync.simulations.strange import a_task, append
from edda_sync.simulations.tape import Draws
from edda_sync.words import values


def mistype(sim: Simulation, draws: Draws) -> None:
    """A liar writes a float or a boolean where an integer belongs, and the like: the operation is refused as a whole."""
    liar = liar_of(sim, draws)
    if liar is None:
        return
    engine = liar.running
    task, actor = a_task(sim, draws, engine), min(engine.frontier())
    operation = draws.pick("mistyped", _operations(task, actor, sim.book.word()))
    sim.note("mistypes", liar, code=str(operation[0]))
    told = liar.act(lambda engine: append(engine, body_of([operation, [TOUCH, "task", task]])))
    liar.told["mistype"] += told is not None


def _operations(task: bytes, actor: bytes, word: str) -> Sequence[Sequence[Any]]:
    def put(**cells: Any) -> list[Any]:
        return [PUT, "task", task, {name.replace("__", "."): value for name, value in {"title": word, **cells}.items()}]

    tag = f"tag__{values.tag_id('work')}"
    return (
        [1.0, "task", task, {"title": word}],
        [True, "task", task, {"title": word}],
        [3.0, "task", task, [[actor, 1]]],
        [DELETE, "task", task, [[actor, 1.0]]],
        [DELETE, "task", task, [[actor, True]]],
        [TOUCH, "task", task, None],
        [TOUCH, "task", task.hex()],
        [EDIT, "task", task, "description", list(bytes(16)), b""],
        put(priority=2.0),
        put(priority=True),
        put(created_at=0.0),
        put(created_at=False),
        put(status=1),
        put(status=["done", 0]),
        put(parent_id=False),
        put(description=False),
        put(due_date=0),
        put(metadata__size=1),
        put(**{tag: 1}),
        put(**{tag: False}),
    )


ACTIONS: Final = (Mishap("mistype", "liars", 2, mistype),)
