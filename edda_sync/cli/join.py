"""``edda join``: become a member of the workspace of another device."""

from __future__ import annotations

import asyncio
import platform
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from edda_sync.cli.commands import Command
from edda_sync.cli.common import GivenUpError, can_ask, count, home, note, safe_line, say
from edda_sync.cli.first_sync import LOST_S_MAX, until_equal
from edda_sync.cli.interrupts import keep
from edda_sync.cli.running import Address, Waiting
from edda_sync.crdt.records import told_apart
from edda_sync.engine import standing
from edda_sync.engine.engine import open as open_store
from edda_sync.words import exits, values
from edda_sync.words.addresses import host_port
from edda_sync.words.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path

    from edda_sync.device.device import Device
    from edda_sync.device.joining import Brought, Holdings
    from edda_sync.workspace.welcome import Welcome


@click.command("join", cls=Command)
@click.argument("code", nargs=-1, required=True, metavar="CODE")
@click.option(
    "--at", "at", type=Address(), metavar="HOST:PORT", help="Where the invitation is, as `edda invite` shows it."
)
@click.option("--bring", is_flag=True, help="Take along the tasks and documents that are here.")
@click.option("--leave", is_flag=True, help="Put the store that is here aside; it stays usable where it goes.")
@click.option("--name", metavar="NAME", help="What to call this device; its host name otherwise.")
@click.pass_context
def join(
    ctx: click.Context,
    code: tuple[str, ...],
    at: tuple[str, int] | None,
    bring: bool,
    leave: bool,
    name: str | None,
) -> None:
    """
    Join the workspace of another device, where `edda invite` shows CODE.

    All that it holds comes here. If a store with content is here already, it is put aside, or its content is brought
    along. If it belongs to that workspace already, but is no longer known there, it stays as it is.
    """
    from edda_sync.device import joining
    from edda_sync.device.control import only_runner
    from edda_sync.transport.pairing import parse_code

    typed = " ".join(code)  # people may type it in groups, as it is shown
    parse_code(typed)
    if bring and leave:
        raise UsageError("Say --bring or --leave, not both.")
    checked = None if name is None else values.line("name", name)
    along = bring if bring or leave else None
    with only_runner(home()):
        held = joining.holdings(home())
        has_content = held is not None and not held.is_empty
        may_stay = held is not None and (held.is_shut_out or (held.others and can_ask()))
        if held is not None and has_content and along is None and not may_stay:
            along = _ask(held)
        called = checked or (held.name if held is not None else _host_name())
        welcome, inviter = asyncio.run(_pair(typed, at, called))
        keep()
        stays = held is not None and joining.stays(home(), held, welcome)
        aside = home() / time.strftime("left-%Y-%m-%d-%H%M%S") if has_content and not stays else None
        if held is not None and aside is not None and along is None and can_ask():  # it moves only if it does not stay
            along = _ask_member(held, welcome)
        elif held is not None and aside is not None and bring and held.kept:
            note(_not_brought(held))
        joining.enter(home(), welcome, called, aside)
    joined = _Joined(welcome, inviter, checked, aside, bool(along), held if stays else None)
    if not asyncio.run(_sync_in(joined)):
        ctx.exit(exits.NOT_EQUAL)


@dataclass(frozen=True, slots=True)
class _Joined:
    """
    How a device joined.

    Attributes:
        welcome: What the inviter sent.
        inviter: The address on which the inviter listens.
        wished: The name that the person chose for this device; None if none was chosen.
        aside: Where the store that was here before is now; None if there was none.
        along: Whether its content is to be brought along.
        stayed: What the store holds, if it belongs to the workspace already and stays; otherwise None.
    """

    welcome: Welcome
    inviter: tuple[str, int]
    wished: str | None
    aside: Path | None
    along: bool
    stayed: Holdings | None


def _ask(held: Holdings) -> bool:
    """Ask what to do with a store that has content; return True to bring the content along."""
    content = ", ".join([count(held.tasks, "task"), count(held.documents, "document"), count(held.tags, "tag")])
    content += f", {held.trash:,} in the trash" if held.trash else ""
    others = f", in a workspace with {count(held.others, 'other device')}" if held.others else ""
    if not can_ask():
        same = " (with either it stays as it is, should it be that workspace's already)" if held.others else ""
        raise UsageError(
            f"There is a store here already ({content}{others}): --bring takes its content along into the workspace that "
            f"you join, --leave puts it aside{same}; nothing was done."
        )
    note(f"There is a store here already: {content}{others}.")
    note(
        "It is put aside, and stays usable there. Its tasks and documents can come along into the workspace that you join."
    )
    if held.kept:
        note(_not_brought(held))
    return click.confirm("Bring them along?", err=True)


