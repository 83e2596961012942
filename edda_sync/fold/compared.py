"""
Compared: whether the texts of an item, as they were read from the disk, are those that the item's hash stands for.

A stored text has no checksum of its own, but the hash of its item covers it. Whoever edits a rotten text would show it, and
build on it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from edda_sync.crdt import state
from edda_sync.crdt.keys import kind_and_id
from edda_sync.crdt.text.document import hash_state
from edda_sync.words import values
from edda_sync.words.errors import CorruptError, DamagedRowsError

if TYPE_CHECKING:
    from edda_sync.fold.texts import Texts
    from edda_sync.fold.view import Key, View


def compare(texts: Texts, view: View, key: Key, stored: bytes | None) -> None:
    """
    Compare the texts of an item with its hash. One whose hash waits for its texts, or that is being folded, is passed over.

    Args:
        texts: The texts in use; those of the item are thrown away if they differ.
        view: The view of a transaction or a reader.
        key: A text of the item, which was just read.
        stored: Its whole state as it is stored; None if newer edits are stored beside it.

    Raises:
        DamagedRowsError: They differ; the item can be folded again from the log.
        CorruptError: The item's state, or another text of it, cannot be read.
    """
    if view.writes_to(key[0]):
        return
    texts.is_comparing = True
    try:
        if stored is None or not _is_single(view, key, stored):
            _compare(texts, view, key)
    except CorruptError:
        texts.forget_of(key[0])
        raise
    finally:
        texts.is_comparing = False


def _is_single(view: View, key: Key, stored: bytes) -> bool:
    """Tell whether an item has one text, and its hash stands for this state. To encode the text would cost much more."""
    record = view.record(key[0])
    return record is not None and record.hash == state.hash_entity(
        key[0], record.state[: -state.CHECKSUM_BYTES], [hash_state(stored)]
    )


def _compare(texts: Texts, view: View, key: Key) -> None:
    entity_key, field, genesis = key
    record = view.record(entity_key)
    if record is None:
        return
    edited = state.entity_of(entity_key, record.state).edited_texts()
    if (field, genesis) not in edited:  # it is only kept, for an edit that may still come
        return
    hashes = [texts.document(view, (entity_key, *each)).hash() for each in edited]
    found = state.hash_entity(entity_key, state.state_of(entity_key, record.state), hashes)
    if found != record.hash and not view.reader.index.stale_among((entity_key,)):
        kind, entity_id = kind_and_id(entity_key)
        raise DamagedRowsError(kind, [values.id_text(entity_id)])
