"""A section is like a frozen dataclass, checks what it is given, and knows what that was."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from edda_sync.words.config import BackupConfig, CacheConfig, EvictionPolicy, RetentionPolicy, StorageConfig
from edda_sync.words.errors import SettingError
from edda_sync.words.kinds import Whole
from edda_sync.words.section import Section, section, setting, take


class Inner(Section):
    """A section within another one."""

    place = "outer.inner."
    size: int = setting(default=1, kind=Whole(0, 9), about="Its size.")


class Outer(Section):
    """A section with another one."""

    place = "outer."
    count: int = setting(default=2, kind=Whole(0, 9), about="Its count.")
    inner: Inner = section(default=Inner(), of=Inner, key="inner", about="what is inside")


def test_what_is_not_given_has_its_default() -> None:
    made = Outer(count=5)
    assert (made.count, made.inner.size) == (5, 1)
    assert made.given == {"count"}
    assert (Outer().count, Outer().given) == (2, frozenset())


def test_none_is_as_if_it_was_not_given() -> None:
    assert StorageConfig(name=None, database_path=None) == StorageConfig()
    assert StorageConfig(name=None).given == frozenset()


def test_a_value_that_is_given_counts_even_if_it_is_the_default() -> None:
    assert Outer(count=2) == Outer()
    assert Outer(count=2).given == {"count"}


def test_each_value_is_checked_at_once_and_the_error_names_the_key() -> None:
    with pytest.raises(SettingError, match=r"^outer\.inner\.size is 10, and must be a whole number from 0 to 9\.$"):
        Inner(size=10)
    with pytest.raises(SettingError, match=r"^outer\.inner must be of class Inner\.$"):
        Outer(inner=Outer())  # type: ignore[arg-type]


def test_a_field_that_does_not_exist_is_a_type_error() -> None:
    with pytest.raises(TypeError, match="CacheConfig has no field 'size'"):
        CacheConfig(size=1)  # type: ignore[call-arg]


def test_nothing_can_be_changed_afterwards() -> None:
    made = CacheConfig(max_size=1)
    with pytest.raises(AttributeError, match=r"changed\(max_size=\.\.\.\) returns another one"):
        made.max_size = 2  # type: ignore[misc]
    assert made.changed(max_size=2).max_size == 2
    assert made.max_size == 1


def test_equal_sections_are_equal_and_hash_alike() -> None:
    one, other = CacheConfig(max_size=5), CacheConfig(max_size=5)
    assert one == other
    assert hash(one) == hash(other)
    assert one != CacheConfig(max_size=6)
    assert one != Inner()
    assert len({one, other, CacheConfig()}) == 2


def test_it_shows_what_it_was_given() -> None:
    assert repr(CacheConfig(max_size=5)) == "CacheConfig(max_size=5)"
    assert repr(StorageConfig()) == "StorageConfig()"


def test_a_long_value_is_shown_short() -> None:
    with pytest.raises(SettingError) as caught:
        take("outer.count", Whole(0, 9), "x" * 500)
    assert len(str(caught.value)) < 150


@pytest.mark.parametrize(
    ("make", "why"),
    [
        (lambda: CacheConfig(eviction_policy=EvictionPolicy.TTL), "set cache.ttl"),
        (lambda: RetentionPolicy(keep_last=0, daily=0, weekly=0, monthly=0), "would keep no backup at all"),
    ],
)
def test_values_that_do_not_fit_each_other_are_refused(make: object, why: str) -> None:
    with pytest.raises(SettingError, match=why):
        make()  # type: ignore[operator]
    assert CacheConfig(eviction_policy=EvictionPolicy.TTL, ttl=timedelta(seconds=1)).ttl is not None
    assert BackupConfig(frequency=timedelta(hours=6)).frequency == timedelta(hours=6)


def test_a_relative_path_is_resolved_when_it_is_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    made = StorageConfig(database_path=Path("notes.db"))
    monkeypatch.chdir("/")
    assert made.database_path == tmp_path / "notes.db"
