from __future__ import annotations

import gc
import gzip
import json
import subprocess
import sys
import weakref
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edda_sync import limits
from edda_sync.crdt import validator
from edda_sync.crdt.diff import Edit, apply_edits
from edda_sync.crdt.text import TextDocument, genesis_id
from edda_sync.errors import InvalidValueError, LimitError, RefusedTextError, UsageError

ANNA, BORIS, CARLA = 0x8F3A5B7C9D1E1, 0x71E5B7C9D1E22, 0x0000000000003
ENTITY = bytes(range(16))
TRACES = Path(__file__).resolve().parents[3] / "shared" / "data" / "traces"
MIXED = "a🙂e\u0301\0日\n👩‍👧b"

words = st.text(st.sampled_from("ab \n\0é日🙂\u0301\u200d"), max_size=6)


def start(string: str, actor: int = 0) -> TextDocument:
    return TextDocument.start(genesis_id(ENTITY, "content", string), string, actor)


def unchanged_by_refusal(document: TextDocument, actor: int, update: bytes) -> str:
    """Apply an update that must be refused; return the reason."""
    before = document.string(), document.vector(), document.state()
    with pytest.raises(RefusedTextError) as caught:
        document.apply(actor, update)
    assert (document.string(), document.vector(), document.state()) == before
    return caught.value.reason


@st.composite
def edits_of(draw: st.DrawFn, string: str) -> list[Edit]:
    edits: list[Edit] = []
    length = len(string)
    for _ in range(draw(st.integers(1, 3))):
        position = draw(st.integers(0, length))
        deleted = draw(st.integers(0, min(4, length - position)))
        inserted = draw(words)
        edits.append((position, deleted, inserted))
        length += len(inserted) - deleted
    return edits


# --- starting ---------------------------------------------------------------------------------------------------------


def test_every_device_derives_the_same_bytes_from_the_same_start() -> None:
    genesis = genesis_id(ENTITY, "content", "héllo")
    assert genesis == 0x1021C92000660C  # part of the format: another value would split every text in two
    number = bytes((genesis >> 7 * at) & 0x7F | (0x80 if at < 7 else 0) for at in range(8))
    golden = b"\x01\x01" + number + b"\x00\x04\x01\x01t\x06h\xc3\xa9llo\x00"
    assert TextDocument.start(genesis, "héllo").state() == golden
    assert TextDocument.start(genesis, "héllo", ANNA).state() == golden


def test_another_entity_field_or_string_starts_another_text() -> None:
    ids = {
        genesis_id(ENTITY, "content", "hello world"),
        genesis_id(ENTITY, "content", "HELLO"),
        genesis_id(ENTITY, "content", ""),
        genesis_id(ENTITY, "description", "hello world"),
        genesis_id(bytes(16), "content", "hello world"),
        genesis_id(ENTITY, "contenth", "ello world"),
    }
    assert len(ids) == 6
    assert all(genesis >> limits.ACTOR_BITS == 1 for genesis in ids)


def test_the_same_words_put_into_an_empty_field_on_two_devices_stand_once() -> None:
    laptop, phone = start("hello", ANNA), start("hello", BORIS)
    phone.apply(ANNA, laptop.edit(ANNA, [(5, 0, " Anna")]))
    assert phone.string() == "hello Anna"
    phone.merge(laptop.state())
    assert phone.string() == "hello Anna"


@pytest.mark.parametrize("string", ["", "x", MIXED, "日本語" * 3_000])
def test_a_start_reads_back_and_counts_utf_16_units(string: str) -> None:
    document = start(string)
    assert document.string() == string
    clock = len(string.encode("utf-16-le")) // 2
    assert document.vector() == ({genesis_id(ENTITY, "content", string): clock} if string else {})


def test_a_start_that_is_not_unicode_or_too_large_is_refused() -> None:
    for string in ("half \ud83d", "x" * (limits.TEXT_BYTES_MAX + 1)):
        with pytest.raises(InvalidValueError):
            TextDocument.start(1 << 52, string)


