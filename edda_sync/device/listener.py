"""What a running device tells a person, and the program's own function that is told."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from edda_sync.words.errors import CallbackError


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


class Listener:
    """
    Tells somebody else's function what happens. Once the function has raised something, it is told nothing more: it runs
    in the midst of the device's own steps, none of which may end over it.

    Args:
        tell: The function.
        on_broken: Called once, with what to say of the function.
    """

    def __init__(self, tell: Callable[[Happening], None], on_broken: Callable[[CallbackError], None]) -> None:
        self._tell: Callable[[Happening], None] | None = tell
        self._on_broken = on_broken

    def __call__(self, happening: Happening) -> None:
        """Tell it."""
        if self._tell is None:
            return
        try:
            self._tell(happening)
        except (KeyboardInterrupt, SystemExit, GeneratorExit, asyncio.CancelledError):
            raise  # not its own
        except BaseException as raised:  # noqa: BLE001 - a panic of native code is no Exception
            self._tell = None
            self._on_broken(CallbackError(raised))
