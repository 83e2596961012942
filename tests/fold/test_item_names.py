"""Names of items in forked chains: an edit means the same to every reader, and has only one form."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from edda_sync.changes.branches import Run
from edda_sync.changes.names import Names
from edda_sync.crdt.text import edits
from edda_sync.crdt.text.attribution import Rewrite
from edda_sync.crdt.text.document import TextDocument
from edda_sync.crdt.text.edits import TextEdit
from edda_sync.fold import item_names
from edda_sync.fold.item_names import ItemNames, item_name
from edda_sync.words.errors import RefusedTextError

X, A, B, Y, G = b"X" * 16, b"a" * 16, b"b" * 16, b"Y" * 16, b"g" * 16
START = (Y, 1)
PLAIN = Names()
FORKED = Names([Run(X, X, 1, None), Run(A, X, 3, X), Run(B, X, 3, X)])
"""X wrote two changes; then two branches go on from them."""

Step = tuple[bytes, TextEdit, tuple[bytes, int], dict[bytes, int]]


def insertion(clock: int, text: str, left: tuple[int, int] | None, right: tuple[int, int] | None,
              names: tuple[bytes, ...] = ()) -> TextEdit:  # fmt: skip
    return TextEdit(names, clock, ((left, right, text),), ())


class Reader:
    """One device's copy of a text that starts as ``.``, with the branches that it knows of."""

    def __init__(self, names: Names = FORKED) -> None:
        self.names = names
        self.document = TextDocument.start(G, ".", [START])

    def take(self, edit: TextEdit, dot: tuple[bytes, int], past: dict[bytes, int]) -> str:
        whole = {Y: 1, **past}
        meant = ItemNames(self.names, self.document.sequence, dot, whole).meant(edit)
        self.document.apply(meant.edit, meant.dot, whole, meant.own)
        return self.document.string()


def grown(names: Names = FORKED) -> Reader:
    """A text with one letter from each change: X wrote ``12``, one branch ``34``, the other ``5``."""
    reader = Reader(names)
    reader.take(insertion(0, "1", None, (1, 0)), (X, 1), {})
    reader.take(insertion(1, "2", (0, 0), (1, 0)), (X, 2), {X: 1})
    reader.take(insertion(2, "3", (0, 1), (1, 0)), (A, 3), {X: 2})
    reader.take(insertion(3, "4", (0, 2), (1, 0)), (A, 4), {X: 2, A: 3})
    reader.take(insertion(2, "5", (0, 1), (1, 0)), (B, 3), {X: 2})
    return reader


def test_a_name_consists_of_the_names_from_the_actor_down() -> None:
    assert item_name(PLAIN, X) == item_name(FORKED, X) == X
    assert item_name(FORKED, A) == X + A
    assert item_name(FORKED, Y) == Y


def test_an_author_on_a_branch_counts_on_and_its_units_are_kept_apart() -> None:
    reader = grown()
    assert reader.document.string() == "1234" + "5."
    assert reader.document.vector() == {G: 1, X: 2, X + A: 2, X + B: 1}


def test_a_device_that_saw_one_branch_calls_it_by_its_actor() -> None:
    """Y knows of no fork and writes behind X's third letter. Y's past says which letter that is."""
    for seen, text in (({X: 2, A: 4}, "123!45."), ({X: 2, B: 3}, "12345!.")):
        reader = grown()
        right = (2, 3) if A in seen else (1, 0)
        said = insertion(0, "!", (2, 2), right, (X,))
        assert reader.take(said, (Y, 2), seen) == text


def test_a_range_that_goes_on_into_a_branch_is_cut_there() -> None:
    reader = grown()
    assert reader.take(TextEdit((X,), None, (), ((2, 1, 3),)), (Y, 2), {X: 2, A: 4}) == "15."
    assert reader.take(TextEdit((X,), None, (), ((2, 0, 3),)), (Y, 3), {X: 2, B: 3, Y: 2}) == "."


