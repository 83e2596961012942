"""The fold of what peers send: each operation is folded as everybody folds it, or counted and kept, and never worse."""

from __future__ import annotations

from itertools import permutations
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edda_sync import values
from edda_sync.crdt.change import DELETE, EDIT, PUT, TOUCH, Operation
from edda_sync.crdt.entity import key_of
from edda_sync.crdt.fold import Fold
from edda_sync.crdt.frontier import Frontier
from edda_sync.crdt.text import TextDocument, genesis_id
from edda_sync.crdt.texts import Texts
from edda_sync.errors import CorruptError
from edda_sync.model import KINDS
from edda_sync.protocols import StoreReader, StoreWriter
from edda_sync.store.memory import MemoryStore
from tests.crdt.histories import Event, causal_order, histories

TASK, DOCUMENT, OTHER = bytes([1]) * 16, bytes([2]) * 16, bytes([3]) * 16
TAG = values.tag_id("work")
A, B = 1, 2


class Folded:
    """A store into which operations are folded as if a peer had sent them."""

    def __init__(self) -> None:
        self.texts = Texts()
        self.store = MemoryStore(lambda ok: self.texts.committed() if ok else self.texts.rolled_back())
        self.changes = 0

    def receive(
        self, *operations: Operation | None, actor: int = A, seq: int = 0, past: Frontier | None = None
    ) -> None:
        """Fold a change. Without a past it has seen all that its author wrote before."""
        self.changes += 1
        seq = seq or self.changes

        def work(tx: StoreWriter) -> None:
            fold = Fold(tx, self.texts)
            fold.begin(actor, seq, 1_000 + seq, {} if past is None else past, self.changes)
            fold.receive(operations)
            fold.flush()

        self.store.transact(work)

    def refresh(self) -> None:
        self.store.transact(lambda tx: Fold(tx, self.texts).refresh())

    def look(self, look: Any) -> Any:
        def read(reader: StoreReader) -> Any:
            return look(reader)

        with self.store.read() as reader:
            return read(reader)

    @property
    def unknown(self) -> int:
        return int(self.look(lambda reader: reader.unknown_operations()))

    def table(self, name: str) -> list[Any]:
        return list(self.look(lambda reader: reader.table(name)))


@pytest.fixture
def folded() -> Folded:
    return Folded()


# --- what cannot be folded is counted, and the rest goes on -----------------------------------------------------------

TITLE: Operation = [PUT, "task", TASK, {"title": "t"}]
UNKNOWN: list[Operation | None] = [
    None, [], [PUT], [9, "task", TASK], [PUT, "task"], [PUT, "unheard", TASK, {"title": "x"}], [PUT, [], TASK, {}],
    [PUT, "task", TASK[:15], {"title": "x"}], [PUT, "task", "text", {"title": "x"}], [PUT, "task", TASK, []],
    [PUT, "task", TASK, {5: "x"}], [PUT, "task", TASK, {"title": "x"}, 5],
    [PUT, "task", TASK, {"title": ""}], [PUT, "task", TASK, {"unheard": 1}], [PUT, "task", TASK, {"priority": True}],
    [PUT, "task", TASK, {"tag." + TAG.upper(): True}], [PUT, "task", TASK, {"link." + TAG: True}],
    [PUT, "tag", OTHER, {"name": "not of this id"}], [DELETE, "task", TASK], [DELETE, "task", TASK, 5],
    [DELETE, "task", TASK, [[A]]], [DELETE, "task", TASK, [["x", 1]]], [DELETE, "task", TASK, [[A, 99]]],
    [DELETE, "task", TASK, [[B, 1]]], [TOUCH, "task", TASK, 5], [EDIT, "task", TASK, "title", 5, b""],
    [EDIT, "task", TASK, "description", "5", b""], [EDIT, "task", TASK, "description", -1, b""],
    [EDIT, "task", TASK, "description", 1 << 53, b""], [EDIT, "task", TASK, "description", (1 << 64) - 1, b""],
    [EDIT, "task", TASK, "description", 5, "text"], [EDIT, "tag", TASK, "description", 5, b""],
]  # fmt: skip


