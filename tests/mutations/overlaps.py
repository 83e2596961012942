"""Mutants of overlaps in texts: which places are listed, what each side made of them, and what settles one."""

from __future__ import annotations

from typing import Final

from tests.mutations.mutant import Mutant

TESTS: Final = ("crdt/text/test_overlaps.py", "test_merging.py")
MUTANTS: Final[tuple[Mutant, ...]] = (
    Mutant(
        "any of the sides settles",
        "Who goes on typing at a place without having seen the other reading takes it off the list.",
        "crdt/text/overlaps.py",
        "            if len(known) == 1:\n                followers",
        "            if not known:\n                followers",
        TESTS,
    ),
    Mutant(
        "a reading has what the other side wrote",
        "Both readings of a place show a mixture that nobody wrote.",
        "crdt/text/readings.py",
        "return self._knows(number, atom.by) and not",
        "return not",
        ("crdt/text/test_readings.py", *TESTS),
    ),
    Mutant(
        "a reading lacks what was deleted",
        "A reading does not show the words that only the other side took away.",
        "crdt/text/readings.py",
        "        if atom.text is None and not atom.deleted:\n",
        "        if atom.text is None:\n",
        ("crdt/text/test_readings.py", *TESTS),
    ),
    Mutant(
        "only a third deletion disputes",
        "Two devices that replace one number are not listed, and three are.",
        "crdt/text/disputed.py",
        "            if depth == 1 and step == 1:\n                begun = at\n            if depth == 2",
        "            if depth == 2 and step == 1:\n                begun = at\n            if depth == 3",
        ("crdt/text/test_disputed.py", *TESTS),
    ),
    Mutant(
        "a place that reads as one side wants is settled",
        "A place is taken off the list although one of two readings is not what is shown.",
        "crdt/text/overlaps.py",
        "or all(readings[number][0] == shown for number in left)",
        "or any(readings[number][0] == shown for number in left)",
        TESTS,
    ),
)
