"""Every checker fails when its fault happens, and none fails in a sound run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial, partialmethod
from typing import Any

import pytest

from edda_sync.backup.manifest import Manifest, Ref
from edda_sync.changes.change import Birth, encode_birth, hash_part
from edda_sync.crdt import cells
from edda_sync.crdt.text import overlaps
from edda_sync.crdt.text.document import TextDocument
from edda_sync.engine import history
from edda_sync.engine.answer import Answer
from edda_sync.engine.engine import StorageEngine
from edda_sync.engine.indexes import IndexManager
from edda_sync.engine.transaction import Transaction
from edda_sync.engine.watched import Watch
from edda_sync.engine.writing import Writing
from edda_sync.files.lacking import Looked
from edda_sync.fold.uniques import Uniques
from edda_sync.simulations import liars, lies
from edda_sync.simulations.births import _changes as many_changes
from edda_sync.simulations.book import Fate
from edda_sync.simulations.catalogue import CHECKERS
from edda_sync.simulations.checker import Checker
from edda_sync.simulations.checkers import following, hostility
from edda_sync.simulations.checkers.progress import CODEC
from edda_sync.simulations.device import SimulatedDevice
from edda_sync.simulations.documents import INVARIANTS
from edda_sync.simulations.filed import content
from edda_sync.simulations.liars import DELETE, PUT
from edda_sync.simulations.protocols import Verdict
from edda_sync.simulations.simulator import Simulation
from edda_sync.simulations.strange import append
from edda_sync.simulations.tape import Profile, Tape
from edda_sync.sync import stowing
from edda_sync.sync.exchange import Exchange, Introduction, Proof
from edda_sync.sync.fetching import Fetching
from edda_sync.sync.forks import Forks
from edda_sync.sync.giving import Giving
from edda_sync.sync.learning import News
from edda_sync.sync.making import Making
from edda_sync.sync.merging import Merging
from edda_sync.sync.messages import Behind, Snapshot, Wish
from edda_sync.sync.rates import Trial
from edda_sync.sync.session import Session
from edda_sync.sync.taking import Taken
from edda_sync.sync.telling import Telling
from edda_sync.words import limits, values
from edda_sync.words.listed import History
from edda_sync.words.model import Document, Task
from edda_sync.words.query import TaskQuery
from edda_sync.workspace import closing
from edda_sync.workspace.actor import actor_of
from tests.sync.newcomers import BY_SEGMENT

CALM = Profile(devices=2, backend="memory", groups=frozenset(), real_keys=False, lawless=0)
SPAN_S = 10.0
LATE_S = SPAN_S + 3.5  # all is healed and scrubbed by then, and the end is near
Patch = pytest.MonkeyPatch
Plant = Callable[[Simulation, Patch], None]


def play(checkers: tuple[type[Checker], ...], plant: Plant, patch: Patch, *, work: bool = True) -> Verdict:
    """Two devices work while something is planted."""

    def script(sim: Simulation) -> float:
        laptop, phone = sim.devices
        if work:
            sim.at(3, lambda: laptop.act(lambda engine: sim.book.tasks.append(make(sim, engine))))
            sim.at(4, lambda: phone.act(lambda engine: sim.book.tasks.append(make(sim, engine))))
        plant(sim, patch)
        return SPAN_S

    return Simulation(Tape(1, calm=True), (), checkers, script=script, profile=CALM).run()


def make(sim: Simulation, engine: StorageEngine) -> str:
    return engine.create_task(Task(title=sim.book.word()))


def corrupt(device: SimulatedDevice) -> None:
    """Change a row behind everybody's back, and the digest with it."""

    def work(tx: Any) -> None:
        row = tx.tables.all("tasks")[0]
        tx.journal.set("tasks", row[0], (row[0], "changed", *row[2:]))
        tx.index.add_to_digest(1)

    with device.sim.watch(device):
        device.running.store.transact(work)


