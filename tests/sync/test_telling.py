"""Telling: evidence is told once to those who lack it, whatever they claim to hold."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
import pytest

from edda_sync.changes import change as changes
from edda_sync.changes.change import Birth
from edda_sync.engine.engine import StorageEngine
from edda_sync.sync.messages import Evidence, Hello, Known
from edda_sync.sync.telling import Telling, short, short_names
from edda_sync.testing import devices, replica_of
from edda_sync.words import limits
from edda_sync.words.errors import RemoteProtocolError
from edda_sync.words.model import Task
from edda_sync.workspace import closing
from edda_sync.workspace.actor import actor_of
from edda_sync.workspace.closing import Closing
from tests.attacks.liar import Liar, Line
from tests.sync.network import Network

Engines = tuple[StorageEngine, StorageEngine, StorageEngine]


@pytest.fixture
def three() -> Iterator[Engines]:
    with devices(3, backend="memory") as (a, b, c):
        for engine in (a, b, c):
            engine.create_task(Task(title="its first"))
        yield a, b, c


def end(engine: StorageEngine, *nonces: int) -> list[bytes]:
    """Keep closings of lives that a device never had, and return their names."""
    names = []
    for nonce in nonces:
        with engine.store.read() as reader:
            head = reader.log.heads()[actor_of(reader)]
        birth = changes.encode_birth(Birth(engine.identity.public_key, bytes([nonce]) * 16, head.actor, 1, head.hash))
        actor = changes.actor_of(birth)
        message = closing.signed_message(engine.workspace, actor, 1, head.hash)
        ended = Closing(birth, 1, head.hash, engine.identity.sign(message))
        engine.store.transact(lambda tx, ended=ended: closing.keep(tx, ended))  # type: ignore[misc]
        names.append(closing.name_of(ended))
    return sorted(names)


def telling_of(engine: StorageEngine) -> Telling:
    return Telling(replica_of(engine).exchange.forks)


def hear(telling: Telling, *names: bytes) -> None:
    """Let it hear a hello that names some evidence."""
    assert telling.said(tuple(map(short, names)), more=False)
    telling.tell_rest()


def told(telling: Telling) -> list[bytes]:
    """All evidence that is told without another message from the peer, by name; none of it has arrived yet."""
    found: list[bytes] = []
    while (message := telling.next()) is not None:
        telling.sent(len(found) + 1)
        found += [closing.name_of(closing.decode(item[1:])) for item in message.items]
    return found


def test_a_peer_is_told_what_it_has_not_named(three: Engines) -> None:
    a, _, _ = three
    names = end(a, 1, 2, 3)
    telling = telling_of(a)
    assert told(telling) == []
    hear(telling, names[1])
    assert told(telling) == [names[0], names[2]]


def test_what_is_under_way_is_not_told_again_and_what_was_dealt_with_is(three: Engines) -> None:
    a, _, _ = three
    (name,) = end(a, 1)
    telling = telling_of(a)
    hear(telling)
    assert told(telling) == [name]
    hear(telling)
    assert told(telling) == [], "it was asked for before that came"
    telling.acknowledged(1)
    hear(telling)
    assert told(telling) == [name], "it could not be taken when it came"


def test_news_is_not_told_to_who_brought_or_named_it(three: Engines) -> None:
    a, _, _ = three
    names = end(a, 1, 2, 3)
    telling = telling_of(a)
    hear(telling, names[0])
    telling.brought([names[1]], more=False)
    telling.tell(names)
    assert told(telling) == [names[2]]


def test_who_asks_is_told_when_all_is_told(three: Engines) -> None:
    a, _, _ = three
    names = end(a, 1)
    telling = telling_of(a)
    hear(telling, names[0])
    assert telling.next() is None, "it said hello, and asked nothing"
    telling.asked()
    assert telling.next() == Evidence((), False)
    assert telling.next() is None


def test_an_answer_says_whether_more_of_it_follows(three: Engines, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "BATCH_BYTES_MAX", 10)
    a, b, _ = three
    end(a, 1, 2, 3)
    telling, asking = telling_of(a), telling_of(b)
    assert asking.ask() == [Known((), False)]
    assert asking.is_asking
    assert telling.said((), more=False)
    telling.asked()
    answer = [telling.next() for _ in range(4)]
    assert [each and each.more for each in answer] == [True, True, False, None]
    for each in answer[:3]:
        assert each is not None
        assert asking.is_asking
        asking.brought([], more=each.more)
    assert not asking.is_asking


def test_a_question_names_all_that_is_here_in_pages(three: Engines, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "HEADS_MAX", 2)
    a, b, _ = three
    names = short_names(end(a, 1, 2, 3))
    asked = telling_of(a).ask()
    assert asked == [Known(names[:2], True), Known(names[2:], False)]
    assert end(b, 9)
    telling = telling_of(b)
    assert [telling.said(page.evidence, more=page.more) for page in asked] == [False, True]
    telling.tell_rest()
    assert len(told(telling)) == 1


@pytest.mark.parametrize("pages", [["ba"], ["aa"], ["ab", "b"], ["b", "a"], ["b", "", "a"]])
def test_names_that_are_not_in_order_are_refused(three: Engines, pages: list[str]) -> None:
    telling = telling_of(three[0])
    *first, last = [tuple(name.encode() * 16 for name in page) for page in pages]
    for page in first:
        telling.said(page, more=True)
    with pytest.raises(RemoteProtocolError):
        telling.said(last, more=True)


def test_a_page_of_too_many_names_is_refused(three: Engines, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "HEADS_MAX", 2)
    with pytest.raises(RemoteProtocolError):
        telling_of(three[0]).said(tuple(bytes([n]) * 16 for n in (1, 2, 3)), more=True)


def test_of_names_that_nobody_here_knows_only_so_many_are_kept_and_all_that_count(
    three: Engines, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "CLAIMS_MAX", 10)
    a, _, _ = three
    held = end(a, 1, 2)
    claims = sorted([n.to_bytes(16, "big") for n in range(1, 500)] + [short(name) for name in held])
    telling = telling_of(a)
    assert telling.said(tuple(claims), more=False)
    telling.tell_rest()
    telling.brought([bytes([n]) * 32 for n in range(100)], more=False)
    assert len(telling._theirs) <= 2 * len(held) + limits.CLAIMS_MAX
    assert told(telling) == []


# --- in talks ---------------------------------------------------------------------------------------------------------


def items_of(network: Network) -> int:
    return sum(len(each.items) for each in network.said(Evidence))


def own_end(engine: StorageEngine) -> None:
    """Keep a closing of a device's present life."""
    with engine.store.read() as reader:
        head = reader.log.heads()[actor_of(reader)]
    message = closing.signed_message(engine.workspace, head.actor, head.seq, head.hash)
    ended = Closing(head.birth, head.seq, head.hash, engine.identity.sign(message))
    engine.store.transact(lambda tx: closing.keep(tx, ended))


