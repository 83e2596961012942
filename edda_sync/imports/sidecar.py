"""
Sidecar: a hidden file in a folder of exported documents, by which an import knows them again.

The documents themselves stay byte for byte as they are: other programs would show what we wrote into them, and an id in a
copied file would be there twice. Obsidian and others leave a file alone whose name begins with a dot, and git keeps it. Each
line has a document's path, its id, and what was exported, as an import would remember it: the base of a merge.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Final

from edda_sync.imports.memory import Memory
from edda_sync.words import values
from edda_sync.words.errors import InvalidValueError

NAME: Final = ".edda.jsonl"


@dataclass(frozen=True, slots=True)
class Exported:
    """
    What an export wrote of one document.

    Attributes:
        path: Its path in the folder.
        id: Its id.
        memory: What was exported.
        version: Its version then, so that a later export is another one.
    """

    path: str
    id: str
    memory: Memory
    version: str = ""


def line(each: Exported) -> bytes:
    """Return the line of a document."""
    told = {"path": each.path, "id": each.id, "version": each.version, "exported": each.memory.written()}
    return json.dumps(told, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


def above(path: Path) -> Path | None:
    """Return the folder of the export that a file or folder is in; None if it is in none."""
    real = path.absolute()
    return next((each for each in (real, *real.parents) if (each / NAME).is_file()), None)


def read(folder: Path) -> dict[str, Exported]:
    """Return what an export wrote into a folder, by path. A line that cannot be read is as if it were not there."""
    raw = (folder / NAME).read_bytes()
    token = blake2b(raw, digest_size=6, person=b"edda-exported").hexdigest()
    return {each.path: each for each in _parsed(raw.splitlines(), token)}


def _parsed(lines: Iterable[bytes], token: str) -> Iterable[Exported]:
    for each in lines:
        try:
            told = json.loads(each)
            memory = Memory.read({**told["exported"], ":export": token})
            made = Exported(
                values.text("path", told["path"]), values.id_text(values.id_bytes("id", told["id"])), memory or Memory()
            )
        except (ValueError, TypeError, LookupError, InvalidValueError, RecursionError):
            continue  # such as a mark that git left: the document is then known by its path
        yield made
