"""
Two processes with one store: what one process folds again, the other has in memory in its old form.

The second one is another engine of the same folder, which shares no memory with the first, or a process of its own. Each
test ends with a check of the whole store: it is what its log says, and what every other device has.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Final

import pytest

import edda_sync as edda
from edda_sync.changes.past import Pasts
from edda_sync.crdt.keys import key_of
from edda_sync.engine import doctor
from edda_sync.engine.engine import StorageEngine
from edda_sync.fold.view import View
from edda_sync.store.seams import StoreWriter
from edda_sync.testing import devices, pair, replica_of, sync
from edda_sync.words import limits
from edda_sync.words.values import id_bytes
from tests.sync.copies import assert_equal, copier, meet_all, own_actor
from tests.sync.newcomers import BY_SEGMENT, alter, begin_with_segment, is_provisional, met, newcomers

Opener = Callable[[StorageEngine], StorageEngine]

PROGRAM: Final = """
import sys
from pathlib import Path
from edda_sync.words.config import StorageConfig
from edda_sync.engine.engine import StorageEngine
home, state, name, document = sys.argv[1:]
with StorageEngine(Path(home)) as store:
    store.open_store(StorageConfig(name=name, state_path=Path(state) if state else None))
    for line in sys.stdin:
        store.edit_text(document, "content", [(0, 0, line.strip() + " ")])
        print(store.get_document(document).content, flush=True)
"""


@pytest.fixture
def beside() -> Iterator[Opener]:
    """Opens a store a second time."""
    with ExitStack() as stack:

        def opened(engine: StorageEngine) -> StorageEngine:
            second = StorageEngine(engine.home)
            second.open_store(engine.config)
            stack.callback(second.close)
            return second

        yield opened


def content(engine: StorageEngine, document: str) -> str:
    """The content of a document."""
    read = engine.get_document(document)
    assert read is not None
    return read.content or ""


def is_sound(engine: StorageEngine) -> bool:
    """Tell whether another process finds the store to be what its log says; changes may be missing if it was put back."""
    other = StorageEngine(engine.home)
    other.open_store(engine.config)
    found = [finding for finding in doctor.check(other) if not finding.sound and finding.check != "missing"]
    other.close()
    return found == []


def test_a_program_goes_on_with_what_it_wrote_before_the_first_sync(tmp_path: Path, beside: Opener) -> None:
    """Early changes are folded again after what the log says, by the process that has the sessions."""
    with devices(2) as (laptop, phone):
        laptop.create_task(edda.Task(title="before the tablet came"))
        with StorageEngine(tmp_path / "tablet") as tablet:
            tablet.open_store(edda.StorageConfig(state_path=tmp_path / "state", name="tablet"))
            pair(laptop, tablet)
            program = beside(tablet)
            document = program.create_document(edda.Document(title="Note", content="start"))
            program.edit_text(document, "content", [(5, 0, " one")])
            program.edit_text(document, "content", [(0, 0, "zero ")])
            sync(tablet, laptop)
            for word in ("more", "again"):
                program.edit_text(document, "content", [(0, 0, f"{word} ")])
            assert is_sound(tablet)
            sync(tablet, laptop)
            sync(laptop, phone)
            for engine in (laptop, phone, tablet, program):
                assert content(engine, document) == "again more zero start one"


@pytest.mark.parametrize("edits", [1, 4])
def test_a_text_in_memory_has_the_names_of_after_a_fork(tmp_path: Path, beside: Opener, edits: int) -> None:
    """With one edit, no edit is in the text's tail, and a serial number would not show that it was written again."""
    with devices(3) as (laptop, phone, tablet), copier(tmp_path) as copy:
        document = laptop.create_document(edda.Document(title="Note", content="start"))
        meet_all([laptop, phone, tablet])
        twin = copy(laptop)
        for number in range(edits):
            laptop.edit_text(document, "content", [(0, 0, f"{number} ")])
        twin.create_task(edda.Task(title="of the other branch"))
        sync(laptop, phone)
        sync(twin, tablet)
        program = beside(phone)
        key = key_of("document", id_bytes("id", document))
        (text,) = [each for each in program.store.transact(lambda tx: tx.states.texts()) if each[0] == key]
        program.store.transact(lambda tx: program.ledger.texts.document(View(tx), text).string())
        sync(phone, tablet)  # each has one branch: the fork is proved
        for word in ("a", "b"):
            program.edit_text(document, "content", [(1, 1, word)])
        assert is_sound(phone)
        meet_all([laptop, twin, phone, tablet])
        assert_equal([laptop, twin, phone, tablet])
        assert content(program, document) == content(tablet, document)


