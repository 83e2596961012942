"""Setting a text back: what one change brought goes, what it deleted returns, and nothing else moves."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from edda_sync.crdt.text import edits as codec
from edda_sync.crdt.text.diff import apply_edits
from edda_sync.crdt.text.document import TextDocument
from edda_sync.crdt.text.setting_back import SetBack, set_back
from tests.crdt.text.test_document import Writer, edits_of, pair, start, words

BASE = "one two 🙂 three"
Sent = tuple[bytes, tuple[bytes, int], dict[bytes, int]]


def folded(sent: list[Sent], void: frozenset[tuple[bytes, int]] = frozenset()) -> TextDocument:
    document = start(BASE)
    for data, dot, past in sent:
        document.apply(codec.decode(data), dot, past, void=dot in void)
    return document


def back(sent: list[Sent], *void: tuple[bytes, int]) -> SetBack:
    found = set_back(folded(sent).sequence, folded(sent, frozenset(void)).sequence)
    assert found is not None
    return found


@given(st.data())
def test_the_edits_make_the_text_that_there_would_be_without_the_changes(data: st.DataObject) -> None:
    writers, sent = pair(BASE), list[Sent]()
    heard = [0, 0]
    for _ in range(data.draw(st.integers(1, 6))):
        at = data.draw(st.integers(0, 1))
        writer: Writer = writers[at]
        if data.draw(st.booleans()):
            for each in sent[heard[at] :]:
                if each[1][0] != writer.actor:
                    writer.take(each)
            heard[at] = len(sent)
        elif data.draw(st.booleans()):
            sent.append(writer.edit(*data.draw(edits_of(writer.document.string()))))  # type: ignore[arg-type]
        else:
            sent.append(writer.rewrite(writer.document.string() + data.draw(words)))  # type: ignore[arg-type]
    void = data.draw(st.sets(st.sampled_from([dot for _, dot, _ in sent]))) if sent else set[tuple[bytes, int]]()
    now, found = folded(sent).string(), back(sent, *void)
    assert apply_edits(now, found.edits) == folded(sent, frozenset(void)).string()
    assert found.hidden or found.shown or not found.edits


def test_only_the_own_letters_go_where_somebody_else_wrote_between_them() -> None:
    laptop, phone = pair(BASE)
    first = laptop.edit((3, 0, "abcd"))
    phone.take(first)
    second = phone.edit((5, 0, "X"))
    found = back([first, second], first[1])  # type: ignore[list-item]
    assert apply_edits(folded([first, second]).string(), found.edits) == "oneX two 🙂 three"  # type: ignore[list-item]
    assert (found.hidden, found.shown) == (4, 0)


def test_what_others_deleted_too_does_not_return() -> None:
    laptop, phone = pair(BASE)
    sent = [laptop.edit((0, 8, "")), phone.edit((4, 4, ""))]
    found = back(sent, sent[0][1])  # type: ignore[arg-type]
    assert found.edits == [(0, 0, "one ")]
    assert (found.hidden, found.shown) == (0, 4)


def test_two_texts_that_are_not_the_same_are_not_compared() -> None:
    laptop, _ = pair(BASE)
    laptop.edit((0, 0, "more "))
    assert set_back(laptop.document.sequence, start(BASE).sequence) is None
    assert set_back(start(BASE).sequence, laptop.document.sequence) is None
