"""Changes whose values are all valid, and that all devices refuse for good because they break a rule."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from edda_sync.crdt import records
from edda_sync.crdt.records import DeviceRecord
from edda_sync.crdt.text import edits
from edda_sync.crdt.text.document import genesis_id
from edda_sync.crdt.text.edits import TextEdit
from edda_sync.engine.engine import StorageEngine
from edda_sync.simulations.faults import Mishap
from edda_sync.simulations.keys import identity_of
from edda_sync.simulations.liars import DELETE, EDIT, PUT, body_of, liar_of
from edda_sync.simulations.simulator import Simulation
from edda_sync.simulations.strange import a_task, append
from edda_sync.simulations.tape import Draws

CELLS: Final = 4_097  # one more than a change may write into one entity
LEVELS: Final = 40
UNKNOWN: Final = 2_000  # the number of an identity that no device has


def refusal(sim: Simulation, draws: Draws) -> None:
    """A liar breaks a rule in its own name: it deletes a device, adds a member twice, edits two texts of one field..."""
    liar = liar_of(sim, draws)
    if liar is None:
        return
    operations = draws.pick("refused", _operations(a_task(sim, draws, liar.running), liar.running, sim.book.word()))
    sim.note("is refused", liar, code=str(operations[-1][0]))
    told = liar.act(lambda engine: append(engine, body_of(operations), operations=len(operations)))
    liar.told["refusal"] += told is not None


def _operations(task: bytes, engine: StorageEngine, word: str) -> Sequence[Sequence[Sequence[Any]]]:
    own, stranger = engine.identity, identity_of(UNKNOWN)
    seen = [list(dot) for dot in sorted(engine.frontier().items())]
    device = records.device_entity(own.public_key)
    again = records.encode(DeviceRecord(own.public_key, own.certificate, (), "member", own.public_key))
    by_another = DeviceRecord(stranger.public_key, stranger.certificate, (), "member", stranger.public_key)
    deep: Any = word
    for _ in range(LEVELS):
        deep = [deep]
    texts = [genesis_id(task, "description", f"{word} {'ab'[number]}") for number in range(2)]
    types = edits.encode(TextEdit((), 0, ((None, (edits.GENESIS, 0), word),), ()))
    edited = [[EDIT, "task", task, "description", text, types] for text in texts]
    starts = [[PUT, "task", task, {"description": f"{word} {'ab'[number]}"}] for number in range(2)]
    return (
        [[DELETE, "device", device, seen]],
        [[DELETE, "workspace", engine.workspace, seen]],
        [[PUT, "device", device, {"record": again}]],
        [[PUT, "device", records.device_entity(stranger.public_key), {"record": records.encode(by_another)}]],
        [[PUT, "task", task, {f"metadata.{number}": "1" for number in range(CELLS)}]],
        [[PUT, "task", task, {"title": word, "of.tomorrow": deep}]],
        [[PUT, "task", task, {"description": f"{word} a"}], *edited],
        [*starts, edited[0]],
        [[PUT, "task", task, {"title": word, "status": "lost"}], [PUT, "task", task, {"title": word}]],
    )


ACTIONS: Final = (Mishap("refusal", "liars", 2, refusal),)
