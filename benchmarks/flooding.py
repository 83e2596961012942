"""
A stranger on the LAN that floods a device, as a process: ``python -m benchmarks.flooding KIND HOST PORT [OWN [HONEST]]``.

It floods until its input ends, ``A_SECOND`` times a second if it can, and then prints how often it did it.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import select
import socket
import ssl
import struct
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator
from typing import Final

A_SECOND: Final = 500
SOCKETS: Final = 200  # that are open at a time, three times as many as a device lets stand at its port
GROUP: Final = ("224.0.0.251", 5353)
SERVICE: Final = "_edda-sync._tcp.local"
GARBAGE: Final = os.urandom(64)

Act = Callable[[], object]


def silent(host: str, port: int) -> Act:
    """Open sockets and say nothing; the oldest ones make room."""
    crowd: deque[socket.socket] = deque()

    def act() -> None:
        if len(crowd) == SOCKETS:
            crowd.popleft().close()
        crowd.append(_call(host, port))

    return act


def open_and_close(host: str, port: int) -> Act:
    """Open a socket and close it."""
    return lambda: _call(host, port).close()


def garbage(host: str, port: int) -> Act:
    """Open a socket, say what nobody understands, and close it."""

    def act() -> None:
        with _call(host, port) as caller:
            caller.sendall(GARBAGE)

    return act


def handshakes(host: str, port: int) -> Act:
    """Go as far as a stranger gets: to the end of TLS, where its certificate, or that it has none, is refused."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE

    def act() -> None:
        with _call(host, port) as caller, contextlib.suppress(OSError), context.wrap_socket(caller) as tls:
            tls.recv(1)

    return act


def names(_host: str, _port: int, own: str) -> Act:
    """Announce ever new devices, with names of our form, as RFC 6762 wants it."""
    sender = _multicast(own)
    return lambda: sender.sendto(_announcement(os.urandom(8).hex(), own), GROUP)


def replays(_host: str, _port: int, own: str, honest: str) -> Act:
    """Repeat what an honest device has announced, as if it were here."""
    sender = _multicast(own)
    heard = list(itertools.islice(_announcements(sender, honest), 3))
    forged = itertools.cycle([each.replace(socket.inet_aton(honest), socket.inet_aton(own)) for each in heard])
    return lambda: sender.sendto(next(forged), GROUP)


def _call(host: str, port: int) -> socket.socket:
    return socket.create_connection((host, port), timeout=5)


def _multicast(own: str) -> socket.socket:
    """Return a socket that hears and says multicast DNS."""
    made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    made.bind(("", GROUP[1]))
    made.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, 255)
    made.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_LOOP, 0)
    here = socket.inet_aton(own)
    made.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, here)
    made.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, socket.inet_aton(GROUP[0]) + here)
    return made


def _announcements(heard: socket.socket, honest: str) -> Iterator[bytes]:
    """Yield the answers with an honest device's address, having asked for the service (RFC 6762, section 5)."""
    question = struct.pack(">6H", 0, 0, 1, 0, 0, 0) + _name(SERVICE) + struct.pack(">2H", 12, 1)
    while True:
        heard.sendto(question, GROUP)
        while select.select([heard], [], [], 1.5)[0]:
            packet, _ = heard.recvfrom(9_000)
            if socket.inet_aton(honest) in packet and b"_edda-sync" in packet:
                yield packet


def _name(dotted: str, first: bytes = b"") -> bytes:
    """Return a name as DNS writes it (RFC 1035, section 3.1)."""
    labels = ([first] if first else []) + [label.encode() for label in dotted.split(".")]
    return b"".join(bytes([len(label)]) + label for label in labels) + b"\0"


def _announcement(instance: str, address: str) -> bytes:
    """Return a whole answer: a pointer, and the service with its port, text and address (RFC 6763, section 4)."""
    name, host = _name(SERVICE, instance.encode()), _name("local", instance.encode())
    text = b"".join(bytes([len(each)]) + each for each in (b"v=1", b"t=" + os.urandom(8).hex().encode()))
    records = ((_name(SERVICE), 12, name), (name, 33, struct.pack(">3H", 0, 0, 7_700) + host), (name, 16, text))
    answers = [*records, (host, 1, socket.inet_aton(address))]
    said = [owner + struct.pack(">2HIH", kind, 1, 4_500, len(data)) + data for owner, kind, data in answers]
    return struct.pack(">6H", 0, 0x8400, 0, len(said), 0, 0) + b"".join(said)


KINDS: Final[dict[str, Callable[..., Act]]] = {
    "silent sockets": silent, "open and close": open_and_close, "garbage": garbage, "handshakes": handshakes,
    "names": names, "replays": replays,
}  # fmt: skip


def main() -> None:
    kind, host, port, *further = sys.argv[1:]
    act = KINDS[kind](host, int(port), *further)
    print("begun", flush=True)
    done, began_s = 0, time.monotonic()
    while not select.select([sys.stdin], [], [], max(0.0, began_s + done / A_SECOND - time.monotonic()))[0]:
        with contextlib.suppress(OSError):  # it was hung up on, which is what it came for
            act()
        done += 1
    print(done, time.monotonic() - began_s, flush=True)


if __name__ == "__main__":
    main()
