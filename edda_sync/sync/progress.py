"""Progress: how far apart two devices are, to be shown to people."""

from __future__ import annotations

from dataclasses import dataclass, field

from edda_sync.crdt import frontier
from edda_sync.crdt.frontier import Frontier
from edda_sync.sync.proving import Difference


@dataclass(slots=True)
class Progress:
    """What a person may want to know about a session."""

    behind: int = 0  # changes of the peer that we lack
    ahead: int = 0  # changes of ours that the peer lacks
    sent_bytes: int = 0
    rcvd_bytes: int = 0
    sent_changes: int = 0  # also those that the peer already had from others
    rcvd_changes: int = 0  # those that are applied
    proved_at: Frontier | None = None  # the frontier at which both were last proved equal
    proved: bool = False  # whether both are still at that frontier
    waiting: int = 0  # how much the peer holds but has not applied
    unread: int = 0  # how much is held here but not applied
    theirs: Frontier = field(default_factory=dict)  # what the peer said that it holds
    met: Frontier | None = None  # what the peer held when the session began; None until it has said that
    apart: frozenset[bytes] = frozenset()  # the actors whose changes differ on the two devices
    # Entities that differ although the changes are the same, until both are proved equal again.
    differing: tuple[Difference, ...] = ()

    @property
    def cannot_prove(self) -> bool:
        """
        Whether both hold the same changes, and one of them runs an older version that cannot read all of these. Nothing but
        an upgrade makes them equal then. (Two devices of one version can prove that they wait for the same.)
        """
        return self.met is not None and not (self.behind or self.ahead) and self.waiting != self.unread

    def measure(self, ours: Frontier, theirs: Frontier, expected: Frontier, unread: int) -> None:
        """
        Set how far apart the two are.

        Args:
            ours: What is held here.
            theirs: What the peer said that it holds.
            expected: What the peer holds, as far as we know.
            unread: How much is held here but not applied.
        """
        self.theirs, self.unread = theirs, unread
        self.behind = frontier.lacking(ours, theirs)
        self.ahead = frontier.lacking(expected, ours)
        self.proved = theirs == ours == self.proved_at

    def unproved(self) -> None:
        """Note that the two are no longer proved equal."""
        self.proved, self.proved_at = False, None
