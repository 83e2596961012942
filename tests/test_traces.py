"""
A real concurrent history, replayed: two people typing in one document, each on a device of their own.

Each transaction of the trace names its parents. Its author's device makes it with ``edit_text`` when that device has
received exactly what the author had seen: frames from one device wait on their way to the other until a transaction there
needs them, as they did between the two people. pycrdt, which is told the same, says which text it must become.

The suite plays the beginning; ``make whole`` plays all of it, to the text that the recording itself ends in.
"""

from __future__ import annotations

import gzip
import json
from collections import deque
from pathlib import Path
from typing import Any

import pytest
from pycrdt import Doc, Text

import edda_sync as edda
from edda_sync.engine.engine import StorageEngine
from edda_sync.sync.effects import Effect, Proved, Send
from edda_sync.testing import devices, replica_of, sync
from edda_sync.workspace.actor import actor_of

TRACE = Path(__file__).resolve().parents[2] / "shared" / "data" / "traces" / "friendsforever.json.gz"
BEGINNING = 1_500  # transactions


class Side:
    """One of the two people: a device, its replica, and the frames on their way to it."""

    def __init__(self, engine: StorageEngine) -> None:
        self.engine = engine
        self.replica = replica_of(engine)
        self.device = engine.identity.device
        self.arriving: deque[bytes] = deque()
        self.written = 0  # transactions of the trace
        self.proved = False
        self.other: Side
        with engine.store.read() as reader:
            self.actor = actor_of(reader)
        self.first_seq = 0  # changes of this actor before the trace

    def do(self, effects: list[Effect]) -> None:
        """Put sent frames on their way."""
        for effect in effects:
            if isinstance(effect, Send):
                self.other.arriving.append(effect.frame)
            elif isinstance(effect, Proved):
                self.proved = True

    def receive(self) -> None:
        """Take the next frame."""
        self.do(self.replica.frame_received(self.other.device, self.arriving.popleft(), 0.0))

    def receive_until(self, written: int) -> None:
        """Take frames until a number of the other's transactions are here."""
        wanted = self.other.first_seq + written
        while self.engine.frontier().get(self.other.actor, 0) < wanted:
            self.receive()
        assert self.engine.frontier().get(self.other.actor, 0) == max(wanted, self.held), (
            "the device is ahead of its author"
        )
        self.held = wanted

    held = 0

    def write(self, document: str, patches: list[tuple[int, int, str]]) -> None:
        """Make a transaction of the trace."""
        self.engine.edit_text(document, "content", patches)
        self.written += 1
        self.do(self.replica.committed(0.0))


def needs_of(transactions: list[dict[str, Any]]) -> list[int]:
    """For each transaction, how many of the other agent's are in its past."""
    counts: list[tuple[int, int]] = []  # of both agents, the transaction included
    needs = []
    for transaction in transactions:
        agent = transaction["agent"]
        past = [max((counts[parent][who] for parent in transaction["parents"]), default=0) for who in (0, 1)]
        needs.append(past[1 - agent])
        past[agent] += 1
        counts.append((past[0], past[1]))
    return needs


def text_of(transactions: list[dict[str, Any]]) -> str:
    """
    Return the text that two plain Yjs documents become.

    Of two concurrent words at one place, agent 0's comes first, as in the recording: Yjs puts the lower client id first.
    """
    documents = [Doc[Text](client_id=agent + 1) for agent in (0, 1)]
    texts = [document.get("content", type=Text) for document in documents]
    updates: list[list[bytes]] = [[], []]
    taken = [0, 0]

    def take(agent: int, count: int) -> None:
        for update in updates[1 - agent][taken[agent] : count]:
            documents[agent].apply_update(update)
        taken[agent] = max(count, taken[agent])

    for transaction, need in zip(transactions, needs_of(transactions), strict=True):
        agent = transaction["agent"]
        take(agent, need)
        before = documents[agent].get_state()
        for position, deleted, inserted in transaction["patches"]:
            words = str(texts[agent])
            start, end = (len(words[:each].encode()) for each in (position, position + deleted))
            del texts[agent][start:end]
            texts[agent].insert(start, inserted)
        updates[agent].append(documents[agent].get_update(before))
    for agent in (0, 1):
        take(agent, len(updates[1 - agent]))
    assert str(texts[0]) == str(texts[1])
    return str(texts[0])


@pytest.mark.shared
@pytest.mark.skipif(not TRACE.exists(), reason="the real data does not lie beside this checkout")
def test_two_people_typing_in_one_document_end_in_the_same_words_on_both_devices(whole: bool) -> None:
    trace = json.loads(gzip.decompress(TRACE.read_bytes()))
    transactions = trace["txns"] if whole else trace["txns"][:BEGINNING]
    expected = text_of(transactions)
    if whole:
        assert expected == trace["endContent"]
    with devices(2) as pair:
        for engine in pair:
            engine.create_task(edda.Task(title="A device takes its actor at its first write"))
        sync(*pair)
        # Ids are hashes here, so their order decides which agent sits at which device (see text_of).
        sides = sorted((Side(engine) for engine in pair), key=lambda side: side.actor)
        first, second = sides
        first.other, second.other = second, first
        document = first.engine.create_document(edda.Document(title="Friends forever", content=""))
        sync(first.engine, second.engine)
        for side in sides:
            side.first_seq = side.engine.frontier().get(side.actor, 0)
            side.do(side.replica.connected(side.other.device))
        for side in sides:
            side.receive()  # hello
        for transaction, need in zip(transactions, needs_of(transactions), strict=True):
            side = sides[transaction["agent"]]
            side.receive_until(need)
            side.write(document, [tuple(patch) for patch in transaction["patches"]])
        while first.arriving or second.arriving:
            for side in sides:
                while side.arriving:
                    side.receive()
        for engine in pair:
            read = engine.get_document(document)
            assert read is not None
            assert read.content == expected
        assert first.engine.digest() == second.engine.digest()
