"""Moods: how a liar changes its true frames for a while. It withholds, claims and contradicts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import msgspec

from edda_sync.simulations.faults import FOR_S, Mishap
from edda_sync.simulations.liars import FAR, Liar, liar_of
from edda_sync.simulations.simulator import Simulation
from edda_sync.simulations.tape import Draws
from edda_sync.sync.messages import Ack, Cells, Changes, Hello, Message, Part, Summary, Wish
from edda_sync.words import limits


def mood(name: str, change: Callable[[Draws, Liar], Callable[[Message], Message | None]]) -> Mishap:
    """Return the action that puts a liar into a mood for a while."""

    def do(sim: Simulation, draws: Draws) -> None:
        liar = liar_of(sim, draws)
        if liar is None or liar.mood is not None:
            return
        duration_s = draws.seconds("for", *FOR_S)
        sim.note("mood", liar, which=name, seconds=duration_s)
        liar.mood = name, change(draws, liar)
        sim.for_a_while(duration_s, lambda: setattr(liar, "mood", None))
        if draws.chance("anew", 50):  # its first messages matter most
            for link in sim.network.links_of(liar):
                liar.disconnected_silently(link)

    do.__doc__ = change.__doc__
    return Mishap(name, "liars", 1, do)


def withhold(draws: Draws, liar: Liar) -> Callable[[Message], Message | None]:
    """It sends every other change, or none, or does not say what it received."""
    del liar
    how = draws.pick("withholds", ("every other change", "changes", "acks", "parts"))

    def change(message: Message) -> Message | None:
        if how == "every other change" and isinstance(message, Changes):
            return msgspec.structs.replace(message, changes=message.changes[::2])
        kinds: dict[str, type[Message]] = {"changes": Changes, "acks": Ack, "parts": Part}
        return None if how in kinds and isinstance(message, kinds[how]) else message

    return change


def claim(draws: Draws, liar: Liar) -> Callable[[Message], Message | None]:
    """It claims to hold what it does not, to hold nothing, or to have processed what it was never sent."""
    how = draws.pick("claims", ("all", "nothing", "frames", "waiting"))
    far = draws.pick("far", (1, FAR))

    def change(message: Message) -> Message | None:
        if isinstance(message, Hello) and how == "all":
            heads = tuple(Summary(each.actor, each.seq + far, each.hash) for each in message.heads)
            return msgspec.structs.replace(message, heads=heads)
        if isinstance(message, Hello) and how == "nothing":
            return msgspec.structs.replace(message, heads=())
        if isinstance(message, Ack):
            if how == "all":
                held = tuple((actor, seq + far) for actor, seq in message.moved)
                return msgspec.structs.replace(message, moved=held)
            if how == "nothing" and not message.again:  # with it, the two would repeat this without end
                return msgspec.structs.replace(message, moved=())
            if how == "frames":
                return msgspec.structs.replace(message, frames=message.frames + far)
            return msgspec.structs.replace(message, waiting=far)
        return message

    del liar
    return change


def misprove(draws: Draws, liar: Liar) -> Callable[[Message], Message | None]:
    """Its proofs say that its content or its heads differ, and its coded cells are of something else."""
    del liar
    false = draws.draw("proof", 1 << 30).to_bytes(16, "big")
    heads, noise = draws.chance("heads", 30), draws.draw("noise", 256)

    def change(message: Message) -> Message | None:
        if isinstance(message, (Ack, Cells)) and message.proof:
            proof = message.proof[:16] + false if heads else false + message.proof[16:]
            message = msgspec.structs.replace(message, proof=proof)
        if isinstance(message, Cells):
            message = msgspec.structs.replace(message, cells=bytes(each ^ noise for each in message.cells))
        return message

    return change


def contradict(draws: Draws, liar: Liar) -> Callable[[Message], Message | None]:
    """
    Its hello is another device's, of another workspace or version, never ends, or names other hashes: it claims to hold
    another change than the others of each actor, without a proof.
    """
    how = draws.pick("hello", ("device", "workspace", "version", "hashes", "wishes", "order", "endless"))
    nobody = b"nobody, an actor"

    def change(message: Message) -> Message | None:
        if not isinstance(message, Hello):
            return message
        if how == "hashes":
            heads = tuple(Summary(each.actor, each.seq, each.hash[::-1]) for each in message.heads)
            return msgspec.structs.replace(message, heads=heads)
        wishes = (Wish(nobody, 1, 1 << 40), Wish(nobody, 1, 0), *(Wish(each.actor, 1, 7) for each in message.heads))
        others: dict[str, dict[str, Any]] = {
            "device": {"device": "a" * len(liar.id)},
            "workspace": {"workspace": bytes(16)},
            "version": {"protocol": (limits.PROTOCOL_VERSION + 1, limits.PROTOCOL_VERSION + 1)},
            "wishes": {"wanted": wishes},
            "order": {"heads": message.heads[::-1] + message.heads},
            "endless": {"more": True},
        }
        return msgspec.structs.replace(message, **others[how])

    return change


ACTIONS: Final = (
    mood("withhold", withhold),
    mood("claim", claim),
    mood("misprove", misprove),
    mood("contradict", contradict),
)
