"""
Random lives of a workspace: two to four devices with clocks that disagree, every kind of operation, syncs that are cut off
anywhere, restarts, newcomers that take a segment; and what must hold all along, and at the end.

Whatever a device showed right after it had acknowledged a write is noted. At the end it is shown, or kept as a conflict, or
in the history, which shows it as it was after a change.
"""

from __future__ import annotations

import random
import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

import hypothesis.strategies as st
from hypothesis import HealthCheck, seed, settings
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from sqlcipher3 import dbapi2 as sqlite

import edda_sync as edda
from edda_sync.crdt.frontier import Frontier
from edda_sync.testing import Talk, pair, sync
from edda_sync.transport import identity
from edda_sync.transport.identity import Identity
from edda_sync.words.clauses import holds
from edda_sync.words.errors import ClashError, InvalidValueError, NotFoundError, UsageError
from edda_sync.words.listed import Undone
from edda_sync.words.model import TASK_COLUMNS
from edda_sync.words.paths import MISSING, value_at

TABLES = ("tasks", "documents", "task_documents", "tags", "entity_tags")
IDENTITIES = [Identity.from_private(bytes([number]) * 32) for number in range(4)]
EPOCH_S = 1_800_000_000.0
AGENT = "claude"
READ = {
    "task": ("title", "description", "status", "priority", "parent_id"), "document": ("title", "content"),
}  # fmt: skip
"""The fields that are noted, by kind."""

UNIQUE = {
    "a": (["metadata.a"], None), "both": (["metadata.a", "metadata.b"], None), "open": (["metadata.b"], "status = 'open'"),
}  # fmt: skip
"""Unique indexes that people make: the columns, and which tasks they are about."""

devices = st.integers(0, 3)
picks = st.integers(0, 11)
words = st.sampled_from(["", "a", "bc", "straße", "ナ", "🙂 ", "x\ny", "the end"])
titles = st.sampled_from(["one", "two", "Zwei"])
tag_names = st.sampled_from(["work", "WORK", "Straße", "strasse", "home", " ho\u200dme "])
edits = st.lists(st.tuples(st.integers(0, 40), st.integers(0, 4), words), min_size=1, max_size=3)


class Device:
    """One member's store, with a clock of its own."""

    def __init__(self, folder: Path, number: int, backend: str, skew_s: float, tick: Callable[[], float]) -> None:
        self.number, self.backend = number, backend
        self.home = folder / f"device{number}"
        self._state = folder / "state"
        self._random = random.Random(number)
        self._now = lambda: tick() + skew_s
        if backend == "sqlite":
            identity.save(self.home, IDENTITIES[number])
        self.engine = self._new()

    def _new(self) -> edda.StorageEngine:
        engine = edda.StorageEngine(self.home, now=self._now, random=self._random.randbytes)
        if self.backend == "memory":
            engine.own._identity = IDENTITIES[self.number]  # a memory store keeps none on disk
        return engine

    @property
    def config(self) -> edda.StorageConfig:
        memory = self.backend == "memory"
        return edda.StorageConfig(
            backend="memory" if memory else "sqlite", state_path=self._state, name=f"device {self.number}"
        )

    def restart(self) -> None:
        self.engine.close()
        self.engine = self._new()
        self.engine.open_store(self.config)

    # --- what there is to pick from: visible here and now, so that every operation must succeed

    def tasks(self) -> list[str]:
        return [row[0] for row in self.engine.table("tasks")]

    def documents(self) -> list[str]:
        return [row[0] for row in self.engine.table("documents")]

    def view(self) -> dict[str, object]:
        shown: dict[str, object] = {name: self.engine.table(name) for name in TABLES}
        shown["conflicts"] = self.engine.conflicts()
        shown["digest"] = self.engine.digest()
        shown["unique"] = [each for each in self.engine.indexes.list() if each.unique], self.engine.indexes.clashes()
        shown["trash"] = [(kind, sorted(i.id for i in self.engine.trash(kind))) for kind in ("task", "document")]
        return shown


def pick(listed: list[str], number: int) -> str:
    return listed[number % len(listed)]


