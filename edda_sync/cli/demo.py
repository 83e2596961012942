"""``edda demo``: the main job on this machine."""

from __future__ import annotations

import asyncio
import shutil
import signal
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import click

from edda_sync.cli.commands import Command
from edda_sync.cli.common import FilePath, note, on_terminal, print_json, say
from edda_sync.cli.overwriting import check_free, force_option
from edda_sync.words import exits

if TYPE_CHECKING:
    from edda_sync.demo.story import Story


@click.command("demo", cls=Command)
@click.option("--svg", metavar="FILE", type=FilePath(), help="Write the final picture there.")
@force_option
@click.option("--json", "as_json", is_flag=True, help="Print a summary in JSON; what happens goes to stderr.")
@click.pass_context
def demo(ctx: click.Context, svg: Path | None, force: bool, as_json: bool) -> None:
    """
    Show the main job on this machine: three devices meet, part, write the same things, and are proved equal again.

    Each is a process with a store of its own in a temporary folder; your own store is not touched.
    """
    check_free(svg, force)
    from rich.console import Console

    from edda_sync.demo.picture import Screen, save_svg
    from edda_sync.demo.story import Story

    folder = Path(tempfile.mkdtemp(prefix="edda-demo-"))
    screen = Screen(Console(highlight=False) if on_terminal() and not as_json else None, note if as_json else say)
    story = Story(folder, screen.say, screen.changed)
    screen.machines = story.machines
    try:
        with screen:
            asyncio.run(_tell(story))
    except asyncio.CancelledError:
        raise KeyboardInterrupt from None
    finally:
        story.kill()
        shutil.rmtree(folder, ignore_errors=True)
    if svg is not None:
        save_svg(svg, story.machines, screen.lines)
        note(f"The picture is in {svg}.")
    if as_json:
        print_json(story.summary)
    if not story.summary["equal"]:
        ctx.exit(exits.NOT_EQUAL)


async def _tell(story: Story) -> None:
    task = asyncio.current_task()
    assert task is not None, "asyncio runs this as a task"
    for each in (signal.SIGTERM, signal.SIGHUP):  # end the devices first, like Ctrl-C does
        asyncio.get_running_loop().add_signal_handler(each, task.cancel)
    await story.tell()
