"""
What was last shown to whom: the version of a text that its reader may be about to write back.

A person or agent reads a text, thinks, and writes a whole new text. What came in between is not in that text, and would
be lost if the text were compared with what is there by then. So the version that was shown is noted, and is the base of the
edit. The notes lie beside the sidecars of the store, one small file for each reader and item. They contain no text, and
losing one does no harm: the edit is then compared with what is there.

An agent is known by its name, and everybody else is one person.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeVar

from edda_sync.cli.common import configuration, home, note, settings
from edda_sync.words.errors import EddaError, UsageError, command_of, typed
from edda_sync.words.folders import state_folder
from edda_sync.words.model import TEXT_FIELDS, Document, Item, Task, kind_of, remember_base

if TYPE_CHECKING:
    from edda_sync.engine.engine import StorageEngine

T = TypeVar("T", Task, Document)

_KEPT_MAX: Final = 1_000  # notes, of which the oldest are dropped
_UNSEEN: Final = "unseen"  # the reader's own text was merged with something that it has not seen


def remember(store: StorageEngine, item: Item, *, is_seen: bool = True) -> None:
    """
    Note that a task or document was just shown as it is.

    Args:
        store: The store.
        item: The item.
        is_seen: False if it was not shown, and has words that the reader has never seen.
    """
    with suppress(OSError, EddaError):  # a folder that cannot be written
        noted = version_of(store, item) if is_seen else _UNSEEN
        path = _path(item.id)
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        path.write_text(noted)
        path.chmod(0o600)
        _drop_oldest(path.parent)


def rewritten(store: StorageEngine, item: T, version: str | None, text: str | None) -> T:
    """
    Return an item whose text was changed from what its writer saw to what it wrote.

    Args:
        store: The store.
        item: The item, as it is now.
        version: The version that the writer names; None for the one that was last shown.
        text: What it wrote.

    Raises:
        NotFoundError: The item never had the named version here.
        UsageError: Something came that the writer has not seen, and what it last saw is not known.
    """
    made, field = type(item)(id=item.id), TEXT_FIELDS[kind_of(item)]
    setattr(made, field, _base_of(store, item, version))
    remember_base(made)
    setattr(made, field, text)
    return made


def remember_written(store: StorageEngine, now: Item | None, written: str | None, *, is_shown: bool = False) -> None:
    """
    Note what the writer of a text has seen: all of it, unless what others wrote was merged into it.

    Args:
        store: The store.
        now: The item, as it is now.
        written: What was written.
        is_shown: Whether the item is shown as it is now.
    """
    if now is None:
        return
    is_merged = (getattr(now, TEXT_FIELDS[kind_of(now)]) or "") != (written or "")
    remember(store, now, is_seen=is_shown or not is_merged)
    if is_merged:
        note(f"Merged with what was written meanwhile; `edda {command_of(kind_of(now))} show` shows it.")


def version_of(store: StorageEngine, item: Item) -> str:
    """Return the version of an item as it was read."""
    return item.version if isinstance(item, Document) else store.version("task", item.id)


def _base_of(store: StorageEngine, item: Item, version: str | None) -> str | None:
    kind = kind_of(item)
    present: str | None = getattr(item, TEXT_FIELDS[kind])
    if version is not None:
        return store.text_at(kind, item.id, version)
    noted = _noted(item.id)
    if noted == _UNSEEN:
        raise UsageError(
            f"What others wrote meanwhile was merged into this {kind}, and you have not seen it; nothing was changed: "
            f"`edda {command_of(kind)} show {typed(item.id)}` shows it, and --base names the version that you change."
        )
    if noted is None or noted == version_of(store, item):
        return present
    try:
        return store.text_at(kind, item.id, noted)
    except EddaError:  # another store was here, or its log is still on its way
        return present


def _noted(item_id: str) -> str | None:
    try:
        return _path(item_id).read_text()
    except (OSError, ValueError, EddaError):
        return None


def _path(item_id: str) -> Path:
    reader = "\0".join((str(home()), settings().agent or "", item_id))
    name = blake2b(reader.encode("utf-8", "surrogateescape"), digest_size=16).hexdigest()
    return state_folder(configuration()) / "shown" / name


def _drop_oldest(folder: Path) -> None:
    age: Callable[[Path], float] = lambda path: path.stat().st_mtime  # noqa: E731 - a name for the type checker
    notes = list(folder.iterdir())
    if len(notes) > _KEPT_MAX:
        for each in sorted(notes, key=age)[: len(notes) - _KEPT_MAX]:
            each.unlink()
