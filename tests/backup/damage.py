"""
Damaged repositories: one object of a place with backups is changed, taken away, put elsewhere or put back; then all is told.

A laptop has four backups at a place, and its phone has one; both hold texts and attached files, and a recovery code opens
them. Each seed draws one damage. What must hold:
  1. A backup is said to hold if, and only if, all that it needs is as it was written. Nothing else but our errors comes.
  2. What damages a backup, a manifest or the keys of the laptop and the code is told, or newest backups that are gone are.
  3. What a backup that holds gives is what the store held then, also on a machine with nothing but the code.
  4. The next backup is whole, and so are the keys beside it.
"""

from __future__ import annotations

import io
import random
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, NamedTuple

import msgspec
import pytest

import edda_sync as edda
from edda_sync.backup import image, imaging, recovery
from edda_sync.backup.code import RecoveryCode
from edda_sync.backup.inner import Inner
from edda_sync.backup.manager import BackupManager
from edda_sync.backup.manifest import Manifest
from edda_sync.backup.recovering import Recovered, recover
from edda_sync.backup.repository import Repository
from edda_sync.engine import backed_up
from edda_sync.engine.engine import StorageEngine
from edda_sync.testing import devices, sync
from edda_sync.words import limits
from edda_sync.words.config import StorageConfig
from edda_sync.words.errors import BackupError, EddaError, FileNotHereError, NotFoundError
from tests.backup.damaging import DAMAGES, Earlier, Held, keys_of
from tests.backup.places import Place, repository_of
from tests.backup.shelf import CODE, OTHER

WRONG: Final = RecoveryCode(bytes(range(1, 21)))
BACKUPS: Final = 4  # of the laptop
ENDS: Final = ("give", "recover", "mend")
"""What is done after all was verified: a backup is restored beside the store, or with the code, or the next one is made."""


@dataclass(slots=True)
class Verdict:
    """
    What came of one damaged repository.

    Attributes:
        seed: Its seed.
        damage: What was done to it.
        end: What was done afterwards, one of :data:`ENDS`.
        faults: What is wrong; empty if all is well.
        told: Whether something was told of it. Otherwise it harmed nothing that this device can know of.
        whole: How many of the backups still hold, and are said to.
    """

    seed: int
    damage: str = ""
    end: str = ""
    faults: list[str] = field(default_factory=list)
    told: bool = False
    whole: int = 0


class Master:
    """
    The repository that is damaged, and its two devices.

    Attributes:
        held: What lies at the place.
        before: What lay there before each backup.
        foreign: What lies at the place of another workspace.
        needs: What each backup needs, by the key of its manifest.
        shown: What each backup gives, by the key of its manifest.
    """

    def __init__(self, laptop: StorageEngine, phone: StorageEngine, folder: Path) -> None:
        self.laptop, self.folder, self.place = laptop, folder, Place()
        self.before: list[Held] = []
        self.shown: dict[str, Shown] = {}
        self._fill(laptop, phone)
        self.held: Held = dict(self.place.held)
        self.foreign = _foreign()
        manager = self.manager()
        self.manifests: dict[str, Manifest] = {
            each.key: each.manifest for each in manager.backups() if each.manifest is not None
        }
        self.needs = {key: _needed(manager.repository, each) | {key} for key, each in self.manifests.items()}
        with laptop.store.read() as reader:
            self._noted = backed_up.of(reader, self.place.name)
        self._proof = folder / "proof as it was"
        shutil.copytree(manager.backup_path, self._proof)
        self._path = manager.backup_path
        own = manager.repository.own()
        self.newest = own[-1].key
        self.own = {each.key for each in own}
        self.keys = {self.newest.partition("manifests/")[0] + "keys", *keys_of(self.held, "recovery/")}

    def _fill(self, laptop: StorageEngine, phone: StorageEngine) -> None:
        recovery.make(laptop, CODE)
        for number in range(BACKUPS):
            self.before.append(dict(self.place.held))
            laptop.create_task(edda.Task(title=f"Task {number}", description="words " * 20))
            with laptop.begin_transaction() as tx:
                document = tx.create_document(edda.Document(title=f"Document {number}"))
                tx.attach(document, io.BytesIO(b"content %d" % number * 50), name="file")
            self._backed_up(laptop)
        sync(laptop, phone)
        self.before.append(dict(self.place.held))
        phone.create_task(edda.Task(title="From the phone"))
        self._backed_up(phone)

    def _backed_up(self, engine: StorageEngine) -> None:
        BackupManager(engine, self.place).back_up()
        (key,) = keys_of(self.place.held, "/manifests/") - self.shown.keys()
        self.shown[key] = shown(engine)

    def manager(self) -> BackupManager:
        """The laptop's backups."""
        return BackupManager(self.laptop, self.place)

    def as_a_place(self) -> Place:
        """Return a place that holds what this one held before anything was damaged."""
        place = Place()
        place.held = dict(self.held)
        return place

    def as_it_was(self) -> None:
        """Let laptop and place be as they were."""
        self.place.held = dict(self.held)
        self.laptop.store.transact(lambda tx: backed_up.save(tx, self._noted))
        shutil.rmtree(self._path)
        shutil.copytree(self._proof, self._path)


