"""Errors of backups name what they are about."""

from __future__ import annotations

from edda_sync.words.errors import BackupKeyError, DamagedBackupError, NoObjectError, TargetError


def test_a_target_that_cannot_be_used_is_named_with_what_to_do() -> None:
    error = TargetError("usb", "no such folder.", "plug it in")
    assert str(error) == "The backup target 'usb' cannot be used (no such folder): plug it in."
    assert (error.target, error.why, error.advice) == ("usb", "no such folder.", "plug it in")


def test_a_missing_object_is_named_with_its_target() -> None:
    error = NoObjectError("usb", "runs/00ff")
    assert (error.target, error.key) == ("usb", "runs/00ff")


def test_damage_and_a_wrong_key_are_told_apart() -> None:
    assert "is damaged (too short)" in str(DamagedBackupError("runs/00ff", "too short"))
    assert "with the keys that are here" in str(BackupKeyError("This backup", "type the recovery code"))
