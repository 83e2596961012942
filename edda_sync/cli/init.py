"""``edda init``: create a store."""

from __future__ import annotations

import click

from edda_sync.cli.commands import Command
from edda_sync.cli.common import database, home, safe_line, say
from edda_sync.engine.engine import open as open_store
from edda_sync.words import values
from edda_sync.words.config import StorageConfig


@click.command("init", cls=Command)
@click.option("--name", metavar="NAME", help="What to call this device; its host name otherwise.")
def init(name: str | None) -> None:
    """
    Make a store here.

    Other commands make one too; this one lets you name the device, and tells where the store lies.
    """
    folder = home()
    shown = safe_line(str(folder))
    made = not database().exists()
    checked = None if name is None else values.line("name", name)
    with open_store(folder, StorageConfig(name=checked)) as store:
        store.own.check_identity()
        called = store.members()[0].name
    if made:
        say(f'Made a store in {shown}; this device is called "{called}".')
    else:
        say(f"There is a store in {shown} already; nothing was changed.")
