from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from edda_sync.simulations.checker import HOOKS, Checker, overrides
from edda_sync.simulations.violation import Violation


class Watching(Checker):
    """Overrides one hook."""

    number = 7

    def healed(self) -> None:
        """Hear of the second act."""


class Heir(Watching):
    """Overrides what its parent does."""


def test_the_hooks_are_the_methods_of_a_checker() -> None:
    assert set(HOOKS) == {name for name in vars(Checker) if not name.startswith("_")} - {"number", "fail"}


@pytest.mark.parametrize("kind", [Watching, Heir])
def test_a_checker_is_told_of_what_it_overrides_or_inherits(kind: type[Checker]) -> None:
    assert [hook for hook in HOOKS if overrides(kind, hook)] == ["healed"]


def test_a_failure_names_the_invariant_and_the_device() -> None:
    sim: Any = None
    device: Any = SimpleNamespace(name="phone")
    with pytest.raises(Violation, match="invariant 7 does not hold at phone: two of them"):
        Watching(sim).fail(device, "two of them")
