"""After the healing: nothing is held back, every acknowledged change is everywhere, and that cost little."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from itertools import permutations
from typing import Final

from edda_sync.changes.change import DEP_HASH_BYTES, decode_header
from edda_sync.crdt.frontier import Dot, Frontier
from edda_sync.crdt.operation import Operation, Put, Unread, cut, decode
from edda_sync.crdt.sketch import CELL_BYTES
from edda_sync.simulations.book import Fate
from edda_sync.simulations.branches import is_in_a_segment
from edda_sync.simulations.checker import Checker
from edda_sync.simulations.checkers.convergence import rows_of
from edda_sync.simulations.checkers.history import dots_in
from edda_sync.simulations.device import SimulatedDevice
from edda_sync.simulations.ending import heads_of, shown
from edda_sync.simulations.frames import message_of
from edda_sync.simulations.simulator import Simulation
from edda_sync.store.seams import Logged
from edda_sync.sync.file_messages import FileMessage
from edda_sync.sync.giving import missing
from edda_sync.sync.messages import Earlier, Snapshot
from edda_sync.sync.progress import Progress
from edda_sync.sync.wire import Codec
from edda_sync.words import limits

CODEC: Final = Codec()
TWICE: Final = 2
ROUND_BYTES: Final = 4 * 1024
EVIDENCE_BYTES: Final = 16  # the frame around a piece of evidence
NAME_BYTES: Final = 24  # the name of a piece of evidence, in a hello or a question
HEAD_BYTES: Final = 64  # a life's head, in a hello or an acknowledgement


def progress_of(device: SimulatedDevice, other: SimulatedDevice) -> Progress | None:
    """Return the progress of a device's session with another, as far as it knows; None when there is none."""
    if not has_link(device, other) or device.replica is None:
        return None
    return device.replica.progress().get(other.id)


def evidence_of(device: SimulatedDevice) -> int:
    """Return how many bytes the evidence of a device takes, to be sent and to be named."""
    with device.running.store.read() as reader:
        return sum(len(piece) + EVIDENCE_BYTES + NAME_BYTES for piece in reader.evidence.all().values())


def has_link(device: SimulatedDevice, other: SimulatedDevice) -> bool:
    """Tell whether a device has a link to another, as far as it knows."""
    link = device.links.get(other.id)
    return link is not None and link.other(device) is other


class NothingHeldBack(Checker):
    """No change waits for its parts or for another change, unless a liar made it, or no device has all of it any more."""

    number = 19

    def ended(self) -> None:
        """Look for waiting changes."""
        if any(not device.honest for device in self.sim.devices):
            return
        for device in self.sim.honest():
            with device.running.store.read() as reader:
                halves = (decode_header(each.raw).dot for each in reader.incoming.all())
                waiting = [dot for dot in halves if dot not in self.sim.book.destroyed.values()]
            if waiting:
                self.fail(device, f"{shown(waiting[0])} still waits for its parts")


