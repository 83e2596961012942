"""What a running device knows about its peers, and tells: each trouble once, and whose fault it is."""

from __future__ import annotations

import logging
from types import SimpleNamespace
from typing import Any

import pytest

from edda_sync.device.happening import Happening
from edda_sync.device.status import Status
from edda_sync.engine import standing
from edda_sync.sync.progress import Progress
from edda_sync.transport.packets import Packets, sentence
from edda_sync.words.errors import BugError, BusyError, RemoteProtocolError

A, PEER = b"a" * 16, "peer-id"
FOUND = ("192.168.1.20", 7_000)


class Bench:
    """The status of a device with one peer, and what it tells."""

    def __init__(self) -> None:
        self.told: list[Happening] = []
        self.status = Status(self.told.append)
        link = SimpleNamespace(address="192.168.1.20:7000", dialled=False)
        self.peer: Any = SimpleNamespace(link=link, endpoints=[], error="", is_failing=False, packets=Packets())
        self.status.peers = SimpleNamespace(all={PEER: self.peer})  # type: ignore[assignment]
        self.status.name({PEER: "phone"})

    def what(self) -> list[str]:
        return [each.what for each in self.told]


@pytest.fixture
def bench() -> Bench:
    return Bench()


def test_a_peer_is_found_once_and_not_while_there_is_a_link(bench: Bench) -> None:
    bench.status.found(PEER, [FOUND])
    assert bench.told == []
    bench.peer.link = None
    bench.status.found(PEER, [FOUND])
    bench.peer.endpoints = [FOUND]
    bench.status.found(PEER, [FOUND])
    bench.status.found("a stranger", [FOUND])
    assert bench.told == [Happening("found", PEER, text="192.168.1.20:7000")]


def test_why_a_link_was_lost_is_said_until_more_is_known(bench: Bench) -> None:
    member = {"device": PEER, "name": "phone"}
    bench.status.lost(PEER, "nothing came from it for 30 s")
    lost = (
        "The link to the other device phone has ended (nothing came from it for 30 s); nothing is lost: sync goes on."
    )
    assert bench.status.of_peer(member, {})["error"] == bench.peer.error == lost
    bench.peer.error = "No device answered at 192.168.1.20:7000; is `edda up` running there?"
    bench.status.lost(PEER, "it broke")
    assert "No device answered" in bench.status.of_peer(member, {})["error"]


def test_of_a_peer_that_nobody_can_call_it_is_said_that_no_address_of_it_is_known(bench: Bench) -> None:
    member = {"device": PEER, "name": "phone"}
    assert bench.status.of_peer(member, {})["error"] == standing.no_address_sentence("phone")
    bench.peer.endpoints = [FOUND]
    assert bench.status.of_peer(member, {})["error"] == "", "it is being called"


def test_a_talk_is_told_at_its_beginning_and_end_and_no_end_without_a_beginning(bench: Bench) -> None:
    bench.status.lost(PEER, "it broke")
    assert bench.status.talking({PEER: Progress()}) == [PEER]
    assert bench.status.talking({PEER: Progress()}) == []
    bench.status.lost(PEER, "it broke")
    bench.status.lost(PEER, "it broke")
    assert bench.told == [
        Happening("connected", PEER, text="192.168.1.20:7000"),
        Happening("lost", PEER, text="it broke"),
    ]


def test_a_proof_is_remembered_with_the_changes_that_it_is_of(bench: Bench) -> None:
    bench.status.proved_equal(PEER)
    assert bench.status.remembered() == {}, "there is no talk with it"
    bench.status.talking({PEER: Progress(proved=True, proved_at={A: 7})})
    bench.status.proved_equal(PEER)
    bench.status.answered(PEER, FOUND)
    known = bench.status.remembered()[PEER]
    assert (known.changes, known.endpoint, bench.status.proved) == (7, FOUND, {PEER: {A: 7}})
    assert known.proved_s > 0
    assert bench.told[-1] == Happening("equal", PEER, 7)