# --- editing ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("position", range(len(MIXED) + 1))
def test_positions_are_code_points_whatever_stands_there(position: int) -> None:
    laptop, phone = start(MIXED), start(MIXED)
    for edit in ((position, 0, "🙂"), (position, 1, ""), (position, min(2, len(MIXED) - position), "日\0")):
        before = laptop.string()
        phone.apply(ANNA, laptop.edit(ANNA, [edit]))
        assert laptop.string() == phone.string() == apply_edits(before, [edit])


@given(st.data())
@settings(deadline=None)
def test_edits_do_to_the_text_what_they_do_to_a_string(data: st.DataObject) -> None:
    string = data.draw(words)
    laptop, phone = start(string), start(string)
    for _ in range(data.draw(st.integers(1, 6))):
        edits = data.draw(edits_of(string))
        update = laptop.edit(ANNA, edits)
        phone.apply(ANNA, update)
        string = apply_edits(string, edits)
        assert laptop.string() == phone.string() == string
        assert laptop.vector() == phone.vector()
    assert TextDocument.load(laptop.state()).string() == string


@pytest.mark.parametrize("character", ["b", "β", "🙂"])
def test_a_long_text_is_edited_across_the_pieces_in_which_it_is_measured(character: str) -> None:
    string = character * 3 * limits.TEXT_PIECE_CODE_POINTS
    laptop, phone = start(string), start(string)
    size = limits.TEXT_PIECE_CODE_POINTS
    schedule: list[Edit] = [
        (size, 0, "at a seam"),
        (size - 1, size + 2, ""),
        (0, 0, "é" * 5 * size),
        (7 * size, 5, "日"),
        (1, 4 * size, "!"),
    ]
    for edit in schedule:
        phone.apply(ANNA, laptop.edit(ANNA, [edit]))
        string = apply_edits(string, [edit])
        assert laptop.string() == phone.string() == string
    laptop.edit(ANNA, [(0, len(string), "")])
    laptop.edit(ANNA, [(0, 0, "é")])
    assert laptop.string() == "é"


def test_many_edits_make_one_update_that_holds_their_authors_blocks_only() -> None:
    document = start("one two three", ANNA)
    document.apply(BORIS, start("one two three").edit(BORIS, [(0, 0, "zero ")]))
    known = document.vector()
    update = document.edit(ANNA, [(0, 4, "null"), (9, 3, "zwei"), (0, 0, "🙂")])
    assert document.string() == "🙂null one zwei three"
    assert validator.validate(update, author=ANNA, known=known).known == {ANNA: document.vector()[ANNA]}


def test_edits_that_change_nothing_make_an_update_that_changes_nothing() -> None:
    laptop, phone = start("hello"), start("hello")
    for edits in ([], [(3, 0, "")]):
        update = laptop.edit(ANNA, edits)
        assert update == validator.EMPTY_UPDATE
        phone.apply(ANNA, update)
    assert phone.string() == "hello"
    assert phone.vector() == laptop.vector() == start("hello").vector()


def test_words_written_and_deleted_in_one_transaction_pass_the_validator_and_move_the_clock() -> None:
    laptop, phone = start("base"), start("base")
    update = laptop.edit(ANNA, [(4, 0, "🙂" * 5_000), (4, 5_000, ""), (0, 1, "c")])
    assert len(update) < 100
    phone.apply(ANNA, update)
    phone.apply(ANNA, laptop.edit(ANNA, [(4, 0, "!")]))
    assert laptop.string() == phone.string() == "case!"
    assert laptop.vector() == phone.vector() == {**start("base").vector(), ANNA: 10_002}


