"""The simulated place for backups keeps what a target promises, and breaks it only where it is told to."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from edda_sync.simulations.place import Answer, Place
from edda_sync.words.errors import InvalidValueError, NoObjectError, TargetError


def place() -> tuple[Place, list[tuple[float, Callable[[], None]]]]:
    """A place, and what it plans."""
    planned: list[tuple[float, Callable[[], None]]] = []
    return Place(lambda: 1_000.0, lambda delay_s, work: planned.append((delay_s, work))), planned


def test_what_was_written_is_there_and_listed_in_order() -> None:
    there, _ = place()
    for key in ("a/2", "a/1", "b/1"):
        there.put(key, key.encode())
    assert there.get("a/1") == b"a/1"
    assert [(each.key, each.size, each.modified_s) for each in there.list("a/")] == [
        ("a/1", 3, 1_000.0),
        ("a/2", 3, 1_000.0),
    ]
    assert [each.key for each in there.list("a/", "a/1")] == ["a/2"]
    there.delete("a/1")
    there.delete("a/1")
    with pytest.raises(NoObjectError):
        there.get("a/1")
    with pytest.raises(InvalidValueError):
        there.put("../x", b"")


@pytest.mark.parametrize(
    ("answer", "left", "later"),
    [
        (Answer.LOST, None, None),
        (Answer.KEPT, b"data", b"data"),
        (Answer.TORN, b"da", b"da"),
        (Answer.LATE, None, b"data"),
    ],
)
def test_a_writing_that_fails_leaves_what_it_is_told_to(
    answer: Answer, left: bytes | None, later: bytes | None
) -> None:
    there, planned = place()
    there.calls_left, there.answer, there.late_s = 1, answer, 7.0
    there.put("a/1", b"whole")
    with pytest.raises(TargetError, match="does not answer"):
        there.put("a/2", b"data")
    assert (there.objects["a/2"].data if "a/2" in there.objects else None) == left
    for delay_s, work in planned:
        assert delay_s == 7.0
        work()
    there.mend()
    assert (there.objects["a/2"].data if "a/2" in there.objects else None) == later
    assert there.get("a/1") == b"whole"


def test_a_place_that_is_full_or_away_refuses_and_keeps_what_it_has() -> None:
    there, _ = place()
    there.put("a/1", b"x")
    there.full = True
    with pytest.raises(TargetError, match="no space"):
        there.put("a/2", b"y")
    assert there.get("a/1") == b"x"
    there.away = True
    for call in (lambda: there.get("a/1"), lambda: list(there.list("a/")), lambda: there.delete("a/1")):
        with pytest.raises(TargetError):
            call()
    there.mend()
    assert [each.key for each in there.list("a/")] == ["a/1"]


def test_what_it_loses_or_damages_is_known() -> None:
    there, _ = place()
    for key in ("a/1", "a/2", "a/3"):
        there.put(key, b"data")
    there.lose("a/1")
    there.damage("a/2", 9)
    assert there.harmed == {"a/1", "a/2"}
    assert there.objects["a/2"].data != b"data"
    assert [each.key for each in there.quiet().list("a/")] == ["a/2", "a/3"]


def test_others_act_between_two_calls_once_and_power_may_fail_around_each() -> None:
    there, _ = place()
    points, acted = [], []
    reached = there.reached(lambda: points.append(1))
    there.meanwhile = 1, lambda: acted.append(len(there.objects))
    for key in ("a/1", "a/2", "a/3"):
        reached.put(key, b"x")
    assert acted == [1]
    assert len(points) == 6
    assert reached.get("a/1") == b"x"
    assert len(list(reached.list("a/"))) == 3
    reached.delete("a/1")
    assert len(points) == 10
