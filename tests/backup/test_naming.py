"""Naming: an error about an object says of which backup, whose, and what to do."""

from __future__ import annotations

import pytest

from edda_sync.backup.naming import named, naming
from edda_sync.backup.sealed import Kind, called
from edda_sync.words.errors import (
    BackupKeyError,
    BrokenBackupError,
    DamagedBackupError,
    NewerBackupError,
    NoObjectError,
    TargetError,
)
from tests.backup.test_manifest import MANIFEST

NAMES = {MANIFEST.device: "laptop"}


def test_a_missing_and_a_damaged_object_become_an_error_about_the_backup() -> None:
    what = called(Kind.PACK, "00ff" * 16)
    missing = named(NoObjectError("stick", "edda/a/objects/00ff", what), MANIFEST, NAMES)
    assert isinstance(missing, BrokenBackupError)
    assert (missing.number, missing.device) == (MANIFEST.number, "laptop")
    assert missing.why == "a part with attached files, 00ff00ff00ff, is missing from stick"
    damaged = named(DamagedBackupError("The list", "its seal is broken."), MANIFEST, NAMES)
    assert str(damaged).startswith(f"Backup {MANIFEST.number} of 'laptop', made ")
    assert "is not whole (the list is damaged: its seal is broken): " in str(damaged)
    assert "`edda backup list`" in str(damaged)


def test_a_device_whose_name_nobody_knows_is_called_by_its_id() -> None:
    error = named(NoObjectError("stick", "key"), MANIFEST, {})
    assert isinstance(error, BrokenBackupError)
    assert error.device == MANIFEST.device[:12]


def test_errors_that_say_all_stay_what_they_are() -> None:
    for error in (
        TargetError("stick", "its folder is not here", "connect it"),
        BackupKeyError("it", "sync"),
        NewerBackupError("it", "format 9"),
    ):
        assert named(error, MANIFEST, NAMES) is error
        with pytest.raises(type(error)), naming(MANIFEST, NAMES):
            raise error
    with pytest.raises(BrokenBackupError), naming(MANIFEST, NAMES):
        raise NoObjectError("stick", "key")
