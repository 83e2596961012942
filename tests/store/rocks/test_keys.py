from __future__ import annotations

import pytest

from edda_sync.store.rocks import keys
from edda_sync.store.seams.states import TailEdit
from tests.store.samples import ACTOR, EVERY_BYTE, GENESIS, SEQ_MAX, entity, record


@pytest.mark.parametrize("conflicted", [True, False])
@pytest.mark.parametrize("hidden", [True, False])
def test_a_state_is_read_as_it_was_written(hidden: bool, conflicted: bool) -> None:
    held = record(1, hidden=hidden)
    assert keys.entry(held.key, keys.state((held, conflicted))) == (held, conflicted)


def test_an_edit_and_the_name_of_a_text_are_read_as_they_were_written() -> None:
    edit = TailEdit(SEQ_MAX, ACTOR, SEQ_MAX - 1, EVERY_BYTE)
    text = keys.text(entity(3, "document"), ("content", GENESIS))
    assert keys.edited(keys.EDITS + text + keys.number(edit.serial), keys.edit(edit)) == edit
    assert keys.named(keys.TEXTS + text) == (entity(3, "document"), "content", GENESIS)


def test_keys_and_values_have_their_published_bytes() -> None:
    held = record(1)._replace(hash=b"\xaa\xbb", state=b"state")
    assert keys.state((held._replace(hidden=True), True)).hex() == "0302aabb7374617465"
    assert keys.ending(entity(0xABCDEF)).hex() == "65" + "abcdef" + "00" + "00" * 13 + "abcdef"
    assert keys.text(entity(1), ("content", b"\x07" * 16)).hex() == (
        "00" + "00" * 15 + "01" + b"content".hex() + "00" + "07" * 16
    )
    assert keys.edit(TailEdit(1, b"\x01\x02", 3, b"edit")).hex() == "00" * 7 + "03" + "02" + "0102" + b"edit".hex()


@pytest.mark.parametrize("prefix", [b"s", b"u\x00\xff", b"t\xff\xff"])
def test_the_key_after_a_prefix_is_above_all_that_begin_with_it(prefix: bytes) -> None:
    assert keys.after(prefix) > prefix + b"\xff" * 40
    assert not keys.after(prefix).startswith(prefix)
