"""Schedules that broke earlier drafts, 7 to 11: texts that start, are edited, replaced and shared between processes."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import pytest

import edda_sync as edda
from edda_sync.engine import StorageEngine
from edda_sync.errors import InvalidValueError, NotFoundError
from edda_sync.testing import devices, sync

Engines = tuple[StorageEngine, StorageEngine]
NOTE = "0192f0c1-0000-7000-8000-00000000beef"


class Clock:
    """The wall clock of whoever writes next, in seconds after a moment."""

    def __init__(self) -> None:
        self.s = 0.0

    def __call__(self) -> float:
        return 1_800_000_000 + self.s


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(params=["memory", "sqlite"])
def two(request: pytest.FixtureRequest, clock: Clock) -> Iterator[Engines]:
    with devices(2, backend=request.param, now=clock) as (laptop, phone):
        yield laptop, phone


def content(engine: StorageEngine, note: str = NOTE) -> str | None:
    document = engine.get_document(note)
    assert document is not None
    return document.content


def both(engines: Engines) -> str | None:
    """Sync, and return what the note reads on either."""
    laptop, phone = engines
    sync(laptop, phone)
    assert laptop.table("documents") == phone.table("documents")
    assert laptop.conflicts() == phone.conflicts()
    assert laptop.digest() == phone.digest()
    for engine in engines:
        read = content(engine)
        engine.rebuild()
        assert content(engine) == read
    return content(laptop)


def shared_note(engines: Engines, words: str | None) -> None:
    engines[0].create_document(edda.Document(id=NOTE, title="Note", content=words))
    sync(*engines)


# --- 7 and 8: starts --------------------------------------------------------------------------------------------------


def test_counterexample_7_of_two_first_texts_one_is_shown_and_the_other_kept_with_its_edits(
    two: Engines, clock: Clock
) -> None:
    laptop, phone = two
    laptop.create_document(edda.Document(id=NOTE, title="Note", content="hello world"))
    laptop.edit_text(NOTE, "content", [(0, 5, "goodbye")])
    clock.s += 1
    phone.create_document(edda.Document(id=NOTE, title="Note", content="HELLO"))
    phone.edit_text(NOTE, "content", [(5, 0, "!")])
    assert both(two) == "HELLO!"
    (conflict,) = laptop.conflicts()
    assert (conflict.field, conflict.shown.value) == ("content", "HELLO!")
    assert [kept.value for kept in conflict.kept] == ["goodbye world"]
    laptop.edit_text(NOTE, "content", [(6, 0, "!")])
    assert both(two) == "HELLO!!"


def test_counterexample_7_the_same_first_text_on_two_devices_is_one_text_with_the_edits_of_both(
    two: Engines, clock: Clock
) -> None:
    laptop, phone = two
    laptop.create_document(edda.Document(id=NOTE, title="Note", content="hello world"))
    laptop.edit_text(NOTE, "content", [(5, 0, ",")])
    clock.s += 1
    phone.create_document(edda.Document(id=NOTE, title="Note", content="hello world"))
    phone.edit_text(NOTE, "content", [(11, 0, "!")])
    assert both(two) == "hello, world!"
    assert laptop.conflicts() == []


def test_counterexample_7_an_edit_shows_though_the_other_device_wrote_the_same_start_later(
    two: Engines, clock: Clock
) -> None:
    """The later stamp is that of a bare start, and the edit is of the text that starts so: they are one."""
    laptop, phone = two
    laptop.create_document(edda.Document(id=NOTE, title="Note", content="hello world"))
    laptop.edit_text(NOTE, "content", [(5, 0, ",")])
    clock.s += 60
    phone.create_document(edda.Document(id=NOTE, title="Note", content="hello world"))
    assert both(two) == "hello, world"
    assert laptop.conflicts() == []
    phone.edit_text(NOTE, "content", [(12, 0, "!")])
    assert both(two) == "hello, world!"


def test_counterexample_8_an_empty_field_filled_on_both_sides_with_the_same_words_reads_them_once(two: Engines) -> None:
    shared_note(two, None)
    for engine in two:
        engine.update_document(edda.Document(id=NOTE, content="the same words"))
    assert both(two) == "the same words"
    assert two[0].conflicts() == []


def test_words_that_come_back_after_they_were_edited_and_cleared_read_as_they_were_written(two: Engines) -> None:
    """The text of that start exists, with its edits: those must not come back with the words."""
    laptop, phone = two
    shared_note(two, "the end")
    laptop.edit_text(NOTE, "content", [(0, 4, "")])
    laptop.update_document(edda.Document(id=NOTE, content=None))
    sync(*two)
    laptop.update_document(edda.Document(id=NOTE, content="the end"))
    assert both(two) == "the end"
    phone.edit_text(NOTE, "content", [(7, 0, ".")])
    laptop.edit_text(NOTE, "content", [(0, 3, "THE")])
    assert both(two) == "THE end."


def test_a_text_cleared_here_and_edited_there_keeps_the_edit_beside_it(two: Engines, clock: Clock) -> None:
    laptop, phone = two
    shared_note(two, "draft")
    phone.edit_text(NOTE, "content", [(5, 0, " two")])
    clock.s += 1
    laptop.update_document(edda.Document(id=NOTE, content=None))
    assert both(two) is None
    (conflict,) = phone.conflicts()
    assert [kept.value for kept in conflict.kept] == ["draft two"]


# --- 9: what fails leaves nothing -------------------------------------------------------------------------------------


def test_counterexample_9_an_exception_inside_a_text_edit_leaves_no_phantom(two: Engines) -> None:
    laptop, _ = two
    shared_note(two, "base")
    with pytest.raises(InvalidValueError):
        laptop.edit_text(NOTE, "content", [(4, 0, " phantom"), (99, 0, "outside")])

    def interrupted() -> None:
        with laptop.begin_transaction() as tx:
            tx.edit_text(NOTE, "content", [(4, 0, " phantom")])
            raise RuntimeError("somebody pulled the plug")

    with pytest.raises(RuntimeError, match="somebody pulled the plug"):
        interrupted()
    laptop.edit_text(NOTE, "content", [(0, 0, "real ")])
    assert both(two) == "real base"


def test_counterexample_9_a_transaction_that_fails_after_its_text_was_edited_leaves_no_phantom(two: Engines) -> None:
    """The edit is made in memory before the last operation of the change is refused."""
    laptop, _ = two
    shared_note(two, "base")
    laptop.edit_text(NOTE, "content", [(0, 0, "")])  # the document is in memory
    tx = laptop.begin_transaction()
    tx.edit_text(NOTE, "content", [(4, 0, " phantom")])
    tx.delete_task("0192f0c1-0000-7000-8000-00000000dead")
    with pytest.raises(NotFoundError):
        tx.commit()
    assert tx.state is edda.TransactionState.ABORTED
    assert content(laptop) == "base"
    laptop.edit_text(NOTE, "content", [(0, 0, "real ")])
    assert both(two) == "real base"


# --- 10: two processes ------------------------------------------------------------------------------------------------

COMMAND = """
import sys
import edda_sync as edda
home, state, note = sys.argv[1:]
from pathlib import Path
with edda.open(home, edda.StorageConfig(state_path=Path(state))) as store:
    print("held", store.get_document(note).content, flush=True)
    store.edit_text(note, "content", [(0, 0, "+")])  # its text is in memory from here on
    for line in sys.stdin:
        text = store.get_document(note).content
        store.edit_text(note, "content", [(len(text), 0, line.strip())])
        print("done", flush=True)
