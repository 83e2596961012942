from __future__ import annotations

import random
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edda_sync.crdt.text import state as text_state
from edda_sync.crdt.text.document import TextDocument
from edda_sync.crdt.text.edits import TextEdit
from edda_sync.crdt.text.sequence import TextSequence
from edda_sync.words.errors import CorruptError
from tests.crdt.text.test_order import steps
from tests.crdt.text_histories import make, random_edits

ANNA, BORIS = b"A" * 16, b"B" * 16
GENESIS = b"G" * 16
EVER = 1 << 40


def small() -> TextDocument:
    """A text with one of everything: two starts, an edit, a deletion, a rewrite, characters of two units."""
    document = TextDocument.start(GENESIS, "h🙂llo", [(ANNA, 1)])
    document.edit((BORIS, 4), {ANNA: 1}, [(2, 1, ""), (4, 0, "!")])
    document.rewrite((ANNA, 2), {ANNA: 1, BORIS: 4}, [(1, 1, "e")])
    document.started((BORIS, 9))
    return document


def test_a_state_has_its_published_bytes() -> None:
    """Part of the format: other bytes would change the hash of every edited text."""
    assert small().state().hex() == (
        "980194c41041414141414141414141414141414141c41042424242424242424242424242424242c410474747474747474747"
        "47474747474747c410cc5845dae5dfd060d1bdaeadf74b1da202929200019201099193019491049100910101959104910191"
        "029103910191940301919200029193020102919302910291019698020001a168ff00ff0098020102c00200ff0098030001a1"
        "650202020398020301c00202ff0098020402a26c6f0203ff0098010001a1210205ff00"
    )
    assert small().hash().hex() == "ece437b0a755d3b196cdade620db9b6df2429ef4d8a3f535c1802a26fa04e2fa"


def test_a_state_contains_what_was_done() -> None:
    format_, names, genesis, starts, authors, rewrites, pairs, runs = msgspec.msgpack.decode(small().state())
    (rewrite,) = set(names) - {ANNA, BORIS, GENESIS}
    index = {name: at for at, name in enumerate(names)}
    assert (format_, names, genesis) == (1, sorted(names), index[GENESIS])
    assert starts == [[index[ANNA], 1], [index[BORIS], 9]]
    assert authors == [[index[BORIS], [[4], [0], [1], 1], [[4], [1], [index[GENESIS]], [3], [1]]]]
    assert rewrites == [[index[rewrite], 1, [[index[ANNA], 2]], [[index[GENESIS], 1, 2]]]]
    assert pairs == [[index[GENESIS], [2], [1]]]
    g, nobody = index[GENESIS], [-1, 0]
    assert runs == [
        [g, 0, 1, "h", *nobody, *nobody],
        [g, 1, 2, None, g, 0, *nobody],
        [index[rewrite], 0, 1, "e", g, 2, g, 3],
        [g, 3, 1, None, g, 2, *nobody],
        [g, 4, 2, "lo", g, 3, *nobody],
        [index[BORIS], 0, 1, "!", g, 5, *nobody],
    ]


def histories(count: int = 40) -> list[TextDocument]:
    found = []
    for seed in range(count):
        document = make(seed).devices[0].document
        assert document is not None
        found.append(document)
    return found


def test_a_state_reads_back_as_the_same_text() -> None:
    for document in [*histories(), small(), TextDocument.start(GENESIS, "", [(ANNA, 1)])]:
        loaded = TextDocument.load(document.state())
        assert loaded.state() == document.state()
        assert (loaded.string(), loaded.vector(), loaded.hash()) == (
            document.string(),
            document.vector(),
            document.hash(),
        )
        loaded.check()


def test_a_text_that_was_loaded_goes_on_as_the_one_in_memory() -> None:
    chance = random.Random(1)
    for document in histories():
        loaded = TextDocument.load(document.state())
        past = dict.fromkeys(document._text.names, EVER)
        for seq in range(EVER + 1, EVER + 6):
            edits = random_edits(chance, document.string())
            loaded.apply(document.edit((BORIS, seq), {**past, BORIS: seq - 1}, edits), (BORIS, seq), past)
            assert loaded.state() == document.state()


def test_a_smaller_name_that_comes_later_changes_only_the_indices() -> None:
    orders = []
    for actors in ((BORIS, ANNA), (ANNA, BORIS)):
        document = TextDocument.start(GENESIS, "ab", [(GENESIS, 1)])
        for actor in actors:
            edits = [(document.string().index("b"), 0, actor[:1].decode())]
            document.edit((actor, 1), {GENESIS: 1, BORIS: 1, ANNA: 1}, edits)
            if actors[0] == BORIS:
                document = TextDocument.load(document.state())
        orders.append(document)
    assert [document.string() for document in orders] == ["aBAb", "aABb"], "each saw the other's"
    for document in orders:
        assert msgspec.msgpack.decode(document.state())[1] == [ANNA, BORIS, GENESIS]
        assert TextDocument.load(document.state()).string() == document.string()


