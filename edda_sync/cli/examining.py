"""``edda doctor --network``: what two devices need to meet, and which step fails on this machine."""

from __future__ import annotations

import asyncio
import dataclasses

from edda_sync.cli.common import opened, print_json, safe_line, say
from edda_sync.cli.status import asked

_SAID = {True: "works  ", False: "FAILS  ", None: "unknown"}


def examine(*, as_json: bool) -> bool:
    """
    Print every step.

    Args:
        as_json: Whether to print for a program.

    Returns:
        Whether none fails.
    """
    from edda_sync.device.examining import examine as examined

    running = asked("status")
    with opened() as store:
        steps = asyncio.run(examined(store, running))
    if as_json:
        print_json([dataclasses.asdict(each) for each in steps])
    else:
        for each in steps:
            say(safe_line(f"{_SAID[each.ok]}  {each.step}: {each.detail}"))
            if each.todo:
                say(safe_line(f"         to do: {each.todo}"))
    return all(each.ok is not False for each in steps)
