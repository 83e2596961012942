"""What a running device tells a person."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Happening:
    """
    Something that a person at a running device may want to see.

    Attributes:
        what: ``found`` on the LAN, ``connected``, ``lost``, changes of a peer ``applied``, proved ``equal``, ``joined`` the
            workspace, attached ``files`` came, a ``backup`` was made, or ``trouble``.
        device: The peer; empty for this device's own trouble.
        count: The number of changes, or of files.
        text: An address, why a link is lost, the size of what came, or a description of the trouble.
    """

    what: Literal["found", "connected", "lost", "applied", "equal", "joined", "files", "backup", "trouble"]
    device: str = ""
    count: int = 0
    text: str = ""