@pytest.mark.parametrize("operation", UNKNOWN, ids=str)
def test_an_operation_that_cannot_be_folded_is_counted_and_the_others_are_folded(
    folded: Folded, operation: Operation | None
) -> None:
    folded.receive(TITLE)
    folded.receive(operation, [PUT, "task", TASK, {"priority": 0}], past={A: 1})
    ((_, title, _, _, priority, *_),) = folded.table("tasks")
    assert (title, priority) == ("t", 0)
    assert folded.unknown == 1


def test_of_a_put_with_several_cells_each_unknown_one_is_counted_and_the_others_are_written(folded: Folded) -> None:
    folded.receive([PUT, "task", TASK, {"title": "t", "unheard": 1, "priority": 9, "status": "done"}])
    ((_, title, _, status, priority, *_),) = folded.table("tasks")
    assert (title, status, priority) == ("t", "done", 2)
    assert folded.unknown == 2


anything = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats() | st.text(max_size=5) | st.binary(max_size=5)
    | st.sampled_from([TASK, DOCUMENT, "task", "document", "tag", "device", "title", "description", PUT, EDIT]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5) | st.just("title"), inner, max_size=3),
    max_leaves=8,
)  # fmt: skip
shaped = st.tuples(
    st.sampled_from([PUT, EDIT, DELETE, TOUCH]), st.sampled_from(["task", "document", "tag", "device"]),
    st.sampled_from([TASK, DOCUMENT, values.id_bytes("id", TAG)]), anything, anything, anything,
).flatmap(lambda six: st.integers(3, 6).map(lambda size: list(six[:size])))  # fmt: skip


@given(st.lists(st.none() | st.lists(anything, max_size=6) | shaped, max_size=8))
def test_whatever_a_member_sends_is_folded_or_counted_and_stops_nothing_that_follows(
    operations: list[Operation | None],
) -> None:
    folded = Folded()
    folded.receive(*operations)
    folded.receive([PUT, "task", OTHER, {"title": "afterwards"}])
    folded.refresh()
    assert "afterwards" in [row[1] for row in folded.table("tasks")]


def test_what_was_only_spoken_of_does_not_exist(folded: Folded) -> None:
    def work(tx: StoreWriter) -> None:
        fold = Fold(tx, folded.texts)
        fold.begin(A, 1, 0, {}, 1)
        fold.receive([[DELETE, "device", OTHER, [[B, 5]]]])
        assert (
            fold.existing("device", OTHER) is None
        )  # else whether it counts as a member hung on what came in one batch
        fold.flush()

    folded.store.transact(work)


ONE_ID: list[Operation] = [
    [PUT, "task", TASK, {"title": "a task", "link." + values.id_text(TASK): "itself"}],
    [PUT, "document", TASK, {"title": "a document", "content": "words"}],
    [PUT, "device", TASK, {"name": "a device"}],
    [TOUCH, "tag", TASK],
]


@pytest.mark.parametrize("order", list(permutations(range(4))), ids=str)
def test_one_id_written_as_several_kinds_names_several_entities_whichever_came_first(
    folded: Folded, order: tuple[int, ...]
) -> None:
    """Else the kind that came first had the id, two honest devices showed two things, and neither was ever proved equal."""
    for at in order:
        folded.receive(ONE_ID[at], actor=at + 1, seq=1)
    text_id = values.id_text(TASK)
    assert [row[1] for row in folded.table("tasks")] == ["a task"]
    assert [(row[1], row[3]) for row in folded.table("documents")] == [("a document", "words")]
    assert [row[:3] for row in folded.table("task_documents")] == [(text_id, text_id, "itself")]
    assert [record.key for record in folded.look(lambda reader: list(reader.all_records()))] == [
        key_of(kind, TASK) for kind in KINDS
    ]
    assert folded.unknown == 0
    folded.receive([DELETE, "document", TASK, [[2, 1]]], actor=2, seq=2, past={2: 1})
    assert [row[1] for row in folded.table("tasks")] == ["a task"]
    assert folded.table("documents") == folded.table("task_documents") == []