def conflict(sim: Simulation) -> None:
    """Both devices rename all tasks of a set at once, time after time."""
    laptop, phone = sim.devices
    made: list[str] = []
    sim.at(3, lambda: laptop.act(lambda engine: made.extend(make(sim, engine) for _ in range(6))))

    def rename(engine: StorageEngine) -> None:
        for task in made:
            engine.update_task(Task(id=task, title=sim.book.word()))

    for device in (laptop, phone):
        sim.at(5, partial(device.act, rename))


def roll_back(sim: Simulation) -> None:
    """Put an older image on the laptop's disk, and tell nobody."""
    laptop = sim.devices[0]
    image = laptop.disk.image()

    def restore() -> None:
        laptop.crash(power=False)
        laptop.disk.put_back(image, sidecar=True, copied=False)
        sim.boot(laptop)

    sim.at(5, restore)


# --- what is planted --------------------------------------------------------------------------------------------------


def other_content(sim: Simulation, patch: Patch) -> None:
    sim.at(6, lambda: corrupt(sim.devices[1]))


def latest_arrival_shows(sim: Simulation, patch: Patch) -> None:
    conflict(sim)
    sim.at(LATE_S, lambda: patch.setattr(cells, "written", lambda siblings, write, past: [write]))


def entries_out_of_order(sim: Simulation, patch: Patch) -> None:
    read_on = sim.book.read_on
    patch.setattr(sim.book, "read_on", lambda device: read_on(device)[::-1])


def half_a_set(sim: Simulation, patch: Patch) -> None:
    laptop = sim.devices[0]
    sim.at(5, lambda: laptop.act(lambda e: sim.book.sets.append([e.create_task(Task(title="one")) for _ in range(2)])))
    sim.at(6, lambda: laptop.act(lambda e: e.update_task(Task(id=sim.book.sets[0][0], title="two"))))


def lost_writes(sim: Simulation, patch: Patch) -> None:
    roll_back(sim)


def words_from_nowhere(sim: Simulation, patch: Patch) -> None:
    sim.at(5, lambda: sim.devices[0].act(lambda engine: engine.create_task(Task(title="nobody's"))))


def another_title_than_written(sim: Simulation, patch: Patch) -> None:
    def work(engine: StorageEngine) -> None:
        make(sim, engine)
        engine.store.transact(lambda tx: corrupt_all(tx))

    def corrupt_all(tx: Any) -> None:
        for row in tx.tables.all("tasks"):
            tx.journal.set("tasks", row[0], (row[0], "changed", *row[2:]))

    sim.at(5, lambda: sim.devices[0].act(work))


def unawaited_writes(sim: Simulation, patch: Patch) -> None:
    def commit(writing: Any, drafts: Any, agent: Any, reason: Any, check: Any) -> Any:
        done = writing._opened.store.submit(lambda tx: writing.commit(tx, drafts, reason, agent))
        writing.announce()
        return done.result()

    patch.setattr(Writing, "commit_drafts", commit)


def one_name_twice(sim: Simulation, patch: Patch) -> None:
    patch.setattr("edda_sync.engine.life.Sidecar.doubt", lambda *_: "")
    roll_back(sim)
    sim.at(5.001, lambda: sim.devices[0].act(lambda engine: make(sim, engine)))


def rows_that_the_log_does_not_say(sim: Simulation, patch: Patch) -> None:
    sim.at(LATE_S, lambda: corrupt(sim.devices[0]))
    sim.at(LATE_S, lambda: corrupt(sim.devices[1]))


def least_stamp_shows(sim: Simulation, patch: Patch) -> None:
    patch.setattr(cells, "visible", lambda siblings: min(siblings, key=lambda write: (write[2], *write[:2])))
    conflict(sim)


