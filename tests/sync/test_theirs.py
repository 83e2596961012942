"""Theirs: what a peer says and sends counts as held by it, and no claim makes memory grow without limit."""

from __future__ import annotations

import pytest

from edda_sync.sync.taking import Taken
from edda_sync.sync.theirs import Theirs, is_kept
from edda_sync.words import limits

A, B, C = b"a" * 16, b"b" * 16, b"c" * 16


def test_whoever_sends_a_change_has_it_and_all_before_it() -> None:
    theirs = Theirs()
    theirs.introduced({A: 2})
    theirs.sent(Taken(1, held=((A, 5), (B, 1))), {A: 5, B: 1}, frozenset())
    assert theirs.held == {A: 5, B: 1}
    theirs.sent(Taken(0, held=((A, 3),)), {A: 5, B: 1}, frozenset())
    assert theirs.held == {A: 5, B: 1}


def test_whoever_sends_a_change_that_comes_too_early_has_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """It was sent back to it when it came from another peer; found by seed 1383454. Names without number are not kept."""
    monkeypatch.setattr(limits, "CLAIMS_MAX", 2)
    theirs = Theirs()
    theirs.sent(Taken(0, held=((B, 1),), early=True), {A: 5}, frozenset())
    assert theirs.held == {B: 1}
    theirs.sent(Taken(0, held=tuple((bytes([number]) * 16, 1) for number in range(50))), {A: 5}, frozenset())
    assert len(theirs.held) == 3


def test_of_an_actor_of_whom_it_has_other_changes_what_it_sends_says_nothing() -> None:
    theirs = Theirs()
    theirs.sent(Taken(0, held=((A, 5),)), {A: 5}, frozenset((A,)))
    assert theirs.held == {}


def test_a_name_of_which_it_sent_what_is_not_here_is_remembered_until_it_says_all_anew() -> None:
    theirs = Theirs()
    theirs.sent(Taken(0, held=((A, 5),)), {A: 4}, frozenset())
    assert theirs.is_unnamed(A)
    theirs.introduced({})
    assert not theirs.is_unnamed(A)


def test_what_it_claims_of_actors_that_are_not_here_is_kept_of_some(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "CLAIMS_MAX", 2)
    theirs = Theirs()
    theirs.acknowledged(tuple((bytes([number]) * 16, 1) for number in range(50)), {A: 1})
    theirs.acknowledged(((A, 1),), {A: 1})
    assert len(theirs.held) == 4
    assert theirs.held[A] == 1
    assert is_kept(A, range(1_000), {A: 1})
    assert not is_kept(C, range(1_000), {A: 1})
