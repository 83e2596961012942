"""A mood: a liar claims to hold more changes than anybody will ever make, also of an actor that does not exist."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import msgspec

from edda_sync.simulations.liars import Liar
from edda_sync.simulations.moods import mood
from edda_sync.simulations.tape import Draws
from edda_sync.sync.messages import Ack, Hello, Message, Summary

FAR: Final = 1 << 47
NOBODY: Final = b"\xff" * 16  # an actor that does not exist


def overclaim(draws: Draws, liar: Liar) -> Callable[[Message], Message | None]:
    """It says that it holds 2^47 changes of each actor, and as many of an actor that does not exist."""
    del liar
    strange = draws.chance("strange", 50)

    def change(message: Message) -> Message | None:
        if isinstance(message, Hello):
            heads = [Summary(each.actor, FAR, each.hash) for each in message.heads]
            if strange and not message.more:
                heads.append(Summary(NOBODY, FAR, bytes(16)))
            return msgspec.structs.replace(message, heads=tuple(heads))
        if isinstance(message, Ack):
            moved = tuple((actor, FAR) for actor, _ in message.moved)
            return msgspec.structs.replace(message, moved=(*moved, (NOBODY, FAR)) if strange else moved)
        return message

    return change


ACTIONS: Final = (mood("overclaim", overclaim),)