def a_stranger_that_writes(sim: Simulation, patch: Patch) -> None:
    patch.setattr("edda_sync.ledger.admission.is_admissible", lambda *_: True)
    liar = sim.add_device(liars.Liar)
    assert isinstance(liar, liars.Liar)
    body = liars.body_of([[PUT, "task", bytes(15) + b"7", {"title": "nobody's"}]])
    sim.at(5, lambda: liar.tell("forge", lies.say(lies.by_a_stranger(liar, body, b"nonce of sixteen"))))


def hoarding(sim: Simulation, patch: Patch) -> None:
    patch.setattr(hostility, "WAITING_BYTES_MAX", -1)
    sim.add_device(liars.Liar)


def a_refusal_that_leaves_a_trace(sim: Simulation, patch: Patch) -> None:
    fail = Session.fail

    def fail_and_write(session: Any, error: Any) -> Any:
        session._exchange.store.transact(lambda tx: tx.index.add_to_digest(1))
        return fail(session, error)

    patch.setattr(Session, "fail", fail_and_write)
    liar = sim.add_device(liars.Liar)

    def lie() -> None:
        for link in list(liar.links.values()):
            sim.network.send(link, liar, b"\0\xff\xff")

    sim.at(8, lie)


def parts_that_never_come(sim: Simulation, patch: Patch) -> None:
    def work(tx: Any) -> None:
        newest = tx.log.read(tx.log.position())
        tx.incoming.expect(newest.hash[:16], newest.seq, newest.raw)

    sim.at(LATE_S, lambda: sim.devices[0].running.store.transact(work))


def chatter(sim: Simulation, patch: Patch) -> None:
    sim.at(LATE_S, lambda: sim.network.bytes_sent.update({("laptop", "phone"): 1_000_000}))


def forgotten_change(sim: Simulation, patch: Patch) -> None:
    sim.at(LATE_S, lambda: sim.book.acknowledged_by["laptop"].update({b"h" * 32: (b"a" * 16, 1)}))


def unnoticed_rot(sim: Simulation, patch: Patch) -> None:
    sim.at(LATE_S, lambda: corrupt(sim.devices[0]))
    sim.at(LATE_S, lambda: setattr(sim.devices[0].disk, "rotten", True))


def false_count(sim: Simulation, patch: Patch) -> None:
    sim.at(SPAN_S, lambda: patch.setattr(StorageEngine, "waiting", lambda _: 7))


def what_was_not_asked_for(sim: Simulation, patch: Patch) -> None:
    take_all_segments(patch)
    tell_halves(sim)


def lives_without_end(sim: Simulation, patch: Patch) -> None:
    patch.setattr(limits, "BIRTHS_MAX", 100)
    patch.setattr(Trial, "__call__", lambda *_: True)
    liar = sim.add_device(liars.Liar)
    assert isinstance(liar, liars.Liar)
    sim.at(8, lambda: liar.tell("many lives", lies.say(many_changes(sim, sim.tape.source("lives"), liar, 300))))


def a_forger_who_is_none(sim: Simulation, patch: Patch) -> None:
    patch.setattr("edda_sync.simulations.checkers.evidence.forged_by", lambda _: sim.devices[0].identity.public_key)


def a_closing_of_what_nobody_has(sim: Simulation, patch: Patch) -> None:
    def end(engine: StorageEngine) -> bool:
        with engine.store.read() as reader:
            head = reader.log.heads()[actor_of(reader)]
        gone = head.seq + 1, bytes(32)
        message = closing.signed_message(engine.workspace, head.actor, *gone)
        ended = closing.Closing(head.birth, *gone, engine.identity.sign(message))
        return bool(engine.store.transact(lambda tx: closing.keep(tx, ended)))

    sim.at(6, lambda: sim.devices[0].act(end))


