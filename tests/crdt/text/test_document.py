from __future__ import annotations

import gc
import gzip
import json
import subprocess
import sys
import weakref
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edda_sync.crdt.text import edits as codec
from edda_sync.crdt.text.diff import apply_edits, diff
from edda_sync.crdt.text.document import TextDocument, genesis_id
from edda_sync.crdt.text.edits import TextEdit
from edda_sync.words import limits
from edda_sync.words.errors import CorruptError, InvalidValueError, LimitError, RefusedTextError
from edda_sync.words.model import Replacement

ANNA, BORIS, CARLA = b"A" * 16, b"B" * 16, b"C" * 16
ENTITY = bytes(range(16))
TRACES = Path(__file__).resolve().parents[4] / "shared" / "data" / "traces"
PAPER_BEGINNING = 15_000  # of 260,000 transactions
MIXED = "a🙂e\u0301\0日\n👩‍👧b"

words = st.text(st.sampled_from("ab \n\0é日🙂\u0301\u200d"), max_size=6)


def start(string: str) -> TextDocument:
    return TextDocument.start(genesis_id(ENTITY, "content", string), string, [(CARLA, 1)])


class Writer:
    """An actor that writes one text, and sends its edits."""

    def __init__(self, actor: bytes, string: str) -> None:
        self.actor, self.document = actor, start(string)
        self.frontier = {CARLA: 1}

    def edit(self, *edits: Replacement) -> tuple[bytes, tuple[bytes, int], Mapping[bytes, int]]:
        return self._write(self.document.edit, edits)

    def rewrite(self, new: str) -> tuple[bytes, tuple[bytes, int], Mapping[bytes, int]]:
        return self._write(self.document.rewrite, diff(self.document.string(), new))

    def _write(self, write: Any, edits: Any) -> tuple[bytes, tuple[bytes, int], Mapping[bytes, int]]:
        dot, past = (self.actor, self.frontier.get(self.actor, 0) + 1), dict(self.frontier)
        data = codec.encode(write(dot, past, list(edits)))
        self.frontier[self.actor] = dot[1]
        return data, dot, past

    def take(self, sent: tuple[bytes, tuple[bytes, int], Mapping[bytes, int]]) -> None:
        data, dot, past = sent
        self.document.apply(codec.decode(data), dot, past)
        self.frontier[dot[0]] = dot[1]

    def restart(self) -> None:
        self.document = TextDocument.load(self.document.state())


def pair(string: str) -> tuple[Writer, Writer]:
    return Writer(ANNA, string), Writer(BORIS, string)


@st.composite
def edits_of(draw: st.DrawFn, string: str) -> list[Replacement]:
    edits: list[Replacement] = []
    length = len(string)
    for _ in range(draw(st.integers(1, 3))):
        position = draw(st.integers(0, length))
        deleted = draw(st.integers(0, min(4, length - position)))
        inserted = draw(words)
        edits.append((position, deleted, inserted))
        length += len(inserted) - deleted
    return edits


# --- starting ---------------------------------------------------------------------------------------------------------


def test_every_device_names_the_same_start_alike() -> None:
    """Part of the format: another name would split every text in two."""
    assert genesis_id(ENTITY, "content", "héllo").hex() == "60da7b26269966f26e400fcb1aee3047"


def test_another_entity_field_or_string_starts_another_text() -> None:
    names = {
        genesis_id(ENTITY, "content", "hello world"),
        genesis_id(ENTITY, "content", "HELLO"),
        genesis_id(ENTITY, "content", ""),
        genesis_id(ENTITY, "description", "hello world"),
        genesis_id(bytes(16), "content", "hello world"),
        genesis_id(ENTITY, "contenth", "ello world"),
    }
    assert len(names) == 6
    assert {len(name) for name in names} == {16}


