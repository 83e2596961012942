"""Making backups: each one is proved before it counts, adds only what is new, and goes on where it was cut off."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

import edda_sync as edda
from edda_sync.backup import making
from edda_sync.backup.proof import ProofStore
from edda_sync.backup.sealed import Kind
from edda_sync.engine.engine import StorageEngine
from edda_sync.testing import devices, sync
from edda_sync.words import limits
from edda_sync.words.errors import BackupError, TargetError
from tests.backup.places import Place, back_up, repository_of
from tests.sync.copies import copier, end_life


@pytest.fixture
def laptop() -> Iterator[StorageEngine]:
    with devices(1, backend="memory") as (engine,):
        engine.create_task(edda.Task(title="Buy milk"))
        yield engine


def content_of(engine: StorageEngine, place: Place, folder: Path, number: int) -> str:
    """The digest of a store that is made of nothing but a backup."""
    repository = repository_of(engine, place)
    found = next(each.manifest for each in repository.own() if each.manifest and each.manifest.number == number)
    with ProofStore(folder, engine.workspace) as proof:
        for ref in found.runs:
            proof.take(ref, repository.get(Kind.RUN, ref))
        return proof.content().hex()


def test_a_backup_holds_the_content_and_says_what_it_is(laptop: StorageEngine, tmp_path: Path) -> None:
    place = Place()
    made = back_up(laptop, place, tmp_path / "proof")
    manifest = made.manifest
    assert made.is_new
    assert (manifest.number, manifest.tasks, manifest.documents) == (1, 1, 0)
    assert manifest.content.hex() == laptop.digest()
    assert manifest.devices == ()
    assert content_of(laptop, place, tmp_path / "other", 1) == laptop.digest()
    assert not any(b"milk" in data for data in place.held.values())


def test_the_next_backup_adds_what_is_new_and_shares_the_rest(laptop: StorageEngine, tmp_path: Path) -> None:
    place = Place()
    for number in range(300):
        laptop.create_task(edda.Task(title=f"Task {number}"))
    first = back_up(laptop, place, tmp_path / "proof").manifest
    laptop.create_task(edda.Task(title="One more"))
    before = place.size()
    second = back_up(laptop, place, tmp_path / "proof").manifest
    assert second.number == 2
    assert second.runs[: len(first.runs)] == first.runs
    assert second.added_bytes < 2_000
    assert place.size() - before < 4_000
    assert content_of(laptop, place, tmp_path / "other", 2) == laptop.digest()


def test_nothing_is_written_when_nothing_has_changed(laptop: StorageEngine, tmp_path: Path) -> None:
    place = Place()
    first = back_up(laptop, place, tmp_path / "proof")
    again = back_up(laptop, place, tmp_path / "proof")
    assert not again.is_new
    assert again.manifest == first.manifest
    assert len(place.puts) == 2


def test_a_backup_that_was_cut_off_goes_on_where_it_stopped(
    laptop: StorageEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Wherever the target refuses, what it has by then is not written again; there is no backup before the end."""
    monkeypatch.setattr(limits, "RUN_BYTES_MAX", 1_000)
    monkeypatch.setattr(limits, "BATCH_BYTES_MAX", 300)
    for number in range(30):
        laptop.create_task(edda.Task(title=f"Task {number} with a long title"))
    place = Place()
    refused = 0
    while True:
        place.allows = 1
        try:
            back_up(laptop, place, tmp_path / "proof")
            break
        except TargetError:
            refused += 1
            assert repository_of(laptop, place).own() == []
    assert refused > 5
    assert len(place.puts) == len(set(place.puts)) == refused + 1
    assert content_of(laptop, place, tmp_path / "other", 1) == laptop.digest()


def test_a_lost_proof_store_is_made_anew_from_the_target(laptop: StorageEngine, tmp_path: Path) -> None:
    place = Place()
    back_up(laptop, place, tmp_path / "proof")
    laptop.create_task(edda.Task(title="One more"))
    second = back_up(laptop, place, tmp_path / "another").manifest
    assert second.added_bytes < 2_000
    assert len(place.puts) == 4
    assert content_of(laptop, place, tmp_path / "other", 2) == laptop.digest()


