from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from edda_sync.simulations.audience import Audience
from edda_sync.simulations.checker import HOOKS, Checker
from edda_sync.simulations.violation import Violation


class Noting(Checker):
    """Hears of two things only."""

    number = 99

    def __init__(self) -> None:
        self.heard: list[Any] = []

    def sent(self, device: Any, receiver: Any, frame: bytes) -> None:
        self.heard.append((device, receiver, frame))

    def ended(self) -> None:
        raise Violation(self.number, "laptop", "nothing is right")


class Listener:
    """Records what it hears."""

    def __init__(self) -> None:
        self.told: list[Any] = []

    def note(self, now: float, what: str, device: str, facts: Mapping[str, Any]) -> None:
        self.told.append((now, what, device, dict(facts)))

    def frame(self, sent: float, arrived: float, sender: str, receiver: str, frame: bytes) -> None:
        self.told.append((sent, arrived, sender, receiver, frame))

    def changed(self, now: float, device: Any) -> None:
        self.told.append((now, device))


def test_a_checker_is_called_for_the_hooks_that_it_overrides_and_its_errors_come_out() -> None:
    checker = Noting()
    audience = Audience([checker], None)
    for hook in set(HOOKS) - {"sent", "ended"}:
        audience.tell(hook, *["a fact"] * 3)
    audience.tell("sent", "laptop", "phone", b"frame")
    assert checker.heard == [("laptop", "phone", b"frame")]
    with pytest.raises(Violation, match="nothing is right"):
        audience.tell("ended")


def test_a_recorder_hears_of_everything_and_changes_no_digest() -> None:
    listener = Listener()
    digests = []
    for recorder in (listener, None):
        audience = Audience([], recorder)
        audience.note(1.5, "boot", "laptop", {"power": True})
        audience.frame(1.0, 2.0, "laptop", "phone", b"frame")
        audience.changed(2.0, "phone")  # type: ignore[arg-type]
        digests.append(audience.digest)
    assert listener.told == [
        (1.5, "boot", "laptop", {"power": True}),
        (1.0, 2.0, "laptop", "phone", b"frame"),
        (2.0, "phone"),
    ]
    assert digests[0] == digests[1]


@pytest.mark.parametrize(
    "other",
    [
        (1.0, "boot", "phone", {}),
        (2.0, "boot", "laptop", {}),
        (1.0, "crash", "laptop", {}),
        (1.0, "boot", "laptop", {"a": 1}),
    ],
)
def test_two_runs_that_differ_anywhere_have_other_digests(other: tuple[float, str, str, dict[str, Any]]) -> None:
    one, two = Audience([], None), Audience([], None)
    one.note(1.0, "boot", "laptop", {})
    two.note(*other)
    assert one.digest != two.digest


def test_the_order_of_facts_changes_no_digest() -> None:
    one, two = Audience([], None), Audience([], None)
    one.note(1.0, "boot", "laptop", {"a": 1, "b": 2})
    two.note(1.0, "boot", "laptop", {"b": 2, "a": 1})
    assert one.digest == two.digest
