"""Copied, restored and rolled-back stores: each goes on under an actor of its own, and nothing acknowledged is lost."""

from __future__ import annotations

import itertools
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

import edda_sync as edda
from edda_sync.changes.chains import points_of
from edda_sync.changes.change import Birth, decode_header, encode_birth, workspace_of
from edda_sync.changes.change import actor_of as actor_of_birth
from edda_sync.engine import life
from edda_sync.engine.engine import StorageEngine
from edda_sync.store.seams import StoreWriter
from edda_sync.testing import pair, sync
from edda_sync.workspace.actor import actor_of
from edda_sync.workspace.lives import Life, close_quiet, is_closed

TASKS = edda.TaskQuery(order="title")


def actor(store: StorageEngine) -> bytes:
    """The actor under which a store writes."""
    with store.store.read() as reader:
        return actor_of(reader)


def birth(store: StorageEngine, of: bytes) -> Birth:
    """The birth of an actor that has written, as its first change says it."""
    with store.store.read() as reader:
        (raw,) = reader.log.headers(of, 1, 1)
    found = decode_header(raw).birth
    assert found is not None
    assert actor_of_birth(encode_birth(found)) == of
    return found


def newest(store: StorageEngine, of: bytes) -> tuple[bytes, int, bytes]:
    """The newest change of an actor: actor, seq and hash."""
    with store.store.read() as reader:
        return reader.log.heads()[of][:3]


def parent(of: Birth) -> tuple[bytes | None, int, bytes]:
    """The change that a life continues."""
    return of.parent, of.parent_seq, of.parent_hash


def titles(store: StorageEngine) -> list[str]:
    """All titles, in order."""
    return [task.title for task in store.query_tasks(TASKS)]


class Clock:
    """A wall clock that moves only on request, by whole days."""

    began_ms = 1_800_000_000_000

    def __init__(self) -> None:
        self.ms = self.began_ms

    def __call__(self) -> float:
        return self.ms / 1000

    def pass_days(self, days: int) -> None:
        self.ms += days * 24 * 3600 * 1000


@contextmanager
def founded(home: Path, clock: Clock) -> Iterator[StorageEngine]:
    """A store with its own clock; a new one founds a workspace."""
    with StorageEngine(home, now=clock) as engine:
        engine.initialize(edda.StorageConfig(name="laptop"))
        yield engine


@contextmanager
def opened(tmp_path: Path, name: str) -> Iterator[StorageEngine]:
    """A member's store, opened again."""
    with StorageEngine(tmp_path / name) as engine:
        engine.open_store(edda.StorageConfig(name=name))
        yield engine


@contextmanager
def member(tmp_path: Path, of: StorageEngine, name: str) -> Iterator[StorageEngine]:
    """Another device of an engine's workspace."""
    with StorageEngine(tmp_path / name) as engine:
        engine.open_store(edda.StorageConfig(name=name))
        pair(of, engine)
        sync(of, engine)
        yield engine


def test_opening_a_store_again_takes_no_new_actor(tmp_path: Path) -> None:
    actors = set()
    for number in range(3):
        with edda.open(tmp_path / "home") as store:
            store.create_task(edda.Task(title=f"Task {number}"))
            actors.add(actor(store))
    assert len(actors) == 1


def test_a_copied_folder_writes_under_a_new_actor_and_both_copies_sync(tmp_path: Path) -> None:
    with edda.open(tmp_path / "home") as store:
        store.create_task(edda.Task(title="before"))
        first = actor(store)
    shutil.copytree(tmp_path / "home", tmp_path / "copy")
    with edda.open(tmp_path / "home") as original, edda.open(tmp_path / "copy") as copy:
        original.create_task(edda.Task(title="in the original"))
        copy.create_task(edda.Task(title="in the copy"))
        assert actor(original) == first
        assert actor(copy) != first
        with member(tmp_path, original, "phone") as phone:
            sync(phone, copy)
            sync(phone, original)
            assert titles(phone) == ["before", "in the copy", "in the original"] == titles(original)


def test_a_new_life_continues_the_last_change_of_the_life_before_it(tmp_path: Path) -> None:
    with edda.open(tmp_path / "home") as store:
        store.create_task(edda.Task(title="before"))
    lives = []
    for number in range(3):
        shutil.copytree(tmp_path / "home", tmp_path / "copy")
        shutil.rmtree(tmp_path / "home")
        shutil.move(tmp_path / "copy", tmp_path / "home")
        with edda.open(tmp_path / "home") as store:
            before = newest(store, actor(store))
            store.create_task(edda.Task(title=f"in life {number}"))
            lives.append(actor(store))
            assert parent(birth(store, lives[-1])) == before
            assert birth(store, lives[-1]).public_key == store.identity.public_key
    assert len(set(lives)) == 3


