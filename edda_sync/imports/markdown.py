"""
Markdown: a file, or a folder of ``*.md`` files, as documents.

Content is kept byte for byte: line breaks, NUL, a byte order mark, front matter. What lies in a folder ``NAME.files`` beside
``NAME.md`` is attached to its document when that is made, and is no document. A new document's id follows from the name of
its folder and its path inside, so the same folder imported on two devices is one set of documents; which documents the
files are that were imported before, ``known`` says. ``metadata["markdown.path"]`` has the path.
"""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING, Final

from edda_sync.imports import sidecar
from edda_sync.imports.front import front_of
from edda_sync.imports.known import Place, recognised
from edda_sync.imports.memory import Memory
from edda_sync.imports.source import Attach, Imported, Refused, Source, title_from
from edda_sync.words import limits, values
from edda_sync.words.errors import InvalidValueError
from edda_sync.words.model import UNSET, Document, cells_of

if TYPE_CHECKING:
    from edda_sync.engine.engine import StorageEngine

KEY: Final = "markdown"
PATH_KEY: Final = "markdown.path"
SUFFIX: Final = ".files"
"""How the name of a folder ends that has what is attached to a document, or to those of an export."""
ENDINGS: Final = (".md", ".markdown")

_OTHER_TEXTS: Final = (".txt", ".text", ".org", ".rst", ".adoc")
_TWIN: Final = "._"  # begins the names of files in which macOS keeps what other file systems cannot
_MACHINERY: Final = ("node_modules", "__pycache__")  # folders of programs that are not hidden


@dataclass(frozen=True, slots=True)
class Read:
    """
    What was read from a file or folder.

    Attributes:
        items: Documents, by default ids; their names are their paths.
        place: Where they were read.
        refused: What cannot be imported.
        left_out: What is not meant to be: hidden folders, machinery of programs, texts that are no Markdown.
    """

    items: list[Imported]
    place: Place
    refused: list[Refused] = field(default_factory=list)
    left_out: list[Refused] = field(default_factory=list)

    def source(self, store: StorageEngine, *, same: bool = False) -> Source:
        """
        Return the source to pass to ``imports.merge_into``: its items are the documents of a store that they are.

        Args:
            store: The store.
            same: Whether a folder of a known name is that folder, even if nothing in it is alike.

        Raises:
            UsageError: Another folder of this name was imported before.
        """
        items = recognised(store, self.items, self.place, KEY, same=same)
        return Source(KEY, items, self.refused, self.left_out)


def document_id(path: str, source: str) -> str:
    """Return the id of a new document of a file, by its folder's name and its path inside: the same on every device."""
    return values.uuid8(KEY, f"{source}\0{path}")


def read(path: Path, under: str = "", *, hidden: bool = False) -> Read:
    """
    Read a file, or every Markdown file below a folder; pass what :meth:`Read.source` returns to ``imports.merge_into``.

    Args:
        path: The file or folder. In a folder, links to folders are not followed, and links that lead out of it are refused.
        under: A path to put before the paths of the files, so that two folders with equal names inside stay apart.
        hidden: Whether to take hidden folders and the machinery of programs too.

    Raises:
        OSError: The file or folder is not there, or cannot be read.
    """
    place, above = _place(path, under.strip("/"))
    found = Read([], place)
    taken: dict[str, str] = {}
    files = _Walk(path, hidden, found).files()
    themselves = {os.path.realpath(file): inside for file, inside in files if len(files) > 1 and not file.is_symlink()}
    for file, inside in files:
        if file.is_symlink() and (itself := themselves.get(os.path.realpath(file))) is not None:
            found.left_out.append(Refused(ascii(inside), f"leads to {itself!a}, which is imported itself"))
            continue
        name = unicodedata.normalize("NFC", f"{place.under}{above}{inside}")
        try:
            if name in taken:
                raise InvalidValueError("its name", f"is {taken[name]!a} too, but for how accents are composed")
            made, changed_at, unread = _document(name, _content(_within(path, file)), place.source)
        except InvalidValueError as error:
            found.refused.append(Refused(ascii(inside), str(error).rstrip(".")))
        except OSError as error:
            found.refused.append(Refused(ascii(inside), error.strerror or str(error)))
        else:
            taken[name] = inside
            nearly = [f"unreadable {each}" for each in unread]
            found.items.append(Imported(name, made, nearly=nearly, files=_attached(file), changed_at=changed_at))
    return found


def _place(path: Path, under: str) -> tuple[Place, str]:
    """Return the place of a file or folder, and what to put before its paths there."""
    path.stat()  # what is not there, or may not be looked at, is an error and no refusal
    folder = path if path.is_dir() else path.absolute().parent
    exported = None if under else sidecar.above(folder)
    root = folder if exported is None else exported
    real = Path(os.path.realpath(root))
    mark = blake2b(os.fsencode(real), digest_size=6, person=b"edda-place").hexdigest()
    inside = folder.absolute().relative_to(root.absolute()).as_posix()
    source = title_from(os.fsencode(real.name).decode(errors="replace"), "folder")[: limits.NAME_CODE_POINTS_MAX]
    return (
        Place(root, source, mark, f"{under}/" if under else "", {} if exported is None else sidecar.read(exported)),
        "" if inside == "." else f"{inside}/",
    )


