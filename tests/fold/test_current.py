"""The change that is being folded."""

from __future__ import annotations

from edda_sync.fold.current import NO_CHANGE, Current

ACTOR, OTHER = b"a" * 16, b"b" * 16


def test_a_change_has_seen_what_it_depends_on_and_itself() -> None:
    deps = {ACTOR: 3, OTHER: 7}
    change = Current((ACTOR, 4), 1_000, deps, 12, b"key", (ACTOR,))
    assert change.dot == (ACTOR, 4)
    assert change.past == {ACTOR: 4, OTHER: 7}
    assert deps == {ACTOR: 3, OTHER: 7}, "it does not change its dependencies"


def test_without_a_change_nothing_of_any_actor_was_seen() -> None:
    assert NO_CHANGE.past == {b"": 0}
    assert not NO_CHANGE.void