class Workspace(RuleBasedStateMachine):
    """Two to four devices and what people do on them."""

    backend = "sqlite"

    def __init__(self) -> None:
        super().__init__()
        self._folder = tempfile.TemporaryDirectory(prefix="edda-")
        self._moments = 0
        self.members: list[Device] = []
        self._known: Frontier = {}  # of the device, before the present operation
        self.noted: defaultdict[tuple[str, str, str], set[Any]] = defaultdict(set)  # by kind, id and field
        self.reached = 0  # of these, how many had to be looked for in the history

    def _tick(self) -> float:
        self._moments += 1
        return EPOCH_S + self._moments / 1000

    @initialize(count=st.integers(2, 3), skews=st.lists(st.sampled_from([0.0, 0.001, 3600.0]), min_size=4, max_size=4))
    def begin(self, count: int, skews: list[float]) -> None:
        self._skews = skews
        for _ in range(count):
            self._join()
        for member in self.members[1:]:
            sync(self.members[0].engine, member.engine)

    def _join(self) -> None:
        number = len(self.members)
        made = Device(Path(self._folder.name), number, self.backend, self._skews[number], self._tick)
        made.engine.open_store(made.config, anew=True)  # its identity is there already
        if number == 0:
            made.engine.found()
        else:
            pair(self.members[0].engine, made.engine)
        self.members.append(made)

    def _device(self, number: int) -> Device:
        member = self.members[number % len(self.members)]
        self._known = member.engine.frontier()
        return member

    # --- tasks and documents ------------------------------------------------------------------------------------------

    @rule(device=devices, title=titles, body=words, tag=tag_names)
    def create_task(self, device: int, title: str, body: str, tag: str) -> None:
        member = self._device(device)
        made = member.engine.create_task(edda.Task(title=title, description=body or None, tags={tag}))
        self._note(member, "task", made)

    @rule(device=devices, title=titles, body=words)
    def create_document(self, device: int, title: str, body: str) -> None:
        member = self._device(device)
        self._note(member, "document", member.engine.create_document(edda.Document(title=title, content=body or None)))

    @rule(device=devices, which=picks, title=titles, body=words)
    def create_under_the_id_of_another_kind(self, device: int, which: int, title: str, body: str) -> None:
        """Write a task and a document with one id, which are independent."""
        member = self._device(device)
        tasks, documents = member.tasks(), member.documents()
        with suppress_refused("id"):
            if which % 2 and documents:
                member.engine.create_task(edda.Task(id=pick(documents, which), title=title, description=body or None))
            elif tasks:
                member.engine.create_document(edda.Document(id=pick(tasks, which), title=title, content=body or None))

    @rule(device=devices, which=picks, title=titles, status=st.sampled_from(["open", "blocked", "done"]))
    def update_task(self, device: int, which: int, title: str, status: str) -> None:
        member = self._device(device)
        if tasks := member.tasks():
            task = member.engine.get_task(pick(tasks, which))
            assert task is not None
            task.title, task.status = title, status
            with suppress(ClashError):
                member.engine.update_task(task)
            self._note(member, "task", task.id)

    @rule(device=devices, which=picks, key=st.sampled_from("ab"), value=st.none() | st.integers(0, 3))
    def write_metadata(self, device: int, which: int, key: str, value: int | None) -> None:
        member = self._device(device)
        if tasks := member.tasks():
            task = member.engine.get_task(pick(tasks, which))
            assert task is not None
            task.metadata.pop(key, None)
            if value is not None:
                task.metadata[key] = value
            with suppress(ClashError):
                member.engine.update_task(task)

    @rule(device=devices, which=picks, other=picks, above=st.booleans())
    def move_task(self, device: int, which: int, other: int, above: bool) -> None:
        member = self._device(device)
        if tasks := member.tasks():
            parent = pick(tasks, other) if above else None
            with suppress_refused("parent_id"):
                member.engine.update_task(edda.Task(id=pick(tasks, which), parent_id=parent))
            self._note(member, "task", pick(tasks, which))

    @rule(device=devices, which=picks, document=st.booleans())
    def delete(self, device: int, which: int, document: bool) -> None:
        member = self._device(device)
        if document and (documents := member.documents()):
            member.engine.delete_document(pick(documents, which))
        elif not document and (tasks := member.tasks()):
            member.engine.delete_task(pick(tasks, which))

    @rule(device=devices, which=picks)
    def restore(self, device: int, which: int) -> None:
        member = self._device(device)
        if hidden := sorted(item.id for item in member.engine.trash("task")):
            with suppress(ClashError):
                member.engine.restore_task(pick(hidden, which))

    @rule(device=devices, name=st.sampled_from(list(UNIQUE)), drop=st.booleans())
    def make_unique(self, device: int, name: str, drop: bool) -> None:
        indexes = self._device(device).engine.indexes
        if name not in indexes.indexes:
            with suppress(ClashError):
                indexes.create(name, UNIQUE[name][0], unique=True, where_clause=UNIQUE[name][1])
        elif drop:
            indexes.drop(name)

    # --- texts --------------------------------------------------------------------------------------------------------

    @rule(device=devices, which=picks, document=st.booleans(), edits=edits)
    def edit_text(self, device: int, which: int, document: bool, edits: list[tuple[int, int, str]]) -> None:
        member = self._device(device)
        if listed := member.documents() if document else member.tasks():
            item = pick(listed, which)
            text = self._text(member, item, document)
            member.engine.edit_text(item, "content" if document else "description", fitted(edits, len(text)))
            self._note(member, "document" if document else "task", item)

    @rule(device=devices, which=picks, body=words)
    def rewrite_text(self, device: int, which: int, body: str) -> None:
        member = self._device(device)
        if documents := member.documents():
            member.engine.update_document(edda.Document(id=pick(documents, which), content=body or None))
            self._note(member, "document", pick(documents, which))

    @staticmethod
    def _text(member: Device, item: str, document: bool) -> str:
        found = member.engine.get_document(item) if document else member.engine.get_task(item)
        assert found is not None
        return (found.content if isinstance(found, edda.Document) else found.description) or ""

    # --- tags and links -----------------------------------------------------------------------------------------------

    @rule(device=devices, which=picks, name=tag_names, add=st.booleans())
    def tag_task(self, device: int, which: int, name: str, add: bool) -> None:
        member = self._device(device)
        if tasks := member.tasks():
            with member.engine.begin_transaction() as tx:
                (tx.add_tag if add else tx.remove_tag)(pick(tasks, which), name)

    @rule(device=devices, which=picks, name=tag_names, rename=st.booleans())
    def change_tag(self, device: int, which: int, name: str, rename: bool) -> None:
        member = self._device(device)
        if tags := [tag.name for tag in member.engine.tags()]:
            with member.engine.begin_transaction() as tx:
                if rename:
                    tx.rename_tag(pick(tags, which), name)
                else:
                    tx.delete_tag(pick(tags, which))

    @rule(device=devices, which=picks, other=picks, add=st.booleans())
    def link(self, device: int, which: int, other: int, add: bool) -> None:
        member = self._device(device)
        if (tasks := member.tasks()) and (documents := member.documents()):
            with member.engine.begin_transaction() as tx:
                (tx.link if add else tx.unlink)(pick(tasks, which), pick(documents, other))

    # --- transactions -------------------------------------------------------------------------------------------------

    @rule(device=devices, which=picks, title=titles, edits=edits, fails=st.booleans())
    def transaction(self, device: int, which: int, title: str, edits: list[tuple[int, int, str]], fails: bool) -> None:
        """Add and edit a document with a link, and move a task under a new one: all of it or nothing."""
        engine = self._device(device).engine
        tx = engine.begin_transaction(agent=AGENT, reason="a test")
        document = tx.create_document(edda.Document(title=title, content="base"))
        task = tx.create_task(edda.Task(title=title))
        tx.link(task, document)
        tx.edit_text(document, "content", fitted(edits, 4))
        if tasks := self._device(device).tasks():
            tx.update_task(edda.Task(id=pick(tasks, which), parent_id=task, priority=0))
            tx.edit_text(pick(tasks, which), "description", [(0, 0, title)])
        if fails:
            before = engine.digest()
            tx.rollback()
            assert engine.digest() == before
        else:
            tx.commit()
            written = [("document", document), ("task", task), *(("task", pick(tasks, which)) for _ in tasks[:1])]
            for kind, item in written:
                self._note(self._device(device), kind, item)

    # --- taking back --------------------------------------------------------------------------------------------------

    @rule(device=devices, agent=st.sampled_from([None, AGENT]))
    def undo_the_last(self, device: int, agent: str | None) -> None:
        """Take back the last change of a device, by a person or by the agent."""
        member = self._device(device)
        self._take_back(member, partial(member.engine.undo, agent=agent))

    @rule(device=devices, which=picks, changes=st.lists(picks, min_size=1, max_size=3), again=st.booleans())
    def undo(self, device: int, which: int, changes: list[int], again: bool) -> None:
        """Take back some changes of a task or document, whoever made them; perhaps think better of it."""
        member = self._device(device)
        if listed := [
            done.dot
            for item in (member.tasks() + member.documents())[which:][:1]
            for done in member.engine.history(item).changes
        ]:
            done = self._take_back(member, partial(member.engine.undo, *(pick(listed, each) for each in changes)))
            if again and done is not None and done.dot is not None:
                self._take_back(member, partial(member.engine.undo, done.dot))

    @rule(device=devices, which=picks)
    def revert(self, device: int, which: int) -> None:
        """Take back what the agent did since one of its changes."""
        member = self._device(device)
        if moments := [done.at for done in member.engine.history().changes if done.agent == AGENT]:
            self._take_back(member, partial(member.engine.revert, AGENT, pick(moments, which)))

    @rule(device=devices, which=picks, take=st.none() | picks)
    def settle(self, device: int, which: int, take: int | None) -> None:
        """Settle a conflict: restore another value, or dismiss the others."""
        member = self._device(device)
        if conflicts := [each for each in member.engine.conflicts() if each.kind in READ]:
            conflict = conflicts[which % len(conflicts)]
            with suppress_refused("parent_id"), suppress(ClashError):
                member.engine.settle(conflict, None if take is None else take % len(conflict.kept))
            self._note(member, conflict.kind, conflict.id)
            if conflict.position is None and conflict.field in READ[conflict.kind] and conflict.field != "parent_id":
                listed = [(each.id, each.field) for each in member.engine.conflicts() if each.position is None]
                assert (conflict.id, conflict.field) not in listed

    def _take_back(self, member: Device, work: Callable[[], Undone]) -> Undone | None:
        """Take something back, unless there is nothing, or it would break a rule, or the log is not whole yet."""
        is_whole = member.engine.history(limit=1).is_whole
        try:
            with suppress_refused("parent_id"):
                done = work()
                for item in done.items:
                    self._note(member, item.kind, item.id)
                return done
        except (NotFoundError, ClashError):
            pass
        except UsageError:
            assert not is_whole
        return None

    def _note(self, member: Device, kind: str, item_id: str) -> None:
        """Note what a device shows of an item right after it acknowledged a write of it, if there was anything to write."""
        actor, _, number = member.engine.history(item_id, kind=kind, limit=1).changes[0].dot.rpartition("-")
        is_written = int(number) > self._known.get(bytes.fromhex(actor), 0)
        found = self._read(member, kind, item_id) if is_written else None
        for field in () if found is None else READ[kind]:
            if getattr(found, field) is not None:
                self.noted[kind, item_id, field].add(getattr(found, field))

    @staticmethod
    def _read(member: Device, kind: str, item_id: str) -> edda.Task | edda.Document | None:
        if kind not in READ:
            return None
        return member.engine.get_task(item_id) if kind == "task" else member.engine.get_document(item_id)

    def _check_reach(self, member: Device) -> None:
        """Check that whatever was noted is shown, or kept as a conflict, or in the history."""
        kept = {
            (each.kind, each.id, each.field): [value.value for value in each.kept] for each in member.engine.conflicts()
        }
        for (kind, item_id, field), values in self.noted.items():
            lacking = values - {
                getattr(self._read(member, kind, item_id), field, None),
                *kept.get((kind, item_id, field), ()),
            }
            self.reached += len(lacking)
            for done in member.engine.history(item_id, kind=kind).changes if lacking else ():
                lacking.discard(getattr(member.engine.as_of(kind, item_id, done.dot), field, None))
                if not lacking:
                    break
            assert not lacking, f"{field} of {kind} {item_id} was {lacking}, and is out of reach"

    # --- devices ------------------------------------------------------------------------------------------------------

    @rule(first=devices, second=devices)
    def sync_whole(self, first: int, second: int) -> None:
        here, there = self._device(first), self._device(second)
        if know_each_other(here, there):
            sync(here.engine, there.engine)

    @rule(first=devices, second=devices, steps=st.integers(2, 12))
    def sync_in_part(self, first: int, second: int, steps: int) -> None:
        here, there = self._device(first), self._device(second)
        if know_each_other(here, there):
            talk = Talk(here.engine, there.engine)
            for _ in range(steps):
                talk.step()
            assert not talk.errors, talk.errors
            assert not talk.differs

    @rule(device=devices)
    def restart(self, device: int) -> None:
        if self.backend == "sqlite":
            self._device(device).restart()

    @precondition(lambda self: 2 <= len(self.members) < 4)
    @rule(steps=st.integers(2, 8))
    def newcomer(self, steps: int) -> None:
        self._join()
        talk = Talk(self.members[0].engine, self.members[-1].engine)
        for _ in range(steps):
            talk.step()
        assert not talk.errors

    # --- what must hold -----------------------------------------------------------------------------------------------

    @invariant()
    def devices_with_equal_frontiers_are_equal(self) -> None:
        seen: list[tuple[Frontier, Device]] = []
        for member in self.members:
            assert member.engine.waiting() == 0, "honest devices send nothing that only a newer version can read"
            assert member.engine.refused() == 0, "honest devices send nothing that cannot be applied"
            frontier = member.engine.frontier()
            equal = next((other for held, other in seen if held == frontier), None)
            if equal is not None:
                assert member.view() == equal.view()
            seen.append((frontier, member))

    @invariant()
    def what_is_to_be_unique_is_unique_in_every_view(self) -> None:
        for member in self.members:
            for index in member.engine.indexes.list():
                rows = [dict(zip(TASK_COLUMNS, row, strict=True)) for row in member.engine.table("tasks")]
                held = [row for row in rows if all(holds(term, row) for term in index.terms)]
                shown = [tuple(value_at(row, path) for path in index.paths) for row in held]
                whole = [each for each in shown if MISSING not in each]
                assert len(set(whole)) == len(whole)

    def teardown(self) -> None:
        try:
            if self.members:
                self._settle()
        finally:
            for member in self.members:
                member.engine.close()
            self._folder.cleanup()

    def _settle(self) -> None:
        first = self.members[0]
        for other in [*self.members[1:], *self.members[1:-1]]:
            sync(first.engine, other.engine)
        expected = first.view()
        for member in self.members:
            assert member.view() == expected
            if self.backend == "sqlite":
                check_file(member.home / "edda.db")
            member.engine.rebuild()
            assert member.view() == expected, "the tables are not what the log says"
        self._check_reach(first)


