"""
Kills of backup commands: real processes that are killed while they back up, prune, verify, restore, split or carry bundles.

A laptop, its phone and a folder of backups serve several kills. Each seed draws a command and a moment of its usual running
time. What must hold, whenever the kill came:
  1. The same command, given again, works and ends as if it had not been killed; given once more, it changes nothing.
  2. Every task that was acknowledged is there, and the doctor finds nothing.
  3. All backups that are listed hold, also after the next one is made.
  4. Nothing is left behind: no store or key of a killed command, no half file beside a bundle, nothing at the place.
     (What is removed only after a while is made older by the test.)
"""

from __future__ import annotations

import os
import random
import shutil
import signal
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from tests.e2e.edda_process import Edda, FaultError, words_in

USUAL_S: Final = 0.4  # how long a command is thought to take at first
USUAL_S_MIN: Final = 0.05
BEYOND: Final = 1.15  # kills come up to so much of the usual time: some come too late
OLD_S: Final = 3 * 24 * 3600.0  # older than anything that waits before it is removed


@dataclass(slots=True)
class Verdict:
    """
    What came of one kill.

    Attributes:
        seed: Its seed.
        command: Which command was killed.
        moment: When, as a share of its usual time.
        was_killed: Whether the kill came before its end.
        faults: What is wrong; empty if all is well.
    """

    seed: int
    command: str = ""
    moment: float = 0.0
    was_killed: bool = False
    faults: list[str] = field(default_factory=list)


Prepared = tuple[Edda, tuple[str, ...], str]
"""On which store which command is to be killed, and what is typed."""
Work = Callable[["Round", random.Random], Prepared]
Check = Callable[["Round", random.Random], None]