"""


def test_counterexample_10_two_processes_that_hold_one_document_in_memory_both_write_into_it() -> None:
    with devices(2) as (device, phone):
        shared_note((device, phone), "start")
        device.edit_text(NOTE, "content", [(5, 0, ":")])
        assert device.config.state_path is not None
        with subprocess.Popen(
            [sys.executable, "-c", COMMAND, str(device.home), str(device.config.state_path), NOTE],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        ) as command:
            assert command.stdin is not None
            assert command.stdout is not None

            def command_writes(words: str) -> None:
                assert command.stdin is not None
                assert command.stdout is not None
                command.stdin.write(words + "\n")
                command.stdin.flush()
                assert command.stdout.readline() == "done\n"

            assert command.stdout.readline() == "held start:\n"
            command_writes("-cli")
            device.edit_text(NOTE, "content", [(len(content(device) or ""), 0, "-up")])
            command_writes("-cli2")
            device.edit_text(NOTE, "content", [(0, 1, "")])
            command.stdin.close()
            assert command.wait(60) == 0
        assert both((device, phone)) == "start:-cli-up-cli2"
        assert len(device.frontier()) == 1, "both processes write under the one actor of their store"


# --- 11: long runs of what is gone ------------------------------------------------------------------------------------


def test_counterexample_11_what_is_inserted_and_deleted_in_one_transaction_passes_on_the_peer(two: Engines) -> None:
    """The update's run of deleted items is longer than its bytes: honest, and no bomb."""
    laptop, phone = two
    shared_note(two, "ab")
    with laptop.begin_transaction() as tx:
        tx.edit_text(NOTE, "content", [(1, 0, "x" * 100_000), (1, 100_000, ""), (1, 0, "!")])
    assert both(two) == "a!b"
    assert phone.waiting() == 0
