"""Composing: an author's drafts become operations, and each is folded as soon as it is made."""

from __future__ import annotations

from typing import Any

import pytest

from edda_sync.changes.drafts import Delete, Draft, EditText, Expect, Put, Rewrite, Touch
from edda_sync.crdt import operation as ops
from edda_sync.crdt.entity import OWN_TIME
from edda_sync.crdt.operation import Operation
from edda_sync.crdt.text.order import Order
from edda_sync.store.seams import StoreWriter
from edda_sync.words import values
from edda_sync.words.errors import InvalidValueError, LimitError, NotFoundError
from edda_sync.workspace.actor import actor_of, begin_life
from tests.crdt.authors import Life, founded
from tests.crdt.works import DOCUMENT, OTHER, TAG, TAG_BYTES, TASK

TAG_CELL = "tag." + TAG


class Author:
    """A device that composes changes and commits them."""

    def __init__(self) -> None:
        laptop, self.peer = founded()
        self.life = Life(laptop.identity, continues=laptop, nonce=b"another nonce...")
        self.peer.store.transact(lambda tx: begin_life(tx, self.life.birth))

    def write(self, *drafts: Draft) -> list[Operation]:
        """Commit drafts; return the operations that were made of them."""

        def work(tx: StoreWriter) -> list[Operation]:
            self.peer.ledger.commit(tx, drafts, 5)
            position = tx.log.position()
            if tx.log.read(position).actor != actor_of(tx):
                return []
            return [ops.decode(each) for each in ops.cut([tx.log.read(position).body])]  # type: ignore[misc]

        made = self.peer.store.transact(work)
        self.peer.store.transact(self.peer.ledger.refresh)
        return made

    def refused(self, error: type[Exception], *drafts: Draft) -> None:
        """Assert that drafts fail, and leave nothing behind."""
        before, frontier = self.peer.view(), self.peer.frontier
        with pytest.raises(error):
            self.write(*drafts)
        assert (self.peer.view(), self.peer.frontier) == (before, frontier)

    @property
    def description(self) -> Any:
        return self.peer.table("tasks")[0][2]


@pytest.fixture
def author() -> Author:
    return Author()


def started(author: Author, description: str | None = "Buy milk") -> None:
    cells = {"title": "t"} if description is None else {"title": "t", "description": description}
    author.write(Put.of("task", TASK, cells))


# --- cells and tags ---------------------------------------------------------------------------------------------------


def test_cells_are_written_as_the_draft_has_them(author: Author) -> None:
    cells = {"title": "t", "priority": 0, "due_date": None}
    assert author.write(Put.of("task", TASK, cells)) == [ops.Put("task", TASK, cells)]


def test_a_tag_is_made_by_the_first_change_that_carries_it_and_touched_by_each_later_one(author: Author) -> None:
    first = author.write(
        Put.of("task", TASK, {"title": "t", TAG_CELL: "Work"}), Put.of("task", OTHER, {TAG_CELL: "work"})
    )
    assert first == [
        ops.Put("tag", TAG_BYTES, {"created_at": OWN_TIME, "name": "Work"}),
        ops.Put("task", TASK, {"title": "t", TAG_CELL: True}),
        ops.Put("task", OTHER, {TAG_CELL: True}),  # once a change
    ]
    second = author.write(Put.of("task", OTHER, {TAG_CELL: "WORK"}))
    assert second == [ops.Touch("tag", TAG_BYTES), ops.Put("task", OTHER, {TAG_CELL: True})]
    assert author.write(Put.of("task", OTHER, {TAG_CELL: None})) == [ops.Put("task", OTHER, {TAG_CELL: None})]


def test_a_tag_that_has_other_cells_but_no_name_gets_its_name(author: Author) -> None:
    author.write(Put.of("tag", TAG_BYTES, {"color": "red"}))
    made = author.write(Put.of("task", TASK, {TAG_CELL: "work"}))
    assert made[0] == ops.Put("tag", TAG_BYTES, {"created_at": OWN_TIME, "name": "work"})


