"""The meaning of the tables: a function of the log in any order, and the one that the definitions give."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any, Final

import msgspec

from edda_sync.changes.chains import PROOF, keep_proof
from edda_sync.changes.change import DEP_HASH_BYTES, Change, decode_header
from edda_sync.changes.forkproof import decode as decode_proof
from edda_sync.engine import backend
from edda_sync.engine.engine import StorageEngine
from edda_sync.fold.texts import Texts
from edda_sync.ledger.admission import Admitted
from edda_sync.ledger.ledger import Ledger
from edda_sync.simulations.checker import Checker
from edda_sync.simulations.checkers.convergence import TABLES, rows_of
from edda_sync.simulations.device import SimulatedDevice
from edda_sync.simulations.ending import shown as named
from edda_sync.simulations.oracle import UNTOLD, Oracle, Shown
from edda_sync.simulations.oracle_log import Place
from edda_sync.store.memory.store import MemoryStore
from edda_sync.store.seams import Logged, Row, StoreReader, StoreWriter
from edda_sync.words.errors import LostStatesError
from edda_sync.words.model import DOCUMENT_COLUMNS
from edda_sync.workspace import closing
from edda_sync.workspace.keys import ACTOR_KEY, BIRTH_KEY, WORKSPACE_KEY

ORDERS: Final = 3  # in one run of THOROUGH_ONE_IN; one in the others, because each folds the whole log again
THOROUGH_ONE_IN: Final = 8
META: Final = (ACTOR_KEY, BIRTH_KEY, WORKSPACE_KEY)
PARENT: Final = 9  # columns of a task's row
METADATA: Final = 10
CONTENT = 3  # columns of a document's row
METADATA_OF_DOCUMENT: Final = DOCUMENT_COLUMNS.index("metadata")
ENTITY, TAG = 1, 2  # columns of a row of entity_tags
COLUMNS: Final[Mapping[str, int]] = {
    "title": 1,
    "description": 2,
    "status": 3,
    "priority": 4,
    "due_date": 8,
    "parent_id": PARENT,
}


def log_of(device: SimulatedDevice) -> list[tuple[Logged, bytes]]:
    """Return a device's log, each entry with its whole body; empty if a part of it came as a segment."""
    with device.running.store.read() as reader:
        if reader.segments.merged():
            return []
        entries = [reader.log.read(position) for position in reader.log.positions_after({})]
        return [(entry, entry.body or b"".join(reader.log.parts(entry.position))) for entry in entries]


def whole_log(checker: Checker) -> tuple[SimulatedDevice, list[tuple[Logged, bytes]]] | None:
    """Return a device with its log, if that is complete; None when each device got something as a segment."""
    for device in checker.sim.honest():
        log = log_of(device)
        if log:
            return device, log
    return None


def unfolded_in(reader: StoreReader) -> dict[Place, bool]:
    """Return the operations that a store lists as not folded, by hash and number; for each, whether that is final."""
    found = {}
    for each in reader.unapplied.operations():
        logged = reader.log.read(each.position)
        found[logged.hash, each.number] = each.refused
    return found


