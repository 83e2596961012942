"""What ``edda status`` says beyond counts: what waits, what is refused, what a segment says without proof, and lives."""

from __future__ import annotations

import re
import shutil
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Any

import msgspec
import pytest

from edda_sync.cli import status
from edda_sync.cli.status import _peer_state
from edda_sync.engine import standing
from edda_sync.engine.engine import StorageEngine
from edda_sync.fold.unapplied import UNREADABLE
from edda_sync.store.seams import StoreWriter, Unapplied
from edda_sync.sync.kept import note
from edda_sync.sync.proving import Difference
from edda_sync.sync.provisional import FORGED_KEY, PROVISIONAL_KEY, Provisional
from edda_sync.testing import devices, pair, sync
from edda_sync.words import limits
from edda_sync.words.config import StorageConfig
from edda_sync.words.model import Document, Task
from edda_sync.words.values import id_bytes
from tests.sync.test_births import many_lives

QUIET = ("waiting:", "refused:", "history:", "lie:", "kept:", "copies:", "lives:", "fork:")


@contextmanager
def opened(home: Path) -> Iterator[StorageEngine]:
    with StorageEngine(home) as engine:
        engine.open_store()
        yield engine


def change(edda: Any, work: Callable[[StoreWriter], None]) -> None:
    """Change a store behind the command's back."""
    with opened(edda.home) as engine:
        engine.store.transact(work)


def test_the_status_of_a_store_without_problems_is_short(edda: Any) -> None:
    edda("task", "add", "Buy milk")
    told = edda("status").stdout
    assert not [word for word in QUIET if word in told]


def test_actors_are_shown_in_hex(edda: Any) -> None:
    edda("task", "add", "Buy milk")
    found = edda.json("status")
    ((actor, seq),) = found["frontier"].items()
    assert re.fullmatch("[0-9a-f]{32}", actor)
    assert seq == found["changes"] == 2
    with opened(edda.home) as engine:
        assert {bytes.fromhex(actor): seq} == engine.frontier()


def test_waiting_and_refused_operations_are_told_apart(edda: Any) -> None:
    notes = [Unapplied(1, 1, UNREADABLE, False, "newer"), Unapplied(1, 2, UNREADABLE, True, "malformed")]
    change(edda, lambda tx: tx.unapplied.add([*notes, notes[1]._replace(number=3)]))
    found = edda.json("status")
    assert (found["waiting"], found["refused"]) == (1, 2)
    told = edda("status").stdout
    assert "waiting: 1 that this version could not apply; update edda-sync here" in told
    assert "refused: 2 that break the rules" in told


def test_a_store_that_began_with_a_segment_says_how_much_of_the_log_behind_it_is_here(edda: Any) -> None:
    begun = Provisional(bytes(32), bytes(32), bytes(32), 5_001, 5_000)

    def begin(tx: StoreWriter) -> None:
        tx.meta.set(PROVISIONAL_KEY, msgspec.msgpack.encode(begun))
        head = next(iter(tx.log.heads().values()))
        tx.segments.set_behind(head._replace(actor=b"a" * 16, seq=1_200))
        tx.segments.set_behind(head._replace(actor=b"b" * 16, seq=34))

    change(edda, begin)
    assert edda.json("status")["provisional"] == {"here": 1_234, "of": 5_000}
    assert "history: 1,234 of 5,000 changes came so far" in edda("status").stdout


def test_the_maker_of_a_false_segment_is_named(edda: Any) -> None:
    with opened(edda.home) as engine:
        maker = engine.identity
    change(edda, lambda tx: tx.meta.set(FORGED_KEY, maker.public_key))
    assert edda.json("status")["forged_by"] == maker.device
    assert f"lie: the state that {maker.device[:8]} sent" in edda("status").stdout


def test_texts_that_the_changes_did_not_confirm_are_named(edda: Any) -> None:
    with opened(edda.home) as engine:
        kept = engine.create_document(Document(title="Kept: Note", content="words"))
        gone = engine.create_document(Document(title="Kept: Other", content="seen, and deleted"))
        engine.delete_document(gone)
    change(edda, lambda tx: note(tx, [id_bytes("id", each) for each in (kept, gone)]))
    assert edda.json("status")["kept_in"] == [kept]
    assert (
        f"kept: texts from before, where the changes say something else; `edda doc show ID` shows each of {kept[-12:]}"
        in edda("status").stdout
    )


