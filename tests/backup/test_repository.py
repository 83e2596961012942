"""A repository: it names nothing, finds what is there, and deletes only what nobody needs."""

from __future__ import annotations

import msgspec
import pytest

from edda_sync.backup.manifest import Manifest, Ref
from edda_sync.backup.repository import Repository, number_in
from edda_sync.backup.sealed import Kind, Objects
from edda_sync.words.errors import DamagedBackupError, NoObjectError
from tests.backup.places import Place
from tests.backup.test_manifest import MANIFEST

RING = ((b"e" * 32, b"k" * 32),)
DAY_S = 24 * 3600.0


def repository_at(place: Place, device: str = "laptop") -> Repository:
    return Repository(place, Objects(RING), RING, b"w" * 16, device)


def of(device: str, number: int, *refs: Ref) -> Manifest:
    return msgspec.structs.replace(MANIFEST, device=device, number=number, runs=refs, packs=(), made_ms=number)


def test_an_object_comes_back_as_it_was_put_and_only_as_its_kind() -> None:
    place = Place()
    repository = repository_at(place)
    ref = repository.put(Kind.RUN, b"content")
    assert repository.get(Kind.RUN, ref) == b"content"
    assert repository.missing([ref]) == []
    with pytest.raises(DamagedBackupError):
        repository.get(Kind.MANIFEST, ref)
    place.held.clear()
    assert repository.missing([ref]) == [ref]
    with pytest.raises(NoObjectError):
        repository.get(Kind.RUN, ref)


def test_an_object_in_the_place_of_another_is_noticed() -> None:
    place = Place()
    repository = repository_at(place)
    refs = [repository.put(Kind.RUN, data) for data in (b"one", b"two")]
    keys = list(place.held)
    place.held[keys[0]], place.held[keys[1]] = place.held[keys[1]], place.held[keys[0]]
    for ref in refs:
        with pytest.raises(DamagedBackupError):
            repository.get(Kind.RUN, ref)


def test_keys_contain_neither_workspace_nor_device() -> None:
    place = Place()
    repository = repository_at(place, "a-device-with-a-long-name")
    repository.add(of("a-device-with-a-long-name", 1, repository.put(Kind.RUN, b"content")))
    for key in place.held:
        assert "a-device" not in key
        assert (b"w" * 16).hex() not in key


def test_manifests_are_found_by_device_and_in_the_order_of_their_times() -> None:
    place = Place()
    mine, other = repository_at(place), repository_at(place, "phone")
    mine.add(of("laptop", 3))
    other.add(of("phone", 2))
    mine.add(of("laptop", 10))
    assert [each.manifest.number for each in mine.own() if each.manifest] == [3, 10]
    assert [each.manifest.number for each in mine.all() if each.manifest] == [2, 3, 10]


def test_a_manifest_that_cannot_be_read_is_told_and_hides_no_other() -> None:
    place = Place()
    repository = repository_at(place)
    broken = repository.add(of("laptop", 1))
    repository.add(of("laptop", 2))
    place.held[broken] = place.held[broken][:-1]
    whole, damaged = repository.all()
    assert whole.manifest is not None
    assert damaged.manifest is None
    assert isinstance(damaged.error, DamagedBackupError)


def test_a_manifest_under_another_number_or_device_is_damage_whoever_put_it_there() -> None:
    place = Place()
    repository = repository_at(place)
    key = repository.add(of("laptop", 1))
    other = repository_at(place, "phone").add(of("phone", 1))
    assert repository.maker_of(other, ["laptop", "phone"]) == "phone"
    assert repository.maker_of("edda/x/devices/y/manifests/1-2", ["laptop", "phone"]) is None
    name = key.rpartition("-")[2]
    for wrong in (key.replace("000000000001-", "000000000009-"), f"{other.rpartition('/')[0]}/000000000001-{name}"):
        place.held[wrong] = place.held[key]
        (damaged,) = [each for each in repository.all() if each.manifest is None]
        assert damaged.key == wrong
        assert damaged.number == number_in(wrong) == int(wrong.rpartition("/")[2][:12])
        assert "backup 1 lies where another one should" in str(damaged.error)
        del place.held[wrong]
    assert number_in("edda/x/devices/y/manifests/abc-2") == number_in("0" * 13 + "-") == 0


def test_only_what_no_manifest_names_is_deleted_and_only_after_a_day() -> None:
    place = Place()
    mine, other = repository_at(place), repository_at(place, "phone")
    shared, old, new = (mine.put(Kind.RUN, data) for data in (b"shared", b"old", b"new"))
    first = mine.add(of("laptop", 1, shared, old))
    mine.add(of("laptop", 2, new))
    other.add(of("phone", 1, shared))
    assert mine.drop([first], DAY_S / 2) == 0
    assert mine.missing([shared, old, new]) == []
    assert mine.drop([], 2 * DAY_S) == 0, "the target's clock has not moved, so this device's own may be wrong"
    place.modified_s = 2 * DAY_S
    mine.put(Kind.RUN, b"another device's, in a backup that it is making")
    assert mine.drop([], 1e12) == old.size
    assert mine.missing([shared, old, new]) == [old]


def test_nothing_is_deleted_while_manifests_come_and_go(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another device replaces its backup while this one reads the list: what both name is old, and is needed on."""
    place = Place()
    mine, other = repository_at(place), repository_at(place, "phone")
    ref = other.put(Kind.RUN, b"content")
    first = other.add(of("phone", 1, ref))
    get, replaced = place.get, list[str]()

    def getting(key: str) -> bytes:
        if key == first and not replaced:
            replaced.append(other.add(of("phone", 2, ref)))
            place.delete(first)
        return get(key)

    place.modified_s = 2 * DAY_S
    mine.put(Kind.RUN, b"the newest")
    monkeypatch.setattr(place, "get", getting)
    assert mine.drop([], 2 * DAY_S) == 0
    assert mine.missing([ref]) == []


def test_what_a_known_manifest_names_stays_where_it_is_not_listed_yet_and_so_does_what_is_none_of_ours() -> None:
    place = Place()
    repository = repository_at(place)
    ref = repository.put(Kind.RUN, b"content")
    manifest = of("laptop", 2, ref)
    foreign = next(iter(place.held)).rpartition("/")[0] + "/thumbs.db"
    place.put(foreign, b"of a system")
    place.modified_s = 2 * DAY_S
    newest = repository.put(Kind.RUN, b"the newest")
    assert repository.drop([], 2 * DAY_S, kept=[manifest]) == 0
    assert repository.missing([ref]) == []
    assert repository.drop([], 2 * DAY_S) == ref.size
    assert foreign in place.held
    assert repository.missing([ref, newest]) == [ref]


def test_nothing_is_deleted_while_a_manifest_cannot_be_read() -> None:
    place = Place()
    repository = repository_at(place)
    ref = repository.put(Kind.RUN, b"content")
    key = repository.add(of("laptop", 1, ref))
    place.held[key] = b""
    place.modified_s = 2 * DAY_S
    repository.put(Kind.RUN, b"later")
    assert repository.drop([], 2 * DAY_S) == 0
    assert repository.missing([ref]) == []


def test_a_manifest_is_read_once_where_it_is_remembered_and_anew_elsewhere() -> None:
    place = Place()
    repository = repository_at(place)
    key = repository.add(of("laptop", 1, repository.put(Kind.RUN, b"content")))
    with repository.remembering():
        (found,) = repository.own()
        place.held[key] = place.held[key][:-1]
        assert [each.manifest for each in repository.all()] == [found.manifest]
    assert [each.manifest for each in repository.all()] == [None]
