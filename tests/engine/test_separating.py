"""Separating: a copy that runs beside its original becomes a device of its own, and the two sync; also after a kill."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

import edda_sync as edda
from edda_sync.changes import forkproof
from edda_sync.engine import doctor, separating
from edda_sync.engine.engine import StorageEngine
from edda_sync.testing import devices, sync
from edda_sync.transport import identity as identities
from edda_sync.words import limits
from edda_sync.words.errors import InvalidValueError, UsageError
from edda_sync.words.folders import SEPARATING_FOLDER
from tests.sync.copies import copier, titles
from tests.sync.newcomers import newcomers
from tests.sync.packed import pack, unpack

Three = tuple[StorageEngine, StorageEngine, StorageEngine]


@pytest.fixture
def three(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Three]:
    """A laptop, a copy of it, and a phone; both laptops have written since."""
    monkeypatch.setenv("EDDA_KEYRING", "off")
    with devices(2) as (laptop, phone), copier(tmp_path) as copy:
        laptop.create_task(edda.Task(title="Before"))
        twin = copy(laptop)
        laptop.create_task(edda.Task(title="From the laptop"))
        twin.create_task(edda.Task(title="From the copy"))
        yield laptop, twin, phone


def sound(engine: StorageEngine) -> bool:
    return [finding for finding in doctor.check(engine) if not finding.sound] == []


def test_the_copy_is_a_device_of_its_own_and_syncs_with_its_original(three: Three) -> None:
    laptop, twin, phone = three
    old = twin.identity.device
    new = separating.separate(twin, "workstation")
    assert twin.identity.device == new != old == laptop.identity.device
    assert identities.load(twin.home) == twin.identity
    assert not (twin.home / SEPARATING_FOLDER).exists()
    twin.create_task(edda.Task(title="As a device of its own"))
    sync(twin, phone)
    sync(phone, laptop)
    sync(twin, laptop)
    assert titles(twin) == titles(laptop) == ["As a device of its own", "Before", "From the copy", "From the laptop"]
    assert {member.name for member in laptop.members()} == {"laptop", "phone", "workstation"}
    assert all(map(sound, three))


def test_without_a_third_device_a_bundle_tells_the_original(three: Three) -> None:
    laptop, twin, _ = three
    separating.separate(twin, "workstation")
    unpack(laptop, pack(twin))
    sync(twin, laptop)
    assert titles(twin) == titles(laptop) == ["Before", "From the copy", "From the laptop"]


def test_a_long_work_that_nobody_was_ever_given_goes_along(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A device signs its changes when it gives them; the copy signs all of them while it still has the key."""
    monkeypatch.setenv("EDDA_KEYRING", "off")
    monkeypatch.setattr(forkproof, "UNSIGNED_MAX", 40)
    monkeypatch.setattr(separating, "_SIGNED_EVERY", 20)
    monkeypatch.setattr(limits, "BATCH_BYTES_MAX", 3_000)  # of fewer changes than may be unsigned, as always
    with devices(1, backend="memory") as (laptop,):
        for number in range(130):
            laptop.create_task(edda.Task(title=f"Task {number}"))
        before = laptop.identity
        separating.separate(laptop, "workstation")
        assert {member.name for member in laptop.members()} == {"laptop", "workstation"}
        assert sum(each.header.changes for each in pack(laptop)) == laptop.counts()["changes"]
        with newcomers(tmp_path, "memory") as join:
            phone = join(laptop)
            sync(laptop, phone)
            assert phone.digest() == laptop.digest()
        assert laptop.identity.device != before.device


@pytest.mark.parametrize("step", ["commit", "go_on_as"])
def test_a_kill_at_any_moment_leaves_the_one_device_or_the_other(
    three: Three, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    laptop, twin, phone = three
    old, config = twin.identity.device, twin.config
    target = twin.writing if step == "commit" else twin.own
    with monkeypatch.context() as patched:
        patched.setattr(target, step, lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            separating.separate(twin, "workstation")
    twin.close()
    with StorageEngine(twin.home) as again:
        again.open_store(config)
        assert (again.identity.device == old) == (step == "commit")
        assert not (again.home / SEPARATING_FOLDER).exists()
        again.create_task(edda.Task(title="Afterwards"))
        sync(again, phone)
        sync(phone, laptop)
        assert "Afterwards" in titles(laptop)
        assert sound(again)


def test_a_name_that_is_none_changes_nothing(three: Three) -> None:
    _, twin, _ = three
    with pytest.raises(InvalidValueError):
        separating.separate(twin, "")
    assert not (twin.home / SEPARATING_FOLDER).exists()


def test_a_device_that_has_not_met_anybody_yet_is_not_separated(tmp_path: Path) -> None:
    """The change that makes the new device would be written again by another key, and be refused."""
    with devices(1, backend="memory") as (laptop,), newcomers(tmp_path, "memory") as join:
        early = join(laptop)
        early.create_task(edda.Task(title="Before it met anybody"))
        with pytest.raises(UsageError, match="sync with another device first"):
            separating.separate(early, "workstation")
        sync(early, laptop)
        separating.separate(early, "workstation")
        assert {member.name for member in early.members()} == {"laptop", "new 0", "workstation"}
