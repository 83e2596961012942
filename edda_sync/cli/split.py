"""``edda split``: a copy of a store becomes a device of its own."""

from __future__ import annotations

import click

from edda_sync.cli.commands import Command
from edda_sync.cli.common import GivenUpError, can_ask, home, note, safe_line, say
from edda_sync.cli.existing import existing
from edda_sync.words.errors import UsageError


@click.command("split", cls=Command)
@click.argument("name")
@click.option("--yes", is_flag=True, help="Do not ask.")
def split(name: str, yes: bool) -> None:
    """
    Make this copy of a store a device of its own, called NAME.

    This is for a folder that was copied, or a machine that was cloned, and whose original is used on. `edda status` tells
    that a store exists more than once. Type it on one of the two. Nothing is lost, and both sync with each other afterwards.
    """
    from edda_sync.device.control import only_runner
    from edda_sync.engine import separating, standing
    from edda_sync.transport import former

    with only_runner(home()), existing() as store:
        if any(member.name == name for member in store.members()):
            raise UsageError(f"There is a device called {safe_line(name)} already; choose another name.")
        before = ""
        if any(each.device != store.identity.device for each in former.load(home())):
            before = (
                f"This store became a device of its own already, {safe_line(standing.own_name(store))}, which would be left "
                "without a store."
            )
        if before and not yes and not can_ask():
            raise UsageError(f"{before} Nothing was changed: --yes makes it another one all the same.")
        if not yes and can_ask():
            asked = f"Make the store in {safe_line(str(home()))} a new device, {safe_line(name)}?"
            if not click.confirm(f"{before} {asked}".lstrip(), err=True):
                raise GivenUpError
        device = separating.separate(store, name)
    say(f"This store is the device {safe_line(name)} ({device[:8]}) now, and its original stays what it is.")
    note(
        "The two meet by themselves where both run `edda up` in one network. Elsewhere, type `edda sync --at HOST:PORT` "
        "here, with the address that `edda up` says there; or carry a file: `edda bundle export FILE` here, `edda bundle "
        "import FILE` there."
    )
