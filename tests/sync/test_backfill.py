"""Backfill: what one peer is asked for while a segment is believed, one question after another."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

import edda_sync as edda
from edda_sync.engine.engine import StorageEngine
from edda_sync.sync.backfill import Backfill
from edda_sync.sync.exchange import Exchange
from edda_sync.sync.messages import Earlier, Offer, Snapshot, Want
from edda_sync.sync.owed import Owed
from edda_sync.testing import devices
from edda_sync.words import limits
from edda_sync.words.errors import RemoteProtocolError
from tests.sync.batches import exchange_of
from tests.sync.newcomers import begin_with_segment, is_provisional, newcomers


@dataclass
class Scene:
    """A laptop with a history, and a tablet that holds nothing yet and asks the laptop."""

    laptop: StorageEngine
    tablet: StorageEngine
    taking: Exchange
    backfill: Backfill


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    with devices(1, backend="memory") as (laptop,), newcomers(tmp_path, "memory") as newcomer:
        for number in range(8):
            laptop.create_task(edda.Task(title=f"task {number}"))
        tablet = newcomer(laptop)
        taking = exchange_of(tablet)
        yield Scene(laptop, tablet, taking, Backfill(taking))


def take(scene: Scene, answer: Earlier) -> None:
    scene.taking.behind.take(answer)
    scene.backfill.answered(answer)


def offer_of(scene: Scene) -> tuple[Offer, list[Snapshot]]:
    """What the laptop offers, and the parts of it."""
    making = exchange_of(scene.laptop).making
    made = making.given({})
    assert made is not None
    parts = [Snapshot(made.hash, made.parts, at, making.part(made.hash, at) or b"") for at in range(made.parts)]
    return Offer(made.hash, made.parts), parts


def test_a_segment_is_wanted_by_who_holds_nothing_and_taken_part_by_part(scene: Scene) -> None:
    offer, parts = offer_of(scene)
    assert scene.backfill.offered(offer) == Want(offer.segment, 0)
    for part in parts:
        scene.backfill.check(part, "laptop")
        scene.taking.merging.take(part)
    assert is_provisional(scene.tablet) is not None
    assert scene.backfill.questions(), "what is believed is to be proved"


def test_who_holds_something_wants_the_log_instead_and_takes_no_part(scene: Scene) -> None:
    offer, parts = offer_of(scene)
    scene.tablet.create_task(edda.Task(title="own"))
    assert scene.backfill.offered(offer) == Want(offer.segment, offer.parts)
    with pytest.raises(RemoteProtocolError, match="nobody asked for"):
        scene.backfill.check(parts[0], "laptop")


def test_a_segment_that_was_not_offered_is_refused(scene: Scene) -> None:
    with pytest.raises(RemoteProtocolError, match="nobody asked for"):
        scene.backfill.check(offer_of(scene)[1][0], "laptop")


def test_nothing_is_asked_for_where_nothing_is_believed(scene: Scene) -> None:
    assert scene.backfill.questions() == []


def test_one_question_is_under_way_and_the_next_follows_its_answer(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "BATCH_BYTES_MAX", 500)
    begin_with_segment(scene.laptop, scene.tablet)
    owed, asked = Owed(exchange_of(scene.laptop)), 0
    while questions := scene.backfill.questions():
        assert scene.backfill.questions() == [], "it is asked once"
        asked += 1
        for question in questions:
            owed.asked(question)
        answer = owed.next(news=False)
        assert answer is not None
        take(scene, answer[0])
    assert asked > 2
    assert is_provisional(scene.tablet) is None


def test_a_peer_that_has_nothing_of_it_is_asked_no_more_until_it_is_asked_anew(scene: Scene) -> None:
    begin_with_segment(scene.laptop, scene.tablet)
    assert scene.backfill.questions()
    take(scene, Earlier((), ()))
    assert scene.backfill.in_vain
    assert scene.backfill.questions() == []
    scene.backfill.ask_again()
    assert scene.backfill.questions()


def test_what_was_passed_over_is_asked_for_once_and_when_it_can_be_checked(scene: Scene) -> None:
    begin_with_segment(scene.laptop, scene.tablet)
    scene.backfill.passed_over = True
    answers = [scene.backfill.can_take_again()]
    owed = Owed(exchange_of(scene.laptop))
    while questions := scene.backfill.questions():
        for question in questions:
            owed.asked(question)
        answer = owed.next(news=False)
        assert answer is not None
        take(scene, answer[0])
    answers += [scene.backfill.can_take_again(), scene.backfill.can_take_again()]
    assert answers == [False, True, False]


def test_while_parts_of_a_large_change_are_to_come_nothing_else_is_asked_for(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "PART_BYTES_MAX", 1_000)
    scene.laptop.create_task(edda.Task(title="large", description="x" * 3_000))
    begin_with_segment(scene.laptop, scene.tablet)
    owed = Owed(exchange_of(scene.laptop))
    for question in scene.backfill.questions():
        owed.asked(question)
    answer = owed.next(news=False)
    assert answer is not None
    take(scene, answer[0])
    assert scene.backfill.questions() == []
    scene.backfill.part_came(is_over=False)
    assert scene.backfill.questions() == []
    scene.backfill.part_came(is_over=True)
    assert scene.backfill.questions()
