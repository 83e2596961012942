"""The cost of taking changes and folding anew: many authors, many values of one cell, much that waits or is missing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from edda_sync.changes.change import Change
from edda_sync.crdt import operation as ops
from edda_sync.store.seams import StoreWriter
from edda_sync.store.sqlite.store import SqliteStore
from edda_sync.transport.identity import Identity
from edda_sync.words import values
from edda_sync.workspace.keys import WORKSPACE_KEY
from tests.costs import GROWS, Counter, Work
from tests.crdt.authors import LAPTOP, PHONE, Life, Peer, device
from tests.crdt.works import TASK

SIZE = 40
MISSING = bytes(15) + b"\xff"

Write = Callable[[Life, list[Life]], Sequence[Change]]
"""Writes changes: some by the laptop, which may write something first, and some by ``size`` other lives."""


class SqlitePeer(Peer):
    """A peer whose store is a file."""

    def __init__(self, founder: Life, path: Path) -> None:
        super().__init__(founder)
        store: Any = SqliteStore(path, self._ended)
        self.store = store
        self.store.transact(lambda tx: tx.meta.set(WORKSPACE_KEY, self.workspace))

    def _ended(self, committed: bool) -> None:
        (self.ledger.committed if committed else self.ledger.rolled_back)()


def task(number: int) -> bytes:
    return number.to_bytes(16, "big")


def title(number: int, words: str = "t") -> ops.Put:
    return ops.Put("task", task(number), {"title": words})


def measured(folder: Path, write: Write, size: int, act: Callable[[Peer, Sequence[Change]], Callable[[], Any]]) -> Work:
    """Return what some changes cost a peer."""
    counter = Counter()
    laptop = Life(LAPTOP)
    with counter.watching():
        peer = SqlitePeer(laptop, folder / f"{size}.db")
        peer.admit(laptop.write(device(LAPTOP, LAPTOP), device(PHONE, LAPTOP), ops.Put("task", TASK, {"title": "t"})))
        lives = [Life(PHONE, continues=laptop, nonce=task(number)) for number in range(size)]
        work = counter.of(act(peer, write(laptop, lives)))
        peer.store.close()
    return work


def at_once(peer: Peer, changes: Sequence[Change]) -> Callable[[], Any]:
    return lambda: peer.admit(*changes)


def one_by_one(peer: Peer, changes: Sequence[Change]) -> Callable[[], Any]:
    return lambda: [peer.admit(change) for change in changes]


def rebuilt(peer: Peer, changes: Sequence[Change]) -> Callable[[], Any]:
    peer.admit(*changes)

    def no_segment(*_: Any) -> Any:
        raise AssertionError("there is none")

    return lambda: peer.store.transact(lambda tx: peer.ledger.rebuild(tx, no_segment))


def folded_anew(peer: Peer, changes: Sequence[Change]) -> Callable[[], Any]:
    peer.admit(*changes)

    def refold(tx: StoreWriter) -> int:
        return peer.ledger.refold(tx, [record.key for record in tx.states.scan("task")])

    return lambda: peer.store.transact(refold)


def by_the_laptop(operations: Callable[[int], Sequence[ops.Operation]]) -> Write:
    """Return a function that writes a number of changes with these operations each."""
    return lambda laptop, lives: [laptop.write(*operations(number)) for number in range(len(lives))]


def tagged(number: int) -> Sequence[ops.Operation]:
    return (ops.Put("task", TASK, {f"tag.{values.tag_id(f'{number}')}": True}),)


def waiting(number: int) -> Sequence[ops.Operation]:
    return ops.Put("task", task(number), {"unheard": 1}), title(number, "")


def named_by_all(laptop: Life, lives: list[Life]) -> Sequence[Change]:
    """The laptop writes many changes, and each of many lives names all of them."""
    first = [laptop.write(title(number)) for number in range(len(lives))]
    return [*first, *(life.write(title(number), deps=[laptop.dep]) for number, life in enumerate(lives))]


def in_turn(laptop: Life, lives: list[Life]) -> Sequence[Change]:
    found = [lives[0].write(title(0))]
    for number in range(len(lives)):
        found.append(laptop.write(title(number), deps=[lives[0].dep]))
        found.append(lives[0].write(title(number), deps=[laptop.dep]))
    return found


def rings(laptop: Life, lives: list[Life]) -> Sequence[Change]:
    pairs = [(2 * number, 2 * number + 1) for number in range(len(lives))]
    edges = [edge for one, other in pairs for edge in ((one, other), (other, one))]
    made = laptop.write(*(title(number) for pair in pairs for number in pair))
    return [made, *(laptop.write(ops.Put("task", task(of), {"parent_id": task(to)})) for of, to in edges)]


def one_ring(laptop: Life, lives: list[Life]) -> Sequence[Change]:
    """A ring of tasks, which then leave it one after another."""
    size = len(lives)
    closed = [ops.Put("task", task(n), {"title": "t", "parent_id": task((n + 1) % size)}) for n in range(size)]
    return [laptop.write(*closed), *(laptop.write(ops.Put("task", task(n), {"parent_id": None})) for n in range(size))]


def deleted_and_restored(laptop: Life, lives: list[Life]) -> Sequence[Change]:
    found = []
    for _ in lives:
        found.append(laptop.write(ops.Delete("task", TASK, ((laptop.actor, laptop.seq),))))
        found.append(laptop.write(ops.Touch("task", TASK)))
    return found


def members(number: int) -> Sequence[ops.Operation]:
    return (device(Identity.from_private(bytes(28) + (1_000 + number).to_bytes(4, "big")), LAPTOP),)


WRITES: dict[str, Write] = {
    "each of many lives writes a task": lambda _, lives: [life.write(title(n)) for n, life in enumerate(lives)],
    "each of many lives names many changes": named_by_all,
    "two lives write in turn": in_turn,
    "one task is refused something, again and again": by_the_laptop(lambda _: [ops.Put("task", TASK, {"title": ""})]),
    "many tasks are refused something": by_the_laptop(lambda number: [title(number, "")]),
    "one task waits, again and again": by_the_laptop(lambda _: [ops.Put("task", TASK, {"unheard": 1})]),
    "many tasks wait, and would be refused": by_the_laptop(waiting),
    "many point at what is missing": by_the_laptop(
        lambda number: [ops.Put("task", task(number), {"title": "t", "parent_id": MISSING})]
    ),
    "each points at what comes next": by_the_laptop(
        lambda number: [ops.Put("task", task(number), {"title": "t", "parent_id": task(number + 1)})]
    ),
    "many rings of parents": rings,
    "one ring of parents that its tasks leave": one_ring,
    "a task is deleted and restored": deleted_and_restored,
    "many devices are let in": by_the_laptop(members),
}
OF_ONE: dict[str, Write] = {
    "many lives write one title": lambda _, lives: [
        life.write(ops.Put("task", TASK, {"title": f"{number}"})) for number, life in enumerate(lives)
    ],
    "many lives begin one text": lambda _, lives: [
        life.write(ops.Put("task", TASK, {"description": f"{number}"})) for number, life in enumerate(lives)
    ],
    "one task gets many tags that nobody made": by_the_laptop(tagged),
}


@pytest.mark.parametrize("how", [at_once, one_by_one, rebuilt, folded_anew])
@pytest.mark.parametrize("what", WRITES)
def test_twice_as_many_changes_are_less_than_two_and_a_half_times_the_work(
    what: str, how: Callable[[Peer, Sequence[Change]], Callable[[], Any]], tmp_path: Path
) -> None:
    once, twice = (measured(tmp_path, WRITES[what], size, how) for size in (SIZE, 2 * SIZE))
    assert twice.beyond(GROWS, once) == {}


@pytest.mark.parametrize("how", [at_once, one_by_one, rebuilt, folded_anew])
@pytest.mark.parametrize("what", OF_ONE)
def test_only_the_state_of_a_busy_task_is_read_and_written_whole(
    what: str, how: Callable[[Peer, Sequence[Change]], Callable[[], Any]], tmp_path: Path
) -> None:
    once, twice = (measured(tmp_path, OF_ONE[what], size, how) for size in (SIZE, 2 * SIZE))
    assert twice.beyond(GROWS, once).keys() <= ({"lines"} if how is one_by_one else set())