def evidence_that_was_named(sim: Simulation, patch: Patch) -> None:
    said = Telling.said
    patch.setattr(Telling, "said", lambda self, _, *, more: said(self, (), more=more))
    laptop = sim.devices[0]

    def end(engine: StorageEngine) -> bool:
        with engine.store.read() as reader:
            head = reader.log.heads()[actor_of(reader)]
        message = closing.signed_message(engine.workspace, head.actor, head.seq, head.hash)
        ended = closing.Closing(head.birth, head.seq, head.hash, engine.identity.sign(message))
        return bool(engine.store.transact(lambda tx: closing.keep(tx, ended)))

    sim.at(5, lambda: laptop.act(end))
    for at in (6, 8):  # the first talk brings it to the phone, and in the second one both name it
        sim.at(at, partial(laptop.crash, power=False))
        sim.at(at + 0.5, partial(sim.boot, laptop))


def a_word_that_is_gone(sim: Simulation, patch: Patch) -> None:
    sim.book.words["gone"] = Fate.ACKNOWLEDGED
    sim.at(5, lambda: sim.book.typed.update(gone=sim.book.tasks[0]))


def an_early_change_that_is_gone(sim: Simulation, patch: Patch) -> None:
    del patch

    def forget() -> None:
        acknowledged = sim.book.acknowledged_by[sim.devices[0].name]
        sim.book.began_again[sim.devices[0].name] = set(acknowledged)

    sim.at(SPAN_S, forget)


def a_state_that_no_newcomer_takes(sim: Simulation, patch: Patch) -> None:
    sim.at(LATE_S, lambda: patch.setattr(limits, "TITLE_CODE_POINTS_MAX", 1))


def watching(sim: Simulation, patch: Patch) -> None:
    """Let somebody watch queries at the laptop, and look after every event."""
    for name, value in (("WATCHED_ONE_IN", 1), ("LOOK_PERCENT", 100), ("BUSY_PERCENT", 0), ("ABOUT_PERCENT", 0)):
        patch.setattr(following, name, value)
    patch.setattr(following, "QUERIES", (TaskQuery(),))
    sim.at(1, partial(sim.devices[0].crash, power=False))
    sim.at(2, partial(sim.boot, sim.devices[0]))


def rows_that_enter_in_silence(sim: Simulation, patch: Patch) -> None:
    patch.setattr(Watch, "put", lambda *_: None)
    watching(sim, patch)


def filing(sim: Simulation) -> None:
    """Let the laptop attach a file that the phone is to have."""
    sim.filed.is_on = True
    for device in sim.devices:
        sim.at(1, partial(device.crash, power=False))
        sim.at(2, partial(sim.boot, device))

    def attach(engine: StorageEngine) -> None:
        document = engine.create_document(Document(title=sim.book.word()))
        sim.filed.attach(engine, document, content(1, 500))

    sim.at(5, lambda: sim.devices[0].act(attach))


def a_file_that_is_not_here(sim: Simulation, patch: Patch) -> None:
    patch.setattr(stowing, "_look", lambda *_: Looked([], None, 0))
    filing(sim)


def a_file_that_nobody_asks_for(sim: Simulation, patch: Patch) -> None:
    patch.setattr(Fetching, "ask", lambda *_: [])
    filing(sim)


def bytes_of_another_file(sim: Simulation, patch: Patch) -> None:
    filing(sim)
    sim.at(SPAN_S, lambda: sim.filed.contents.update(dict.fromkeys(sim.filed.contents, b"another")))


def a_verdict_that_is_not_true(sim: Simulation, _: Patch) -> None:
    """Something of a backup vanishes, and a device says that the backup holds."""
    run = Ref(bytes(32), 1)
    manifest = Manifest(
        bytes(16), "laptop", 1, 0, (), b"", 0, 0, 0, runs=(run,), packs=(), files=0, files_lacking=0, added_bytes=0,
        devices=(),
    )  # fmt: skip
    sim.backups.place.harmed.add(f"edda/objects/{run.object.hex()}")
    sim.at(5, lambda: sim.tell("verified", sim.devices[0], manifest, None))


