"""The change that is being folded: who wrote it, when, and what it had seen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from edda_sync.crdt.frontier import Dot, Frontier


class Current:
    """
    A change, as its operations are folded.

    Attributes:
        actor, seq: Its dot.
        wall_ms: Its wall time in milliseconds.
        deps: All that it depends on, its actor's previous change included.
        past: That, and the change itself.
        position: Where it stands in the log.
        author: The public key of its device.
        void: Whether evidence takes it out.
        chain: The names of the author's chain, from the actor down.
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
        """Actor and number."""
        return self.actor, self.seq


NO_CHANGE = Current((b"", 0), 0, {}, 0, b"", ())
"""Stands where no change was begun."""
