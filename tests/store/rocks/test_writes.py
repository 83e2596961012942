from __future__ import annotations

import pytest

from edda_sync.store.rocks import writes
from edda_sync.store.rocks.layers import Layer
from edda_sync.store.seams.states import TailEdit
from edda_sync.words.errors import CorruptError
from tests.store.samples import ACTOR, entity, record

ALL = [
    ("put", [(entity(1), writes.HIDDEN | writes.CONFLICTED, b"hash", b"state"), (entity(2), 0, b"", b"")]),
    ("text", entity(1), "content", ACTOR, 7, b"base", [TailEdit(8, ACTOR, 1, b"newer")]),
    ("edit", entity(1), "content", ACTOR, 9, ACTOR, 2, b"newest"),
    ("drop", [entity(2)]),
]


def test_a_row_does_to_a_layer_what_the_transaction_did() -> None:
    layer = Layer()
    writes.replay(writes.encode(ALL), layer)
    assert layer.entries == {entity(1): (record(1)._replace(hidden=True, hash=b"hash", state=b"state"), True)}
    assert layer.dropped == {entity(2)}
    ((name, part),) = layer.texts[entity(1)].items()
    assert name == ("content", ACTOR)
    assert part.base == (7, b"base")
    assert part.edits == [(8, ACTOR, 1, b"newer"), (9, ACTOR, 2, b"newest")]
    writes.replay(writes.encode([("clear",)]), layer)
    assert layer.cleared
    assert not layer.entries
    assert not layer.texts


def test_rows_have_their_published_bytes() -> None:
    assert writes.encode([("drop", [b"k"]), ("clear",)]).hex() == "9292a464726f7091c4016b91a5636c656172" + SUM


SUM = "9f267219799854c6"


def test_every_flipped_bit_of_a_row_is_noticed() -> None:
    row = writes.encode(ALL)
    for at in range(len(row)):
        for bit in range(8):
            wrong = bytearray(row)
            wrong[at] ^= 1 << bit
            with pytest.raises(CorruptError):
                writes.replay(bytes(wrong), Layer())
