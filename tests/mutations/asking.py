"""Mutants of what people type to find something: dates, spans of them, and the words of a filter."""

from __future__ import annotations

from typing import Final

from tests.mutations.mutant import Mutant

MUTANTS: Final[tuple[Mutant, ...]] = (
    Mutant(
        "friday is today",
        "A task that is put off until Friday, on a Friday, is due at once.",
        "words/dates.py",
        "((weekday - today.weekday() - 1) % 7 + 1)",
        "((weekday - today.weekday()) % 7)",
        ("words/test_dates.py",),
    ),
    Mutant(
        "midnight is a day",
        "What is due at midnight of Greenwich is due on a day anywhere.",
        "words/dates.py",
        "        moment += _MILLISECOND\n",
        "        pass\n",
        ("words/test_dates.py",),
    ),
    Mutant(
        "a day is over when it begins",
        "What is due today is overdue in the morning.",
        "words/dates.py",
        "return when.day < clock.today if",
        "return when.day <= clock.today if",
        ("words/test_dates.py",),
    ),
    Mutant(
        "a time without a zone is Greenwich's",
        "2026-03-01T10:00 is another time than 10:00 of that day.",
        "words/dates.py",
        "moment = clock.placed(moment) if moment.tzinfo is None else moment.astimezone(datetime.UTC)",
        "moment = moment.replace(tzinfo=moment.tzinfo or datetime.UTC).astimezone(datetime.UTC)",
        ("words/test_dates.py",),
    ),
    Mutant(
        "10:00 of this morning",
        "A time that has passed is taken for today's, and the task is overdue when it is made.",
        "words/dates.py",
        "        if moment <= clock.now:\n",
        "        if moment > clock.now:\n",
        ("words/test_dates.py",),
    ),
    Mutant(
        "the last condition wins",
        "due:week due.before:friday shows what is due on Sunday.",
        "words/filters.py",
        "span if found.due is None else spans.both(found.due, span, clock)",
        "span",
        ("words/test_filters.py",),
    ),
    Mutant(
        "after a day begins with it",
        "due.after:friday shows what is due on Friday.",
        "words/filters.py",
        "spans.since(spans.behind(dates.read(field, value, clock)))",
        "spans.since(dates.read(field, value, clock))",
        ("words/test_filters.py",),
    ),
    Mutant(
        "a range ends before its end",
        "priority:0-2 leaves out what has priority 2.",
        "words/filters.py",
        "found += range(int(low), int(high) + 1)",
        "found += range(int(low), int(high) or 1)",
        ("words/test_filters.py",),
    ),
    Mutant(
        "a dash looks for the tag",
        "-work shows what carries the tag, and hides all else.",
        "words/filters.py",
        'else f"no-tag:{word[1:]}"',
        'else f"tag:{word[1:]}"',
        ("words/test_filters.py",),
    ),
    Mutant(
        "a wrong clock leads the list",
        "One task of a device whose clock is years ahead is the first of the latest for years.",
        "words/query.py",
        "    return plan._replace(ahead=values.time_of(int((now() + limits.FUTURE_S) * 1000)))\n",
        "    return plan\n",
        ("words/test_ahead.py",),
    ),
)
