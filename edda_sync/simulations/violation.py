"""What a run found: an invariant that does not hold."""

from __future__ import annotations


class Violation(Exception):  # noqa: N818 - it is the result of a run, not an error of the simulator
    """
    An invariant does not hold.

    Attributes:
        number: The invariant's number in docs/simulations.md.
        device: The device where it does not hold.
        text: What was seen.
    """

    def __init__(self, number: int, device: str, text: str) -> None:
        self.number, self.device, self.text = number, device, text
        super().__init__(f"invariant {number} does not hold at {device}: {text}")