class Round:
    """
    A laptop, a phone and a folder of backups, for any number of kills. Call :meth:`kill`.

    Args:
        folder: Where everything is made.
        usual: How long each command usually takes, in seconds; it is learnt, and kept here.
    """

    def __init__(self, folder: Path, usual: dict[str, float]) -> None:
        self.folder, self._usual = folder, usual
        self.laptop, self.phone = Edda(folder, "laptop"), Edda(folder, "phone")
        self.stick, self.bundle = folder / "stick", folder / "carried" / "bundle"
        self.bundle.parent.mkdir()
        self.titles: set[str] = set()
        self.made: list[Edda] = []  # further stores, for one kill each
        self.words = self.printed = self.wanted = ""
        self.then: dict[str, str] = {}
        self._number = 0
        laptop = self.laptop
        laptop("init", "--name", "laptop")
        laptop("config", "set", "backup.retention.keep_last", "3")
        laptop("backup", "target", "add", "stick", str(self.stick), "--make")
        self.words = words_in(laptop("backup", "recovery", "new"))
        self.add(3)
        document = laptop("doc", "add", "--title", "Plan", "-", typed="words").strip()
        content = folder / "film.mp4"
        content.write_bytes(random.Random(1).randbytes(3_000_000))
        laptop("attach", document, str(content))
        laptop("backup", "now")
        self._pair()

    def _pair(self) -> None:
        """Let the phone in as pairing does, without a network."""
        from edda_sync import testing
        from edda_sync.engine.engine import StorageEngine
        from edda_sync.words.config import StorageConfig

        state = self.folder / "state"
        with StorageEngine(self.laptop.home) as first, StorageEngine(self.phone.home) as second:
            first.open_store(StorageConfig(state_path=state))
            second.open_store(StorageConfig(name="phone", state_path=state))
            testing.pair(first, second)
            testing.sync(first, second)

    def add(self, count: int = 1) -> None:
        """Add tasks to the laptop; they are acknowledged when this returns."""
        for _ in range(count):
            self._number += 1
            title = f"Task {self._number}"
            self.laptop("task", "add", title)
            self.titles.add(title)

    def kill(self, seed: int) -> Verdict:
        """Kill the command that a seed draws, and look at what is left."""
        rng, name = random.Random(f"kill backups {seed}"), list(COMMANDS)[seed % len(COMMANDS)]
        verdict = Verdict(seed, name, rng.uniform(0, BEYOND))
        prepare, check = COMMANDS[name]
        try:
            self.add(rng.randint(1, 2))
            edda, arguments, typed = prepare(self, rng)
            after_s = verdict.moment * self._usual.get(name, USUAL_S)
            ended, printed = edda.run(*arguments, typed=typed, kill_after_s=after_s)
            verdict.was_killed = ended == -signal.SIGKILL
            self._learn(name, verdict)
            if not verdict.was_killed and ended:
                raise FaultError(f"{' '.join(arguments)} ended with {ended}: {printed[-1500:]}")
            self._make_older()
            self.printed = printed
            check(self, rng)
            self._look()
        except FaultError as error:
            verdict.faults.append(str(error))
        for each in self.made:
            shutil.rmtree(each.home, ignore_errors=True)
        self.made.clear()
        return verdict

    def _learn(self, name: str, verdict: Verdict) -> None:
        """Learn how long a command usually takes: longer, if it was killed late, and less, if the kill came too late."""
        usual = self._usual.get(name, USUAL_S)
        if not verdict.was_killed:
            self._usual[name] = max(USUAL_S_MIN, usual * min(1.0, verdict.moment) * 0.9)
        elif verdict.moment > 1:
            self._usual[name] = usual * 1.3

    def _make_older(self) -> None:
        """Make everything that a killed command may have left older than what still waits."""
        moment = time.time() - OLD_S
        for folder in (self.stick, self.laptop.home, self.phone.home, self.bundle.parent, *(e.home for e in self.made)):
            for path in folder.rglob("*"):
                if path.name.startswith(".edda-") or folder == self.stick:
                    os.utime(path, (moment, moment), follow_symlinks=False)

    def _look(self) -> None:
        """Look at what must hold after each kill."""
        laptop = self.laptop
        laptop("backup", "verify", "--all")  # before another backup mends anything
        if missing := self.titles - laptop.titles():
            raise FaultError(f"acknowledged, and lost: {sorted(missing)}")
        if unsound := [each for each in laptop.json("doctor") if not each["sound"]]:
            raise FaultError(f"the doctor finds {unsound}")
        laptop("backup", "now")
        laptop("backup", "verify", "--all")
        if failed := [each["failed"] for each in laptop.json("status")["backups"] if each["failed"]]:
            raise FaultError(f"the status tells of a failure: {failed}")
        self._look_for_leavings()

    def _look_for_leavings(self) -> None:
        found = [
            path for path in self.folder.rglob("*") if path.name.startswith(".edda-") and path.name != ".edda-writing"
        ]
        found += [path for path in self.folder.rglob("*") if path.name in ("recovering", "separating")]
        found += [path for path in (self.folder / "state" / "proofs").glob("*/*") if path.name.startswith("fresh-")]
        found += [path for path in (self.stick / ".edda-writing", self.laptop.temporary) for path in path.rglob("*")]
        found += [path for path in self.bundle.parent.iterdir() if path != self.bundle]
        if found:
            raise FaultError(f"left behind: {[str(path.relative_to(self.folder)) for path in found]}")
        self._look_for_secrets()

    def _look_for_secrets(self) -> None:
        secret = (self.laptop.home / "identity.key").read_bytes().split()[-1]
        words = " ".join(self.words.split()[:3]).encode()
        for path in self.folder.rglob("*"):
            if path.is_file() and path.stat().st_size < 1_000_000 and path.name != "identity.key":
                held = path.read_bytes()
                if secret in held or words in held:
                    raise FaultError(f"a secret lies in {path.relative_to(self.folder)}")


# --- what is killed, and what must come of it ---------------------------------------------------------------------------


def _now(round_: Round, _: random.Random) -> Prepared:
    return round_.laptop, ("backup", "now"), ""


def _prune(round_: Round, rng: random.Random) -> Prepared:
    """There is much to delete: objects that no backup names any more, all of them old."""
    round_.laptop("backup", "now")
    for _ in range(30):
        folder = next(round_.stick.glob("edda/*/objects"))
        (folder / rng.randbytes(32).hex()).write_bytes(b"of a backup that is gone")
    round_._make_older()
    round_.add()
    return round_.laptop, ("backup", "now"), ""