def _not_brought(held: Holdings) -> str:
    """Return what of a store does not come along."""
    return (
        f"What does not come along: {count(held.kept, 'value')} that conflicts keep beside what is shown; `edda conflicts` "
        "lists them, here now and later where the store is put aside."
    )


def _ask_member(held: Holdings, welcome: Welcome) -> bool:
    """Ask the same after this device was let in. A person who gives up at this point is told what has happened so far."""
    try:
        return _ask(held)
    except (click.Abort, KeyboardInterrupt):  # while reading the answer, or just before
        others = _others(welcome, {held.device: held.name})
        note(
            f"\nThis device is a member of the workspace of {others} now, and its store is as it was; `edda join` with a "
            "new code joins it."
        )
        raise KeyboardInterrupt from None


def _host_name() -> str:
    return platform.node() or "device"


async def _pair(code: str, at: tuple[str, int] | None, name: str) -> tuple[Welcome, tuple[str, int]]:
    from edda_sync.device import joining

    with Waiting("Looking for the device that invites") as waiting:
        try:
            endpoints = [at] if at is not None else await joining.find(code)
        except asyncio.CancelledError:  # Ctrl-C
            raise GivenUpError from None
        waiting.update("Pairing")
        return await joining.pair(home(), code, name, endpoints)


async def _sync_in(joined: _Joined) -> bool:
    """Run the device that joined until it is equal to its inviter, and print what arrives."""
    from edda_sync.device.device import Device

    aside = joined.aside
    async with Device(home(), discover=False) as device:
        _say_joined(joined, device.store.identity.device, await device.run(standing.own_name))
        peer = await _first_sync(device, joined)
        if peer is None:
            if joined.along and aside is not None:
                note(f"Nothing was brought along yet; it is in {safe_line(str(aside))}.")
            return False
        if joined.along and aside is not None:
            brought = await device.run(lambda store: _bring(aside, store))
            say(_brought(brought))
            if not await until_equal(device, peer):
                return False
    say("`edda up` keeps this device equal with the others for as long as it runs.")
    return True


def _say_joined(joined: _Joined, own: str, name: str) -> None:
    others = _others(joined.welcome, {own: name})
    if joined.stayed is not None:
        how = "is known again in" if joined.stayed.is_shut_out else "is a member already of"
        say(f'This device, "{safe_line(name)}", {how} the workspace of {others}.')
        say("Its store stays, with all that was written here.")
    else:
        say(f'This device, "{safe_line(name)}", joined the workspace of {others}.')
    if joined.wished not in (None, name):
        say(f'It is not called "{safe_line(joined.wished or "")}": a device keeps the name with which it first joined.')
    if joined.aside is not None:
        say(f"The store that was here is in {safe_line(str(joined.aside))}; `edda --home` opens it there.")


def _others(welcome: Welcome, own: dict[str, str]) -> str:
    """Return the names of the members that a welcome lists, without this device."""
    names = told_apart({**{device: card.name for device, card in welcome.members.items()}, **own})
    others = ", ".join(sorted(shown for device, shown in names.items() if device not in own))
    return safe_line(others) or "another device"


async def _first_sync(device: Device, joined: _Joined) -> str | None:
    """Sync with the inviter, and print what arrived; return the inviter's device id, or None if it was not reached."""
    inviter = joined.inviter
    try:
        async with asyncio.timeout(LOST_S_MAX):
            with Waiting("Calling the device that invited"):
                peer = await device.dial(*inviter)
    except TimeoutError:
        note(
            f"The first sync could not begin: {host_port(*inviter)} does not answer. `edda up` or `edda sync` does it later."
        )
        return None
    if not await until_equal(device, peer):
        return None
    counts = await device.run(lambda store: store.counts())
    came = f"{count(counts['tasks'], 'task')} and {count(counts['documents'], 'document')}"
    came += " came" if joined.stayed is None else " are here now"
    say(f"{came}; proved equal with {safe_line(device.name_of(peer))}.")
    return peer


def _bring(aside: Path, store: Any) -> Brought:
    from edda_sync.device import joining

    with open_store(aside) as old:
        return joining.bring(old, store)


def _brought(brought: Brought) -> str:
    said = f"Brought along: {count(brought.tasks, 'task')} and {count(brought.documents, 'document')}."
    if brought.trash:
        said += (
            " 1 more is in the trash, as it was."
            if brought.trash == 1
            else f" {brought.trash:,} more are in the trash."
        )
    if brought.known:
        said += f" {brought.known:,} more were in the workspace already, and stay as they are there."
    return said
