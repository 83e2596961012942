"""Every fork can be proved: no chain has more consecutive unsigned changes than fit into a proof."""

from __future__ import annotations

import copy
from collections.abc import Iterator

import pytest

import edda_sync as edda
from edda_sync.changes import change as changes
from edda_sync.changes import forkproof
from edda_sync.crdt.operation import Touch
from edda_sync.engine.engine import StorageEngine
from edda_sync.sync.messages import Changes, SignedHead
from edda_sync.testing import devices, sync
from edda_sync.words import limits
from tests.attacks.liar import Liar, Line
from tests.sync.copies import own_actor

SIDE = 20


@pytest.fixture
def five(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[StorageEngine, ...]]:
    monkeypatch.setattr(forkproof, "SIDE_HASHES_MAX", SIDE)
    monkeypatch.setattr(forkproof, "UNSIGNED_MAX", SIDE // 2)
    with devices(5, backend="memory") as made:
        yield made


def test_two_branches_whose_only_signatures_are_far_away_leave_honest_devices_equal(
    five: tuple[StorageEngine, ...],
) -> None:
    a, b, c, *_ = five
    root = Liar(c)
    first = root.change([Touch("task", b"f" * 16)])
    for number, victim in enumerate((a, b)):
        liar = copy.copy(root)
        made = [first]
        made += [liar.change([Touch("task", bytes([number, each]) * 8)]) for each in range(SIDE + 10)]
        line = Line(liar, victim)
        signature = liar.identity.sign(changes.signed_message(liar.workspace, liar.actor, liar.seq, liar.hash))
        for at in range(0, len(made), 10):
            rest = b"".join(changes.hash_header(raw) for raw, _ in made[at + 10 :])
            head = SignedHead(liar.actor, liar.seq, signature, rest)
            line.send(Changes(tuple(made[at : at + 10]), (head,)))
    sync(a, b)
    assert a.digest() == b.digest()


def test_relays_keep_enough_of_the_signatures_that_they_are_given(
    five: tuple[StorageEngine, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    author, *others = five
    for number in range(4 * SIDE):
        author.create_task(edda.Task(title=f"task {number}"))
    for size, giver, taker in zip((1_500, 700, 1_100, 1_900), five, others, strict=False):
        monkeypatch.setattr(limits, "BATCH_BYTES_MAX", size)
        sync(giver, taker)
        with taker.store.read() as reader:
            actor = own_actor(author)
            head = reader.log.heads()[actor].seq
            signed = [seq for seq in range(1, head + 1) if reader.signatures.at(actor, seq) is not None]
        gaps = [after - before for before, after in zip([0, *signed], [*signed, head], strict=True)]
        assert max(gaps) <= SIDE // 2
