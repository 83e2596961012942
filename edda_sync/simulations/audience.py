"""The audience of a run: the checkers, a recorder, and the digest that distinguishes two runs."""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

from edda_sync.simulations.checker import HOOKS, Checker, overrides

if TYPE_CHECKING:
    from edda_sync.simulations.device import SimulatedDevice
    from edda_sync.simulations.protocols import Recorder


class Audience:
    """
    Passes on everything that happens.

    Args:
        checkers: What must hold; each is told only the events whose methods it overrides.
        recorder: Also listens, for a picture or a trace.
    """

    def __init__(self, checkers: Iterable[Checker], recorder: Recorder | None) -> None:
        made = list(checkers)
        self._hear = {hook: [getattr(each, hook) for each in made if overrides(type(each), hook)] for hook in HOOKS}
        self._recorder = recorder
        self._digest = blake2b(digest_size=16)

    @property
    def digest(self) -> str:
        """A digest of everything that happened so far."""
        return self._digest.hexdigest()

    def tell(self, hook: str, *facts: Any, **more: Any) -> None:
        """Tell the checkers one of :data:`~edda_sync.simulations.checker.HOOKS`."""
        for told in self._hear[hook]:
            told(*facts, **more)

    def note(self, now: float, what: str, name: str, facts: dict[str, Any]) -> None:
        """Record what happens at a device, given by name."""
        self._digest.update(f"{now:.6f} {what} {name} {sorted(facts.items())}\n".encode())
        if self._recorder is not None:
            self._recorder.note(now, what, name, facts)

    def frame(self, sent: float, now: float, sender: str, receiver: str, frame: bytes) -> None:
        """Record a frame that is about to be received."""
        self._digest.update(b"%.6f %s %s " % (now, sender.encode(), receiver.encode()))
        self._digest.update(frame)
        if self._recorder is not None:
            self._recorder.frame(sent, now, sender, receiver, frame)

    def changed(self, now: float, device: SimulatedDevice) -> None:
        """Let the recorder look at an honest device whose store was written to, or that has just started."""
        if self._recorder is not None:
            self._recorder.changed(now, device)
