"""
Keys and values in RocksDB. The first byte of a key says what it is:

    s KEY                         a state: flags, the length of its hash, the hash, the state
    e LAST-3-BYTES KEY            the short ids: which entities have an id that ends so
    h KEY, c KEY                  an entity that is hidden; one in which a cell has several values
    t ENTITY FIELD 00 GENESIS     a text: the serial number of the last edit that is part of its state, the state
    u ENTITY FIELD 00 GENESIS N   edit number N of a text: seq, the length of its actor's name, the actor, the edit
    m                             the mark of the last settlement: its token, the number of the last row of ``_pending``,
                                  and, in the folder of an encrypted store, the id of the data key

In the folder of an encrypted store, values are sealed and ids are hidden: see ``sealed``.
An entity's key (``crdt.keys``) is 17 bytes long. Numbers have 8 bytes, the most significant first.
"""

from __future__ import annotations

from typing import Final

from edda_sync.store.rocks.layers import Entry, Name
from edda_sync.store.rocks.writes import CONFLICTED, HIDDEN
from edda_sync.store.seams.states import Record, TailEdit

MARK: Final = b"m"
STATES, ENDINGS, HIDDENS, CONFLICTS, TEXTS, EDITS = (bytes((letter,)) for letter in b"sehctu")
KEY_BYTES: Final = 17
NUMBER_BYTES: Final = 8
_ENDING_BYTES: Final = 3


def number(value: int) -> bytes:
    """Return a number as bytes that are ordered as numbers are."""
    return value.to_bytes(NUMBER_BYTES, "big")


def after(prefix: bytes) -> bytes:
    """Return the least key that is greater than every key with a prefix, none of which is all 0xff."""
    kept = prefix.rstrip(b"\xff")
    return kept[:-1] + bytes((kept[-1] + 1,))


def ending(key: bytes) -> bytes:
    """Return the key under which an entity's short id is found."""
    return ENDINGS + key[-_ENDING_BYTES:] + key


def state(entry: Entry) -> bytes:
    """Return the value of a state."""
    record, conflicted = entry
    flags = record.hidden * HIDDEN | conflicted * CONFLICTED
    return bytes((flags, len(record.hash))) + record.hash + record.state


def entry(key: bytes, value: bytes) -> Entry:
    """Return the state that :func:`state` encoded, by the entity's key."""
    end = 2 + value[1]
    return Record(key, bool(value[0] & HIDDEN), value[2:end], value[end:]), bool(value[0] & CONFLICTED)


def text(entity: bytes, name: Name) -> bytes:
    """Return what follows the first byte in the keys of a text."""
    field, genesis = name
    return b"%b%b\0%b" % (entity, field.encode(), genesis)


def named(key: bytes) -> tuple[bytes, str, bytes]:
    """Return the entity, field and genesis in the key of a text."""
    field, _, genesis = key[1 + KEY_BYTES :].partition(b"\0")
    return key[1 : 1 + KEY_BYTES], field.decode(), genesis


def edit(one: TailEdit) -> bytes:
    """Return the value of an edit."""
    return number(one.seq) + bytes((len(one.actor),)) + one.actor + one.edit


def edited(key: bytes, value: bytes) -> TailEdit:
    """Return the edit under a key."""
    end = NUMBER_BYTES + 1 + value[NUMBER_BYTES]
    seq = int.from_bytes(value[:NUMBER_BYTES], "big")
    return TailEdit(int.from_bytes(key[-NUMBER_BYTES:], "big"), value[NUMBER_BYTES + 1 : end], seq, value[end:])