def test_a_first_life_continues_the_change_that_made_its_device_a_member(tmp_path: Path) -> None:
    with edda.open(tmp_path / "home") as store:
        founder = actor(store)
        assert parent(birth(store, founder)) == (None, 0, b"")
        assert workspace_of(encode_birth(birth(store, founder))) == store.workspace
        with StorageEngine(tmp_path / "phone") as phone:
            phone.open_store(edda.StorageConfig(name="phone"))
            pair(store, phone)
            added = newest(store, founder)
            store.create_task(edda.Task(title="after it was let in"))
            sync(store, phone)
            phone.create_task(edda.Task(title="its first"))
            assert parent(birth(phone, actor(phone))) == added
            sync(phone, store)
            assert birth(store, actor(phone)) == birth(phone, actor(phone))


def test_a_restored_backup_writes_under_a_new_actor_and_gets_back_what_it_had_lost(tmp_path: Path) -> None:
    home = tmp_path / "home"
    with edda.open(home) as store:
        store.create_task(edda.Task(title="kept"))
    shutil.copytree(home, tmp_path / "backup")
    with edda.open(home) as store:
        store.create_task(edda.Task(title="synced, then lost here"))
        before = actor(store)
        with member(tmp_path, store, "phone"):
            pass
    shutil.rmtree(home)
    shutil.copytree(tmp_path / "backup", home)
    with edda.open(home) as restored, StorageEngine(tmp_path / "phone") as phone:
        phone.open_store(edda.StorageConfig(name="phone"))
        restored.create_task(edda.Task(title="written after the restore"))
        assert actor(restored) != before
        assert parent(birth(restored, actor(restored)))[0] == before
        assert birth(restored, actor(restored)).why in (life.PUT_BACK, life.COPIED)
        # The restored store does not know the phone yet: the phone, which knows both, brings it all back.
        sync(restored, phone)
        assert titles(restored) == titles(phone) == ["kept", "synced, then lost here", "written after the restore"]


def test_a_backup_from_before_the_first_write_writes_under_a_new_actor(tmp_path: Path) -> None:
    with edda.open(tmp_path / "home") as store:
        with member(tmp_path, store, "phone"):
            pass
        shutil.copytree(tmp_path / "phone", tmp_path / "backup")
        with StorageEngine(tmp_path / "phone") as phone:
            phone.open_store(edda.StorageConfig(name="phone"))
            phone.create_task(edda.Task(title="synced, then lost on the phone"))
            sync(store, phone)
        shutil.rmtree(tmp_path / "phone")
        shutil.copytree(tmp_path / "backup", tmp_path / "phone")
        with StorageEngine(tmp_path / "phone") as phone:
            phone.open_store(edda.StorageConfig(name="phone"))
            phone.create_task(edda.Task(title="written after the restore"))
            sync(store, phone)
            assert titles(store) == titles(phone) == ["synced, then lost on the phone", "written after the restore"]


def test_two_copies_from_before_the_first_write_take_an_actor_each(tmp_path: Path) -> None:
    with edda.open(tmp_path / "home") as store:
        with member(tmp_path, store, "phone"):
            pass
        shutil.copytree(tmp_path / "phone", tmp_path / "copy")
        for name in ("phone", "copy"):
            with StorageEngine(tmp_path / name) as each:
                each.open_store(edda.StorageConfig(name=name))
                each.create_task(edda.Task(title=f"on the {name}"))
                sync(store, each)
        assert titles(store) == ["on the copy", "on the phone"]


def test_a_copy_that_goes_to_another_machine_takes_a_new_actor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with edda.open(tmp_path / "home") as store:
        store.create_task(edda.Task(title="before"))
        before = actor(store)
    shutil.copytree(tmp_path / "home", tmp_path / "copy")
    monkeypatch.setenv("EDDA_STATE", str(tmp_path / "another machine"))
    with edda.open(tmp_path / "copy") as store:
        store.create_task(edda.Task(title="elsewhere"))
        assert actor(store) != before
        assert birth(store, actor(store)).why == life.COPIED