def test_a_task_is_not_moved_under_itself(author: Author) -> None:
    author.write(Put.of("task", TASK, {"title": "t"}), Put.of("task", OTHER, {"title": "u", "parent_id": TASK}))
    author.refused(InvalidValueError, Put.of("task", TASK, {"parent_id": OTHER}))
    author.refused(InvalidValueError, Put.of("task", TASK, {"parent_id": TASK}))
    author.write(Put.of("task", OTHER, {"parent_id": None}), Put.of("task", TASK, {"parent_id": OTHER}))


def test_writes_beyond_the_budget_of_a_change_are_not_written(author: Author, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edda_sync.words.limits.ENTITY_CHANGE_CELLS_MAX", 3)
    author.refused(LimitError, Put.of("task", TASK, {f"metadata.{n}": "1" for n in range(4)}))
    author.refused(LimitError, *(Put.of("task", TASK, {f"metadata.{n}": "1"}) for n in range(4)))
    author.write(Put.of("task", TASK, {f"metadata.{n}": "1" for n in range(3)}))


# --- deletions, and what must be there --------------------------------------------------------------------------------


def test_a_deletion_says_what_its_author_had_seen_and_a_touch_brings_the_item_back(author: Author) -> None:
    started(author)
    author.write(Put.of("task", TASK, {"priority": 0}))
    assert author.write(Delete("task", TASK)) == [ops.Delete("task", TASK, ((author.life.actor, 2),))]
    assert author.peer.table("tasks") == []
    assert author.write(Touch("task", TASK)) == [ops.Touch("task", TASK)]
    assert len(author.peer.table("tasks")) == 1


def test_a_missing_item_cannot_be_deleted_or_touched_or_expected(author: Author) -> None:
    gone: list[Draft] = [Delete("task", TASK), Expect("task", TASK), Rewrite("task", TASK, None, "x")]
    gone.append(EditText("task", TASK, ((0, 0, "x"),)))
    for draft in [*gone, Touch("task", TASK)]:
        author.refused(NotFoundError, draft)
    started(author)
    author.write(Delete("task", TASK))
    for draft in gone:
        author.refused(NotFoundError, draft)


def test_a_new_id_must_be_unused_even_in_the_trash(author: Author) -> None:
    assert author.write(Expect("task", TASK, present=False)) == []
    started(author)
    author.refused(InvalidValueError, Expect("task", TASK, present=False))
    author.write(Delete("task", TASK))
    author.refused(InvalidValueError, Expect("task", TASK, present=False))
    author.write(Expect("document", TASK, present=False), Put.of("document", TASK, {"title": "of another kind"}))


def test_each_draft_sees_what_those_before_it_did(author: Author) -> None:
    author.write(
        Put.of("task", TASK, {"title": "t"}), Expect("task", TASK), EditText("task", TASK, ((0, 0, "ab"),)),
        EditText("task", TASK, ((1, 0, "-"),)),
    )  # fmt: skip
    assert author.description == "a-b"
    author.write(Delete("task", TASK), Touch("task", TASK), Expect("task", TASK))
    author.refused(NotFoundError, Delete("task", TASK), Expect("task", TASK))


# --- texts ------------------------------------------------------------------------------------------------------------


def test_a_text_is_its_start_until_its_first_edit_which_is_sent_as_an_edit(author: Author) -> None:
    (made,) = author.write(Put.of("task", TASK, {"title": "t", "description": "Buy milk"}))
    assert isinstance(made, ops.Put)
    assert made.cells["description"] == "Buy milk"
    (made,) = author.write(EditText("task", TASK, ((4, 0, "oat "),)))
    assert isinstance(made, ops.Edit)
    assert (made.kind, made.id, made.field, len(made.genesis)) == ("task", TASK, "description", 16)
    assert author.description == "Buy oat milk"


def test_the_first_words_of_an_empty_field_are_its_start(author: Author) -> None:
    started(author, None)
    made = author.write(EditText("task", TASK, ((0, 0, "Buy milk"), (4, 4, "tea"))))
    assert made == [ops.Put("task", TASK, {"description": "Buy tea"})]


@pytest.mark.parametrize("edit", [(1, 0, "x"), (0, 1, ""), (-1, 0, "x"), (0, -1, "x")])
def test_an_edit_outside_of_an_empty_text_is_refused(author: Author, edit: tuple[int, int, str]) -> None:
    started(author, None)
    author.refused(InvalidValueError, EditText("task", TASK, (edit,)))


def test_an_edit_counts_in_the_text_that_its_author_looked_at(author: Author) -> None:
    started(author, "Buy milk")
    author.write(EditText("task", TASK, ((0, 0, "Please: "),)))
    author.write(EditText("task", TASK, ((4, 4, "tea"),), base=lambda: "Buy milk"))
    assert author.description == "Please: Buy tea"


def test_a_rewrite_is_merged_as_edits_into_the_present_text(author: Author) -> None:
    started(author, "Buy milk")
    author.write(EditText("task", TASK, ((8, 0, " and eggs"),)))
    (made,) = author.write(Rewrite("task", TASK, "Buy milk", "Buy oat milk"))
    assert isinstance(made, ops.Edit)
    assert author.description == "Buy oat milk and eggs"


def test_a_rewrite_that_changes_nothing_writes_nothing(author: Author) -> None:
    started(author, "Buy milk")
    before = author.peer.frontier
    author.write(Rewrite("task", TASK, "Buy milk", "Buy milk"))
    author.write(Rewrite("task", TASK, "Buy", "Buy"))
    assert author.peer.frontier == before


def test_a_text_is_cleared_and_filled_again_by_whole_values(author: Author) -> None:
    started(author, "Buy milk")
    assert author.write(Rewrite("task", TASK, "Buy milk", None)) == [ops.Put("task", TASK, {"description": None})]
    assert author.write(Rewrite("task", TASK, None, "Buy tea")) == [ops.Put("task", TASK, {"description": "Buy tea"})]
    author.write(Rewrite("task", TASK, "Buy tea", None))
    changes = author.peer.frontier
    author.write(Rewrite("task", TASK, None, None))
    assert author.peer.frontier == changes


def test_a_text_that_was_edited_and_cleared_reads_as_it_is_written_again(author: Author) -> None:
    """The text of that start exists, with its edits: those must not come back with the words."""
    started(author, "Buy milk")
    author.write(EditText("task", TASK, ((4, 4, "tea"),)))
    author.write(Rewrite("task", TASK, "Buy tea", None))
    (made,) = author.write(Rewrite("task", TASK, None, "Buy milk"))
    assert isinstance(made, ops.Edit)
    assert author.description == "Buy milk"


def test_a_change_continues_with_the_text_that_it_began_with_even_if_another_is_shown_by_now(author: Author) -> None:
    """Of two first texts one is shown, until this change edits it: its clock is behind that of the other."""
    laptop, _ = founded()
    for number, (words, wall_ms) in enumerate((("theirs", 9_000_000_000_000), ("others", 8_000_000_000_000))):
        life = Life(laptop.identity, continues=laptop, nonce=bytes((number,)) * 16)
        author.peer.admit(life.write(ops.Put("task", TASK, {"title": "t", "description": words}), wall_ms=wall_ms))
    assert author.description == "theirs"
    made = author.write(EditText("task", TASK, ((6, 0, "!"),)), EditText("task", TASK, ((7, 0, "?"),)))
    assert len({each.genesis for each in made if isinstance(each, ops.Edit)}) == 1
    assert author.description == "others"
    author.write(EditText("task", TASK, ((0, 0, "the "),)))  # the next change edits what is shown now
    assert author.description == "the others"
    assert author.peer.refused == 0


def test_documents_have_texts_of_their_own(author: Author) -> None:
    author.write(Put.of("document", DOCUMENT, {"title": "d", "content": "words"}))
    author.write(EditText("document", DOCUMENT, ((5, 0, "!"),)))
    assert author.peer.table("documents")[0][3] == "words!"
    assert values.id_text(DOCUMENT) == author.peer.table("documents")[0][0]


def test_a_keystroke_does_not_read_the_whole_text(monkeypatch: pytest.MonkeyPatch) -> None:
    author = Author()
    author.write(Put.of("document", OTHER, {"title": "Paper", "content": "a text that may be long"}))
    author.write(EditText("document", OTHER, ((0, 0, "x"),)))

    def read(_: Order) -> str:
        raise AssertionError("who types a letter would wait for all of the text")

    with monkeypatch.context() as patch:
        patch.setattr(Order, "string", read)
        typed = EditText("document", OTHER, ((5, 1, "y"),))
        assert author.peer.store.transact(lambda tx: author.peer.ledger.commit(tx, [typed], 6)) is not None
