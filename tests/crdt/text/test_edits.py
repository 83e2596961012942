from __future__ import annotations

import contextlib

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edda_sync.crdt.text.edits import TextEdit, decode, encode, rewrite_name
from edda_sync.words import limits
from edda_sync.words.errors import LimitError, RefusedTextError

LOW, HIGH = b"\x01" * 16, b"\x02" * 16
TYPED = TextEdit((), 7, (((0, 6), (1, 3), "é"),), ())
REWRITE = TextEdit((LOW, HIGH), None, ((None, (1, 0), "dog"), ((2, 4), None, "🙂")), ((1, 0, 3), (3, 300, 2)))


def refusal(*edit: object) -> str:
    with pytest.raises(RefusedTextError) as caught:
        decode(msgspec.msgpack.encode(edit))
    return caught.value.reason


# --- the one form -----------------------------------------------------------------------------------------------------


def test_an_edit_has_its_published_bytes() -> None:
    """Part of the format: a typed letter takes 13 bytes and those that its clocks need."""
    assert encode(TYPED) == bytes.fromhex("94 90 07 91 93 9200 06 9201 03 a2 c3a9 90".replace(" ", ""))
    deletions = "92 93010003 9303cd012c02"
    blocks = "92 93c0 920100 a3646f67 93920204 c0 a4f09f9982"
    names = "92 c410" + "01" * 16 + "c410" + "02" * 16
    assert encode(REWRITE) == bytes.fromhex(f"94 {names} c0 {blocks} {deletions}".replace(" ", ""))
    assert encode(TextEdit((), None, (), ())) == b"\x94\x90\xc0\x90\x90"


@pytest.mark.parametrize("edit", [TYPED, REWRITE, TextEdit((), None, (), ()), TextEdit((), None, (), ((0, 5, 1),))])
def test_an_edit_is_read_back_as_it_was_written(edit: TextEdit) -> None:
    assert decode(encode(edit)) == edit


def test_an_edit_with_blocks_and_without_a_clock_is_a_rewrite() -> None:
    assert [edit.is_rewrite for edit in (TYPED, REWRITE, TextEdit((), None, (), ((0, 5, 1),)))] == [False, True, False]


@given(st.binary(max_size=60))
def test_any_bytes_are_an_edit_in_its_one_form_or_refused(data: bytes) -> None:
    with contextlib.suppress(RefusedTextError):
        assert encode(decode(data)) == data


@given(st.data())
def test_a_damaged_edit_is_another_edit_in_its_one_form_or_refused(data: st.DataObject) -> None:
    damaged = bytearray(encode(data.draw(st.sampled_from([TYPED, REWRITE]))))
    at = data.draw(st.integers(0, len(damaged)))
    damaged[at : at + data.draw(st.integers(0, 2))] = data.draw(st.binary(max_size=3))
    with contextlib.suppress(RefusedTextError):
        assert encode(decode(bytes(damaged))) == bytes(damaged)


# --- what has another form --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "edit",
    [
        (),
        ([], 0, [], [], []),
        ([], True, [[None, None, "x"]], []),
        ([], 0.0, [[None, None, "x"]], []),
        ([], -1, [[None, None, "x"]], []),
        ([], "0", [[None, None, "x"]], []),
        ([], 0, [[None, None, b"x"]], []),
        ([], 0, [[None, None, ""]], []),
        ([], 0, [[None, "x"]], []),
        ([], 0, [[None, [0, True], "x"]], []),
        ([], 0, [[[0, 0, 0], None, "x"]], []),
        ([], 0, [[[0, limits.TEXT_CLOCK_MAX], None, "x"]], []),
        ([], 0, [[[-1, 0], None, "x"]], []),
        ([], None, [], [[0, 0, 0]]),
        ([], None, [], [[0, 0, 1.0]]),
        ([], None, [], [[0, 0]]),
        ([b"short"], None, [], [[2, 0, 1]]),
        (["a" * 16], None, [], [[2, 0, 1]]),
        ({}, None, [], []),
    ],
)
def test_values_of_other_types_than_an_edit_has_are_refused(edit: tuple[object, ...]) -> None:
    assert refusal(*edit).startswith("it is no edit")


def test_names_are_ascending_and_each_is_used() -> None:
    assert refusal([HIGH, LOW], None, [], [[2, 0, 1], [3, 0, 1]]) == "its names are not in order"
    assert refusal([LOW, LOW], None, [], [[2, 0, 1], [3, 0, 1]]) == "its names are not in order"
    assert refusal([LOW, HIGH], None, [], [[2, 0, 1]]) == "it has a name that it does not use"
    assert refusal([LOW], 0, [[[0, 0], None, "x"]], []) == "it has a name that it does not use"
    assert refusal([LOW], None, [], [[3, 0, 1]]) == "it has a name that it does not use"


