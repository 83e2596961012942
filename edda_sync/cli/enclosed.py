"""
Enclosed: the content of attached files, as files beside what `edda export` writes.

The name of an attachment was written by somebody else. It becomes a plain file name, and no two of one document are the same
file on any file system. Nothing is written through a link, and a file that is there already is replaced only if that is
allowed, or if it would not change.
"""

from __future__ import annotations

import itertools
import unicodedata
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Final

from edda_sync.cli.common import count, note, safe_line
from edda_sync.cli.interrupts import keep
from edda_sync.crdt.keys import key_of
from edda_sync.files.saving import safe_name, save
from edda_sync.words import limits, values
from edda_sync.words.errors import DamagedFileError, FileNotHereError, UsageError
from edda_sync.words.files import PRIVATE, make_folders

if TYPE_CHECKING:
    from edda_sync.engine.engine import StorageEngine
    from edda_sync.store.seams import StoreReader
    from edda_sync.words.listed import Attachment

_PIECE_BYTES: Final = 256 * 1024


class Enclosed:
    """
    The attachments of an export. Call :meth:`add` for each document, then :meth:`check`, then :meth:`write`.

    Args:
        store: The store.
        reader: The state of it that is exported.
        folder: What the files lie in; None if no content is written.
        taken: Paths in it that other files have.

    Attributes:
        paths: For each attachment, by id, the path of its file in the folder; none if it has no file.
        missing: The names of attachments whose content is not, or not whole, on this device.
    """

    def __init__(
        self, store: StorageEngine, reader: StoreReader, folder: Path | None, taken: Iterable[str] = ()
    ) -> None:
        self._store, self._reader, self._folder = store, reader, folder
        self._have = {entity for entity, _ in reader.attachments.scan()}
        self._taken = {folded(path) for path in taken}
        self._planned: list[tuple[Attachment, str]] = []
        self.paths: dict[str, str] = {}
        self.missing: list[str] = []

    def of(self, document_id: str) -> list[Attachment]:
        """Return the attachments of a document."""
        if key_of("document", values.id_bytes("document", document_id)) not in self._have:
            return []
        return self._store.reading.files.of(self._reader, document_id)

    def add(self, document_id: str, under: str) -> None:
        """Plan a file for each attachment of a document, in a folder within the folder."""
        for each in self.of(document_id):
            paths = (f"{under}/{name}" for name in _candidates(safe_name(each.name), each.id))
            path = next(path for path in paths if folded(path) not in self._taken)
            self._taken.add(folded(path))
            if each.here:
                self._planned.append((each, path))
            else:
                self.missing.append(each.name)

    def check(self, *, force: bool) -> None:
        """
        Raise UsageError if a file would be replaced although that is not allowed, or lies behind a link.

        Nothing is written.
        """
        different = 0
        for each, path in self._planned:
            target = self._target(path)
            check_way(self._folder or target.parent, target)
            if target.is_symlink() or target.exists():
                different += not self._holds(target, each)
        if different and not force:
            raise UsageError(
                f"{count(different, 'attached file')} in {safe_line(str(self._folder))} would be replaced; --force does it."
            )

    def write(self) -> int:
        """Write the files; return how many there are. What is not whole here is left out, and named as missing."""
        for each, path in self._planned:
            target = self._target(path)
            if not self._holds(target, each):
                keep()
                make_folders(target.parent)
                try:
                    with self._store.reading.files.stream(each) as stream:
                        save(stream, target, replace=True, mode=PRIVATE)
                except (FileNotHereError, DamagedFileError):
                    self.missing.append(each.name)
                    continue
            self.paths[each.id] = path
        return len(self.paths)

    def tell(self) -> None:
        """Tell a person what is missing."""
        if self.missing:
            named = ", ".join(safe_line(name) for name in self.missing[:3])
            more = f" and {len(self.missing) - 3:,} more" if len(self.missing) > 3 else ""
            note(
                f"Not whole on this device, and left out: {named}{more}; `edda doctor` says of which documents they are."
            )

    def _target(self, path: str) -> Path:
        assert self._folder is not None, "content is written"
        return self._folder / path

    def _holds(self, target: Path, attachment: Attachment) -> bool:
        if target.is_symlink() or not target.is_file() or target.stat().st_size != attachment.size:
            return False
        try:
            with self._store.reading.files.stream(attachment) as stream, target.open("rb") as file:
                return _are_equal(stream, file)
        except (FileNotHereError, DamagedFileError):
            return False


def folded(name: str) -> str:
    """Return a form that is equal for names that some file system treats as one (Unicode, definition D145)."""
    return unicodedata.normalize("NFD", unicodedata.normalize("NFD", name).casefold())


def check_way(folder: Path, target: Path) -> None:
    """Refuse a file whose path leads through a link out of the folder."""
    for above in target.parents:
        if above == folder:
            return
        if above.is_symlink():
            raise UsageError(
                f"{safe_line(str(above))} is a link, and nothing is written through links; choose another folder."
            )


def _candidates(name: str, attachment_id: str) -> Iterator[str]:
    """Yield names for the file of an attachment, until one is free: its own, and then with the end of its id."""
    yield name
    stem, dot, ending = name.rpartition(".")
    if not dot:
        stem, ending = name, ""
    for number in itertools.count(1):
        mark = f"-{attachment_id[-12:]}{f'-{number}' if number > 1 else ''}{dot}{ending}"
        yield stem.encode()[: limits.FILE_NAME_BYTES_MAX - len(mark.encode())].decode(errors="ignore") + mark


def _are_equal(stream: Any, file: BinaryIO) -> bool:
    while True:
        one = stream.read(_PIECE_BYTES)
        if one != file.read(len(one) or 1):
            return False
        if not one:
            return True
