from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping

import pytest

from edda_sync.crdt.text import edits as codec
from edda_sync.crdt.text.document import TextDocument
from edda_sync.crdt.text.edits import TextEdit
from edda_sync.crdt.text.sequence import TextSequence
from edda_sync.words import limits
from edda_sync.words.errors import RefusedTextError
from tests.crdt.text.test_order import steps

ANNA, BORIS, CARLA, DORA = b"A" * 16, b"B" * 16, b"C" * 16, b"D" * 16
GENESIS = b"G" * 16
HERE = {ANNA: 1}  # Anna's first change starts every text

Id = tuple[int, int] | None


def start(string: str = "abcdef") -> TextSequence:
    return TextSequence(GENESIS, string, [(ANNA, 1)])


def inserts(*blocks: tuple[Id, Id, str], clock: int | None = 0, names: Iterable[bytes] = ()) -> TextEdit:
    return checked(TextEdit(tuple(names), clock, blocks, ()))


def deletes(*deletions: tuple[int, int, int], names: Iterable[bytes] = ()) -> TextEdit:
    return checked(TextEdit(tuple(names), None, (), deletions))


def checked(edit: TextEdit) -> TextEdit:
    """Return an edit that the codec lets through."""
    return codec.decode(codec.encode(edit))


def refusal(text: TextSequence, edit: TextEdit, dot: tuple[bytes, int], past: Mapping[bytes, int]) -> str:
    """Offer an edit that must be refused, compare the text with what it was before, and return the reason."""
    before = TextDocument(text).state()
    with pytest.raises(RefusedTextError) as caught:
        text.accept(edit, dot, past)
    assert TextDocument(text).state() == before
    return caught.value.reason


# --- 2: the text is known ---------------------------------------------------------------------------------------------


def test_an_author_knows_one_of_the_changes_that_started_the_text() -> None:
    edit = inserts(((1, 0), (1, 1), "x"))
    text = start()
    assert refusal(text, edit, (BORIS, 1), {}) == "its author does not know the text"
    assert refusal(text, edit, (BORIS, 1), {ANNA: 0, CARLA: 9}) == "its author does not know the text"
    text.starts.add((CARLA, 9))
    text.accept(edit, (BORIS, 1), {CARLA: 9})
    assert text.order.string() == "axbcdef"


def test_a_change_may_start_a_text_and_edit_it() -> None:
    text = start("")
    text.accept(inserts((None, None, "hi")), (ANNA, 1), {})
    assert text.order.string() == "hi"


# --- 3: what is named is in the past ----------------------------------------------------------------------------------


@pytest.mark.parametrize("beside", [(1, 6), (0, 0), (0, 2), (2, 0), (2, 3), (1, limits.TEXT_CLOCK_MAX - 1)])
def test_a_block_beside_what_nobody_wrote_is_refused(beside: tuple[int, int]) -> None:
    names = [CARLA] if beside[0] == 2 else []
    for text in (start(), start("")):
        assert "unknown" in refusal(text, inserts((beside, None, "x"), names=names), (BORIS, 1), HERE)
        assert "unknown" in refusal(text, inserts((None, beside, "x"), names=names), (BORIS, 1), HERE)
        assert "unknown" in refusal(text, deletes((*beside, 1), names=names), (BORIS, 1), HERE)


@pytest.mark.parametrize("deleted", [(1, 6, 1), (1, 5, 2), (1, 0, limits.TEXT_CLOCK_MAX)])
def test_a_deletion_that_goes_on_past_what_somebody_wrote_is_refused(deleted: tuple[int, int, int]) -> None:
    assert refusal(start(), deletes(deleted), (BORIS, 1), HERE) == "it deletes something unknown"