def test_a_device_that_saw_both_branches_names_the_one_it_means() -> None:
    seen = {X: 2, A: 4, B: 3}
    assert grown().take(TextEdit((A,), None, (), ((2, 0, 1),)), (Y, 2), seen) == "1245."
    assert grown().take(TextEdit((B,), None, (), ((2, 0, 1),)), (Y, 2), seen) == "1234."
    with pytest.raises(RefusedTextError, match="several branches"):
        grown().take(TextEdit((X,), None, (), ((2, 2, 1),)), (Y, 2), seen)


@pytest.mark.parametrize(
    ("edit", "dot", "seen"),
    [
        (TextEdit((A,), None, (), ((2, 0, 1),)), (Y, 2), {X: 2, A: 4}),  # a branch where the actor would do
        (TextEdit((X,), None, (), ((2, 4, 1),)), (Y, 2), {X: 2, A: 4}),  # beyond what was written
        (TextEdit((X,), None, (), ((2, 2, 1),)), (Y, 2), {X: 2}),  # of neither branch
        (TextEdit((X + A,), None, (), ((2, 0, 1),)), (Y, 2), {X: 2, A: 4, B: 3}),  # as the text has it
        (insertion(1, "!", (0, 3), (1, 0)), (A, 5), {X: 2, A: 4}),  # a clock before the branch
        (insertion(2, "!", (0, 3), (1, 0)), (A, 5), {X: 2, A: 4}),  # a clock that is taken
        (insertion(4, "!", (2, 1), (1, 0), (X,)), (A, 5), {X: 2, A: 4}),  # its own by the table
        (insertion(4, "!", (2, 1), (1, 0), (A,)), (A, 5), {X: 2, A: 4, B: 3}),
        (insertion(0, "!", (2, 0), None, (G,)), (Y, 2), {X: 2}),  # the genesis by the table
        (TextEdit((b"s" * 16,), None, (), ((2, 0, 1),)), (Y, 2), {X: 2}),  # of a stranger
    ],
)
def test_a_reference_that_no_honest_device_writes_is_refused_and_leaves_nothing(
    edit: TextEdit, dot: tuple[bytes, int], seen: dict[bytes, int]
) -> None:
    reader = grown()
    before = reader.document.state()
    with pytest.raises(RefusedTextError):
        reader.take(edit, dot, seen)
    assert reader.document.state() == before


@pytest.mark.parametrize("name", [A, B])
def test_a_device_that_does_not_know_the_fork_judges_a_branch_the_same(name: bytes) -> None:
    """The same edits, read with the names of before, under one chain."""
    reader = Reader(PLAIN)
    reader.take(insertion(0, "1", None, (1, 0)), (X, 1), {})
    reader.take(insertion(1, "2", (0, 0), (1, 0)), (X, 2), {X: 1})
    reader.take(insertion(2, "3", (0, 1), (1, 0)), (X, 3), {X: 2})
    with pytest.raises(RefusedTextError):  # a name that it has never heard of
        reader.take(TextEdit((name,), None, (), ((2, 0, 1),)), (Y, 2), {X: 3})
    assert reader.take(TextEdit((X,), None, (), ((2, 2, 1),)), (Y, 2), {X: 3}) == "12."


# --- rewrites ---------------------------------------------------------------------------------------------------------


def rewriting(*deleted: tuple[int, int, int]) -> TextEdit:
    """A rewrite that deletes units of X, and writes ``new`` at the end."""
    return TextEdit((X,), None, (((1, 0), None, "new"),), deleted)


