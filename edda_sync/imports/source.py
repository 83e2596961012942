"""
What a source hands to the merger: its items, each with an identity that stays, and what could not be read.

A format is a small module of its own, an :class:`Adapter`: it maps what it reads to :class:`Imported` items, and neither
knows a store nor what was imported before. Everything else is done once, for all sources, in ``merge``.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Final, Protocol

from edda_sync.words import limits, unicode14
from edda_sync.words.model import Item

if TYPE_CHECKING:
    from edda_sync.imports.memory import Memory

_HALVES: Final = re.compile("[\ud800-\udfff]")  # half characters, which UTF-8 cannot write


@dataclass(frozen=True, slots=True)
class Attach:
    """
    A file to attach.

    Attributes:
        path: Where it is; None if it cannot be attached.
        name: What people call it.
        content_type: Its media type; what its name suggests by default.
        why: Why it cannot be attached.
    """

    path: Path | None
    name: str
    content_type: str | None = None
    why: str = ""


@dataclass(frozen=True, slots=True)
class Imported:
    """
    One item of a source.

    Attributes:
        name: What the source calls it.
        item: What it is here; its id and every field to import are set. The id follows from the item's identity in the
            source, so that it is the same on every device, whoever imports it and how often.
        kept: What it has that no field holds, and metadata keeps.
        nearly: What its fields hold as near as they can, and metadata keeps as it was.
        files: What is attached to it when it is created.
        changed_at: When the source says that it was changed, RFC 3339 UTC; None if it does not say. What is older than what
            was imported last undoes nothing.
        only_if_here: Whether it changes what is here, and makes nothing: the source has thrown it away.
        before: What the source said last, if the source itself knows; None if only the store may know.
    """

    name: str
    item: Item
    kept: Sequence[str] = ()
    nearly: Sequence[str] = ()
    files: Sequence[Attach] = ()
    changed_at: str | None = None
    only_if_here: bool = False
    before: Memory | None = None


@dataclass(frozen=True, slots=True)
class Refused:
    """Something of a source that is not imported: where it is, and why not."""

    name: str
    why: str


@dataclass(frozen=True, slots=True)
class Source:
    """
    What was read from a source.

    Attributes:
        key: Name of the source, such as ``beads``; ``import.KEY`` is the metadata key that remembers what was imported.
        items: What to import; a task comes after its parent.
        refused: What cannot be imported: something is wrong with it.
        left_out: What is not meant to be imported: nothing is wrong with it.
        remembers: Whether what was imported is remembered in the items; otherwise what is here stays as it is here.
    """

    key: str
    items: Sequence[Imported]
    refused: Sequence[Refused] = ()
    left_out: Sequence[Refused] = ()
    remembers: bool = True


class Adapter(Protocol):
    """A format: a module that has these two names."""

    KEY: str
    """Name of the source, such as ``beads``."""

    def parse(self, lines: IO[bytes], /) -> Source:
        """
        Return what a file holds. What cannot be read is refused, and the rest is returned.

        Raises:
            UsageError: It is another kind of file.
        """
        ...


def title_from(text: str, otherwise: str) -> str:
    """
    Return text as a title: one line without control characters, at most 500 code points.

    Args:
        text: Anything that is meant to be a title.
        otherwise: What to return when nothing is left of it.
    """
    line = "".join(" " if unicodedata.category(c) in ("Cc", "Zl", "Zp") else c for c in _HALVES.sub("\ufffd", text))
    title = " ".join(line.split())[: limits.TITLE_CODE_POINTS_MAX].rstrip()
    return otherwise if unicode14.is_blank(title) else title
