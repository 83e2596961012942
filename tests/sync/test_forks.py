"""Forks: what is compared, what a chain knows of changes that only a segment brought, and where it ends."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

import edda_sync as edda
from edda_sync import limits
from edda_sync.engine import StorageEngine
from edda_sync.sync import forks
from edda_sync.testing import devices, pair, sync

Pairs = tuple[StorageEngine, StorageEngine]


@pytest.fixture(params=["memory", "sqlite"])
def pairs(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Pairs]:
    """A device, and one that got what there was as a segment, and what came later as changes."""
    monkeypatch.setattr(limits, "SNAPSHOT_CHANGES_MIN", 5)
    with devices(1, backend=request.param) as (laptop,), StorageEngine(tmp_path / "tablet") as tablet:
        for number in range(8):
            laptop.create_task(edda.Task(title=f"task {number}"))
        tablet.open_store(edda.StorageConfig(backend=request.param, name="tablet"))
        pair(laptop, tablet)
        sync(laptop, tablet)
        for number in range(3):
            laptop.create_task(edda.Task(title=f"more {number}"))
        sync(laptop, tablet)
        with tablet.store.read() as reader:
            assert reader.segments()
        yield laptop, tablet


def test_every_change_that_a_segment_brought_has_what_its_hash_begins_with(pairs: Pairs) -> None:
    laptop, tablet = pairs
    with laptop.store.read() as whole, tablet.store.read() as part:
        for head in whole.heads().values():
            assert part.hash_at(head.actor, 1) is None
            for seq in range(1, head.seq + 1):
                known = forks.hashes_at(part, [(head.actor, seq)])[0]
                assert known
                assert (whole.hash_at(head.actor, seq) or b"").startswith(known)
            assert forks.hashes_at(part, [(head.actor, 0), (head.actor, head.seq + 1)]) == [b"", b""]


def test_a_chain_is_the_same_whether_changes_came_one_by_one_or_as_a_segment(pairs: Pairs) -> None:
    laptop, tablet = pairs
    with laptop.store.read() as whole, tablet.store.read() as part:
        heads = sorted(whole.heads().values())
        chains = forks.chains_of(whole, heads)
        assert chains == forks.chains_of(part, heads)
    for head, chain in zip(heads, chains, strict=True):
        assert forks.is_chain(head, chain)
        assert not forks.is_chain(head, chain[forks.CHAIN_HASH_BYTES :])
        assert not forks.is_chain(head, chain[: -forks.CHAIN_HASH_BYTES] + b"else")


def test_a_chain_names_as_many_changes_as_are_allowed(pairs: Pairs, monkeypatch: pytest.MonkeyPatch) -> None:
    laptop, _ = pairs
    monkeypatch.setattr(limits, "CHAIN_HASHES_MAX", 3)
    with laptop.store.read() as reader:
        head = max(reader.heads().values(), key=lambda each: each.seq)
        (chain,) = forks.chains_of(reader, [head])
    assert len(chain) == 3 * forks.CHAIN_HASH_BYTES
    assert forks.is_chain(head, chain)


def test_what_is_here_under_another_hash_is_found_and_what_nobody_knows_is_not(pairs: Pairs) -> None:
    _, tablet = pairs
    with tablet.store.read() as reader:
        head = max(reader.heads().values(), key=lambda each: each.seq)
        true = forks.hashes_at(reader, [(head.actor, 2)])[0]
        said = [
            (head.actor, 1, b"another hash"),
            (head.actor, 2, true + b" and the rest"),
            (head.actor, head.seq, b"no"),
        ]
        unknown = [(head.actor, head.seq + 1, b"later"), (7, 1, b"a stranger's")]
        found = forks.find(reader, said + unknown)
    assert [(fork.seq, fork.theirs) for fork in found] == [(1, b"another hash"), (head.seq, b"no")]


def test_one_fork_of_each_actor_is_noted(pairs: Pairs) -> None:
    laptop, _ = pairs
    laptop.store.transact(lambda tx: forks.note(tx, [forks.Fork(5, 2, b"ours", b"theirs")]))
    laptop.store.transact(lambda tx: forks.note(tx, [forks.Fork(5, 3, b"ours", b"theirs")]))
    with laptop.store.read() as reader:
        assert [fork[:2] for fork in reader.forks()] == [(5, 2)]