def _after_now(round_: Round, _: random.Random) -> None:
    round_.laptop("backup", "now")
    round_.laptop("backup", "verify", "--all")
    if "Nothing is new" not in (said := round_.laptop("backup", "now")):
        raise FaultError(f"a backup of nothing new was made: {said}")


def _after_prune(round_: Round, rng: random.Random) -> None:
    _after_now(round_, rng)
    folder = next(round_.stick.glob("edda/*/objects"))
    left = [path for path in folder.iterdir() if path.stat().st_size == len(b"of a backup that is gone")]
    kept = len(list(round_.stick.glob("edda/*/devices/*/manifests/*")))
    if left or kept > 4:  # the last converged one is kept, too
        raise FaultError(f"{len(left)} objects were not deleted, and {kept} backups are kept")


def _verify(round_: Round, _: random.Random) -> Prepared:
    return round_.laptop, ("backup", "verify", "--all"), ""


def _after_verify(round_: Round, _: random.Random) -> None:
    round_.laptop("backup", "verify", "--all")


def _restore(round_: Round, rng: random.Random) -> Prepared:
    laptop = round_.laptop
    laptop("backup", "now")
    tasks = laptop.json("task", "list", "--limit", "1000")
    for task in rng.sample(tasks, min(2, len(tasks))):
        laptop("task", "rm", task["id"])
    return laptop, ("backup", "restore", "--yes"), ""


def _after_restore(round_: Round, _: random.Random) -> None:
    round_.laptop("backup", "restore", "--yes")
    if "Nothing is missing" not in (said := round_.laptop("backup", "restore", "--yes")):
        raise FaultError(f"restored twice, and something is missing: {said}")


def _restore_exactly(round_: Round, rng: random.Random) -> Prepared:
    laptop = round_.laptop
    laptop("backup", "now")
    tasks = laptop.json("task", "list", "--limit", "1000")
    round_.then = {task["id"]: task["title"] for task in tasks}
    round_.wanted = str(laptop.json("backup", "list")["backups"][-1]["number"])
    changed, removed = rng.sample(tasks, 2)
    laptop("task", "edit", changed["id"], "--title", "Changed")
    laptop("task", "rm", removed["id"])
    laptop("task", "add", "Newer")
    return laptop, ("backup", "restore", round_.wanted, "--exactly", "--yes"), ""


def _after_restore_exactly(round_: Round, _: random.Random) -> None:
    laptop = round_.laptop
    for _again in range(2):
        laptop("backup", "restore", round_.wanted, "--exactly", "--yes")
        if {task["id"]: task["title"] for task in laptop.json("task", "list", "--limit", "1000")} != round_.then:
            raise FaultError("it is not as in the backup")


def _recover(round_: Round, _: random.Random) -> Prepared:
    round_.laptop("backup", "now")
    new = Edda(round_.folder, "new")
    round_.made.append(new)
    new("backup", "target", "add", "stick", str(round_.stick))
    return new, ("backup", "restore", "--recovery"), round_.words


def _after_recover(round_: Round, _: random.Random) -> None:
    new = round_.made[-1]
    again = new("backup", "restore", "--recovery", typed=round_.words, code=None)
    if "The store is back" not in again and "There is a store in" not in again:
        raise FaultError(f"it does not come back: {again}")
    _check_whole(new, round_)


def _check_whole(edda: Edda, round_: Round) -> None:
    if edda.titles() != round_.laptop.titles():
        raise FaultError(f"{sorted(edda.titles())} came back, and not {sorted(round_.laptop.titles())}")
    if unsound := [each for each in edda.json("doctor") if not each["sound"]]:
        raise FaultError(f"the doctor finds {unsound}")
    (document,) = edda.json("doc", "list")
    saved = round_.folder / "saved"
    edda("doc", "save", document["id"], "film.mp4", str(saved), "--force")
    if saved.read_bytes() != (round_.folder / "film.mp4").read_bytes():
        raise FaultError("the attached file is another one")
    saved.unlink()
    edda("task", "add", "It can be written")


def _lost(round_: Round, _: random.Random) -> Prepared:
    """The store's file of a copy of the laptop's folder is lost. (The laptop itself has to serve for more kills.)"""
    round_.laptop("backup", "now")
    new = Edda(round_.folder, "found")
    shutil.copytree(round_.laptop.home, new.home, ignore=shutil.ignore_patterns("edda.db*", "files", "run"))
    round_.made.append(new)
    return new, ("backup", "restore"), ""