def test_what_is_here_and_not_in_the_past_of_its_author_is_unknown() -> None:
    """Known is what the author knows: who judged by what is here would come to other verdicts in other orders."""
    beside, deletion = inserts(((2, 0), (1, 1), "x"), names=[CARLA]), deletes((2, 0, 1), names=[CARLA])
    for text, edit in itertools.product((start("ab"), start("ab")), (beside, deletion)):
        assert "unknown" in refusal(text, edit, (BORIS, 1), HERE)
    text = start("ab")
    text.accept(inserts(((1, 0), (1, 1), "c")), (CARLA, 1), HERE)
    for edit in (beside, deletion):
        assert "unknown" in refusal(text, edit, (BORIS, 1), HERE)
        assert "unknown" in refusal(text, edit, (BORIS, 1), {**HERE, CARLA: 0})
    text.accept(beside, (BORIS, 1), {**HERE, CARLA: 1})
    assert text.order.string() == "acxb"


def test_of_an_author_that_is_known_in_part_only_that_part_is_known() -> None:
    text = start("ab")
    text.accept(inserts(((1, 0), (1, 1), "c")), (CARLA, 1), HERE)
    text.accept(inserts(((0, 0), (1, 1), "d"), clock=1), (CARLA, 2), {**HERE, CARLA: 1})
    past = {**HERE, CARLA: 1}
    assert "unknown" in refusal(text, inserts(((2, 1), (1, 1), "x"), names=[CARLA]), (BORIS, 1), past)
    text.accept(inserts(((2, 0), (1, 1), "x"), names=[CARLA]), (BORIS, 1), past)
    assert text.order.string() == "acxdb"  # Boris' name is the smaller one


def test_an_edit_may_stand_beside_and_delete_what_it_inserts_itself() -> None:
    text = start("ab")
    text.accept(
        checked(TextEdit((), 0, (((1, 0), (1, 1), "xyz"), ((0, 0), (0, 1), "-"), ((0, 0), (0, 3), "+")), ((0, 2, 2),))),
        (BORIS, 1),
        HERE,
    )
    assert text.order.string() == "ax+yb"
    late = inserts(((1, 0), (1, 1), "x"), ((0, 2), (0, 0), "y"))
    assert "unknown" in refusal(start("ab"), late, (BORIS, 1), HERE)


# --- 4: clocks --------------------------------------------------------------------------------------------------------


def test_an_author_goes_on_where_its_units_end_whatever_others_did() -> None:
    text = start("ab")
    first = inserts(((1, 0), (1, 1), "x🙂"))
    text.accept(first, (BORIS, 1), HERE)
    for clock in (0, 1, 2, 4, limits.TEXT_CLOCK_MAX - 1):
        again = inserts(((0, 2), (1, 1), "y"), clock=clock)
        assert refusal(text, again, (BORIS, 2), {**HERE, BORIS: 1}) == f"it starts at clock {clock}, not at 3"
    text.accept(deletes((0, 0, 1)), (BORIS, 2), {**HERE, BORIS: 1})
    text.accept(inserts(((0, 2), (1, 1), "y"), clock=3), (BORIS, 3), {**HERE, BORIS: 2})
    assert text.order.string() == "a🙂yb"


def test_an_edit_that_was_refused_uses_no_clocks() -> None:
    text = start("ab")
    assert refusal(text, inserts(((1, 1), (1, 0), "bad")), (BORIS, 1), HERE)
    text.accept(inserts(((1, 0), (1, 1), "good")), (BORIS, 2), {**HERE, BORIS: 1})
    assert text.order.string() == "agoodb"


# --- 5: neighbours ----------------------------------------------------------------------------------------------------


def test_a_right_neighbour_before_the_left_one_is_refused() -> None:
    """33 bytes as a Yjs update: who had taken it read another text once it was loaded again."""
    for left, right in itertools.product(range(6), repeat=2):
        edit = inserts(((1, left), (1, right), "!"))
        if right != left + 1:
            reason = "a block's right neighbour does not stand directly after its left one"
            assert refusal(start(), edit, (BORIS, 1), HERE) == reason
        else:
            start().accept(edit, (BORIS, 1), HERE)
    for block in ((None, (1, 1), "!"), ((1, 4), None, "!"), (None, None, "!")):
        assert "directly after" in refusal(start(), inserts(block), (BORIS, 1), HERE)


