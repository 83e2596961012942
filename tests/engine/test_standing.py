"""The standing of a device: facts about its store, and what it remembers of its peers when it does not run."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

import edda_sync as edda
from edda_sync.crdt.keys import key_of
from edda_sync.engine import standing
from edda_sync.engine.engine import StorageEngine
from edda_sync.engine.standing import Remembered
from edda_sync.sync.proving import Difference
from edda_sync.testing import devices, sync

Two = tuple[StorageEngine, ...]


@pytest.fixture(params=["memory", "sqlite"])
def two(request: pytest.FixtureRequest) -> Iterator[Two]:
    with devices(2, backend=request.param) as engines:
        yield engines


def test_facts_about_members_are_remembered_and_those_about_strangers_are_not(two: Two) -> None:
    laptop, phone = two
    known = Remembered(1_800_000_000.0, 7, ("192.168.1.20", 7_000))
    standing.save(laptop, {phone.identity.device: known, "a-stranger": known})
    assert standing.load(laptop) == {phone.identity.device: known}


def test_a_port_is_remembered_and_written_only_when_it_changes(two: Two) -> None:
    laptop, _ = two
    assert standing.port(laptop) == 0
    standing.save_port(laptop, 7_000)
    version = laptop.store.version()
    standing.save_port(laptop, 7_000)
    assert (standing.port(laptop), laptop.store.version()) == (7_000, version)


def test_a_device_that_does_not_run_says_when_its_peers_were_equal_and_what_came_since(two: Two) -> None:
    laptop, phone = two
    at = standing.count(laptop.frontier())
    standing.save(laptop, {phone.identity.device: Remembered(1_800_000_000.0, at)})
    for title in ("one", "two"):
        laptop.create_task(edda.Task(title=title))
    found = standing.status(laptop)
    (peer,) = found["peers"]
    assert (found["running"], found["port"]) == (False, None)
    assert (peer["name"], peer["connected"], peer["ahead"]) == ("phone", False, 2)
    assert peer["proved_at"] == "2027-01-15T08:00:00.000Z"


def test_a_peer_that_was_never_met_was_never_proved_equal(two: Two) -> None:
    laptop, _ = two
    (peer,) = standing.status(laptop)["peers"]
    assert peer["proved_at"] is None
    assert [each["proved_at"] for each in standing.devices(laptop)] == [None, None]


def test_the_devices_are_listed_by_name_and_this_one_is_marked(two: Two) -> None:
    laptop, phone = two
    assert [(each["name"], each["this"]) for each in standing.devices(phone)] == [("laptop", False), ("phone", True)]
    assert standing.own_name(phone) == "phone"
    certificates, names = standing.met(laptop)
    assert certificates.keys() == names.keys() == {laptop.identity.device, phone.identity.device}


def test_the_facts_of_a_store_are_those_of_its_content(two: Two) -> None:
    laptop, phone = two
    laptop.create_task(edda.Task(title="one"))
    sync(laptop, phone)
    ours, theirs = standing.facts(laptop), standing.facts(phone)
    assert ours["digest"] == theirs["digest"]
    assert (ours["tasks"], ours["waiting"], ours["refused"], ours["missing"], ours["conflicts"]) == (1, 0, 0, 0, 0)
    assert ours["frontier"] == theirs["frontier"]
    assert (ours["database_bytes"] > 0) == (laptop.database is not None)


def test_the_last_writes_are_counted_apart_for_this_device_and_others(two: Two) -> None:
    laptop, phone = two
    before = standing.written(laptop)
    phone.create_task(edda.Task(title="of the phone"))
    sync(laptop, phone)
    taken = standing.written(laptop)
    assert (taken.position > before.position, taken.own) == (True, before.own)
    laptop.create_task(edda.Task(title="of the laptop"))
    assert standing.written(laptop).own[1] == before.own[1] + 1


def test_a_peer_that_refuses_this_device_is_reported_until_it_knows_the_device_again(two: Two) -> None:
    laptop, phone = two
    assert not standing.note_refusal(laptop, phone.identity.device, Remembered()), "it may not have heard of it yet"
    assert standing.note_refusal(laptop, phone.identity.device, Remembered(proved_s=1.0))
    assert standing.facts(laptop)["shut_out_by"] == phone.identity.device
    standing.note_known(laptop, "another")
    assert standing.shut_out_by(laptop) == phone.identity.device
    standing.note_known(laptop, phone.identity.device)
    assert standing.shut_out_by(laptop) is None


def test_differences_are_named_by_kind_and_id_and_a_missing_side_is_empty() -> None:
    key = key_of("task", bytes(15) + b"\x07")
    said = standing.difference(Difference(key, b"\xaa" * 4, b""))
    assert said == {"kind": "task", "id": "00000000-0000-0000-0000-000000000007", "ours": "aa" * 4, "theirs": None}


def test_a_device_that_is_shut_out_learns_what_waits_and_what_to_do() -> None:
    assert "waits" not in standing.shut_out_sentence("laptop")
    said = standing.shut_out_sentence("laptop", 1_234)
    assert "1,234 changes that were written here wait for that" in said
    assert "edda invite" in said