def clashing(sim: Simulation) -> None:
    """Let two devices use a value at once that is to be unique."""
    laptop, phone = sim.devices

    def index(engine: StorageEngine) -> None:
        engine.indexes.create("sizes", ["metadata.size"], unique=True)

    def claim(engine: StorageEngine) -> None:
        engine.create_task(Task(title=sim.book.word(), metadata={"size": 1}))

    sim.at(2, lambda: laptop.act(index))
    for device in (laptop, phone):
        sim.at(6, partial(device.act, claim))


def a_value_that_is_shown_twice(sim: Simulation, patch: Patch) -> None:
    patch.setattr(Uniques, "_cells", lambda *_: frozenset())
    clashing(sim)


def a_clash_that_nobody_is_told_of(sim: Simulation, patch: Patch) -> None:
    patch.setattr(IndexManager, "clashes", lambda _: [])
    clashing(sim)


def a_file_before_its_parts(sim: Simulation, patch: Patch) -> None:
    filing(sim)

    def lose() -> None:
        chunks = sim.devices[0].chunks
        chunks.set_aside(max(chunks.packed))

    sim.at(SPAN_S, lose)


def a_part_of_nothing(sim: Simulation, patch: Patch) -> None:
    filing(sim)
    sim.filed.is_busy = True
    sim.at(SPAN_S, lambda: sim.devices[0].chunks.put(bytes(32), b"anything"))
    sim.at(SPAN_S, lambda: sim.devices[0].act(lambda _: None))


def more_than_is_allowed(sim: Simulation, patch: Patch) -> None:
    filing(sim)
    sim.filed.is_busy = True
    patch.setattr(limits, "FILE_WINDOW_BYTES_MAX", 10)


def somebody_who_is_blamed_for_nothing(sim: Simulation, patch: Patch) -> None:
    sim.at(SPAN_S, lambda: sim.blamed(sim.devices[0], sim.devices[1].id))


def a_title_that_is_in_no_history(sim: Simulation, patch: Patch) -> None:
    """A task is renamed twice, and its history is always empty."""
    laptop = sim.devices[0]
    made: list[str] = []
    sim.at(3, lambda: laptop.act(lambda engine: made.append(make(sim, engine))))
    for second in (5, 6):
        sim.at(second, lambda: laptop.act(lambda engine: engine.update_task(Task(id=made[0], title=sim.book.word()))))
    patch.setattr(history, "history", lambda *_: History(changes=(), is_whole=True))


PLANTS: dict[str, Plant] = {
    "Convergence": other_content,
    "OrderIndependence": latest_arrival_shows,
    "CausalDelivery": entries_out_of_order,
    "Atomicity": half_a_set,
    "Durability": lost_writes,
    "NoPhantom": words_from_nowhere,
    "ReadYourWrites": another_title_than_written,
    "MonotonicReads": lost_writes,
    "PersistBeforePublish": unawaited_writes,
    "UniqueDots": one_name_twice,
    "ViewOfTheLog": rows_that_the_log_does_not_say,
    "Meaning": least_stamp_shows,
    "Authority": a_stranger_that_writes,
    "BoundedHostility": hoarding,
    "RejectedMeansUnchanged": a_refusal_that_leaves_a_trace,
    "NothingHeldBack": parts_that_never_come,
    "BoundedBytes": chatter,
    "Everywhere": forgotten_change,
    "Repair": unnoticed_rot,
    "Unfolded": false_count,
    "AskedFor": what_was_not_asked_for,
    "Innocent": a_forger_who_is_none,
    "ClosedIsHeld": a_closing_of_what_nobody_has,
    "OnlyNews": evidence_that_was_named,
    "Kept": a_word_that_is_gone,
    "WrittenAgain": an_early_change_that_is_gone,
    "BoundedBirths": lives_without_end,
    "Served": a_state_that_no_newcomer_takes,
    "Followed": rows_that_enter_in_silence,
    "Fetched": a_file_that_is_not_here,
    "BackedUp": a_verdict_that_is_not_true,
    "Unshared": a_value_that_is_shown_twice,
    "HereIsHere": a_file_before_its_parts,
    "BoundedFiles": a_part_of_nothing,
    "Reachable": a_title_that_is_in_no_history,
    "RightlyBlamed": somebody_who_is_blamed_for_nothing,
}


