"""The kit for our tests and those of our users: devices of one workspace in this process, with real sync between them."""

from __future__ import annotations

from pathlib import Path

import pytest

import edda_sync as edda
from edda_sync import testing
from edda_sync.crdt.keys import key_of
from edda_sync.fold.unapplied import UNREADABLE
from edda_sync.store.seams import StoreWriter, Unapplied
from edda_sync.testing import Talk, devices, pair, sync
from edda_sync.words import values
from edda_sync.words.errors import RemoteMismatchError, UsageError


def test_the_example_of_the_docstring_runs() -> None:
    assert testing.__doc__ is not None
    lines = [line[4:] for line in testing.__doc__.splitlines() if line.startswith("    ")]
    assert len(lines) == 6
    exec("\n".join(lines), {})


@pytest.mark.parametrize("backend", ["memory", "sqlite"])
@pytest.mark.parametrize("count", [1, 2, 9])
def test_the_devices_are_members_of_one_workspace_and_equal(count: int, backend: str) -> None:
    with devices(count, backend=backend) as engines:
        assert len(engines) == count
        assert len({engine.identity.device for engine in engines}) == count
        assert len({engine.workspace for engine in engines}) == 1
        assert len({engine.digest() for engine in engines}) == 1
        for engine in engines:
            assert [member.device for member in engine.members()] == [member.device for member in engines[0].members()]
            assert {member.device for member in engine.members()} == {each.identity.device for each in engines}


def test_devices_are_named_as_people_name_them_and_gone_at_the_end() -> None:
    with devices(3) as engines:
        homes = [engine.home for engine in engines]
        assert [engine.name for engine in engines] == ["laptop", "phone", "tablet"]
        assert all((home / "edda.db").exists() for home in homes)
    assert not any(home.exists() for home in homes)
    with pytest.raises(UsageError):
        engines[0].tags()


def test_one_clock_may_serve_all_devices() -> None:
    with devices(2, now=lambda: 1_800_000_000.0) as (laptop, phone):
        task_id = laptop.create_task(edda.Task(title="T"))
        sync(laptop, phone)
        task = phone.get_task(task_id)
        assert task is not None
        assert task.created_at == "2027-01-15T08:00:00.000Z"


def test_sync_ends_with_both_proved_equal_and_a_second_sync_does_nothing() -> None:
    with devices(2) as (laptop, phone):
        laptop.create_task(edda.Task(title="of the laptop"))
        phone.create_task(edda.Task(title="of the phone"))
        sync(laptop, phone)
        assert laptop.digest() == phone.digest()
        assert laptop.table("tasks") == phone.table("tasks")
        before = laptop.counts()
        sync(phone, laptop)
        assert laptop.counts() == before


def test_sync_says_when_two_devices_are_not_proved_equal() -> None:
    with devices(2) as (laptop, phone):
        newer = Unapplied(1, 1, UNREADABLE, False, "only a newer version knows this operation")
        laptop.store.transact(lambda tx: tx.unapplied.add([newer]))
        with pytest.raises(AssertionError, match="not proved equal"):
            sync(laptop, phone)


def test_a_talk_names_the_entities_in_which_two_devices_differ() -> None:
    with devices(2) as (laptop, phone):
        laptop.create_task(edda.Task(title="whole"))
        task_id = laptop.create_task(edda.Task(title="damaged on the phone"))
        sync(laptop, phone)
        key = key_of("task", values.id_bytes("id", task_id))

        def damage(tx: StoreWriter) -> None:
            record = tx.states.get([key])[key]
            tx.states.put([record._replace(hash=bytes(32))], {key: False})
            tx.index.add_to_digest(-int.from_bytes(record.hash[:16], "big"))

        phone.store.transact(damage)
        talk = Talk(laptop, phone)
        talk.run()
        assert not talk.proved
        assert {(each.peer, each.keys) for each in talk.differs} == {
            (laptop.identity.device, (key,)),
            (phone.identity.device, (key,)),
        }
        phone.refold([key])
        sync(laptop, phone)


def test_sync_gives_up_after_a_number_of_frames() -> None:
    with devices(2) as (laptop, phone):
        laptop.create_task(edda.Task(title="T"))
        with pytest.raises(AssertionError, match="still talking after 1 frames"):
            sync(laptop, phone, frames_max=1)


def test_devices_of_two_workspaces_do_not_sync() -> None:
    with devices(1) as (mine,), devices(1) as (theirs,):
        digests = mine.digest(), theirs.digest()
        with pytest.raises(RemoteMismatchError):
            sync(mine, theirs)
        assert (mine.digest(), theirs.digest()) == digests


def test_a_device_that_is_let_in_again_is_the_same_device_with_the_same_store(tmp_path: Path) -> None:
    with devices(1) as (host,), edda.StorageEngine(tmp_path / "newcomer") as newcomer:
        newcomer.open_store(edda.StorageConfig(name="newcomer"))
        pair(host, newcomer)
        sync(host, newcomer)
        assert [member.name for member in newcomer.members()] == ["laptop", "newcomer"]
        newcomer.create_task(edda.Task(title="kept"))
        pair(host, newcomer)
        sync(host, newcomer)
        assert [member.name for member in host.members()] == ["laptop", "newcomer"]
        assert [task.title for task in host.query_tasks(edda.TaskQuery())] == ["kept"]


def test_a_talk_can_be_stopped_anywhere_and_durable_changes_stay() -> None:
    with devices(2) as (laptop, phone):
        for number in range(5):
            laptop.create_task(edda.Task(title=f"task {number}"))
        steps = 0
        talk = Talk(laptop, phone)
        while phone.counts()["tasks"] == 0:
            assert talk.step()
            steps += 1
        assert 0 < steps < 10
        assert talk.proved <= {phone.identity.device}, "the changes came with the seal of what holds them"
        sync(laptop, phone)
        assert phone.counts()["tasks"] == 5


def test_a_talk_goes_on_when_it_is_told_of_new_changes() -> None:
    with devices(2) as (laptop, phone):
        talk = Talk(laptop, phone)
        talk.run()
        assert len(talk.proved) == 2
        task_id = phone.create_task(edda.Task(title="news"))
        talk.committed(phone)
        talk.run()
        assert laptop.get_task(task_id) is not None
