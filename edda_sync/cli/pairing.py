"""``edda invite`` and ``edda join``: two devices become members of one workspace."""

from __future__ import annotations

import asyncio
import time
from contextlib import aclosing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import click

from edda_sync.cli import streams
from edda_sync.cli.common import GivenUpError, can_ask, can_redraw, count, home, note, on_terminal, safe_line, say
from edda_sync.cli.running import Address, Answer, Waiting, answers
from edda_sync.words.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path

    from edda_sync.device.device import Device
    from edda_sync.device.joining import Brought, Holdings
    from edda_sync.workspace.welcome import Welcome

EXIT_NOT_EQUAL: Final = 4
WINDOW_S: Final = 300.0
LOST_S_MAX: Final = 10.0  # the first sync waits so long for an inviter that has gone
STEP_S: Final = 0.2

# Digits five lines high, for a code that is read across a room.
_DIGITS: Final = {
    "0": ("███", "█ █", "█ █", "█ █", "███"), "1": (" █ ", "██ ", " █ ", " █ ", "███"),
    "2": ("███", "  █", "███", "█  ", "███"), "3": ("███", "  █", "███", "  █", "███"),
    "4": ("█ █", "█ █", "███", "  █", "  █"), "5": ("███", "█  ", "███", "  █", "███"),
    "6": ("███", "█  ", "███", "█ █", "███"), "7": ("███", "  █", "  █", "  █", "  █"),
    "8": ("███", "█ █", "███", "█ █", "███"), "9": ("███", "█ █", "███", "  █", "███"),
    "-": ("   ", "   ", "███", "   ", "   "),
}  # fmt: skip


# --- invite -----------------------------------------------------------------------------------------------------------


@click.command("invite")
@click.option("--port", type=click.IntRange(0, 65535), default=0, metavar="N", help="TCP port for the invitation.")
@click.option("--window", type=click.FloatRange(0.1, WINDOW_S), default=WINDOW_S, hidden=True)
@click.pass_context
def invite(ctx: click.Context, port: int, window: float) -> None:
    """
    Let another device join: shows a code to type there, for five minutes.

    A code is good for one device and one try.
    """
    if not asyncio.run(_invite(port, window)):
        ctx.exit(EXIT_NOT_EQUAL)


async def _invite(port: int, window: float) -> bool:
    from edda_sync.device import service

    def alone(device: Device) -> Any:
        return service.invite_alone(device, port=port, window_s=window)

    request = {"do": "invite", "port": port, "window_s": window}
    counting: asyncio.Task[None] | None = None
    equal, name = True, ""
    waiting = Waiting("Opening the invitation")
    waiting.__enter__()
    try:
        async with aclosing(answers(request, alone)) as stream:
            async for each in stream:
                waiting.__exit__()
                if "code" in each:
                    _show_code(each)
                    if why := streams.unshown():
                        raise UsageError(f"The code cannot be shown ({why}); the invitation was taken back.")
                    counting = asyncio.ensure_future(_count_down(each["window_s"]))
                if "name" in each:
                    await _end(counting)
                    name = each["name"]
                    say(f"{safe_line(name)} is a member of this workspace now.")
                    if not each.get("done"):
                        waiting = Waiting(f"The first sync of {name} is running")
                        waiting.__enter__()
                equal = each.get("equal", True)
    except asyncio.CancelledError:  # Ctrl-C
        if not name:
            raise GivenUpError from None
        raise
    finally:
        waiting.__exit__()
        await _end(counting)
    if not equal:
        note(f"{safe_line(name)} is not equal yet; `edda up` or `edda sync` here goes on.")
    return equal


def _show_code(answer: Answer) -> None:
    code, port = answer["code"], answer["port"]
    if on_terminal():
        click.echo()
        for line in range(5):
            say("  " + " ".join(_DIGITS[each][line] for each in code), bold=True)
        click.echo()
    say(f"Code: {code}")
    places = [f"[{each}]:{port}" if ":" in each else f"{each}:{port}" for each in answer["addresses"]]
    if not answer["network"]:
        say("This machine has no network now; others find this invitation once it has one.")
        say(f"On the other device, type:  edda join {code}")
        say(f"On this machine itself:  edda join {code} --at 127.0.0.1:{port}")
    elif answer["reason"]:
        say(f"The LAN cannot hear of this invitation: {answer['reason']}.")
        say(f"On the other device, type:  edda join {code} --at {places[0] if places else f'HOST:{port}'}")
    else:
        say(f"On the other device, type:  edda join {code}")
        if places:
            say(f"If it does not find this one:  edda join {code} --at {places[0]}")
    say(f"The code is good for {_duration(answer['window_s'])}, one device and one try. Ctrl-C takes it back.")


