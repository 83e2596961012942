"""
Schedules that broke earlier rules of acceptance: real stores, and a member that breaks the rules. In every order of
arrival the devices end equal, and nothing that an honest device wrote is lost.

Schedules that need no liar are where their module is: forks in ``sync/test_forks``, segments in ``sync/test_behind``, lives
in ``test_lives``, and texts in ``crdt/test_sequence``.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

import edda_sync as edda
from edda_sync.changes.change import Dep
from edda_sync.crdt import schema
from edda_sync.crdt.operation import Edit, Put
from edda_sync.crdt.text import edits as codec
from edda_sync.crdt.text.document import genesis_id
from edda_sync.crdt.text.edits import TextEdit
from edda_sync.engine import doctor
from edda_sync.engine.engine import StorageEngine
from edda_sync.sync.messages import Changes
from edda_sync.testing import devices, replica_of, sync
from edda_sync.words import limits
from edda_sync.words.errors import LimitError, RemoteProtocolError
from edda_sync.words.values import id_bytes
from tests.attacks.liar import Liar, Line
from tests.sync.network import Network
from tests.sync.newcomers import BY_SEGMENT, begin_with_segment, is_provisional, met, newcomers

Engines = tuple[StorageEngine, StorageEngine, StorageEngine]
GENESIS, AUTHOR = 1, 2  # indices in an edit: the text's start, and the first name of its table


@pytest.fixture
def engines() -> Iterator[Engines]:
    with devices(3) as (a, b, c):
        yield a, b, c


def tell(liar: Liar, batch: Changes, *victims: StorageEngine) -> None:
    """Let a member send a batch to some devices; none of them may close the link."""
    for victim in victims:
        line = Line(liar, victim)
        line.send(batch)
        assert line.error is None


def equal(*engines: StorageEngine) -> None:
    """Let all devices meet; check that they hold the same, that their logs say so, and that a newcomer sees it too."""
    for first, second in [*itertools.combinations(engines, 2)] * 2:
        sync(first, second)
    expected = [look(engine) for engine in engines]
    assert all(each == expected[0] for each in expected)
    for engine in engines:
        assert [each for each in doctor.check(engine) if not each.sound] == []
        engine.rebuild()
        assert look(engine) == expected[0]


def look(engine: StorageEngine) -> dict[str, Any]:
    return {
        "digest": engine.digest(), "refused": engine.refused(), "waiting": engine.waiting(),
        "tasks": engine.table("tasks"), "documents": engine.table("documents"), "conflicts": engine.conflicts(),
    }  # fmt: skip


def newcomers_agree(folder: Path, patch: pytest.MonkeyPatch, host: StorageEngine, other: StorageEngine) -> None:
    """One newcomer gets the log, the other begins with a segment and judges by it; both end equal to all others."""
    with newcomers(folder, "memory") as newcomer:
        by_log, by_segment = newcomer(host), newcomer(host)
        sync(host, other)
        met(by_log, other)
        patch.setattr(limits, "SEGMENT_SAVES_US_MIN", BY_SEGMENT)
        begin_with_segment(host, by_segment)
        expected = look(host)
        assert by_segment.table("documents") == host.table("documents"), "before its log is here"
        met(by_segment, other)
        assert is_provisional(by_segment) is None
        assert look(by_log) == look(by_segment) == expected


def note_of(engine: StorageEngine, content: str) -> str:
    return engine.create_document(edda.Document(title="Note", content=content))


def text_of(engine: StorageEngine, note: str) -> str | None:
    found = engine.get_document(note)
    assert found is not None
    return found.content


def edit(note: str, start: str, made: TextEdit) -> Edit:
    """The operation of an edit of a document that began with a string."""
    entity = id_bytes("id", note)
    return Edit("document", entity, "content", genesis_id(entity, "content", start), codec.encode(made))


def actor_at(engine: StorageEngine) -> bytes:
    from edda_sync.workspace.actor import actor_of

    with engine.store.read() as reader:
        return actor_of(reader)


def head_of(engine: StorageEngine, actor: bytes) -> Dep:
    with engine.store.read() as reader:
        head = reader.log.heads()[actor]
        return actor, head.seq, head.hash[:16]


# --- the past (rules 0.1, 4b, 4c) -------------------------------------------------------------------------------------


def test_a_change_that_builds_on_one_version_of_another_change_does_not_count_as_built_on_the_other_version(
    engines: Engines,
) -> None:
    """L tells B X:2a and C X:2b; B writes b1 on 2a, and C hears of b1 before anybody has proved the fork."""
    a, b, c = engines
    task = a.create_task(edda.Task(title="draft"))
    for other in (b, c):
        sync(a, other)
    liar = Liar(c)
    first = liar.change([Put("task", id_bytes("id", task), {"title": "of the liar"})])
    tell(liar, liar.batch(first), b, a)
    stands = liar.seq, liar.hash
    versions = []
    for title in ("two, as B is told", "two, as A is told"):
        liar.seq, liar.hash = stands
        versions.append(liar.batch(liar.change([Put("task", id_bytes("id", task), {"title": title})])))
    tell(liar, versions[0], b)
    tell(liar, versions[1], a)
    found = b.get_task(task)
    assert found is not None
    found.title = "final"
    b.update_task(found)  # b1, which replaces what B saw
    equal(a, b, c)
    assert a.reading.forked() == [c.identity.device]
    (conflict,) = a.conflicts()
    told = {each.value for each in (conflict.shown, *conflict.kept)}
    assert told == {"final", "two, as A is told"}, "B's write replaces only the version that B saw"


@pytest.mark.parametrize("kind", ["beside", "deletes"])
@pytest.mark.parametrize("order", ["honest first", "lie first"])
def test_an_edit_of_something_outside_its_past_is_refused_even_where_that_is_here_already(
    engines: Engines, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, order: str, kind: str
) -> None:
    """L, which saw nothing of A's edit, inserts beside it, or deletes it."""
    a, b, c = engines
    note = note_of(a, "start")
    for other in (b, c):
        sync(a, other)
    liar = Liar(c)
    a.edit_text(note, "content", [(5, 0, " honest")])
    names = (actor_at(a),)
    lie = {
        "beside": TextEdit(names, 0, (((AUTHOR, 2), (AUTHOR, 3), "!"),), ()),
        "deletes": TextEdit(names, None, (), ((AUTHOR, 1, 3),)),
    }[kind]
    batch = liar.batch(liar.change([edit(note, "start", lie)]))
    if order == "honest first":
        tell(liar, batch, a)
    else:
        tell(liar, batch, b, a)
    b.edit_text(note, "content", [(0, 0, "well ")])
    equal(a, b)
    assert text_of(a, note) == "well start honest"
    assert a.refused() == 1
    newcomers_agree(tmp_path, monkeypatch, a, b)