def test_nobody_keeps_a_tag_or_a_device_from_being_made_by_taking_its_id_for_a_task(folded: Folded) -> None:
    """Both ids follow from what is known beforehand: a name, a public key."""
    tag = values.id_bytes("id", TAG)
    folded.receive([PUT, "task", tag, {"title": "taken"}], [PUT, "document", OTHER, {"title": "taken"}])
    folded.receive([PUT, "tag", tag, {"name": "work"}], [PUT, "device", OTHER, {"name": "laptop"}])
    assert [row[1] for row in folded.table("tags")] == ["work"]
    assert len(folded.look(lambda reader: list(reader.all_records("device")))) == 1
    assert folded.unknown == 0


def test_texts_of_one_id_are_edited_apart(folded: Folded) -> None:
    folded.receive([PUT, "task", TASK, {"title": "t", "description": "hello"}])
    folded.receive([PUT, "document", TASK, {"title": "d", "content": "hello"}])
    folded.receive(edit_of("hello", A, [(5, 0, "!")]), past={A: 2})
    assert folded.look(lambda reader: reader.stale_texts()) == [key_of("task", TASK)]
    folded.refresh()
    assert (folded.table("tasks")[0][2], folded.table("documents")[0][3]) == ("hello!", "hello")


def test_a_state_under_the_key_of_another_kind_is_refused(folded: Folded) -> None:
    folded.receive(TITLE)
    (task,) = folded.look(lambda reader: list(reader.all_records()))
    rotten = task._replace(key=key_of("document", TASK))
    folded.store.transact(lambda tx: tx.save([rotten], {rotten.key: False}))
    with pytest.raises(CorruptError, match="document"):
        folded.receive([PUT, "document", TASK, {"title": "d"}])


def test_a_tag_without_a_name_does_not_show_and_takes_no_name_from_another(folded: Folded) -> None:
    name = values.id_text(OTHER)
    folded.receive([TOUCH, "tag", OTHER], [PUT, "tag", values.id_bytes("id", values.tag_id(name)), {"name": name}])
    folded.receive([PUT, "task", TASK, {"title": "t", f"tag.{name}": True}])
    assert [row[1] for row in folded.table("tags")] == [name]
    assert folded.table("entity_tags") == []


# --- texts ------------------------------------------------------------------------------------------------------------


def edit_of(start: str, actor: int, edits: list[tuple[int, int, str]], entity: bytes = TASK) -> Operation:
    genesis = genesis_id(entity, "description", start)
    update = TextDocument.start(genesis, start).edit(actor, edits)
    return [EDIT, "task", entity, "description", genesis, update]


def test_an_edited_text_that_is_replaced_waits_for_nothing_any_more(folded: Folded) -> None:
    folded.receive([PUT, "task", TASK, {"title": "t", "description": "hello"}])
    folded.receive(edit_of("hello", A, [(5, 0, "!")]), past={A: 1})
    assert folded.look(lambda reader: reader.stale_texts()) == [key_of("task", TASK)]
    folded.receive([PUT, "task", TASK, {"description": None}], past={A: 2})
    assert folded.look(lambda reader: reader.stale_texts()) == []
    assert folded.table("tasks")[0][2] is None


def test_an_edit_of_a_text_that_was_replaced_meanwhile_is_kept_as_a_conflict_with_its_words(folded: Folded) -> None:
    folded.receive([PUT, "task", TASK, {"title": "t", "description": "hello"}])
    folded.receive([PUT, "task", TASK, {"description": "other"}], past={A: 1})
    folded.receive(edit_of("hello", B, [(5, 0, "!")]), actor=B, seq=1, past={A: 1})
    folded.refresh()
    assert folded.table("tasks")[0][2] == "other"  # of the later moment
    assert folded.look(lambda reader: reader.conflicted()) == [key_of("task", TASK)]
    assert folded.unknown == 0


def test_an_edit_that_no_honest_device_writes_quarantines_its_text_and_nothing_else(folded: Folded) -> None:
    folded.receive([PUT, "task", TASK, {"title": "t", "description": "hello"}])
    broken = edit_of("hello", A, [(5, 0, "!")])
    broken[5] = broken[5][:-1]
    folded.receive(broken, [PUT, "task", TASK, {"priority": 0}], past={A: 1})
    ((_, _, description, _, priority, *_),) = folded.table("tasks")
    assert (description, priority) == ("hello", 0)
    quarantined = folded.look(lambda reader: reader.quarantined())
    assert [each[:2] for each in quarantined] == [(key_of("task", TASK), "description")]


