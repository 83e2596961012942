"""Admitting: machines that have lost everything but a recovery code, with and without another device that still lives."""

from __future__ import annotations

from pathlib import Path

import pytest

import edda_sync as edda
from edda_sync.backup import recovery
from edda_sync.backup.admitting import admit
from edda_sync.backup.lockbox import entrances
from edda_sync.backup.reviving import revive
from edda_sync.testing import devices, pair, sync
from edda_sync.transport import identity as identities
from edda_sync.words import limits
from edda_sync.words.errors import BackupError, DamagedBackupError, LimitError
from tests.backup.places import Place, back_up, repository_of
from tests.backup.shelf import CODE, OTHER, backed_up, machine, recover, reopen


@pytest.fixture(autouse=True)
def in_files(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDDA_KEYRING", "off")


def titles(store: edda.StorageEngine) -> set[str]:
    return {str(task.title) for task in store.query_tasks(edda.TaskQuery())}


def test_a_code_lets_a_new_machine_into_the_workspace_when_every_device_is_gone(tmp_path: Path) -> None:
    place = Place()
    with devices(2) as (laptop, phone):
        recovery.make(laptop, CODE)
        for number in range(3):
            laptop.create_task(edda.Task(title=f"task {number}"))
        sync(laptop, phone)
        backed_up(phone, place, tmp_path / "proof")
        gone, workspace = {laptop.identity.device, phone.identity.device}, phone.workspace
    with machine(tmp_path / "new") as new, machine(tmp_path / "tablet", "tablet") as tablet:
        recover(new, place)
        assert titles(new) == {"task 0", "task 1", "task 2"}
        assert new.workspace == workspace
        assert new.identity.device not in gone
        assert {member.name for member in new.members()} == {"laptop", "phone", "new laptop"}
        new.create_task(edda.Task(title="task 3"))
        pair(new, tablet)  # it lets others in, as ever
        sync(new, tablet)
        assert titles(tablet) == {f"task {number}" for number in range(4)}
    with edda.open(tmp_path / "new") as again:  # with the identity that was saved, and a log that folds to the same
        assert again.identity == identities.load(tmp_path / "new")
        digest = again.digest()
        again.rebuild()
        assert again.digest() == digest


def test_a_device_that_still_lives_takes_what_the_new_machine_brings(tmp_path: Path) -> None:
    place = Place()
    with devices(2) as (laptop, phone), machine(tmp_path / "new") as new:
        recovery.make(laptop, CODE)
        sync(laptop, phone)
        backed_up(laptop, place, tmp_path / "proof")
        phone.create_task(edda.Task(title="written on the phone since"))
        recover(new, place)
        new.create_task(edda.Task(title="written on the new one"))
        assert new.identity.device not in phone.reading.certificates()
        sync(new, phone)
        assert new.identity.device in phone.reading.certificates()
        assert titles(new) == titles(phone) == {"written on the phone since", "written on the new one"}
        sync(phone, laptop)
        assert titles(laptop) == titles(phone)
        lives = {life.device: life for life in laptop.reading.lives()}  # it never met the new one
        assert (lives[CODE.identity.device].seq, lives[CODE.identity.device].is_closed) == (1, True)
        assert not laptop.reading.copies()
        assert not new.reading.copies()


def test_a_device_that_still_lives_may_also_let_the_new_machine_in_by_an_invitation(tmp_path: Path) -> None:
    place = Place()
    with devices(1) as (laptop,), machine(tmp_path / "new") as new:
        recovery.make(laptop, CODE)
        backed_up(laptop, place, tmp_path / "proof")
        recover(new, place)
        new.create_task(edda.Task(title="before"))
        pair(laptop, new)  # as `edda invite` there and `edda join` here do: no link trusts a stranger
        new.create_task(edda.Task(title="after"))
        sync(new, laptop)
        assert titles(laptop) == {"before", "after"}


def test_a_code_may_be_used_twice_one_time_after_another_and_at_once(tmp_path: Path) -> None:
    place = Place()
    with devices(1) as (laptop,):
        recovery.make(laptop, CODE)
        backed_up(laptop, place, tmp_path / "proof")
    with (
        machine(tmp_path / "one", "one") as one,
        machine(tmp_path / "two", "two") as two,
        machine(tmp_path / "three", "three") as three,
    ):
        for store in (one, two):
            recover(store, place)
            store.create_task(edda.Task(title=store.name))
        sync(one, two)
        backed_up(two, place, tmp_path / "proof of two")
        recover(three, place)
        sync(three, one)
        assert titles(one) == titles(two) == titles(three) == {"one", "two"}
        assert one.reading.forked() == three.reading.forked() == []


def test_a_machine_that_is_a_member_already_is_not_let_in_twice(tmp_path: Path) -> None:
    place = Place()
    with devices(2) as (laptop, phone), machine(tmp_path / "again", "laptop") as again:
        recovery.make(laptop, CODE)
        sync(laptop, phone)
        backed_up(phone, place, tmp_path / "proof")
        identities.save(tmp_path / "again", laptop.identity)  # its identity was kept, and no backup of its own
        recover(again, place)
        assert len(again.members()) == 2
        assert again.identity.device == laptop.identity.device
        again.create_task(edda.Task(title="a"))
        sync(again, phone)
        assert titles(phone) == {"a"}
        assert [life.seq for life in phone.reading.lives() if life.is_leaf and not life.is_closed] == [1]
        assert not again.reading.copies()


def test_a_code_that_was_replaced_still_lets_in_who_kept_what_it_opened(tmp_path: Path) -> None:
    """Nothing takes a member out yet: of a replaced code it is only promised that nothing more is sealed for it."""
    place, kept = Place(), Place()
    with devices(1) as (laptop,), machine(tmp_path / "new") as new:
        recovery.make(laptop, CODE)
        backed_up(laptop, place, tmp_path / "proof")
        kept.held |= place.held
        recovery.make(laptop, OTHER)
        backed_up(laptop, place, tmp_path / "proof")
        with pytest.raises(BackupError, match="no backup there was sealed for it"):
            recover(new, place)
        recover(new, kept)
        assert len(new.members()) == 2


def test_a_backup_from_before_the_code_lets_nobody_in_and_says_so(tmp_path: Path) -> None:
    place = Place()
    with devices(1) as (laptop,), machine(tmp_path / "new") as new:
        backed_up(laptop, place, tmp_path / "proof")
        ((_, keys),) = entrances(place, laptop.identity)
        recovery.make(laptop, CODE)
        with pytest.raises(BackupError, match="no member of the workspace in it: choose a later one"):
            reopen(new, place, CODE.identity, keys)


def test_a_ring_with_no_key_of_the_workspace_is_not_kept(tmp_path: Path) -> None:
    place = Place()
    with devices(1) as (laptop,), machine(tmp_path / "new") as new:
        recovery.make(laptop, CODE)
        backup = back_up(laptop, place, tmp_path / "proof").manifest
        new.own.use(CODE.identity)
        with pytest.raises(DamagedBackupError, match="no key of the workspace in the backup"):
            revive(new, repository_of(laptop, place), backup, ((b"1" * 32, b"a" * 32),))


def test_a_workspace_that_is_full_lets_nobody_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = Place()
    with devices(1) as (laptop,), machine(tmp_path / "new") as new:
        recovery.make(laptop, CODE)
        backed_up(laptop, place, tmp_path / "proof")
        reopen(new, place, CODE.identity)
        monkeypatch.setattr(limits, "MEMBERS_MAX", 2)
        with pytest.raises(LimitError):
            admit(new, CODE)


def test_a_machine_without_a_file_of_its_own_is_let_in_too(tmp_path: Path) -> None:
    place = Place()
    with devices(1, backend="memory") as (laptop,), edda.StorageEngine(tmp_path / "nowhere") as new:
        recovery.make(laptop, CODE)
        laptop.create_task(edda.Task(title="a"))
        backed_up(laptop, place, tmp_path / "proof")
        new.open_store(edda.StorageConfig(backend="memory", name="new"))
        recover(new, place)
        sync(new, laptop)
        assert {member.name for member in laptop.members()} == {"laptop", "new"}
        assert not (tmp_path / "nowhere").exists()


def test_the_identity_alone_opens_the_backups_of_its_device(tmp_path: Path) -> None:
    place = Place()
    with devices(2) as (laptop, phone), machine(tmp_path / "again", "laptop") as again:
        laptop.create_task(edda.Task(title="backed up"))
        sync(laptop, phone)
        backed_up(laptop, place, tmp_path / "proof")
        laptop.create_task(edda.Task(title="written since, and the phone has it"))
        sync(laptop, phone)
        identities.save(tmp_path / "again", laptop.identity)
        reopen(again, place, laptop.identity)
        again.create_task(edda.Task(title="written after the restore"))
        sync(again, phone)
        assert len(titles(again)) == 3
        assert titles(again) == titles(phone)
        assert again.reading.forked() == []