class BoundedBytes(Checker):
    """
    A path carries at most twice what its receiver lacked after healing, and some bytes a round; no change is ever sent back.

    If a cut or slow path held up the receiver's messages, it counts as lacking what its sender did not know that it holds.

    A round is a session: the one of the existing link, and one for each link that is made in the second act. A round may
    have 4 KiB, 64 bytes for each life (because a hello names all of them), and twice all evidence with its names: once
    after the hellos, and once if proofs show that some evidence could not be taken at first. If there are forks, it may
    also have what it takes to find the differing heads. A device does not send a change back to the device that sent it,
    unless that device's disk was put back, or a lawless path dropped what was said about it.
    A sender whose log does not contain what is lacking may also send a segment of everything that it holds, each part once.
    What it says about attached files, and their content, is no part of it.
    On each link, the receiver may have asked once for the log behind a segment, and again after each batch, with what has
    changed.
    """

    number = 20

    def __init__(self, sim: Simulation) -> None:
        super().__init__(sim)
        self._sizes: dict[bytes, tuple[Dot, int]] = {}  # of each change, by its hash
        self._held: dict[str, set[bytes]] = {}  # by device: what was in its log when all was mended
        self._heard: dict[tuple[str, str], Frontier] = {}  # by pair: what one knew of the other by then
        self._sent: Counter[tuple[str, str]] = Counter()
        self._made: Counter[frozenset[str]] = Counter()
        self._came: defaultdict[tuple[str, str], set[Dot]] = defaultdict(set)  # by pair: given, whether taken or not
        self._given: defaultdict[tuple[str, str], set[Dot]] = defaultdict(set)  # by pair: what was given and taken
        self._put_back: set[str] = set()
        self._needed: dict[tuple[tuple[str, str], bytes], bool] = {}
        self._damaged: set[str] = set()  # devices whose view was damaged, and folded again
        self._asked: Counter[tuple[str, str]] = Counter()  # bytes of questions for the log behind, if an answer came
        self._of_files: Counter[tuple[str, str]] = Counter()  # bytes of messages about files
        self._questions: set[tuple[str, int]] = set()  # the links on which it was asked for, and by which device
        self._parts: defaultdict[tuple[str, str], dict[tuple[bytes, int], int]] = defaultdict(dict)

    def grew(self, device: SimulatedDevice, entries: Sequence[Logged]) -> None:  # noqa: ARG002 - of any device
        """Measure new changes."""
        for entry in entries:
            size = len(entry.raw) + decode_header(entry.raw).body_bytes
            self._sizes[entry.hash] = (entry.actor, entry.seq), size

    def received(self, sender: SimulatedDevice, device: SimulatedDevice, frame: bytes) -> None:
        """Note what an honest device gave."""
        if sender.honest and not self.sim.profile.lawless:
            self._came[sender.name, device.name].update(dots_in(frame))

    def sent(self, device: SimulatedDevice, receiver: SimulatedDevice, frame: bytes) -> None:
        """Compare with what the receiver gave itself."""
        given = self._taken_of(receiver, device) if self._stays(receiver) else None
        back = [dot for dot in dots_in(frame) if dot in given and not self.sim.book.is_forked(dot)] if given else []
        if back:
            self.fail(device, f"sent {receiver.name} {shown(back[0])}, which it has from there")
        if receiver.name in self._held:
            self._allow_segment(device, receiver, frame)
            message = message_of(frame)
            if isinstance(message, Earlier):
                self._allow_question(device, receiver, message)
            elif isinstance(message, FileMessage):
                self._of_files[device.name, receiver.name] += len(frame)

    def damaged(self, device: SimulatedDevice, what: str) -> None:  # noqa: ARG002 - any damage
        """Note the damage: once the view is folded again, it is compared with those of other devices again."""
        self._damaged.add(device.name)

    def _taken_of(self, giver: SimulatedDevice, device: SimulatedDevice) -> set[Dot]:
        """Return what a device took from another one; it does not know yet what waits in frames."""
        pair = giver.name, device.name
        if device.replica is not None and not device.replica.is_taking(giver.id):
            self._given[pair] |= self._came.pop(pair, set())
        return self._given[pair]

    def _stays(self, device: SimulatedDevice) -> bool:
        """Tell whether a device keeps what it had: its disk was not put back, and it did not begin with something wrong."""
        return device.name not in self._put_back and device.name not in self.sim.book.fell

    def _allow_question(self, device: SimulatedDevice, receiver: SimulatedDevice, answer: Earlier) -> None:
        """Allow for the question that this batch of the log behind answers: a link's first, or what has changed since."""
        link = receiver.name, device.links[receiver.id].number
        behind = receiver.replica.exchange.behind.wanted() if receiver.replica is not None else None
        if behind is not None and link not in self._questions:
            self._questions.add(link)
            self._asked[receiver.name, device.name] += sum(len(CODEC.encode(page)) for page in behind.pages())
        moved = {decode_header(raw).actor for raw, _ in answer.changes}
        self._asked[receiver.name, device.name] += HEAD_BYTES * (1 + len(moved))

    def _allow_segment(self, device: SimulatedDevice, receiver: SimulatedDevice, frame: bytes) -> None:
        """Allow for a part of a segment whose sender cannot give changes instead."""
        message = message_of(frame)
        if not isinstance(message, Snapshot):
            return
        ends = (device.name, receiver.name)
        if (ends, message.segment) not in self._needed:
            with device.running.store.read() as reader:
                known = {actor: head.seq for actor, head in heads_of(receiver).items()}
                self._needed[ends, message.segment] = missing(reader, known) is None
        if self._needed[ends, message.segment]:
            self._parts[ends][message.segment, message.number] = len(frame)

    def put_back(self, device: SimulatedDevice) -> None:
        """Note that a device may need everything again, including what it sent before and what arrives only now."""
        self._put_back.add(device.name)

    def mending(self) -> None:
        """Note what each device holds, or may be believed to hold; behind a segment it may still ask for changes."""
        self._sent = self.sim.network.bytes_sent.copy()
        self._made = self.sim.network.made.copy()
        self._held = {device.name: set(self.sim.book.held[device.name]) for device in self.sim.honest()}
        for sender, receiver in permutations(self.sim.honest(), 2):
            progress = progress_of(sender, receiver)
            if progress is not None:
                self._heard[sender.name, receiver.name] = dict(progress.theirs)
            elif has_link(sender, receiver):  # its last hello may be unread there, and says what was true then
                self._heard[sender.name, receiver.name] = {}

    def _lacked(self, sender: str, receiver: str) -> int:
        """Return how many bytes of changes a device lacked, or another device had to believe that it lacked."""
        withdrawn = self.sim.book.withdrawn.get(receiver, set())
        held, heard = self._held[receiver] - withdrawn, self._heard.get((sender, receiver))
        lacks = sum(size for digest, (_, size) in self._sizes.items() if digest not in held)
        if heard is None:
            return lacks
        return max(lacks, sum(size for dot, size in self._sizes.values() if heard.get(dot[0], 0) < dot[1]))

    def ended(self) -> None:
        """Measure what was sent."""
        network = self.sim.network
        words = ROUND_BYTES + HEAD_BYTES * max(len(heads_of(device)) for device in self.sim.honest())
        words += TWICE * max(evidence_of(device) for device in self.sim.honest())
        cells = TWICE * limits.CODED_CELLS_FIRST * CELL_BYTES
        if self.sim.book.forked:  # a fork that appears during a session is found by differing proofs
            words += cells
        for (sender, receiver), sent in network.bytes_sent.items():
            ends = frozenset((sender, receiver))
            rounds = 1 + network.made[ends] - self._made[ends]
            cost = sent - self._sent[sender, receiver] - self._of_files[sender, receiver]
            segments = sum(self._parts[sender, receiver].values()) + self._asked[sender, receiver]
            lacked = self._lacked(sender, receiver) if {sender, receiver} <= self._held.keys() else None
            again = cells * len(self._damaged & ends)
            if lacked is not None and cost > TWICE * lacked + words * rounds + segments + again:
                device = next(each for each in self.sim.devices if each.name == sender)
                self.fail(device, f"sent {receiver} {cost:,} bytes, which lacked {lacked:,}, in {rounds} rounds")