@contextmanager
def made(folder: Path, *, images: bool = False) -> Iterator[Master]:
    """Yield a repository that is whole; if asked, its backups have images, which come in several pieces."""
    with pytest.MonkeyPatch.context() as patch, devices(2) as (laptop, phone):
        if images:
            for limit in ("IMAGE_SAVES_US_MIN", "IMAGE_RUNS_BYTES_MIN"):
                patch.setattr(limits, limit, 1)
            for module in (image, imaging):
                patch.setattr(module, "PAGES_BYTES", 128 * 1024)
        yield Master(laptop, phone, folder)


def _foreign() -> Held:
    with devices(1) as (other,):
        place = Place()
        other.create_task(edda.Task(title="Of somebody else"))
        recovery.make(other, OTHER)
        BackupManager(other, place).back_up()
        return place.held


def _needed(repository: Repository, backup: Manifest) -> set[str]:
    refs = [*backup.objects, *Inner(repository).of(backup)]
    names = {ref.object.hex() for ref in refs}
    held = repository.target.held  # type: ignore[attr-defined]  # it is a Place
    return {key for key in held if key.rpartition("/")[2] in names and "/objects/" in key}


class Shown(NamedTuple):
    """What a store shows: its digest, titles, and the attached files that are here."""

    digest: str
    titles: frozenset[str]
    files: Mapping[str, bytes]


def shown(engine: StorageEngine) -> Shown:
    """Return what a store shows."""
    titles = frozenset(str(task.title) for task in engine.query_tasks(edda.TaskQuery()))
    files = {}
    for each in engine.query_documents(edda.DocumentQuery()):
        with suppress(FileNotHereError), engine.open_attachment(each.id, "file") as stream:
            files[str(each.title)] = stream.read()
    return Shown(engine.digest(), titles, files)


# --- what is told of it -----------------------------------------------------------------------------------------------