def exported(name: str, document_id: str, version: str, content: str) -> sidecar.Exported:
    """Return what the sidecar of an export says of a document: what an import of its file would remember."""
    made, changed_at, _ = _document(name, content.encode(), "")
    cells = {each: value for each, value in cells_of(made).items() if value is not None}
    return sidecar.Exported(name, document_id, Memory.of(cells, changed_at), version)


def _document(name: str, content: bytes, source: str) -> tuple[Document, str | None, tuple[str, ...]]:
    """
    Return the document of a file, when it says that it was changed, and what of its front matter cannot be read.

    Args:
        name: Its path inside the folder, with ``/`` and composed accents (NFC).
        content: Its bytes.
        source: Name of the folder.

    Raises:
        InvalidValueError: It is too long, or its name or content is not UTF-8.
    """
    if len(content) > limits.TEXT_BYTES_MAX:
        raise InvalidValueError("its content", f"is longer than {limits.TEXT_BYTES_MAX:,} bytes")
    try:
        text = content.decode()
    except UnicodeDecodeError as error:
        raise InvalidValueError("its content", f"is not UTF-8 text (byte {error.start:,}); convert it first") from None
    values.text("its name", name)
    front = front_of(text)
    made = Document(
        id=document_id(name, source),
        title=front.title or title_from(_stem(name), "") or values.TITLE_DEFAULT,
        content=text,
        metadata={PATH_KEY: name},
        tags=set(front.tags),
        created_at=front.created_at or UNSET,
    )
    return made, front.changed_at, front.unread


def is_markdown(name: str) -> bool:
    """Tell whether a file's name is that of a Markdown file."""
    return name.lower().endswith(ENDINGS)


def _stem(name: str) -> str:
    return name.rpartition("/")[2].rpartition(".")[0]


class _Walk:
    """Goes through a file or folder, and notes in ``found`` what is left out and which folders cannot be read."""

    def __init__(self, path: Path, hidden: bool, found: Read) -> None:
        self._path, self._hidden, self._found = path, hidden, found

    def files(self) -> list[tuple[Path, str]]:
        """Return files and their paths inside the folder, in order of these."""
        if not self._path.is_dir():
            return [(self._path, self._path.name)]
        return sorted(self._below(), key=lambda pair: os.fsencode(pair[1]))

    def _below(self) -> Iterator[tuple[Path, str]]:
        for folder, folders, names in os.walk(self._path, onerror=self._fail):
            inside = Path(folder).relative_to(self._path)
            enclosed = {f"{_stem(name)}{SUFFIX}" for name in names if is_markdown(name)}
            folders[:] = [each for each in folders if each not in enclosed and self._is_meant(inside / each)]
            for name in names:
                at = inside / name
                if name.startswith(_TWIN) and not self._hidden:
                    self._found.left_out.append(Refused(ascii(at.as_posix()), "belongs to macOS"))
                elif is_markdown(name):
                    yield Path(folder) / name, at.as_posix()
                elif name.lower().endswith(_OTHER_TEXTS):
                    self._found.left_out.append(Refused(ascii(at.as_posix()), "is no Markdown"))

    def _is_meant(self, at: Path) -> bool:
        if self._hidden or not (at.name.startswith(".") or at.name in _MACHINERY):
            return True
        why = "is hidden" if at.name.startswith(".") else "belongs to a program"
        self._found.left_out.append(Refused(ascii(at.as_posix()), why))
        return False

    def _fail(self, error: OSError) -> None:
        name = ascii(os.path.relpath(os.fsdecode(error.filename), self._path))
        self._found.refused.append(Refused(name, error.strerror or str(error)))


def _attached(file: Path) -> list[Attach]:
    """Return what lies in the folder of a file's attachments, by name. Links are not followed."""
    folder = file.with_suffix(SUFFIX)
    if not is_markdown(file.name) or folder.is_symlink() or not folder.is_dir():
        return []
    return [Attach(each, each.name) for each in sorted(folder.iterdir()) if each.is_file() and not each.is_symlink()]


def _within(path: Path, file: Path) -> Path:
    """
    Return what to read for a file: its path without links. Whoever names a folder means what is in it, and nothing else.

    Raises:
        InvalidValueError: It lies outside of the folder.
    """
    if file == path:
        return file
    real = Path(os.path.realpath(file))
    if not real.is_relative_to(os.path.realpath(path)):
        raise InvalidValueError("the file", "is a link that leads out of the folder; put the file itself there")
    return real


def _content(file: Path) -> bytes:
    if not file.is_file():
        is_there = os.path.lexists(file)
        raise InvalidValueError("the file", "is not a regular file" if is_there else "is a link that leads to nothing")
    with file.open("rb") as opened:
        return opened.read(limits.TEXT_BYTES_MAX + 1)