class OrderIndependence(Checker):
    """Every causal order of the same changes gives the same content, and leaves out the same operations."""

    number = 2

    def ended(self) -> None:
        """Fold the log in other orders."""
        found = whole_log(self)
        if found is None:
            return
        device, log = found
        draws = self.sim.tape.source("orders")
        expected = rows_of(device)
        with device.running.store.read() as reader:
            digest, unfolded = reader.index.digest(), unfolded_in(reader)
        for _ in range(ORDERS if draws.draw("thorough", THOROUGH_ONE_IN) == 0 else 1):
            store = self._fold(device, self._shuffled(log))
            with store.read() as again:
                if again.index.digest() != digest or _rows(again) != expected:
                    self.fail(device, "the same changes in another causal order gave another content")
                if unfolded_in(again) != unfolded:
                    self.fail(device, "the same changes in another causal order left other operations out")

    def _shuffled(self, log: list[tuple[Logged, bytes]]) -> Iterator[tuple[Logged, bytes]]:
        """Yield a log in another causal order: at each step, any change whose dependencies were already yielded."""
        draws = self.sim.tape.source("order")
        held: set[bytes] = set()
        waiting = {item[0].hash: item for item in log}
        needed = {digest: _needed(item[0]) for digest, item in waiting.items()}
        while waiting:
            ready = [digest for digest in waiting if needed[digest] <= held]
            digest = draws.pick("next", ready)
            held.add(digest[:DEP_HASH_BYTES])
            yield waiting.pop(digest)

    def _fold(self, device: SimulatedDevice, log: Iterator[tuple[Logged, bytes]]) -> MemoryStore:
        store, ledger = MemoryStore(), Ledger(Texts())
        with device.running.store.read() as reader:
            meta = {key: reader.meta.get(key) for key in META}
            evidence = dict(reader.evidence.all())

        def work(tx: StoreWriter) -> None:
            for key, value in meta.items():
                if value is not None:
                    tx.meta.set(key, value)
            for piece in evidence.values():  # the order in which forks become known is varied by the sessions
                if piece[:1] == PROOF:
                    keep_proof(tx, decode_proof(piece[1:]))
                else:
                    closing.keep(tx, closing.decode(piece[1:]))
            fold = ledger.fold(tx)
            for entry, body in log:
                header = decode_header(entry.raw)
                change = Change(header, entry.raw, b"" if header.parts else body)
                if header.parts:
                    tx.incoming.expect(*change.half, entry.raw)
                    for number, piece in enumerate(_pieces(device, entry)):
                        tx.incoming.keep_part(*change.half, number, piece)
                outcome = ledger.admit(tx, fold, change)
                if outcome is not Admitted.APPLIED:
                    self.fail(device, f"a change was {outcome.value} in a causal order of its own log")
            fold.flush()
            fold.refresh()

        store.transact(work)
        return store


def _needed(entry: Logged) -> set[bytes]:
    """Return the hashes by which a change names its direct dependencies."""
    header = decode_header(entry.raw)
    needed = {digest for _, _, digest in header.deps}
    if header.seq > 1:
        needed.add(header.previous[:DEP_HASH_BYTES])
    elif header.birth is not None and header.birth.continues is not None:
        needed.add(header.birth.continues[2])
    return needed


def _pieces(device: SimulatedDevice, entry: Logged) -> list[bytes]:
    with device.running.store.read() as reader:
        return list(reader.log.parts(entry.position))


def _rows(reader: StoreReader) -> dict[str, list[Row]]:
    return {name: reader.tables.all(name) for name in TABLES}


class ViewOfTheLog(Checker):
    """
    Folding the log again changes nothing; references are valid, parents form no ring, and tags have unique names.

    A device that checks everything that it stores finds nothing damaged, unless its disk rotted.
    """

    number = 11

    def damaged(self, device: SimulatedDevice, what: str) -> None:
        """Check whether anything rotted."""
        if not device.disk.rotten:
            self.fail(device, f"{what} is not what the log says, and nothing rotted")

    def ended(self) -> None:
        """Check every device's tables, and fold one device's log again; in a thorough run, every device's."""
        draws = self.sim.tape.source("views")
        devices = self.sim.honest()
        thorough = draws.draw("thorough", THOROUGH_ONE_IN) == 0
        one = draws.pick("device", devices)
        for device in devices:
            self._look(device)
            if device is one or thorough:
                self._rebuild(device)

    def _rebuild(self, device: SimulatedDevice) -> None:
        before, digest = rows_of(device), device.running.digest()
        StorageEngine.rebuild(device.running)
        after = rows_of(device)
        for name in TABLES:
            if after[name] != before[name]:
                self.fail(device, f"{name} changed when the log was folded again")
        if device.running.digest() != digest:
            self.fail(device, "the digest changed when the log was folded again")

    def _look(self, device: SimulatedDevice) -> None:
        rows = rows_of(device)
        tasks = {row[0]: row[PARENT] for row in rows["tasks"]}
        documents = {row[0] for row in rows["documents"]}
        tags = {row[0] for row in rows["tags"]}
        for task, parent in tasks.items():
            above, at = set(), parent
            while at is not None and at not in above:
                above.add(at)
                if at not in tasks:
                    self.fail(device, f"the parent {at} of {task} is not there")
                at = tasks[at]
            if at is not None:
                self.fail(device, f"{task} is below a ring of parents")
        names = [row[1] for row in rows["tags"]]
        if len(set(names)) != len(names):
            self.fail(device, "two tags have one name")
        for link in rows["task_documents"]:
            if link[0] not in tasks or link[1] not in documents:
                self.fail(device, f"the link {link[:2]} dangles")
        for row in rows["entity_tags"]:
            if row[TAG] not in tags or row[ENTITY] not in tasks.keys() | documents:
                self.fail(device, f"the tag {row[:3]} dangles")
        if device.disk.ask("foreign_key_check"):
            self.fail(device, "SQLite found a reference that dangles")
        with suppress(LostStatesError):  # a text that nobody has read since the disk rotted
            _, misfits = backend.compare(device.running.store)
            if misfits:
                self.fail(device, f"{misfits} states or texts are not as the index says")
        if device.disk.ask("integrity_check") not in ([], [("ok",)]):
            self.fail(device, "SQLite found its file damaged")


