"""
Copies of store folders: real ones, made by ``cp -a`` or ``tar``, used beside their original or put back over it.

A laptop and its phone serve several copies. Each seed draws how and when the laptop's folder is copied (at rest, or while
`edda up` runs and a process writes), on which machine the copy is used (this one, a clone with all its state, or another),
and whether it is used beside the original or put back over it. What must hold:
  1. A copy opens whole, or what was torn while it was copied is said in our words. The original is never harmed.
  2. Whoever writes in a copy, or in a folder that was put back, begins a new life and says so.
  3. `edda split` makes a copy beside its original a device of its own; both sync directly, prove each other equal, and show
     what was acknowledged in either.
  4. A folder that was put back gets from the phone whatever the phone had of it, and both prove each other equal.
"""

from __future__ import annotations

import random
import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from tests.cli.processes import Machine
from tests.e2e.edda_process import FaultError

TOOLS: Final = ("cp", "tar")
WHEN: Final = ("at rest", "while it runs and writes")
WHERE: Final = ("this machine", "a clone of it", "another machine")
HOW: Final = ("beside", "over", "over what is left")
WRITES: Final = 6  # of the process that writes while the folder is copied


@dataclass(slots=True)
class Verdict:
    """
    What came of one copy.

    Attributes:
        seed: Its seed.
        tool, when, where, how: What the seed drew, see the module.
        is_torn: Whether the copy was torn, and this was said.
        faults: What is wrong; empty if all is well.
    """

    seed: int
    tool: str = ""
    when: str = ""
    where: str = ""
    how: str = ""
    is_torn: bool = False
    faults: list[str] = field(default_factory=list)


