from __future__ import annotations

from edda_sync.device.peer import Peer
from edda_sync.words import limits

HOST = "192.0.2.1"


def places(*ports: int) -> list[tuple[str, int]]:
    return [(HOST, port) for port in ports]


def test_new_addresses_come_first_and_some_earlier_ones_stay_those_where_it_was_met_before_others() -> None:
    peer = Peer("phone")
    peer.note(places(1), known=True)
    for port in range(2, 9):
        peer.note(places(port), known=False)
    assert peer.endpoints[:2] == places(8, 1)
    assert len(peer.endpoints) == 5
    peer.note(places(*range(20, 36)), known=False)
    assert (HOST, 1) in peer.endpoints, "a flood of hints does not displace it"


def test_an_address_that_only_hints_name_is_called_eight_times_a_minute() -> None:
    peer = Peer("phone")
    peer.note(places(*range(1, 17)), known=False)
    assert sum(peer.may_call(each, 1_000.0) for _ in range(5) for each in peer.endpoints) == limits.HINTED_DIALS_MAX
    assert sum(peer.may_call(each, 1_060.0) for each in peer.endpoints) == limits.HINTED_DIALS_MAX


def test_an_address_where_it_was_met_is_called_as_often_as_is_needed() -> None:
    peer = Peer("phone")
    peer.note(places(*range(2, 17)), known=False)
    peer.note(places(1), known=True)
    assert all(peer.may_call((HOST, 1), 1_000.0) for _ in range(50))


def test_how_many_addresses_are_remembered_is_limited() -> None:
    peer = Peer("phone")
    for port in range(1, 100):
        peer.note(places(port), known=True)
    assert len(peer.known) == limits.ADDRESSES_MAX
    assert peer.known[0] == (HOST, 99)