class Meaning(Checker):
    """
    What is shown is what the definitions give: the last informed write, the greatest stamp of concurrent ones, deletions,
    texts letter by letter, the cells in conflict, and which texts have places in conflict (Convergence compares the places).
    Nonsense has no effect, even if it is well signed, and is listed.
    """

    number = 12

    def ended(self) -> None:
        """Compare with the oracle."""
        found = whole_log(self)
        if found is None:
            return
        device, log = found
        with device.running.store.read() as reader:
            unfolded = unfolded_in(reader)
        oracle = Oracle(log, unfolded, device.running.workspace)
        dots = {entry.hash: (entry.actor, entry.seq) for entry, _ in log}
        for digest, number in sorted(unfolded.keys() ^ oracle.unfolded.keys()):
            does = "leaves out" if (digest, number) in unfolded else "folds"
            self.fail(device, f"{does} operation {number} of {named(dots[digest])}, and should not")
        for (digest, number), refused in unfolded.items():
            if oracle.unfolded[digest, number] != refused:
                does = "refuses" if refused else "keeps"
                self.fail(device, f"{does} operation {number} of {named(dots[digest])}, and should not")
        rows = rows_of(device)
        self._compare(device, "tasks", {row[0]: _task(row) for row in rows["tasks"]}, oracle.tasks())
        self._compare(device, "documents", {row[0]: _document(row) for row in rows["documents"]}, oracle.documents())
        self._compare(device, "tags", {row[0]: row[1] for row in rows["tags"]}, oracle.tags())
        links = {(row[0], row[1]) for row in rows["task_documents"]}
        if links != oracle.edges("link.", "document"):
            self.fail(device, f"links: {links ^ oracle.edges('link.', 'document')}")
        tagged = _tagged(device)
        if tagged != oracle.edges("tag.", "tag"):
            self.fail(device, f"tags of things: {tagged ^ oracle.edges('tag.', 'tag')}")
        listed = {(each.id, each.field) for each in device.running.conflicts() if each.position is None}
        if listed != oracle.conflicts():
            self.fail(device, f"lists {sorted(listed)} as conflicts, and they are {sorted(oracle.conflicts())}")
        placed = {(each.id, each.field) for each in device.running.conflicts() if each.position is not None}
        may, must = oracle.places()
        if not must <= placed <= may:
            self.fail(
                device, f"lists places of {sorted(placed)}, and not of {sorted(must - placed)}; {sorted(may)} have any"
            )

    def _compare(self, device: SimulatedDevice, what: str, shows: Mapping[str, Any], means: Mapping[str, Any]) -> None:
        for name in sorted(shows.keys() | means.keys()):
            shown, meant = shows.get(name), means.get(name)
            if isinstance(meant, dict) and isinstance(shown, dict):
                shown = {column: UNTOLD if meant.get(column) is UNTOLD else value for column, value in shown.items()}
            if shown != meant:
                self.fail(device, f"{what}: {name} shows {shown}, and means {meant}")


def _task(row: Row) -> Shown:
    return {**{name: row[at] for name, at in COLUMNS.items()}, "metadata": _members(row[METADATA])}


def _document(row: Row) -> Shown:
    return {"title": row[1], "content": row[CONTENT], "metadata": _members(row[METADATA_OF_DOCUMENT])}


def _members(encoded: str | None) -> dict[str, str]:
    members = {} if encoded is None else msgspec.json.decode(encoded)
    return {key: msgspec.json.encode(value).decode() for key, value in members.items()}


def _tagged(device: SimulatedDevice) -> set[tuple[str, str]]:
    return {(row[ENTITY], row[TAG]) for row in rows_of(device)["entity_tags"]}