@pytest.mark.parametrize(
    "edit",
    [
        ([], 0, [[[2, 0], None, "x"]], []),
        ([], 0, [[None, [2, 0], "x"]], []),
        ([LOW], 0, [[[2, 0], [3, 0], "x"]], []),
        ([], None, [], [[2, 0, 1]]),
    ],
)
def test_every_index_has_a_name(edit: tuple[object, ...]) -> None:
    assert refusal(*edit) == "it has an index without a name"


def test_an_edit_has_a_clock_if_it_inserts_something() -> None:
    assert refusal([], 0, [], []) == "it has a clock and inserts nothing"
    assert refusal([], 5, [], [[0, 0, 1]]) == "it has a clock and inserts nothing"


def test_a_block_that_continues_the_one_before_it_is_joined_to_it() -> None:
    for clock in (7, None):
        blocks: list[object] = [[[1, 0], [1, 1], "a🙂"], [[0, (clock or 0) + 2], [1, 1], "b"]]
        assert refusal([], clock, blocks, []) == "a block goes on where the one before it ended"
        blocks[1] = [[0, (clock or 0) + 2], [1, 2], "b"]
        decode(msgspec.msgpack.encode(([], clock, blocks, [])))


@pytest.mark.parametrize(
    "deletions",
    [
        [[0, 5, 1], [0, 4, 1]],
        [[1, 0, 1], [0, 0, 1]],
        [[0, 4, 2], [0, 5, 2]],
        [[0, 4, 1], [0, 5, 1]],
        [[0, 4, 1], [0, 4, 1]],
    ],
)
def test_deletions_are_ascending_and_apart(deletions: list[list[int]]) -> None:
    assert refusal([], None, [], deletions) == "its deletions are not in order, or not apart"


def test_numbers_and_strings_are_in_their_shortest_form() -> None:
    data = encode(TYPED)
    for short, long in ((b"\x94", b"\xdc\x00\x04"), (b"\x07", b"\xcc\x07"), (b"\xa2\xc3\xa9", b"\xd9\x02\xc3\xa9")):
        with pytest.raises(RefusedTextError, match="shortest form"):
            decode(data.replace(short, long, 1))


@pytest.mark.parametrize("raw", [b"\xff", b"\xed\xa0\x80", b"\xc0\x80", b"\xf0\x9f\x99"])
def test_invalid_utf_8_is_refused(raw: bytes) -> None:
    data = encode(TYPED).replace(b"\xa2\xc3\xa9", bytes((0xA0 | len(raw),)) + raw)
    with pytest.raises(RefusedTextError, match="it is no edit"):
        decode(data)


def test_every_cut_of_an_edit_and_every_byte_too_many_is_refused() -> None:
    data = encode(REWRITE)
    for end in range(len(data)):
        with pytest.raises(RefusedTextError):
            decode(data[:end])
    with pytest.raises(RefusedTextError):
        decode(data + b"\0")


def test_clocks_stay_within_32_bits() -> None:
    last = limits.TEXT_CLOCK_MAX - 1
    decode(msgspec.msgpack.encode(([], last, [[None, None, "x"]], [])))
    assert refusal([], last, [[None, None, "xy"]], []) == "a clock is too large"
    assert refusal([], last, [[None, None, "🙂"]], []) == "a clock is too large"


def test_an_edit_too_large_to_travel_is_neither_written_nor_read() -> None:
    large = TextEdit((), 0, ((None, None, "x" * limits.TEXT_UPDATE_BYTES_MAX),), ())
    with pytest.raises(LimitError):
        encode(large)
    with pytest.raises(RefusedTextError, match=r"[\d,]+ bytes where [\d,]+ are allowed"):
        decode(msgspec.msgpack.encode(large))


# --- names of rewrites ------------------------------------------------------------------------------------------------


def test_a_rewrite_is_named_by_its_text_and_its_whole_content() -> None:
    assert rewrite_name(LOW, REWRITE).hex() == "2c77538a510c5a4c8b40461b093579ac"  # part of the format
    replace = msgspec.structs.replace
    others = [
        rewrite_name(HIGH, REWRITE),
        rewrite_name(LOW, replace(REWRITE, names=(LOW, b"\x03" * 16))),
        rewrite_name(LOW, replace(REWRITE, blocks=((None, (1, 0), "cow"), REWRITE.blocks[1]))),
        rewrite_name(LOW, replace(REWRITE, blocks=((None, (1, 1), "dog"), REWRITE.blocks[1]))),
        rewrite_name(LOW, replace(REWRITE, blocks=REWRITE.blocks[:1])),
        rewrite_name(LOW, replace(REWRITE, deletions=REWRITE.deletions[:1])),
        rewrite_name(LOW, replace(REWRITE, deletions=((1, 0, 3), (3, 300, 1)))),
    ]
    assert len({rewrite_name(LOW, REWRITE), *others}) == len(others) + 1