@pytest.mark.parametrize("edit", [(-1, 0, "x"), (7, 0, "x"), (5, 2, ""), (0, -1, "x"), (0, 7, "")])
def test_an_edit_outside_the_text_is_refused_before_any_of_its_transaction_is_made(edit: Edit) -> None:
    laptop, phone = start("ab🙂de"), start("ab🙂de")
    with pytest.raises(InvalidValueError):
        laptop.edit(ANNA, [(0, 0, "X"), edit])
    assert laptop.string() == "ab🙂de"
    phone.apply(ANNA, laptop.edit(ANNA, [(0, 0, "Y")]))
    assert laptop.string() == phone.string() == "Yab🙂de"


def test_half_a_character_is_refused_before_any_of_its_transaction_is_made() -> None:
    document = start("base")
    with pytest.raises(InvalidValueError, match="lone surrogate"):
        document.edit(ANNA, [(0, 0, "X"), (0, 0, "\udc00")])
    assert document.string() == "base"


def test_a_text_grows_up_to_its_limit_and_can_always_shrink() -> None:
    string = "é" * (limits.TEXT_BYTES_MAX // 2 - 1)
    laptop, phone = start(string, ANNA), start(string, BORIS)
    with pytest.raises(LimitError):
        laptop.edit(ANNA, [(0, 1, "日🙂")])
    laptop.edit(ANNA, [(0, 1, "🙂")])
    phone.edit(BORIS, [(9, 2, "日日")])
    laptop.merge(phone.state())
    assert len(laptop.string().encode()) == limits.TEXT_BYTES_MAX + 2
    with pytest.raises(LimitError):
        laptop.edit(ANNA, [(0, 2, "日日x")])
    laptop.edit(ANNA, [(0, 2, "🙂é")])
    laptop.edit(ANNA, [(0, 1, "")])
    assert len(laptop.string().encode()) == limits.TEXT_BYTES_MAX - 2


def test_an_update_too_large_to_travel_is_not_handed_out() -> None:
    document = start("", ANNA)
    filler = "x" * (limits.TEXT_BYTES_MAX // 2 + 1)
    with pytest.raises(LimitError):
        document.edit(ANNA, [(0, 0, filler)] + [(0, 0, "ab"), (1, 0, "c")] * 30_000 + [(0, 0, filler[:-100_000])])
    with pytest.raises(UsageError):
        document.string()


def test_an_actor_whose_clock_is_used_up_is_told_so() -> None:
    state = b"\x01\x01\x03\x00\x01\x01\x01t\xfe\xff\xff\xff\x07" + b"\x01\x03\x01\x00\xfe\xff\xff\xff\x07"
    document = TextDocument.load(state)
    assert document.vector() == {CARLA: limits.TEXT_CLOCK_MAX - 1}
    with pytest.raises(LimitError):
        document.edit(CARLA, [(0, 0, "ab")])
    document.edit(CARLA, [(0, 0, "a")])
    document.edit(ANNA, [(1, 0, "b")])
    assert document.string() == "ab"


# --- several devices --------------------------------------------------------------------------------------------------


def test_edits_made_at_the_same_time_merge_by_character() -> None:
    laptop, phone = start("Buy milk"), start("Buy milk")
    ours, theirs = laptop.edit(ANNA, [(4, 0, "oat ")]), phone.edit(BORIS, [(8, 0, " and eggs")])
    laptop.apply(BORIS, theirs)
    phone.apply(ANNA, ours)
    assert laptop.string() == phone.string() == "Buy oat milk and eggs"
    assert laptop.vector() == phone.vector()


def test_an_edit_of_a_transaction_that_failed_leaves_no_phantom_once_its_document_is_thrown_away() -> None:
    stored = start("base").state()
    failed = TextDocument.load(stored)
    failed.edit(ANNA, [(4, 0, " phantom")])
    del failed
    writer, peer = TextDocument.load(stored), TextDocument.load(stored)
    peer.apply(ANNA, writer.edit(ANNA, [(0, 0, "real ")]))
    assert writer.string() == peer.string() == "real base"
    assert writer.vector() == peer.vector()


def test_two_processes_of_one_store_both_edit_a_document_that_they_caught_up() -> None:
    command, running, elsewhere = start("x"), start("x"), start("x")
    first = command.edit(ANNA, [(1, 0, "-cli")])
    stale = start("x").edit(ANNA, [(1, 0, "-up")])  # what the running process would write without catching up
    assert unchanged_by_refusal(command, ANNA, stale) == "it starts at clock 0, not at 4"
    running.apply(ANNA, first)
    second = running.edit(ANNA, [(5, 0, "-up")])
    for update in (first, second):
        elsewhere.apply(ANNA, update)
    command.apply(ANNA, second)
    assert command.string() == running.string() == elsewhere.string() == "x-cli-up"


def test_a_device_goes_on_under_a_new_actor() -> None:
    document, peer = start("one"), start("one")
    for actor, edit in ((ANNA, (3, 0, " two")), (BORIS, (7, 0, " three")), (ANNA, (0, 3, "1"))):
        peer.apply(actor, document.edit(actor, [edit]))
    assert document.string() == peer.string() == "1 two three"
    assert set(document.vector()) == {genesis_id(ENTITY, "content", "one"), ANNA, BORIS}


class Device:
    """A device as the engine drives texts: a log in causal order, pulled from one another."""

    def __init__(self, actor: int, string: str) -> None:
        self.actor, self.document = actor, start(string)
        self.log: list[tuple[int, int, bytes]] = []
        self.frontier: dict[int, int] = {}

    def edit(self, edits: list[Edit]) -> None:
        self._append(self.actor, self.document.edit(self.actor, edits))

    def pull(self, other: Device) -> None:
        for actor, seq, update in other.log:
            if seq > self.frontier.get(actor, 0):
                self.document.apply(actor, update)
                self._append(actor, update)

    def join(self, other: Device) -> None:
        """Take the other's text as a snapshot, and its log without applying it."""
        self.document.merge(other.document.state())
        for actor, seq, update in other.log:
            if seq > self.frontier.get(actor, 0):
                self._append(actor, update)

    def restart(self) -> None:
        self.document = TextDocument.load(self.document.state(), self.actor)

    def _append(self, actor: int, update: bytes) -> None:
        self.frontier[actor] = self.frontier.get(actor, 0) + 1
        self.log.append((actor, self.frontier[actor], update))


@given(st.data())
@settings(deadline=None, max_examples=150)
def test_devices_that_have_the_same_updates_have_the_same_text_in_every_causal_order(data: st.DataObject) -> None:
    string = data.draw(words)
    devices = [Device(actor, string) for actor in (ANNA, BORIS, CARLA)]
    for _ in range(data.draw(st.integers(1, 14))):
        device, other = data.draw(st.sampled_from(devices)), data.draw(st.sampled_from(devices))
        match data.draw(st.sampled_from(["edit", "edit", "edit", "pull", "join", "restart"])):
            case "edit":
                device.edit(data.draw(edits_of(device.document.string())))
            case "pull":
                device.pull(other)
            case "join":
                device.join(other)
            case "restart":
                device.restart()
    for device in (*devices, *devices):
        for other in devices:
            device.pull(other)
    assert len({device.document.string() for device in devices}) == 1
    assert devices[0].document.vector() == devices[1].document.vector() == devices[2].document.vector()
    for device in devices:
        device.restart()
        assert device.document.string() == devices[0].document.string()


# --- what others send -------------------------------------------------------------------------------------------------


def test_an_update_under_another_name_than_its_authors_is_refused() -> None:
    document = start("base")
    update = start("base").edit(ANNA, [(0, 0, "x")])
    assert "not its author's" in unchanged_by_refusal(document, BORIS, update)


def test_an_update_is_taken_once_and_only_after_what_came_before_it() -> None:
    writer, reader = start("base"), start("base")
    first, second = writer.edit(ANNA, [(0, 0, "1")]), writer.edit(ANNA, [(1, 0, "2")])
    assert unchanged_by_refusal(reader, ANNA, second) == "it starts at clock 1, not at 0"
    reader.apply(ANNA, first)
    assert unchanged_by_refusal(reader, ANNA, first) == "it starts at clock 0, not at 1"
    reader.apply(ANNA, second)
    assert reader.string() == "12base"


def test_what_points_inside_a_character_is_refused_wherever_the_character_came_from() -> None:
    document, peer = start("🙂", BORIS), start("🙂")
    peer.apply(BORIS, document.edit(BORIS, [(1, 0, "e🙃")]))
    half = (b"\0\x01", b"\x01\x01\x01")  # a deletion of unit 1, of some client
    for client, clock in ((genesis_id(ENTITY, "content", "🙂"), 1), (BORIS, 2)):
        name = bytes((client >> 7 * at) & 0x7F | (0x80 if at < 7 else 0) for at in range(8))
        update = half[0] + name + b"\x01" + bytes((clock, 1))
        for text in (document, peer, TextDocument.load(peer.state())):
            assert unchanged_by_refusal(text, ANNA, update) == "it deletes half a character"


@pytest.fixture(scope="module")
def honest() -> list[tuple[bytes, int, bytes]]:
    """States of texts, and what an honest actor then wrote."""
    corpus = []
    document = start("hé🙂llo")
    schedule: list[tuple[int, list[Edit]]] = [
        (CARLA, [(0, 0, "a")]),
        (ANNA, [(3, 2, "日🙂"), (0, 1, "")]),
        (CARLA, [(2, 3, ""), (2, 0, "bb\0")]),
        (ANNA, [(1, 0, "xyz"), (1, 2, "")]),
        (BORIS, [(0, 0, "e\u0301"), (5, 1, "q")]),
    ]
    for actor, edits in schedule:
        state = document.state()
        corpus.append((state, actor, document.edit(actor, edits)))
    return corpus


@st.composite
def damages(draw: st.DrawFn, data: bytes) -> bytes:
    damaged = bytearray(data)
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, len(damaged)))
        patch = draw(st.one_of(st.binary(max_size=3), st.sampled_from([bytes((value,)) for value in range(12)])))
        damaged[at : at + draw(st.integers(0, 2))] = patch
    return bytes(damaged)


