"""
What happens in the demo, and what is measured.

Everything a person would do is done by the real commands; codes are read off what ``edda invite`` prints.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import time
from collections.abc import AsyncIterator, Callable, Iterable
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any, Final

from edda_sync.demo.machines import ALL, Machine
from edda_sync.words.errors import EddaError
from edda_sync.words.listed import DELETED

NAMES: Final = ("laptop", "phone", "tablet")
LOOK_EVERY_S: Final = 0.2
MEET_S_MAX: Final = 8.0  # how long multicast DNS may take
EQUAL_S_MAX: Final = 40.0

BOX: Final = "Mount the first-aid box"
BEANS: Final = "Order coffee beans"
TAP: Final = "Fix the dripping tap"
LEADS: Final = "Test every extension lead"
NOTE: Final = "Opening day"

TITLES: Final = {
    "laptop": "Mount the first-aid box beside the door",
    "phone": "Mount two first-aid boxes",
    "tablet": "Buy and mount the first-aid box",
}
TAG: Final = "urgent"
TAGGED: Final = {"laptop": BEANS, "phone": BOX, "tablet": LEADS}
WORDING: Final = {
    "laptop": ("at nine", "at half past eight"),
    "phone": ("makes coffee", "makes coffee and tea"),
    "tablet": ("on the pavement", "on the pavement, facing the bus stop"),
}


class Story:
    """
    The demo from its first to its last step. Call :meth:`tell`.

    Args:
        folder: A temporary folder that nobody else uses.
        say: Called with a device's name, ``all``, or nothing for a heading, and a line about what happens.
        changed: Called whenever a device was looked at.

    Attributes:
        machines: The devices.
        summary: What came of it, for ``--json``; complete when :meth:`tell` has returned.
    """

    def __init__(self, folder: Path, say: Callable[[str, str], None], changed: Callable[[], None]) -> None:
        self.machines = [Machine(folder, name, say) for name in NAMES]
        self.summary: dict[str, Any] = {"equal": False, "seconds": {}}
        self._say, self._changed = say, changed

    async def tell(self) -> None:
        """
        Run the whole story; the devices have ended when this returns, however it ends.

        Raises:
            EddaError: Something did not work.
        """
        began = time.monotonic()
        watching = asyncio.ensure_future(self._watch())
        try:
            await self._fill()
            await self._pair()
            await self._meet()
            await self._type()
            await self._part()
            await self._come_back()
            await self._look_at_outcome()
        except TimeoutError:
            raise EddaError("The demo took too long; this machine may be too busy for it.") from None
        finally:
            watching.cancel()
            await asyncio.gather(watching, return_exceptions=True)
            await asyncio.gather(*(machine.end() for machine in self.machines))
        self.summary["seconds"]["total"] = round(time.monotonic() - began, 2)

    async def _watch(self) -> None:
        while True:
            await asyncio.gather(*(machine.look() for machine in self.machines if machine.is_running))
            self._changed()
            await asyncio.sleep(LOOK_EVERY_S)

    @contextlib.asynccontextmanager
    async def _timed(self, name: str) -> AsyncIterator[None]:
        began = time.monotonic()
        yield
        self.summary["seconds"][name] = round(time.monotonic() - began, 2)

    # --- the steps ----------------------------------------------------------------------------------------------------

    async def _fill(self) -> None:
        laptop = self.machines[0]
        self._say("", "One device has tasks and notes")
        await laptop.run("init", "--name", "laptop")
        with as_file(files("edda_sync.demo") / "examples") as examples:
            await laptop.run("import", "beads", str(examples / "tasks.jsonl"))
            await laptop.run("import", "markdown", str(examples / "notes"))
        await laptop.look()
        self._changed()

    async def _pair(self) -> None:
        self._say("", "Two more join by a code, and everything comes over")
        await self.machines[0].start()
        async with self._timed("pairing"):
            for machine in self.machines[1:]:
                await self._join(machine)

    async def _join(self, machine: Machine) -> None:
        async with self.machines[0].running("invite") as invitation:
            assert invitation.stdout is not None, "it was asked for"
            printed = ""
            async with asyncio.timeout(EQUAL_S_MAX):
                while "The code is good" not in printed:
                    line = await invitation.stdout.readline()
                    if not line:
                        raise EddaError("`edda invite` ended before it had shown a code.")
                    printed += line.decode()
            code = re.search(r"^Code: (\S+)$", printed, re.MULTILINE)
            port = re.search(r"--at \S+:(\d+)$", printed, re.MULTILINE)
            assert code is not None, "it shows one"
            assert port is not None, "it shows one"
            arguments = ["join", code[1], "--name", machine.name]
            if "The LAN cannot hear" in printed:
                self._say(machine.name, "There is no multicast here: the address is typed too")
                arguments += ["--at", f"127.0.0.1:{port[1]}"]
            await machine.run(*arguments)
            async with asyncio.timeout(EQUAL_S_MAX):
                await invitation.communicate()
        await machine.look()
        self._changed()

    async def _meet(self) -> None:
        self._say("", "All three run; phone and tablet, who have never met, find each other")
        _, phone, tablet = self.machines
        async with self._timed("meeting"):
            await asyncio.gather(phone.start(), tablet.start())
            facts = await asyncio.gather(phone.look(), tablet.look())
            hopeful = all(each["discovery"]["available"] for each in facts)
            try:
                async with asyncio.timeout(MEET_S_MAX if hopeful else 0):
                    await self._until_equal()
            except TimeoutError:
                self._say(ALL, "Multicast does not carry here: they are told each other's address instead")
                await phone.run("sync", "--at", tablet.address)
                await self._until_equal()
        by_name = [line for machine in (phone, tablet) for _, line in machine.lines if "found" in line]
        by = self.summary["found_by"] = "multicast DNS" if by_name else "address"
        self._say(ALL, f"Found by {by}; all three proved equal {self._seconds('meeting')} after they were started")

    async def _type(self) -> None:
        _, phone, _ = self.machines
        self._say("", "What is typed on one is on the others at once")
        watched = [asyncio.ensure_future(each.tasks_reach(each.facts["tasks"] + 1)) for each in self.machines]
        try:
            await phone.run("task", "add", "Bring the good screwdrivers", "--tag", "tools")
            on_laptop, on_phone, on_tablet = await asyncio.gather(*watched)
        finally:
            for each in watched:
                each.cancel()
        self.summary["seconds"]["live_edit"] = round(max(on_laptop, on_tablet) - on_phone, 3)
        self._say(ALL, f"On the two others {self.summary['seconds']['live_edit'] * 1000:,.0f} ms after it was on disk")
        await self._until_equal()

    async def _part(self) -> None:
        self._say("", "All go offline, and write the same things")
        await asyncio.gather(*(machine.end() for machine in self.machines))
        laptop, phone, tablet = self.machines
        found = {task["title"]: task["id"] for task in await laptop.ask("task", "list", "--all")}
        note = next(each for each in await laptop.ask("doc", "list") if each["title"] == NOTE)
        await asyncio.gather(*(self._write(machine, found, note) for machine in self.machines))
        await asyncio.gather(
            laptop.run("task", "rm", found[TAP]),
            phone.run("task", "edit", found[TAP], "--description", "The washer is in the blue drawer."),
            tablet.run("task", "done", found[LEADS]),
        )
        await asyncio.gather(*(machine.look() for machine in self.machines))
        self.summary["digests_apart"] = {machine.name: machine.facts["digest"] for machine in self.machines}
        self._changed()

    async def _write(self, machine: Machine, found: dict[str, str], note: dict[str, Any]) -> None:
        await machine.run("task", "edit", found[BOX], "--title", TITLES[machine.name])
        before, after = WORDING[machine.name]
        content = note["content"].replace(before, after)
        await machine.run("doc", "edit", note["id"], "--content", content, remark=f'"{before}" becomes "{after}"')
        await machine.run("task", "edit", found[TAGGED[machine.name]], "--tag", TAG)

    async def _come_back(self) -> None:
        self._say("", "All come back")
        async with self._timed("converging"):
            await asyncio.gather(*(machine.start() for machine in self.machines))
            await self._until_equal()
        self.summary["equal"] = True

    async def _until_equal(self) -> None:
        """Wait until each has proved itself equal with the two others, and their digests say so to us as well."""
        async with asyncio.timeout(EQUAL_S_MAX):
            while True:
                await asyncio.gather(*(machine.look() for machine in self.machines))
                self._changed()
                digests = {machine.facts["digest"] for machine in self.machines}
                if len(digests) == 1 and all(machine.is_equal_with(2) for machine in self.machines):
                    return
                await asyncio.sleep(LOOK_EVERY_S / 4)

    # --- what came of it ----------------------------------------------------------------------------------------------

    async def _look_at_outcome(self) -> None:
        tablet = self.machines[2]
        conflicts = await tablet.ask("conflicts")
        tasks = await tablet.ask("task", "list", "--all")
        note = next(each for each in await tablet.ask("doc", "list") if each["title"] == NOTE)
        tags = [tag for tag in await tablet.ask("tag", "list") if tag["name"] == TAG]
        self.summary |= {
            "digests": {machine.name: machine.facts["digest"] for machine in self.machines},
            "conflicts": sum(len(each["kept"]) for each in conflicts),
            "kept": [
                {"field": each["field"], "shown": each["shown"]["value"], "kept": [v["value"] for v in each["kept"]]}
                for each in conflicts
            ],
            "paragraph": next(line for line in note["content"].splitlines() if "door" in line),
            "all_words_kept": all(after in note["content"] for _, after in WORDING.values()),
            "tags_made_of_three": len(tags),
            "deleted_and_edited_lives": any(task["title"] == TAP for task in tasks),
            "tasks": tablet.facts["tasks"],
            "documents": tablet.facts["documents"],
            "changes": tablet.facts["changes"],
        }
        for line in self.outcome():
            self._say(ALL, line)

    def outcome(self) -> Iterable[str]:
        """Return what came of the writing offline, in a line each."""
        found = self.summary
        yield f"Three digests, one content: {next(iter(found['digests'].values()))}"
        for each in found["kept"]:
            if each["field"] == DELETED:  # the line below tells it
                continue
            kept = ", ".join(f'"{value}"' for value in sorted(map(str, each["kept"])))
            yield f'One {each["field"]} is shown, "{each["shown"]}"; kept beside it: {kept}'
        yield f"One paragraph: {found['paragraph']}"
        if found["tags_made_of_three"] == 1:
            yield f'The tag "{TAG}", made on all three, is one tag'
        if found["deleted_and_edited_lives"]:
            yield f'"{TAP}", deleted on one and edited on another, lives, and is listed'
        yield f"All three proved equal {self._seconds('converging')} after they were started again"

    def kill(self) -> None:
        """End all that still runs, at once."""
        for machine in self.machines:
            machine.kill()

    def _seconds(self, name: str) -> str:
        return f"{self.summary['seconds'][name]:.1f} s"