def test_equal_rewrites_count_as_one_if_they_mean_the_same_and_as_two_otherwise() -> None:
    reader = grown()
    reader.take(rewriting((2, 0, 1)), (Y, 2), {X: 2, A: 4})
    reader.take(rewriting((2, 0, 1)), (b"Z" * 16, 1), {X: 2, B: 3})
    assert reader.document.string().count("new") == 1
    reader = grown()
    reader.take(rewriting((2, 2, 1)), (Y, 2), {X: 2, A: 4})
    assert reader.document.string() == "1245.new"
    reader.take(rewriting((2, 2, 1)), (b"Z" * 16, 1), {X: 2, B: 3})
    assert reader.document.string() == "124.newnew"


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_two_rewrites_of_the_same_bytes_stand_in_one_order_and_are_told_apart(order: tuple[int, int]) -> None:
    both = [((Y, 2), {X: 2, A: 4}), ((b"Z" * 16, 1), {X: 2, B: 3})]
    reader = grown()
    for at in order:
        reader.take(rewriting((2, 2, 1)), *both[at])
    root = edits.rewrite_name(G, rewriting((2, 2, 1)))
    assert set(reader.document.vector()) >= {root + A, root + B}
    seen = {X: 2, A: 4, B: 3, Y: 2, b"Z" * 16: 1}
    with pytest.raises(RefusedTextError):  # which of the two?
        reader.take(TextEdit((root,), None, (), ((2, 0, 3),)), (b"W" * 16, 1), seen)
    text = reader.take(TextEdit((root + A,), None, (), ((2, 0, 1),)), (b"W" * 16, 1), seen)
    assert text == "124.ewnew"
    one = {X: 2, B: 3, b"Z" * 16: 1}
    with pytest.raises(RefusedTextError):  # a device that saw only one has no second name for it
        reader.take(TextEdit((root + B,), None, (), ((2, 0, 3),)), (b"V" * 16, 1), one)
    assert reader.take(TextEdit((root,), None, (), ((2, 0, 3),)), (b"V" * 16, 1), one) == "124.ew"


def test_the_rewrites_of_a_text_are_searched_once_for_an_edit_even_if_it_names_many_units() -> None:
    class Watched(dict[int, Rewrite]):
        times = 0

        def __iter__(self) -> Iterator[int]:
            self.times += 1
            return super().__iter__()

        def items(self) -> Any:
            self.times += 1
            return super().items()

    reader = grown()
    for number, text in enumerate(("one", "two", "three")):
        reader.take(TextEdit((), None, (((1, 0), None, text),), ()), (b"Z" * 16, 1 + number), {X: 2})
    watched = reader.document.sequence.rewrites = Watched(reader.document.sequence.rewrites)
    read = ItemNames(FORKED, reader.document.sequence, (b"W" * 16, 1), {Y: 1, X: 2, A: 4})
    read.meant(TextEdit((X,), None, (), ((2, 0, 1), (2, 2, 1))))
    assert watched.times == 1


# --- what this device writes ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seen", [{X: 2, A: 4}, {X: 2, B: 3}, {X: 2, A: 4, B: 3}])
@pytest.mark.parametrize("change", [(0, 6, ""), (1, 3, "?"), (4, 0, "!"), (5, 1, ""), (2, 2, "xyz")])
def test_an_edit_that_this_device_sends_means_what_the_device_made(
    seen: dict[bytes, int], change: tuple[int, int, str]
) -> None:
    """On a text that holds what the device saw, the edit is sent, read back and applied, and gives what was typed."""
    reader, dot = Reader(), (Y, 2)
    reader.take(insertion(0, "1", None, (1, 0)), (X, 1), {})
    reader.take(insertion(1, "2", (0, 0), (1, 0)), (X, 2), {X: 1})
    if A in seen:
        reader.take(insertion(2, "34", (0, 1), (1, 0)), (A, 4), {X: 2})
    if B in seen:
        reader.take(insertion(2, "5", (0, 1), (1, 0)), (B, 3), {X: 2})
    at, count, text = change
    before = reader.document.string()
    at, count = min(at, len(before)), min(count, max(0, len(before) - at))
    for whole in (False, True):
        made = reader.document.make(Y, [(at, count, text)], whole=whole)
        said = ItemNames(FORKED, reader.document.sequence, dot, {Y: 1, **seen}).said(made)
        assert edits.decode(edits.encode(said)) == said, "in its one form"
        if not {A, B} <= seen.keys():
            assert set(said.names) <= {X}
    if said.blocks or said.deletions:
        assert reader.take(said, dot, seen) == before[:at] + text + before[at + count :]


def test_an_edit_in_a_text_s_names_is_read_back_and_told_from_one_that_travels() -> None:
    meant = ItemNames(FORKED, grown().document.sequence, (A, 5), {Y: 1, X: 2, A: 4}).meant(
        insertion(4, "!", (0, 3), (1, 0))
    )
    assert meant.own == X + A
    assert item_names.decode(item_names.encode(meant)) == (meant.own, meant.edit)
    assert item_names.decode(edits.encode(insertion(4, "!", (0, 3), (1, 0)))) is None
