from __future__ import annotations

import random
import tracemalloc
from collections.abc import Callable, Iterator
from fractions import Fraction
from hashlib import blake2b
from itertools import pairwise
from struct import pack, unpack

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edda_sync.crdt import sketch
from edda_sync.crdt.digests import Item
from edda_sync.crdt.sketch import CELL_BYTES, ITEM_BYTES, Code, Decoded, Sketch, differences
from edda_sync.words import limits
from edda_sync.words.errors import RemoteProtocolError

KEY = b"nonce of A......nonce of B......"
codes = st.binary(min_size=16, max_size=64)


def item(number: int, state: int = 0) -> Item:
    return bytes((number % 4,)) + number.to_bytes(16, "big"), state.to_bytes(32, "big")


def items(first: int, count: int) -> list[Item]:
    return [item(number) for number in range(first, first + count)]


# Few keys in few states: the two sides share much, and differ in states as well as in keys.
item_sets = st.sets(st.builds(item, st.integers(0, 25), st.integers(0, 1)), max_size=20)


def decode(key: bytes, ours: set[Item], theirs: set[Item]) -> Decoded:
    """Compare two sets as devices do: with more cells until it is complete."""
    sketches = [Sketch(key, each) for each in (ours, theirs)]
    while True:
        mine, other = sketches
        decoded = differences(mine, other.cells(0, len(other)))
        if decoded.complete or len(mine) == limits.CODED_CELLS_MAX:
            return decoded
        for made, each in zip(sketches, (ours, theirs), strict=True):
            made.extend(each, 2 * len(made))


# --- decoding ---------------------------------------------------------------------------------------------------------


@given(codes, item_sets, item_sets)
def test_any_two_sets_decode_given_enough_cells(key: bytes, ours: set[Item], theirs: set[Item]) -> None:
    assert decode(key, ours, theirs) == Decoded(sorted(ours - theirs), sorted(theirs - ours), complete=True)


@given(codes, item_sets, item_sets, st.integers(1, 64))
def test_with_too_few_cells_the_result_is_true_and_marked_as_incomplete(
    key: bytes, ours: set[Item], theirs: set[Item], count: int
) -> None:
    decoded = differences(Sketch(key, ours, count), Sketch(key, theirs, count).cells(0, count))
    assert set(decoded.ours_only) <= ours - theirs
    assert set(decoded.theirs_only) <= theirs - ours
    found = len(decoded.ours_only) + len(decoded.theirs_only)
    assert decoded.complete == (found == len(ours ^ theirs))


def test_equal_sets_are_proved_equal_by_a_single_cell() -> None:
    ours = Sketch(KEY, items(0, 100), 1)
    assert differences(ours, Sketch(KEY, items(0, 100), 1).cells(0, 1)) == Decoded([], [], complete=True)


def test_one_different_entity_among_many_comes_out_on_both_sides() -> None:
    theirs = [*items(0, 500), item(500, 7), *items(501, 500)]
    decoded = differences(Sketch(KEY, items(0, 1_001)), Sketch(KEY, theirs).cells(0, 64))
    assert decoded == Decoded([item(500)], [item(500, 7)], complete=True)


def test_cells_that_only_one_side_has_do_not_count() -> None:
    ours, theirs = Sketch(KEY, items(0, 12), 256), Sketch(KEY, items(2, 12), 64)
    expected = Decoded(sorted(items(0, 2)), sorted(items(12, 2)), complete=True)
    assert differences(ours, theirs.cells(0, 64)) == expected
    assert differences(Sketch(KEY, items(0, 12), 64), Sketch(KEY, items(2, 12), 256).cells(0, 256)) == expected


# --- the code ---------------------------------------------------------------------------------------------------------


def test_cells_have_their_published_bytes() -> None:
    one = Sketch(KEY, [item(1, 9)], 5).cells(0, 5)
    held = "00000001" + "01" + "00" * 15 + "01" + "00" * 31 + "09" + "5054c202c4ae5fb5"
    empty = "00" * 61
    assert one.hex() == held + held + empty + held + held
    three, thousand = Sketch(KEY, items(0, 3), 4), Sketch(KEY, items(0, 1_000), 4_096)
    assert blake2b(three.cells(0, 4), digest_size=16).hexdigest() == "24ccc7deb086690aeb4dece6a9194d4b"
    assert blake2b(thousand.cells(0, 4_096), digest_size=16).hexdigest() == "db184deeb75a4aacfe5571b89403e72d"