# --- what some checkers watch for besides -----------------------------------------------------------------------------


def an_edit_without_effect(sim: Simulation, patch: Patch) -> None:
    laptop, phone = sim.devices
    made: list[str] = []
    sim.at(
        5, lambda: laptop.act(lambda engine: made.append(engine.create_document(Document(title="t", content="one "))))
    )
    patch.setattr(TextDocument, "apply", lambda *_, **__: None)
    sim.at(7, lambda: phone.act(lambda engine: engine.edit_text(made[0], "content", [(4, 0, "two ")])))


def a_deletion_of_what_is_yet_to_come(sim: Simulation, patch: Patch) -> None:
    patch.setattr("edda_sync.changes.chains.Chains.pairs", lambda _, pairs, past: dict(pairs))
    liar = sim.add_device(liars.Liar)

    def lie(engine: StorageEngine) -> None:
        far = [[actor, seq + liars.FAR] for actor, seq in sorted(engine.frontier().items())]
        task = values.id_bytes("id", sim.book.tasks[0])
        append(engine, liars.body_of([[DELETE, "task", task, far]]))

    sim.at(7, lambda: liar.act(lie))
    sim.at(7, lambda: sim.devices[0].act(lambda e: e.update_task(Task(id=sim.book.tasks[0], title=sim.book.word()))))


def a_segment_by_a_stranger(sim: Simulation, patch: Patch) -> None:
    def work(tx: Any) -> None:
        birth = encode_birth(Birth(bytes(32), b"nonce of sixteen"))
        tx.log.set_head(next(iter(tx.log.heads().values()))._replace(actor=b"a" * 16, birth=birth))

    sim.at(LATE_S, lambda: sim.devices[0].running.store.transact(work))


def damage_without_rot(sim: Simulation, patch: Patch) -> None:
    sim.at(SPAN_S, lambda: corrupt(sim.devices[0]))


def other_parts_than_named(sim: Simulation, patch: Patch) -> None:
    patch.setattr(limits, "PART_BYTES_MAX", 600)
    patch.setattr("edda_sync.simulations.checkers.history.hash_part", lambda part: hash_part(part[::-1]))
    sim.at(5, lambda: sim.devices[0].act(lambda e: e.transact(lambda tx: [make_one(sim, tx) for _ in range(20)])))


def make_one(sim: Simulation, tx: Transaction) -> str:
    return tx.create_task(Task(title=sim.book.word()))


def a_wish_for_what_comes_after_what_is_missing(sim: Simulation, patch: Patch) -> None:
    patch.setattr(Exchange, "introduction", partialmethod(wishful, Exchange.introduction))


def wishful(exchange: Exchange, true: Callable[[Exchange], Introduction]) -> Introduction:
    return true(exchange)._replace(wanted=(Wish(b"a" * 16, 1, 3),))


def a_count_that_others_are_not_told(sim: Simulation, patch: Patch) -> None:
    newer = liars.body_of([[99, "task", bytes(16), {"any": "thing"}]])
    sim.at(5, lambda: sim.devices[0].act(lambda engine: append(engine, newer)))
    true = Exchange.standing

    def standing(exchange: Exchange) -> Any:
        return true(exchange)._replace(waiting=0)

    patch.setattr(Exchange, "standing", standing)
    patch.setattr(Exchange, "proof", partialmethod(silent_proof, Exchange.proof))


def silent_proof(exchange: Exchange, true: Callable[[Exchange], Proof]) -> Proof:
    return replace(true(exchange), waiting=0)


def conflicts_that_nobody_is_told_of(sim: Simulation, patch: Patch) -> None:
    conflict(sim)
    sim.at(LATE_S, lambda: patch.setattr(StorageEngine, "conflicts", lambda _: []))


