"""How much a device exchanged with its peers since it was started, over all its sessions."""

from __future__ import annotations

from collections.abc import Mapping

from edda_sync.sync.progress import Progress
from edda_sync.words.metrics import SyncMetrics


class Traffic:
    """Counts what sessions exchange. Call :meth:`talking` whenever sessions may have begun, and :meth:`metrics` to look."""

    def __init__(self) -> None:
        self._latest: dict[str, Progress] = {}  # of each peer, also after its session has ended
        self._former = SyncMetrics()  # what sessions exchanged that were followed by another one

    def talking(self, progress: Mapping[str, Progress]) -> None:
        """Note the sessions that are open, by peer."""
        for device, each in progress.items():
            known = self._latest.get(device)
            if known is not each:
                if known is not None:
                    self._former = _added(self._former, known)
                self._latest[device] = each

    def metrics(self) -> SyncMetrics:
        """Return what was exchanged."""
        total = self._former
        for each in [*self._latest.values()]:
            total = _added(total, each)
        return total


def _added(total: SyncMetrics, session: Progress) -> SyncMetrics:
    return SyncMetrics(
        changes_sent=total.changes_sent + session.sent_changes,
        changes_received=total.changes_received + session.rcvd_changes,
        bytes_sent=total.bytes_sent + session.sent_bytes,
        bytes_received=total.bytes_received + session.rcvd_bytes,
    )
