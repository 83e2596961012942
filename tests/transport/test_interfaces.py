from __future__ import annotations

import pytest
from zeroconf.asyncio import AsyncServiceInfo

from edda_sync.transport.discovery import SYNC
from edda_sync.transport.interfaces import endpoints_of, interfaces
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
    assert endpoints_of(info, []) == [("10.0.0.1", 7), ("fd00::1", 7), ("fe80::1%3", 7)]


@pytest.mark.parametrize("scope", [None, 0])
def test_a_link_local_address_without_scope_is_tried_on_each_interface_that_could_reach_it(scope: int | None) -> None:
    present = [an_interface(2, "fe80::2"), an_interface(5, "fe80::5", "10.0.0.5"), an_interface(6, "10.0.0.6")]
    down = an_interface(9, "fe80::9", up=False)
    assert endpoints_of(announcement(["fe80::1"], scope), [*present, down]) == [("fe80::1%2", 7), ("fe80::1%5", 7)]
    assert endpoints_of(announcement(["fe80::1"], scope), [down]) == []


def test_impossible_addresses_are_left_out_and_a_long_list_is_cut() -> None:
    assert endpoints_of(announcement(["224.0.0.251", "0.0.0.0", "ff02::fb", "::"]), []) == []
    crowd = [f"10.0.0.{number}" for number in range(1, 100)]
    assert len(endpoints_of(announcement(crowd), [])) == ADDRESSES_MAX