def test_the_same_words_put_into_an_empty_field_on_two_devices_appear_once() -> None:
    genesis = genesis_id(ENTITY, "content", "hello")
    laptop, phone = (TextDocument.start(genesis, "hello", [(actor, 1)]) for actor in (ANNA, BORIS))
    edits = laptop.edit((ANNA, 2), {ANNA: 1}, [(5, 0, " Anna")]), phone.edit((BORIS, 2), {BORIS: 1}, [(0, 0, "Boris ")])
    laptop.started((BORIS, 1))
    laptop.apply(edits[1], (BORIS, 2), {BORIS: 1})
    phone.started((ANNA, 1))
    phone.apply(edits[0], (ANNA, 2), {ANNA: 1})
    assert laptop.string() == phone.string() == "Boris hello Anna"
    assert laptop.state() == phone.state()
    assert laptop.hash() == phone.hash()


def test_the_author_of_a_start_is_part_of_the_hash() -> None:
    document = start("hello")
    before = document.hash()
    document.started((BORIS, 7))
    assert document.hash() != before


@pytest.mark.parametrize("string", ["", "x", MIXED, "日本語" * 3_000])
def test_a_start_reads_back_and_counts_utf_16_units(string: str) -> None:
    document = start(string)
    assert document.string() == string
    clock = len(string.encode("utf-16-le")) // 2
    assert document.vector() == ({document.genesis: clock} if string else {})
    assert TextDocument.load(document.state()).string() == string


def test_a_start_that_is_not_unicode_or_too_large_is_refused() -> None:
    for string in ("half \ud83d", "x" * (limits.TEXT_BYTES_MAX + 1)):
        with pytest.raises(InvalidValueError):
            TextDocument.start(bytes(16), string, [(ANNA, 1)])


# --- editing ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("position", range(len(MIXED) + 1))
def test_positions_are_code_points_for_any_characters(position: int) -> None:
    laptop, phone = pair(MIXED)
    for edit in ((position, 0, "🙂"), (position, 1, ""), (position, min(2, len(MIXED) - position), "日\0")):
        before = laptop.document.string()
        phone.take(laptop.edit(edit))
        assert laptop.document.string() == phone.document.string() == apply_edits(before, [edit])


@given(st.data())
@settings(deadline=None)
def test_edits_change_the_text_as_they_change_a_string(data: st.DataObject) -> None:
    string = data.draw(words)
    laptop, phone = pair(string)
    for _ in range(data.draw(st.integers(1, 6))):
        edits = data.draw(edits_of(string))
        phone.take(laptop.edit(*edits))
        string = apply_edits(string, edits)
        assert laptop.document.string() == phone.document.string() == string
    assert laptop.document.state() == phone.document.state()
    assert TextDocument.load(laptop.document.state()).string() == string


@pytest.mark.parametrize("character", ["b", "β", "🙂"])
def test_edits_of_a_long_text_reach_across_its_runs(character: str) -> None:
    size = limits.TEXT_RUN_UNITS
    string = character * 3 * size
    laptop, phone = pair(string)
    schedule: list[Replacement] = [
        (size, 0, "at a seam"),
        (size - 1, size + 2, ""),
        (0, 0, "é" * 5 * size),
        (7 * size, 5, "日"),
        (1, 4 * size, "!"),
    ]
    for edit in schedule:
        phone.take(laptop.edit(edit))
        string = apply_edits(string, [edit])
        assert laptop.document.string() == phone.document.string() == string
    laptop.edit((0, len(string), ""))
    laptop.edit((0, 0, "é"))
    assert laptop.document.string() == "é"


def test_many_edits_of_one_change_make_one_edit_with_as_few_blocks_as_possible() -> None:
    document = start("one two three")
    edit = document.edit((ANNA, 1), {CARLA: 1}, [(0, 3, "null"), (9, 5, "drei"), (9, 4, "tre"), (0, 0, "🙂")])
    assert document.string() == "🙂null two tre"
    assert [text for _, _, text in edit.blocks] == ["🙂null", "tre"]
    assert edit.names == ()
    assert edit.deletions == ((1, 0, 3), (1, 8, 5))