def test_a_cell_is_a_count_a_sum_and_a_checksum() -> None:
    count, total, checksum = unpack(">i49s8s", Sketch(KEY, [item(1, 9)], 1).cells(0, 1))
    assert count == 1
    assert total == b"".join(item(1, 9))
    assert checksum == blake2b(total, key=KEY, person=b"edda-cells").digest()[:8]


def draws_of(data: bytes) -> Iterator[int]:
    while True:
        data = blake2b(data, key=KEY, person=b"edda-cells").digest()
        yield from unpack(">14I", data[8:])


@given(st.binary(min_size=ITEM_BYTES, max_size=ITEM_BYTES))
def test_the_cells_of_an_item_follow_from_its_draws_by_exact_fractions(data: bytes) -> None:
    expected, at = [], 0
    drawn = draws_of(data)
    while at < 300:
        expected.append(at)
        chance = Fraction(next(drawn) + 1, 2**32)
        before = at
        while not Fraction((before + 1) * (before + 2), (at + 1) * (at + 2)) < chance:
            at += 1
    assert Code(KEY).of(data, 300)[1] == expected


class ChosenDraws(Code):
    """A code whose draws are chosen, the same for each item."""

    def __init__(self, draws: list[int]) -> None:
        super().__init__(KEY)
        self._digest = pack(">Q14I", 0, *draws)

    def _hash(self, data: bytes) -> bytes:
        return self._digest


draws = st.integers(0, 2**32 - 1) | st.sampled_from([0, 1, 2**31, 2**32 - 2, 2**32 - 1])


@given(st.lists(draws, min_size=14, max_size=14))
def test_the_next_cell_is_the_least_that_the_draw_allows_for_every_draw(drawn: list[int]) -> None:
    _, cells = ChosenDraws(drawn).of(bytes(ITEM_BYTES), 2**24)

    def is_allowed(before: int, cell: int, draw: int) -> bool:
        return (draw + 1) * (cell + 1) * (cell + 2) > 2**32 * (before + 1) * (before + 2)

    assert cells[0] == 0
    for at, (before, cell) in enumerate(pairwise(cells)):
        assert is_allowed(before, cell, drawn[at % 14])
        assert not is_allowed(before, cell - 1, drawn[at % 14])


def test_the_extreme_draws_lead_to_the_next_cell_and_far_away() -> None:
    assert ChosenDraws([2**32 - 1] * 14).of(bytes(ITEM_BYTES), 100)[1] == list(range(100))
    assert ChosenDraws([0] * 14).of(bytes(ITEM_BYTES), 2**32)[1][:2] == [0, 92_681]
    assert 92_681 * 92_682 < 2**33 < 92_682 * 92_683


def test_an_item_is_in_cell_i_with_probability_two_in_i_plus_two() -> None:
    count, trials = 200, 20_000
    held = Sketch(KEY, items(0, trials), count)
    counts = [int.from_bytes(held.cells(index, 1)[:4], "big") for index in range(count)]
    assert counts[0] == trials
    for index in range(1, count):
        chance = 2 / (index + 2)
        assert abs(counts[index] - trials * chance) < 5 * (trials * chance * (1 - chance)) ** 0.5


@given(codes, item_sets, st.integers(1, 40), st.integers(1, 40))
def test_the_first_cells_are_the_same_however_many_follow(key: bytes, held: set[Item], count: int, more: int) -> None:
    few, many = Sketch(key, held, count), Sketch(key, held, count + more)
    assert many.cells(0, count) == few.cells(0, count)
    few.extend(iter(held), count + more)
    assert few.cells(0, count + more) == many.cells(0, count) + many.cells(count, more)


@given(item_sets, st.randoms(use_true_random=False))
def test_cells_do_not_depend_on_the_order_of_the_scan(held: set[Item], chance: random.Random) -> None:
    turned = list(held)
    chance.shuffle(turned)
    assert Sketch(KEY, turned).cells(0, 64) == Sketch(KEY, sorted(held)).cells(0, 64)


def test_a_second_scan_of_another_set_is_noticed_and_changes_nothing() -> None:
    held = Sketch(KEY, items(0, 10), 8)
    before = held.cells(0, 8)
    for others in (items(0, 9), items(0, 11), [*items(0, 9), item(9, 1)], items(1, 10)):
        with pytest.raises(ValueError, match="first scan"):
            held.extend(others, 16)
    assert held.cells(0, len(held)) == before


# --- the key ----------------------------------------------------------------------------------------------------------