def _after_lost(round_: Round, _: random.Random) -> None:
    found = round_.made[-1]
    found("backup", "restore", "--yes")
    if found.json("status")["device"] != round_.laptop.json("status")["device"]:
        raise FaultError("it is another device now")
    _check_whole(found, round_)


def _split(round_: Round, rng: random.Random) -> Prepared:
    copy = Edda(round_.folder, f"copy{rng.randrange(10**6)}")
    shutil.copytree(round_.laptop.home, copy.home, ignore=shutil.ignore_patterns("run"))
    round_.made.append(copy)
    return copy, ("split", copy.name, "--yes"), ""


def _after_split(round_: Round, _: random.Random) -> None:
    copy, laptop = round_.made[-1], round_.laptop
    if copy.json("status")["device"] == laptop.json("status")["device"]:
        copy("split", copy.name, "--yes")
    if copy.json("status")["device"] == laptop.json("status")["device"]:
        raise FaultError("the copy is still the same device")
    copy("task", "add", f"From {copy.name}")
    round_.titles.add(f"From {copy.name}")
    _carry(copy, laptop, round_.folder / "way there")
    _carry(laptop, copy, round_.folder / "way back")
    if copy.json("status")["digest"] != laptop.json("status")["digest"]:
        raise FaultError("the copy and its original are not equal")


def _carry(giver: Edda, taker: Edda, path: Path) -> None:
    giver("bundle", "export", str(path), "--force")
    taker("bundle", "import", str(path))
    path.unlink()


def _code(round_: Round, _: random.Random) -> Prepared:
    return round_.laptop, ("backup", "recovery", "new"), ""


def _after_code(round_: Round, _: random.Random) -> None:
    shown, laptop = words_in(round_.printed), round_.laptop
    laptop("backup", "now")
    current = [each for each in laptop.json("devices") if each.get("recovery") == "current"]
    if len(current) != 1:
        raise FaultError(f"{len(current)} codes are current")
    works = [words for words in (round_.words, shown) if words and _opens(laptop, words)]
    if len(works) != 1:
        raise FaultError(f"{len(works)} of the codes that were shown open the backups")
    (round_.words,) = works


def _opens(edda: Edda, words: str) -> bool:
    return (
        "It opens" in edda("backup", "recovery", "check", typed=words, code=None)
        and edda.run("backup", "recovery", "check", typed=words)[0] == 0
    )


def _export(round_: Round, _: random.Random) -> Prepared:
    return round_.laptop, ("bundle", "export", str(round_.bundle), "--force"), ""


def _after_export(round_: Round, _: random.Random) -> None:
    if round_.bundle.exists():
        round_.laptop("bundle", "show", str(round_.bundle))
    _carry(round_.laptop, round_.phone, round_.bundle)
    if round_.phone.json("status")["digest"] != round_.laptop.json("status")["digest"]:
        raise FaultError("what the bundle carried does not make them equal")


def _import(round_: Round, _: random.Random) -> Prepared:
    round_.laptop("bundle", "export", str(round_.bundle), "--force")
    return round_.phone, ("bundle", "import", str(round_.bundle)), ""


def _after_import(round_: Round, rng: random.Random) -> None:
    if unsound := [each for each in round_.phone.json("doctor") if not each["sound"]]:
        raise FaultError(f"the doctor finds {unsound}")
    round_.phone("bundle", "import", str(round_.bundle))
    _after_export(round_, rng)


COMMANDS: Final[Mapping[str, tuple[Work, Check]]] = {
    "backup now": (_now, _after_now),
    "prune": (_prune, _after_prune),
    "verify": (_verify, _after_verify),
    "restore": (_restore, _after_restore),
    "restore --exactly": (_restore_exactly, _after_restore_exactly),
    "restore --recovery": (_recover, _after_recover),
    "restore a lost store": (_lost, _after_lost),
    "split": (_split, _after_split),
    "recovery new": (_code, _after_code),
    "bundle export": (_export, _after_export),
    "bundle import": (_import, _after_import),
}