@pytest.mark.parametrize("write", ["edit", "rewrite"])
def test_edits_that_change_nothing_make_an_edit_that_changes_nothing(write: str) -> None:
    document, peer = start("hello"), start("hello")
    state = document.state()
    for edits in ([], [(3, 0, "")], [(3, 0, "x"), (3, 1, "")]):
        edit = getattr(document, write)((ANNA, 1), {CARLA: 1}, edits)
        assert edit == TextEdit((), None, (), ())
        peer.apply(edit, (ANNA, 1), {CARLA: 1})
    assert document.state() == peer.state() == state


def test_words_written_and_deleted_in_one_transaction_are_not_sent() -> None:
    laptop, phone = pair("base")
    sent = laptop.edit((4, 0, "🙂" * 5_000), (4, 5_000, ""), (0, 1, "c"))
    assert len(sent[0]) < 30
    phone.take(sent)
    phone.take(laptop.edit((4, 0, "!")))
    assert laptop.document.string() == phone.document.string() == "case!"
    assert laptop.document.vector()[ANNA] == 2


@pytest.mark.parametrize("edit", [(-1, 0, "x"), (7, 0, "x"), (5, 2, ""), (0, -1, "x"), (0, 7, "")])
def test_an_edit_outside_the_text_is_refused_before_any_of_its_transaction_is_made(edit: Replacement) -> None:
    laptop, phone = pair("ab🙂de")
    for edits in ([edit], [(0, 0, "X"), edit, (0, 0, "Y")]):
        with pytest.raises(InvalidValueError):
            laptop.edit(*edits)
    assert laptop.document.state() == start("ab🙂de").state()
    phone.take(laptop.edit((0, 0, "Y")))
    assert laptop.document.string() == phone.document.string() == "Yab🙂de"


def test_half_a_character_is_refused_before_any_of_its_transaction_is_made() -> None:
    laptop, _ = pair("base")
    with pytest.raises(InvalidValueError, match="lone surrogate"):
        laptop.edit((0, 0, "X"), (0, 0, "\udc00"))
    assert laptop.document.string() == "base"


