from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edda_sync.words.addresses import PORT_MAX, host_port, split

HOSTS = st.one_of(
    st.ip_addresses().map(str),
    st.ip_addresses(network="fe80::/10").map(lambda address: f"{address}%eth0"),
    st.from_regex(r"[a-z][a-z0-9-]{0,20}(\.[a-z]{2,5})?", fullmatch=True),
)


@given(HOSTS, st.integers(1, PORT_MAX))
def test_a_written_address_is_read_back(host: str, port: int) -> None:
    assert split(host_port(host, port)) == (host, port)


def test_ipv6_stands_in_brackets() -> None:
    assert host_port("fd00::20", 4321) == "[fd00::20]:4321"
    assert host_port("192.168.1.20", 4321) == "192.168.1.20:4321"
    assert host_port("laptop.local", "4321") == "laptop.local:4321"


@given(st.ip_addresses(v=6).map(str).filter(lambda host: ":" in host), st.integers(1, PORT_MAX))
def test_ipv6_without_brackets_is_refused_since_its_end_could_be_the_port(host: str, port: int) -> None:
    assert ipaddress.ip_address(host).version == 6
    with pytest.raises(ValueError, match=str(port)):
        split(f"{host}:{port}")


@pytest.mark.parametrize(
    "text",
    ["", ":", ":80", "host", "host:", "host:0", "host:65536", "host:-1", "host:+1", "host: 1", "host:1.5", "host:٤٢",
     "[]:80", "[::1]", "[::1:80", "::1]:80", "a:b:80"],
)  # fmt: skip
def test_an_invalid_address_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r".*"):
        split(text)