@given(codes, codes, item_sets, item_sets)
def test_under_a_wrong_key_nothing_comes_out(right: bytes, wrong: bytes, ours: set[Item], theirs: set[Item]) -> None:
    decoded = differences(Sketch(right, ours), Sketch(wrong, theirs).cells(0, 64))
    if right == wrong:
        return
    assert set(decoded.ours_only) <= ours  # those in cells in which the peer has nothing
    assert decoded.theirs_only == []
    assert decoded.complete == (not theirs)


def test_another_key_puts_items_into_other_cells() -> None:
    data = b"".join(item(1))
    assert len({tuple(Code(bytes((number,)) * 16).of(data, 64)[1]) for number in range(50)}) > 45


@pytest.mark.parametrize("size", [0, 15, 65])
def test_a_key_of_another_size_is_refused(size: int) -> None:
    with pytest.raises(ValueError, match=f"a key of {size} bytes"):
        Sketch(bytes(size), [])


# --- misuse -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("count", [-1, 0, limits.CODED_CELLS_MAX + 1])
def test_a_sketch_has_at_least_one_cell_and_no_more_than_the_limit(count: int) -> None:
    with pytest.raises(ValueError, match="coded cells"):
        Sketch(KEY, [], count)


def test_the_largest_sketch_fits_a_frame() -> None:
    assert limits.CODED_CELLS_FIRST * CELL_BYTES < limits.CODED_CELLS_MAX * CELL_BYTES < limits.FRAME_BYTES_MAX // 2


@pytest.mark.parametrize(("first", "count"), [(-1, 1), (0, 65), (64, 1), (0, -1)])
def test_cells_that_do_not_exist_cannot_be_sent(first: int, count: int) -> None:
    with pytest.raises(ValueError, match="of 64"):
        Sketch(KEY, []).cells(first, count)


@pytest.mark.parametrize(("key_bytes", "hash_bytes"), [(16, 32), (17, 31), (18, 31), (17, 33)])
def test_an_item_of_another_shape_is_refused(key_bytes: int, hash_bytes: int) -> None:
    with pytest.raises(ValueError, match="an item of"):
        Sketch(KEY, [(bytes(key_bytes), bytes(hash_bytes))])


# --- liars ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [0, 1, CELL_BYTES - 1, CELL_BYTES + 1, CELL_BYTES * (limits.CODED_CELLS_MAX + 1)])
def test_bytes_that_are_no_cells_are_the_peers_fault(size: int) -> None:
    with pytest.raises(RemoteProtocolError):
        differences(Sketch(KEY, []), bytes(size))


def cell_of(item: Item, index: int, sign: int = 1) -> bytes:
    """One cell that holds an item with its checksum, at any place."""
    value, _ = Code(KEY).of(b"".join(item), index + 1)
    return pack(">i57s", sign, value.to_bytes(57, "big"))


def holding(cells: dict[int, bytes], count: int = 64) -> bytes:
    return b"".join(cells.get(index, bytes(CELL_BYTES)) for index in range(count))


def a_cell_in(item: Item, *, within: bool, count: int = 64) -> int:
    cells = Code(KEY).of(b"".join(item), count)[1]
    return next(index for index in range(1, count) if (index in cells) == within)


def test_an_item_that_could_be_taken_out_again_and_again_is_taken_once() -> None:
    false = holding({a_cell_in(item(1), within=True): cell_of(item(1), 64)})  # and in no other of its cells
    peeling = Sketch(KEY, []).without(false)
    assert peeling.run() == Decoded([], [item(1)], complete=False)
    assert peeling.steps == len(Code(KEY).of(b"".join(item(1)), 64)[1])


def test_an_item_in_a_cell_that_is_not_its_own_does_not_come_out() -> None:
    index = a_cell_in(item(1), within=False)
    assert differences(Sketch(KEY, []), holding({index: cell_of(item(1), 64)})) == Decoded([], [], complete=False)


def test_an_item_with_a_wrong_checksum_does_not_come_out() -> None:
    one = bytearray(Sketch(KEY, [item(1)]).cells(0, 64))
    for end in range(CELL_BYTES, len(one) + 1, CELL_BYTES):
        one[end - 1] ^= 1
    assert differences(Sketch(KEY, []), bytes(one)) == Decoded([], [], complete=False)


@pytest.mark.parametrize("place", [3, 4, 60], ids=["count", "sum", "checksum"])
def test_a_single_wrong_bit_in_an_empty_cell_makes_the_result_incomplete(place: int) -> None:
    cells = bytearray(64 * CELL_BYTES)
    cells[10 * CELL_BYTES + place] = 1
    assert differences(Sketch(KEY, []), bytes(cells)) == Decoded([], [], complete=False)