@given(data=st.data())
@settings(deadline=None, max_examples=1_500)
def test_a_damaged_update_is_refused_whole_or_leaves_a_text_that_still_loads(
    honest: list[tuple[bytes, int, bytes]], data: st.DataObject
) -> None:
    state, actor, update = data.draw(st.sampled_from(honest))
    document = TextDocument.load(state)
    before = document.string(), document.vector()
    try:
        document.apply(actor, data.draw(damages(update)))
    except RefusedTextError:
        assert (document.string(), document.vector()) == before
    else:
        loaded = TextDocument.load(document.state())
        assert loaded.vector() == document.vector()
        assert sorted(loaded.string()) == sorted(document.string())


@given(data=st.data())
@settings(deadline=None, max_examples=500)
def test_a_damaged_state_is_refused_or_can_be_edited(
    honest: list[tuple[bytes, int, bytes]], data: st.DataObject
) -> None:
    state, _, _ = data.draw(st.sampled_from(honest))
    try:
        document = TextDocument.load(data.draw(damages(state)))
    except RefusedTextError:
        return
    document.edit(0xA, [(0, 0, "🙂")])
    assert TextDocument.load(document.state()).vector() == document.vector()


def test_a_state_whose_blocks_wait_for_each_other_is_not_whole() -> None:
    ring = b"\x02" + b"\x01\x02\x00\x84\x01\x00\x01x" + b"\x01\x01\x00\x84\x02\x00\x01y" + b"\x00"
    with pytest.raises(RefusedTextError, match="not whole"):
        TextDocument.load(ring)
    document = start("base")
    with pytest.raises(RefusedTextError, match="not whole"):
        document.merge(ring)
    with pytest.raises(UsageError):
        document.string()


