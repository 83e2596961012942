"""``edda devices``: the members of the workspace; and ``edda devices rename``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from edda_sync.cli.columns import print_table
from edda_sync.cli.commands import Group
from edda_sync.cli.common import json_option, note, opened, print_json, safe_line
from edda_sync.cli.running import SHORT_DEVICE
from edda_sync.cli.status import asked, print_clocks, when
from edda_sync.crdt.records import told_apart
from edda_sync.words import values
from edda_sync.words.errors import NotFoundError, UsageError

if TYPE_CHECKING:
    from edda_sync.device.control import Answer
    from edda_sync.engine.engine import StorageEngine
    from edda_sync.words.listed import Member


@click.group("devices", cls=Group, invoke_without_command=True)
@json_option
@click.pass_context
def devices(ctx: click.Context, as_json: bool) -> None:
    """List the devices of the workspace, and when each was last proved equal to this one; and its recovery codes."""
    if ctx.invoked_subcommand is not None:
        return
    listed = asked("devices")
    if listed is not None:
        found = listed["devices"]
    else:
        from edda_sync.engine import standing

        with opened() as store:
            found = [*standing.devices(store), *standing.recovery_codes(store)]
    if as_json:
        print_json(found)
        return
    rows = [[each["name"], each["device"][:SHORT_DEVICE], _standing(each)] for each in found]
    print_table(["name", "id", "last proved equal"], rows)
    names = told_apart({each["device"]: each["name"] for each in found})
    print_clocks({names[each["device"]]: each for each in found})


def _standing(device: Answer) -> str:
    """Return when a device was last proved equal, or what else is to be said of it."""
    if device.get("recovery"):  # an `edda up` from before codes does not say so
        made = device["added_at"][:10]
        return f"made {made}, replaced since" if device["recovery"] == "replaced" else f"made {made}, never links"
    return "this device" if device["this"] else when(device["proved_at"])


@devices.command("rename")
@click.argument("names", nargs=-1, required=True, metavar="[DEVICE] NAME")
def rename(names: tuple[str, ...]) -> None:
    """
    Call this device NAME, on all devices; or another one, if DEVICE names it.

    DEVICE is a name, or the beginning of an id as `edda devices` shows it.
    """
    if len(names) > 2:
        raise UsageError('A name with spaces stands in quotes: `edda devices rename "my laptop"`.')
    device, called = names[0] if len(names) == 2 else None, values.line("name", names[-1])
    with opened() as store:
        store.own.check_identity()
        found = _meant(store, device)
        if any(each.name == called and each.device != found.device for each in store.members()):
            raise UsageError(f"There is a device called {safe_line(called)} already; choose another name.")
        if found.name != called:
            store.membership.rename(found.device, called)
    if found.name == called:
        note(f"The device is called {safe_line(called)} already.")
    else:
        note(f"Renamed {safe_line(found.name)} to {safe_line(called)}.")


def _meant(store: StorageEngine, reference: str | None) -> Member:
    """
    Return the member that is meant; this device for None.

    Raises:
        NotFoundError: There is none.
        UsageError: There are several.
    """
    members = store.members()
    if reference is None:
        own = store.identity.device
        found = [each for each in members if each.device == own]
    else:
        found = [each for each in members if each.name == reference]
        found = found or [each for each in members if len(reference) >= 4 and each.device.startswith(reference.lower())]
    if not found:
        raise NotFoundError("device", reference or store.name)
    if len(found) > 1:
        ids = ", ".join(each.device[:SHORT_DEVICE] for each in found)
        raise UsageError(f"{safe_line(reference or '')!r} fits {len(found)} devices ({ids}); type the id of one.")
    return found[0]