def test_deleted_neighbours_count() -> None:
    text = start()
    text.accept(deletes((1, 2, 2)), (CARLA, 1), HERE)
    past = {**HERE, CARLA: 1}
    assert "directly after" in refusal(text, inserts(((1, 1), (1, 4), "x")), (BORIS, 1), past)
    text.accept(inserts(((1, 2), (1, 3), "x")), (BORIS, 1), past)
    assert text.order.string() == "abxef"


def test_what_others_put_between_two_neighbours_meanwhile_parts_nobody() -> None:
    text = start("ab")
    text.accept(inserts(((1, 0), (1, 1), "c")), (CARLA, 1), HERE)
    text.accept(inserts(((1, 0), (1, 1), "d")), (DORA, 1), HERE)
    assert "directly after" in refusal(text, inserts(((1, 0), (1, 1), "x")), (BORIS, 1), {**HERE, CARLA: 1})
    text.accept(inserts(((1, 0), (1, 1), "x")), (BORIS, 1), HERE)
    assert text.order.string() == "axcdb"


def test_the_earlier_blocks_of_an_edit_stand_between_its_later_ones() -> None:
    between = ((1, 0), (1, 1), "x")
    assert "directly after" in refusal(start("ab"), inserts(between, between), (BORIS, 1), HERE)
    text = start("ab")
    text.accept(inserts(between, ((1, 0), (0, 0), "w")), (BORIS, 1), HERE)
    assert text.order.string() == "awxb"


def test_what_two_write_behind_different_letters_of_one_run_stands_there_in_every_order() -> None:
    """The letters are one run here, of which only what stands behind the second writer's neighbour was passed by it."""
    typed = [
        (inserts(((1, 0) if at == 0 else (0, at - 1), (1, 1), "xyz"[at]), clock=at), (BORIS, at + 1)) for at in range(3)
    ]
    changes = [(edit, dot, {**HERE, BORIS: dot[1] - 1}) for edit, dot in typed]
    changes.append((inserts(((2, 0), (1, 1), "c"), names=[BORIS]), (CARLA, 1), {**HERE, BORIS: 1}))
    changes.append((inserts(((2, 1), (1, 1), "d"), names=[BORIS]), (DORA, 1), {**HERE, BORIS: 2}))
    orders = 0
    for order in itertools.permutations(changes):
        text, held = start("ab"), dict(HERE)
        for edit, dot, past in order:
            if any(seq > held.get(actor, 0) for actor, seq in past.items()):
                break
            text.accept(edit, dot, past)
            held[dot[0]] = dot[1]
        else:
            assert text.order.string() == "axyzdcb"
            orders += 1
    assert orders > 5


# --- 6: characters ----------------------------------------------------------------------------------------------------


def test_nothing_points_inside_a_character() -> None:
    text = start("x🙂y")
    assert refusal(text, inserts(((1, 1), (1, 2), "!")), (BORIS, 1), HERE) == "a block stands inside a character"
    for half in ((1, 1, 1), (1, 2, 1), (1, 0, 2), (1, 2, 2)):
        assert refusal(text, deletes(half), (BORIS, 1), HERE) == "it deletes half a character"
    own = inserts(((1, 0), (1, 1), "🙃"), ((0, 0), (0, 1), "!"))
    assert refusal(text, own, (BORIS, 1), HERE) == "a block stands inside a character"
    half_of_its_own = checked(TextEdit((), 0, (((1, 0), (1, 1), "🙃"),), ((0, 0, 1),)))
    assert refusal(text, half_of_its_own, (BORIS, 1), HERE) == "it deletes half a character"
    text.accept(checked(TextEdit((), 0, (((1, 0), (1, 1), "🙃"),), ((0, 0, 2), (1, 1, 2)))), (BORIS, 1), HERE)
    assert text.order.string() == "xy"


