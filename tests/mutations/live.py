"""Mutants of live queries and of the feed that they and the cache hear of changes by."""

from __future__ import annotations

from typing import Final

from tests.mutations.mutant import Mutant

MUTANTS: Final[tuple[Mutant, ...]] = (
    Mutant(
        "what is hidden is not told",
        "A task that was deleted stays in every watched list, and in the cache.",
        "store/feed.py",
        "self._note(kind, keys)",
        "pass",
        ("store/test_feed.py",),
    ),
    Mutant(
        "what is folded again is not told",
        "A late change moves others, and watched lists show them as they were.",
        "store/feed.py",
        "self._named.update(map(_named, keys))",
        "pass",
        ("store/test_feed.py",),
    ),
    Mutant(
        "too many names are dropped",
        "After a large import watched lists and caches miss most of it.",
        "store/feed.py",
        "self._named, self._everything = set(), True",
        "self._named = set()",
        ("store/test_feed.py",),
    ),
    Mutant(
        "paths that no query asks for any more are read",
        "Each change costs more, the more queries were ever watched.",
        "engine/meeting.py",
        "paths[interest[1]] -= 1",
        "pass",
        ("engine/test_meeting.py",),
    ),
    Mutant(
        "a row without a value meets nothing",
        "A list of tasks without a parent never changes.",
        "engine/answer.py",
        "if column in columns:",
        "if columns.get(column):",
        ("engine/test_answer.py",),
    ),
    Mutant(
        "a page is not filled up",
        "A limited list becomes shorter with each task that leaves it.",
        "engine/answer.py",
        "            return is_inside\n",
        "            return False\n",
        ("engine/test_answer.py",),
    ),
    Mutant(
        "any commit runs every query again",
        "A thousand watched queries take a whole core.",
        "engine/live.py",
        "if is_first or everything",
        "if True or everything",
        ("engine/test_live.py",),
    ),
    Mutant(
        "the last difference wins",
        "A program that is slow to look is told that a new task changed, and fails on its id.",
        "engine/watched.py",
        "self._before.setdefault(item_id, former)",
        "self._before[item_id] = former",
        ("engine/test_watched.py",),
    ),
    Mutant(
        "whoever waits is not woken by the end",
        "A program that watches a store hangs once it is closed.",
        "engine/watched.py",
        "self._ended = self._ended or error\n            self._wake()",
        "self._ended = self._ended or error",
        ("engine/test_watched.py", "engine/test_live.py"),
    ),
)
