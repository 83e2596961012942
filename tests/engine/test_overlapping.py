"""What changes of a log knew, and what they wrote into a text."""

from __future__ import annotations

import pytest

import edda_sync as edda
from edda_sync.changes import change as changes
from edda_sync.changes.past import Pasts
from edda_sync.crdt.frontier import Dot
from edda_sync.crdt.keys import key_of
from edda_sync.crdt.state import entity_of
from edda_sync.engine.engine import StorageEngine
from edda_sync.engine.overlapping import HEADERS, Knowing, NotHereError, TextLog
from edda_sync.fold.texts import Texts
from edda_sync.fold.view import View
from edda_sync.store.seams import StoreReader
from edda_sync.testing import devices, sync
from edda_sync.words import values


def dots(reader: StoreReader) -> list[Dot]:
    return [(logged.actor, logged.seq) for logged in map(reader.log.read, reader.log.positions_after({}))]


def wrote(store: StorageEngine, times: int) -> None:
    for at in range(times):
        store.create_task(edda.Task(title=f"Task {at}"))


def test_what_a_change_knew_is_what_its_whole_past_says() -> None:
    with devices(3, backend="memory") as (laptop, phone, tablet):
        wrote(phone, 1)  # it knows who let it in, and what that one knew
        wrote(laptop, HEADERS + 5)
        for _ in range(3):
            sync(laptop, phone)
            wrote(phone, 1)
            wrote(laptop, 1)
        wrote(laptop, 3)
        sync(phone, tablet)
        wrote(tablet, 2)
        sync(laptop, tablet)
        wrote(laptop, HEADERS + 5)
        sync(laptop, phone)
        with phone.store.read() as reader:
            asked, (knowing, pasts) = dots(reader), (Knowing(reader), Pasts())
            for one in asked[:9] + asked[9::4]:
                past = pasts.through(reader, one)
                known = [other for other in asked if knowing.knows(one, other)]
                assert known == [other for other in asked if past.get(other[0], 0) >= other[1]]


def test_a_life_knows_what_the_change_that_it_continues_knew_though_its_headers_name_nothing() -> None:
    with devices(2, backend="memory") as (_laptop, phone):
        wrote(phone, 1)
        with phone.store.read() as reader:
            *before, first = dots(reader)
            assert not changes.decode_header(reader.log.headers(*first, first[1])[0]).deps
            assert all(Knowing(reader).knows(first, each) for each in before)
            assert not Knowing(reader).knows(before[-1], first)


def test_what_stands_behind_a_segment_is_not_here() -> None:
    with devices(1, backend="memory") as (laptop,):
        wrote(laptop, 2)
        with laptop.store.read() as reader:
            (actor, _), *_ = dots(reader)
            with pytest.raises(NotHereError):
                Knowing(reader).knows((actor, 100), (b"x" * 16, 1))


def test_the_words_of_a_change_are_those_that_it_inserted_into_that_text() -> None:
    with devices(1, backend="memory") as (laptop,):
        document = laptop.create_document(edda.Document(title="D", content="one two"))
        other = laptop.create_document(edda.Document(title="D", content="one two"))
        with laptop.begin_transaction() as tx:
            tx.edit_text(other, "content", [(0, 0, "not this ")])
            tx.edit_text(document, "content", [(7, 0, " three")])
            tx.edit_text(document, "content", [(0, 0, "zero "), (9, 3, "2🙂")])
        laptop.update_document(edda.Document(id=document, content="all anew"))
        with laptop.store.read() as reader:
            entity_id = values.id_bytes("id", document)
            key = key_of("document", entity_id)
            entity = entity_of(key, reader.states.get([key])[key].state)
            shown = Texts().shown(View(reader), entity)
            assert shown is not None
            log = TextLog(reader, entity, "content", shown[0], Knowing(reader))
            *_, first, _, typed, whole = dots(reader)
            assert log.start([first]) == "one two"
            assert log.inserted(typed, 6 + 5 + 3, rewrite=False) == " threezero 2🙂"
            assert log.inserted(whole, 8, rewrite=True) == "all anew"
            for dot, size, rewrite in ((typed, 3, False), (typed, 14, True), (whole, 8, False), (first, 1, False)):
                with pytest.raises(NotHereError):
                    log.inserted(dot, size, rewrite=rewrite)
            with pytest.raises(NotHereError):
                log.start([whole])
