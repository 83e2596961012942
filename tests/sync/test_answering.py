"""A peer is sent what rotted there: each change that is here, with its parts, and nothing in place of the others."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

import edda_sync as edda
from edda_sync.engine.engine import StorageEngine
from edda_sync.sync.answering import Answering
from edda_sync.sync.messages import Fetch, Message
from edda_sync.testing import devices
from edda_sync.words import limits
from edda_sync.words.errors import RemoteProtocolError
from tests.sync.batches import exchange_of


@pytest.fixture
def laptop() -> Iterator[StorageEngine]:
    """Its last change is so large that it is sent in parts."""
    with devices(1, backend="memory") as (engine,):
        engine.create_task(edda.Task(title="small"))
        with engine.begin_transaction() as tx:
            for number in range(1_500):
                tx.create_task(edda.Task(title=f"task {number}", description=f"{number} " * 100))
        yield engine


def named(engine: StorageEngine) -> list[tuple[bytes, int, bytes]]:
    """All changes by actor, number and hash."""
    with engine.store.read() as reader:
        found = [reader.log.read(position) for position in range(1, reader.log.position() + 1)]
    return [(each.actor, each.seq, each.hash) for each in found]


def all_of(answering: Answering) -> list[Message]:
    return list(iter(answering.next, None))


def test_what_is_not_here_is_passed_over(laptop: StorageEngine) -> None:
    answering = Answering(exchange_of(laptop))
    first, *_ = named(laptop)
    answering.asked(Fetch(((first[0], first[1], b"x" * 32), first)))
    assert [type(each).__name__ for each in all_of(answering)] == ["Found"]
    assert answering.next() is None


def test_a_large_change_is_followed_by_its_parts(laptop: StorageEngine) -> None:
    answering = Answering(exchange_of(laptop))
    first, *_, large = named(laptop)
    answering.asked(Fetch((large, first)))
    assert [type(each).__name__ for each in all_of(answering)] == ["Found", "Part", "Part", "Found"]


def test_a_new_question_replaces_the_one_before_it_from_its_first_change_on(laptop: StorageEngine) -> None:
    answering = Answering(exchange_of(laptop))
    first, *_, large = named(laptop)
    answering.asked(Fetch((large,)))
    answering.next()
    answering.next()
    answering.asked(Fetch((first,)))
    assert [type(each).__name__ for each in all_of(answering)] == ["Found"]


def test_a_question_for_too_many_at_once_is_refused(laptop: StorageEngine) -> None:
    answering = Answering(exchange_of(laptop))
    with pytest.raises(RemoteProtocolError, match="at once"):
        answering.asked(Fetch(((b"a" * 16, 1, b"x" * 32),) * (limits.FETCHED_MAX + 1)))