class Everywhere(Checker):
    """Every acknowledged change is on every device, unless all disks that held it were put back."""

    number = 21

    def ended(self) -> None:
        """Look for each acknowledged change on each device; behind a segment, as far as that can be known."""
        book = self.sim.book
        acknowledged = {digest: dot for known in book.acknowledged_by.values() for digest, dot in known.items()}
        for device in self.sim.honest():
            held = book.held[device.name]
            with device.running.store.read() as reader:
                for digest, dot in sorted(acknowledged.items(), key=lambda each: each[1]):
                    if (
                        digest not in held
                        and digest not in book.destroyed
                        and not is_in_a_segment(reader, *dot, digest)
                    ):
                        self.fail(device, f"lacks {shown(dot)}, which somebody acknowledged")


class Kept(Checker):
    """What somebody typed into a text that a forged segment had made up is in the true text."""

    number = 21

    def __init__(self, sim: Simulation) -> None:
        super().__init__(sim)
        self._put_back = False

    def put_back(self, device: SimulatedDevice) -> None:  # noqa: ARG002 - whoever's
        """Note that the words may be lost with a disk."""
        self._put_back = True

    def ended(self) -> None:
        """Look for each word."""
        book = self.sim.book
        for word, task_id in book.typed.items() if not self._put_back else ():
            if book.words[word] is Fate.ACKNOWLEDGED:
                for device in self.sim.honest():
                    task = device.running.get_task(task_id)
                    if task is None or word not in str(task.description).split():
                        self.fail(device, f"lost {word!r}, which was typed while a segment was believed")


