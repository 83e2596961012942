"""Which texts may have, and which must have, a place that concurrent changes replaced, as the oracle sees it."""

from __future__ import annotations

import pytest

import edda_sync as edda
from edda_sync.simulations.oracle import Oracle
from edda_sync.testing import devices, sync
from edda_sync.words import values
from tests.simulations.histories import A, B, C, D, History, T, edit, put

START = "take 10 mg"
WHERE = {(values.id_text(T), "description")}
NOWHERE: set[tuple[str, str]] = set()


def both(one: tuple[int, str, int], other: tuple[int, str, int], *, knows: bool = False) -> History:
    """Two edits of a text, made at once, or one after the other."""
    history = History()
    history.make(A, 1, put(T, title="t", description=START))
    history.make(B, 2, edit(B, START, *one), seen={A: 1})
    history.make(C, 3, edit(C, START, *other), seen={A: 1, B: 1} if knows else {A: 1})
    return history


@pytest.mark.parametrize(
    ("one", "other", "may", "must"),
    [
        ((5, "15", 2), (5, "20", 2), WHERE, WHERE),
        ((5, "15", 2), (5, "15", 2), WHERE, NOWHERE),
        ((5, "15", 2), (5, "", 2), WHERE, NOWHERE),
        ((5, "", 2), (5, "", 2), WHERE, NOWHERE),
        ((5, "15", 2), (0, "eat", 4), NOWHERE, NOWHERE),
        ((5, "", 2), (6, "x", 0), NOWHERE, NOWHERE),
    ],
)
def test_a_place_may_or_must_be_listed_where_two_deleted_the_same(
    one: tuple[int, str, int], other: tuple[int, str, int], may: set[tuple[str, str]], must: set[tuple[str, str]]
) -> None:
    assert both(one, other).means().places() == (may, must)
    assert both(one, other).means(0, 2, 1).places() == (may, must)


def test_a_change_that_knew_the_other_disputes_nothing() -> None:
    assert both((5, "15", 2), (5, "20", 2), knows=True).means().places() == (NOWHERE, NOWHERE)


def test_once_somebody_who_knew_one_of_them_went_on_a_place_need_not_be_listed() -> None:
    history = both((5, "15", 2), (5, "20", 2))
    history.make(D, 4, edit(D, START, 0, "please "), seen={A: 1, B: 1})
    assert history.means().places() == (WHERE, NOWHERE)


def test_a_text_that_was_never_edited_has_no_places() -> None:
    history = History()
    history.make(A, 1, put(T, title="t", description=START))
    assert history.means().places() == (NOWHERE, NOWHERE)


def test_what_devices_list_is_what_the_oracle_says() -> None:
    with devices(2, backend="memory") as (laptop, phone):
        disputed, apart = (
            laptop.create_document(edda.Document(title="D", content="The dose is 10 mg today")) for _ in "12"
        )
        sync(laptop, phone)
        for store, dose, place in ((laptop, "15", (0, 3, "A")), (phone, "20", (18, 5, "now"))):
            store.update_document(edda.Document(id=disputed, content=f"The dose is {dose} mg today"))
            store.edit_text(apart, "content", [place])
        sync(laptop, phone)
        with phone.store.read() as reader:
            logged = [reader.log.read(position) for position in reader.log.positions_after({})]
        listed = {(each.id, each.field) for each in phone.conflicts()}
        assert Oracle([(each, each.body) for each in logged]).places() == (listed, listed)
        assert listed == {(disputed, "content")}
