"""What is known of this machine's firewall. Usually only root may read its rules; then programs that manage one tell."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, NamedTuple

_MULTICAST_PORT: Final = 5353
_PATIENCE_S: Final = 5
_REFUSING: Final = ("drop", "reject")
_WITHOUT_CONDITION: Final = (*_REFUSING, "counter", "log", "limit")


class Known(NamedTuple):
    """
    What is known.

    Attributes:
        blocks: What the rules refuse that edda needs, for a person; empty if nothing is known to be refused.
        filters: What may refuse it, for a person; empty if nothing is known.
    """

    blocks: str
    filters: str


def _rules() -> str:
    """Return the rules of nftables in JSON; empty if they cannot be read."""
    try:
        done = subprocess.run(
            ["nft", "--json", "list", "ruleset"],
            capture_output=True,
            text=True,
            timeout=_PATIENCE_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout if done.returncode == 0 else ""


def known(port: int, *, rules: Callable[[], str] = _rules, root: Path = Path("/")) -> Known:
    """
    Return what is known of a firewall.

    Args:
        port: The TCP port where this device listens.
        rules: Returns the rules of nftables in JSON, or nothing.
        root: The folder that stands for ``/``.
    """
    text = rules()
    if text:
        return _of_rules(json.loads(text)["nftables"], port)
    try:
        if "ENABLED=yes" in (root / "etc/ufw/ufw.conf").read_text():
            return Known("", "ufw is switched on")
    except (OSError, UnicodeDecodeError):
        pass
    return Known("", "firewalld is running" if (root / "run/firewalld").exists() else "")


def _of_rules(listed: list[dict[str, Any]], port: int) -> Known:
    """Return what the rules refuse that is for the port, or for multicast, and whether they refuse what they do not name."""
    wanted = {("tcp", port), ("udp", _MULTICAST_PORT)}
    chains = {
        (chain["family"], chain["table"], chain["name"]): chain.get("policy") == "drop"
        for chain in (each["chain"] for each in listed if "chain" in each)
        if chain.get("hook") in ("input", "prerouting")
    }
    allowed, blocks = set[tuple[str, int]](), ""
    for rule in (each["rule"] for each in listed if "rule" in each):
        place, parts = (rule["family"], rule["table"], rule["chain"]), rule["expr"]
        if place not in chains:
            continue
        named = {each for each in wanted if any(_is_for(part["match"], *each) for part in parts if "match" in part)}
        if any("accept" in part for part in parts):
            allowed |= named
        elif any(verdict in part for part in parts for verdict in _REFUSING):
            if refused := sorted(named - allowed):
                what = " and ".join(f"{protocol.upper()} port {number}" for protocol, number in refused)
                blocks = blocks or f"{_called(place)} refuses {what}"
            elif all(key in _WITHOUT_CONDITION for part in parts for key in part):
                chains[place] = True
    filters = next((f"{_called(place)} refuses what no rule lets in" for place, strict in chains.items() if strict), "")
    return Known(blocks, "" if allowed >= wanted else filters)


def _called(place: tuple[str, str, str]) -> str:
    return f"the nftables chain {' '.join(place)}"


def _is_for(match: dict[str, Any], protocol: str, port: int) -> bool:
    """Tell whether a condition of a rule is that a packet is for a port."""
    payload = match["left"].get("payload", {}) if isinstance(match["left"], dict) else {}
    if payload.get("protocol") not in (protocol, "th") or (payload.get("field"), match["op"]) != ("dport", "=="):
        return False
    right = match["right"]
    return any(
        _includes(each, port) for each in (right["set"] if isinstance(right, dict) and "set" in right else [right])
    )


def _includes(ports: Any, port: int) -> bool:
    if isinstance(ports, dict) and "range" in ports:
        first, last = ports["range"]
        return bool(first <= port <= last)
    return bool(ports == port)
