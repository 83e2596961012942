"""One rule for writer and reader: every device takes what another acknowledged, and refuses what others would refuse."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

import edda_sync as edda
from edda_sync.changes.drafts import Put
from edda_sync.engine.engine import StorageEngine
from edda_sync.testing import devices, sync
from edda_sync.words import limits, values
from edda_sync.words.config import StorageConfig
from edda_sync.words.errors import InvalidValueError, LimitError
from edda_sync.workspace.welcome import DeviceCard
from tests.attacks.liar import Liar, Line

Engines = tuple[StorageEngine, StorageEngine, StorageEngine]


@pytest.fixture
def engines() -> Iterator[Engines]:
    with devices(3, backend="memory") as (a, b, c):
        yield a, b, c


def test_everybody_takes_a_task_with_the_longest_text_and_all_other_fields(engines: Engines) -> None:
    a, b, _ = engines
    metadata = {f"key {number}": "x" * 1_000_000 for number in range(4)}
    task = a.create_task(edda.Task(title="large", description="d" * limits.TEXT_BYTES_MAX, metadata=metadata))
    sync(a, b)
    assert b.refused() == 0
    found = b.get_task(task)
    assert found is not None
    assert found.metadata == metadata


def test_writes_are_counted_in_bytes_and_not_in_characters(engines: Engines) -> None:
    a, _, _ = engines
    characters = limits.ENTITY_CHANGE_BYTES_MAX // 3
    a.transact(lambda tx: tx.create_tag("fits", description="x" * characters))
    with pytest.raises(LimitError, match="one entity"):
        a.transact(lambda tx: tx.create_tag("too long", description="\U0001f600" * characters))


@pytest.mark.parametrize(
    ("kind", "cells"),
    [
        ("task", {"title": "two\nlines"}),
        ("task", {"priority": 2.0}),
        ("task", {"mood": "of a newer version"}),
        ("tag", {"name": "not the name of this id"}),
        ("device", {"record": b"junk"}),
        ("workspace", {"epoch.00": b"junk"}),
    ],
)
def test_a_commit_refuses_what_readers_would_refuse(engines: Engines, kind: str, cells: dict[str, object]) -> None:
    a, b, _ = engines
    with pytest.raises(InvalidValueError):
        a.writing.commit_drafts([Put.of(kind, b"t" * 16, cells)], None, None, None)
    a.create_task(edda.Task(title="goes on"))
    sync(a, b)
    assert b.refused() == 0


@pytest.mark.parametrize(
    "sealing_keys", [((0, b"k" * 32),), ((32, b"short"),), ((32, b"k" * 32),) * 9, ((32, b"k" * 4_096),)]
)
def test_a_newcomer_whose_card_every_reader_would_refuse_is_not_let_in(
    engines: Engines, tmp_path: Path, sealing_keys: tuple[tuple[int, bytes], ...]
) -> None:
    a, b, _ = engines
    newcomer = StorageEngine(tmp_path / "newcomer")
    newcomer.open_store(StorageConfig(backend="memory"))
    identity = newcomer.own.make_identity()
    with pytest.raises(InvalidValueError, match="record"):
        a.welcome(DeviceCard(identity.certificate, "newcomer", sealing_keys))
    assert len(a.members()) == 3
    a.create_task(edda.Task(title="goes on"))
    sync(a, b)


# --- what a reader does with as much as one change may hold ------------------------------------------------------------


def test_operations_beyond_the_number_in_the_header_are_refused(engines: Engines) -> None:
    a, b, c = engines
    liar = Liar(c)
    line = Line(liar, a)
    empty = b"\x00\x00\x00\x00" * 100_000  # each of no bytes, under a header that says one
    line.send(liar.batch(liar.change([empty])))
    assert line.error is None
    assert a.refused() == 2
    sync(a, b)
    assert a.digest() == b.digest()


def test_waiting_operations_are_looked_up_once_for_each_change_and_not_for_each_operation(
    engines: Engines, monkeypatch: pytest.MonkeyPatch
) -> None:
    a, _, c = engines
    task = values.id_bytes("id", a.create_task(edda.Task(title="one")))
    sync(a, c)
    liar = Liar(c)
    line = Line(liar, a)
    line.send(liar.batch(liar.change([[9, "task", task]])))
    looked = 0
    with a.store.read() as reader:
        kind = type(reader.unapplied)
    waiting_at = kind.waiting_at

    def counting(self: object, entity: bytes, after: int = 0) -> object:
        nonlocal looked
        looked += 1
        return waiting_at(self, entity, after)  # type: ignore[arg-type]

    for each in kind.__mro__:
        if "waiting_at" in vars(each):
            monkeypatch.setattr(each, "waiting_at", counting)
    line.send(liar.batch(liar.change([[4, "task", task, "a field too many"]] * 10_000)))
    assert line.error is None
    assert looked <= 4  # twice before the transaction, and twice in it
    assert (a.waiting(), a.refused()) == (10_001, 0)  # something in their past may decide them