def test_a_check_looks_at_every_run_and_does_not_cost_the_square() -> None:
    """Somebody may write a text of twenty thousand runs at one place."""
    costs = []
    for count in (400, 800):
        document = TextDocument.start(GENESIS, "ab", [(ANNA, 1)])
        for seq in range(count):
            actor = (ANNA, BORIS)[seq % 2]
            document.apply(
                TextEdit((), seq // 2, ((None, (1, 0) if seq < 2 else (0, seq // 2 - 1), "x"),), ()),
                (actor, seq + 2),
                {ANNA: 1, actor: seq + 1},
            )
        costs.append(steps(document.check))
    assert costs[1] < 2.5 * costs[0]


# --- what is no state -------------------------------------------------------------------------------------------------


def damaged(path: list[int], value: Any) -> bytes:
    """The small text's state with another value somewhere."""
    state = msgspec.msgpack.decode(small().state())
    at = state
    for step in path[:-1]:
        at = at[step]
    at[path[-1]] = value
    return msgspec.msgpack.encode(state)


NAMES = sorted({*small()._text.names})
G = NAMES.index(GENESIS)


@pytest.mark.parametrize(
    ("path", "value", "why"),
    [
        ([0], 2, "a text of format 2"),
        ([1, 0], b"short", "names that are not in order"),
        ([1, 2], ANNA, "names that are not in order"),
        ([1], [], "an index without a name"),
        ([1, 0], b"", "names that are not in order"),
        ([2], 9, "an index without a name"),
        ([2], -1, "an index without a name"),
        ([3], [], "no change that brought it"),
        ([3, 0, 1], 0, "no change that brought it"),
        ([3, 0, 0], 9, "no change that brought it"),
        ([4, 0, 0], 7, "an index without a name"),
        ([4, 0, 0], G, "an author of other units than are there"),
        ([4, 0, 1, 3], 2, "an author of other units than are there"),
        ([4, 0, 1, 1, 0], 1, "steps that do not go up"),
        ([4, 0, 2, 3, 0], 6, "a deletion of units that are not there"),
        ([4, 0, 2, 3, 0], -1, "a deletion of units that are not there"),
        ([4, 0, 2, 2, 0], 9, "a deletion of units that are not there"),
        ([4, 0, 2, 1, 0], 1 << 40, "a deletion of units that are not there"),
        ([4], [], "units that nobody brought"),
        ([5], [], "units that nobody brought"),
        ([5, 0, 1], 2, "a rewrite of other units than are there"),
        ([5, 0, 2], [], "no change that brought it"),
        ([5, 0, 3, 0, 2], 9, "a deletion of units that are not there"),
        ([5, 0, 3, 0, 2], 0, "a deletion of units that are not there"),
        ([7, 1, 3], "xy", "a run of other characters than it says"),
        ([6, 0, 1, 0], 9, "a character that is not there"),
        ([6, 0, 0], 9, "a character that is not there"),
        ([7, 0, 2], 0, "units twice, or with a gap"),
        ([7, 0, 2], 2, "units twice, or with a gap"),
        ([7, 0, 0], 9, "units twice|an index without a name"),
        ([7, 0, 1], -1, "units twice|a run without units"),
        ([7, 0, 3], "hh", "a run of other characters than it says"),
        ([7, 4, 3], "🙂", "a run of other characters than it says"),
        ([7, 2, 5], 77, "a run beside units that are not there"),
        ([7, 2, 6], 12, "a run beside units that are not there"),
        ([7, 2, 7], -1, "a run without units"),
        ([7, 0, 5], 1, "a run beside units that are not there"),
        ([7, 0, 0], True, "Expected `int`"),
        ([7, 0, 1], 0.0, "Expected `int`"),
        ([7], None, "Expected `array`"),
    ],
)
def test_an_inconsistent_state_is_refused(path: list[int], value: Any, why: str) -> None:
    with pytest.raises(CorruptError, match=why):
        TextDocument.load(damaged(path, value))


@pytest.mark.parametrize(("path", "value"), [([7, 0, 6], G), ([7, 1, 5], 4), ([7, 5, 6], G), ([7, 0, 4], G)])
def test_a_run_on_the_wrong_side_of_its_neighbour_is_no_text(path: list[int], value: int) -> None:
    small().check()
    document = TextDocument.load(damaged(path, value))
    with pytest.raises(CorruptError, match="a run on the wrong side of its neighbour"):
        document.check()


def test_every_cut_of_a_state_is_refused() -> None:
    state = small().state()
    for end in range(len(state)):
        with pytest.raises(CorruptError):
            TextDocument.load(state[:end])
    with pytest.raises(CorruptError):
        TextDocument.load(state + b"\0")


@given(st.data())
@settings(deadline=None, max_examples=500)
def test_a_damaged_state_is_refused_or_can_be_edited_and_checked(data: st.DataObject) -> None:
    state = bytearray(data.draw(st.sampled_from(STATES)))
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(state)))
        patch = data.draw(st.one_of(st.binary(max_size=3), st.sampled_from([bytes((value,)) for value in range(12)])))
        state[at : at + data.draw(st.integers(0, 2))] = patch
    try:
        document = TextDocument.load(bytes(state))
    except CorruptError:
        return
    past = dict.fromkeys(document._text.names, EVER)
    length = len(document.string())
    document.edit((b"Z" * 16, EVER), past, [(length // 2, 0, "🙂"), (0, length // 3, "")])
    assert document.string().count("🙂") > 0
    try:
        document.check()
        TextDocument.load(document.state())
    except CorruptError:
        return


STATES = [document.state() for document in [*histories(6), small()]]


def test_encoding_leaves_the_text_as_it_was() -> None:
    text = TextSequence(GENESIS, "ab", [(ANNA, 1)])
    first = text_state.encode(text)
    assert text_state.encode(text) == first
    assert text.order.string() == "ab"