def test_a_character_stays_whole_after_it_was_deleted_and_the_text_loaded_anew() -> None:
    in_memory = start("x🙂y")
    in_memory.accept(deletes((1, 1, 2)), (CARLA, 1), HERE)
    loaded = TextDocument.load(TextDocument(in_memory).state())
    past = {**HERE, CARLA: 1}
    for text in (in_memory, loaded._text):
        assert "inside" in refusal(text, inserts(((1, 1), (1, 2), "!")), (BORIS, 1), past)
        for half in ((1, 1, 1), (1, 2, 2)):
            assert "half" in refusal(text, deletes(half), (BORIS, 1), past)
        text.accept(inserts(((1, 2), (1, 3), "!")), (BORIS, 1), past)
        assert text.order.string() == "x!y"


# --- 7: how much ------------------------------------------------------------------------------------------------------


def test_one_actor_writes_so_much_and_no_more_in_edits_and_rewrites_together(monkeypatch: pytest.MonkeyPatch) -> None:
    long, rewrite = inserts(((0, 6), (1, 1), "1234"), clock=7), inserts((None, (1, 0), "1234"), clock=None)
    text = start("ab")
    monkeypatch.setattr(limits, "TEXT_CLOCK_MAX", 10)
    text.accept(inserts(((1, 0), (1, 1), "12345🙂")), (BORIS, 1), HERE)
    text.accept(deletes((0, 0, 7)), (BORIS, 2), {**HERE, BORIS: 1})
    past = {**HERE, BORIS: 2}
    for edit in (long, rewrite):
        assert refusal(text, edit, (BORIS, 3), past) == "its author has written too much into the text"
    text.accept(rewrite, (CARLA, 1), HERE)  # another one has its own measure
    text.accept(inserts(((1, 1), None, "12"), clock=None), (BORIS, 3), past)
    past = {**HERE, BORIS: 3}
    assert "too much" in refusal(text, inserts(((0, 6), (1, 1), "🙂"), clock=7), (BORIS, 4), past)
    text.accept(inserts(((0, 6), (1, 1), "1"), clock=7), (BORIS, 4), past)
    assert text.written(BORIS) == 10
    assert TextDocument.load(TextDocument(text).state())._text.written(BORIS) == 10


# --- 8: what is refused leaves nothing behind -------------------------------------------------------------------------


def test_a_bad_edit_beside_a_good_one_is_refused_alone_in_both_orders() -> None:
    bad, good = inserts(((1, 1), (1, 0), "bad")), inserts(((1, 0), (1, 1), "good"))
    texts = start("ab"), start("ab")
    refusal(texts[0], bad, (BORIS, 1), HERE)
    texts[0].accept(good, (CARLA, 1), HERE)
    texts[1].accept(good, (CARLA, 1), HERE)
    refusal(texts[1], bad, (BORIS, 1), HERE)
    after = {**HERE, BORIS: 1, CARLA: 1}
    for text in texts:
        text.accept(inserts(((0, 3), (1, 1), "!"), clock=4), (CARLA, 2), after)
        assert text.order.string() == "agood!b"
    assert TextDocument(texts[0]).state() == TextDocument(texts[1]).state()


def test_an_edit_whose_last_deletion_is_bad_inserts_nothing() -> None:
    edit = checked(TextEdit((), 0, (((1, 0), (1, 1), "x🙂"),), ((1, 0, 1), (1, 9, 1))))
    text = start("ab")
    assert refusal(text, edit, (BORIS, 1), HERE) == "it deletes something unknown"
    assert set(text.names) == {GENESIS, ANNA}, "its author is not even named"


def test_a_name_that_needs_no_table_is_refused_in_one() -> None:
    for name in (GENESIS, BORIS):
        edit = inserts(((2, 0), (1, 1), "x"), names=[name])
        assert refusal(start(), edit, (BORIS, 1), HERE) == "it names in its table what needs no table"


# --- rewrites ---------------------------------------------------------------------------------------------------------


def ticked(text: TextSequence, actor: bytes) -> TextEdit:
    """The tick in ``- [ ] milk``, as a rewrite."""
    at = text.order.string().index("[ ]") + 1
    return text.make(actor, [(at, at + 1, "x")], whole=True)


