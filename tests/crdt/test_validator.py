from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pycrdt import Array, Doc, Map, Text, XmlFragment

from edda_sync import limits
from edda_sync.crdt.validator import EMPTY_UPDATE, read_number, second_units, units, validate, validate_state
from edda_sync.errors import RefusedTextError

ANNA, BORIS = 0x8F3A5B7C9D1E1, 0x71E5B7C9D1E22
GENESIS = 1 << 52 | 0x123456789ABC
KNOWN = {GENESIS: 5, BORIS: 3}

STRING, DELETED, GC, SKIP = 4, 1, 0, 10
PARENT = b"\x01\x01t"


def number(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes((*out, value))


def text(string: str) -> bytes:
    return number(len(string.encode())) + string.encode()


def place(client: int, clock: int) -> bytes:
    return number(client) + number(clock)


def block(content: bytes, left: bytes = b"", right: bytes = b"", kind: int = STRING) -> bytes:
    info = kind | (0x80 if left else 0) | (0x40 if right else 0)
    return bytes((info,)) + left + right + (b"" if left or right else PARENT) + content


def client(name: int, clock: int, *blocks: bytes) -> bytes:
    return number(len(blocks)) + number(name) + number(clock) + b"".join(blocks)


def update(*clients: bytes, deletions: bytes = b"\0") -> bytes:
    return number(len(clients)) + b"".join(clients) + deletions


def deletion(name: int, *ranges: tuple[int, int]) -> bytes:
    return b"\x01" + number(name) + number(len(ranges)) + b"".join(number(a) + number(b) for a, b in ranges)


def refusal(data: bytes, known: dict[int, int] = KNOWN, **options: object) -> str:
    with pytest.raises(RefusedTextError) as caught:
        validate(data, author=ANNA, known=known, **options)  # type: ignore[arg-type]
    return caught.value.reason


# --- what honest devices write ----------------------------------------------------------------------------------------


def test_an_insertion_between_known_neighbours_is_accepted_and_moves_the_clock() -> None:
    data = update(client(ANNA, 7, block(text("hello"), place(GENESIS, 2), place(GENESIS, 3))))
    contents = validate(data, author=ANNA, known={**KNOWN, ANNA: 7})
    assert contents.known == {ANNA: 12}
    assert contents.ascii
    assert contents.pairs == {}


def test_the_first_words_of_an_empty_text_name_the_root() -> None:
    assert validate(update(client(ANNA, 0, block(text("hi")))), author=ANNA, known={}).known == {ANNA: 2}


def test_a_block_may_stand_beside_an_earlier_one_of_the_same_update() -> None:
    data = update(client(ANNA, 0, block(text("hi")), block(text("!"), place(ANNA, 1))))
    assert validate(data, author=ANNA, known={}).known == {ANNA: 3}


def test_a_deletion_alone_is_accepted_and_moves_no_clock() -> None:
    data = update(deletions=deletion(GENESIS, (0, 2), (4, 1)))
    assert validate(data, author=ANNA, known=KNOWN).known == {}


def test_an_update_that_changes_nothing_is_accepted() -> None:
    assert validate(EMPTY_UPDATE, author=ANNA, known={}).known == {}


def test_what_was_written_and_deleted_in_one_transaction_is_longer_than_its_bytes_and_honest() -> None:
    doc: Doc[Text] = Doc(client_id=ANNA)
    root = doc.get("t", type=Text)
    updates: list[bytes] = []
    subscription = doc.observe(lambda event: updates.append(event.update))
    with doc.transaction():
        root.insert(0, "x" * 100_000)
        del root[0:100_000]
    doc.unobserve(subscription)
    assert len(updates[0]) < 50
    assert validate(updates[0], author=ANNA, known={}).known == {ANNA: 100_000}


def test_clocks_count_utf_16_units() -> None:
    data = update(client(ANNA, 0, block(text("aé日🙂b"))))
    contents = validate(data, author=ANNA, known={})
    assert contents.known == {ANNA: 6}
    assert contents.pairs == {ANNA: [4]}
    assert not contents.ascii
    doc: Doc[Text] = Doc(client_id=BORIS)
    doc.apply_update(data)
    assert doc.get_state() == b"\x01" + place(ANNA, 6)


@given(st.text(), st.integers(0, 1_000))
def test_units_and_second_units_agree_with_utf_16(string: str, clock: int) -> None:
    encoded = string.encode("utf-16-le")
    words = [int.from_bytes(encoded[at : at + 2], "little") for at in range(0, len(encoded), 2)]
    assert units(string) == len(words)
    assert second_units(string, clock) == [clock + at for at, word in enumerate(words) if 0xDC00 <= word < 0xE000]


@given(st.integers(0, 2**53 - 1), st.binary(max_size=3))
def test_numbers_are_read_back_up_to_53_bits(value: int, tail: bytes) -> None:
    encoded = number(value)
    assert read_number(b"\xff" + encoded + tail, 1) == (value, 1 + len(encoded))


def test_a_state_of_several_clients_is_accepted_in_any_order_of_clients() -> None:
    anna = client(ANNA, 0, block(text("b"), place(BORIS, 0)), block(number(4), place(ANNA, 0), kind=DELETED))
    boris = client(BORIS, 0, block(text("a🙂")))
    for state in (update(anna, boris), update(boris, anna)):
        contents = validate_state(state)
        assert contents.known == {ANNA: 5, BORIS: 3}
        assert contents.pairs == {BORIS: [2]}


# --- what nobody honest writes ----------------------------------------------------------------------------------------

BETWEEN = (place(GENESIS, 2), place(GENESIS, 3))


def test_blocks_under_another_name_are_refused() -> None:
    assert "not its author's" in refusal(update(client(BORIS, 3, block(text("x"), *BETWEEN))))
    assert "not its author's" in refusal(update(client(GENESIS, 5, block(text("x"), *BETWEEN))))
    both = update(client(ANNA, 0, block(text("x"), *BETWEEN)), client(BORIS, 3, block(text("x"), *BETWEEN)))
    assert "not its author's" in refusal(both)


def test_a_genesis_id_is_no_author() -> None:
    data = update(client(GENESIS, 5, block(text("x"), *BETWEEN)))
    with pytest.raises(RefusedTextError, match="no actor"):
        validate(data, author=GENESIS, known=KNOWN)


@pytest.mark.parametrize("clock", [0, 6, 8, 2**31 - 3])
def test_a_gap_or_a_repetition_of_clocks_is_refused(clock: int) -> None:
    data = update(client(ANNA, clock, block(text("x"), *BETWEEN)))
    assert refusal(data, {**KNOWN, ANNA: 7}) == f"it starts at clock {clock}, not at 7"


def test_squatting_on_the_clocks_of_another_device_is_refused() -> None:
    squat = update(client(BORIS, 3, bytes((GC,)) + number(2**31)))
    assert "a block of kind 0x00" in refusal(squat)


@pytest.mark.parametrize("kind", [GC, SKIP, 2, 3, 5, 6, 7, 8, 9, 11, 15, 0x20 | STRING, 0xA0 | STRING, 0x80 | SKIP])
def test_only_strings_and_their_deletions_are_content(kind: int) -> None:
    data = update(client(ANNA, 0, bytes((kind,)) + place(GENESIS, 2) + place(GENESIS, 3) + text("x")))
    assert refusal(data) == f"a block of kind {kind:#04x} is in it"


OTHERS: dict[str, Callable[[Any], object]] = {
    "an array": lambda doc: doc.get("t", type=Array).append("x"),
    "a map": lambda doc: doc.get("t", type=Map).update({"x": 1}),
    "a text in a map": lambda doc: doc.get("t", type=Map).update({"x": Text("x")}),
    "xml": lambda doc: doc.get("t", type=XmlFragment).children.append("x"),
    "bold words": lambda doc: doc.get("t", type=Text).insert(0, "x", {"bold": True}),
    "an object among the words": lambda doc: doc.get("t", type=Text).insert_embed(0, {"x": 1}),
    "another root": lambda doc: doc.get("u", type=Text).insert(0, "x"),
}


@pytest.mark.parametrize("write", OTHERS.values(), ids=OTHERS)
def test_other_things_that_yjs_can_write_are_refused(write: Callable[[Any], object]) -> None:
    doc: Doc[Any] = Doc(client_id=ANNA)
    write(doc)
    with pytest.raises(RefusedTextError, match=r"a block of kind|a block belongs to something else"):
        validate(doc.get_update(), author=ANNA, known={})


@pytest.mark.parametrize("parent", [b"\x01\x01u", b"\x01\x02tt", b"\x00" + place(GENESIS, 1), b"\x01\x00"])
def test_only_the_root_of_the_text_is_a_parent(parent: bytes) -> None:
    data = update(client(ANNA, 0, bytes((STRING,)) + parent + text("x")))
    assert refusal(data) == "a block belongs to something else than the text"


@pytest.mark.parametrize(
    "neighbour",
    [place(GENESIS, 5), place(BORIS, 3), place(77, 0), place(GENESIS, 2**40)],
    ids=["end", "end", "who", "far"],
)
def test_unknown_neighbours_are_refused(neighbour: bytes) -> None:
    for data in (block(text("x"), neighbour), block(text("x"), right=neighbour)):
        assert refusal(update(client(ANNA, 0, data))) == "a block stands beside something unknown"


@pytest.mark.parametrize("clock", [7, 8, 9])
def test_a_block_does_not_stand_beside_itself_or_a_later_one(clock: int) -> None:
    for data in (block(text("ab"), place(ANNA, clock)), block(text("ab"), right=place(ANNA, clock))):
        reason = refusal(update(client(ANNA, 7, data)), {**KNOWN, ANNA: 7})
        assert reason == "a block stands beside itself or what comes after it"


@pytest.mark.parametrize("ranges", [[(4, 2)], [(5, 1)], [(0, 1), (0, 2**40)]])
def test_unknown_deletions_are_refused(ranges: list[tuple[int, int]]) -> None:
    assert refusal(update(deletions=deletion(GENESIS, *ranges))) == "it deletes something unknown"


def test_deletions_of_an_unknown_client_and_of_its_own_future_are_refused() -> None:
    assert refusal(update(deletions=deletion(77, (0, 1)))) == "it deletes something unknown"
    data = update(client(ANNA, 0, block(text("x"), *BETWEEN)), deletions=deletion(ANNA, (0, 2)))
    assert refusal(data) == "it deletes something unknown"


def test_nothing_points_inside_a_character_of_the_text() -> None:
    pairs = {GENESIS: [2]}  # units 1 and 2 are one character
    for data in (
        block(text("x"), place(GENESIS, 1)),
        block(text("x"), right=place(GENESIS, 2)),
        block(text("x"), place(GENESIS, 1), place(GENESIS, 2)),
    ):
        assert refusal(update(client(ANNA, 0, data)), pairs=pairs) == "a block stands inside a character"
    for half in ((1, 1), (2, 1), (0, 2), (2, 3)):
        assert refusal(update(deletions=deletion(GENESIS, half)), pairs=pairs) == "it deletes half a character"
    whole = update(
        client(ANNA, 0, block(text("x"), place(GENESIS, 0), place(GENESIS, 1)), block(text("y"), place(GENESIS, 2))),
        deletions=deletion(GENESIS, (1, 2)),
    )
    assert validate(whole, author=ANNA, known=KNOWN, pairs=pairs).known == {ANNA: 2}


def test_nothing_points_inside_a_character_of_the_update_itself() -> None:
    inside = update(client(ANNA, 0, block(text("🙂")), block(text("x"), place(ANNA, 0))))
    assert refusal(inside) == "a block stands inside a character"
    half = update(client(ANNA, 0, block(text("🙂"))), deletions=deletion(ANNA, (0, 1)))
    assert refusal(half) == "it deletes half a character"


def test_empty_blocks_and_empty_deletions_are_refused() -> None:
    assert refusal(update(client(ANNA, 0, block(text(""), *BETWEEN)))) == "a block is empty"
    assert refusal(update(client(ANNA, 0, block(number(0), *BETWEEN, kind=DELETED)))) == "a block is empty"
    assert refusal(update(deletions=deletion(GENESIS, (1, 0)))) == "a deletion is empty"


def test_a_client_without_blocks_or_listed_twice_is_refused() -> None:
    one = client(ANNA, 0, block(text("x"), *BETWEEN))
    for data in (update(client(ANNA, 0)), update(one, one)):
        assert refusal(data) == "a client is listed twice, or without blocks"


def test_clocks_stay_within_32_bits() -> None:
    full = update(client(ANNA, 0, block(number(limits.TEXT_CLOCK_MAX), *BETWEEN, kind=DELETED)))
    assert validate(full, author=ANNA, known=KNOWN).known == {ANNA: limits.TEXT_CLOCK_MAX}
    over = update(client(ANNA, 0, block(number(limits.TEXT_CLOCK_MAX + 1), *BETWEEN, kind=DELETED)))
    assert refusal(over) == "a clock is too large"


@pytest.mark.parametrize("raw", [b"\xff", b"\xed\xa0\x80", b"\xc0\x80", b"\xf0\x9f\x99"])
def test_strings_that_are_not_utf_8_are_refused(raw: bytes) -> None:
    assert refusal(update(client(ANNA, 0, block(number(len(raw)) + raw, *BETWEEN)))) == "a string is not UTF-8"


@pytest.mark.parametrize("raw", [b"\x80\x00", b"\x81\x80\x00", number(2**53), b"\xff" * 8 + b"\x01"])
def test_numbers_beyond_53_bits_or_not_in_their_shortest_form_are_refused(raw: bytes) -> None:
    assert "number" in refusal(raw + b"\0")


def test_every_cut_of_an_update_and_every_byte_too_many_is_refused() -> None:
    data = update(
        client(ANNA, 0, block(text("hé🙂"), *BETWEEN), block(number(300), place(ANNA, 3), kind=DELETED)),
        deletions=deletion(GENESIS, (0, 1), (3, 2)),
    )
    validate(data, author=ANNA, known=KNOWN)
    for end in range(len(data)):
        assert refusal(data[:end]) == "it is cut short"
    assert refusal(data + b"\0") == "it has bytes left over"


def test_counts_that_promise_more_than_there_is_end_at_once() -> None:
    huge = number(2**53 - 1)
    for data in (huge, b"\x01" + huge + place(ANNA, 0), b"\0" + huge, b"\0\x01" + number(GENESIS) + huge):
        assert refusal(data) == "it is cut short"
    string = update(client(ANNA, 0, block(huge + b"abc", *BETWEEN)))
    assert refusal(string) == "it is cut short"


def test_an_update_larger_than_allowed_is_not_even_read() -> None:
    data = update(client(ANNA, 0, block(text("x" * 100), *BETWEEN)))
    assert refusal(data, size_max=100) == f"{len(data)} bytes where 100 are allowed"


def test_a_state_starts_at_clock_0_and_is_closed() -> None:
    late = update(client(ANNA, 1, block(text("x"))))
    dangling = update(client(ANNA, 0, block(text("x"), place(BORIS, 0))))
    inside = update(client(ANNA, 0, block(text("x"), place(BORIS, 0))), client(BORIS, 0, block(text("🙂"))))
    for state, reason in (
        (late, "a state does not start at clock 0"),
        (dangling, "a block stands beside something unknown"),
        (inside, "a block stands inside a character"),
    ):
        with pytest.raises(RefusedTextError) as caught:
            validate_state(state)
        assert caught.value.reason == reason


@given(st.binary(max_size=60))
def test_any_bytes_are_accepted_or_refused_and_nothing_else_happens(data: bytes) -> None:
    with contextlib.suppress(RefusedTextError):
        assert set(validate(data, author=ANNA, known=KNOWN).known) <= {ANNA}
    with contextlib.suppress(RefusedTextError):
        assert 0 not in validate_state(data).known.values()
