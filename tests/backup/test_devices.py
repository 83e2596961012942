"""Which devices are in a backup: said of each, with when it last confirmed it."""

from __future__ import annotations

import edda_sync as edda
from edda_sync.backup.devices import included
from edda_sync.engine import standing
from edda_sync.sync.packing import heads_of
from edda_sync.testing import devices, sync
from tests.sync.batches import exchange_of


def test_each_other_device_is_said_with_its_changes_and_its_last_proof() -> None:
    with devices(3, backend="memory") as (laptop, phone, tablet):
        phone.create_task(edda.Task(title="From the phone"))
        sync(laptop, phone)
        exchange = exchange_of(laptop)
        total = standing.count(laptop.frontier())
        remembered = {
            phone.identity.device: standing.Remembered(1_700_000_000.0, total),
            tablet.identity.device: standing.Remembered(1_600_000_000.0, total - 1),
        }
        found = {each.name: each for each in included(laptop, exchange, heads_of(exchange), remembered)}
        assert sorted(found) == ["phone", "tablet"]
        assert (found["phone"].is_equal, found["phone"].changes > 0) == (True, True)
        assert (found["tablet"].is_equal, found["tablet"].proved_ms) == (False, 1_600_000_000_000)


def test_a_device_that_was_never_met_is_outstanding() -> None:
    with devices(2, backend="memory") as (laptop, _):
        exchange = exchange_of(laptop)
        (phone,) = included(laptop, exchange, heads_of(exchange))
        assert (phone.is_equal, phone.proved_ms) == (False, 0)