def test_a_box_ticked_on_two_devices_is_ticked_once() -> None:
    texts = start("- [ ] milk\n"), start("- [ ] milk\n")
    edits = [(ticked(text, actor), (actor, 2), {**HERE}) for text, actor in zip(texts, (BORIS, CARLA), strict=True)]
    assert edits[0][0] == edits[1][0]
    for text, order in zip(texts, (edits, edits[::-1]), strict=True):
        for edit, dot, past in order:
            text.accept(edit, dot, past)
        assert text.order.string() == "- [x] milk\n"
    assert TextDocument(texts[0]).state() == TextDocument(texts[1]).state()
    (rewrite,) = texts[0].rewrites.values()
    assert rewrite.dots == {(BORIS, 2), (CARLA, 2)}


def test_a_third_edit_beside_two_equal_rewrites_stands_whichever_of_them_its_author_knew() -> None:
    rewrite = ticked(start("- [ ] milk\n"), BORIS)
    name = codec.rewrite_name(GENESIS, rewrite)
    third = inserts(((2, 0), (1, 4), "!"), names=[name])  # directly behind the x
    elsewhere = inserts(((1, 9), (1, 10), " and eggs"))
    for knows in ({BORIS: 2}, {CARLA: 2}, {BORIS: 2, CARLA: 2}):
        told = [
            (rewrite, (BORIS, 2), HERE),
            (rewrite, (CARLA, 2), {**HERE, ANNA: 2}),  # who had seen what Anna wrote elsewhere
            (elsewhere, (ANNA, 2), HERE),
            (third, (DORA, 1), {**HERE, **knows, **({ANNA: 2} if CARLA in knows else {})}),
        ]
        states = set()
        for order in itertools.permutations(told):
            held = dict(HERE)
            text = start("- [ ] milk\n")
            for edit, dot, past in order:
                if any(seq > held.get(actor, 0) for actor, seq in past.items()):
                    break
                text.accept(edit, dot, past)
                held[dot[0]] = dot[1]
            else:
                assert text.order.string() == "- [x!] milk and eggs\n"
                states.add(TextDocument(text).state())
        assert len(states) == 1


def test_equal_words_where_two_bases_differ_are_two_rewrites() -> None:
    """One base has a deleted letter where the words go: the words were written between others."""
    plain, scarred = start("ab"), start("ab")
    scar = [(inserts(((1, 0), (1, 1), "x")), (DORA, 1), HERE), (deletes((0, 0, 1)), (DORA, 2), {**HERE, DORA: 1})]
    for edit in scar:
        scarred.accept(*edit)
    one = plain.make(BORIS, [(1, 1, "W")], whole=True), (BORIS, 1), HERE
    other = scarred.make(CARLA, [(1, 1, "W")], whole=True), (CARLA, 1), {**HERE, DORA: 2}
    assert one[0] != other[0]
    late = inserts(((1, 0), (1, 1), "k")), (ANNA, 2), HERE
    strings = set()
    for order in itertools.permutations([[one], [*scar, other], [late]]):
        text = start("ab")
        for edit in itertools.chain.from_iterable(order):
            text.accept(*edit)
        strings.add(text.order.string())
    assert len(strings) == 1
    assert sorted(strings.pop()) == sorted("aWWkb")


def test_a_rewrite_is_judged_by_the_past_of_each_change_that_makes_it() -> None:
    rewrite = ticked(start("- [ ] milk\n"), BORIS)
    text = start("- [ ] milk\n")
    assert refusal(text, rewrite, (CARLA, 1), {}) == "its author does not know the text"
    text.accept(inserts(((1, 3), (1, 4), "o")), (DORA, 1), HERE)
    assert "directly after" in refusal(text, rewrite, (CARLA, 1), {**HERE, DORA: 1})
    text.accept(rewrite, (BORIS, 2), HERE)
    assert "directly after" in refusal(text, rewrite, (CARLA, 1), {**HERE, DORA: 1})
    assert refusal(text, rewrite, (CARLA, 1), {**HERE, BORIS: 2}) == "its author knows this very rewrite"
    assert refusal(text, rewrite, (BORIS, 2), HERE) == "its author knows this very rewrite"
    beside = inserts(((2, 0), (1, 4), "!"), names=[codec.rewrite_name(GENESIS, rewrite)])
    assert "unknown" in refusal(text, beside, (CARLA, 1), HERE)
    text.accept(rewrite, (CARLA, 1), HERE)
    text.accept(beside, (CARLA, 2), {**HERE, CARLA: 1})


