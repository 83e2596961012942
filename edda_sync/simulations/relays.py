"""Moods of a liar as a relay: it announces changes and never gives them, shows false heads, or names others falsely."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import msgspec

from edda_sync.changes.change import decode_header
from edda_sync.simulations.far import FAR
from edda_sync.simulations.liars import Liar
from edda_sync.simulations.moods import mood
from edda_sync.simulations.tape import Draws
from edda_sync.sync.messages import Ack, Announce, Changes, Message, Part, Pull, Shown
from edda_sync.sync.relaying import short_name


def stall(draws: Draws, liar: Liar) -> Callable[[Message], Message | None]:
    """It announces changes of others and never gives them; or it pulls everything again and again."""
    pulls = draws.chance("pulls", 30)

    def change(message: Message) -> Message | None:
        if pulls:
            return Pull() if isinstance(message, Announce) else message
        if not isinstance(message, (Changes, Part)):
            return message
        head = liar.chain()
        own = b"" if head is None else head.actor
        if isinstance(message, Part):
            return message if message.actor == own else None
        is_own = all(decode_header(raw).actor == own for raw, _ in message.changes)
        return message if is_own else None

    return change


def show(draws: Draws, liar: Liar) -> Callable[[Message], Message | None]:
    """It announces changes that nobody has, with signed heads that their author did not sign."""
    own = draws.chance("signs them itself", 50)

    def change(message: Message) -> Message | None:
        if isinstance(message, Ack) and message.moved:
            return msgspec.structs.replace(message, moved=tuple((actor, FAR) for actor, _ in message.moved))
        if isinstance(message, Announce):
            signature = liar.identity.sign(b"nothing") if own else bytes(64)
            heads = tuple(Shown(each.name, FAR, each.hash[::-1], signature) for each in message.heads)
            return msgspec.structs.replace(message, heads=heads)
        return message

    return change


def misname(draws: Draws, liar: Liar) -> Callable[[Message], Message | None]:
    """It says that it pushed its changes to everybody, to nobody, or to nonexistent devices; and its seals are false."""
    names = b"".join(sorted({short_name(device.id) for device in liar.sim.devices})) if draws.chance("all", 70) else b""
    seals = draws.chance("seals", 50)

    def change(message: Message) -> Message | None:
        if not isinstance(message, Changes):
            return message
        seal = bytes(reversed(message.seal)) if seals else message.seal
        return msgspec.structs.replace(message, pushed=names, seal=seal)

    return change


ACTIONS: Final = (mood("stall", stall), mood("show", show), mood("misname", misname))
