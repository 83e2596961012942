"""Room to grow that no version uses yet: headers with more than this version knows, well signed by a liar."""

from __future__ import annotations

from typing import Final

from edda_sync.crdt.ext import Ext
from edda_sync.simulations.faults import Mishap
from edda_sync.simulations.liars import DELETE, PUT, body_of, liar_of
from edda_sync.simulations.simulator import Simulation
from edda_sync.simulations.strange import append
from edda_sync.simulations.tape import Draws
from edda_sync.words import values

MORE: Final[tuple[tuple[int, Ext], ...]] = (
    (1, ((7, b"how"),)),
    (1, ((9, b""), (11, bytes(300)))),
    (1, ((6, b"why"), (1_000, b""))),  # unknown even numbers may be ignored
    (2, ()),
)
"""Levels and exts of headers. A change with any but one of these is held, and has no effect."""


def say_more(sim: Simulation, draws: Draws) -> None:
    """A liar's change has an unknown odd number or level in its header: it is kept, and folded by nobody."""
    liar = liar_of(sim, draws)
    if liar is None:
        return
    level, more = draws.pick("more", MORE)
    word = sim.book.word()
    task = values.id_bytes(
        "id", draws.pick("task", sim.book.tasks) if sim.book.tasks else liar.running.writing.new_id()
    )
    seen = [list(dot) for dot in sorted(liar.running.frontier().items())]
    body = body_of([[PUT, "task", task, {"title": word}], [DELETE, "task", task, seen]][: 1 + draws.draw("two", 2)])
    sim.note("says more", liar, level=level, numbers=[number for number, _ in more])
    told = liar.act(lambda engine: append(engine, body, level=level, more=more))
    liar.told["say more"] += told is not None


ACTIONS: Final = (Mishap("say more", "liars", 2, say_more),)
