"""Single bits that flip in the files of a store: nothing wrong is shown unnoticed, and nothing wrong reaches a peer."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from tests.e2e import flips
from tests.e2e.flips import End

COUNT = 100  # of all stores together; the campaign, `make flips`, goes on
STORES = [(kind, closed) for kind in flips.KINDS for closed in (False, True)]


@pytest.mark.parametrize(("kind", "closed"), STORES)
def test_a_flipped_bit_is_found_or_nothing_depends_on_it(tmp_path: Path, kind: str, *, closed: bool) -> None:
    verdicts = list(flips.run(kind, COUNT // len(STORES), 0, tmp_path, closed=closed))
    assert [verdict for verdict in verdicts if verdict.faults] == []
    ends = Counter(verdict.end for verdict in verdicts)
    assert ends[End.FOUND] + ends[End.REFUSED] > len(verdicts) // 4, "most bits matter"


def test_the_judge_finds_out_a_store_that_shows_something_else_and_a_peer_that_holds_something_else(
    tmp_path: Path,
) -> None:
    master = flips.make("sqlite", tmp_path, closed=True)
    wrong = master._replace(shown={**master.shown, "tags": []})
    unused = flips.Flip("identity.json", 7)
    verdict = flips.judge(wrong, unused)
    assert [fault.split(" in ")[0] for fault in verdict.faults][-1] == "the other device shows"
    assert verdict.end is End.FAULT
