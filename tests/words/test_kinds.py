"""Each kind of setting takes what a program, TOML or a person gives, and refuses the rest by saying what it wants."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from edda_sync.words import kinds
from edda_sync.words.config import BackupFrequency, EncryptionAlgorithm, EvictionPolicy
from edda_sync.words.kinds import Choice, Duration, Flag, Interval, Kind, Line, Location, Size, Whole

WHOLE, SIZE, DURATION = Whole(1, 64), Size(0, 2**40), Duration(1.0, 86_400.0)
CHOICE, FLAG, LOCATION, LINE = Choice(EvictionPolicy), Flag(), Location(), Line()
INTERVAL = Interval(BackupFrequency, DURATION)
HOUR = timedelta(hours=1)


@pytest.mark.parametrize(
    ("kind", "given", "taken"),
    [
        (WHOLE, 1, 1), (WHOLE, 64, 64), (SIZE, 0, 0), (SIZE, "64 MB", 64_000_000), (DURATION, HOUR, HOUR),
        (DURATION, 1, timedelta(seconds=1)), (DURATION, 1.5, timedelta(seconds=1.5)), (DURATION, "1 hour", HOUR),
        (CHOICE, "lru", EvictionPolicy.LRU), (CHOICE, EvictionPolicy.TTL, EvictionPolicy.TTL), (FLAG, True, True),
        (LOCATION, "a/b", Path("a/b")), (LOCATION, Path("/a"), Path("/a")), (LINE, "Ann's phone", "Ann's phone"),
        (INTERVAL, "weekly", BackupFrequency.WEEKLY), (INTERVAL, "1 hour", HOUR), (INTERVAL, HOUR, HOUR),
        (INTERVAL, 3_600, HOUR),
    ],
)  # fmt: skip
def test_a_value_is_taken_from_a_program_or_from_toml(kind: Kind, given: Any, taken: Any) -> None:
    assert kind.take(given) == taken
    assert type(kind.take(given)) is type(taken)


BAD: list[tuple[Kind, list[Any]]] = [
    (WHOLE, [0, 65, -1, True, 1.0, "1", None, [1]]),
    (SIZE, [-1, 2**40 + 1, True, 1.5, "1 parsec", "64 MB of memory", None]),
    (DURATION, [0, 86_401, True, "1 month", timedelta(days=2), float("nan"), float("inf"), -1, None, "2 days"]),
    (CHOICE, ["LRU", "", 1, None, "lruu"]),
    (FLAG, [1, 0, "true", None]),
    (LOCATION, ["", "a\0b", "\ud800", 1, None, b"a"]),
    (LINE, ["", " ", "a\nb", "x" * 201, 1, None, "\udcff"]),
    (INTERVAL, ["hourly", "", 0, "2 days", True, None]),
]


@pytest.mark.parametrize(("kind", "given"), [(kind, each) for kind, values in BAD for each in values])
def test_what_does_not_fit_is_refused(kind: Kind, given: Any) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - its text is completed by the caller
        kind.take(given)


def test_every_kind_is_tried_here() -> None:
    made = {each for each in vars(kinds).values() if isinstance(each, type) and hasattr(each, "take")} - {Kind}
    assert {type(kind) for kind, _ in BAD} == made


@pytest.mark.parametrize(
    ("kind", "typed", "parsed"),
    [
        (WHOLE, " 8 ", 8), (WHOLE, "-8", -8), (WHOLE, "many", "many"), (WHOLE, "9" * 30, "9" * 30), (SIZE, "64 MB", "64 MB"),
        (SIZE, "64", 64), (DURATION, "30", "30"), (CHOICE, " LRU ", "lru"), (FLAG, "Yes", True), (FLAG, "off", False),
        (FLAG, "maybe", "maybe"), (LOCATION, "a b", "a b"), (LINE, " x", " x"), (INTERVAL, "Weekly", "weekly"),
    ],
)  # fmt: skip
def test_what_a_person_types_becomes_what_toml_would_have(kind: Kind, typed: str, parsed: Any) -> None:
    assert kind.parse(typed) == parsed


@pytest.mark.parametrize(
    ("kind", "value", "text", "plain"),
    [
        (WHOLE, 8, "8", 8), (SIZE, 64_000_000, "64 MB", 64_000_000), (DURATION, HOUR, "1 hour", 3_600.0),
        (CHOICE, EvictionPolicy.LRU, "lru", "lru"), (FLAG, True, "true", True), (LOCATION, Path("/a"), "/a", "/a"),
        (LINE, "x", "x", "x"), (INTERVAL, BackupFrequency.DAILY, "daily", "daily"), (INTERVAL, HOUR, "1 hour", 3_600.0),
    ],
)  # fmt: skip
def test_a_value_is_shown_as_it_is_typed_and_as_json_has_it(kind: Kind, value: Any, text: str, plain: Any) -> None:
    assert kind.take(kind.parse(kind.text(value))) == value
    assert (kind.text(value), kind.plain(value)) == (text, plain)


def test_a_mistyped_choice_names_the_nearest_one() -> None:
    with pytest.raises(ValueError, match=r"^lru, lfu, fifo or ttl; did you mean fifo\?$"):
        CHOICE.take("fif0")
    with pytest.raises(ValueError, match=r"^lru, lfu, fifo or ttl$"):
        CHOICE.take("random")
    for typed, meant in (("aes", "aes-256-gcm"), ("XCHACHA", "xchacha20-poly1305"), ("chacha", "chacha20-poly1305")):
        with pytest.raises(ValueError, match=f"; did you mean {meant}"):
            Choice(EncryptionAlgorithm).take(typed)
    for typed in ("", "poly"):
        with pytest.raises(ValueError, match=r"poly1305$"):
            Choice(EncryptionAlgorithm).take(typed)
