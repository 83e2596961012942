"""Edits of this device that may have to be written again: they are kept small, and return as they were."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

import edda_sync as edda
from edda_sync.crdt.text.diff import apply_edits
from edda_sync.ledger import retold
from edda_sync.ledger.retold import Retold
from edda_sync.store.seams import StoreWriter
from edda_sync.testing import devices, sync
from tests.sync.newcomers import newcomers

TEXTS = st.text("ab \U0001f600", max_size=8)


def test_the_record_of_edits_does_not_grow_with_the_text(tmp_path: Path) -> None:
    """A person types letter after letter into a long text before the first sync."""
    with devices(1, backend="memory") as (laptop,), newcomers(tmp_path, "memory") as newcomer:
        tablet = newcomer(laptop)
        note = tablet.create_document(edda.Document(title="note", content="word " * 2_000))
        for at in range(20):
            tablet.edit_text(note, "content", [(at, 0, "x")])
        other = tablet.create_document(edda.Document(title="other", content="short"))
        tablet.edit_text(other, "content", [(0, 5, "long")])
        with tablet.store.read() as reader:
            kept = list(reader.segments.rewritten())
        assert [each.before is None for each in kept] == [False] + [True] * 19 + [False]
        assert sum(len(each.edits) for each in kept) < 500
        told = Retold()
        read = [told.next(each) for each in kept]
        assert read[19] == ("x" * 19 + "word " * 2_000, "x" * 20 + "word " * 2_000)
        assert read[20] == ("short", "long")
        sync(laptop, tablet)


@given(st.lists(st.tuples(st.booleans(), TEXTS, st.lists(st.tuples(TEXTS, st.integers(0, 8), st.integers(0, 8))))))
def test_edits_return_as_they_were_kept(steps: list[tuple[bool, str, list[tuple[str, int, int]]]]) -> None:
    with devices(1, backend="memory") as (laptop,):

        def keep(tx: StoreWriter) -> list[tuple[str, str]]:
            expected = []
            text = ""
            for number, (is_other, other, drawn) in enumerate(steps):
                text = before = other if is_other else text
                edits = []
                for inserted, start, length in drawn:
                    at = min(start, len(text))
                    edits.append((at, min(length, len(text) - at), inserted))
                    text = apply_edits(text, edits[-1:])
                retold.keep(tx, number, b"entity", before, edits, text)
                expected.append((before, text))
            return expected

        expected = laptop.store.transact(keep)
        told = Retold()
        with laptop.store.read() as reader:
            assert [told.next(each) for each in reader.segments.rewritten()] == expected
