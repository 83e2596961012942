from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edda_sync.changes import change as changes
from edda_sync.ledger.body import Body
from edda_sync.store.memory.store import MemoryStore
from edda_sync.store.seams import StoreWriter
from edda_sync.words import limits
from edda_sync.words.errors import LimitError

pieces = st.lists(st.binary(min_size=1, max_size=25), max_size=12)


@given(pieces)
def test_a_body_is_whole_if_it_fits_into_one_part_and_otherwise_in_parts(some: list[bytes]) -> None:
    store = MemoryStore()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(limits, "PART_BYTES_MAX", 30)

        def work(tx: StoreWriter) -> tuple[bytes, tuple[bytes, ...], int, int]:
            body = Body(tx, 7)
            for each in some:
                body.add(each)
            return *body.end(), body.operations, body.size

        whole, hashes, operations, size = store.transact(work)
    joined = b"".join(some)
    with store.read() as reader:
        parts = list(reader.log.parts(7))
    assert (operations, size) == (len(some), len(joined))
    assert (whole == joined and not hashes and not parts) == (len(joined) <= 30)
    if len(joined) > 30:
        assert whole == b""
        assert parts == [joined[at : at + 30] for at in range(0, len(joined), 30)]
        assert list(hashes) == [changes.hash_part(part) for part in parts]


@pytest.mark.parametrize(("limit", "value"), [("CHANGE_OPERATIONS_MAX", 3), ("CHANGE_BYTES_MAX", 30)])
def test_a_body_at_the_limit_is_made_and_a_larger_one_is_not(
    monkeypatch: pytest.MonkeyPatch, limit: str, value: int
) -> None:
    monkeypatch.setattr(limits, limit, value)
    store = MemoryStore()

    def work(tx: StoreWriter) -> None:
        body = Body(tx, 1)
        for _ in range(3):
            body.add(b"ten bytes.")
        with pytest.raises(LimitError):
            body.add(b"x")

    store.transact(work)
