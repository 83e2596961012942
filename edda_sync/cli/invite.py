"""``edda invite``: let another device join the workspace."""

from __future__ import annotations

import asyncio
import time
from contextlib import aclosing
from typing import TYPE_CHECKING, Any, Final

import click

from edda_sync.cli import streams
from edda_sync.cli.commands import Command
from edda_sync.cli.common import GivenUpError, can_redraw, count, note, on_terminal, safe_line, say
from edda_sync.cli.running import Waiting, answers
from edda_sync.cli.secrets import unlock_first
from edda_sync.words import exits
from edda_sync.words.addresses import host_port
from edda_sync.words.errors import UsageError
from edda_sync.words.limits import PAIRING_WINDOW_S

if TYPE_CHECKING:
    from edda_sync.device.control import Answer
    from edda_sync.device.device import Device

# Digits five lines high, for a code that is read across a room.
_DIGITS: Final = {
    "0": ("███", "█ █", "█ █", "█ █", "███"), "1": (" █ ", "██ ", " █ ", " █ ", "███"),
    "2": ("███", "  █", "███", "█  ", "███"), "3": ("███", "  █", "███", "  █", "███"),
    "4": ("█ █", "█ █", "███", "  █", "  █"), "5": ("███", "█  ", "███", "  █", "███"),
    "6": ("███", "█  ", "███", "█ █", "███"), "7": ("███", "  █", "  █", "  █", "  █"),
    "8": ("███", "█ █", "███", "█ █", "███"), "9": ("███", "█ █", "███", "  █", "███"),
    "-": ("   ", "   ", "███", "   ", "   "),
}  # fmt: skip


@click.command("invite", cls=Command)
@click.option("--port", type=click.IntRange(0, 65535), default=0, metavar="N", help="TCP port for the invitation.")
@click.option("--window", type=click.FloatRange(0.1, PAIRING_WINDOW_S), default=PAIRING_WINDOW_S, hidden=True)
@click.pass_context
def invite(ctx: click.Context, port: int, window: float) -> None:
    """
    Let another device join: shows a code to type there, for five minutes.

    A code is good for one device and one try.
    """
    unlock_first()
    if not asyncio.run(_invite(port, window)):
        ctx.exit(exits.NOT_EQUAL)


async def _invite(port: int, window: float) -> bool:
    from edda_sync.device import service

    def alone(device: Device) -> Any:
        return service.invite_alone(device, port=port, window_s=window)

    request = {"do": "invite", "port": port, "window_s": window}
    counting: asyncio.Task[None] | None = None
    equal, unread, name = True, False, ""
    waiting = Waiting("Opening the invitation")
    waiting.__enter__()
    try:
        async with aclosing(answers(request, alone, make=True)) as stream:
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
                equal, unread = each.get("equal", True), each.get("unread", False)
                if each.get("equal"):
                    say(f"{safe_line(name)} holds all that is here: proved equal.")
    except asyncio.CancelledError:  # Ctrl-C
        if not name:
            raise GivenUpError from None
        raise
    finally:
        waiting.__exit__()
        await _end(counting)
    if unread:
        note(
            f"{safe_line(name)} holds all that is here; one of the two devices runs an older edda, and must be updated."
        )
    elif not equal:
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
    places = [host_port(each, port) for each in answer["addresses"]]
    if not answer["network"]:
        say("This machine has no network now; others find this invitation once it has one.")
        say("On the other device, type:  edda join")
        say(f"On this machine itself:  edda join --at 127.0.0.1:{port}")
    elif answer["reason"]:
        say(f"The LAN cannot hear of this invitation: {answer['reason']}.")
        _show_places("On the other device, type:", places or [f"HOST:{port}"])
    else:
        say("On the other device, type:  edda join")
        if places:
            _show_places("If it does not find this one:", places)
    say("It asks for the code.")
    say(f"The code is good for {_duration(answer['window_s'])}, one device and one try. Ctrl-C takes it back.")


def _show_places(before: str, places: list[str]) -> None:
    """Print how to join at an address; the likeliest comes first, and the others below it."""
    for number, place in enumerate(places):
        say(f"{before if number == 0 else 'or'.rjust(len(before))}  edda join --at {safe_line(place)}")


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