def test_a_count_of_two_with_one_item_makes_the_result_incomplete() -> None:
    cells = Code(KEY).of(b"".join(item(1)), 64)[1]
    twice = holding({index: cell_of(item(1), 64, 2) for index in cells})
    assert differences(Sketch(KEY, []), twice) == Decoded([], [], complete=False)


lies = st.lists(
    st.builds(cell_of, st.builds(item, st.integers(0, 5)), st.just(64), st.sampled_from([1, -1]))
    | st.binary(min_size=CELL_BYTES, max_size=CELL_BYTES)
    | st.just(bytes(CELL_BYTES)),
    min_size=1,
    max_size=64,
)


@given(lies, item_sets)
def test_peeling_ends_and_gives_whole_items_for_any_cells(cells: list[bytes], held: set[Item]) -> None:
    peeling = Sketch(KEY, held).without(b"".join(cells))
    decoded = peeling.run()
    assert peeling.steps <= (limits.CODED_CELL_STEPS_MAX + 1) * len(cells)
    found = decoded.ours_only + decoded.theirs_only
    assert len(set(found)) == len(found) <= len(cells)
    assert all((len(key), len(state)) == (17, 32) for key, state in found)


def test_peeling_ends_at_its_bound_and_says_that_it_is_incomplete(monkeypatch: pytest.MonkeyPatch) -> None:
    theirs = Sketch(KEY, items(0, 40), 128).cells(0, 128)
    assert differences(Sketch(KEY, [], 128), theirs).complete
    monkeypatch.setattr(limits, "CODED_CELL_STEPS_MAX", 1)
    peeling = Sketch(KEY, [], 128).without(theirs)
    assert not peeling.run().complete
    assert 128 <= peeling.steps < 2 * 128


# --- what it costs ----------------------------------------------------------------------------------------------------


class CountedHash:
    """A BLAKE2b that counts how often a hash is made."""

    made = 0

    def __init__(self, real: blake2b) -> None:
        self._real = real

    def copy(self) -> CountedHash:
        return CountedHash(self._real.copy())

    def update(self, data: bytes) -> None:
        self._real.update(data)

    def digest(self) -> bytes:
        CountedHash.made += 1
        return self._real.digest()


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> type[CountedHash]:
    def counting(*, key: bytes, digest_size: int, person: bytes) -> CountedHash:
        return CountedHash(blake2b(key=key, digest_size=digest_size, person=person))

    monkeypatch.setattr(sketch, "blake2b", counting)
    monkeypatch.setattr(CountedHash, "made", 0)
    return CountedHash


def cost_of_building(counted: type[CountedHash], count: int) -> tuple[int, int]:
    """Hashes and xors of one scan."""
    before = counted.made
    cells = Sketch(KEY, items(0, count)).cells(0, 64)
    xors = sum(int.from_bytes(cells[at : at + 4], "big") for at in range(0, len(cells), CELL_BYTES))
    return counted.made - before, xors


def cost_of_peeling(counted: type[CountedHash], count: int) -> tuple[int, int]:
    """Hashes and xors of peeling a number of differences out of twice as many cells."""
    theirs = Sketch(KEY, items(0, count), 2 * count).cells(0, 2 * count)
    peeling = Sketch(KEY, [], 2 * count).without(theirs)
    before = counted.made
    assert peeling.run().complete
    return counted.made - before, peeling.steps


Cost = Callable[[type[CountedHash], int], tuple[int, int]]


@pytest.mark.parametrize("cost_of", [cost_of_building, cost_of_peeling])
@pytest.mark.parametrize("count", [100, 300, 1_000])
def test_twice_as_much_costs_about_twice_as_much(counted: type[CountedHash], cost_of: Cost, count: int) -> None:
    (hashes, xors), (hashes_twice, xors_twice) = cost_of(counted, count), cost_of(counted, 2 * count)
    assert hashes < hashes_twice < 2.5 * hashes
    assert xors < xors_twice < 2.5 * xors


def test_building_costs_one_hash_and_eight_xors_per_item(counted: type[CountedHash]) -> None:
    hashes, xors = cost_of_building(counted, 2_000)
    assert 2_000 <= hashes < 1.01 * 2_000  # a second one for the rare item that is in more than 14 of 64 cells
    assert 7 * 2_000 < xors < 8 * 2_000


def test_a_sketch_holds_its_cells_and_no_items() -> None:
    def peak_bytes(count: int) -> int:
        tracemalloc.start()
        Sketch(KEY, (item(number) for number in range(count)))
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return peak

    peak_bytes(10)  # what is made once
    assert peak_bytes(5_000) < 1.2 * peak_bytes(500)
