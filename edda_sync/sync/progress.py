"""Progress: how far apart two devices are, for whoever wants to know."""

from __future__ import annotations

from dataclasses import dataclass, field

from edda_sync.crdt import frontier
from edda_sync.crdt.frontier import Frontier
from edda_sync.sync.proving import Difference


@dataclass(slots=True)
class Progress:
    """What a person may want to know of a session."""

    behind: int = 0  # changes that we lack of the peer's
    ahead: int = 0  # changes that the peer lacks of ours
    sent_bytes: int = 0
    rcvd_bytes: int = 0
    proved_at: Frontier | None = None  # the frontier at which both were last proved equal
    proved: bool = False  # whether that is where both still are
    waiting: int = 0  # held but not applied at the peer
    theirs: Frontier = field(default_factory=dict)  # what the peer said that it holds
    apart: frozenset[bytes] = frozenset()  # actors of whom the two hold different changes
    # Entities that differ where the changes are the same, and were not proved equal since.
    differing: tuple[Difference, ...] = ()

    def measure(self, ours: Frontier, theirs: Frontier, expected: Frontier) -> None:
        """
        Say how far apart the two are.

        Args:
            ours: What is here.
            theirs: What the peer said that it holds.
            expected: What it holds for all that is known.
        """
        self.theirs = theirs
        self.behind = frontier.lacking(ours, theirs)
        self.ahead = frontier.lacking(expected, ours)
        self.proved = theirs == ours == self.proved_at

    def unproved(self) -> None:
        """Note that nothing is proved any more."""
        self.proved, self.proved_at = False, None
