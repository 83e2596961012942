"""Naming: what a target is called that nobody gave a name: after the last folder of its place, or after its bucket."""

from __future__ import annotations

import itertools
import os
import re
from collections.abc import Collection
from typing import Final

from edda_sync.backup.targets.known import USUAL
from edda_sync.backup.targets.place import Place
from edda_sync.words.limits import TARGET_NAME_CHARACTERS_MAX

_OTHERWISE: Final = "backups"  # of a place whose path has no usable word, such as a root folder
_PLAIN: Final = frozenset(
    ("edda", "edda-backups", "backup", "backups")
)  # such folders are everywhere, and tell nothing


def is_place(word: str) -> bool:
    """Tell whether a word of a person is a folder or an address, and no name: it has a slash, or begins as a path does."""
    return "/" in word or os.sep in word or word.startswith(("~", "."))


def name_of(place: Place, taken: Collection[str] = ()) -> str:
    """
    Return a name for a place: ``stick`` for ``/media/stick/backups``, ``my-bucket`` for ``s3://my-bucket/edda``.

    Args:
        place: The place.
        taken: The names of other places; the name gets a number if it is one of these.
    """
    parts = re.split(r"[/\\]", f"{place.root}/{place.prefix}")
    words = [
        word for each in reversed(parts) if (word := re.sub(r"^[-.]+", "", each.strip())[:TARGET_NAME_CHARACTERS_MAX])
    ]
    telling = [word for word in words if word.casefold() not in _PLAIN and word != USUAL]
    found = [*telling, *(word for word in words if word != USUAL), _OTHERWISE]
    name = found[0].strip()
    numbered = (f"{name}-{number}" for number in itertools.count(2))
    return next(each for each in itertools.chain([name], numbered) if each not in taken)
