"""What a running device knows about its peers, and tells about them and about itself."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Final

from edda_sync.crdt.frontier import Frontier, lacking
from edda_sync.crdt.records import told_apart
from edda_sync.device.happening import Happening
from edda_sync.device.peers import Peers
from edda_sync.device.traffic import Traffic
from edda_sync.engine import standing
from edda_sync.engine.engine import StorageEngine
from edda_sync.sync.filing import FilesProgress
from edda_sync.sync.progress import Progress
from edda_sync.transport import packets
from edda_sync.transport.interfaces import Endpoint
from edda_sync.words import clocks
from edda_sync.words.addresses import host_port
from edda_sync.words.callbacks import log
from edda_sync.words.errors import BugError, CorruptError, EddaError, LinkClosedError, RemoteError, StorageError
from edda_sync.words.metrics import StorageMetrics
from edda_sync.words.units import size_in_words

LOG: Final = logging.getLogger("edda_sync.device.device")


class Status:
    """
    The names and proofs of the peers, the state of the sessions with them, and their troubles.

    Args:
        tell: Is told what happens.

    Attributes:
        proved: The frontier at which each peer was last proved equal, since this device was started.
        progress: The progress of every open session, by the peer's device id.
        shut_out: The device that knew this one and refuses it now; None if there is none.
        peers: The links, once the device listens.
    """

    def __init__(self, tell: Callable[[Happening], None]) -> None:
        self.proved: dict[str, Frontier] = {}
        self.progress: dict[str, Progress] = {}
        self.shut_out: str | None = None
        self.peers: Peers
        self._traffic = Traffic()
        self._tell = tell
        self._remembered: dict[str, standing.Remembered] = {}
        self._names: dict[str, str] = {}
        self._met: set[str] = set()
        self._troubles: dict[str, str] = {}
        self._apart: set[str] = set()  # those whose clock is apart from this one's, as was told
        self._files = FilesProgress()
        self._done = 0, 0  # how many files had come, and how many bytes, when that was last told

    def open(self, store: StorageEngine) -> None:
        """Read what the store has saved about the peers."""
        self._remembered = standing.load(store)
        self.name(standing.names(store))
        self.shut_out = standing.shut_out_by(store)

    # --- names --------------------------------------------------------------------------------------------------------

    def name(self, names: Mapping[str, str]) -> None:
        """Set the names of the members."""
        self._names = told_apart(dict(names))

    def name_of(self, device: str) -> str:
        """Return the name of a member, made unique among equal names; the start of its id as long as no name is known."""
        return self._names.get(device, device[:12])

    # --- what happens -------------------------------------------------------------------------------------------------

    def found(self, device: str, endpoints: list[Endpoint]) -> None:
        """Tell that a member was found on the LAN, if that is news."""
        peer = self.peers.all.get(device)
        if peer is not None and peer.link is None and endpoints[0] not in peer.endpoints:
            self._tell(Happening("found", device, text=host_port(*endpoints[0])))

    def talking(self, progress: dict[str, Progress]) -> list[str]:
        """Note the progress of the sessions; return the peers whose sessions are new."""
        self.progress = progress
        self._traffic.talking(progress)
        fresh = [device for device in progress if device not in self._met]
        for device in fresh:
            self._met.add(device)
            link = self.peers.all[device].link if device in self.peers.all else None
            self._tell(Happening("connected", device, text=link.address if link is not None else ""))
        return fresh

    def lost(self, device: str, why: str) -> None:
        """Note and tell that the link to a member is gone, and why, in a few words."""
        peer = self.peers.all.get(device)
        if peer is not None and not peer.error:
            peer.error = LinkClosedError(device, why).told(self.name_of(device))
        if device in self._met:
            self._met.discard(device)
            self._tell(Happening("lost", device, text=why))

    def applied(self, device: str, changes: int) -> None:
        """Tell that changes of a peer's are here."""
        self._tell(Happening("applied", device, changes))

    def proved_equal(self, device: str) -> None:
        """Note and tell that a peer is proved equal."""
        self._troubles.pop(device, None)
        progress = self.progress.get(device)
        if progress is None or progress.proved_at is None:
            return
        self.proved[device] = progress.proved_at
        known = self._remembered.setdefault(device, standing.Remembered())
        known.changes, known.proved_s = standing.count(progress.proved_at), time.time()
        self._tell(Happening("equal", device, known.changes))

    def filed(self, files: FilesProgress) -> bool:
        """Note how this device stands with files; tell whether that is news. Once nothing is under way, tell what came."""
        if files == self._files:
            return False
        self._files = files
        done, came = self._done
        if not files.files and files.done > done:
            self._done = files.done, files.came
            self._tell(Happening("files", count=files.done - done, text=size_in_words(files.came - came)))
        return True

    def answered(self, device: str, endpoint: Endpoint) -> None:
        """Note the address where a member answered."""
        self._remembered.setdefault(device, standing.Remembered()).endpoint = endpoint

    def linked(self, device: str, clock_s: float | None) -> None:
        """Note by how many seconds a peer's clock is ahead of this one's; tell once that it is apart."""
        if clock_s is None:
            return
        self._remembered.setdefault(device, standing.Remembered()).clock_s = clock_s
        said = clocks.sentence(self.name_of(device), clock_s)
        if said and device not in self._apart:
            self._tell(Happening("trouble", device, text=said))
        (self._apart.add if said else self._apart.discard)(device)

    def ended(self, device: str, error: EddaError) -> None:
        """Note the error that ended a session. A fault of this device's own disk is no trouble with the peer."""
        if isinstance(error, BugError):
            log(LOG, logging.ERROR, str(error), error.bug)
        peer = self.peers.all.get(device)
        if peer is not None:
            peer.is_failing = True
        if isinstance(error, StorageError) and not isinstance(error, CorruptError):
            if peer is not None:
                peer.error = str(error)
        else:
            self.troubled(device, error.told(self.name_of(device)) if isinstance(error, RemoteError) else str(error))

    def troubled(self, device: str, text: str) -> None:
        """Note a peer's trouble, and tell it once, even if it repeats."""
        peer = self.peers.all.get(device)
        if peer is not None:
            peer.error = text
            if self._troubles.get(device) != text:
                self._troubles[device] = text
                self._tell(Happening("trouble", device, text=text))

    def refused(self, device: str) -> None:
        """Note and tell that a member that knew this device refuses it now."""
        self.shut_out = device
        self.troubled(device, self.shut_out_sentence or "")

    # --- what is said -------------------------------------------------------------------------------------------------

    @property
    def shut_out_sentence(self) -> str | None:
        """A sentence for a person whose device is refused by the device that let it in; None if it is not."""
        return None if self.shut_out is None else standing.shut_out_sentence(self.name_of(self.shut_out))

    def remembered(self) -> dict[str, standing.Remembered]:
        """Return what is to be saved about the peers."""
        return dict(self._remembered)

    def remembered_of(self, device: str) -> standing.Remembered:
        """Return what was saved about a peer."""
        return self._remembered.get(device, standing.Remembered())

    def metrics(self, found: StorageMetrics, held: Frontier) -> StorageMetrics:
        """Return the figures of the store with those of its syncs, if this device holds ``held``."""
        talks = self.progress.values()
        sync = replace(
            self._traffic.metrics(),
            peers=max(0, len(self._names) - 1),
            peers_connected=len(talks),
            peers_equal=sum(each.proved and each.proved_at == held for each in talks),
            waiting=found.sync.waiting,
            refused=found.sync.refused,
        )
        return replace(found, sync=sync)

    def of_peer(self, member: standing.Facts, held: Frontier) -> dict[str, Any]:
        """Return the status of a member, if this device holds ``held``."""
        device = member["device"]
        known = self.remembered_of(device)
        peer, progress = self.peers.all.get(device), self.progress.get(device)
        if progress is None:
            ahead = standing.ahead_of(known, held)
            error = ""
            if peer is not None:
                error = peer.error or ("" if peer.endpoints else standing.no_address_sentence(self.name_of(device)))
            return standing.peer(device, member["name"], known, ahead=ahead, error=error)
        small = peer is not None and peer.packets.are_small
        link = peer.link if peer is not None else None
        return standing.peer(
            device, member["name"], known, connected=True, equal=progress.proved and progress.proved_at == held,
            behind=lacking(held, progress.theirs), ahead=lacking(progress.theirs, held),
            address=None if link is None else link.address, called_in=link is not None and not link.dialled,
            waiting=progress.waiting,
            differs=[standing.difference(each) for each in progress.differing],
            sent_bytes=progress.sent_bytes, rcvd_bytes=progress.rcvd_bytes,
            note=packets.sentence(self.name_of(device)) if small else "",
        )  # fmt: skip
