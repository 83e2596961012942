"""
Which backups are kept, and why each.

Backups are judged in the order in which they were taken, the newest first, and never in the order of their times: a
clock that was years ahead would otherwise let one backup outlive all later ones. Times say only in which day, week,
month and year a backup was taken. *The last seven days* are the last seven days of which there is a backup, not the
last seven of the calendar: a device that was off for a month keeps what it had.

The last backup to which every other device was proved equal is kept, too: later ones may lack what those wrote.

So the newest backup is always kept; what was kept stays kept when the others are gone; and it does not matter whether
one prunes after each backup or once at the end.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, tzinfo
from typing import Final, NamedTuple

from edda_sync.words import units
from edda_sync.words.config import RetentionPolicy


class Taken(NamedTuple):
    """
    A backup that was taken.

    Attributes:
        name: What it is called.
        at: When it was taken, with a time zone.
        size: Its size at the target in bytes.
        is_converged: Whether every other device was proved equal to it.
    """

    name: str
    at: datetime
    size: int
    is_converged: bool = False


class Verdict(NamedTuple):
    """
    Whether a backup is kept, and why.

    Attributes:
        backup: The backup.
        keeps: Whether it is kept.
        why: Each rule that keeps it, such as ``the last of 2026-11``; otherwise the one reason why it goes.
    """

    backup: Taken
    keeps: bool
    why: tuple[str, ...]


def total(backups: Sequence[Taken]) -> int:
    """Return the size of some backups, if none shares anything with another."""
    return sum(each.size for each in backups)


def judge(
    backups: Sequence[Taken],
    policy: RetentionPolicy,
    zone: tzinfo | None,
    size_of: Callable[[Sequence[Taken]], int] = total,
) -> list[Verdict]:
    """
    Say of each backup whether it is kept. Delete the others.

    Args:
        backups: In the order in which they were taken, the oldest first.
        policy: How many are kept.
        zone: In which days, weeks and months are counted; None for that of this machine, with its summer time.
        size_of: Returns the size of some backups together, in bytes. More backups may not be smaller. Backups that share
            objects need a function that counts each object once.

    Returns:
        A verdict for each backup, the newest first.
    """
    verdicts = _by_time(backups, policy, zone)
    if policy.total_size is None:
        return verdicts
    kept = [each.backup for each in verdicts if each.keeps]
    fitting = _fitting(kept, policy.total_size, size_of)
    beyond = f"all backups together may have {units.size_text(policy.total_size)}"
    judged, count = [], 0
    for each in verdicts:
        count += each.keeps
        judged.append(Verdict(each.backup, False, (beyond,)) if each.keeps and count > fitting else each)
    return judged


def _by_time(backups: Sequence[Taken], policy: RetentionPolicy, zone: tzinfo | None) -> list[Verdict]:
    seen: list[set[str]] = [set() for _ in _PERIODS]
    limits = (policy.daily, policy.weekly, policy.monthly, policy.yearly)
    verdicts = []
    converged = next((each for each in reversed(backups) if each.is_converged), None)
    for rank, backup in enumerate(reversed(backups)):
        why = [_one_of_the_last(policy.keep_last)] if rank < policy.keep_last else []
        local = backup.at.astimezone(zone)
        for period, names, limit in zip(_PERIODS, seen, limits, strict=True):
            name = period(local)
            if name not in names and len(names) < limit:
                names.add(name)
                why.append(f"the last of {name}")
        if backup is converged and rank:  # the newest needs no such reason
            why.append("the last one to which every other device was proved equal")
        verdicts.append(Verdict(backup, bool(why), tuple(why) or ("no rule keeps it",)))
    return verdicts


def _one_of_the_last(count: int) -> str:
    return "the last one" if count == 1 else f"one of the last {count:,}"


def _fitting(kept: Sequence[Taken], most: int, size_of: Callable[[Sequence[Taken]], int]) -> int:
    """Return how many of the newest backups fit: at least one."""
    least, beyond = 1, len(kept) + 1
    while beyond - least > 1:
        middle = (least + beyond) // 2
        if size_of(kept[:middle]) <= most:
            least = middle
        else:
            beyond = middle
    return least


def _day(local: datetime) -> str:
    return local.date().isoformat()


def _week(local: datetime) -> str:
    year, week, _ = local.isocalendar()
    return f"week {week} of {year}"


def _month(local: datetime) -> str:
    return local.date().isoformat()[:7]


def _year(local: datetime) -> str:
    return local.date().isoformat()[:4]


_PERIODS: Final[tuple[Callable[[datetime], str], ...]] = (_day, _week, _month, _year)
