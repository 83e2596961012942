"""The oracle: small histories, worked out by hand from the definitions (schedules of the counterexamples)."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from edda_sync.changes import change as changes
from edda_sync.changes.change import DEP_HASH_BYTES, NO_HASH, Birth, Header, actor_of, encode_birth, encode_header
from edda_sync.crdt.text import edits
from edda_sync.crdt.text.document import TextDocument, genesis_id
from edda_sync.simulations.oracle import UNTOLD, Oracle
from edda_sync.store.seams import Logged
from edda_sync.words import values

PUT, EDIT, DELETE, TOUCH = range(1, 5)
BIRTHS: Final = {
    actor_of(encode_birth(birth)): birth
    for birth in (Birth(bytes([number]) * 32, b"nonce of sixteen") for number in range(4))
}
A, B, C, D = sorted(BIRTHS)  # so that of two with one wall time, the later letter is greater
T, U = bytes(15) + b"\1", bytes(15) + b"\2"
WORK = values.id_bytes("tags", values.tag_id("work"))


class History:
    """Changes, made as devices would."""

    def __init__(self) -> None:
        self.log: list[tuple[Logged, bytes]] = []
        self._hashes: dict[bytes, list[bytes]] = {}

    def make(self, actor: bytes, wall: int, *operations: list[Any], seen: dict[bytes, int] | None = None) -> None:
        hashes = self._hashes.setdefault(actor, [NO_HASH])
        seq = len(hashes)
        pieces = [msgspec.msgpack.encode(operation) for operation in operations]
        body = b"".join(len(piece).to_bytes(4, "big") + piece for piece in pieces)
        deps = [(name, at, self._hashes[name][at][:DEP_HASH_BYTES]) for name, at in sorted((seen or {}).items())]
        ext = changes.header_ext(wall, birth=BIRTHS[actor] if seq == 1 else None)
        raw = encode_header(
            Header(1, actor, seq, tuple(deps), len(operations), len(body), changes.hash_part(body), hashes[-1], ext)
        )
        hashes.append(changes.hash_change(hashes[-1], changes.hash_header(raw)))
        self.log.append((Logged(len(self.log) + 1, actor, seq, hashes[-1], raw, body), body))

    def means(self, *order: int) -> Oracle:
        return Oracle([self.log[at] for at in order] if order else self.log)


def put(name: bytes, **cells: Any) -> list[Any]:
    return [PUT, "task", name, {key.replace("__", "."): value for key, value in cells.items()}]


def titles(oracle: Oracle) -> list[str]:
    return sorted(task["title"] for task in oracle.tasks().values())


def test_two_three_writes_in_two_orders_show_the_same() -> None:
    history = History()
    history.make(A, 10, put(T, title="A"))
    history.make(B, 20, put(T, title="B"))
    history.make(D, 11, put(T, title="D"), seen={A: 1})
    for order in ((0, 1, 2), (0, 2, 1)):
        oracle = history.means(*order)
        assert titles(oracle) == ["B"]
        assert oracle.conflicts() == {(values.id_text(T), "title")}


def test_three_a_later_edit_beats_what_it_saw_whatever_the_clocks_said() -> None:
    history = History()
    history.make(A, 999_999, put(T, title="a year ahead"))
    history.make(B, 5, put(T, title="informed"), seen={A: 1})
    oracle = history.means()
    assert titles(oracle) == ["informed"]
    assert not oracle.conflicts()


def test_four_concurrent_transactions_over_two_cells_do_not_tear() -> None:
    history = History()
    history.make(A, 10, put(T, title="x"), put(U, title="x"))
    history.make(A, 999, put(T, title="ahead"))
    history.make(B, 20, put(T, title="B"), put(U, title="B"), seen={A: 2})
    history.make(C, 30, put(T, title="C"), put(U, title="C"), seen={A: 2})
    assert titles(history.means()) == ["C", "C"]


def test_five_a_deletion_does_not_swallow_an_edit_that_it_had_not_seen() -> None:
    history = History()
    history.make(A, 10, put(T, title="start"))
    history.make(B, 99, put(T, title="W"), seen={A: 1})
    history.make(B, 100, [DELETE, "task", T, [[A, 1], [B, 1]]], seen={A: 1})
    assert titles(history.means()) == []
    history.make(C, 11, put(T, title="E"), seen={A: 1})
    assert titles(history.means()) == ["W"]  # the greatest stamp shows, and E is kept beside it
    assert history.means().conflicts() == {(values.id_text(T), "title")}


def test_six_deleted_twice_with_an_edit_known_to_one_stays_hidden() -> None:
    history = History()
    history.make(A, 1, put(T, title="start"))
    history.make(A, 2, put(T, title="E"))
    history.make(B, 10, [DELETE, "task", T, [[A, 2]]], seen={A: 2})
    history.make(C, 20, [DELETE, "task", T, [[A, 1]]], seen={A: 1})
    assert titles(history.means()) == []
    history.make(C, 30, [TOUCH, "task", T], seen={A: 2, B: 1})
    assert titles(history.means()) == ["E"]


def test_nineteen_edges_of_one_change_close_a_ring_that_is_cut_at_the_same_place() -> None:
    history = History()
    names = [bytes(15) + bytes([number]) for number in range(1, 5)]
    a, b, c, d = names
    history.make(A, 1, *(put(name, title="t") for name in names))
    history.make(B, 5, put(a, parent_id=b), put(c, parent_id=d), seen={A: 1})
    history.make(C, 5, put(b, parent_id=c), put(d, parent_id=a), seen={A: 1})
    for order in ((0, 1, 2), (0, 2, 1)):
        parents = {name: task["parent_id"] for name, task in history.means(*order).tasks().items()}
        assert [name for name, parent in parents.items() if parent is None] == [values.id_text(d)]


def test_a_hidden_parent_shows_as_none_and_returns_with_it() -> None:
    history = History()
    history.make(A, 1, put(T, title="child", parent_id=U), put(U, title="parent"))
    history.make(A, 2, [DELETE, "task", U, [[A, 1]]])
    assert history.means().tasks()[values.id_text(T)]["parent_id"] is None
    history.make(A, 3, [TOUCH, "task", U])
    assert history.means().tasks()[values.id_text(T)]["parent_id"] == values.id_text(U)


def test_twenty_a_tag_that_is_put_on_beside_being_taken_off_stays() -> None:
    history = History()
    cell = {f"tag.{values.id_text(WORK)}": True}
    history.make(A, 1, [PUT, "task", T, {"title": "t", **cell}], [PUT, "tag", WORK, {"name": "work"}])
    history.make(B, 2, [PUT, "task", T, dict.fromkeys(cell)], seen={A: 1})
    assert history.means().edges("tag.", "tag") == set()
    history.make(C, 1, [PUT, "task", T, cell], [TOUCH, "tag", WORK], seen={A: 1})
    assert history.means().edges("tag.", "tag") == {(values.id_text(T), values.id_text(WORK))}


def test_twenty_one_edits_of_different_fields_are_no_conflict() -> None:
    history = History()
    history.make(A, 1, put(T, title="t", status="open"))
    history.make(B, 2, put(T, title="T"), seen={A: 1})
    history.make(C, 3, put(T, status="done"), seen={A: 1})
    oracle = history.means()
    (task,) = oracle.tasks().values()
    assert (task["title"], task["status"], oracle.conflicts()) == ("T", "done", set())


def edit(actor: bytes, start: str, position: int, inserted: str) -> list[Any]:
    genesis = genesis_id(T, "description", start)
    made = TextDocument.start(genesis, start, [(A, 1)]).edit((actor, 1), {A: 1}, [(position, 0, inserted)])
    return [EDIT, "task", T, "description", genesis, edits.encode(made)]


def test_concurrent_edits_of_one_text_both_show_in_any_order() -> None:
    history = History()
    history.make(A, 1, put(T, title="t", description="one "))
    history.make(B, 2, edit(B, "one ", 4, "two "), seen={A: 1})
    history.make(C, 3, edit(C, "one ", 0, "zero "), seen={A: 1})
    for order in ((0, 1, 2), (0, 2, 1)):
        oracle = history.means(*order)
        assert [task["description"] for task in oracle.tasks().values()] == ["zero one two "]
        assert not oracle.conflicts()


def test_an_edit_does_not_replace_another_text_that_its_author_saw() -> None:
    history = History()
    history.make(A, 1, put(T, title="t", description="one "))
    history.make(B, 2, put(T, description="other "))
    history.make(C, 3, edit(C, "one ", 4, "two "), seen={A: 1, B: 1})
    oracle = history.means()
    assert [task["description"] for task in oracle.tasks().values()] == ["one two "]
    assert oracle.conflicts() == {(values.id_text(T), "description")}


def test_a_text_written_anew_shows_as_it_was_written() -> None:
    history = History()
    history.make(A, 1, put(T, title="t", description="one "))
    history.make(B, 2, edit(B, "one ", 4, "two "), seen={A: 1})
    history.make(A, 3, put(T, description="new "), seen={B: 1})
    assert [task["description"] for task in history.means().tasks().values()] == ["new "]


def test_of_one_change_the_last_word_counts() -> None:
    history = History()
    history.make(A, 1, put(T, title="first"), put(T, title="second"))
    assert titles(history.means()) == ["second"]


def test_what_a_newer_version_wrote_has_no_effect() -> None:
    history = History()
    history.make(
        A, 1, put(T, title="t"), [99, "task", U, {}], [TOUCH, "task", U, "how"], [PUT, "project", U, {}], [PUT]
    )
    assert titles(history.means()) == ["t"]


def test_a_deletion_hides_no_more_than_its_author_can_have_seen_and_one_that_makes_no_sense_nothing() -> None:
    history = History()
    history.make(A, 1, put(T, title="t"))
    for claims in ([[D, 9]], [], [[A, 1, 1]], [["a", 1]], [[A, -1]], [[A, 1], [A, 1]]):
        history.make(B, 2, [DELETE, "task", T, claims], seen={A: 1})
    assert titles(history.means()) == ["t"]
    history.make(A, 3, put(T, title="later"))
    history.make(C, 4, [DELETE, "task", T, [[A, 2]]], seen={A: 1})
    assert titles(history.means()) == ["later"]
    history.make(C, 5, [DELETE, "task", T, [[A, 9]]], seen={A: 2})
    assert titles(history.means()) == []


def test_a_value_that_is_none_spoils_its_operation_and_no_other() -> None:
    history = History()
    history.make(A, 1, put(T, title="t", status="open"))
    history.make(B, 2, put(T, title=7, status="done"), put(T, priority=4), put(T, parent_id="me"), seen={A: 1})
    oracle = history.means()
    (task,) = oracle.tasks().values()
    assert (task["title"], task["status"], task["priority"], task["parent_id"]) == ("t", "open", 4, None)
    assert oracle.unfolded == {(history.log[1][0].hash, 1): True, (history.log[1][0].hash, 3): True}


def test_a_task_and_a_document_of_one_id_are_two_things() -> None:
    history = History()
    history.make(A, 1, [PUT, "document", T, {"title": "d"}], put(T, title="t"))
    history.make(B, 2, [DELETE, "document", T, [[A, 1]]], put(T, title="u"), seen={A: 1})
    oracle = history.means()
    assert [each["title"] for each in oracle.tasks().values()] == ["u"]
    assert not oracle.documents()


def test_a_tag_that_has_no_name_or_another_ones_does_not_show() -> None:
    history = History()
    cell = {f"tag.{values.id_text(WORK)}": True}
    history.make(A, 1, [PUT, "task", T, {"title": "t", **cell}], [PUT, "tag", WORK, {"name": "home"}])
    assert history.means().tags() == {}
    assert history.means().edges("tag.", "tag") == set()


def test_a_text_reads_without_an_edit_that_it_refused() -> None:
    history = History()
    history.make(A, 1, put(T, title="t", description="one "))
    history.make(B, 2, [EDIT, "task", T, "description", genesis_id(T, "description", "one "), b"no edit"], seen={A: 1})
    refused = history.log[1][0].hash, 1
    oracle = Oracle(history.log, untaken={refused})
    (task,) = oracle.tasks().values()
    assert (task["title"], task["description"]) == ("t", "one ")
    assert oracle.unfolded == {refused: True}


def test_nothing_is_said_of_a_text_into_which_a_chain_wrote_that_forks() -> None:
    history = History()
    history.make(A, 1, put(T, title="t", description="one "))
    history.make(B, 2, put(T, status="done"), seen={A: 1})
    history.make(B, 3, edit(B, "one ", 4, "two "))
    logged, body = history.log[2]
    history.log[2] = logged._replace(actor=b"name of a branch"), body
    (task,) = history.means().tasks().values()
    assert (task["title"], task["status"], task["description"]) == ("t", "done", UNTOLD)
