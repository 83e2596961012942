"""The change that is being folded: its author, its time, and what it had seen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from edda_sync.crdt.frontier import Dot, Frontier


class Current:
    """
    The change whose operations are being folded.

    Attributes:
        actor, seq: Its dot.
        wall_ms: Its wall time in milliseconds.
        deps: Everything that it depends on, with its actor's previous change.
        past: The same, and the change itself.
        position: Its position in the log.
        author: The public key of its device.
        void: Whether evidence removes its effect.
        chain: The names of its author's chain, from the actor on.
    """

    __slots__ = ("actor", "author", "chain", "deps", "past", "position", "seq", "void", "wall_ms")

    def __init__(
        self,
        dot: Dot,
        wall_ms: int,
        deps: Mapping[bytes, int],
        position: int,
        author: bytes,
        chain: Sequence[bytes],
        *,
        void: bool = False,
    ) -> None:
        self.actor, self.seq = dot
        self.wall_ms, self.position, self.author, self.chain, self.void = wall_ms, position, author, chain, void
        self.deps = deps
        self.past: Frontier = {**deps, self.actor: self.seq}

    @property
    def dot(self) -> Dot:
        """Its actor and seq."""
        return self.actor, self.seq


NO_CHANGE = Current((b"", 0), 0, {}, 0, b"", ())
"""Stands for the change before any was begun."""
