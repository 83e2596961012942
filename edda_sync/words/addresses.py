"""Addresses: a host and a port, as a person writes and reads them."""

from __future__ import annotations

from typing import Final

PORT_MAX: Final = 65_535


def host_port(host: str, port: int | str) -> str:
    """Return an address as people write it: ``HOST:PORT``, or ``[IPV6]:PORT``. :func:`split` is the reverse."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def split(text: str) -> tuple[str, int]:
    """
    Return the host and the port of an address.

    Args:
        text: ``HOST:PORT``, or ``[IPV6]:PORT``. The brackets are needed, because an IPv6 address contains colons.

    Raises:
        ValueError: It is not an address.
    """
    host, colon, port = text.rpartition(":")
    bracketed = host.startswith("[") and host.endswith("]")
    host = host[1:-1] if bracketed else host
    if not colon or not host or (":" in host) > bracketed or not port.isascii() or not port.isdigit():
        raise ValueError(text)
    if not 0 < int(port) <= PORT_MAX:
        raise ValueError(text)
    return host, int(port)
