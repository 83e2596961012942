"""Moods: what a liar does to its true frames for a while. It withholds, claims and contradicts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import msgspec

from edda_sync import limits
from edda_sync.sync.messages import Ack, Changes, Hello, Message, Part, Summary
from simulations.faults import FOR_S, Mishap
from simulations.liars import FAR, Liar, liar_of
from simulations.simulator import Simulation
from simulations.tape import Draws


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
        if draws.chance("anew", 50):  # what it says first matters most
            for link in sim.network.links_of(liar):
                liar.disconnected_silently(link)

    do.__doc__ = change.__doc__
    return Mishap(name, "liars", 1, do)


def withhold(draws: Draws, liar: Liar) -> Callable[[Message], Message | None]:
    """It sends every other change, or none, or does not say what it got."""
    del liar
    how = draws.pick("withholds", ("every other change", "changes", "acks", "parts"))

    def change(message: Message) -> Message | None:
        if how == "every other change" and isinstance(message, Changes):
            return msgspec.structs.replace(message, changes=message.changes[::2])
        kinds: dict[str, type[Message]] = {"changes": Changes, "acks": Ack, "parts": Part}
        return None if how in kinds and isinstance(message, kinds[how]) else message

    return change


def claim(draws: Draws, liar: Liar) -> Callable[[Message], Message | None]:
    """It says that it holds what it does not, holds nothing, or has dealt with what it was never sent."""
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
                held = tuple((actor, seq + far) for actor, seq in message.frontier)
                return msgspec.structs.replace(message, frontier=held)
            if how == "nothing" and not message.again:  # with it, two would go round and round at no cost of time
                return msgspec.structs.replace(message, frontier=())
            if how == "frames":
                return msgspec.structs.replace(message, frames=message.frames + far)
            return msgspec.structs.replace(message, waiting=far)
        return message

    del liar
    return change


def misdigest(draws: Draws, liar: Liar) -> Callable[[Message], Message | None]:
    """It says that its content differs."""
    del liar
    false = f"{draws.draw('digest', 1 << 30):032x}"

    def change(message: Message) -> Message | None:
        if isinstance(message, Ack) and message.digest:
            return msgspec.structs.replace(message, digest=false)
        return message

    return change


def contradict(draws: Draws, liar: Liar) -> Callable[[Message], Message | None]:
    """Its hello is another device's, of another workspace or version, or names other hashes: a fork that is none."""
    how = draws.pick("hello", ("device", "workspace", "version", "hashes", "wishes", "order"))

    def change(message: Message) -> Message | None:
        if not isinstance(message, Hello):
            return message
        if how == "hashes":
            heads = tuple(Summary(each.actor, each.seq, each.hash[::-1]) for each in message.heads)
            return msgspec.structs.replace(message, heads=heads)
        others: dict[str, dict[str, Any]] = {
            "device": {"device": "a" * len(liar.id)},
            "workspace": {"workspace": bytes(16)},
            "version": {"protocol": (limits.PROTOCOL_VERSION + 1, limits.PROTOCOL_VERSION + 1)},
            "wishes": {"wanted": ((1, 1, b"", -1), (0, 0, bytes(32), 1 << 40))},
            "order": {"heads": message.heads[::-1] + message.heads},
        }
        return msgspec.structs.replace(message, **others[how])

    return change


ACTIONS: Final = (
    mood("withhold", withhold),
    mood("claim", claim),
    mood("misdigest", misdigest),
    mood("contradict", contradict),
)
