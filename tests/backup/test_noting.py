"""Noting: a failure is remembered until a backup is made, and an error of another kind is none of it."""

from __future__ import annotations

import pytest

from edda_sync.backup.noting import Noting
from edda_sync.testing import devices
from edda_sync.words.errors import DamagedBackupError, TargetError


def test_a_failure_is_remembered_until_a_backup_is_made() -> None:
    with devices(1, backend="memory") as (laptop,):
        noting = Noting(laptop, "stick")
        noting.note(number=3, is_distrusted=True)
        with pytest.raises(DamagedBackupError), noting.if_it_ends(TargetError):
            raise DamagedBackupError("it", "why")
        assert noting.now().failed == ""
        for ending in (noting.if_it_ends(TargetError), noting.made()):
            with pytest.raises(TargetError), ending:
                raise TargetError("stick", "its folder is not here", "connect it")
            assert "its folder is not here" in noting.now().failed
            assert noting.now().failed_ms > 0
        assert Noting(laptop, "cloud").now().failed == ""
        with noting.made():
            pass
        assert (noting.now().failed, noting.now().number, noting.now().is_distrusted) == ("", 3, False)
