"""Troubles: backups that cannot be listed are named by device and number, and what is gone is told by who remembers it."""

from __future__ import annotations

from edda_sync.backup.manager import BackupManager
from edda_sync.backup.troubles import named_by, troubles
from edda_sync.engine.backed_up import BackedUp
from edda_sync.testing import devices
from edda_sync.words.errors import DamagedBackupError, GoneBackupsError
from tests.backup.places import Place
from tests.backup.test_repository import of, repository_at


def test_a_damaged_manifest_is_named_by_the_device_whose_folder_it_lies_in() -> None:
    place = Place()
    repository = repository_at(place)
    key = repository_at(place, "phone").add(of("phone", 7))
    place.held[key] = b"damaged"
    (found,) = repository.all()
    for names, said in (({"phone": "my phone"}, "my phone"), ({}, "a device that is no member")):
        error = named_by(repository, found, names).error
        assert isinstance(error, DamagedBackupError)
        assert error.what == f"The manifest of backup 7 of {said}"


def test_what_is_not_there_is_told_only_if_it_is_remembered() -> None:
    with devices(1, backend="memory") as (laptop,):
        repository = BackupManager(laptop, Place()).repository
        assert troubles(laptop, repository, BackedUp("place"), []) == []
        (gone,) = troubles(laptop, repository, BackedUp("place", number=3, kept=2), [])
        assert isinstance(gone, GoneBackupsError)
        assert (gone.target, gone.newest, gone.made, gone.gone) == ("place", 0, 3, 2)
