"""What a store remembers of its backups: for `status` and the figures, without asking the place where they lie."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import msgspec

import edda_sync as edda
from edda_sync.engine import backed_up
from edda_sync.engine.backed_up import BackedUp


def test_each_target_is_remembered_by_itself(tmp_path: Path) -> None:
    with edda.open(tmp_path) as engine:
        usb = BackedUp("usb", 3, 1_700_000_000_000, 50, 2, ("phone",), 0, 1_600_000_000_000)
        with engine.store.read() as reader:
            assert backed_up.load(reader) == []
            assert backed_up.of(reader, "usb") == BackedUp("usb")
            assert backed_up.last(reader) == (0, None)
        for each in (usb, BackedUp("s3", 1, 1_650_000_000_000, 40, 1), msgspec.structs.replace(usb, failed="away")):
            engine.store.transact(lambda tx, each=each: backed_up.save(tx, each))  # type: ignore[misc]
        with engine.store.read() as reader:
            assert [each.target for each in backed_up.load(reader)] == ["usb", "s3"]
            assert backed_up.of(reader, "usb").failed == "away"
            assert backed_up.last(reader) == (3, datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC))
        metrics = engine.metrics()
        assert (metrics.backup_count, metrics.last_backup) == (3, datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC))


def test_a_target_is_forgotten_and_no_other(tmp_path: Path) -> None:
    with edda.open(tmp_path) as engine:
        for name in ("usb", "s3"):
            engine.store.transact(lambda tx, name=name: backed_up.save(tx, BackedUp(name, 3)))  # type: ignore[misc]
        for _ in range(2):
            engine.store.transact(lambda tx: backed_up.forget(tx, "usb"))
            with engine.store.read() as reader:
                assert backed_up.load(reader) == [BackedUp("s3", 3)]


def test_as_json_its_moments_are_times_or_nothing() -> None:
    found = BackedUp("usb", 3, 1_700_000_000_000).plain()
    assert (found["made_at"], found["verified_at"], found["failed_at"]) == ("2023-11-14T22:13:20.000Z", None, None)
