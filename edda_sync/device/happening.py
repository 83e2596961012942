"""What a running device tells a person."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Happening:
    """
    Something that a person at a running device may want to see.

    Attributes:
        what: ``found`` on the LAN, ``connected``, ``lost``, ``applied`` so many changes of a peer's, proved ``equal``
            with it, ``joined`` the workspace, or ``trouble``.
        device: The peer; empty for this device's own trouble.
        count: How many changes.
        text: An address, or what the trouble is.
    """

    what: Literal["found", "connected", "lost", "applied", "equal", "joined", "trouble"]
    device: str = ""
    count: int = 0
    text: str = ""
