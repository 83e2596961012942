from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from edda_sync.transport.firewall import Known, known
from tests.transport.announcing import PATIENCE_S

PORT = 4321
CHAIN = "add chain inet edda input { type filter hook input priority 0 ; policy %s ; }"
NOTHING = Known("", "")
STRICT = Known("", "the nftables chain inet edda input refuses what no rule lets in")


@pytest.fixture
def rules_of(namespaces: Callable[[], str]) -> Callable[..., str]:
    """The rules of a real firewall, as nft tells them."""
    if shutil.which("nft") is None:
        pytest.skip("the command nft is not installed")

    def made(policy: str, *rules: str) -> str:
        lines = ["add table inet edda", CHAIN % policy, *(f"add rule inet edda input {each}" for each in rules)]
        nft = ["ip", "netns", "exec", namespaces(), "nft"]
        subprocess.run([*nft, "--file", "-"], input="\n".join(lines), text=True, timeout=PATIENCE_S, check=True)
        told = subprocess.run(
            [*nft, "--json", "list", "ruleset"], capture_output=True, text=True, timeout=PATIENCE_S, check=True
        )
        return told.stdout

    return made


@pytest.mark.parametrize(
    ("policy", "rules", "expected"),
    [
        ("accept", [], NOTHING),
        ("accept", ["ct state invalid drop", "tcp dport 22 drop", "ip saddr 192.0.2.0/24 drop"], NOTHING),
        ("drop", [], STRICT),
        ("drop", ["tcp dport 4321 accept"], STRICT),
        ("drop", ["tcp dport 4321 accept", "udp dport 5353 accept"], NOTHING),
        ("drop", ["tcp dport { 22, 4000-5000 } accept", "udp dport { 53, 5353 } accept"], NOTHING),
        ("accept", ["tcp dport 22 accept", "counter reject"], STRICT),
        ("accept", ["tcp dport 4321 drop"], Known("the nftables chain inet edda input refuses TCP port 4321", "")),
        ("accept", ["iifname eth0 tcp dport 4000-5000 reject", "udp dport 5353 drop"],
         Known("the nftables chain inet edda input refuses TCP port 4321", "")),
        ("accept", ["udp dport 5353 counter drop"], Known("the nftables chain inet edda input refuses UDP port 5353", "")),
        ("accept", ["tcp dport 4321 accept", "tcp dport 4000-5000 drop"], NOTHING),
    ],
    ids=str,
)  # fmt: skip
def test_what_the_rules_refuse_is_read_from_a_real_firewall(
    rules_of: Callable[..., str], policy: str, rules: list[str], expected: Known
) -> None:
    text = rules_of(policy, *rules)
    assert known(PORT, rules=lambda: text) == expected


def test_where_the_rules_cannot_be_read_the_programs_that_manage_one_tell(tmp_path: Path) -> None:
    def told() -> Known:
        return known(PORT, rules=lambda: "", root=tmp_path)

    assert told() == NOTHING
    (tmp_path / "run/firewalld").mkdir(parents=True)
    assert told() == Known("", "firewalld is running")
    (tmp_path / "etc/ufw").mkdir(parents=True)
    (tmp_path / "etc/ufw/ufw.conf").write_text("LOGLEVEL=low\nENABLED=no\n")
    assert told() == Known("", "firewalld is running")
    (tmp_path / "etc/ufw/ufw.conf").write_text("ENABLED=yes\n")
    assert told() == Known("", "ufw is switched on")
    (tmp_path / "etc/ufw/ufw.conf").write_bytes(b"\xff\xfe")
    assert told() == Known("", "firewalld is running")


def test_rules_of_a_real_machine_can_be_read_whatever_they_are() -> None:
    assert isinstance(known(PORT), Known)
    assert known(PORT, rules=lambda: '{"nftables": []}') == NOTHING