def test_nobody_goes_on_under_the_name_of_a_rewrite() -> None:
    rewrite = ticked(start("- [ ] milk\n"), BORIS)
    text = start("- [ ] milk\n")
    text.accept(rewrite, (BORIS, 2), HERE)
    past = {**HERE, BORIS: 2}
    more = inserts(((2, 0), (1, 4), "y"), clock=1, names=[codec.rewrite_name(GENESIS, rewrite)])
    assert refusal(text, more, (BORIS, 3), past) == "it starts at clock 1, not at 0"


# --- what a store has kept --------------------------------------------------------------------------------------------


def test_edits_that_were_kept_make_the_same_text_again_though_others_stand_between_their_neighbours() -> None:
    rewrite = ticked(start("- [ ] milk\n"), BORIS)
    told = [
        (inserts(((1, 3), (1, 4), "🙂")), (DORA, 1), HERE),
        (rewrite, (BORIS, 2), HERE),
        (TextEdit((), None, (), ()), (CARLA, 1), HERE),
        (rewrite, (CARLA, 2), HERE),
        (deletes((0, 0, 2)), (DORA, 2), {**HERE, DORA: 1}),
        (inserts(((1, 2), (1, 3), "x"), ((1, 0), (1, 1), "z")), (ANNA, 2), HERE),
    ]
    judged, replayed = start("- [ ] milk\n"), start("- [ ] milk\n")
    for edit, dot, past in told:
        judged.accept(edit, dot, past)
        replayed.replay(edit, dot)
    assert TextDocument(judged).state() == TextDocument(replayed).state()
    assert judged.order.string() == replayed.order.string()


@pytest.mark.parametrize(
    ("edit", "why"),
    [
        (inserts(((1, 9), None, "x")), "a block stands beside something unknown"),
        (inserts(((2, 0), None, "x"), names=[CARLA]), "a block stands beside something unknown"),
        (inserts(((1, 0), (1, 1), "x"), clock=4), "it starts at clock 4, not at 0"),
        (deletes((1, 1, 2)), "it deletes something unknown"),
    ],
)
def test_an_edit_that_cannot_have_been_kept_is_refused(edit: TextEdit, why: str) -> None:
    text = start("ab")
    with pytest.raises(RefusedTextError) as caught:
        text.replay(edit, (BORIS, 1))
    assert caught.value.reason == why
    assert TextDocument(text).state() == TextDocument(start("ab")).state()


# --- the cost ---------------------------------------------------------------------------------------------------------


def backwards(count: int, *, rewritten: bool = False) -> TextEdit:
    """Blocks between the first two letters, each before the one before it."""
    blocks: list[tuple[Id, Id, str]] = [((1, 0), (1, 1), "x")]
    blocks += [((1, 0), (0, at), "x") for at in range(count - 1)]
    return inserts(*blocks, clock=None if rewritten else 0)


def test_many_blocks_where_many_others_stand_cost_no_square() -> None:
    costs = []
    for count in (300, 600):
        text = start("ab")
        text.accept(backwards(count), (BORIS, 1), HERE)
        costs.append(steps(lambda text=text, count=count: text.accept(backwards(count), (CARLA, 1), HERE)))  # type: ignore[misc]
        assert text.order.string() == "a" + "x" * 2 * count + "b"
    assert costs[1] < 2.5 * costs[0]


def test_deleting_again_what_is_deleted_costs_little() -> None:
    text = start("ab")
    text.accept(backwards(2_000), (BORIS, 1), HERE)
    everything = deletes((1, 0, 2), (2, 0, 2_000), names=[BORIS])
    past = {**HERE, BORIS: 1}
    first = steps(lambda: text.accept(everything, (CARLA, 1), past))
    again = steps(lambda: text.accept(everything, (CARLA, 2), {**past, CARLA: 1}))
    assert text.order.string() == ""
    assert again < first / 10
