"""What the network's commands share: addresses, waiting, and whether a running ``edda up`` or this process does the work."""

from __future__ import annotations

import threading
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click

from edda_sync.cli.common import can_redraw, home, is_new, note, safe_line, say_made
from edda_sync.cli.interrupts import keep
from edda_sync.words import addresses, limits
from edda_sync.words.errors import UsageError

if TYPE_CHECKING:
    from edda_sync.device.control import Answer
    from edda_sync.device.device import Device

F = TypeVar("F", bound=Callable[..., Any])

QUIET_S: Final = 1.0  # after this time, a waiting person is told for what
NO_NETWORK: Final = "This machine has no network now"
LOOPBACK: Final = "127.0.0.1"
SHORT_DEVICE: Final = limits.SHORT_DEVICE_CHARACTERS


class Address(click.ParamType):  # type: ignore[type-arg]  # generic only since click 8.3
    """HOST:PORT, or [IPV6]:PORT."""

    name = "HOST:PORT"
    such_as = "address such as 192.168.1.20:4321 or [fd00::20]:4321"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, int]:
        """Return host and port."""
        if isinstance(value, tuple):
            return value
        try:
            return addresses.split(str(value))
        except ValueError:
            self.fail(f"{value!r} is no {self.such_as}", param, ctx)


class MetricsAddress(Address):
    """HOST:PORT, or only PORT, which only this machine reaches."""

    name = "[HOST:]PORT"
    such_as = "port or address such as 9464 or 192.168.1.20:9464"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, int]:
        """Return host and port."""
        if value == "0":  # any port; the URL that is printed has it
            return LOOPBACK, 0
        if isinstance(value, str) and value.isascii() and value.isdigit():
            value = f"{LOOPBACK}:{value}"
        return super().convert(value, param, ctx)


def at_option(function: F) -> F:
    """Add ``--at``, which may be given several times."""
    help_text = "Dial a device at this address; may be given again."
    return click.option("--at", "at", type=Address(), metavar="HOST:PORT", multiple=True, help=help_text)(function)


def port_option(function: F) -> F:
    """Add ``--port``."""
    help_text = "TCP port to listen on; the one of last time, or any, unless you say so."
    return click.option("--port", type=click.IntRange(0, 65535), default=0, metavar="N", help=help_text)(function)


class Waiting:
    """
    Shows what the command is waiting for: with a spinner on a terminal that can redraw a line, otherwise with one line
    if the wait takes longer than a second.

    Use it in a ``with`` block.
    """

    def __init__(self, text: str) -> None:
        self._text = text
        self._status: Any = None
        self._timer = threading.Timer(QUIET_S, self._say)
        self._timer.daemon = True

    def __enter__(self) -> Waiting:
        if can_redraw():
            from rich.console import Console
            from rich.text import Text

            self._status = Console(stderr=True).status(Text(safe_line(self._text)))
            self._status.start()
        else:
            self._timer.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.end()

    def end(self) -> None:
        """Stop showing."""
        self._timer.cancel()
        if self._status is not None:
            self._status.stop()

    def update(self, text: str) -> None:
        """Change the text."""
        self._text = text
        if self._status is not None:
            from rich.text import Text

            self._status.update(Text(safe_line(text)))

    def _say(self) -> None:
        note(self._text)


async def answers(
    request: Answer, alone: Callable[[Device], AsyncGenerator[Answer, None]], *, make: bool = False
) -> AsyncGenerator[Answer, None]:
    """
    Yield the answers of the running device, or, if there is none, of a device in this process.

    Args:
        request: What to ask; see ``control``.
        alone: What to do if no device is running.
        make: Whether to make a store if there is none.

    Raises:
        UsageError: The running device does not answer, or ended before it had answered, or another process is about to run
            it.
        NoStoreError: There is no store, and none may be made.
    """
    from asyncio import CancelledError

    from edda_sync.device import control

    stopped = UsageError("The running device has stopped meanwhile; try again.")
    began = False
    try:
        await _check_awake()
        async with aclosing(control.ask(home(), request)) as answered:
            async for each in answered:
                began = True
                yield each
                if each.get("done"):
                    return
        raise stopped
    except ConnectionError:
        if began:
            raise stopped from None
    except CancelledError:  # Ctrl-C
        keep("the running device goes on")
        raise
    from edda_sync.device import footprint
    from edda_sync.device.device import Device

    if not make:
        from edda_sync.cli.existing import check_store

        check_store()
    fresh = is_new()
    footprint.take_little()
    async with Device(home()) as device, aclosing(alone(device)) as own:
        footprint.give_back()
        if fresh:
            say_made()
        try:
            async for each in own:
                yield each
        except CancelledError:  # Ctrl-C
            if await device.run(lambda store: store.frontier()) != device.began.frontier:
                keep()
            raise


async def _check_awake() -> None:
    """
    Check that the running device answers at all.

    Raises:
        UsageError: It does not.
        ConnectionError: No device is running.
    """
    from edda_sync.device import control

    try:
        await control.answered(home(), {"do": "answer"})
    except TimeoutError:
        raise UsageError(
            "The device that runs here does not answer (`edda up` was stopped, or hangs); nothing was done: let it go on "
            "(`fg` where Ctrl-Z was pressed), or end it, and try again."
        ) from None
    except UsageError:
        pass  # it was started before an update, and answers that it does not know this question


def on_network() -> bool:
    """Tell whether this machine has a network."""
    from edda_sync.transport.interfaces import has_network

    return has_network()