class WrittenAgain(Checker):
    """If a device was let in again, because the change that had let it in was lost, its earlier writes are everywhere."""

    number = 21

    def __init__(self, sim: Simulation) -> None:
        super().__init__(sim)
        self._put_back: set[str] = set()
        self._writes: set[bytes] = set()  # hashes of changes that write cells

    def put_back(self, device: SimulatedDevice) -> None:
        """Note that what it wrote again may be lost with its disk."""
        self._put_back.add(device.name)

    def acknowledged(self, device: SimulatedDevice, own: Sequence[Logged]) -> None:
        """
        Note changes that write cells. Those that only touch or delete may have no effect any more; they are not written
        again.

        Nor is a change that lets a device in, if another device let it in meanwhile.
        """
        del device
        for each in own:
            if any(isinstance(one, Put) and one.kind != "device" for one in operations_of(each)):
                self._writes.add(each.hash)

    def ended(self) -> None:
        """Look for each of these changes under its new name."""
        for name, early in self.sim.book.began_again.items():
            wanted = {digest[:DEP_HASH_BYTES] for digest in early & self._writes}
            for device in self.sim.honest() if wanted and name not in self._put_back else ():
                with device.running.store.read() as reader:
                    logged = [reader.log.read(position) for position in reader.log.positions_after({})]
                    is_whole = not reader.segments.merged()
                lost = wanted - {decode_header(each.raw).again for each in logged}
                if is_whole and lost:
                    self.fail(device, f"lacks {len(lost)} changes that {name} wrote before it was let in again")


def operations_of(entry: Logged) -> list[Operation | Unread]:
    """Return the operations of a change; none for a large one, whose body is in parts."""
    return [decode(each) for each in cut([entry.body])] if entry.body else []


class Repair(Checker):
    """Every view that rotted on its disk was found and folded again, or was overwritten."""

    number = 22

    def ended(self) -> None:
        """Fold the log again on each device that has not done so: nothing may change."""
        for device in self.sim.honest():
            if device.disk.rotten:
                before = rows_of(device), device.running.digest()
                device.running.rebuild()
                if (rows_of(device), device.running.digest()) != before:
                    self.fail(device, "its view rotted, and nobody noticed")


class Unfolded(Checker):
    """What is not folded, because it waits or is refused, is counted where people look, and equally on all devices."""

    number = 23

    def ended(self) -> None:
        """Compare what a device lists with what it says about it, and with the lists of devices that hold the same."""
        listed: dict[tuple[bytes, ...], tuple[str, Counter[bool]]] = {}
        for device in self.sim.honest():
            with device.running.store.read() as reader:
                counted = Counter(each.refused for each in reader.unapplied.operations())
                branch = tuple(head.hash for _, head in sorted(reader.log.heads().items()))
                from_segment = bool(reader.segments.merged())
            if device.running.waiting() != counted[False] or device.running.refused() != counted[True]:
                said = f"{device.running.waiting()} wait and {device.running.refused()} are refused"
                self.fail(device, f"says that {said}, and lists {counted[False]} and {counted[True]}")
            for other in self.sim.honest():
                self._compare(device, other)
            if not from_segment:
                name, before = listed.setdefault(branch, (device.name, counted))
                if before != counted:
                    self.fail(
                        device, f"lists {dict(counted)} operations (refused or not) where {name} lists {dict(before)}"
                    )

    def _compare(self, device: SimulatedDevice, other: SimulatedDevice) -> None:
        """Compare what a device was told about another one, which holds the same, with what is true there."""
        progress = progress_of(device, other)
        if progress is None:
            return
        as_far = progress.theirs == other.running.frontier() == device.running.frontier()
        if as_far and progress.waiting != other.running.waiting():
            self.fail(other, f"told {device.name} that {progress.waiting} wait, and {other.running.waiting()} do")