async def _count_down(window_s: float) -> None:
    """Show the time that is left, on a terminal."""
    if not can_redraw():
        return
    end = time.monotonic() + window_s
    try:
        while (left := end - time.monotonic()) > 0:
            click.echo(
                f"\r\x1b[KWaiting for the other device; {int(left) // 60}:{int(left) % 60:02d} left ",
                nl=False,
                err=True,
            )
            await asyncio.sleep(1)
    finally:
        click.echo("\r\x1b[K", nl=False, err=True)


async def _end(task: asyncio.Task[None] | None) -> None:
    if task is not None:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def _duration(seconds: float) -> str:
    return count(int(seconds // 60), "minute") if seconds >= 60 else f"{seconds:g} seconds"


# --- join -------------------------------------------------------------------------------------------------------------


@click.command("join")
@click.argument("code")
@click.option(
    "--at", "at", type=Address(), metavar="HOST:PORT", help="Where the invitation is, as `edda invite` shows it."
)
@click.option("--bring", is_flag=True, help="Take along the tasks and documents that are here.")
@click.option("--leave", is_flag=True, help="Put the store that is here aside; it stays usable where it goes.")
@click.option("--name", metavar="NAME", help="What to call this device; its host name otherwise.")
@click.pass_context
def join(ctx: click.Context, code: str, at: tuple[str, int] | None, bring: bool, leave: bool, name: str | None) -> None:
    """
    Join the workspace of another device, where `edda invite` shows CODE.

    All that it holds comes here. A store that is here already and holds something is left aside, or brought along; one that
    belongs there already, and is not known there any more, stays as it is.
    """
    from edda_sync.device import joining
    from edda_sync.device.control import only_runner
    from edda_sync.transport.pairing import parse_code
    from edda_sync.words import values

    parse_code(code)
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
        welcome, inviter = asyncio.run(_pair(code, at, called))
        stays = held is not None and joining.stays(home(), held, welcome)
        aside = home() / time.strftime("left-%Y-%m-%d-%H%M%S") if has_content and not stays else None
        if held is not None and aside is not None and along is None and can_ask():  # now it is known that it moves
            along = _ask_member(held, welcome)
        joining.enter(home(), welcome, called, aside)
    entered = _Entered(welcome, inviter, checked, aside, bool(along), held if stays else None)
    if not asyncio.run(_sync_in(entered)):
        ctx.exit(EXIT_NOT_EQUAL)


@dataclass(frozen=True, slots=True)
class _Entered:
    """
    How a device went in.

    Attributes:
        welcome: What the inviter said.
        inviter: Where it listens.
        wished: The name that a person wanted for this device, if any.
        aside: Where the store that made room is, if one did.
        along: Whether its content is to be brought along.
        stayed: What the store held that belongs to the workspace already, if it does.
    """

    welcome: Welcome
    inviter: tuple[str, int]
    wished: str | None
    aside: Path | None
    along: bool
    stayed: Holdings | None


def _ask(held: Holdings) -> bool:
    """Ask what to do with a store that holds something; True to bring it along."""
    content = ", ".join([count(held.tasks, "task"), count(held.documents, "document"), count(held.tags, "tag")])
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
    return click.confirm("Bring them along?", err=True)


def _ask_member(held: Holdings, welcome: Welcome) -> bool:
    """Ask that once this device is let in; who gives up then is told how it stands."""
    try:
        return _ask(held)
    except (click.Abort, KeyboardInterrupt):  # while it reads, or as it was about to
        others = _others(welcome, {held.device: held.name})
        note(
            f"\nThis device is a member of the workspace of {others} now, and its store is as it was; `edda join` with a "
            "new code goes in."
        )
        raise KeyboardInterrupt from None


def _host_name() -> str:
    import platform

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


async def _sync_in(entered: _Entered) -> bool:
    """Run the device that went in until it is equal with who let it in; say what comes."""
    from edda_sync.device.device import Device
    from edda_sync.engine import standing

    aside = entered.aside
    async with Device(home(), discover=False) as device:
        _say_joined(entered, device.store.identity.device, await device.run(standing.own_name))
        peer = await _first_sync(device, entered)
        if peer is None:
            if entered.along and aside is not None:
                note(f"Nothing was brought along yet; it is in {safe_line(str(aside))}.")
            return False
        if entered.along and aside is not None:
            brought = await device.run(lambda store: _bring(aside, store))
            say(_brought(brought))
            if not await _until_equal(device, peer):
                return False
    say("`edda up` keeps this device equal with the others for as long as it runs.")
    return True


def _say_joined(entered: _Entered, own: str, name: str) -> None:
    others = _others(entered.welcome, {own: name})
    if entered.stayed is not None:
        how = "is known again in" if entered.stayed.is_shut_out else "is a member already of"
        say(f'This device, "{safe_line(name)}", {how} the workspace of {others}.')
        say("Its store stays, with all that was written here.")
    else:
        say(f'This device, "{safe_line(name)}", joined the workspace of {others}.')
    if entered.wished not in (None, name):
        say(f'It is not called "{safe_line(entered.wished or "")}": a device keeps the name that it was let in with.')
    if entered.aside is not None:
        say(f"The store that was here is in {safe_line(str(entered.aside))}; `edda --home` opens it there.")


def _others(welcome: Welcome, own: dict[str, str]) -> str:
    """Name the members that a welcome tells of, but for this device."""
    from edda_sync.crdt.records import told_apart

    names = told_apart({**{device: card.name for device, card in welcome.members.items()}, **own})
    others = ", ".join(sorted(shown for device, shown in names.items() if device not in own))
    return safe_line(others) or "another device"


async def _first_sync(device: Device, entered: _Entered) -> str | None:
    """Sync with the inviter and say what came; return its device id, None when it did not get that far."""
    inviter = entered.inviter
    try:
        async with asyncio.timeout(LOST_S_MAX):
            with Waiting("Calling the device that invited"):
                peer = await device.dial(*inviter)
    except TimeoutError:
        place = f"{inviter[0]}:{inviter[1]}"
        note(f"The first sync could not begin: {place} does not answer. `edda up` or `edda sync` does it later.")
        return None
    if not await _until_equal(device, peer):
        return None
    counts = await device.run(lambda store: store.counts())
    came = f"{count(counts['tasks'], 'task')} and {count(counts['documents'], 'document')}"
    came += " came" if entered.stayed is None else " are here now"
    say(f"{came}; proved equal with {safe_line(device.name_of(peer))}.")
    return peer


async def _until_equal(device: Device, peer: str) -> bool:
    """Wait until the inviter is proved equal, with a bar; False when it has gone."""
    equal = asyncio.ensure_future(device.equal({peer}))
    seen = time.monotonic()
    try:
        with _Bar() as bar:
            while not (await asyncio.wait({equal}, timeout=STEP_S))[0]:
                talk = device.progress.get(peer)
                now = time.monotonic()
                if talk is not None:
                    seen = now
                    bar.show(talk.behind + talk.ahead, talk.rcvd_bytes + talk.sent_bytes)
                elif now - seen > LOST_S_MAX:
                    note("The other device has gone before the first sync was done; `edda up` or `edda sync` goes on.")
                    return False
        await equal
        return True
    finally:
        equal.cancel()


class _Bar:
    """How far a sync is: a bar on a terminal, else a line now and then."""

    def __init__(self) -> None:
        self._total = 0
        self._next = time.monotonic() + 1.0
        self._bar: Any = None
        self._task: Any = None

    def __enter__(self) -> _Bar:
        if can_redraw():
            from rich.console import Console
            from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

            columns = (TextColumn("Syncing"), BarColumn(), TextColumn("{task.fields[detail]}"), TimeElapsedColumn())
            self._bar = Progress(*columns, console=Console(stderr=True), transient=True)
            self._task = self._bar.add_task("", total=None, detail="")
            self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.stop()

    def show(self, missing: int, carried_bytes: int) -> None:
        """Take in how many changes are missing, on either side, and how many bytes went over the wire."""
        self._total = max(self._total, missing)
        detail = f"{self._total - missing:,} of {self._total:,} changes, {carried_bytes / 1e6:,.1f} MB"
        if self._bar is not None:
            self._bar.update(self._task, total=self._total or None, completed=self._total - missing, detail=detail)
        elif time.monotonic() >= self._next:
            self._next = time.monotonic() + 5.0
            note(f"Syncing: {detail}.")


def _bring(aside: Path, store: Any) -> Brought:
    from edda_sync.device import joining
    from edda_sync.engine.engine import open as open_store

    with open_store(aside) as old:
        return joining.bring(old, store)


def _brought(brought: Brought) -> str:
    said = f"Brought along: {count(brought.tasks, 'task')} and {count(brought.documents, 'document')}."
    if brought.known:
        said += f" {brought.known:,} more were in the workspace already, and stay as they are there."
    return said


__all__ = ["invite", "join"]
