from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edda_sync.crdt.text.runs import EDGE, Chunk, Run
from edda_sync.crdt.text.units import units

TEXTS = st.text("ab🙂é", min_size=1, max_size=12)


def run(text: str | None, clock: int = 0, *, size: int | None = None, name: int = 1) -> Run:
    """A run whose units were written one after another behind unit 5 of another name."""
    return Run(name, clock, units(text or "") if size is None else size, text, 0, 5, *EDGE)


def copied(one: Run) -> Run:
    return Run(*msgspec.structs.astuple(one))


def same(one: Run, other: Run) -> bool:
    return msgspec.structs.astuple(one) == msgspec.structs.astuple(other)


@given(TEXTS, st.integers(0, 100), st.booleans(), st.data())
def test_a_run_that_is_cut_and_absorbed_again_is_as_before(
    text: str, clock: int, deleted: bool, data: st.DataObject
) -> None:
    edges = [clock + units(text[:at]) for at in range(1, len(text))]
    if not edges:
        return
    whole = run(None if deleted else text, clock, size=units(text))
    first = copied(whole)
    rest = first.cut(data.draw(st.sampled_from(edges)))
    assert first.size + rest.size == whole.size
    assert rest.clock == first.clock + first.size
    assert deleted or (first.text or "") + (rest.text or "") == text
    assert rest.goes_on(first)
    first.absorb(rest)
    assert same(first, whole)


@given(TEXTS, st.integers(0, 20), st.integers(1, 5))
def test_pieces_end_where_they_must_and_together_give_the_run_again(text: str, clock: int, every: int) -> None:
    inside = {clock + units(text[:at]) for at in range(len(text) + 1)}

    def end_of(at: int) -> int:  # the next multiple that does not stand inside a character
        return next(
            end for end in range(at + 1, at + every + 3) if end >= at + every and (end in inside or end > max(inside))
        )

    whole = run(text, clock)
    pieces = list(whole.pieces(end_of))
    assert "".join(piece.text or "" for piece in pieces) == text
    assert all(piece.size <= every + 1 for piece in pieces)
    joined = pieces[0]
    for piece in pieces[1:]:
        assert piece.goes_on(joined)
        joined.absorb(piece)
    assert same(joined, whole)


@pytest.mark.parametrize(
    "other",
    [
        Run(2, 3, 1, "x", 1, 2, *EDGE),  # of another name
        Run(1, 4, 1, "x", 1, 3, *EDGE),  # a unit is missing between them
        Run(1, 3, 1, "x", 0, 2, *EDGE),  # written behind another unit
        Run(1, 3, 1, "x", 1, 2, 0, 7),  # written before another unit
        Run(1, 3, 1, None, 1, 2, *EDGE),  # deleted, where the first is not
    ],
)
def test_runs_that_were_not_written_in_one_go_are_not_joined(other: Run) -> None:
    assert Run(1, 3, 1, "x", 1, 2, *EDGE).goes_on(run("abc"))
    assert not other.goes_on(run("abc"))


def test_a_chunk_remembers_what_it_shows_until_it_changes() -> None:
    chunk = Chunk([run("ab"), run(None, size=3), run("🙂")], None, 1.0)
    assert (chunk.string(), chunk.points) == ("ab🙂", 3)
    chunk.runs[0] = run("abc")
    assert chunk.string() == "ab🙂"
    chunk.changed(1)
    assert (chunk.string(), chunk.points) == ("abc🙂", 4)


@pytest.mark.parametrize("count", [1, 15, 16, 300])
def test_a_packed_chunk_is_its_runs_one_after_another_however_many_there_are(count: int) -> None:
    chunk = Chunk([run("x", clock=7 * at) for at in range(count)], None, 1.0)
    assert chunk.pack() == b"".join(map(msgspec.msgpack.encode, chunk.runs))
    chunk.runs.pop()
    assert chunk.pack().count(b"\xa1x") == count, "as it was, until somebody says that it changed"
    chunk.recut()
    assert chunk.pack() == b"".join(map(msgspec.msgpack.encode, chunk.runs))


def test_the_last_run_of_a_chunk_is_followed_by_the_first_run_of_the_next_chunk() -> None:
    last = Chunk([run("z")], None, 2.0)
    first = Chunk([run("a"), run("b")], last, 1.0)
    assert first.following(0) is first.runs[1]
    assert first.following(1) is last.runs[0]
    assert last.following(0) is None
