"""
Memory: what was last imported of an item, in one metadata key of the item, so that every device knows it.

It has a short hash of every value; of a text also its pieces, so that both sides' edits of it can be merged; when the
source said that it was changed; and where files came from. Names of cells never begin with a colon, and the other names
do.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from hashlib import blake2b
from typing import Any, Final

from edda_sync.imports import pieces
from edda_sync.words.model import Cells, Item

HASH_BYTES: Final = 6  # of one value, to tell whether the source has changed it
PLACES_MAX: Final = 8  # that are remembered of one document
TEXTS: Final = ("description", "content")

_AT: Final = ":at"
_TEXT: Final = ":text"
_PLACES: Final = ":places"
_SOURCE: Final = ":source"
_EXPORT: Final = ":export"


def key_of(source: str) -> str:
    """Return the metadata key that remembers what was imported from a source."""
    return f"import.{source}"


@dataclass(frozen=True, slots=True)
class Memory:
    """
    What was last imported of an item.

    Attributes:
        hashes: A short hash of each cell's value, by the cell's name.
        text: The pieces of its text; see ``pieces``.
        changed_at: When the source said that it was changed, RFC 3339 UTC.
        places: Hashes of the folders from which it came.
        source: Name of the folder that it is part of.
        export: A mark of the export of ours from which it came; another one has other things to remember.
    """

    hashes: Mapping[str, str] = field(default_factory=dict)
    text: str = ""
    changed_at: str | None = None
    places: tuple[str, ...] = ()
    source: str | None = None
    export: str | None = None

    @classmethod
    def of(cls, cells: Cells, changed_at: str | None = None) -> Memory:
        """Return what to remember of cells that are imported."""
        text = next((cells[name] for name in TEXTS if isinstance(cells.get(name), str)), "")
        return cls({name: hash_of(value) for name, value in cells.items()}, pieces.told(text), changed_at)

    @classmethod
    def read(cls, value: object) -> Memory | None:
        """Return what a metadata value remembers; None if it is none. What is not understood in it is left out."""
        if not isinstance(value, dict):
            return None
        text = {name: each for name, each in value.items() if isinstance(name, str) and isinstance(each, str)}
        places = value.get(_PLACES)
        return cls(
            {name: each for name, each in text.items() if not name.startswith(":")},
            text.get(_TEXT, ""),
            text.get(_AT),
            tuple(each for each in places if isinstance(each, str)) if isinstance(places, list) else (),
            text.get(_SOURCE),
            text.get(_EXPORT),
        )

    @classmethod
    def in_item(cls, item: Item, source: str) -> Memory | None:
        """Return what an item remembers of a source; None if it did not come from there."""
        return cls.read((item.metadata or {}).get(key_of(source)))

    def written(self) -> dict[str, Any]:
        """Return it as a metadata value."""
        told: dict[str, Any] = dict(self.hashes)
        named = {_AT: self.changed_at, _TEXT: self.text, _SOURCE: self.source, _EXPORT: self.export}
        told.update({name: each for name, each in named.items() if each})
        if self.places:
            told[_PLACES] = list(self.places)
        return told

    def from_place(self, places: Iterable[str]) -> Memory:
        """Return it with further places."""
        return replace(self, places=tuple(dict.fromkeys([*places, *self.places]))[:PLACES_MAX])


def hash_of(value: Any) -> str:
    """Return a short hash of a cell's value, the same on every device."""
    plain = value.hex() if isinstance(value, bytes) else value
    return blake2b(json.dumps(plain).encode(), digest_size=HASH_BYTES, person=b"edda-imported").hexdigest()
