"""A mutant: a small edit of the product's source that would cost users their data, equality or a duty."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Mutant:
    """
    One edit. Its fragment must stand in its file exactly once: when you change such a line, aim the mutant anew.

    Attributes:
        name: What the edited code does.
        costs: What a user would lose by it.
        file: The file, below ``edda_sync``.
        before: A fragment of it.
        after: What stands there instead.
        tests: The nearest test files, below ``tests``.
    """

    name: str
    costs: str
    file: str
    before: str
    after: str
    tests: tuple[str, ...]
