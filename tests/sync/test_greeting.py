"""Greeting: a hello in pages, with heads in order; a limited number of claims about unknown actors is kept."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import msgspec
import pytest

import edda_sync as edda
from edda_sync.engine.engine import StorageEngine
from edda_sync.sync.greeting import PROTOCOLS, Greeting
from edda_sync.sync.messages import Heads, Hello, Summary
from edda_sync.testing import devices, sync
from edda_sync.words import limits
from edda_sync.words.errors import RemoteMismatchError, RemoteProtocolError
from tests.sync.batches import exchange_of

TAG, PEER = b"t" * 16, "peer"


@dataclass
class Bench:
    """A device, and what it hears from a peer."""

    device: StorageEngine
    greeting: Greeting

    def hello(self, *heads: Summary, **changed: object) -> Hello:
        made = Hello(PROTOCOLS, TAG, PEER, b"n" * 16, heads, False, (), 0, ())
        return msgspec.structs.replace(made, **changed)


@pytest.fixture
def bench() -> Iterator[Bench]:
    with devices(2, backend="memory") as (device, phone):
        phone.create_task(edda.Task(title="so that there are two actors"))
        sync(device, phone)
        yield Bench(device, Greeting(exchange_of(device)))


def heads(*letters: str) -> tuple[Summary, ...]:
    return tuple(Summary(letter.encode() * 16, 1, b"h" * 16) for letter in letters)


def test_a_hello_and_its_pages_are_said_whole_and_another_may_follow(bench: Bench) -> None:
    known = sorted(bench.device.frontier())
    one, two = (Summary(actor, 1, b"h" * 16) for actor in known)
    hello = bench.hello(one)
    bench.greeting.begin(hello, PEER, TAG)
    bench.greeting.page(hello, PEER)
    bench.greeting.page(Heads((two,), (), False), PEER)
    assert bench.greeting.end() == (hello, (one, two))
    again = bench.hello(two)
    bench.greeting.begin(again, PEER, TAG)
    bench.greeting.page(again, PEER)
    assert bench.greeting.end() == (again, (two,)), "nothing of the first one is left"


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"protocol": (PROTOCOLS[1] + 1, PROTOCOLS[1] + 2)}, "version"),
        ({"protocol": (0, PROTOCOLS[0] - 1)}, "version"),
        ({"device": "another"}, "workspace"),
        ({"workspace": b"u" * 16}, "workspace"),
    ],
)
def test_a_hello_that_does_not_fit_is_refused(bench: Bench, changed: dict[str, object], words: str) -> None:
    with pytest.raises(RemoteMismatchError, match=words):
        bench.greeting.begin(bench.hello(**changed), PEER, TAG)


@pytest.mark.parametrize("protocol", [PROTOCOLS, (0, 99), (PROTOCOLS[1], 99), (0, PROTOCOLS[0])])
def test_a_peer_of_another_version_that_still_speaks_ours_is_welcome(bench: Bench, protocol: tuple[int, int]) -> None:
    bench.greeting.begin(bench.hello(protocol=protocol), PEER, TAG)


@pytest.mark.parametrize("pages", [("ba",), ("aa",), ("b", "a"), ("a", "a")])
def test_heads_that_are_not_in_order_are_refused_also_from_page_to_page(bench: Bench, pages: tuple[str, ...]) -> None:
    bench.greeting.begin(bench.hello(), PEER, TAG)
    for page in pages[:-1]:
        bench.greeting.page(Heads(heads(*page), (), True), PEER)
    with pytest.raises(RemoteProtocolError, match="not in order"):
        bench.greeting.page(Heads(heads(*pages[-1]), (), True), PEER)


def test_of_lives_that_nobody_here_knows_only_so_many_are_kept(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "CLAIMS_MAX", 3)
    known = sorted(bench.device.frontier())
    told = [*heads(*"abcdefgh"), *(Summary(actor, 1, b"h" * 16) for actor in known)]
    all_of_them = sorted(told, key=lambda each: each.actor)
    bench.greeting.begin(bench.hello(), PEER, TAG)
    bench.greeting.page(Heads(tuple(all_of_them), (), False), PEER)
    kept = {each.actor for each in bench.greeting.end()[1]}
    assert kept >= set(known)
    assert len(kept) < len(all_of_them)
