"""
Markdown: a file, or a folder of ``*.md`` files, as documents.

Content is kept byte for byte: line breaks, NUL, a byte order mark. A document's id follows from its path inside the folder,
so the same folder imported on two devices is one set of documents; ``metadata["markdown.path"]`` has the path.
"""

from __future__ import annotations

import os
import re
import unicodedata
from pathlib import Path
from typing import Final

from edda_sync.imports.merge import Imported, Refused, Source, title_from
from edda_sync.words import limits, values
from edda_sync.words.errors import InvalidValueError
from edda_sync.words.model import Document

KEY: Final = "markdown"
PATH_KEY: Final = "markdown.path"

_HEADING: Final = re.compile(r" {0,3}#[ \t]+(.*?)(?:[ \t]+#+)?[ \t]*")
_FENCE: Final = re.compile(r" {0,3}(`{3,}|~{3,})")


def document_id(path: str) -> str:
    """Return the id of the document of a file, by its path inside the folder: the same on every device."""
    return values.uuid8(KEY, path)


def read(path: Path, under: str = "") -> Source:
    """
    Read a file, or every ``*.md`` below a folder; pass what it returns to ``imports.merge_into``.

    Args:
        path: The file or folder. Links to folders are not followed.
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
            made = document_of(name, _content(file))
        except InvalidValueError as error:
            refused.append(Refused(ascii(inside), str(error).rstrip(".")))
        except OSError as error:
            refused.append(Refused(ascii(inside), error.strerror or str(error)))
        else:
            taken[name] = inside
            items.append(Imported(name, made))
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
    for folder, _, names in os.walk(path, onerror=fail):
        inside = Path(folder).relative_to(path)
        found += [(Path(folder) / name, (inside / name).as_posix()) for name in names if name.lower().endswith(".md")]
    return sorted(found, key=lambda pair: os.fsencode(pair[1]))


def _content(file: Path) -> bytes:
    if not file.is_file():
        raise InvalidValueError("the file", "is not a regular file")
    with file.open("rb") as opened:
        return opened.read(limits.TEXT_BYTES_MAX + 1)