def test_a_newcomer_with_a_segment_judges_an_edit_as_a_device_with_the_log_does(
    engines: Engines, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The segment also says who wrote each letter, and which letters an author had seen."""
    a, b, c = engines
    note = note_of(a, "start")
    for other in (b, c):
        sync(a, other)
    liars = [Liar(c), Liar(c)]
    a.edit_text(note, "content", [(5, 0, " honest")])
    monkeypatch.setattr(limits, "SEGMENT_SAVES_US_MIN", BY_SEGMENT)
    with newcomers(tmp_path, "memory") as newcomer:
        tablet = newcomer(a)
        begin_with_segment(a, tablet)
        unseen = TextEdit((actor_at(a),), 0, (((AUTHOR, 2), (AUTHOR, 3), "!"),), ())
        sound = TextEdit((), 0, (((GENESIS, 4), None, "?"),), ())  # at the end, as its author saw it
        for liar, made in zip(liars, (unseen, sound), strict=True):
            tell(liar, liar.batch(liar.change([edit(note, "start", made)])), tablet, a, b)
        assert is_provisional(tablet) is not None
        met(tablet, a)
        assert (tablet.refused(), is_provisional(tablet)) == (1, None)
        assert text_of(tablet, note) == text_of(a, note)
        equal(a, b, tablet)
        assert a.refused() == 1


# --- texts (C4, rules 4) ----------------------------------------------------------------------------------------------


def test_a_block_whose_right_neighbour_stands_before_its_left_one_is_refused_and_a_restart_changes_nothing(
    engines: Engines, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    a, b, c = engines
    note = note_of(a, "abcdefg")
    for other in (b, c):
        sync(a, other)
    liar = Liar(c)
    tell(liar, liar.batch(liar.change([edit(note, "abcdefg", TextEdit((), 0, (((1, 2), (1, 1), "!"),), ()))])), a)
    sync(a, b)
    a.rebuild()
    a.edit_text(note, "content", [(0, 0, "Z")])
    equal(a, b)
    assert (text_of(a, note), a.refused()) == ("Zabcdefg", 1)
    newcomers_agree(tmp_path, monkeypatch, a, b)


@pytest.mark.parametrize("side", ["left", "right"])
def test_half_of_a_deleted_character_is_also_refused_after_the_text_was_loaded_anew(
    engines: Engines, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, side: str
) -> None:
    a, b, c = engines
    note = note_of(a, "x\U0001f600y")
    a.edit_text(note, "content", [(1, 1, "")])
    for other in (b, c):
        sync(a, other)
    b.rebuild()  # nothing is in memory
    liar = Liar(c)
    sides = {"left": ((1, 1), (1, 2)), "right": ((1, 2), None)}[side]
    tell(liar, liar.batch(liar.change([edit(note, "x\U0001f600y", TextEdit((), 0, ((*sides, "!"),), ()))])), a, b)
    equal(a, b)
    assert (text_of(a, note), a.refused()) == ("xy", 1)
    newcomers_agree(tmp_path, monkeypatch, a, b)


def test_equal_words_on_texts_that_only_look_alike_are_not_the_same_rewrite(engines: Engines) -> None:
    """A's text is ``ab``. B's text is ``ab`` too, but an ``x`` in between was deleted. C inserts there at the same time."""
    a, b, c = engines
    note = note_of(a, "axb")
    for other in (b, c):
        sync(a, other)
    b.edit_text(note, "content", [(1, 1, "")])
    sync(b, c)
    a.edit_text(note, "content", [(1, 1, "")])
    for engine in (a, b):
        rewrite(engine, note, "aWb")
    c.edit_text(note, "content", [(1, 0, "k")])
    equal(a, b, c)
    assert sorted(text_of(a, note) or "") in (sorted("aWkb"), sorted("aWWkb"))


def rewrite(engine: StorageEngine, note: str, content: str) -> None:
    found = engine.get_document(note)
    assert found is not None
    found.content = content
    engine.update_document(found)


def test_a_text_that_two_authors_grew_past_its_limit_is_merged_and_served_and_made_smaller_again(
    engines: Engines, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rules 10: a text of 10, limit 16; A +5 || B +5."""
    a, b, c = engines
    monkeypatch.setattr(limits, "TEXT_BYTES_MAX", 1_600)
    note = note_of(a, "s" * 1_000)
    for other in (b, c):
        sync(a, other)
    a.edit_text(note, "content", [(0, 0, "a" * 500)])
    b.edit_text(note, "content", [(1_000, 0, "b" * 500)])
    equal(a, b, c)
    assert len(text_of(a, note) or "") == 2_000
    assert (a.refused(), a.waiting()) == (0, 0)
    with pytest.raises(LimitError):
        a.edit_text(note, "content", [(0, 0, "more")])
    newcomers_agree(tmp_path, monkeypatch, a, b)
    c.edit_text(note, "content", [(0, 1_000, "")])
    equal(a, b, c)
    a.edit_text(note, "content", [(0, 0, "more")])
    equal(a, b, c)


# --- one rule for writer and reader (H1) ------------------------------------------------------------------------------


def test_a_change_that_writes_two_texts_under_one_dot_keeps_no_newcomer_out(
    engines: Engines, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    a, b, c = engines
    note = note_of(a, "one")
    for other in (b, c):
        sync(a, other)
    b_note = b.get_document(note)
    assert b_note is not None
    for engine, text in ((a, "of A"), (b, "of B")):  # two texts of one field, both edited
        with engine.begin_transaction() as tx:
            tx.update_document(edda.Document(id=note, title="Note", content=None))
        with engine.begin_transaction() as tx:
            tx.update_document(edda.Document(id=note, title="Note", content=text))
    for other in (a, c):
        sync(b, other)
    liar = Liar(c)
    typed = TextEdit((), 0, ((None, (GENESIS, 0), "!"),), ())
    both = [edit(note, start, typed) for start in ("of A", "of B")]
    tell(liar, liar.batch(liar.change(both)), a)
    equal(a, b)
    assert a.refused() == 1
    newcomers_agree(tmp_path, monkeypatch, a, b)


# --- levels (rules 6, 11) ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["a code", "an odd number", "a level"])
def test_an_edit_beside_text_that_only_a_newer_version_can_read_is_not_refused_for_good(
    engines: Engines, how: str
) -> None:
    """N inserts with an operation that N-1 does not know. An older member, which does not see it, types beside it."""
    a, b, c = engines
    note = note_of(a, "start")
    for other in (b, c):
        sync(a, other)
    newer, older = Liar(c), Liar(c)
    beside = TextEdit((newer.actor,), 0, (((AUTHOR, 0), None, "!"),), ())
    insert = edit(note, "start", TextEdit((), 0, (((GENESIS, 4), None, "N"),), ()))
    if how == "a code":
        told = newer.change([[9, "document", id_bytes("id", note), "N"]])
    elif how == "an odd number":
        told = newer.change([insert], ext={101: b"means something"})
    else:
        told = newer.change([insert], level=2)
    tell(newer, newer.batch(told), a)
    on = [*older.deps_but_parent(), (newer.actor, 1, newer.hash[:16])]
    tell(older, older.batch(older.change([edit(note, "start", beside)], deps=sorted(on))), a)
    equal(a, b)
    assert (a.refused(), a.waiting()) == (0, 2)
    assert text_of(a, note) == "start"
    b.edit_text(note, "content", [(5, 0, " and more")])
    equal(a, b)
    assert text_of(a, note) == "start and more"


def test_a_newcomer_of_an_older_version_gets_the_log_of_a_newer_device_if_it_cannot_read_its_segment(
    engines: Engines, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    a, _, _ = engines
    with newcomers(tmp_path, "memory") as newcomer:
        tablet = newcomer(a)
        with pytest.MonkeyPatch.context() as newer:
            newer.setitem(schema._FIELDS["task"], "estimate", lambda _: None)
            liar = Liar(engines[2])
            tell(liar, liar.batch(liar.change([Put("task", b"t" * 16, {"title": "big", "estimate": 3})])), a)
            assert a.waiting() == 0, "it knows that cell"
            monkeypatch.setattr(limits, "SEGMENT_SAVES_US_MIN", BY_SEGMENT)
            assert replica_of(a).exchange.making.given({}) is not None
        network = Network(tablet, a)
        for _ in range(2):  # once it has refused the segment it asks for the log
            network.connect(tablet, a)
            while network.step():
                pass
        assert sum(isinstance(error, RemoteProtocolError) for error in network.errors) == 1
        assert tablet.frontier() == a.frontier()
        assert [task.title for task in tablet.query_tasks(edda.TaskQuery())] == ["big"]
        assert tablet.waiting() == 1


# --- budgets (H5) -----------------------------------------------------------------------------------------------------


def test_megabytes_of_metadata_in_one_change_are_refused_and_expand_nothing(engines: Engines) -> None:
    a, b, c = engines
    liar = Liar(c)
    many = {f"metadata.k{number}": '"' + "x" * 1_000_000 + '"' for number in range(8)}
    many_more: Sequence[Any] = [Put("task", b"u" * 16, {name: value}) for name, value in many.items()]
    body = [Put("task", b"u" * 16, {"title": "t"}), *many_more]
    tell_large(liar, body, a)
    equal(a, b)
    assert a.refused() == 4, "the first four megabytes are within the budget"


def tell_large(liar: Liar, operations: Sequence[Any], victim: StorageEngine) -> None:
    """Send a change whose body is in parts."""
    line = Line(liar, victim)
    for message in liar.in_parts(operations):
        line.send(message)
    assert line.error is None
