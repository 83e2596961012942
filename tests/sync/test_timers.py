"""Timers: each timer is due once, at the earliest time that was set."""

from __future__ import annotations

from edda_sync.sync.timers import Timers


def test_what_is_due_is_returned_once_and_in_order() -> None:
    timers = Timers()
    timers.at("later", 2.0)
    timers.at("soon", 1.0)
    assert timers.next() == 1.0
    assert timers.take(0.9) == []
    assert timers.take(2.0) == ["later", "soon"]
    assert timers.take(9.0) == []
    assert timers.next() is None


def test_a_thing_is_due_when_it_is_due_first() -> None:
    timers = Timers()
    timers.at("it", 2.0)
    timers.at("it", 3.0)
    assert timers.next() == 2.0
    timers.at("it", 1.0)
    assert timers.next() == 1.0


def test_what_was_stopped_is_not_due() -> None:
    timers = Timers()
    timers.at("it", 1.0)
    assert "it" in timers
    timers.stop("it")
    timers.stop("never begun")
    assert "it" not in timers
    assert timers.take(9.0) == []