def test_the_same_trouble_is_said_once_until_all_is_well_again(bench: Bench) -> None:
    error = RemoteProtocolError("nonsense", PEER)
    for _ in range(3):
        bench.status.ended(PEER, error)
    bench.status.talking({PEER: Progress(proved=True, proved_at={A: 7})})
    bench.status.proved_equal(PEER)
    bench.status.ended(PEER, error)
    assert bench.what() == ["trouble", "connected", "equal", "trouble"]
    assert "phone" in bench.told[0].text
    assert bench.peer.is_failing


def test_a_fault_of_this_device_s_own_store_is_no_trouble_with_the_peer(bench: Bench) -> None:
    bench.status.ended(PEER, BusyError("/home/edda.db"))
    assert bench.told == []
    assert "busy" in bench.peer.error


def test_a_bug_that_a_peer_brings_to_light_is_in_the_log_with_its_trace(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.ERROR):
        bench.status.ended(PEER, BugError(ZeroDivisionError("a bug")))
    assert "ZeroDivisionError: a bug" in caplog.text
    assert bench.what() == ["trouble"]


def test_a_peer_with_a_talk_is_equal_only_at_the_frontier_that_is_held_now(bench: Bench) -> None:
    member = {"device": PEER, "name": "phone"}
    bench.status.talking({PEER: Progress(proved=True, proved_at={A: 7}, theirs={A: 7})})
    assert bench.status.of_peer(member, {A: 7})["equal"]
    said = bench.status.of_peer(member, {A: 9})
    assert (said["equal"], said["ahead"], said["behind"], said["connected"]) == (False, 2, 0, True)
    bench.status.talking({})
    said = bench.status.of_peer(member, {A: 9})
    assert (said["connected"], said["address"], said["ahead"]) == (False, None, 9)


def test_names_are_told_apart_and_a_stranger_is_called_by_its_id(bench: Bench) -> None:
    bench.status.name({PEER: "phone", "other-id": "phone"})
    assert bench.status.name_of(PEER) != bench.status.name_of("other-id")
    assert bench.status.name_of("0123456789abcdef") == "0123456789ab"


def test_whoever_shuts_this_device_out_is_named_with_what_to_do(bench: Bench) -> None:
    before = bench.status.shut_out_sentence
    bench.status.refused(PEER)
    assert (before, bench.status.shut_out_sentence) == (None, standing.shut_out_sentence("phone"))
    assert bench.told == [Happening("trouble", PEER, text=standing.shut_out_sentence("phone"))]


def test_of_a_linked_peer_that_gets_small_packets_it_is_said_why(bench: Bench) -> None:
    member = {"device": PEER, "name": "phone"}
    bench.status.talking({PEER: Progress()})
    assert bench.status.of_peer(member, {})["note"] == ""
    bench.peer.packets.stalled(1.0)
    bench.peer.packets.opened(2.0)
    assert bench.status.of_peer(member, {})["note"] == sentence("phone")
    bench.status.talking({})
    assert bench.status.of_peer(member, {})["note"] == "", "it has no link"


def test_a_clock_that_is_apart_is_told_once_and_again_after_it_was_right(bench: Bench) -> None:
    for clock_s in (None, 1.0, 10_800.0, 10_805.0, 2.0, -10_800.0):
        bench.status.linked(PEER, clock_s)
    assert [each.what for each in bench.told] == ["trouble", "trouble"]
    assert [each.text[:34] for each in bench.told] == [
        "phone's clock is 3 h ahead of this",
        "phone's clock is 3 h behind this o",
    ]
    assert bench.status.remembered_of(PEER).clock_s == -10_800.0
    bench.status.linked(PEER, None)  # an older version, which does not say its time
    assert bench.status.remembered_of(PEER).clock_s == -10_800.0


def test_a_peer_that_made_the_link_shows_that_others_reach_this_device(bench: Bench) -> None:
    member = {"device": PEER, "name": "phone"}
    assert bench.status.of_peer(member, {})["called_in"] is False, "it has no talk"
    bench.status.talking({PEER: Progress()})
    assert bench.status.of_peer(member, {})["called_in"] is True
    bench.peer.link.dialled = True
    assert bench.status.of_peer(member, {})["called_in"] is False
