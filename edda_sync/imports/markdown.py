"""
Markdown: a file, or a folder of ``*.md`` files, as documents.

Content is kept byte for byte: line breaks, NUL, a byte order mark. What lies in a folder ``NAME.files`` beside ``NAME.md``
is attached to its document when that is made, and is no document. A document's id follows from its path inside the folder,
so the same folder imported on two devices is one set of documents; ``metadata["markdown.path"]`` has the path.
"""

from __future__ import annotations

import os
import re
import unicodedata
from pathlib import Path
from typing import Final

from edda_sync.imports.source import Attach, Imported, Refused, Source, title_from
from edda_sync.words import limits, values
from edda_sync.words.errors import InvalidValueError
from edda_sync.words.model import Document

KEY: Final = "markdown"
PATH_KEY: Final = "markdown.path"
SUFFIX: Final = ".files"
"""How the name of a folder ends that has what is attached to a document, or to those of an export."""

_HEADING: Final = re.compile(r" {0,3}#[ \t]+(.*?)(?:[ \t]+#+)?[ \t]*")
_FENCE: Final = re.compile(r" {0,3}(`{3,}|~{3,})")


def document_id(path: str) -> str:
    """Return the id of the document of a file, by its path inside the folder: the same on every device."""
    return values.uuid8(KEY, path)


def read(path: Path, under: str = "") -> Source:
    """
    Read a file, or every ``*.md`` below a folder; pass what it returns to ``imports.merge_into``.

    Args:
        path: The file or folder. In a folder, links to folders are not followed, and links that lead out of it are refused.
        under: A path to put before the paths of the files, so that two folders with equal names inside stay apart.

    Raises:
        OSError: The file or folder is not there, or cannot be read.
    """
    items: list[Imported] = []
    refused: list[Refused] = []
    taken: dict[str, str] = {}
    for file, inside in _files(path, refused):
        name = unicodedata.normalize("NFC", f"{under.strip('/')}/{inside}" if under.strip("/") else inside)
        try:
            if name in taken:
                raise InvalidValueError("its name", f"is {taken[name]!a} too, but for how accents are composed")
            made = document_of(name, _content(_within(path, file)))
        except InvalidValueError as error:
            refused.append(Refused(ascii(inside), str(error).rstrip(".")))
        except OSError as error:
            refused.append(Refused(ascii(inside), error.strerror or str(error)))
        else:
            taken[name] = inside
            items.append(Imported(name, made, files=_attached(file)))
    return Source(KEY, items, refused)


def document_of(name: str, content: bytes) -> Document:
    """
    Return the document of a file.

    Args:
        name: Its path inside the folder, with ``/`` and composed accents (NFC).
        content: Its bytes.

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
    stem = name.rpartition("/")[2].removesuffix(".md")
    return Document(
        id=document_id(name),
        title=title_of(text, stem) or values.TITLE_DEFAULT,
        content=text,
        metadata={PATH_KEY: name},
        tags=set(),
    )


def title_of(text: str, otherwise: str) -> str:
    """
    Return the first ``# heading`` of a text as a title.

    Args:
        text: Markdown; what stands in a fenced block is no heading.
        otherwise: What to make a title of when there is none; what comes of it may be empty.
    """
    fence = ""
    for line in text.removeprefix("\ufeff").splitlines():
        mark = _FENCE.match(line)
        if mark is not None and (not fence or mark[1].startswith(fence)):
            fence = "" if fence else mark[1]
        heading = None if fence else _HEADING.fullmatch(line)
        title = "" if heading is None else title_from(heading[1], "")
        if title:
            return title
    return title_from(otherwise, "")


def _files(path: Path, refused: list[Refused]) -> list[tuple[Path, str]]:
    """Return files and their paths inside the folder, in order of these; folders that cannot be read are refused."""
    path.stat()  # what is not there, or may not be looked at, is an error and no refusal
    if not path.is_dir():
        return [(path, path.name)]
    os.listdir(path)

    def fail(error: OSError) -> None:
        refused.append(Refused(ascii(os.path.relpath(os.fsdecode(error.filename), path)), error.strerror or str(error)))

    found = []
    for folder, folders, names in os.walk(path, onerror=fail):
        inside = Path(folder).relative_to(path)
        written = [name for name in names if name.lower().endswith(".md")]
        found += [(Path(folder) / name, (inside / name).as_posix()) for name in written]
        enclosed = {f"{name[:-3]}{SUFFIX}" for name in written}
        folders[:] = [each for each in folders if each not in enclosed]
    return sorted(found, key=lambda pair: os.fsencode(pair[1]))


def _attached(file: Path) -> list[Attach]:
    """Return what lies in the folder of a file's attachments, by name. Links are not followed."""
    folder = file.with_suffix(SUFFIX)
    if file.suffix.lower() != ".md" or folder.is_symlink() or not folder.is_dir():
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
        raise InvalidValueError("the file", "is not a regular file")
    with file.open("rb") as opened:
        return opened.read(limits.TEXT_BYTES_MAX + 1)
