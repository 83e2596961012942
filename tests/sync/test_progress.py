"""Progress: how far apart two devices are, as shown to a person."""

from __future__ import annotations

import edda_sync as edda
from edda_sync import testing
from edda_sync.sync.progress import Progress

A, B = b"a" * 16, b"b" * 16


def test_what_either_lacks_is_counted_by_changes() -> None:
    progress = Progress()
    progress.measure({A: 5}, {A: 3, B: 4}, {A: 3, B: 4}, 0)
    assert (progress.behind, progress.ahead, progress.theirs) == (4, 2, {A: 3, B: 4})


def test_what_the_peer_has_for_all_that_is_known_is_not_sent_to_it_again() -> None:
    progress = Progress()
    progress.measure({A: 5, B: 2}, {A: 3}, {A: 5}, 0)  # other devices have sent it the rest of A's changes
    assert (progress.behind, progress.ahead) == (0, 2)


def test_a_proof_holds_for_as_long_as_both_stay_where_they_were_proved() -> None:
    progress = Progress(proved_at={A: 5})
    progress.measure({A: 5}, {A: 5}, {A: 5}, 0)
    shown = [progress.proved]
    for ours, theirs in ((6, 5), (6, 6)):  # both have the same new changes, and were not compared since
        progress.measure({A: ours}, {A: theirs}, {A: theirs}, 0)
        shown.append(progress.proved)
    assert shown == [True, False, False]
    progress.measure({A: 5}, {A: 5}, {A: 5}, 0)
    progress.unproved()
    assert (progress.proved, progress.proved_at) == (False, None)


def test_the_changes_that_go_over_a_link_are_counted_at_both_ends() -> None:
    with testing.devices(2) as (laptop, phone):
        talk = testing.Talk(laptop, phone)
        talk.run()
        before = [replica.progress() for replica in talk._replicas.values()]
        assert [each.sent_changes for progress in before for each in progress.values()] == [0, 0]
        for title in ("One", "Two", "Three"):
            laptop.create_task(edda.Task(title=title))
        talk.committed(laptop)
        talk.run()
        (sent,), (rcvd,) = (talk._replicas[each.identity.device].progress().values() for each in (laptop, phone))
        assert (sent.sent_changes, sent.rcvd_changes) == (rcvd.rcvd_changes, rcvd.sent_changes) == (3, 0)


def test_two_devices_cannot_prove_what_one_of_them_cannot_read() -> None:
    told = []
    for met, theirs, unread in ((None, 5, 0), ({A: 5}, 5, 0), ({A: 5}, 5, 1), ({A: 5}, 6, 0)):
        progress = Progress(waiting=1, met=met)
        progress.measure({A: 5}, {A: theirs}, {A: theirs}, unread)
        told.append(progress.cannot_prove)
    assert told == [False, True, False, False], "devices of one version wait for the same, and can prove that"
