"""Progress: how far apart two devices are, as shown to a person."""

from __future__ import annotations

from edda_sync.sync.progress import Progress

A, B = b"a" * 16, b"b" * 16


def test_what_either_lacks_is_counted_by_changes() -> None:
    progress = Progress()
    progress.measure({A: 5}, {A: 3, B: 4}, {A: 3, B: 4})
    assert (progress.behind, progress.ahead, progress.theirs) == (4, 2, {A: 3, B: 4})


def test_what_the_peer_has_for_all_that_is_known_is_not_sent_to_it_again() -> None:
    progress = Progress()
    progress.measure({A: 5, B: 2}, {A: 3}, {A: 5})  # other devices have sent it the rest of A's changes
    assert (progress.behind, progress.ahead) == (0, 2)


def test_a_proof_holds_for_as_long_as_both_stay_where_they_were_proved() -> None:
    progress = Progress(proved_at={A: 5})
    progress.measure({A: 5}, {A: 5}, {A: 5})
    shown = [progress.proved]
    for ours, theirs in ((6, 5), (6, 6)):  # both have the same new changes, and were not compared since
        progress.measure({A: ours}, {A: theirs}, {A: theirs})
        shown.append(progress.proved)
    assert shown == [True, False, False]
    progress.measure({A: 5}, {A: 5}, {A: 5})
    progress.unproved()
    assert (progress.proved, progress.proved_at) == (False, None)
