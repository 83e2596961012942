"""``edda join``: become a member of the workspace of another device."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import click

from edda_sync.cli.commands import Command
from edda_sync.cli.common import GivenUpError, can_ask, configuration, count, home, note, opened, safe_line, say
from edda_sync.cli.first_sync import LOST_S_MAX, until_equal
from edda_sync.cli.interrupts import keep
from edda_sync.cli.network import sync
from edda_sync.cli.running import Address, Waiting
from edda_sync.cli.status import unread
from edda_sync.crdt.records import told_apart
from edda_sync.engine import aside as asides
from edda_sync.engine import standing
from edda_sync.engine.engine import StorageEngine
from edda_sync.words import exits, limits, values
from edda_sync.words.addresses import host_port
from edda_sync.words.config import DATABASE_FILE, StorageConfig
from edda_sync.words.errors import UsageError
from edda_sync.words.hostname import host_name

if TYPE_CHECKING:
    from pathlib import Path

    from edda_sync.device.bringing import Brought
    from edda_sync.device.device import Device
    from edda_sync.device.joining import Holdings
    from edda_sync.workspace.welcome import Welcome


@click.command("join", cls=Command)
@click.argument("code", nargs=-1, metavar="CODE")
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
    Join the workspace of another device, where `edda invite` shows CODE. It is asked for if you leave it out: then no
    other user of this machine can read it in the list of processes.

    All that it holds comes here. If a store with content is here already, it is put aside, or its content is brought
    along. If it belongs to that workspace already, but is no longer known there, it stays as it is.

    If a join with --bring was interrupted, `edda join --bring`, without a code, brings along what is still outstanding.
    """
    if not code and bring and not leave:
        _go_on(ctx, at)
        return
    if not code and not can_ask():
        raise click.MissingParameter(ctx=ctx, param=ctx.command.params[0])
    from edda_sync.transport.pairing import parse_code

    typed = " ".join(code) or click.prompt("Code that `edda invite` shows", err=True)  # typed in groups, as it is shown
    parse_code(typed)
    if bring and leave:
        raise UsageError("Say --bring or --leave, not both.")
    checked = None if name is None else values.line("name", name)
    with _telling_where():
        if not _join(typed, at, checked, bring=bring, leave=leave):
            ctx.exit(exits.NOT_EQUAL)


def _join(code: str, at: tuple[str, int] | None, checked: str | None, *, bring: bool, leave: bool) -> bool:
    """Join by a code, and return whether this device is proved equal with its inviter at the end."""
    from edda_sync.device import joining
    from edda_sync.device.control import only_runner

    along = bring if bring or leave else None
    config = configuration()
    with only_runner(home(), config):
        held = joining.holdings(home())
        has_content = held is not None and not held.is_empty
        may_stay = held is not None and (held.is_shut_out or (held.others and can_ask()))
        if held is not None and has_content and along is None and not may_stay:
            along = _ask(held)
        called = checked or (held.name if held is not None else config.name or host_name())
        welcome, inviter = asyncio.run(_pair(code, at, called))
        keep()
        before = asides.outstanding(home())
        stays = held is not None and joining.stays(home(), held, welcome)
        aside = home() / time.strftime(f"{asides.PREFIX}%Y-%m-%d-%H%M%S") if has_content and not stays else None
        if held is not None and aside is not None and along is None and can_ask():  # it moves only if it does not stay
            along = _ask_member(held, welcome)
        elif held is not None and aside is not None and bring and held.kept:
            note(_not_brought(held))
        joining.enter(home(), welcome, called, aside, along=bool(along))
    waiting = _to_bring(welcome, bring=bring, leave=leave, before=before)
    joined = _Joined(welcome, inviter, checked, aside, waiting, held if stays else None)
    return asyncio.run(_sync_in(joined))


def _to_bring(welcome: Welcome, *, bring: bool, leave: bool, before: Mapping[Path, bytes]) -> Sequence[Path]:
    """
    Return the folders of the stores whose content this join brings along: also those that an earlier one did not bring.

    Args:
        welcome: What the inviter sent. Without ``--bring``, what was to go into another workspace waits.
        bring: Whether the person said ``--bring``.
        leave: Whether the person said ``--leave``: then nothing waits any more.
        before: What waited before this join.
    """
    waiting = asides.outstanding(home())
    if leave:
        for folder in before:
            note(f"A store from before stays in {safe_line(str(folder))}, and is not brought along.")
            asides.done(folder)
        return ()
    return [folder for folder, workspace in waiting.items() if bring or workspace == welcome.workspace]


@contextmanager
def _telling_where() -> Iterator[None]:
    """If Ctrl-C ends the block, have it said where the store is that was here, and which command goes on."""
    before = _left()
    try:
        yield
    except KeyboardInterrupt:
        if waiting := asides.outstanding(home()):
            keep(asides.sentence([safe_line(str(folder)) for folder in waiting]))
        elif left := _left() - before:
            keep(
                f"what was done until then is kept, and the store that was here is in {safe_line(str(max(left)))}; "
                "`edda up` or `edda sync` goes on"
            )
        raise


def _left() -> set[Path]:
    """Return the folders of all stores that were put aside."""
    return {file.parent for file in asides.held(home(), DATABASE_FILE)}


