"""``edda demo``: the main job on this machine."""

from __future__ import annotations

import asyncio
import shutil
import signal
import tempfile
from pathlib import Path
from typing import Any, Final

import click

from edda_sync.cli.common import note, on_terminal, print_json, say

EXIT_NOT_EQUAL: Final = 4


@click.command("demo")
@click.option("--svg", metavar="FILE", type=click.Path(path_type=Path), help="Write the final picture there.")
@click.option("--json", "as_json", is_flag=True, help="Print a summary in JSON; what happens goes to stderr.")
@click.pass_context
def demo(ctx: click.Context, svg: Path | None, as_json: bool) -> None:
    """
    Show the main job on this machine: three devices meet, part, write the same things, and are proved equal again.

    Each is a process with a store of its own in a temporary folder; your own store is not touched.
    """
    folder = Path(tempfile.mkdtemp(prefix="edda-demo-"))
    try:
        summary = asyncio.run(_demo(folder, svg, as_json))
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    if as_json:
        print_json(summary)
    if not summary["equal"]:
        ctx.exit(EXIT_NOT_EQUAL)


async def _demo(folder: Path, svg: Path | None, as_json: bool) -> dict[str, Any]:
    from rich.console import Console

    from edda_sync.demo.picture import Screen, save_svg
    from edda_sync.demo.story import Story

    task = asyncio.current_task()
    assert task is not None, "asyncio runs this as a task"
    for each in (signal.SIGTERM, signal.SIGHUP):  # end the devices first, as after Ctrl-C
        asyncio.get_running_loop().add_signal_handler(each, task.cancel)
    console = Console(highlight=False) if on_terminal() and not as_json else None
    with Screen(console, note if as_json else say) as screen:
        story = Story(folder, screen.say, screen.changed)
        screen.machines = story.machines
        await story.tell()
    if svg is not None:
        save_svg(svg, story.machines, screen.lines)
        note(f"The picture is in {svg}.")
    return story.summary
