from __future__ import annotations

import itertools

import pytest

from edda_sync.crdt.text import edits as codec
from edda_sync.crdt.text import making
from edda_sync.crdt.text.document import TextDocument
from edda_sync.crdt.text.edits import TextEdit
from edda_sync.words.errors import RefusedTextError
from tests.crdt.text.test_order import steps
from tests.crdt.text.texts import (
    ANNA,
    BORIS,
    CARLA,
    DORA,
    GENESIS,
    HERE,
    Id,
    checked,
    deletes,
    inserts,
    refusal,
    start,
    ticked,
)


def test_words_that_two_write_behind_different_letters_of_one_run_have_one_place_in_every_order() -> None:
    """The letters are one run here, and the second writer's edit passed only those behind its neighbour."""
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


def test_a_third_edit_beside_two_equal_rewrites_has_one_place_whichever_of_them_its_author_knew() -> None:
    rewrite = ticked(start("- [ ] milk\n"), BORIS)
    name = codec.rewrite_name(GENESIS, rewrite)
    third = inserts(((2, 0), (1, 4), "!"), names=[name])  # directly behind the x
    elsewhere = inserts(((1, 9), (1, 10), " and eggs"))
    for knows in ({BORIS: 2}, {CARLA: 2}, {BORIS: 2, CARLA: 2}):
        told = [
            (rewrite, (BORIS, 2), HERE),
            (rewrite, (CARLA, 2), {**HERE, ANNA: 2}),  # its author had seen what Anna wrote elsewhere
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


def test_equal_words_on_different_bases_are_two_rewrites() -> None:
    """One base has a deleted letter at that place, so the words were written between other letters."""
    plain, scarred = start("ab"), start("ab")
    scar = [(inserts(((1, 0), (1, 1), "x")), (DORA, 1), HERE), (deletes((0, 0, 1)), (DORA, 2), {**HERE, DORA: 1})]
    for edit in scar:
        scarred.accept(*edit)
    one = making.make(plain, BORIS, [(1, 1, "W")], whole=True), (BORIS, 1), HERE
    other = making.make(scarred, CARLA, [(1, 1, "W")], whole=True), (CARLA, 1), {**HERE, DORA: 2}
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


def test_kept_edits_make_the_same_text_again_even_with_others_between_their_neighbours() -> None:
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


def backwards(count: int, *, rewritten: bool = False) -> TextEdit:
    """Blocks between the first two letters, each in front of the previous one."""
    blocks: list[tuple[Id, Id, str]] = [((1, 0), (1, 1), "x")]
    blocks += [((1, 0), (0, at), "x") for at in range(count - 1)]
    return inserts(*blocks, clock=None if rewritten else 0)


def test_many_blocks_among_many_others_do_not_cost_the_square() -> None:
    costs = []
    for count in (300, 600):
        text = start("ab")
        text.accept(backwards(count), (BORIS, 1), HERE)
        costs.append(steps(lambda text=text, count=count: text.accept(backwards(count), (CARLA, 1), HERE)))  # type: ignore[misc]
        assert text.order.string() == "a" + "x" * 2 * count + "b"
    assert costs[1] < 2.5 * costs[0]


def test_deleting_deleted_units_again_costs_little() -> None:
    text = start("ab")
    text.accept(backwards(2_000), (BORIS, 1), HERE)
    everything = deletes((1, 0, 2), (2, 0, 2_000), names=[BORIS])
    past = {**HERE, BORIS: 1}
    first = steps(lambda: text.accept(everything, (CARLA, 1), past))
    again = steps(lambda: text.accept(everything, (CARLA, 2), {**past, CARLA: 1}))
    assert text.order.string() == ""
    assert again < first / 10
