"""Which files are to be fetched next: those that are asked for, then those that are listed, and none that nobody has."""

from __future__ import annotations

import pytest

from edda_sync.crdt.attachments import File
from edda_sync.sync.choosing import Choosing
from edda_sync.words import limits


def file(number: int, size: int = 100) -> File:
    return File(bytes([number]) * 32, size, 0)


@pytest.fixture
def choosing() -> Choosing:
    return Choosing()


def begun(choosing: Choosing, under_way: dict[bytes, File] | None = None) -> list[File]:
    """Begin with what may be begun with, as fetching does."""
    fetches = {} if under_way is None else under_way
    found = []
    for each in choosing.begin(fetches):
        fetches[each.root] = each
        found.append(each)
    return found


def standing(choosing: Choosing) -> tuple[bool, int, int]:
    """Whether it lists more, and how many files are still to come, of what size."""
    return choosing.lists, choosing.files, choosing.size


def test_what_somebody_asks_for_comes_before_what_is_listed(choosing: Choosing) -> None:
    choosing.listed([file(1), file(2)], choosing.number)
    assert choosing.demand(file(9, 1 << 40))
    assert begun(choosing) == [file(9, 1 << 40), file(1), file(2)]
    assert begun(choosing) == [file(9, 1 << 40)], "a page is handed out once, and what is asked for until it is here"


def test_only_so_many_files_that_were_listed_are_under_way_and_all_that_are_asked_for(
    choosing: Choosing, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "FILES_AT_ONCE", 2)
    choosing.listed([file(number) for number in range(1, 6)], choosing.number)
    under_way: dict[bytes, File] = {}
    assert begun(choosing, under_way) == [file(1), file(2)]
    assert begun(choosing, under_way) == []
    for number in (7, 8, 9):
        choosing.demand(file(number))
    assert begun(choosing, under_way) == [file(7), file(8), file(9)]
    del under_way[file(1).root], under_way[file(7).root], under_way[file(8).root], under_way[file(9).root]
    for number in (7, 8, 9):
        choosing.relent(file(number).root)
    assert begun(choosing, under_way) == [file(3)]


def test_a_page_of_a_listing_that_was_begun_anew_since_is_dropped(choosing: Choosing) -> None:
    before = choosing.number
    choosing.list_again(has_news=True)
    choosing.listed([file(1)], before)
    assert (begun(choosing), choosing.after, choosing.lists) == ([], None, True)


def test_a_listing_goes_on_behind_its_last_file_until_a_page_is_not_full(
    choosing: Choosing, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "FILES_LISTED", 2)
    choosing.listed([file(1, 10), file(2, 20)], choosing.number)
    assert choosing.after == (20, file(2).root)
    assert standing(choosing) == (False, 3, 30), "this page first, and there may be more"
    begun(choosing)
    assert standing(choosing) == (True, 1, 0)
    choosing.listed([file(3, 30)], choosing.number)
    begun(choosing)
    assert standing(choosing) == (False, 0, 0)


def test_what_nobody_has_is_put_by_until_a_peer_has_some_of_what_it_lacks(choosing: Choosing) -> None:
    lacks = [b"a" * 32, b"b" * 32]
    choosing.demand(file(1))
    choosing.put_by(file(1), lacks, 10.0)
    choosing.put_by(file(2), [b"c" * 32], 12.0)
    assert choosing.again_at == 10.0 + limits.FILE_AGAIN_S, "the first one says when to look again"
    assert begun(choosing) == [], "also if somebody asks for it"
    choosing.came_up([b"x" * 32])
    assert begun(choosing) == []
    choosing.came_up([b"b" * 32])
    assert begun(choosing) == [file(1)]
    assert choosing.aside.keys() == {file(2).root}
    choosing.demand(file(2))
    assert begun(choosing) == [file(1), file(2)], "who asks anew is tried for at once"


def test_what_is_put_by_is_limited_and_the_oldest_goes(choosing: Choosing, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "FILE_LACKS_MAX", 2)
    for number in (1, 2, 3):
        choosing.put_by(file(number), [], 0.0)
    assert list(choosing.aside) == [file(2).root, file(3).root]


def test_what_cannot_be_read_is_never_fetched(choosing: Choosing) -> None:
    choosing.refuse([file(1).root])
    assert not choosing.demand(file(1))
    choosing.listed([file(1), file(2)], choosing.number)
    assert begun(choosing) == [file(2)]
    assert choosing.demanded == {}