def places_that_nobody_is_told_of(sim: Simulation, patch: Patch) -> None:
    made: list[str] = []
    sim.at(3, lambda: made.append(sim.devices[0].running.create_document(Document(title="D", content="10 mg"))))
    for device, dose in zip(sim.devices, ("15", "20"), strict=True):
        sim.at(5, partial(_dose, device, made, dose))
    sim.at(LATE_S, lambda: patch.setattr(overlaps, "overlaps", lambda *_: []))


def _dose(device: SimulatedDevice, made: list[str], dose: str) -> None:
    device.running.edit_text(made[0], "content", [(0, 2, dose)])


def conflicts_of_one_device(sim: Simulation, patch: Patch) -> None:
    sim.at(LATE_S, lambda: patch.setattr(StorageEngine, "conflicts", lambda engine: [id(engine)]))


def a_refused_word_under_another(sim: Simulation, patch: Patch) -> None:
    laptop = sim.devices[0]
    sim.book.words["refused"] = Fate.REFUSED
    sim.at(5, lambda: laptop.act(lambda engine: sim.book.tasks.append(engine.create_task(Task(title="refused")))))
    sim.at(6, lambda: laptop.act(lambda e: e.update_task(Task(id=sim.book.tasks[-1], title=sim.book.word()))))


def a_segment_from_nowhere(sim: Simulation, patch: Patch) -> None:
    frame = CODEC.encode(Snapshot(bytes(32), 1, 0, b"of nothing"))

    def send() -> None:
        for link in sim.devices[0].links.values():
            sim.devices[0].send(link, frame)

    sim.at(5, send)


def halves_of_segments(sim: Simulation, patch: Patch) -> None:
    patch.setattr(hostility, "WAITING_BYTES_MAX", 3 * limits.PART_BYTES_MAX)
    take_all_segments(patch)
    tell_halves(sim)


def take_all_segments(patch: Patch) -> None:
    """Let devices keep any part of a segment that arrives."""

    def take(merging: Any, part: Snapshot) -> Taken:
        merging._store.transact(lambda tx: tx.blobs.keep_part(part.segment, part.number, part.data))
        return Taken(0)

    def receive(session: Any, true: Callable[..., Any], frame: bytes, now: float) -> Any:
        message = CODEC.decode(frame)
        if isinstance(message, Snapshot):
            session._backfill._wants = message.segment
        return true(session, frame, now)

    patch.setattr(Merging, "take", take)
    patch.setattr(Session, "frame_received", partialmethod(receive, Session.frame_received))


def tell_halves(sim: Simulation) -> None:
    """Let a liar send parts of segments that do not exist."""
    liar = sim.add_device(liars.Liar)
    frames = [CODEC.encode(Snapshot(bytes([number]) * 32, 2, 0, b"half")) for number in range(4)]

    def send() -> None:
        for link in liar.links.values():
            for frame in frames:
                sim.network.send(link, liar, frame)

    sim.at(5, send)


def heads_of_a_segment_that_were_named(sim: Simulation, patch: Patch) -> None:
    del sim  # what the phone begins with is a segment, and the log behind it takes several questions
    patch.setattr(limits, "SEGMENT_SAVES_US_MIN", BY_SEGMENT)
    patch.setattr(limits, "BATCH_BYTES_MAX", 500)
    patch.setattr(Behind, "since", lambda asked, _: asked)


def a_segment_that_leaves_texts_as_they_began(sim: Simulation, patch: Patch) -> None:
    def edit(engine: StorageEngine) -> None:
        for at in range(2):  # the first words of a text are its start
            engine.edit_text(sim.book.tasks[0], "description", [(at, 0, "x")])

    def begun(_making: Making, _tx: Any, key: tuple[bytes, str, bytes]) -> bytes:
        return TextDocument.start(key[2], "", [(b"a" * 16, 1)]).state()

    sim.at(5, lambda: sim.devices[0].act(edit))
    sim.at(LATE_S, lambda: patch.setattr(Making, "_text_state", begun))


