"""Helpers for tests of planted bugs."""

from __future__ import annotations

from types import CodeType

from edda_sync.simulations.bugs.planting import Bug


def code_of(bug: Bug) -> list[CodeType]:
    return [edit.function().__code__ for edit in bug.edits]