def test_a_state_of_which_part_is_known_merges_once() -> None:
    laptop, phone = start("🙂 base"), start("🙂 base")
    phone.apply(ANNA, laptop.edit(ANNA, [(0, 0, "a🙂"), (3, 1, "")]))
    laptop.edit(ANNA, [(2, 0, "b🙃")])
    phone.edit(BORIS, [(2, 2, "🎈")])
    laptop.merge(phone.state())
    phone.merge(laptop.state())
    assert laptop.string() == phone.string()
    assert sorted(laptop.string()) == sorted("a🙂b🙃🎈ase")
    assert laptop.vector() == phone.vector()


def test_a_panic_of_pycrdt_becomes_a_refusal_and_ends_the_object(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    hello = TextDocument.load(bytes.fromhex("01010500040101740568656c6c6f00"))
    poison = bytes.fromhex("01010505440502000000")  # yrs unwraps a None; the validator is taken away to let it through
    assert unchanged_by_refusal(hello, 5, poison) == "a block is empty"
    monkeypatch.setattr(validator, "validate", lambda *_, **__: validator.Contents())
    with pytest.raises(RefusedTextError, match="pycrdt cannot take it"):
        hello.apply(5, poison)
    assert "panicked" in capfd.readouterr().err
    for use in (hello.string, hello.state, hello.vector, lambda: hello.edit(ANNA, []), lambda: hello.apply(5, poison)):
        with pytest.raises(UsageError):
            use()


# --- cost -------------------------------------------------------------------------------------------------------------


def test_a_dropped_text_leaves_no_document_behind() -> None:
    document = start("base")
    document.edit(ANNA, [(0, 0, "x")])
    left = weakref.ref(document._doc)
    del document
    gc.collect()
    assert left() is None


def test_holding_the_module_does_not_load_pycrdt() -> None:
    code = "import sys; from edda_sync.crdt import diff, text, validator; sys.exit('pycrdt' in sys.modules)"
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
def test_the_first_keystrokes_of_a_real_paper_replay_on_another_device() -> None:
    laptop, phone, string = start(""), start(""), ""
    for transaction in trace("automerge-paper")["txns"][:3_000]:
        edits = [(position, deleted, inserted) for position, deleted, inserted in transaction["patches"]]
        phone.apply(ANNA, laptop.edit(ANNA, edits))
        string = apply_edits(string, edits)
    assert laptop.string() == phone.string() == string
    assert laptop.vector() == phone.vector()
    assert TextDocument.load(phone.state()).string() == string


@pytest.mark.shared
def test_two_friends_who_really_typed_at_the_same_time_end_with_one_text() -> None:
    transactions = trace("friendsforever")["txns"][:6_000]
    actors, documents = (ANNA, BORIS), (start(""), start(""))
    updates: list[bytes] = []
    applied: tuple[set[int], set[int]] = (set(), set())

    def catch_up(agent: int, wanted: list[int]) -> None:
        missing, stack = set(), list(wanted)
        while stack:
            at = stack.pop()
            if at not in applied[agent] and at not in missing:
                missing.add(at)
                stack += transactions[at]["parents"]
        for at in sorted(missing):
            documents[agent].apply(actors[transactions[at]["agent"]], updates[at])
        applied[agent].update(missing)

    for at, transaction in enumerate(transactions):
        agent = transaction["agent"]
        catch_up(agent, transaction["parents"])
        updates.append(documents[agent].edit(actors[agent], [tuple(patch) for patch in transaction["patches"]]))
        applied[agent].add(at)
    for agent in (0, 1):
        catch_up(agent, list(range(len(transactions))))
    assert documents[0].string() == documents[1].string() != ""
    assert documents[0].vector() == documents[1].vector()