@pytest.mark.parametrize("how", ["removed", "cut", "changed"])
def test_what_is_missing_or_damaged_at_the_target_is_written_again(
    laptop: StorageEngine, tmp_path: Path, how: str
) -> None:
    place = Place()
    back_up(laptop, place, tmp_path / "proof")
    key = place.puts[0]
    whole = place.held.pop(key)
    if how == "cut":
        place.held[key] = whole[:-1]
    elif how == "changed":
        place.held[key] = whole[:-1] + bytes((whole[-1] ^ 1,))
    proof = tmp_path / ("another" if how == "changed" else "proof")  # a changed byte is not seen in a list
    laptop.create_task(edda.Task(title="One more"))
    back_up(laptop, place, proof)
    assert content_of(laptop, place, tmp_path / "other", 2) == laptop.digest()


def test_a_target_that_gives_back_something_else_makes_no_backup(laptop: StorageEngine, tmp_path: Path) -> None:
    class Lying(Place):
        def put(self, key: str, data: bytes) -> None:
            super().put(key, data[:-1] + bytes((data[-1] ^ 1,)))

    place = Lying()
    with pytest.raises(BackupError):
        back_up(laptop, place, tmp_path / "proof")
    assert repository_of(laptop, place).own() == []


def test_many_small_runs_become_one(laptop: StorageEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(making, "SMALL_RUNS_MAX", 4)
    place = Place()
    counts = []
    for number in range(12):
        laptop.create_task(edda.Task(title=f"Task {number}"))
        counts.append(len(back_up(laptop, place, tmp_path / "proof").manifest.runs))
    assert max(counts) <= 4
    assert content_of(laptop, place, tmp_path / "other", 12) == laptop.digest()
    assert content_of(laptop, place, tmp_path / "older", 3)


def test_a_workspace_with_a_proved_fork_and_ended_lives_is_backed_up_whole(tmp_path: Path) -> None:
    """The evidence comes before the changes that it is about, into a store that knows no member yet."""
    with devices(2, backend="memory") as (laptop, phone), copier(tmp_path) as copy:
        phone.create_task(edda.Task(title="The last of a life"))
        end_life(phone)
        twin = copy(laptop)
        laptop.create_task(edda.Task(title="From the laptop"))
        twin.create_task(edda.Task(title="From the copy"))
        for each in (laptop, twin):
            sync(each, phone)
        place = Place()
        assert back_up(phone, place, tmp_path / "proof").manifest.content.hex() == phone.digest()
        phone.create_task(edda.Task(title="Later"))
        assert back_up(phone, place, tmp_path / "proof").manifest.content.hex() == phone.digest()
        assert content_of(phone, place, tmp_path / "other", 2) == phone.digest()


def test_it_says_which_devices_are_in_it(tmp_path: Path) -> None:
    from edda_sync.engine import standing

    with devices(2, backend="memory") as (laptop, phone):
        phone.create_task(edda.Task(title="From the phone"))
        sync(laptop, phone)
        (device,) = back_up(laptop, Place(), tmp_path / "proof").manifest.devices
        assert (device.name, device.is_equal, device.proved_ms) == ("phone", False, 0)
        assert device.changes > 0
        total = standing.count(laptop.frontier())
        standing.save(laptop, {phone.identity.device: standing.Remembered(1_700_000_000.0, total)})
        manifest = back_up(laptop, Place(), tmp_path / "proof2").manifest
        assert manifest.outstanding == ()
        laptop.create_task(edda.Task(title="Later"))
        (device,) = back_up(laptop, Place(), tmp_path / "proof3").manifest.outstanding
        assert device.proved_ms == 1_700_000_000_000


def test_after_an_older_copy_of_the_store_was_put_back_the_next_backup_holds_what_is_here(tmp_path: Path) -> None:
    """The last backup then holds more than the store does; what it held stays in it."""
    place = Place()
    with devices(1) as (laptop,), copier(tmp_path) as copy:
        laptop.create_task(edda.Task(title="Before"))
        older = copy(laptop)
        laptop.create_task(edda.Task(title="Only in a backup"))
        back_up(laptop, place, tmp_path / "proof")
        older.create_task(edda.Task(title="After"))
        made = back_up(older, place, tmp_path / "proof").manifest
        assert made.number == 2
        assert content_of(older, place, tmp_path / "other", 2) == older.digest()
        assert content_of(older, place, tmp_path / "first", 1) == laptop.digest()
        assert back_up(older, place, tmp_path / "proof").is_new is False
