from __future__ import annotations

import pytest
from zeroconf.asyncio import AsyncServiceInfo

from edda_sync.transport.discovery import SYNC
from edda_sync.transport.interfaces import Interface, endpoints_of, hosts_of, interfaces, told, usable
from edda_sync.transport.ranks import Rank
from edda_sync.words.limits import ADDRESSES_MAX
from tests.transport.announcing import an_interface


def test_the_interfaces_of_this_machine_include_loopback_and_compare_equal() -> None:
    present = interfaces()
    assert present == interfaces()
    assert any("127.0.0.1" in interface.addresses and interface.up for interface in present)
    assert not any("%" in address for interface in present for address in interface.addresses)


def announcement(addresses: list[str], scope: int | None = None) -> AsyncServiceInfo:
    return AsyncServiceInfo(SYNC, f"x.{SYNC}", port=7, parsed_addresses=addresses, interface_index=scope)


def test_endpoints_are_listed_with_ipv4_first_and_link_local_last() -> None:
    info = announcement(["fe80::1", "fd00::1", "10.0.0.1"], scope=3)
    present = [an_interface(3, "fe80::3", "fd00::3", "10.0.0.3")]
    assert endpoints_of(info, present) == [
        ("10.0.0.1", 7),
        ("fd00::1", 7),
        ("fe80::1%3", 7),
    ]


@pytest.mark.parametrize("scope", [None, 0])
def test_a_link_local_address_without_scope_is_tried_on_each_interface_that_could_reach_it(scope: int | None) -> None:
    present = [an_interface(2, "fe80::2"), an_interface(5, "fe80::5", "10.0.0.5"), an_interface(6, "10.0.0.6")]
    down = an_interface(9, "fe80::9", up=False)
    assert endpoints_of(announcement(["fe80::1"], scope), [*present, down]) == [("fe80::1%2", 7), ("fe80::1%5", 7)]
    assert endpoints_of(announcement(["fe80::1"], scope), [down]) == []


def test_impossible_addresses_are_left_out_and_a_long_list_is_cut() -> None:
    everything = Interface("eth0", 2, True, frozenset({"10.0.0.9"}), frozenset({"0.0.0.0/0", "::/0"}))
    assert endpoints_of(announcement(["224.0.0.251", "0.0.0.0", "ff02::fb", "::"]), [everything]) == []
    crowd = [f"10.0.0.{number}" for number in range(1, 100)]
    assert len(endpoints_of(announcement(crowd), [everything])) == ADDRESSES_MAX


def test_an_announcement_leads_nowhere_but_into_the_networks_of_this_machine() -> None:
    cable, down = an_interface(2, "10.0.0.9", "fd00::9"), an_interface(3, "10.0.3.9", up=False)
    lo = Interface("lo", 1, True, frozenset({"127.0.0.1", "::1"}), frozenset({"127.0.0.0/8", "::1/128"}))
    foreign = ["10.0.1.1", "10.0.3.1", "192.0.2.1", "fd00:0:0:1::1", "2001:db8::1", "169.254.169.254"]
    info = announcement([*foreign, "10.0.0.1", "fd00::1", "127.0.0.1", "::1"])
    assert endpoints_of(info, [cable, down, lo]) == [("10.0.0.1", 7), ("fd00::1", 7)]


def test_without_any_other_network_devices_of_one_machine_find_each_other_by_loopback() -> None:
    lo = Interface("lo", 1, True, frozenset({"127.0.0.1"}), frozenset({"127.0.0.0/8"}))
    link_local = Interface("veth0", 2, True, frozenset({"fe80::2"}), frozenset({"fe80::/64"}))
    assert endpoints_of(announcement(["127.0.0.1"]), [lo]) == [("127.0.0.1", 7)]
    assert endpoints_of(announcement(["127.0.0.1"]), [lo, link_local]) == [("127.0.0.1", 7)]


def ranked(name: str, index: int, rank: Rank, *addresses: str, up: bool = True) -> Interface:
    plain = an_interface(index, *addresses, up=up)
    return Interface(name, index, up, plain.addresses, plain.networks, rank)


MANY = (
    ranked("docker0", 4, Rank.INNER, "172.17.0.1"),
    ranked("tun0", 5, Rank.TUNNEL, "10.8.0.6"),
    ranked("eth0", 2, Rank.WAY_OUT, "192.168.1.20", "fe80::20"),
    ranked("wlan0", 3, Rank.PHYSICAL, "192.168.1.9", "fd00::9"),
    ranked("veth1", 7, Rank.INNER, "fe80::7"),
    ranked("eth1", 6, Rank.PHYSICAL, "10.0.0.1", up=False),
    ranked("lo", 1, Rank.TUNNEL, "127.0.0.1", "::1"),
)


def test_addresses_are_announced_by_rank_and_not_by_their_digits() -> None:
    in_order = ["192.168.1.20", "192.168.1.9", "fd00::9", "10.8.0.6", "172.17.0.1", "fe80::20", "fe80::7"]
    assert usable(MANY) == in_order
    assert usable(MANY[-2:]) == ["127.0.0.1"], "loopback only if there is nothing else"


def test_addresses_are_told_by_rank_all_of_them_without_loopback_and_with_zones_where_needed() -> None:
    assert told(MANY) == ["192.168.1.20", "192.168.1.9", "fd00::9", "10.8.0.6", "172.17.0.1", "fe80::7%veth1"]
    assert told(MANY[-2:]) == []
    crowd = [f"10.0.0.{number}" for number in range(1, 100)]
    assert told([an_interface(2, *crowd)]) == crowd


def test_an_announced_address_is_dialled_by_the_rank_of_the_interface_to_it_and_an_own_one_last() -> None:
    info = announcement(["10.8.0.7", "172.17.0.1", "172.17.0.2", "192.168.1.21"])
    hosts = [host for host, _ in endpoints_of(info, MANY)]
    assert hosts == ["192.168.1.21", "10.8.0.7", "172.17.0.2", "172.17.0.1"]


def test_a_zone_of_another_machine_stands_for_every_interface_that_could_be_meant() -> None:
    assert hosts_of("fe80::1%eth0", MANY) == ["fe80::1%eth0"]
    assert hosts_of("fe80::1%7", MANY) == ["fe80::1%7"]
    for host in ("fe80::1", "fe80::1%enp3s0", "fe80::1%9"):
        assert hosts_of(host, MANY) == ["fe80::1%2", "fe80::1%7"]
        assert hosts_of(host, MANY[-2:]) == [host], "nothing could reach it, and the error says so"
    for host in ("laptop.local", "192.168.1.20", "fd00::1", "169.254.3.3", "", "%eth0"):
        assert hosts_of(host, MANY) == [host]