@pytest.fixture
def copies(another_edda: Callable[[str], Any], tmp_path: Path) -> tuple[Any, Any]:
    """A store and a copy of it that both wrote, and heard of each other through a phone."""
    edda, copy = another_edda("laptop"), another_edda("copy")
    edda("init", "--name", "laptop")
    edda("task", "add", "before")
    shutil.copytree(edda.home, copy.home)
    with opened(edda.home) as laptop, opened(copy.home) as other, StorageEngine(tmp_path / "phone") as phone:
        phone.open_store(StorageConfig(name="phone"))
        pair(laptop, phone)
        other.create_task(Task(title="in the copy"))
        laptop.create_task(Task(title="in the original"))
        for _ in range(2):
            sync(laptop, phone)
            sync(other, phone)
    return edda, copy


def test_a_store_that_exists_more_than_once_says_so(copies: tuple[Any, Any]) -> None:
    for each in copies:
        found = each.json("status")
        assert found["copies"] == 1
        why = {"a copy, or a store whose state was lost": 1}
        assert found["lives"][found["device"]] == {"all": 2, "writing": 2, "why": why}
        assert found["forked"] == []
        wrote, quiet = found["copy_wrote_at"], found["copy_quiet_at"]
        assert (date.fromisoformat(quiet[:10]) - date.fromisoformat(wrote[:10])).days == 30
        said = each("status").stdout
        assert "copies: this device's store exists more than once; another copy of it wrote too, last " in said
        assert f"last {wrote[:10]} {wrote[11:19]}Z. Nothing is lost; use only one, or type `edda split NAME` on" in said
        assert f"This ends once no copy has written until {quiet[:10]}." in said
        assert f"more than once (a copy wrote on {wrote[:10]})" in each("doctor").stdout


def test_a_store_that_goes_on_in_another_life_says_why(another_edda: Callable[[str], Any]) -> None:
    edda, moved = another_edda("laptop"), another_edda("moved")
    edda("task", "add", "before")
    assert "begun anew" not in edda("doctor").stdout
    shutil.copytree(edda.home, moved.home)
    moved("task", "add", "in the copy")
    assert (
        "lives: this store goes on in life 2 (1 time: a copy, or a store whose state was lost); if its original is used on, "
        "`edda split NAME` makes this a device of its own" in moved("status").stdout
    )
    assert "2 lives of the stores of 1 device; begun anew: 1 (a copy, or a store whose" in moved("doctor").stdout


@pytest.mark.parametrize("more", [0, 1])
def test_a_device_with_implausibly_many_lives_is_named(edda: Any, more: int) -> None:
    with opened(edda.home) as engine:
        engine.store.transact(lambda tx: many_lives(engine, tx, limits.LEAVES_MAX + more))
        device = engine.identity.device
    told = edda("status").stdout
    assert (f"laptop ({device[:8]}) has {limits.LEAVES_MAX + 1} stores that write" in told) == bool(more)
    found = edda("doctor", code=1 if more else 0)
    assert ("more stores write than can be meant" in found.stdout) == bool(more)


def test_a_peer_with_different_content_from_the_same_changes_differs_from_one_that_is_being_compared() -> None:
    known = standing.Remembered()

    def said(**now: Any) -> str:
        return _peer_state(standing.peer("d", "phone", known, connected=True, behind=0, ahead=0, waiting=0, **now))

    assert said() == "comparing"
    two = [standing.difference(Difference(bytes(17), b"ours", b"")) for _ in range(2)]
    assert two[0] == {"kind": "task", "id": str(uuid.UUID(int=0)), "ours": b"ours".hex(), "theirs": None}
    assert said(differs=two) == "same changes, and 2 things that they made differ; folded again from the log here"
    assert said(differs=two, equal=True) == "proved equal"


def test_the_reason_why_a_device_is_not_reached_is_below_the_table_and_widens_no_column(
    edda: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    with devices(2, backend="memory") as (laptop, _):
        found = standing.status(laptop)
    (peer,) = found["peers"]
    peer["error"] = "No device answered at 192.168.1.20:7000 (Connection refused); is `edda up` running there?"
    monkeypatch.setattr(status, "asked", lambda *_, **_named: found)
    *_, row, why = edda("status").stdout.splitlines()
    assert row.split() == ["phone", "not", "connected", "never"]
    assert why == f"phone: {peer['error']}"