def kind_of(seed: int) -> str:
    """Return which kind of damage a seed does."""
    return list(DAMAGES)[seed // len(ENDS) % len(DAMAGES)]


def judge(master: Master, seed: int) -> Verdict:
    """Damage the repository as a seed says, look what is told, and go on; the master is as it was afterwards."""
    rng = random.Random(f"damage {seed}")
    verdict = Verdict(seed, end=ENDS[seed % len(ENDS)])
    try:
        held = dict(master.held)
        verdict.damage = DAMAGES[kind_of(seed)](held, Earlier(master.before, master.foreign), rng)
        master.place.held = held
        Judge(master, verdict).all(rng)
    except EddaError as error:
        verdict.faults.append(f"what nothing should raise: {type(error).__name__}: {error}")
    finally:
        master.as_it_was()
    return verdict


class Judge:
    """Looks at one damaged repository."""

    def __init__(self, master: Master, verdict: Verdict) -> None:
        self._master, self._verdict, self._place = master, verdict, master.place
        held, was = self._place.held, master.held
        self._harmed = {key for key in was if held.get(key) != was[key]}
        self._whole = {key for key, needed in master.needs.items() if not needed & self._harmed}

    def all(self, rng: random.Random) -> None:
        """Verify everything, and then do what the seed says."""
        master, verdict, manager = self._master, self._verdict, self._master.manager()
        there = manager.backups()
        listed = {each.key: each.manifest for each in there if each.manifest is not None}
        troubles = [str(each) for each in manager.troubles(there)]
        keys = list(listed)
        came = list(manager.verify(list(listed.values())))
        held = {key for key, each in zip(keys, came, strict=True) if each.error is None}
        told = troubles + [str(each.error) for each in came if each.error is not None]
        if held != self._whole:
            self._fault(f"said to hold are {sorted(held)}, and whole are {sorted(self._whole)}; told: {told}")
        unnamed = [str(each.error) for each in came if each.error is not None and "Backup " not in str(each.error)]
        if unnamed:
            self._fault(f"errors that name no backup: {unnamed}")
        verdict.told, verdict.whole = bool(told), len(held)
        if self._must_be_told() and not told:
            self._fault("nothing was told")
        if not self._harmed and not keys_of(self._place.held, "/manifests/") - master.held.keys() and told:
            self._fault(f"nothing is harmed, and it is told that {told}")
        if not verdict.faults:
            {"give": self._give, "recover": self._recover, "mend": self._mend}[verdict.end](rng)

    def _must_be_told(self) -> bool:
        """
        Tell whether the laptop can know of the harm.

        It cannot where something is gone that another device alone wrote for itself, as if that device had removed it.
        """
        master, held = self._master, self._place.held
        listed = [key for key in master.needs if key in held]
        needed = {each for key in listed for each in master.needs[key]}
        known = needed | (master.keys if master.newest in held else set()) | master.own
        return bool(self._harmed & known) or bool(
            keys_of(held, "/manifests/") - master.held.keys() - set(master.foreign)
        )

    def _give(self, rng: random.Random) -> None:
        """Restore each backup that is said to hold beside the store, or one of them."""
        for key in sorted(self._whole)[:: rng.choice((1, 2, 3))]:
            backup = self._master.manifests[key]
            with self._master.manager().restored(backup) as engine:
                if engine.digest() != self._master.shown[key].digest:
                    self._fault(f"backup {backup.number} gives something else than the store held")

    def _recover(self, rng: random.Random) -> None:
        """Come with the code, and with a wrong one."""
        master = self._master
        try:
            self._come(WRONG)
        except BackupError:
            pass
        else:
            self._fault("a wrong code opened it")
        number = rng.choice((None, None, *range(1, BACKUPS + 1)))
        readable = [key for key in master.manifests if key not in self._harmed]
        newest = max(readable, key=lambda key: master.manifests[key].made_ms, default=None)
        device = None if newest is None else master.manifests[newest].device
        wanted = newest
        if number is not None:
            wanted = next((key for key in readable if self._is(key, number, device)), None)
        opens = not keys_of(master.held, "/recovery/") & self._harmed
        try:
            done, came = self._come(CODE, number)
        except (BackupError, NotFoundError) as error:
            if wanted is not None and opens and not self._runs_of(wanted) & self._harmed:
                self._fault(f"the code should have brought it back: {error}")
            for key in sorted(self._whole)[-1:] if opens else ():  # what is intact comes back, whatever else is not
                backup = master.manifests[key]
                done, came = self._come(CODE, backup.number, backup.device)
                if done.backup != backup or done.lacks or came[1:] != master.shown[key][1:]:
                    self._fault(f"backup {backup.number} came back as something else")
            return
        if wanted is None or self._runs_of(wanted) & self._harmed:
            self._fault("something came back that is damaged")
        elif master.manifests[wanted] != done.backup:
            self._fault(f"the code brought backup {done.backup.number} back")
        elif came.titles != master.shown[wanted].titles:
            self._fault(f"the code brought back {came.titles}, and not {master.shown[wanted].titles}")
        elif bool(done.lacks) != bool(self._files_of(wanted) & self._harmed):
            self._fault(f"of attached files it told: {done.lacks!r}")
        elif came.files.items() - master.shown[wanted].files.items():
            self._fault("other files were brought back")
        elif not done.lacks and came.files != master.shown[wanted].files:
            self._fault("files are lacking, and it is not told")

    def _is(self, key: str, number: int, device: str | None) -> bool:
        backup = self._master.manifests[key]
        return (backup.number, backup.device) == (number, device)

    def _runs_of(self, key: str) -> set[str]:
        names = {ref.object.hex() for ref in self._master.manifests[key].runs}
        return {each for each in self._master.needs[key] if each.rpartition("/")[2] in names}

    def _files_of(self, key: str) -> set[str]:
        """Return what attached files need: everything but runs, images and the manifest itself."""
        backup, held = self._master.manifests[key], self._master.needs[key]
        without_files = msgspec.structs.replace(backup, packs=())
        repository = repository_of(self._master.laptop, self._master.as_a_place())
        return held - _needed(repository, without_files) - {key}

    def _come(self, code: RecoveryCode, number: int | None = None, maker: str | None = None) -> tuple[Recovered, Shown]:
        """Come to a machine that has nothing; return what came, and what it shows."""
        home = self._master.folder / "new"
        shutil.rmtree(home, ignore_errors=True)
        config = StorageConfig(name="new", state_path=self._master.folder / "state of the new one")
        try:
            done = recover(home, config, self._place, code, number, maker)
            with edda.open(home, config) as store:
                return done, shown(store)
        finally:
            shutil.rmtree(home, ignore_errors=True)

    def _mend(self, _: random.Random) -> None:
        """Make the next backup, which must be whole, and so must be the keys beside it."""
        master, laptop = self._master, self._master.laptop
        manager = master.manager()
        backup = manager.back_up().manifest
        (verified,) = manager.verify([backup])
        if verified.error is not None:
            self._fault(f"the next backup does not hold: {verified.error}")
            return
        there = manager.backups()
        foreign = [str(each.error) for each in there if each.error is not None]
        left = [str(each) for each in manager.troubles(there) if str(each) not in foreign]
        if left:
            self._fault(f"after the next backup it is told that {left}")
        with manager.restored(backup) as engine:
            if engine.digest() != laptop.digest():
                self._fault("the next backup gives something else than the store holds")
        done, came = self._come(CODE, maker=laptop.identity.device)
        if done.lacks or done.backup != backup:
            self._fault(f"the code does not bring the next backup back: {done.lacks}")
        elif (came.titles, came.files) != shown(laptop)[1:]:
            self._fault("the code brings something else back from the next backup")

    def _fault(self, text: str) -> None:
        self._verdict.faults.append(text)
