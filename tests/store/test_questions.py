"""Questions: the questions to a reader are asked again, and a different answer is noticed."""

from __future__ import annotations

import pytest

from edda_sync.store.memory.store import MemoryStore
from edda_sync.store.questions import Questions
from tests.store.samples import ACTOR


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


def test_the_same_state_gives_the_same_answers_and_a_different_state_is_noticed(store: MemoryStore) -> None:
    questions = Questions()
    with store.read() as reader:
        noting = questions.noting(reader)
        assert noting.meta.get("color") is None
        assert noting.states.get([ACTOR]) == {}
        assert noting.states.text(ACTOR, "content", ACTOR, since=3) is None
        assert questions.have_the_same_answers(reader)
    store.transact(lambda tx: tx.meta.set("size", b"9"))
    with store.read() as reader:
        assert questions.have_the_same_answers(reader), "nobody asked for that"
    store.transact(lambda tx: tx.meta.set("color", b"red"))
    with store.read() as reader:
        assert not questions.have_the_same_answers(reader)


def test_a_question_that_was_asked_twice_is_asked_again_once(store: MemoryStore) -> None:
    questions = Questions()
    with store.read() as reader:
        noting = questions.noting(reader)
        for _ in range(3):
            noting.meta.get("color")
            noting.states.get(key for key in [ACTOR])
    assert len(questions) == 2


def test_a_list_that_grows_after_the_question_does_not_change_the_question(store: MemoryStore) -> None:
    questions, keys = Questions(), [ACTOR]
    with store.read() as reader:
        questions.noting(reader).states.get(keys)
        keys.append(b"another")
        questions.noting(reader).states.get(keys)
        assert len(questions) == 2
        assert questions.have_the_same_answers(reader)


def test_a_mapping_is_asked_with_its_values_and_kept_as_it_was(store: MemoryStore) -> None:
    questions, frontier = Questions(), {ACTOR: 3}
    with store.read() as reader:
        assert questions.noting(reader).log.positions_after(frontier) == reader.log.positions_after(frontier)
        frontier[ACTOR] = 4
        questions.noting(reader).log.positions_after(frontier)
        assert len(questions) == 2
        assert questions.have_the_same_answers(reader)
