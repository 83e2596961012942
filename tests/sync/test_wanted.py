"""Which files are to be fetched next: those that are asked for, then those that are listed, and none that nobody has."""

from __future__ import annotations

import pytest

from edda_sync.crdt.attachments import File
from edda_sync.sync.wanted import Wanted
from edda_sync.words import limits


def file(number: int, size: int = 100) -> File:
    return File(bytes([number]) * 32, size, 0)


@pytest.fixture
def wanted() -> Wanted:
    return Wanted()


def begun(wanted: Wanted, under_way: dict[bytes, File] | None = None) -> list[File]:
    """Begin with what may be begun with, as fetching does."""
    fetches = {} if under_way is None else under_way
    found = []
    for each in wanted.begin(fetches):
        fetches[each.root] = each
        found.append(each)
    return found


def standing(wanted: Wanted) -> tuple[bool, int, int]:
    """Whether it lists more, and how many files are still to come, of what size."""
    return wanted.lists, wanted.files, wanted.size


def test_what_somebody_asks_for_comes_before_what_is_listed(wanted: Wanted) -> None:
    wanted.listed([file(1), file(2)], wanted.number)
    assert wanted.demand(file(9, 1 << 40))
    assert begun(wanted) == [file(9, 1 << 40), file(1), file(2)]
    assert begun(wanted) == [file(9, 1 << 40)], "a page is handed out once, and what is asked for until it is here"


def test_only_so_many_files_that_were_listed_are_under_way_and_all_that_are_asked_for(
    wanted: Wanted, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "FILES_AT_ONCE", 2)
    wanted.listed([file(number) for number in range(1, 6)], wanted.number)
    under_way: dict[bytes, File] = {}
    assert begun(wanted, under_way) == [file(1), file(2)]
    assert begun(wanted, under_way) == []
    for number in (7, 8, 9):
        wanted.demand(file(number))
    assert begun(wanted, under_way) == [file(7), file(8), file(9)]
    del under_way[file(1).root], under_way[file(7).root], under_way[file(8).root], under_way[file(9).root]
    for number in (7, 8, 9):
        wanted.relent(file(number).root)
    assert begun(wanted, under_way) == [file(3)]


def test_a_page_of_a_listing_that_was_begun_anew_since_is_dropped(wanted: Wanted) -> None:
    before = wanted.number
    wanted.list_again(has_news=True)
    wanted.listed([file(1)], before)
    assert (begun(wanted), wanted.after, wanted.lists) == ([], None, True)


def test_a_listing_goes_on_behind_its_last_file_until_a_page_is_not_full(
    wanted: Wanted, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "FILES_LISTED", 2)
    wanted.listed([file(1, 10), file(2, 20)], wanted.number)
    assert wanted.after == (20, file(2).root)
    assert standing(wanted) == (False, 3, 30), "this page first, and there may be more"
    begun(wanted)
    assert standing(wanted) == (True, 1, 0)
    wanted.listed([file(3, 30)], wanted.number)
    begun(wanted)
    assert standing(wanted) == (False, 0, 0)


def test_what_nobody_has_is_put_by_until_a_peer_has_some_of_what_it_lacks(wanted: Wanted) -> None:
    lacks = [b"a" * 32, b"b" * 32]
    wanted.demand(file(1))
    wanted.put_by(file(1), lacks, 10.0)
    wanted.put_by(file(2), [b"c" * 32], 12.0)
    assert wanted.again_at == 10.0 + limits.FILE_AGAIN_S, "the first one says when to look again"
    assert begun(wanted) == [], "also if somebody asks for it"
    wanted.came_up([b"x" * 32])
    assert begun(wanted) == []
    wanted.came_up([b"b" * 32])
    assert begun(wanted) == [file(1)]
    assert wanted.aside.keys() == {file(2).root}
    wanted.demand(file(2))
    assert begun(wanted) == [file(1), file(2)], "who asks anew is tried for at once"


def test_what_is_put_by_is_limited_and_the_oldest_goes(wanted: Wanted, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "FILE_LACKS_MAX", 2)
    for number in (1, 2, 3):
        wanted.put_by(file(number), [], 0.0)
    assert list(wanted.aside) == [file(2).root, file(3).root]


def test_what_cannot_be_read_is_never_fetched(wanted: Wanted) -> None:
    wanted.refuse([file(1).root])
    assert not wanted.demand(file(1))
    wanted.listed([file(1), file(2)], wanted.number)
    assert begun(wanted) == [file(2)]
    assert wanted.demanded == {}