def test_a_past_in_memory_has_the_names_of_after_a_fork(tmp_path: Path, beside: Opener) -> None:
    with devices(3) as (laptop, phone, tablet), copier(tmp_path) as copy:
        base = laptop.create_task(edda.Task(title="base"))
        meet_all([laptop, phone, tablet])
        twin = copy(laptop)
        for store, word in ((laptop, "one"), (twin, "two")):
            store.update_task(edda.Task(id=base, title=word))
        sync(laptop, phone)
        sync(twin, tablet)
        program = beside(phone)
        for priority in (0, 1):
            program.update_task(edda.Task(id=base, priority=priority))  # its past is in memory, and goes on with each
        sync(phone, tablet)

        def of_own(tx: StoreWriter, pasts: Pasts) -> dict[bytes, int]:
            return pasts.of(tx, tx.log.heads()[own_actor(phone)])

        kept = program.store.transact(lambda tx: of_own(tx, program.ledger.pasts))
        assert kept == program.store.transact(lambda tx: of_own(tx, Pasts()))
        program.update_task(edda.Task(id=base, title="three"))
        assert is_sound(phone)
        meet_all([laptop, twin, phone, tablet])
        assert_equal([laptop, twin, phone, tablet])


@pytest.mark.parametrize("how", ["rebuild", "refold"])
def test_a_text_in_memory_is_read_anew_after_the_store_was_mended(beside: Opener, how: str) -> None:
    with devices(2) as (laptop, phone):
        document = laptop.create_document(edda.Document(title="Note", content="start"))
        for number in range(3):
            laptop.edit_text(document, "content", [(0, 0, f"{number} ")])
        program = beside(laptop)
        program.edit_text(document, "content", [(0, 0, "p ")])
        if how == "rebuild":
            laptop.rebuild()
        else:
            laptop.refold([key_of("document", id_bytes("id", document))])
        program.edit_text(document, "content", [(0, 0, "more ")])
        laptop.edit_text(document, "content", [(0, 0, "and ")])
        assert content(program, document) == content(laptop, document) == "and more p 2 1 0 start"
        assert is_sound(laptop)
        sync(laptop, phone)
        assert content(phone, document) == content(laptop, document)


def test_a_text_in_memory_is_read_anew_after_a_segment_was_dropped(tmp_path: Path, beside: Opener) -> None:
    with devices(2) as (laptop, phone), newcomers(tmp_path, "sqlite") as newcomer:
        document = laptop.create_document(edda.Document(title="Note", content="start"))
        sync(laptop, phone)
        tablet = newcomer(phone)
        sync(laptop, phone)
        alter(laptop, "document", document, content="forged")
        begin_with_segment(laptop, tablet)
        laptop.rebuild()
        program = beside(tablet)
        made = program.create_document(edda.Document(title="Own", content="own"))
        for each in (document, made):
            program.edit_text(each, "content", [(0, 0, "my ")])
            program.edit_text(each, "content", [(0, 0, "in ")])
        met(tablet, phone)
        assert is_provisional(tablet) is None
        program.edit_text(made, "content", [(0, 0, "all ")])
        program.edit_text(document, "content", [(0, 0, "now ")])
        assert content(program, made) == "all in my own"
        assert is_sound(tablet)
        sync(tablet, phone)
        sync(laptop, phone)
        for each in (document, made):
            assert content(laptop, each) == content(tablet, each) == content(program, each)
        assert "start" in content(tablet, document)