def test_a_store_whose_state_folder_is_always_new_goes_on_under_its_actor(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    actors = set()
    for number in range(3):
        monkeypatch.setenv("EDDA_STATE", str(tmp_path / f"of container {number}"))
        with edda.open(tmp_path / "home") as store:
            store.create_task(edda.Task(title=f"in container {number}"))
            actors.add(actor(store))
    assert len(actors) == 1


def roll_back(tmp_path: Path) -> bytes:
    """Make a phone that knows one change more than the store in ``home``; write another in its place; return the actor."""
    home, state = tmp_path / "home", tmp_path / "state"
    with edda.open(home) as store:
        store.create_task(edda.Task(title="before"))
        inode = (home / "edda.db").stat().st_ino
        with member(tmp_path, store, "phone") as phone:
            saved = {path: path.read_bytes() for path in (home / "edda.db", home / "edda.db-wal", *state.iterdir())}
            store.create_task(edda.Task(title="synced"))
            sync(store, phone)
    # What a rolled-back virtual machine does: the same files, in the same place, as they were.
    (home / "edda.db-shm").unlink(missing_ok=True)
    for path, content in saved.items():
        path.write_bytes(content)
    assert (home / "edda.db").stat().st_ino == inode
    with edda.open(home) as store, opened(tmp_path, "phone") as phone:
        forked = actor(store)
        store.create_task(edda.Task(title="written twice under one name"))
        assert newest(store, forked)[:2] == newest(phone, forked)[:2]
        assert newest(store, forked) != newest(phone, forked)
        phone.create_task(edda.Task(title="of the phone, which knew the lost one"))
    return forked


def test_a_machine_rolled_back_with_its_sidecar_forks_and_both_branches_are_kept(tmp_path: Path) -> None:
    forked = roll_back(tmp_path)
    with edda.open(tmp_path / "home") as store, opened(tmp_path, "phone") as phone:
        before = {*titles(store), *titles(phone)}
        sync(store, phone)
        assert titles(store) == titles(phone) == sorted(before)
        assert "written twice under one name" in before
        assert {"synced", "of the phone, which knew the lost one"} <= before
        assert store.frontier() == phone.frontier()
        assert sum(each.is_leaf for each in store.reading.lives() if each.device == store.identity.device) == 2
        assert store.reading.forked() == phone.reading.forked() == [store.identity.device]
        for device in (store, phone):
            with device.store.read() as reader:
                assert {point.seq for point in points_of(reader, forked)} == {newest(store, forked)[1]}
            assert device.rebuild() == device.counts()["changes"]
        sync(store, phone)


def test_after_a_fork_the_store_goes_on_under_a_new_actor(tmp_path: Path) -> None:
    forked = roll_back(tmp_path)
    with edda.open(tmp_path / "home") as store, opened(tmp_path, "phone") as phone:
        sync(store, phone)
        ended = newest(store, actor(store))
        assert ended[0] != forked
        for number in range(2):
            store.create_task(edda.Task(title=f"afterwards {number}"))
        later = actor(store)
        assert later not in (forked, ended[0])
        assert store.frontier()[later] == 2
        assert parent(birth(store, later)) == (forked, *ended[1:])
        assert birth(store, later).why == life.FORKED
        sync(store, phone)
        assert titles(store) == titles(phone)


# --- what the log tells of lives --------------------------------------------------------------------------------------


def test_the_lives_of_a_device_are_listed_with_their_changes_and_times(tmp_path: Path) -> None:
    clock = Clock()
    with founded(tmp_path / "home", clock) as store:
        store.create_task(edda.Task(title="before"))
        first, device = actor(store), store.identity.device
        assert store.reading.lives() == [Life(device, first, 2, clock.began_ms, clock.ms, True, False, "")]
    shutil.copytree(tmp_path / "home", tmp_path / "copy")
    wrote_ms = clock.ms
    clock.pass_days(1)
    with founded(tmp_path / "copy", clock) as copy:
        copy.create_task(edda.Task(title="in the copy"))
        lives = {each.name: each for each in copy.reading.lives()}
        assert lives == {
            first: Life(device, first, 2, clock.began_ms, wrote_ms, is_leaf=False, is_closed=False, why=""),
            actor(copy): Life(device, actor(copy), 1, clock.ms, clock.ms, True, False, life.COPIED),
        }


def test_a_store_and_its_copy_count_each_other_once_both_have_written_since(tmp_path: Path) -> None:
    clock = Clock()
    with founded(tmp_path / "home", clock) as store:
        store.create_task(edda.Task(title="before"))
    shutil.copytree(tmp_path / "home", tmp_path / "copy")
    clock.pass_days(1)
    with (
        founded(tmp_path / "home", clock) as store,
        founded(tmp_path / "copy", clock) as copy,
        member(tmp_path, store, "phone") as phone,
    ):

        def counted() -> tuple[int, int]:
            for each in (store, copy, store, copy):
                sync(each, phone)
            return len(store.reading.copies()), len(copy.reading.copies())

        phone.create_task(edda.Task(title="of the phone, whose life the store's change let in"))
        assert counted() == (0, 0)
        copy.create_task(edda.Task(title="in the copy"))
        assert counted() == (1, 0), "the copy continues what was there before"
        clock.pass_days(1)
        store.create_task(edda.Task(title="in the original"))
        assert counted() == (1, 1)
        assert [each.wrote_ms for each in copy.reading.copies()] == [clock.ms]
        clock.pass_days(30)
        assert counted() == (0, 0), "a copy that has been quiet for so long is over"
        assert phone.reading.copies() == []


def test_a_restored_store_does_not_count_as_a_copy_of_its_former_self(tmp_path: Path) -> None:
    clock = Clock()
    with founded(tmp_path / "home", clock) as store:
        store.create_task(edda.Task(title="kept"))
    shutil.copytree(tmp_path / "home", tmp_path / "backup")
    clock.pass_days(1)
    with founded(tmp_path / "home", clock) as store:
        store.create_task(edda.Task(title="lost here"))
        with member(tmp_path, store, "phone"):
            pass
    clock.pass_days(1)
    with founded(tmp_path / "backup", clock) as restored, opened(tmp_path, "phone") as phone:
        restored.create_task(edda.Task(title="written after the restore"))
        sync(restored, phone)
        assert "lost here" in titles(restored)
        assert restored.reading.copies() == []


def test_a_life_that_is_long_over_is_closed_by_the_next_one_of_its_device(tmp_path: Path) -> None:
    clock = Clock()
    with founded(tmp_path / "home", clock) as store:
        store.create_task(edda.Task(title="before"))
    for name in ("old", "quiet"):
        shutil.copytree(tmp_path / "home", tmp_path / name)
    with founded(tmp_path / "old", clock) as old, founded(tmp_path / "home", clock) as home:
        old.create_task(edda.Task(title="in a copy that is forgotten"))
        home.create_task(edda.Task(title="in the store itself"))
        over = actor(old)
        with member(tmp_path, old, "phone") as phone:
            sync(phone, home)
        clock.pass_days(31)
        with opened(tmp_path, "phone") as phone, founded(tmp_path / "quiet", clock) as quiet:
            sync(phone, quiet)
            quiet.create_task(edda.Task(title="in a third life"))
            closed = {each.name for each in quiet.reading.lives() if each.is_closed}
            assert over in closed
            assert actor(quiet) not in closed
            with quiet.store.read() as reader:
                assert is_closed(reader, over)
                assert not is_closed(reader, actor(quiet))
            sync(phone, quiet)
            sync(phone, old)
            assert {each.name for each in old.reading.lives() if each.is_closed} == closed
            old.create_task(edda.Task(title="it is used again"))
            assert actor(old) != over
            assert birth(old, actor(old)).parent == over
            assert birth(old, actor(old)).why == life.CLOSED


def test_a_life_that_another_one_continues_needs_no_closing(tmp_path: Path) -> None:
    clock = Clock()
    names = ("first", "second", "third")
    with founded(tmp_path / names[0], clock) as store:
        store.create_task(edda.Task(title="before"))
        lives = [actor(store)]
    for before, name in itertools.pairwise(names):
        shutil.copytree(tmp_path / before, tmp_path / name)
        clock.pass_days(31 if name == "third" else 0)
        with founded(tmp_path / name, clock) as store:
            store.create_task(edda.Task(title=f"in the {name}"))
            lives.append(actor(store))
            listed = {each.name: each for each in store.reading.lives()}
    assert len(set(lives)) == 3
    assert [listed[each].is_leaf for each in lives] == [False, False, True]
    assert [listed[each].is_closed for each in lives] == [False, True, False]


def test_only_its_own_device_closes_a_quiet_life(tmp_path: Path) -> None:
    clock = Clock()
    with founded(tmp_path / "home", clock) as store, member(tmp_path, store, "phone") as phone:
        phone.create_task(edda.Task(title="once"))
        quiet = actor(phone)
        sync(store, phone)
        clock.pass_days(365)
        with store.store.read() as reader:
            own = reader.log.heads()[actor(store)]

        def close(tx: StoreWriter) -> int:
            identity = store.identity
            return close_quiet(tx, store.workspace, identity.public_key, identity.sign, clock.ms)

        assert store.store.transact(close) == 0, (
            "its own present life is not over, and the phone's is the phone's to end"
        )
        assert not any(each.is_closed for each in store.reading.lives())
        assert {own.actor, quiet} == {each.name for each in store.reading.lives()}
