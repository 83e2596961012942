"""
The contract of targets, which every kind passes: folders, memory, S3 (moto), each as it is and with time limits.

Azure's emulator passes it too, where it is installed: ``make azurite``.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import pytest

from edda_sync.backup.target import Target
from edda_sync.backup.targets.credentials import Credentials
from edda_sync.backup.targets.folder import FolderTarget, mark
from edda_sync.backup.targets.objects import ObjectTarget
from edda_sync.backup.targets.place import MEMORY, Place
from edda_sync.backup.targets.timed import TimedTarget
from edda_sync.words.errors import InvalidValueError, LimitError, NoObjectError
from tests.backup.targets.stores import AWS, EMULATED, PAGE, azurite, make_bucket

AZURITE = os.environ.get("EDDA_TEST_AZURITE", "")
KINDS = ["folder", "usual", "memory", "s3", "timed", *(["azure"] if AZURITE else [])]
_numbers = count()
BAD_KEYS = [
    "",
    "/",
    "a/",
    "/a",
    "a//b",
    "..",
    "../a",
    "a/../b",
    ".hidden",
    "a/.b",
    "A",
    "ä",
    "a b",
    "a\\b",
    "a\0b",
    "a" * 513,
    "a\n",
]


@pytest.fixture(scope="module")
def azure() -> Iterator[Place]:
    with azurite(AZURITE) as place:
        make_container(place)
        yield place


def make_container(place: Place) -> None:
    """Make the container, which obstore cannot: a request that the emulator takes with a signature of the account."""
    import base64
    import hashlib
    import hmac
    import urllib.request
    from email.utils import formatdate

    now = formatdate(usegmt=True)
    resource = f"/{place.account}/{place.account}/{place.root}\nrestype:container"
    canonical = f"PUT\n\n\n\n\n\n\n\n\n\n\n\nx-ms-date:{now}\nx-ms-version:2021-08-06\n{resource}"
    signed = base64.b64encode(
        hmac.new(base64.b64decode(EMULATED), canonical.encode(), hashlib.sha256).digest()
    ).decode()
    request = urllib.request.Request(
        f"{place.endpoint}/{place.root}?restype=container",
        method="PUT",
        headers={
            "x-ms-date": now,
            "x-ms-version": "2021-08-06",
            "Authorization": f"SharedKey {place.account}:{signed}",
        },
    )
    urllib.request.urlopen(request, timeout=30).close()


@pytest.fixture(params=KINDS)
def target(request: pytest.FixtureRequest, tmp_path: Path) -> Target:
    """An empty target of each kind."""
    kind, number = request.param, next(_numbers)
    if kind == "usual":
        return FolderTarget("usual", tmp_path / "state" / "backups", None)
    if kind == "memory":
        return ObjectTarget("memory", Place(MEMORY, f"m{number}"), Credentials())
    if kind == "s3":
        return ObjectTarget("s3", make_bucket(request.getfixturevalue("s3"), f"bucket{number}"), AWS)
    if kind == "azure":
        place: Place = request.getfixturevalue("azure")
        return ObjectTarget("azure", place._replace(prefix=f"p{number}"), Credentials({"account_key": EMULATED}))
    folder = FolderTarget("stick", tmp_path / "stick", mark("stick", tmp_path / "stick"))
    return TimedTarget(folder) if kind == "timed" else folder


def keys(target: Target, prefix: str, after: str = "") -> list[str]:
    return [each.key for each in target.list(prefix, after)]


@pytest.mark.parametrize("size", [0, 1, 300_000, 3 * 2**20 + 5])
def test_what_was_written_is_read_and_listed(target: Target, size: int) -> None:
    data, before = os.urandom(size), time.time()
    target.put("edda/t/objects/00ff", data)
    assert target.get("edda/t/objects/00ff") == data
    (listed,) = target.list("edda/t/objects/")
    assert (listed.key, listed.size) == ("edda/t/objects/00ff", size)
    assert before - 2 <= listed.modified_s <= time.time() + 2, "some tell whole seconds"


def test_an_object_that_is_written_again_is_replaced(target: Target) -> None:
    target.put("a/keys", b"old and longer")
    target.put("a/keys", b"new")
    assert target.get("a/keys") == b"new"
    assert [each.size for each in target.list("a/")] == [3]


def test_what_is_not_there_is_missing_and_its_deletion_is_nothing(target: Target) -> None:
    for key in ("a/none", "none"):
        with pytest.raises(NoObjectError) as caught:
            target.get(key)
        assert (caught.value.target, caught.value.key) == (target.name, key)
        target.delete(key)


def test_a_deleted_object_is_gone(target: Target) -> None:
    target.put("a/1", b"x")
    target.put("a/2", b"x")
    target.delete("a/1")
    assert keys(target, "a/") == ["a/2"]
    with pytest.raises(NoObjectError):
        target.get("a/1")


def test_keys_are_listed_in_order_below_their_prefix_and_beyond_a_key(target: Target) -> None:
    ordered = sorted(["b/a-b", "b/a.b", "b/a/b", "b/a/c/d", "b/a0", "b/a_", "b/b", "b/z/0"])
    for key in [*reversed(ordered), "a", "b-a", "c/a"]:
        target.put(key, key.encode())
    assert keys(target, "b/") == ordered
    assert keys(target, "b/a/") == ["b/a/b", "b/a/c/d"]
    assert keys(target, "none/") == []
    for after in [*ordered, "b/a/c", "b/", "b/a/zzz", "b/m"]:
        assert keys(target, "b/", after) == [key for key in ordered if key > after], after


def test_more_objects_than_fit_one_answer_are_listed(target: Target, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edda_sync.backup.targets.timed._PAGE", PAGE)  # moto has been told so, too
    written = [f"m/{number:06}" for number in range(2 * PAGE + 5)]
    for key in written:
        target.put(key, b"")
    assert keys(target, "m/") == written
    assert keys(target, "m/", written[PAGE - 1]) == written[PAGE:]


@pytest.mark.parametrize("key", BAD_KEYS, ids=ascii)
def test_what_is_no_key_is_refused_by_every_call(target: Target, key: str, tmp_path: Path) -> None:
    before = sorted(tmp_path.rglob("*"))
    calls: list[Callable[[], object]] = [
        lambda: target.put(key, b"x"), lambda: target.get(key), lambda: target.delete(key),
        lambda: list(target.list(f"{key}/")),
    ]  # fmt: skip
    for call in calls:
        with pytest.raises(InvalidValueError):
            call()
    assert sorted(tmp_path.rglob("*")) == before


def test_what_is_too_large_is_refused_before_it_is_sent(target: Target, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edda_sync.backup.target.OBJECT_BYTES_MAX", 10)
    with pytest.raises(LimitError):
        target.put("a/b", bytes(11))
    assert keys(target, "a/") == []


def test_two_writers_of_one_object_do_not_disturb_each_other(target: Target) -> None:
    written = [bytes([number]) * 200_000 for number in range(4)]
    threads = [threading.Thread(target=target.put, args=("a/same", data)) for data in written]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert target.get("a/same") in written
    assert keys(target, "a/") == ["a/same"]