def test_a_text_first_edited_by_another_process_is_read_from_the_store_and_not_from_memory(folded: Folded) -> None:
    folded.receive([PUT, "task", TASK, {"title": "t", "description": "hello"}])
    refused = edit_of("hello", A, [(5, 0, "!")])
    refused[5] = b"\1\2\3"
    folded.receive(refused, past={A: 1})  # the start is in memory now, and was never stored
    ours, folded.texts = folded.texts, Texts()  # another process
    folded.receive(edit_of("hello", B, [(5, 0, " there")]), actor=B, seq=1, past={A: 1})
    folded.texts = ours
    folded.refresh()
    assert folded.table("tasks")[0][2] == "hello there"


# --- a function of the set of changes ---------------------------------------------------------------------------------

cells = st.fixed_dictionaries(
    {},
    optional={
        "title": st.sampled_from(["t", "u"]),
        "parent_id": st.none() | st.sampled_from([TASK, OTHER]),
        "description": st.none() | st.sampled_from(["one", "two"]),
        "tag." + TAG: st.none() | st.just(True),
        "link." + values.id_text(DOCUMENT): st.none() | st.just("reference"),
        "link." + values.id_text(TASK): st.none() | st.just("itself"),  # the document of that id
    },
)
puts = st.builds(lambda entity, written: [PUT, "task", entity, written], st.sampled_from([TASK, OTHER]), cells)
others: st.SearchStrategy[Operation] = st.sampled_from(
    [
        [PUT, "document", DOCUMENT, {"title": "d"}],
        [PUT, "tag", values.id_bytes("id", TAG), {"name": "work"}],
        *([TOUCH, kind, entity] for kind, entity in (("task", TASK), ("document", DOCUMENT))),
        *(["delete", kind, entity] for kind, entity in (("task", TASK), ("task", OTHER), ("document", DOCUMENT))),
        ["delete", "tag", values.id_bytes("id", TAG)],
        # one id, several kinds
        *([PUT, "document", TASK, cells] for cells in ({"title": "d"}, {"title": "e", "content": "one"})),
        [PUT, "device", TASK, {"name": "laptop"}],
        [PUT, "task", values.id_bytes("id", TAG), {"title": "t", "parent_id": TASK}],
        *(["delete", kind, TASK] for kind in ("document", "device")),
    ]
)
changes: st.SearchStrategy[list[Operation]] = st.lists(puts | others, min_size=1, max_size=3)


def as_sent(event: Event[list[Operation]], events: list[Event[list[Operation]]]) -> list[Operation]:
    """A change's operations; a deletion carries what its author had seen of the entity's touches."""
    made: list[Operation] = []
    for number, operation in enumerate(event.work):
        if operation[0] != "delete":
            made.append([*operation[:3], *(dict(cells) for cells in operation[3:])])
            continue
        seen: Frontier = {}
        for other in events:
            before = other.work if other is not event else event.work[:number]
            if other.seq <= event.past.get(other.actor, 0) and any(
                each[0] != "delete" and each[1:3] == operation[1:3] for each in before
            ):
                seen[other.actor] = max(other.seq, seen.get(other.actor, 0))
        made.append([DELETE, operation[1], operation[2], [list(pair) for pair in sorted(seen.items())]])
    return made


def shown(events: list[Event[list[Operation]]], order: list[Event[list[Operation]]]) -> dict[str, Any]:
    folded = Folded()
    for event in order:
        folded.receive(*as_sent(event, events), actor=event.actor, seq=event.seq, past=event.deps)
    tables = ("tasks", "documents", "tags", "entity_tags", "task_documents")
    found: dict[str, Any] = {name: folded.table(name) for name in tables}
    found["digest"] = dict(folded.look(lambda reader: reader.buckets()))
    found["conflicted"] = folded.look(lambda reader: reader.conflicted())
    found["rings"] = folded.look(lambda reader: reader.in_rings())
    found["unknown"] = folded.unknown
    found["records"] = [(record.key, record.state) for record in folded.look(lambda reader: list(reader.all_records()))]
    return found


@given(st.data(), histories(changes, size=10))
def test_every_causal_order_of_changes_shows_the_same(
    data: st.DataObject, events: list[Event[list[Operation]]]
) -> None:
    assert shown(events, data.draw(causal_order(events))) == shown(events, events)
