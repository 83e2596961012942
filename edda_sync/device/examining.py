"""
Examining the network: what two devices need to meet, step by step, and which step fails on this machine.

It works beside a running device, which says what it knows, and without one. What is outside of this machine, such as a Wi-Fi
that keeps its guests apart, cannot be seen from inside.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import ssl
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from edda_sync.engine import standing
from edda_sync.engine.engine import StorageEngine
from edda_sync.transport import firewall, hearing, tls
from edda_sync.transport.dial import peek
from edda_sync.transport.interfaces import Interface, interfaces, told
from edda_sync.transport.ranks import Rank
from edda_sync.transport.sockets import listening
from edda_sync.words import clocks
from edda_sync.words.addresses import host_port
from edda_sync.words.errors import NotReachableError, RemoteError, StorageError, UsageError
from edda_sync.words.limits import CLOCKS_APART_S, SELF_CALL_S

_DROPPED: Final = "no answer: packets are dropped"
_BLOCKED_TODO: Final = "let TCP port {port} and UDP port 5353 in, in this machine's firewall"


@dataclass(frozen=True, slots=True)
class Step:
    """
    One step of meeting others.

    Attributes:
        step: ``interface``, ``multicast``, ``port``, ``firewall``, ``certificate`` or ``clock``.
        ok: Whether it works; None if that cannot be known here.
        detail: What was found, for a person.
        todo: What to do about it; empty if it works.
    """

    step: str
    ok: bool | None
    detail: str
    todo: str = ""


async def examine(store: StorageEngine, running: Mapping[str, Any] | None) -> list[Step]:
    """
    Return every step, in the order in which two devices need them.

    Args:
        store: This device's store.
        running: The status of the running device; None if none runs.
    """
    present = interfaces()
    addresses = told(present)
    steps = [_interface(present, addresses), await _multicast(present, running)]
    async with _port(store, running) as (port, found):
        steps += [found, await _firewall(addresses, port, running)]
    steps.append(await _certificate(store, port if running else 0))
    peers = running["peers"] if running else standing.status(store)["peers"]
    return [*steps, _clock(peers)]


def _interface(present: frozenset[Interface], addresses: Sequence[str]) -> Step:
    if addresses:
        return Step("interface", True, f"others reach this machine at {', '.join(addresses)}")
    inner = {each.name for each in present if "127.0.0.1" in each.addresses}
    names = [name for _, name in socket.if_nameindex() if name not in {"lo", *inner}]
    without = "there is no interface but the loopback"
    detail = f"no address on {', '.join(names)}: switched off, or without a cable or Wi-Fi" if names else without
    return Step("interface", False, detail, "connect this machine to the network: plug the cable in, or join a Wi-Fi")


# --- multicast --------------------------------------------------------------------------------------------------------


async def _multicast(present: frozenset[Interface], running: Mapping[str, Any] | None) -> Step:
    tried = sorted((each for each in present if told([each])), key=lambda each: (each.rank, each.index))
    tried = [each for each in tried if each.rank < Rank.INNER] or tried
    if not tried:
        return Step("multicast", False, "there is no interface on which others could be heard", "see interface")
    faults = {each.name: await asyncio.to_thread(hearing.fault, each) for each in tried}
    heard = [name for name, fault in faults.items() if not fault]
    silent = "; ".join(f"{name}: {fault}" for name, fault in faults.items() if fault)
    if not heard:
        return Step("multicast", False, silent, "let UDP port 5353 in and out, or name addresses with --at HOST:PORT")
    detail = f"passes on {', '.join(heard)}" + (f", but not on {silent}" if silent else "")
    discovery = (running or {}).get("discovery", {"available": True})
    if not discovery["available"]:
        return Step("multicast", None, f"{detail}; the running device does not use it: {discovery['reason']}",
                    "others need --at HOST:PORT")  # fmt: skip
    if faults[tried[0].name]:  # where others most likely are
        return Step(
            "multicast", False, detail, "let UDP port 5353 in and out there, or name addresses with --at HOST:PORT"
        )
    return Step("multicast", True, detail)


# --- port and firewall ------------------------------------------------------------------------------------------------


@contextlib.asynccontextmanager
async def _port(store: StorageEngine, running: Mapping[str, Any] | None) -> AsyncIterator[tuple[int, Step]]:
    """Find the port, and let something listen there meanwhile, if it can be."""
    if running:
        port = int(running["port"])
        why = await _call("127.0.0.1", port)
        if why not in ("", _DROPPED):
            yield (
                port,
                Step("port", False, f"nothing answers on TCP port {port}: {why}", "end `edda up`, and start it again"),
            )
        else:
            yield port, Step("port", True, f"the running device listens on TCP port {port}")
        return
    last = standing.port(store)
    try:
        own = await listening(None, last)
    except UsageError as error:
        yield 0, Step("port", None, f"{error} Where other devices remember this one, it is not reached",
                      f"end what uses TCP port {last}, or start `edda up`, which takes another port")  # fmt: skip
        return
    server = await asyncio.start_server(lambda _, writer: writer.close(), sock=own)
    async with server:
        port = own.getsockname()[1]
        which = "is free" if last else "can be opened, as an example"
        yield port, Step("port", True, f"TCP port {port} {which}; nothing listens until `edda up` runs")


async def _firewall(addresses: Sequence[str], port: int, running: Mapping[str, Any] | None) -> Step:
    if not port or not addresses:
        return Step("firewall", None, "without an address and a port nothing can be tried", "see above")
    todo = _BLOCKED_TODO.format(port=port)
    called = await asyncio.gather(*(_call(each, port) for each in addresses))
    refused = [f"{host_port(each, port)} ({why})" for each, why in zip(addresses, called, strict=True) if why]
    if refused:
        return Step("firewall", False, f"this machine does not reach itself at {', '.join(refused)}", todo)
    known = await asyncio.to_thread(firewall.known, port)
    if known.blocks:
        return Step("firewall", False, known.blocks, todo)
    inward = [each["name"] for each in (running or {}).get("peers", ()) if each.get("called_in")]
    if inward:
        return Step("firewall", True, f"{', '.join(inward)} called this device, so others get through")
    if known.filters:
        return Step("firewall", None, f"{known.filters}, and no other device has called yet", todo)
    return Step(
        "firewall", True, f"this machine reaches itself at {', '.join(addresses)}; nothing is known to filter it"
    )


async def _call(host: str, port: int) -> str:
    """Return why this machine does not reach itself at an address; empty if it does."""
    try:
        async with asyncio.timeout(SELF_CALL_S):
            _, writer = await asyncio.open_connection(host, port)
    except TimeoutError:
        return _DROPPED
    except OSError as error:
        return os.strerror(error.errno) if error.errno else str(error)
    writer.transport.abort()
    return ""


# --- certificate and clock --------------------------------------------------------------------------------------------


async def _certificate(store: StorageEngine, port: int) -> Step:
    own = store.identity
    try:
        await asyncio.to_thread(tls.check, own)
        shown = await peek("127.0.0.1", port, SELF_CALL_S) if port else own.certificate
    except (ssl.SSLError, StorageError) as error:
        return Step(
            "certificate", False, f"this device cannot prove who it is: {error}", "check its key, and this system's TLS"
        )
    except NotReachableError as error:
        return Step("certificate", None, f"the running device does not show its own: {error}", "see port and firewall")
    except RemoteError as error:
        return Step("certificate", False, str(error), "see port")
    if store.reading.certificates().get(own.device) != own.certificate:
        return Step("certificate", False, "the workspace knows this device by another certificate, or does not know it",
                    "let it in again: `edda invite` on a member, and `edda join CODE` here")  # fmt: skip
    if shown != own.certificate:
        return Step(
            "certificate", False, f"another program answers on port {port}", "end it, and start `edda up` again"
        )
    return Step("certificate", True, "the members know it, and no date makes it invalid")


def _clock(peers: Sequence[Mapping[str, Any]]) -> Step:
    known = {each["name"]: float(each["clock_s"]) for each in peers if each.get("clock_s") is not None}
    if not known:
        return Step("clock", None, "no other device's clock is known yet", "let this device sync once")
    wrong = {name: ahead_s for name, ahead_s in known.items() if abs(ahead_s) > CLOCKS_APART_S}
    if not wrong:
        return Step("clock", True, f"it agrees with that of {', '.join(known)}")
    if len(wrong) == len(known) > 1 and max(wrong.values()) - min(wrong.values()) <= CLOCKS_APART_S:
        own = clocks.apart(-max(wrong.values(), key=abs))
        return Step("clock", False, f"this device's clock is {own} that of {', '.join(wrong)}", "set this clock")
    said = "; ".join(f"{name}'s clock is {clocks.apart(ahead_s)} this one's" for name, ahead_s in wrong.items())
    return Step("clock", False, said, "set the clock that is wrong; sync goes on meanwhile")
