"""Which backups are kept, and why each."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st

from edda_sync.backup.retention import Taken, Verdict, judge, total
from edda_sync.words.config import RetentionPolicy

NOON = datetime(2026, 11, 30, 12, tzinfo=UTC)
ZONES = [UTC, ZoneInfo("Pacific/Auckland"), ZoneInfo("America/Los_Angeles"), ZoneInfo("Europe/Berlin")]
MIB = 2**20


def daily(count: int, size: int = 1) -> list[Taken]:
    """Backups of so many days, the last one at noon of 30 November 2026."""
    return [Taken(f"{day}", NOON - timedelta(days=day), size) for day in reversed(range(count))]


def policy(keep_last: int = 0, daily: int = 0, weekly: int = 0, monthly: int = 0, yearly: int = 0) -> RetentionPolicy:
    return RetentionPolicy(keep_last=keep_last, daily=daily, weekly=weekly, monthly=monthly, yearly=yearly)


def kept(verdicts: list[Verdict]) -> list[Taken]:
    """The kept backups, the oldest first."""
    return [each.backup for each in reversed(verdicts) if each.keeps]


backups = st.lists(
    st.tuples(st.datetimes(datetime(2020, 1, 1), datetime(2030, 1, 1)), st.integers(0, 9 * MIB), st.booleans()),
    max_size=30,
).map(lambda found: [Taken(f"{n}", at.replace(tzinfo=UTC), size, all_in) for n, (at, size, all_in) in enumerate(found)])
"""In any order: clocks jump."""
counts = st.integers(0, 6)
policies = st.tuples(counts, counts, counts, counts, counts).filter(any).map(lambda found: policy(*found))
zones = st.sampled_from(ZONES)


def test_the_usual_policy_keeps_days_weeks_and_months_and_says_why() -> None:
    verdicts = judge(daily(400), RetentionPolicy(), UTC)
    assert len(kept(verdicts)) == 20
    assert verdicts[0] == Verdict(
        Taken("0", NOON, 1),
        True,
        ("one of the last 3", "the last of 2026-11-30", "the last of week 49 of 2026", "the last of 2026-11"),
    )
    assert [each.why for each in verdicts if each.backup.name == "1"] == [
        ("one of the last 3", "the last of 2026-11-29", "the last of week 48 of 2026")
    ]
    assert [each.why for each in verdicts if each.backup.name == "30"] == [("the last of 2026-10",)]
    assert [each.why for each in verdicts if each.backup.name == "31"] == [("no rule keeps it",)]


def test_the_last_one_that_was_converged_is_kept_until_there_is_a_newer_one() -> None:
    taken = [each._replace(is_converged=each.name in ("5", "7")) for each in daily(10)]
    verdicts = judge(taken, policy(keep_last=2), UTC)
    assert [(each.backup.name, each.why[0]) for each in verdicts if each.keeps] == [
        ("0", "one of the last 2"),
        ("1", "one of the last 2"),
        ("5", "the last one to which every other device was proved equal"),
    ]
    newer = [*taken, Taken("now", NOON, 1, is_converged=True)]
    assert [each.name for each in kept(judge(newer, policy(keep_last=2), UTC))] == ["0", "now"]


def test_a_year_keeps_its_last_backup() -> None:
    verdicts = judge(daily(800), policy(yearly=2), UTC)
    assert [each.why for each in verdicts if each.keeps] == [("the last of 2026",), ("the last of 2025",)]


def test_days_are_those_of_the_zone() -> None:
    late = [
        Taken("a", datetime(2026, 11, 29, 22, tzinfo=UTC), 1),
        Taken("b", datetime(2026, 11, 29, 23, 30, tzinfo=UTC), 1),
    ]
    assert len(kept(judge(late, policy(daily=2), UTC))) == 1
    assert len(kept(judge(late, policy(daily=2), ZoneInfo("Europe/Berlin")))) == 2


def test_days_without_a_backup_do_not_count() -> None:
    rare = [Taken(f"{each}", NOON - timedelta(days=90 * each), 1) for each in reversed(range(5))]
    assert [each.name for each in kept(judge(rare, policy(daily=3), UTC))] == ["2", "1", "0"]


def test_a_backup_from_the_future_does_not_outlive_those_after_it() -> None:
    jumped = [*daily(3), Taken("future", NOON + timedelta(days=9_000), 1), *daily(2)]
    assert [each.name for each in kept(judge(jumped, policy(keep_last=2), UTC))] == ["1", "0"]


def test_the_oldest_go_first_if_all_together_are_too_large() -> None:
    sized = RetentionPolicy(keep_last=0, daily=10, weekly=0, monthly=0, total_size=3 * MIB)
    verdicts = judge(daily(5, MIB), sized, UTC)
    assert [each.keeps for each in verdicts] == [True, True, True, False, False]
    assert verdicts[3].why == ("all backups together may have 3 MiB",)


def test_the_newest_is_kept_even_if_it_alone_is_too_large() -> None:
    verdicts = judge(daily(3, 9 * MIB), RetentionPolicy(total_size=MIB), UTC)
    assert [each.keeps for each in verdicts] == [True, False, False]


def test_what_backups_share_is_counted_as_the_caller_says() -> None:
    sized = RetentionPolicy(keep_last=9, total_size=5 * MIB)
    asked = []

    def size_of(some: object) -> int:
        asked.append(some)
        return 4 * MIB

    assert len(kept(judge(daily(9, 3 * MIB), sized, UTC, size_of))) == 9
    assert len(asked) <= 4, "it is asked a few times, however many backups there are"


@given(backups, policies, zones)
def test_the_newest_is_always_kept_and_every_verdict_has_a_reason(
    taken: list[Taken], wanted: RetentionPolicy, zone: ZoneInfo
) -> None:
    verdicts = judge(taken, wanted, zone)
    assert [each.backup for each in verdicts] == taken[::-1]
    assert all(each.why for each in verdicts)
    assert not verdicts or verdicts[0].keeps
    most = wanted.keep_last + wanted.daily + wanted.weekly + wanted.monthly + wanted.yearly
    assert len(kept(verdicts)) <= most
    assert len(kept(verdicts)) >= min(wanted.keep_last, len(taken))


@given(backups, policies, zones, st.integers(MIB, 60 * MIB) | st.none())
def test_what_is_kept_stays_kept_when_the_others_are_gone(
    taken: list[Taken], wanted: RetentionPolicy, zone: ZoneInfo, size: int | None
) -> None:
    wanted = wanted.changed(total_size=size)
    first = kept(judge(taken, wanted, zone))
    assert kept(judge(first, wanted, zone)) == first
    assert size is None or total(first) <= size or len(first) == 1


@given(backups, policies, zones)
def test_pruning_after_each_backup_leaves_the_same_as_pruning_once(
    taken: list[Taken], wanted: RetentionPolicy, zone: ZoneInfo
) -> None:
    there: list[Taken] = []
    for each in taken:
        there = kept(judge([*there, each], wanted, zone))
    assert there == kept(judge(taken, wanted, zone))


@given(backups, policies, zones)
def test_a_larger_policy_keeps_no_less(taken: list[Taken], wanted: RetentionPolicy, zone: ZoneInfo) -> None:
    larger = wanted.changed(keep_last=wanted.keep_last + 1, daily=wanted.daily + 2, monthly=wanted.monthly + 1)
    assert set(kept(judge(taken, wanted, zone))) <= set(kept(judge(taken, larger, zone)))