def a_log_without_its_end(sim: Simulation, patch: Patch) -> None:
    def spoil() -> None:
        patch.setattr(Making, "_can_make", lambda _: False)
        patch.setattr(Giving, "batch", lambda *_: None)

    sim.at(LATE_S, spoil)


def rows_that_are_told_twice(sim: Simulation, patch: Patch) -> None:
    put = Watch.put

    def forgetful(watch: Watch, item_id: str, item: Any) -> None:
        put(watch, item_id, item)
        watch._before[item_id] = None

    patch.setattr(Watch, "put", forgetful)
    watching(sim, patch)
    conflict(sim)


def queries_that_are_run_for_anything(sim: Simulation, patch: Patch) -> None:
    patch.setattr(Answer, "meet", lambda *_: True)
    watching(sim, patch)


MORE: tuple[tuple[str, Plant], ...] = (
    ("Meaning", an_edit_without_effect),
    ("Meaning", a_deletion_of_what_is_yet_to_come),
    ("Meaning", conflicts_that_nobody_is_told_of),
    ("Meaning", places_that_nobody_is_told_of),
    ("Authority", a_segment_by_a_stranger),
    ("ViewOfTheLog", damage_without_rot),
    ("UniqueDots", other_parts_than_named),
    ("PersistBeforePublish", a_wish_for_what_comes_after_what_is_missing),
    ("Unfolded", a_count_that_others_are_not_told),
    ("Convergence", conflicts_of_one_device),
    ("NoPhantom", a_refused_word_under_another),
    ("PersistBeforePublish", a_segment_from_nowhere),
    ("BoundedHostility", halves_of_segments),
    ("OnlyNews", heads_of_a_segment_that_were_named),
    ("Served", a_segment_that_leaves_texts_as_they_began),
    ("Served", a_log_without_its_end),
    ("Followed", rows_that_are_told_twice),
    ("Followed", queries_that_are_run_for_anything),
    ("Fetched", a_file_that_nobody_asks_for),
    ("Fetched", bytes_of_another_file),
    ("Unshared", a_clash_that_nobody_is_told_of),
    ("BoundedFiles", more_than_is_allowed),
)


@pytest.mark.parametrize(("name", "plant"), MORE, ids=lambda each: getattr(each, "__name__", each))
def test_a_checker_also_fails_at_the_second_fault_that_it_watches_for(
    name: str, plant: Plant, monkeypatch: Patch
) -> None:
    checker = next(each for each in CHECKERS if each.__name__ == name)
    violation = play((checker,), plant, monkeypatch).violation
    assert violation is not None
    assert violation.number == checker.number, str(violation)


def test_a_fork_that_nobody_proves_is_seen_by_the_simulator_itself(monkeypatch: Patch) -> None:
    def plant(sim: Simulation, patch: Patch) -> None:
        one_name_twice(sim, patch)
        patch.setattr(Forks, "take_piece", lambda *_: News())

    violation = play((), plant, monkeypatch).violation
    assert violation is not None
    assert violation.number == 18, str(violation)


@pytest.mark.parametrize("checker", CHECKERS, ids=lambda checker: checker.__name__)
def test_each_checker_fails_when_its_fault_happens(checker: type[Checker], monkeypatch: Patch) -> None:
    violation = play((checker,), PLANTS[checker.__name__], monkeypatch).violation
    assert violation is not None
    assert violation.number == checker.number, str(violation)


def test_no_checker_fails_in_a_sound_run(monkeypatch: Patch) -> None:
    verdict = play(tuple(CHECKERS), lambda sim, _: conflict(sim), monkeypatch)
    assert verdict.violation is None, f"{verdict.violation}\n{verdict.trace}"


def test_every_checker_has_a_number_and_a_sentence() -> None:
    for checker in CHECKERS:
        assert checker.number in INVARIANTS
        assert (checker.__doc__ or "").strip().endswith(".")
