"""Owed: the log behind its segment that a peer asked for, in full once, and later only what has come since."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

import edda_sync as edda
from edda_sync.crdt.frontier import to_pairs
from edda_sync.engine.engine import StorageEngine
from edda_sync.store.seams import Head
from edda_sync.sync.messages import Behind, Earlier, Summary
from edda_sync.sync.owed import Owed
from edda_sync.testing import devices
from edda_sync.words import limits
from edda_sync.words.errors import RemoteProtocolError
from tests.sync.batches import exchange_of


@pytest.fixture
def laptop() -> Iterator[StorageEngine]:
    with devices(1, backend="memory") as (engine,):
        for number in range(6):
            engine.create_task(edda.Task(title=f"task {number}"))
        yield engine


def heads(engine: StorageEngine) -> list[Head]:
    with engine.store.read() as reader:
        return sorted(reader.log.heads().values())


def upto(engine: StorageEngine) -> tuple[Summary, ...]:
    return tuple(Summary(head.actor, head.seq, head.hash[:16]) for head in heads(engine))


def answer(owed: Owed, *, news: bool = False) -> Earlier | None:
    found = owed.next(news=news)
    return None if found is None else found[0]


def count(earlier: Earlier | None) -> int | None:
    return None if earlier is None else len(earlier.changes)


def test_nobody_is_given_a_log_that_was_not_asked_for(laptop: StorageEngine) -> None:
    assert answer(Owed(exchange_of(laptop)), news=True) is None


def test_a_question_is_answered_once_with_what_the_peer_lacks(laptop: StorageEngine) -> None:
    owed = Owed(exchange_of(laptop))
    (actor,) = laptop.frontier()
    owed.asked(Behind(((actor, 2),), upto(laptop)))
    assert count(answer(owed)) == laptop.counts()["changes"] - 2
    assert answer(owed) is None


def test_a_question_in_pages_is_answered_after_the_last_one(laptop: StorageEngine) -> None:
    owed = Owed(exchange_of(laptop))
    owed.asked(Behind((), upto(laptop), more=True))
    assert answer(owed) is None
    owed.asked(Behind(tuple(to_pairs(laptop.frontier())), (), more=False))
    assert count(answer(owed)) == 0, "it holds all of it"


def test_a_later_question_says_only_what_came_since(laptop: StorageEngine) -> None:
    owed = Owed(exchange_of(laptop))
    (actor,), changes = laptop.frontier(), laptop.counts()["changes"]
    owed.asked(Behind((), upto(laptop)))
    assert count(answer(owed)) == changes
    owed.asked(Behind(((actor, changes - 1),), ()))
    assert count(answer(owed)) == 1
    owed.asked(Behind((), upto(laptop)))
    assert count(answer(owed)) == changes, "another segment: what was said before is forgotten"


def test_what_is_not_here_is_said_once_and_given_once_there_is_news(laptop: StorageEngine) -> None:
    owed = Owed(exchange_of(laptop))
    owed.asked(Behind((), (Summary(b"z" * 16, 3, b"h" * 16),)))
    in_vain = [owed.in_vain]
    assert count(answer(owed)) == 0
    in_vain.append(owed.in_vain)
    assert answer(owed) is None
    assert answer(owed, news=True) is None, "still nothing: it is not said again"
    owed.introduced()
    assert [*in_vain, owed.in_vain] == [False, True, False]


@pytest.mark.parametrize(
    "pages",
    [
        [Behind((), (Summary(b"b" * 16, 1, b"h" * 16), Summary(b"a" * 16, 1, b"h" * 16)))],
        [Behind((), (Summary(b"b" * 16, 1, b"h" * 16),), more=True), Behind((), (Summary(b"a" * 16, 1, b"h" * 16),))],
        [Behind((), (), more=True)],
    ],
)
def test_pages_that_are_not_in_order_or_say_nothing_are_refused(laptop: StorageEngine, pages: list[Behind]) -> None:
    owed = Owed(exchange_of(laptop))
    for page in pages[:-1]:
        owed.asked(page)
    with pytest.raises(RemoteProtocolError, match="not in order"):
        owed.asked(pages[-1])


def test_of_lives_that_nobody_here_knows_only_so_many_are_kept(
    laptop: StorageEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "CLAIMS_MAX", 3)
    owed = Owed(exchange_of(laptop))
    strangers = tuple((bytes([number]) * 16, 1) for number in range(1, 200))
    owed.asked(Behind(strangers, upto(laptop)))
    assert len(owed._held) <= 3 + len(laptop.frontier())
    assert count(answer(owed)) == laptop.counts()["changes"]
