from __future__ import annotations

from edda_sync.device.traffic import Traffic
from edda_sync.sync.progress import Progress
from edda_sync.words.metrics import SyncMetrics


def test_all_sessions_count_those_that_go_on_and_those_that_ended() -> None:
    traffic = Traffic()
    assert traffic.metrics() == SyncMetrics()
    first, other = Progress(), Progress(rcvd_bytes=5)
    traffic.talking({"phone": first, "tablet": other})
    first.sent_bytes, first.sent_changes = 100, 2
    traffic.talking({"tablet": other})  # the phone left
    assert traffic.metrics() == SyncMetrics(bytes_sent=100, changes_sent=2, bytes_received=5)
    second = Progress(sent_bytes=10, rcvd_changes=1)
    traffic.talking({"phone": second})
    traffic.talking({"phone": second})
    second.sent_bytes += 1
    assert traffic.metrics() == SyncMetrics(bytes_sent=111, changes_sent=2, changes_received=1, bytes_received=5)
