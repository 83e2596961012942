"""Whose backups are meant: by a device's name, its id, or the beginning of that."""

from __future__ import annotations

from pathlib import Path

import pytest

from edda_sync.backup.whose import device_meant, names_in
from edda_sync.words.errors import NotFoundError, UsageError
from tests.backup.scenes import backed_up

NAMES = {"abcd1": "laptop", "abxy2": "phone", "cdef3": "phone"}


@pytest.mark.parametrize(
    ("reference", "device"), [("laptop", "abcd1"), ("abxy2", "abxy2"), ("ABC", "abcd1"), ("c", "cdef3")]
)
def test_a_device_is_meant_by_its_name_or_the_beginning_of_its_id(reference: str, device: str) -> None:
    assert device_meant(NAMES, reference) == device


def test_what_means_no_device_or_several_is_refused() -> None:
    for nothing in ("tablet", ""):
        with pytest.raises(NotFoundError, match=r"those that are known here are laptop, phone .abxy2., phone .cdef3."):
            device_meant(NAMES, nothing)
    with pytest.raises(NotFoundError, match="no other device is known"):
        device_meant({}, "tablet")
    with pytest.raises(UsageError, match=r"2 devices are called phone \(abxy2, cdef3\)"):
        device_meant(NAMES, "phone")
    with pytest.raises(UsageError, match="2 devices"):
        device_meant(NAMES, "ab")


def test_backups_name_the_devices_in_them_and_know_their_maker_by_its_id(tmp_path: Path) -> None:
    with backed_up(tmp_path) as scene:
        laptop, phone = scene.laptop.identity.device, scene.phone.identity.device
        assert names_in([scene.manifest]) == {laptop: "", phone: scene.phone.name}