def test_what_was_folded_anew_in_a_transaction_that_left_no_trace_is_in_nobodys_memory(beside: Opener) -> None:
    """The number that was counted up in it is used again, for something else."""
    with devices(2) as (laptop, phone):
        document = laptop.create_document(edda.Document(title="Note", content="start"))
        laptop.edit_text(document, "content", [(0, 0, "a ")])
        laptop.edit_text(document, "content", [(0, 0, "b ")])
        program = beside(laptop)
        key = key_of("document", id_bytes("id", document))

        def fail(tx: StoreWriter) -> None:
            laptop.ledger.refold(tx, [key])
            laptop.ledger.commit(tx, [], 1)
            raise RuntimeError("on purpose")

        with pytest.raises(RuntimeError, match="on purpose"):
            laptop.store.transact(fail)
        program.edit_text(document, "content", [(0, 0, "c ")])
        program.refold([key])
        laptop.edit_text(document, "content", [(0, 0, "d ")])
        assert content(laptop, document) == "d c b a start"
        assert is_sound(laptop)
        sync(laptop, phone)
        assert content(phone, document) == "d c b a start"


def test_a_segment_of_before_something_was_folded_anew_is_not_served(
    beside: Opener, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "SEGMENT_SAVES_US_MIN", BY_SEGMENT)
    with devices(2) as (laptop, phone):
        document = laptop.create_document(edda.Document(title="Note", content="start"))
        sync(laptop, phone)
        making = replica_of(laptop).exchange.making
        made = making.given({})
        assert made is not None
        assert making.given({}) == made
        key = key_of("document", id_bytes("id", document))

        def refold(tx: StoreWriter) -> None:
            program.ledger.refold(tx, [key])

        program = beside(laptop)
        program.store.transact(refold)
        again = making.given({})
        assert again is not None
        assert again != made
        assert making.given({}) == again


def test_a_store_that_was_put_back_while_it_was_closed_is_read_anew(tmp_path: Path) -> None:
    """The engine is the same, and has a file in memory that does not exist any more."""
    with devices(2) as (laptop, phone):
        document = laptop.create_document(edda.Document(title="Note", content="start"))
        laptop.edit_text(document, "content", [(0, 0, "a ")])
        laptop.edit_text(document, "content", [(0, 0, "b ")])
        laptop.close()
        shutil.copytree(laptop.home, tmp_path / "backup")
        laptop.open_store(laptop.config)
        for word in ("c", "d"):
            laptop.edit_text(document, "content", [(0, 0, f"{word} ")])
        laptop.close()
        shutil.rmtree(laptop.home)
        shutil.copytree(tmp_path / "backup", laptop.home)
        laptop.open_store(laptop.config)
        laptop.edit_text(document, "content", [(0, 0, "e ")])
        assert content(laptop, document) == "e b a start"
        assert is_sound(laptop)
        sync(laptop, phone)
        assert content(phone, document) == "e b a start"


def test_a_process_of_its_own_goes_on_with_a_text_that_another_one_folded_anew(tmp_path: Path) -> None:
    with devices(2) as (laptop, phone):
        document = laptop.create_document(edda.Document(title="Note", content="start"))
        for number in range(2):
            laptop.edit_text(document, "content", [(0, 0, f"{number} ")])
        state = laptop.config.state_path
        command = [
            sys.executable,
            "-c",
            PROGRAM,
            str(laptop.home),
            str(state or ""),
            laptop.config.name or "",
            document,
        ]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
            typed, read = process.stdin, process.stdout
            assert typed is not None
            assert read is not None

            def types(word: str) -> str:
                typed.write(f"{word}\n")
                typed.flush()
                return read.readline().strip()

            try:
                assert types("p") == "p 1 0 start"
                laptop.rebuild()
                assert types("q") == "q p 1 0 start"
                laptop.refold([key_of("document", id_bytes("id", document))])
                laptop.edit_text(document, "content", [(0, 0, "l ")])
                assert types("r") == "r l q p 1 0 start"
                typed.close()
                assert process.wait(timeout=60) == 0
            finally:
                process.kill()
        assert is_sound(laptop)
        sync(laptop, phone)
        assert content(phone, document) == content(laptop, document) == "r l q p 1 0 start"