def know_each_other(here: Device, there: Device) -> bool:
    """Return whether the two can have a link: a device pins the certificates of the members that it has heard of."""
    one, other = here.engine, there.engine
    return (
        here is not there
        and one.identity.device in other.reading.certificates()
        and other.identity.device in one.reading.certificates()
    )


def fitted(edits: list[tuple[int, int, str]], length: int) -> list[tuple[int, int, str]]:
    """Return edits moved to where the text has room for them."""
    made = []
    for at, deleted, inserted in edits:
        at %= length + 1
        deleted = min(deleted, length - at)
        length += len(inserted) - deleted
        made.append((at, deleted, inserted))
    return made


@contextmanager
def suppress_refused(field: str) -> Iterator[None]:
    """Expect errors only for a task moved under itself, and for a new item under an id that its kind already has."""
    try:
        yield
    except InvalidValueError as error:
        if error.field != field:
            raise


def check_file(path: Path) -> None:
    connection = sqlite.connect(str(path))
    try:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
    finally:
        connection.close()


def play(machine: type[Workspace], examples: int, steps: int, first: int | None = None) -> None:
    """
    Play lives.

    Args:
        machine: What they are made of.
        examples: How many.
        steps: How many operations each has at most.
        first: The seed; None for the same ones each time.
    """
    chosen = settings(
        max_examples=examples, stateful_step_count=steps, derandomize=first is None, database=None, deadline=None,
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    run_state_machine_as_test(machine if first is None else seed(first)(machine), settings=chosen)