def _go_on(ctx: click.Context, at: tuple[str, int] | None) -> None:
    """Bring along what an earlier join was to bring along, after the first sync, so that what is known is not made twice."""
    waiting = [*asides.outstanding(home())]
    if not waiting:
        raise UsageError(
            "Nothing is left to be brought along; `edda join CODE` takes the code that `edda invite` shows."
        )
    with opened() as store:
        was_equal = any(each["proved_at"] is not None for each in standing.devices(store) if not each["this"])
    with _telling_where():
        if not was_equal:
            note("The first sync is not done yet; it comes before anything is brought along.")
            ctx.invoke(sync, at=() if at is None else (at,), timeout=limits.SYNC_TIMEOUT_S, as_json=False)
        with opened() as store:
            for folder in waiting:
                say(_brought(_bring(folder, store)))
    say("`edda up` or `edda sync` sends it to the other devices.")


@dataclass(frozen=True, slots=True)
class _Joined:
    """
    How a device joined.

    Attributes:
        welcome: What the inviter sent.
        inviter: The address on which the inviter listens.
        wished: The name that the person chose for this device; None if none was chosen.
        aside: Where the store that was here before is now; None if there was none.
        waiting: The folders of the stores whose content is to be brought along.
        stayed: What the store holds, if it belongs to the workspace already and stays; otherwise None.
    """

    welcome: Welcome
    inviter: tuple[str, int]
    wished: str | None
    aside: Path | None
    waiting: Sequence[Path]
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
    note("Without them, this device joins with what is there only. Ctrl-C leaves all as it is.")
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


async def _pair(code: str, at: tuple[str, int] | None, name: str) -> tuple[Welcome, tuple[str, int]]:
    from edda_sync.device import joining

    is_pairing = False

    def found() -> None:
        nonlocal is_pairing
        is_pairing = True
        waiting.update("Pairing")

    with Waiting("Looking for the device that invites") as waiting:
        try:
            if at is None:
                return await joining.search(home(), code, name, found)
        except asyncio.CancelledError:  # Ctrl-C
            if not is_pairing:
                raise GivenUpError from None
            raise
        found()
        return await joining.pair(home(), code, name, [at])


async def _sync_in(joined: _Joined) -> bool:
    """Run the device that joined until it is equal to its inviter, and print what arrives."""
    from edda_sync.device import footprint
    from edda_sync.device.device import Device

    footprint.take_little()
    async with Device(home(), discover=False) as device:
        footprint.give_back()
        _say_joined(joined, device.store.identity.device, await device.run(standing.own_name))
        peer = await _first_sync(device, joined)
        if peer is None:
            if joined.waiting:
                folders = ", ".join(safe_line(str(each)) for each in joined.waiting)
                note(f"Nothing was brought along yet; it is in {folders}, and `edda join --bring` brings it along.")
            return False
        for folder in joined.waiting:
            say(_brought(await device.run(partial(_bring, folder))))
        if joined.waiting and not await until_equal(device, peer):
            return False
    say("`edda up` keeps this device equal with the others for as long as it runs.")
    return True


def _say_joined(joined: _Joined, own: str, name: str) -> None:
    others = _others(joined.welcome, {own: name})
    stayed = joined.stayed
    if stayed is not None and not (stayed.is_shut_out and not stayed.is_refused):
        how = "is known again in" if stayed.is_refused else "is a member already of"
        say(f'This device, "{safe_line(name)}", {how} the workspace of {others}.')
        say("Its store stays, with all that was written here.")
    else:
        say(f'This device, "{safe_line(name)}", joined the workspace of {others}.')
        if stayed is not None and not stayed.is_empty:
            say("What was written here since the first attempt stays.")
    if joined.wished not in (None, name):
        say(f'It is not called "{safe_line(joined.wished or "")}": a device keeps the name with which it first joined.')
    if any(card.name == name for device, card in joined.welcome.members.items() if device != own):
        note(f"Another device is called {safe_line(name)}, too; `edda devices rename NAME` renames this one.")
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
    name, talk = safe_line(device.name_of(peer)), device.progress.get(peer)
    if talk is not None and talk.cannot_prove:
        say(f"{came}; {name} and this device are {unread(talk.waiting, talk.unread)}.")
    else:
        say(f"{came}; proved equal with {name}.")
    return peer


def _bring(aside: Path, store: Any) -> Brought:
    """Bring along what the store in a folder holds, and note that it was."""
    from edda_sync.device.bringing import bring

    with StorageEngine(aside) as old:  # where the store of this folder is configured to be says nothing about that one
        old.open_store(StorageConfig(state_path=store.config.state_path))
        brought = bring(old, store)
    asides.done(aside)
    return brought


def _brought(brought: Brought) -> str:
    said = f"Brought along: {count(brought.tasks, 'task')} and {count(brought.documents, 'document')}."
    if brought.trash:
        said += (
            " 1 more is in the trash, as it was."
            if brought.trash == 1
            else f" {brought.trash:,} more are in the trash."
        )
    if brought.lost:
        said += f" Of what is attached, {count(brought.lost, 'file')} stayed there, not being whole on this device."
    if brought.known:
        said += f" {brought.known:,} more were in the workspace already, and stay as they are there."
    return said