class Round:
    """
    A laptop and its phone, for any number of copies. Call :meth:`copy`, and :meth:`end`.

    Args:
        folder: Where everything is made.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.laptop, self.phone = Machine(folder, "laptop"), Machine(folder, "phone")
        self.kept: set[str] = set()
        self._number = 0
        self.laptop.run("init", "--name", "laptop")
        self._add(self.laptop)
        self._join()
        self._meet(self.laptop, self.phone)

    def _join(self) -> None:
        """Let the phone in as pairing does, without a network."""
        from edda_sync import testing
        from edda_sync.engine.engine import StorageEngine
        from edda_sync.words.config import StorageConfig

        state = self.laptop.state
        with StorageEngine(self.laptop.home) as first, StorageEngine(self.phone.home) as second:
            first.open_store(StorageConfig(state_path=state))
            second.open_store(StorageConfig(name="phone", state_path=state))
            testing.pair(first, second)

    def end(self) -> None:
        """End all processes."""
        for machine in (self.laptop, self.phone):
            machine.kill()

    def _add(self, machine: Machine) -> str:
        """Add a task; it is acknowledged when this returns."""
        self._number += 1
        title = f"Task {self._number} in {machine.home.name}"
        machine.run("task", "add", title)
        self.kept.add(title)
        return title

    def copy(self, seed: int) -> Verdict:
        """Make the copy that a seed draws, and use it."""
        rng = random.Random(f"copies {seed}")
        verdict = Verdict(seed, rng.choice(TOOLS), rng.choice(WHEN), rng.choice(WHERE), HOW[seed % len(HOW)])
        copy = self._machine(f"copy{seed}")
        try:
            self._take(verdict, copy)
            if verdict.how == "beside":
                self._use_beside(verdict, copy)
            else:
                self._put_back(verdict, copy)
        except (FaultError, AssertionError) as error:
            verdict.faults.append(str(error)[-1500:])
        finally:
            copy.kill()
            shutil.rmtree(copy.home, ignore_errors=True)
        return verdict

    def _machine(self, name: str) -> Machine:
        return Machine(self._folder, name)

    # --- copying ------------------------------------------------------------------------------------------------------

    def _take(self, verdict: Verdict, copy: Machine) -> None:
        """Copy the laptop's folder; and the folder of sidecars, if the whole machine is cloned."""
        laptop = self.laptop
        if verdict.when == "at rest":
            self._add(laptop)
            self._run_tool(verdict.tool, laptop.home, copy.home)
        else:
            running, _ = laptop.up()
            writing = [laptop.start("task", "add", f"Beside {verdict.seed}-{number}") for number in range(WRITES)]
            self._run_tool(verdict.tool, laptop.home, copy.home)
            for number, each in enumerate(writing):
                if each.wait():
                    raise FaultError(f"a write failed while the folder was copied: {each.lines}")
                self.kept.add(f"Beside {verdict.seed}-{number}")
            if running.end():
                raise FaultError(f"the device failed while its folder was copied: {running.lines}")
        if verdict.where != "this machine":
            copy.state = self._folder / f"state of {copy.home.name}"
            copy.environment["EDDA_STATE"] = str(copy.state)
            if verdict.where == "a clone of it":
                self._run_tool(verdict.tool, laptop.state, copy.state)

    def _run_tool(self, tool: str, source: Path, target: Path) -> None:
        if tool == "cp":
            command = ["cp", "-a", str(source), str(target)]
        else:
            target.mkdir()
            command = [
                "sh",
                "-c",
                'tar -C "$0" --ignore-failed-read --warning=no-file-changed -cf - . | tar -C "$1" -xf -',
            ]
            command += [str(source), str(target)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        # Files of a store that runs come and go; what is missing then is looked at like any other tear.
        if done.returncode and "No such file" not in done.stderr and "socket" not in done.stderr:
            raise FaultError(f"{tool} failed: {done.stderr}")

    def _is_whole(self, verdict: Verdict, copy: Machine) -> bool:
        """Tell whether a copy opens and is whole; one that was copied while it was written may be torn, if it says so."""
        ended = copy.start("doctor", "--json")
        code = ended.wait()
        said = "\n".join(ended.lines)
        if "Traceback" in said:
            raise FaultError(f"the copy is torn, and this is said: {said}")
        if code == 0:
            return True
        if verdict.when == "at rest":
            raise FaultError(f"a copy of a store at rest is not whole: {said}")
        verdict.is_torn = True
        return False

    # --- using it -----------------------------------------------------------------------------------------------------

    def _use_beside(self, verdict: Verdict, copy: Machine) -> None:
        laptop = self.laptop
        if not self._is_whole(verdict, copy):
            self._check_laptop()
            return
        lives = self._lives(copy)
        self._add(copy)
        self._add(laptop)
        now = self._lives(copy)
        if now["all"] != lives["all"] + 1 or not now["why"]:
            raise FaultError(f"the copy wrote, and its lives are {now} after {lives}")
        name = f"workstation {verdict.seed}"
        copy.run("split", name, "--yes")
        if copy.json("status")["device"] == laptop.json("status")["device"]:
            raise FaultError("the copy is the same device after `edda split`")
        self._add(copy)
        self._add(laptop)
        self._meet(laptop, copy)
        self._check(laptop, copy)
        if name not in {each["name"] for each in laptop.json("devices")}:
            raise FaultError("the laptop does not list the new device")

    def _put_back(self, verdict: Verdict, copy: Machine) -> None:
        """Use the laptop on, sync with the phone, and put the copy back in its place."""
        laptop = self.laptop
        self._add(laptop)
        self._meet(laptop, self.phone)
        lost = self._add(laptop)  # nobody else has it when the copy is put back over it
        lives = self._lives(laptop)
        self.kept.discard(lost)
        aside = laptop.home.with_name("aside")
        laptop.home.rename(aside)
        if verdict.how == "over what is left":  # such as `cp -a copy/. home/`, which leaves newer files where they are
            shutil.copytree(aside, laptop.home, symlinks=True, ignore=shutil.ignore_patterns("edda.db*", "run"))
        subprocess.run(["cp", "-a", f"{copy.home}/.", str(laptop.home)], check=True)
        if not self._is_whole(verdict, laptop):
            shutil.rmtree(laptop.home)
            aside.rename(laptop.home)
            self.kept.add(lost)
            self._check_laptop()
            return
        shutil.rmtree(aside)
        self._add(laptop)
        now = self._lives(laptop)
        if not now["why"]:
            raise FaultError(f"what was put back wrote, and its lives are {now}; before they were {lives}")
        self._meet(laptop, self.phone)
        self._check(laptop, self.phone)

    def _lives(self, machine: Machine) -> dict[str, Any]:
        status = machine.json("status")
        found: dict[str, Any] = status["lives"].get(status["device"], {"all": 1, "why": {}})
        return found

    def _meet(self, first: Machine, second: Machine) -> None:
        """Let two devices sync, really, on loopback."""
        running, place = first.up()
        said = second.run("sync", "--at", place)
        if "proved equal" not in said:
            raise FaultError(f"they were not proved equal: {said}")
        if running.end():
            raise FaultError(f"the device failed: {running.lines}")

    def _check(self, first: Machine, second: Machine) -> None:
        if first.json("status")["digest"] != second.json("status")["digest"]:
            raise FaultError("the two were proved equal, and are not")
        self._check_laptop()

    def _check_laptop(self) -> None:
        laptop = self.laptop
        titles = {task["title"] for task in laptop.json("task", "list", "--all")}
        if missing := self.kept - titles:
            raise FaultError(f"acknowledged, and lost: {sorted(missing)}")
        if unsound := [each for each in laptop.json("doctor") if not each["sound"]]:
            raise FaultError(f"the doctor finds {unsound}")
