from __future__ import annotations

from functools import partial

import pytest

from edda_sync.crdt import records
from edda_sync.crdt.keys import key_of
from edda_sync.crdt.operation import Delete, Operation, Put, Touch, Unread
from edda_sync.fold.fold import Fold
from edda_sync.store.delta import apply
from edda_sync.store.seams import StoreWriter
from tests.crdt.authors import LAPTOP, PHONE, TABLET, device
from tests.crdt.works import OTHER, TABLET_ID, TASK
from tests.fold.folded import AUTHOR, REFUSED, TITLE, A, B, C, Folded


@pytest.mark.parametrize("operation", REFUSED.values(), ids=REFUSED)
def test_an_operation_that_no_version_takes_is_refused_as_a_whole_and_the_others_are_folded(
    folded: Folded, operation: Operation | Unread
) -> None:
    folded.receive(TITLE)
    folded.receive(operation, Put("task", TASK, {"status": "done"}), past={A: 1})
    ((_, title, description, status, priority, *_),) = folded.table("tasks")
    assert (title, description, status, priority) == ("t", None, "done", 2)
    assert (folded.refused, folded.waiting) == (1, 0)
    assert folded.is_sound()


@pytest.mark.parametrize("operation", REFUSED.values(), ids=REFUSED)
def test_a_refused_operation_counts_in_the_state_of_its_entity(folded: Folded, operation: Operation | Unread) -> None:
    folded.receive(operation)
    (unapplied,) = folded.look(lambda reader: reader.unapplied.operations())
    kind, entity_id = ("workspace", bytes(16)) if operation.kind is None else (operation.kind, operation.id)
    assert entity_id is not None
    assert unapplied.entity == key_of(kind, entity_id)
    entity = folded.entity(kind, entity_id)
    assert entity is not None
    assert (entity.refused.size, entity.touched, entity.deleted, entity.cells) == (1, {}, {}, {})
    assert entity.hidden
    digest = folded.look(lambda reader: reader.index.digest())
    folded.receive(operation)
    assert folded.look(lambda reader: reader.index.digest()) != digest
    assert folded.table("tasks") == folded.table("documents") == folded.table("tags") == []


def test_an_entity_that_was_only_mentioned_does_not_exist(folded: Folded) -> None:
    def work(tx: StoreWriter) -> None:
        fold = Fold(tx, folded.texts, write=partial(apply, tx))
        fold.begin(A, 1, 0, {}, 1, AUTHOR)
        fold.receive([Delete("device", OTHER, ((B, 5),)), Put("task", OTHER, {"title": ""})])
        for kind in ("device", "task"):  # otherwise its membership would depend on what came in one batch
            assert fold.entities.existing(kind, OTHER) is None
        fold.flush()
        assert Fold(tx, folded.texts, write=partial(apply, tx)).entities.existing("task", OTHER) is None

    folded.store.transact(work)


def test_a_deletion_counts_only_for_what_its_author_had_seen(folded: Folded) -> None:
    """Whatever it claims, a number that is too large hides nothing that comes later or from somebody else."""
    folded.receive(TITLE)
    folded.receive(Delete("task", TASK, ((A, 99), *sorted([(B, 7), (C, 7)]))), past={A: 1})
    entity = folded.entity("task", TASK)
    assert entity is not None
    assert entity.deleted == {A: 2}  # itself is in its past
    assert folded.table("tasks") == []
    folded.receive(Touch("task", TASK), past={A: 2})
    assert len(folded.table("tasks")) == 1


# --- devices ----------------------------------------------------------------------------------------------------------


def test_a_device_s_record_is_written_once(folded: Folded) -> None:
    folded.receive(device(TABLET, LAPTOP, "tablet"))
    again = Put("device", TABLET_ID, {"record": device(TABLET, LAPTOP).cells["record"], "name": "renamed"})
    folded.receive(again, past={A: 1})
    folded.receive(device(TABLET, PHONE), past={A: 2}, author=PHONE.public_key, actor=B, seq=1)
    entity = folded.entity("device", TABLET_ID)
    assert entity is not None
    assert [write[:2] for write in entity.cells["record"]] == [(A, 1)]
    assert entity.value("name") == "tablet"
    assert (folded.refused, folded.waiting) == (2, 0)


@pytest.mark.parametrize("phone_first", [False, True])
def test_two_records_of_one_device_that_members_write_at_once_both_stay(folded: Folded, phone_first: bool) -> None:
    written = [(A, LAPTOP), (B, PHONE)]
    for actor, identity in reversed(written) if phone_first else written:
        folded.receive(device(TABLET, identity), actor=actor, seq=1, author=identity.public_key)
    entity = folded.entity("device", TABLET_ID)
    assert entity is not None
    said = {write[0]: records.decode_device(write[3]).added_by for write in entity.cells["record"]}
    assert said == {A: LAPTOP.public_key, B: PHONE.public_key}
    assert folded.refused == 0


def test_a_device_is_added_in_the_name_of_its_author_and_of_nobody_else(folded: Folded) -> None:
    folded.receive(device(TABLET, PHONE))
    assert folded.entity("device", TABLET_ID).cells == {}  # type: ignore[union-attr]
    folded.receive(device(TABLET, PHONE), author=PHONE.public_key, actor=B, seq=1)
    assert "record" in folded.entity("device", TABLET_ID).cells  # type: ignore[union-attr]
    assert folded.refused == 1


def test_a_device_is_never_deleted(folded: Folded) -> None:
    folded.receive(device(TABLET, LAPTOP))
    folded.receive(Delete("device", TABLET_ID, ((A, 1),)), past={A: 1})
    entity = folded.entity("device", TABLET_ID)
    assert entity is not None
    assert not entity.hidden
    assert entity.deleted == {}
    assert folded.refused == 1
