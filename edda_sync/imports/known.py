"""
Known: which documents the files of a folder are.

A file is known again, in this order: by what an export of ours wrote beside it (``sidecar``); by the name of its folder
and its path in it; if its path is new and a document's file is gone, by its content, and then by what most of it is. Only
a file that is none of these becomes a new document. No two files are one document: where an export and the store name one
for two files, such as for the one that was renamed and a new one under its old name, it is that which the store names.

Two folders of one name are told apart if none of their files was ever alike.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from edda_sync.engine.items import item_of_row
from edda_sync.imports import pieces
from edda_sync.imports.memory import Memory, hash_of
from edda_sync.imports.sidecar import Exported
from edda_sync.imports.source import Imported
from edda_sync.words import values
from edda_sync.words.errors import UsageError
from edda_sync.words.model import Document, Item
from edda_sync.words.query import pages

if TYPE_CHECKING:
    from edda_sync.engine.engine import StorageEngine

ALIKE: Final = 0.5  # of the pieces of two texts that are one text, edited: as git has it for renamed files
_PAGE: Final = 500


@dataclass(frozen=True, slots=True)
class Place:
    """
    Where files were read.

    Attributes:
        root: The folder in which their paths are.
        source: The folder's name, which is part of what its files are called.
        mark: A short hash of where the folder is.
        under: What was put before the paths.
        exported: What an export wrote there, by path.
    """

    root: Path
    source: str
    mark: str
    under: str = ""
    exported: Mapping[str, Exported] = field(default_factory=dict)

    def has_lost(self, path: str) -> bool:
        """Tell whether the file of a document is not in the folder any more."""
        if not path.startswith(self.under):
            return False
        return not os.path.lexists(self.root / path.removeprefix(self.under))


@dataclass(frozen=True, slots=True)
class _Known:
    path: str
    id: str
    memory: Memory
    content: str = ""  # the hash of what the document contains now
    is_told: bool = False  # by the export that is there

    def is_like(self, content: str) -> bool:
        return content in (self.content, self.memory.hashes.get("content"))


def recognised(
    store: StorageEngine, items: Sequence[Imported], place: Place, key: str, *, same: bool
) -> list[Imported]:
    """
    Return items with the ids of the documents that they are, and what was last known of them.

    Args:
        store: The store with the documents.
        items: What was read, by default ids; their names are their paths.
        place: Where.
        key: Name of the source of the import.
        same: Whether a folder of a known name is taken to be that folder, even if nothing in it is alike.

    Raises:
        UsageError: Another folder of this name was imported before.
    """
    documents = list(_documents(store, key))
    told = {path: _Known(path, each.id, each.memory, is_told=True) for path, each in place.exported.items()}
    ours = {each.path: each for each in documents if each.memory.source == place.source}
    contents = {each.name: _content(each) for each in items}
    if not same:
        _check_same(place, [each for path, each in ours.items() if path in contents and path not in told], contents)
    candidates = {**ours, **told}
    found = _one_file_each({path: candidates[path] for path in contents if path in candidates}, ours, place)
    older = {each.id: each for each in documents if each.memory.source is None}  # imported before folders had names
    for path, content in contents.items():
        each = older.get(values.uuid8(key, path))
        if path not in found and each is not None and each.is_like(content):
            found[path] = each
    there = {each.id for each in found.values()}
    there |= {each.id for path, each in ours.items() if path not in found and not place.has_lost(path)}
    gone = [each for each in (*ours.values(), *told.values()) if each.id not in there and place.has_lost(each.path)]
    _follow(gone, {each.name: each for each in items if each.name not in found}, contents, found)
    ids = _free_ids(store, [each for each in items if each.name not in found], documents, place, key)
    return [_as(each, found.get(each.name), place, ids) for each in items]


def _documents(store: StorageEngine, key: str) -> Iterator[_Known]:
    """Yield the documents that came from this kind of source."""
    with store.snapshot() as reader:
        for rows in pages(reader.tables.rows, "document", _PAGE):
            yield from _of_source([item_of_row("document", row, ()) for row in rows], key)


def _of_source(items: Iterable[Item], key: str) -> Iterator[_Known]:
    for item in items:
        assert isinstance(item, Document), "these are documents"
        memory, path = Memory.in_item(item, key), item.metadata.get(f"{key}.path")
        if memory is not None and isinstance(path, str):
            yield _Known(path, item.id, memory, content=hash_of(item.content))


def _one_file_each(found: Mapping[str, _Known], ours: Mapping[str, _Known], place: Place) -> dict[str, _Known]:
    """Return the documents of files, each of one file only: of that which the store names, if it is there."""
    where = {each.id: each.path for each in ours.values()}
    kept: dict[str, _Known] = {}
    for path, each in found.items():
        own = where.get(each.id, path)
        its = each if own == path or place.has_lost(own) else ours.get(path)
        if its is not None and all(its.id != other.id for other in kept.values()):
            kept[path] = its
    return kept


def _free_ids(
    store: StorageEngine, new: Sequence[Imported], documents: Sequence[_Known], place: Place, key: str
) -> dict[str, str]:
    """Return ids for new files, by path: the id that follows from a path may be that of a file which was renamed since."""
    if not new:
        return {}
    paths = {each.id: each.path for each in documents if each.memory.source == place.source}
    if any(each.item.id in paths for each in new) or store.reading.in_trash("document", [each.item.id for each in new]):
        trash = _of_source(store.trash("document"), key)
        paths |= {each.id: each.path for each in trash if each.memory.source == place.source}
    ids = {}
    for each in new:
        free, number = each.item.id, 1
        while paths.get(free, each.name) != each.name:
            number += 1
            free = values.uuid8(key, f"{each.item.id}\0{number}")
        ids[each.name] = free
    return ids


def _content(each: Imported) -> str:
    return hash_of(each.item.content if isinstance(each.item, Document) else None)


def _check_same(place: Place, both: Sequence[_Known], contents: Mapping[str, str]) -> None:
    if not both or any(place.mark in each.memory.places or each.is_like(contents[each.path]) for each in both):
        return
    raise UsageError(
        f"Documents of another folder that is called {place.source!r} are here, and {len(both)} of its files are called "
        "like files of this one, with other contents; nothing was imported. `--under NAME` imports these as documents of "
        "their own; `--same` says that it is the same folder."
    )


def _follow(
    gone: Sequence[_Known], new: Mapping[str, Imported], contents: Mapping[str, str], found: dict[str, _Known]
) -> None:
    """Find the documents of renamed files, and note them in ``found``: equal contents first, then the most alike."""
    left = {each.id: each for each in gone}  # of what the store and an export know, this is what the export does
    for path in new:
        same = next((each for each in gone if each.id in left and each.is_like(contents[path])), None)
        if same is not None:
            found[path] = left.pop(same.id)
    having: dict[str, list[_Known]] = {}
    for each in gone:
        for digest in set(pieces.hashes(each.memory.text)) if each.id in left else ():
            having.setdefault(digest, []).append(each)
    for path, item in new.items():
        if path in found or not isinstance(item.item, Document):
            continue
        text = pieces.told(item.item.content or "")
        near = {id(each): each for digest in set(pieces.hashes(text)) for each in having.get(digest, ())}
        ranked = [(pieces.shared(text, each.memory.text), each.id) for each in near.values() if each.id in left]
        alike, best = max(ranked, default=(0.0, ""))
        if alike >= ALIKE:
            found[path] = left.pop(best)


def _as(each: Imported, known: _Known | None, place: Place, ids: Mapping[str, str]) -> Imported:
    """Return an item as the document that it is."""
    base = known.memory if known is not None and known.is_told else Memory()
    before = replace(base, source=place.source, places=(place.mark,))
    return replace(each, item=replace(each.item, id=ids[each.name] if known is None else known.id), before=before)