def held(engine: StorageEngine) -> set[bytes]:
    with engine.store.read() as reader:
        return set(reader.evidence.names())


def test_two_that_differ_in_one_piece_send_that_piece_alone(three: Engines) -> None:
    a, b, _ = three
    own_end(a)
    for _ in range(2):
        network = Network(a, b)
        network.connect(a, b)
        network.run()
        assert held(a) == held(b) != set()
    assert items_of(network) == 0, "the second time both have it"
    own_end(b)
    network = Network(a, b)
    network.connect(a, b)
    network.run()
    assert items_of(network) == 1
    assert held(a) == held(b)
    assert len(network.proved) == 2


def test_evidence_that_somebody_claims_to_have_reaches_everybody_through_others(three: Engines) -> None:
    a, b, c = three
    own_end(a)
    (name,) = held(a)
    line = Line(Liar(b), a, hello=msgspec.structs.replace(Liar(b).hello(), evidence=(short(name),)))
    assert not any(isinstance(message, Evidence) for message in line.heard)
    network = Network(a, b, c)
    for ends in ((a, c), (c, b)):
        network.connect(*ends)
    network.run()
    assert held(a) == held(b) == held(c) == {name}


def test_what_could_not_be_taken_when_it_came_is_asked_for_once_and_without_another_hello(three: Engines) -> None:
    a, b, _ = three
    own_end(a)
    network = Network(a, b)
    network.connect(a, b)
    network.run()
    assert held(a) == held(b) != set()
    assert len(network.said(Hello)) == 2
    assert len(network.said(Known)) <= 2
    assert items_of(network) == 2, "before its change was there, and after"