def test_a_text_grows_to_its_limit_by_edits_of_this_device_and_beyond_it_by_edits_of_others() -> None:
    string = "é" * (limits.TEXT_BYTES_MAX // 2 - 1)
    laptop, phone = pair(string)
    with pytest.raises(LimitError):
        laptop.edit((0, 1, "日🙂"))
    laptop.edit((0, 1, "🙂"))
    laptop.take(phone.edit((9, 2, "日日")))
    assert len(laptop.document.string().encode()) == limits.TEXT_BYTES_MAX + 2
    with pytest.raises(LimitError):
        laptop.edit((0, 2, "日日x"))
    laptop.edit((0, 2, "🙂é"))
    laptop.edit((0, 1, ""))
    assert len(laptop.document.string().encode()) == limits.TEXT_BYTES_MAX - 2


def test_an_edit_too_large_to_send_is_not_made() -> None:
    laptop, _ = pair("a" * 100_000)
    filler = "x" * (limits.TEXT_BYTES_MAX // 2)
    edits = [
        (0, 0, filler),
        *((len(filler) + 2 * at + 1, 0, "b") for at in range(1, 60_000)),
        (0, 0, filler[:-200_000]),
    ]
    state = laptop.document.state()
    with pytest.raises(LimitError) as caught:
        laptop.edit(*edits)
    assert caught.value.what == "the edit of a text"
    assert laptop.document.state() == state


def test_an_actor_whose_clock_is_used_up_gets_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    laptop, _ = pair("")
    laptop.edit((0, 0, "abcd"))
    laptop.rewrite("ab日d")
    monkeypatch.setattr(limits, "TEXT_CLOCK_MAX", 12)  # the rewrite wrote its one word anew
    with pytest.raises(LimitError) as caught:
        laptop.edit((0, 0, "efghi"))
    assert caught.value.what == "what one device wrote into the text"
    laptop.edit((0, 0, "efg"))
    Writer(BORIS, "").edit((0, 0, "123456789012"))


# --- rewriting --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("base", "new"),
    [
        ("- [ ] milk\n", "- [x] milk\n"),
        ("one  two\r\nthree\r\n", "one two\nthree\n"),
        ("", "brave new world"),
        ("The cat sat.", "The 🙂 sat there."),
        ("keep drop keep", "keep keep"),
    ],
)
def test_a_rewrite_made_on_two_devices_from_one_base_is_made_once(base: str, new: str) -> None:
    laptop, phone = pair(base)
    ours, theirs = laptop.rewrite(new), phone.rewrite(new)
    assert ours[0] == theirs[0]
    laptop.take(theirs)
    phone.take(ours)
    assert laptop.document.string() == phone.document.string() == new
    assert laptop.document.state() == phone.document.state()
    laptop.restart()
    phone.take(laptop.edit((len(new), 0, "!")))
    laptop.take(phone.edit((0, 1, "")))
    assert laptop.document.string() == phone.document.string() == (new + "!")[1:]


def test_an_edit_that_is_typed_is_made_by_each_of_two() -> None:
    laptop, phone = pair("a b")
    ours, theirs = laptop.edit((1, 0, "x")), phone.edit((1, 0, "x"))
    laptop.take(theirs)
    phone.take(ours)
    assert laptop.document.string() == phone.document.string() == "axx b"


def test_equal_rewrites_of_bases_that_differ_elsewhere_are_one() -> None:
    laptop, phone = pair("title\n- [ ] milk\n")
    elsewhere = laptop.edit((0, 5, "Shopping"))
    ours, theirs = laptop.rewrite("Shopping\n- [x] milk\n"), phone.rewrite("title\n- [x] milk\n")
    phone.take(elsewhere)
    phone.take(ours)
    laptop.take(theirs)
    assert laptop.document.string() == phone.document.string() == "Shopping\n- [x] milk\n"
    assert laptop.document.state() == phone.document.state()


# --- several devices --------------------------------------------------------------------------------------------------


def test_edits_made_at_the_same_time_merge_by_character() -> None:
    laptop, phone = pair("Buy milk")
    ours, theirs = laptop.edit((4, 0, "oat ")), phone.edit((8, 0, " and eggs"))
    laptop.take(theirs)
    phone.take(ours)
    assert laptop.document.string() == phone.document.string() == "Buy oat milk and eggs"
    assert laptop.document.vector() == phone.document.vector()


def test_a_word_that_two_actors_deleted_is_recorded_as_deleted_by_both() -> None:
    laptop, phone = pair("the cat sat")
    ours, theirs = laptop.edit((4, 3, "dog")), phone.edit((4, 3, "cow"))
    laptop.take(theirs)
    phone.take(ours)
    assert laptop.document.string() == phone.document.string() == "the dogcow sat"
    text = laptop.document._text
    for actor in (ANNA, BORIS):
        deletions = text.author(actor).deletions
        assert list(deletions.of_units(text.index[text.genesis], 4, 3)) == [(1, (text.index[text.genesis], 4, 3))]


def test_an_edit_of_a_transaction_that_failed_leaves_no_phantom_once_its_document_is_thrown_away() -> None:
    laptop, phone = pair("base")
    stored, frontier = laptop.document.state(), dict(laptop.frontier)
    laptop.edit((4, 0, " phantom"))
    laptop.document, laptop.frontier = TextDocument.load(stored), frontier
    phone.take(laptop.edit((0, 0, "real ")))
    assert laptop.document.string() == phone.document.string() == "real base"
    assert laptop.document.state() == phone.document.state()


def test_two_processes_of_one_store_both_edit_a_document_that_they_caught_up() -> None:
    command, running, elsewhere = Writer(ANNA, "x"), Writer(ANNA, "x"), Writer(BORIS, "x")
    first = command.edit((1, 0, "-cli"))
    stale = Writer(ANNA, "x").edit((1, 0, "-up"))  # what the running process would write without catching up
    with pytest.raises(RefusedTextError) as caught:
        command.document.apply(codec.decode(stale[0]), (ANNA, 2), {CARLA: 1, ANNA: 1})
    assert caught.value.reason == "it starts at clock 0, not at 4"
    running.take(first)
    second = running.edit((5, 0, "-up"))
    for sent in (first, second):
        elsewhere.take(sent)
    command.take(second)
    assert command.document.string() == running.document.string() == elsewhere.document.string() == "x-cli-up"


def test_a_device_goes_on_under_a_new_actor() -> None:
    device, peer = pair("one")
    for actor, edit in ((ANNA, (3, 0, " two")), (BORIS, (7, 0, " three")), (ANNA, (0, 3, "1"))):
        device.actor = actor
        peer.take(device.edit(edit))
    assert device.document.string() == peer.document.string() == "1 two three"
    assert set(device.document.vector()) == {device.document.genesis, ANNA, BORIS}


def test_an_own_edit_that_the_text_refuses_is_a_fault_of_this_device() -> None:
    document = start("base")
    with pytest.raises(CorruptError, match="does not know the text"):
        document.edit((ANNA, 1), {}, [(0, 0, "x")])
    assert document.state() == start("base").state()


# --- Yjs --------------------------------------------------------------------------------------------------------------


def test_a_document_for_a_yjs_editor_reads_as_the_text_and_follows_it() -> None:
    laptop, phone = pair(MIXED)
    laptop.edit((0, 2, "日"))
    doc = laptop.document.doc()
    assert str(doc["t"]) == laptop.document.string()
    heard: list[bytes] = []
    subscription = doc.observe(lambda event: heard.append(event.update))
    laptop.edit((1, 0, "🙃"), (0, 1, ""))
    laptop.rewrite("all new")
    laptop.take(phone.edit((3, 0, "?")))
    doc.unobserve(subscription)
    assert laptop.document.doc() is doc
    assert str(doc["t"]) == laptop.document.string()
    assert len(heard) == 3, "an editor is told of each edit"


def test_a_document_for_a_yjs_editor_reads_like_a_text_with_a_void_part() -> None:
    laptop, phone = pair("base")
    document, doc = laptop.document, laptop.document.doc()
    edit, dot, past = phone.edit((0, 4, "nonsense"))
    document.apply(codec.decode(edit), dot, past, void=True)
    assert document.doc() is not doc
    assert str(document.doc()["t"]) == document.string() == "base"
    hidden = TextDocument.start(document.genesis, "base", [dot], void=True)
    assert str(hidden.doc()["t"]) == hidden.string() == ""
    doc = hidden.doc()
    hidden.started(dot)
    assert hidden.doc() is doc
    hidden.started((laptop.actor, 1), "base")
    assert str(hidden.doc()["t"]) == hidden.string() == "base"


def test_a_document_that_does_not_read_as_the_text_is_made_anew() -> None:
    laptop, _ = pair("base")
    doc = laptop.document.doc()
    doc["t"].insert(0, "somebody wrote past the text ")
    laptop.edit((4, 0, "!"))
    assert laptop.document.doc() is not doc
    assert str(laptop.document.doc()["t"]) == laptop.document.string() == "base!"


def test_a_panic_of_pycrdt_loses_the_document_and_nothing_else(capfd: pytest.CaptureFixture[str]) -> None:
    laptop, phone = pair("base")
    doc = laptop.document.doc()
    doc.apply_update(bytes.fromhex("01010500040101740568656c6c6f00"))  # client 5 writes "hello"
    poison = bytes.fromhex("01010505440502000000")  # and then something at which yrs unwraps a None
    assert not laptop.document._reads_as_this(doc, poison)
    assert "panicked" in capfd.readouterr().err
    laptop.take(phone.edit((4, 0, "!")))
    assert str(laptop.document.doc()["t"]) == laptop.document.string() == "base!"


def test_a_text_that_pycrdt_reads_otherwise_is_not_given_to_an_editor(monkeypatch: pytest.MonkeyPatch) -> None:
    laptop, _ = pair("base")
    monkeypatch.setattr("edda_sync.crdt.text.yjs.of_runs", lambda *_: b"\0\0")
    with pytest.raises(CorruptError, match="pycrdt reads another one"):
        laptop.document.doc()
    laptop.edit((0, 0, "it goes on without: "))
    assert laptop.document.string() == "it goes on without: base"


# --- cost -------------------------------------------------------------------------------------------------------------


def test_a_dropped_text_leaves_no_document_behind() -> None:
    document = start("base")
    left = weakref.ref(document.doc())
    document.edit((ANNA, 1), {CARLA: 1}, [(0, 0, "x")])
    del document
    gc.collect()
    assert left() is None


def test_reading_and_editing_a_text_does_not_load_pycrdt() -> None:
    code = """
import sys
from edda_sync.crdt.text.document import TextDocument
anna = b"A" * 16
text = TextDocument.start(bytes(16), "base", [(anna, 1)])
text.edit((anna, 2), {anna: 1}, [(0, 0, "x")])
assert TextDocument.load(text.state()).string() == "xbase"
sys.exit("pycrdt" in sys.modules)
"""
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


# --- real histories ---------------------------------------------------------------------------------------------------


def trace(name: str) -> dict[str, Any]:
    path = TRACES / f"{name}.json.gz"
    if not path.exists():
        pytest.skip(f"the real data beside the project is absent: {name}")
    with gzip.open(path) as file:
        loaded: dict[str, Any] = json.load(file)
    return loaded


@pytest.mark.shared
def test_a_real_paper_replays_on_another_device(whole: bool) -> None:
    loaded = trace("automerge-paper")
    transactions = loaded["txns"] if whole else loaded["txns"][:PAPER_BEGINNING]
    written = ""
    laptop, phone = pair("")
    for transaction in transactions:
        for position, deleted, inserted in transaction["patches"]:
            written = written[:position] + inserted + written[position + deleted :]
        phone.take(laptop.edit(*(tuple(patch) for patch in transaction["patches"])))
    assert written == loaded["endContent"] or not whole
    assert laptop.document.string() == phone.document.string() == written
    state = phone.document.state()
    assert state == laptop.document.state()
    loaded_again = TextDocument.load(state)
    loaded_again.check()
    assert loaded_again.state() == state
    assert str(loaded_again.doc()["t"]) == written


@pytest.mark.shared
def test_two_people_who_really_typed_at_the_same_time_end_with_one_text() -> None:
    loaded = trace("friendsforever")
    transactions = loaded["txns"]
    writers = pair("")
    sent: list[tuple[bytes, tuple[bytes, int], Mapping[bytes, int]]] = []
    applied: tuple[set[int], set[int]] = (set(), set())

    def catch_up(agent: int, wanted: list[int]) -> None:
        missing, stack = set(), list(wanted)
        while stack:
            at = stack.pop()
            if at not in applied[agent] and at not in missing:
                missing.add(at)
                stack += transactions[at]["parents"]
        for at in sorted(missing):
            writers[agent].take(sent[at])
        applied[agent].update(missing)

    for at, transaction in enumerate(transactions):
        agent = transaction["agent"]
        catch_up(agent, transaction["parents"])
        sent.append(writers[agent].edit(*(tuple(patch) for patch in transaction["patches"])))
        applied[agent].add(at)
    for agent in (0, 1):
        catch_up(agent, list(range(len(transactions))))
    # The trace ends in the text in which, of two concurrent words at one place, agent 0's word comes first.
    assert writers[0].document.string() == writers[1].document.string() == loaded["endContent"]
    assert writers[0].document.state() == writers[1].document.state()
