from __future__ import annotations

import msgspec

from edda_sync.crdt.frontier import Frontier
from edda_sync.crdt.keys import key_of
from edda_sync.crdt.operation import Edit, Put
from edda_sync.crdt.text import edits
from edda_sync.crdt.text.document import TextDocument, genesis_id
from edda_sync.fold.texts import Texts
from edda_sync.store.seams import StoreWriter
from edda_sync.words import values
from tests.crdt.works import OTHER, TASK
from tests.fold.folded import A, B, Folded


def edit_of(
    start: str, dot: tuple[bytes, int], deps: Frontier, made: list[tuple[int, int, str]], entity: bytes = TASK
) -> Edit:
    """An edit, by a change that has seen others, of a description that the first change of A started."""
    genesis = genesis_id(entity, "description", start)
    document = TextDocument.start(genesis, start, [(A, 1)])
    return Edit("task", entity, "description", genesis, edits.encode(document.edit(dot, deps, made)))


STARTED = Put("task", TASK, {"title": "t", "description": "hello"})


def test_texts_of_one_id_are_edited_apart(folded: Folded) -> None:
    folded.receive(STARTED)
    folded.receive(Put("document", TASK, {"title": "d", "content": "hello"}), past={A: 1})
    folded.receive(edit_of("hello", (A, 3), {A: 2}, [(5, 0, "!")]), past={A: 2})
    assert folded.look(lambda reader: reader.index.stale()) == [key_of("task", TASK)]
    folded.refresh()
    assert (folded.table("tasks")[0][2], folded.table("documents")[0][3]) == ("hello!", "hello")


def test_a_row_no_longer_waits_for_an_edited_text_that_was_replaced(folded: Folded) -> None:
    folded.receive(STARTED)
    folded.receive(edit_of("hello", (A, 2), {A: 1}, [(5, 0, "!")]), past={A: 1})
    assert folded.look(lambda reader: reader.index.stale()) == [key_of("task", TASK)]
    folded.receive(Put("task", TASK, {"description": None}), past={A: 2})
    assert folded.look(lambda reader: reader.index.stale()) == []
    assert folded.table("tasks")[0][2] is None


def test_an_edit_of_a_text_that_was_replaced_meanwhile_is_kept_as_a_conflict_with_its_words(folded: Folded) -> None:
    folded.receive(STARTED)
    folded.receive(Put("task", TASK, {"description": "other"}), past={A: 1})
    folded.receive(edit_of("hello", (B, 1), {A: 1}, [(5, 0, "!")]), actor=B, seq=1, past={A: 1})
    folded.refresh()
    assert folded.table("tasks")[0][2] == "other"  # of the later moment
    assert folded.look(lambda reader: reader.index.conflicted()) == [key_of("task", TASK)]
    assert folded.refused == folded.waiting == 0


def test_an_edit_that_no_honest_device_writes_is_refused_and_freezes_nothing(folded: Folded) -> None:
    folded.receive(STARTED)
    sound = edit_of("hello", (A, 2), {A: 1}, [(5, 0, "!")])
    folded.receive(
        msgspec.structs.replace(sound, edit=sound.edit[:-1]), Put("task", TASK, {"priority": 0}), past={A: 1}
    )
    ((_, _, description, _, priority, *_),) = folded.table("tasks")
    assert (description, priority) == ("hello", 0)
    assert (folded.refused, folded.waiting) == (1, 0)
    folded.receive(edit_of("hello", (A, 3), {A: 2}, [(5, 0, "?")]), past={A: 2})
    folded.refresh()
    assert folded.table("tasks")[0][2] == "hello?"


def test_a_change_writes_one_text_of_a_field(folded: Folded) -> None:
    folded.receive(STARTED)
    edit = edit_of("hello", (A, 2), {A: 1}, [(5, 0, "!")])
    folded.receive(Put("task", TASK, {"description": "other"}), edit, past={A: 1})
    assert folded.table("tasks")[0][2] == "other"
    assert folded.refused == 1


def test_a_text_first_edited_by_another_process_is_read_from_the_store_and_not_from_memory(folded: Folded) -> None:
    folded.receive(STARTED)
    sound = edit_of("hello", (A, 2), {A: 1}, [(5, 0, "!")])
    folded.receive(
        msgspec.structs.replace(sound, edit=b"\1\2\3"), past={A: 1}
    )  # the start is in memory, and not stored
    ours, folded.texts = folded.texts, Texts()  # another process
    folded.receive(edit_of("hello", (B, 1), {A: 1}, [(5, 0, " there")]), actor=B, seq=1, past={A: 1})
    folded.texts = ours
    folded.refresh()
    assert folded.table("tasks")[0][2] == "hello there"


def test_one_text_that_cannot_be_read_keeps_no_other_from_being_brought_up_to_date(folded: Folded) -> None:
    folded.receive(STARTED, msgspec.structs.replace(STARTED, id=OTHER))
    for number, task in enumerate((TASK, OTHER)):
        folded.receive(edit_of("hello", (A, 2 + number), {A: 1 + number}, [(5, 0, "!")], task), past={A: 1 + number})

    def rot(tx: StoreWriter) -> None:
        tx.states.put_text(key_of("task", TASK), "description", genesis_id(TASK, "description", "hello"), b"rot", 9)

    folded.store.transact(rot)
    folded.texts.forget()
    folded.refresh()
    reads = {row[0]: row[2] for row in folded.table("tasks")}
    assert reads == {values.id_text(TASK): "hello", values.id_text(OTHER): "hello!"}
    assert folded.look(lambda reader: reader.index.stale()) == [key_of("task", TASK)], "the scrub names it"
