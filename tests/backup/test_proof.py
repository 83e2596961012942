"""Proof stores: made of nothing but runs, kept, and made anew whenever they are in doubt."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

import edda_sync as edda
from edda_sync.backup.manifest import Ref
from edda_sync.backup.proof import ProofStore
from edda_sync.engine.engine import StorageEngine
from edda_sync.testing import devices
from edda_sync.words.errors import BackupError
from tests.sync.packed import pack

ONE, TWO = Ref(b"1" * 32, 1), Ref(b"2" * 32, 2)


@pytest.fixture
def laptop() -> Iterator[StorageEngine]:
    with devices(1, backend="memory") as (engine,):
        engine.create_task(edda.Task(title="Buy milk"))
        yield engine


def test_it_has_the_content_of_its_runs_and_remembers_them(laptop: StorageEngine, tmp_path: Path) -> None:
    (first,) = pack(laptop)
    with ProofStore(tmp_path / "proof", laptop.workspace) as proof:
        assert proof.taken() == []
        proof.take(ONE, first.data)
        assert proof.content().hex() == laptop.digest()
        assert proof.heads() == first.header.heads
    laptop.create_task(edda.Task(title="One more"))
    (second,) = pack(laptop, first.header.heads)
    with ProofStore(tmp_path / "proof", laptop.workspace) as proof:
        assert [each.ref for each in proof.taken()] == [ONE]
        proof.take(TWO, second.data)
        assert [(each.ref, each.heads) for each in proof.taken()] == [
            (ONE, first.header.heads),
            (TWO, second.header.heads),
        ]
        assert proof.content().hex() == laptop.digest()


def test_a_run_that_continues_what_is_not_there_is_refused(laptop: StorageEngine, tmp_path: Path) -> None:
    (first,) = pack(laptop)
    laptop.create_task(edda.Task(title="One more"))
    (second,) = pack(laptop, first.header.heads)
    with ProofStore(tmp_path / "proof", laptop.workspace) as proof, pytest.raises(BackupError, match="continues"):
        proof.take(TWO, second.data)


def test_one_of_another_workspace_or_a_damaged_one_begins_anew(laptop: StorageEngine, tmp_path: Path) -> None:
    (first,) = pack(laptop)
    folder = tmp_path / "proof"
    with ProofStore(folder, laptop.workspace) as proof:
        proof.take(ONE, first.data)
    with ProofStore(folder, b"x" * 16) as other:
        assert other.taken() == []
    with ProofStore(folder, laptop.workspace) as proof:
        proof.take(ONE, first.data)
    (folder / "edda.db").write_bytes(b"no database at all" * 1_000)
    with ProofStore(folder, laptop.workspace) as proof:
        assert proof.taken() == []
        proof.take(ONE, first.data)
        assert proof.content().hex() == laptop.digest()


def test_it_leaves_nothing_behind_when_it_is_removed(laptop: StorageEngine, tmp_path: Path) -> None:
    with ProofStore(tmp_path / "proof", laptop.workspace) as proof:
        proof.remove()
    assert list(tmp_path.iterdir()) == []
