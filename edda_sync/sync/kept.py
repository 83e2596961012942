"""
Kept: what could not be written again is kept in documents, so that nothing acknowledged is lost.

A draft was made on what a segment showed. It may not fit the true state, because one life may write only so much into one
text or task. What it says then becomes a document of its own, which every device shows and can search, and which
`edda status` names. If several drafts wrote the same field, the last of them counts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from hashlib import blake2b
from typing import Any, Final

import msgspec

from edda_sync.changes.drafts import Draft, Put, Rewrite, Verbatim
from edda_sync.crdt.entity import OWN_TIME
from edda_sync.crdt.keys import key_of
from edda_sync.store.seams import StoreReader, StoreWriter
from edda_sync.words import limits, values
from edda_sync.words.model import TEXT_FIELDS

KEPT_KEY: Final = "kept"
_ID_BYTES: Final = 16


class Kept:
    """What could not be written again, by the key of the entity that it belongs to."""

    def __init__(self) -> None:
        self._texts: dict[bytes, str] = {}
        self._cells: dict[bytes, dict[str, Any]] = {}

    def add(self, draft: Draft | Verbatim) -> None:
        """Keep what a draft says. That it hides or brings back something is dropped."""
        if isinstance(draft, Rewrite):
            self._texts[key_of(draft.kind, draft.id)] = draft.new or ""
        elif isinstance(draft, Put):
            cells, key = draft.cells, key_of(draft.kind, draft.id)
            field = TEXT_FIELDS.get(draft.kind, "")
            if isinstance(cells.get(field), str):
                self._texts[key] = cells.pop(field)
            if cells:
                self._cells.setdefault(key, {}).update(cells)

    def documents(self, title_of: Callable[[bytes], str], nonce: bytes) -> Iterator[Put]:
        """
        Yield the documents in which it is kept.

        Args:
            title_of: Returns the title of an entity.
            nonce: Random bytes, for their ids.
        """
        cells = {key: msgspec.json.format(msgspec.json.encode(held)).decode() for key, held in self._cells.items()}
        for number, (key, text) in enumerate([*self._texts.items(), *cells.items()]):
            title = f"Kept: {_title(self._cells.get(key), title_of(key))}"[: limits.TITLE_CODE_POINTS_MAX]
            for part, piece in enumerate(_pieces(text)):
                name = blake2b(nonce + b"%d %d" % (number, part), digest_size=_ID_BYTES, person=b"edda-kept").digest()
                yield Put.of("document", name, {
                    "title": title, "content": piece, "content_type": values.CONTENT_TYPE_DEFAULT,
                    "doc_type": values.DOC_TYPE_DEFAULT, "created_at": OWN_TIME,
                })  # fmt: skip


def _title(cells: dict[str, Any] | None, title: str) -> str:
    """Return the title that was to be written; otherwise the present one."""
    written = (cells or {}).get("title")
    return written if isinstance(written, str) else title


def note(tx: StoreWriter, documents: list[bytes]) -> None:
    """Note the ids of documents in which something is kept."""
    if documents:
        tx.meta.set(KEPT_KEY, (tx.meta.get(KEPT_KEY) or b"") + b"".join(documents))


def kept_in(reader: StoreReader) -> list[str]:
    """Return the ids of the documents in which something is kept, and that still exist."""
    raw = reader.meta.get(KEPT_KEY) or b""
    ids = [values.id_text(raw[at : at + _ID_BYTES]) for at in range(0, len(raw), _ID_BYTES)]
    return [each for each in ids if reader.tables.row("document", each) is not None]


def _pieces(text: str) -> Iterator[str]:
    """Yield a text in pieces that fit into a document. Two devices together may have made it larger."""
    rest = text.encode()
    while True:
        piece = rest[: limits.TEXT_BYTES_MAX].decode(errors="ignore")
        yield piece
        rest = rest[len(piece.encode()) :]
        if not rest:
            return
