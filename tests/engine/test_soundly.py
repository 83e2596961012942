"""Soundly: a read that meets damaged rows has them made anew, and reads again."""

from __future__ import annotations

import pytest

from edda_sync.engine.soundly import MENDED_MAX, soundly
from edda_sync.words.errors import DamagedRowsError


class Reads:
    """Fails as often as it is told to."""

    def __init__(self, failures: int) -> None:
        self.failures = failures
        self.mended: list[DamagedRowsError] = []

    def mend(self, error: DamagedRowsError) -> None:
        self.mended.append(error)

    @soundly
    def read(self, what: str, *, times: int = 1) -> str:
        if self.failures:
            self.failures -= 1
            raise DamagedRowsError("task", ["1"])
        return what * times


@pytest.mark.parametrize("failures", [0, 1, MENDED_MAX])
def test_an_answer_is_given_and_rows_are_mended_as_often_as_they_must(failures: int) -> None:
    reads = Reads(failures)
    assert reads.read("a", times=3) == "aaa"
    assert len(reads.mended) == failures


def test_rows_that_stay_damaged_are_an_error() -> None:
    reads = Reads(MENDED_MAX + 1)
    with pytest.raises(DamagedRowsError):
        reads.read("a")
    assert len(reads.mended) == MENDED_MAX
