"""``edda up`` and ``edda sync``: this device connects to the others."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
from collections.abc import AsyncIterator, Mapping
from contextlib import aclosing, asynccontextmanager
from typing import TYPE_CHECKING, Final, Literal

import click

from edda_sync.cli.commands import Command
from edda_sync.cli.common import (
    count,
    damaged_parts,
    home,
    is_new,
    json_option,
    made_sentence,
    note,
    print_json,
    safe_line,
    say,
)
from edda_sync.cli.happenings import Lines
from edda_sync.cli.log import Log
from edda_sync.cli.running import (
    LOOPBACK,
    NO_NETWORK,
    QUIET_S,
    SHORT_DEVICE,
    MetricsAddress,
    Waiting,
    answers,
    at_option,
    on_network,
    port_option,
)
from edda_sync.cli.secrets import unlock_first
from edda_sync.cli.status import apart, files_missing, losses, names_of, unread
from edda_sync.words import exits, limits
from edda_sync.words.addresses import host_port
from edda_sync.words.errors import EddaError, damage_sentence
from edda_sync.words.units import size_in_words

if TYPE_CHECKING:
    from edda_sync.device.control import Answer
    from edda_sync.device.device import Device


# --- up ---------------------------------------------------------------------------------------------------------------

MET_S: Final = 10.0  # by when a device that has started has usually met those that are there


@click.command("up", cls=Command)
@port_option
@at_option
@click.option("--no-discovery", is_flag=True, help="Do not look for others on the LAN, and do not be seen.")
@click.option(
    "--metrics",
    type=MetricsAddress(),
    metavar="[HOST:]PORT",
    help="Serve figures for Prometheus: to this machine only, unless you name a HOST.",
)
@click.option("--quiet", is_flag=True, help="Print only what is not as it should be.")
@click.option(
    "--log-format",
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    help="Print lines for a person, or JSON objects for a program that collects logs.",
)
def up(
    port: int,
    at: tuple[tuple[str, int], ...],
    no_discovery: bool,
    metrics: tuple[str, int] | None,
    quiet: bool,
    log_format: Literal["text", "json"],
) -> None:
    """
    Run this device: find the others, and keep equal with them, until Ctrl-C.

    Other commands may be used meanwhile; what they write is noticed at once. `edda service install` lets the system run it.
    """
    from edda_sync.device import footprint

    fresh = is_new()
    log = Log(log_format, quiet=quiet)
    try:
        unlock_first()
        footprint.take_little()
        asyncio.run(_up(port, at, not no_discovery, fresh, metrics, log))
    except EddaError as error:
        if log_format == "text":
            raise
        log.noted(str(error))
        click.get_current_context().exit(error.exit_code)


async def _up(
    port: int, at: tuple[tuple[str, int], ...], discover: bool, fresh: bool, metrics: tuple[str, int] | None, log: Log
) -> None:
    from edda_sync.cli.arising import Arising
    from edda_sync.device import footprint, service
    from edda_sync.device.device import Device
    from edda_sync.device.notifying import Notifier

    footprint.give_back()  # what loading all this needed
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    notifier = Notifier(os.environ)
    notifier.status("opening the store")
    lines = Lines(log, notifier.status)
    device = Device(home(), port=port, at=at, discover=discover, tell=lines.happened)
    lines.device = device

    opening = Waiting("Opening the store")

    hang_up = signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN  # `nohup edda up` goes on when its terminal goes
    signals = [signal.SIGINT, signal.SIGTERM, *([signal.SIGHUP] if hang_up else [])]

    def stopping() -> None:
        stop.set()
        opening.end()
        for each in signals:
            loop.remove_signal_handler(each)
            signal.signal(each, signal.SIG_DFL)  # a second one ends the process; SQLite undoes what was not finished
        loop.call_later(QUIET_S, lambda: log.noted(_finishing(device)))

    for each in signals:
        loop.add_signal_handler(each, stopping)
    with opening:
        await device.__aenter__()
    gc.freeze()  # these objects stay: to scan them again would cause pauses of 15 to 40 ms
    footprint.give_back()
    loop.call_later(MET_S, footprint.give_back)  # what the first talks needed, too
    try:
        if fresh:
            log.noted(made_sentence())
        found = await device.status()
        if damaged := await device.run(damaged_parts):
            log.noted(f"Not everything works, since {damage_sentence(damaged)}")
        for loss in losses(found):
            log.noted(loss)
        async with _figures(device, metrics) as url:
            if url:
                log.said(f"Figures for Prometheus: {url}", "figures", url=url)
                if metrics is not None and metrics[0] not in (LOOPBACK, "::1", "localhost"):
                    log.noted("Whoever reaches that address can read them.")
            _print_banner(found, service.addresses(), log)
            log.check_printed()
            with notifier.running(f"running on port {found['port']}"):
                lines.start()
                async with Arising(device, log):
                    await stop.wait()
                lines.end()
    finally:
        await device.__aexit__()
    log.said("Stopped; everything is on disk.", "stopped")


@asynccontextmanager
async def _figures(device: Device, address: tuple[str, int] | None) -> AsyncIterator[str]:
    """Serve the figures of a device, if a person asked for that; yield the URL."""
    if address is None:
        yield ""
        return
    from edda_sync.device import exposition

    async with exposition.serve(device, *address) as url:
        yield url


def _finishing(device: Device) -> str:
    """Say what is waited for before the device ends."""
    large = device.large
    what = "what it has begun" if large is None else f"something large that is exchanged with {device.name_of(large)}"
    return safe_line(f"Finishing {what}; press Ctrl-C again to end at once: nothing that was acknowledged is lost.")


def _print_banner(status: Answer, addresses: list[str], log: Log) -> None:
    short, port = status["device"][:SHORT_DEVICE], status["port"]
    own = {"device": status["device"], "name": status["name"], "port": port, "addresses": addresses}
    log.said(f'This is "{status["name"]}" ({short}), listening on port {port}.', "ready", **own)
    places = [host_port(each, port) for each in addresses]
    if not status["discovery"]["available"]:
        where = " or ".join(f"--at {each}" for each in places) or "no address yet"
        why = status["discovery"]["reason"]
        log.said(f"Not looking on the LAN: {why}. Others reach this device with {where}.", "discovery", reason=why)
    elif on_network():
        log.said(f"Looking for the others on the LAN; this device is at {' or '.join(places)}.", "discovery")
    else:
        log.said(f"{NO_NETWORK}; the others are looked for once it has one.", "discovery", reason=NO_NETWORK)
    names = names_of(status)
    if status["peers"]:
        others = [names[each["device"]] for each in status["peers"]]
        log.said(f"In this workspace too: {', '.join(others)}.", "members", others=others)
    else:
        log.said("No other device belongs to this workspace yet; `edda invite` lets one in.", "members", others=[])
    if status["conflicts"]:
        said = f"Conflicts: {status['conflicts']:,} kept; `edda conflicts` shows them."
        log.said(said, "conflicts", count=status["conflicts"])
    log.said("Ctrl-C stops it.", "hint")


# --- sync -------------------------------------------------------------------------------------------------------------


@click.command("sync", cls=Command)
@at_option
@click.option(
    "--timeout", type=click.FloatRange(0.1, 86_400), default=limits.SYNC_TIMEOUT_S, show_default=True, metavar="SECONDS"
)
@json_option
@click.pass_context
def sync(ctx: click.Context, at: tuple[tuple[str, int], ...], timeout: float, as_json: bool) -> None:
    """
    Sync once, until every device that can be reached is proved equal.

    Ends with 0 when they are, and with 4 when one is not within the time, or none could be reached.
    """
    unlock_first()
    final = asyncio.run(_sync(at, timeout))
    if as_json:
        fault = final.get("fault", "")
        moved = {name: final.get(name) for name in ("came", "sent", "new_conflicts")}
        told = {
            "equal": final["equal"],
            "peers": final["peers"],
            "files": final.get("files", {}),
            **moved,
            "shut_out": final["shut_out"],
            "fault": fault,
        }
        print_json(told)
    else:
        _print_synced(final)
    if not final["equal"]:
        ctx.exit(exits.NOT_EQUAL)


async def _sync(at: tuple[tuple[str, int], ...], timeout_s: float) -> Answer:
    from edda_sync.device import service

    final: Answer = {}
    request = {"do": "sync", "at": list(at), "timeout_s": timeout_s}
    called = ", ".join(host_port(*each) for each in at)
    with Waiting(f"Calling {called}" if called else "Looking for the other devices") as waiting:
        async with aclosing(
            answers(request, lambda device: service.sync(device, at, timeout_s, device.began))
        ) as stream:
            async for final in stream:
                waiting.update(_files_doing(final) or _doing(final["peers"]))
    return final


def _doing(peers: list[Answer]) -> str:
    """Return what the command is waiting for."""
    met = [f"{each['name']} ({_state(each)})" for each in peers if each["state"] != "unreachable"]
    called = [each["name"] for each in peers if each["device"] is None]
    doing = [f"Calling {', '.join(called)}"] if called else []
    doing += [f"{'syncing' if called else 'Syncing'} with {', '.join(met)}"] if met else []
    return ", ".join(doing) or "Looking for the other devices"


def _files_doing(answer: Answer) -> str:
    """Return what the command is waiting for once all are equal; empty before."""
    files = answer.get("files", {})
    if files.get("fetching"):
        left = f": {size_in_words(files['left_bytes'])} to come" if files["left_bytes"] else ""
        return f"Fetching {count(files['fetching'], 'file')}{left}"
    return f"{count(files['peers_fetching'], 'file')} to go" if files.get("peers_fetching") else ""


def _print_synced(final: Answer) -> None:
    for each in final["peers"]:
        say(f"{safe_line(each['name'])}: {_state(each)}")
    if "came" in final and any(each["state"] != "unreachable" for each in final["peers"]):
        say(_moved(final))
    if sentence := files_missing(final.get("files", {})):
        note(sentence)
    if not final["peers"]:
        note("No other device belongs to this workspace yet; `edda invite` lets one in.")
    elif final["shut_out"]:
        note(safe_line(final["shut_out"]))
    elif not final["equal"] and final.get("fault"):
        note(safe_line(final["fault"]))
    elif all(each["state"] == "unreachable" for each in final["peers"]) and not on_network():
        note(f"{NO_NETWORK}; no other device could be reached.")
    elif all(each["state"] == "unreachable" for each in final["peers"]):
        note(
            "No other device could be reached: is `edda up` running there? --at HOST:PORT dials one that is not found."
        )
    elif any(each["state"] == "syncing" for each in final["peers"]):
        note("Not equal yet; what was exchanged until now is kept, and the next sync goes on from there.")
    elif not final["equal"]:
        note("Not every address answered; the devices that did are proved equal.")


def _moved(final: Answer) -> str:
    """Return what came here and what was sent, in one sentence, and which command shows the conflicts that arose."""
    came, sent = (_things(final[name]) for name in ("came", "sent"))
    parts = [f"came: {came}"] if came else []
    parts += [f"sent: {sent}"] if sent else []
    if not parts:
        parts = ["nothing was new on either side"]
    if number := final["new_conflicts"]:
        parts.append(f"{count(number, 'new conflict')}, shown by `edda conflicts`")
    said = "; ".join(parts)
    return f"{said[0].upper()}{said[1:]}."


def _things(moved: Mapping[str, int | None]) -> str:
    """Return how many tasks and documents were exchanged; changes, where only other things were, such as tags."""
    if moved["tasks"] is None or moved["documents"] is None:
        return count(moved["changes"] or 0, "change")
    named = [
        count(number, what) for number, what in ((moved["tasks"], "task"), (moved["documents"], "document")) if number
    ]
    if named:
        return f"{' and '.join(named)}, new or changed"
    return f"{count(moved['changes'], 'change')} of other things, such as tags or links" if moved["changes"] else ""


def _state(peer: Answer) -> str:
    if peer["state"] == "equal":
        return "proved equal"
    if peer["state"] == "unread":
        return unread(peer["waiting"], peer["unread"])
    if peer["state"] == "unreachable":
        return f"not reached ({_inside(peer['error'])})" if peer["error"] else "not reached"
    return apart(peer) or (f"not equal ({_inside(peer['error'])})" if peer["error"] else "comparing")


def _inside(sentence: str) -> str:
    """Return a sentence in the form for brackets."""
    return sentence.removesuffix(".")


__all__ = ["sync", "up"]
