"""Names of changes as people type them: the beginning of the actor in hex, a dash, and the number of the change."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from edda_sync.crdt.frontier import Dot
from edda_sync.store.seams import StoreReader
from edda_sync.words import values
from edda_sync.words.errors import InvalidValueError, NotFoundError

_FORM: Final = re.compile(r"([0-9a-f]{4,})-([0-9]{1,15})(?:\.\.([0-9]{1,15}))?", re.ASCII)
SHORT: Final = 8  # hex digits of an actor in a list; two actors share them once in four billion


def text_of(dot: Dot, digits: int | None = None) -> str:
    """Return the name of a change; with only so many digits of its actor, if given."""
    return f"{dot[0].hex()[:digits]}-{dot[1]}"


def short(name: str) -> str:
    """Return the name of a change as lists show it, with the beginning of its life."""
    actor, dash, seq = name.partition("-")
    return f"{actor[:SHORT]}{dash}{seq}"


def named(dots: Iterable[Dot], digits: int | None = None) -> list[str]:
    """Return the names of some changes; those of one life, one after another, are one range."""
    runs: list[tuple[bytes, int, int]] = []
    for actor, seq in dots:
        if runs and runs[-1][0] == actor and runs[-1][2] == seq - 1:
            runs[-1] = actor, runs[-1][1], seq
        else:
            runs.append((actor, seq, seq))
    return [text_of((actor, first), digits) + (f"..{last}" if last > first else "") for actor, first, last in runs]


def is_name(text: str) -> bool:
    """Tell whether something that somebody typed has the form of a change's name, as lists show it; no time has it."""
    form = _FORM.fullmatch(text.strip().lower())
    return form is not None and len(form[1]) >= SHORT


def dot_of(reader: StoreReader, text: str) -> Dot:
    """
    Return the one change that a name means.

    Args:
        reader: A reader of the store.
        text: What somebody typed.

    Raises:
        InvalidValueError: This is no name of one change, or several actors begin like this.
        NotFoundError: No change here has this name.
    """
    found = dots_of(reader, text)
    if len(found) > 1:
        raise InvalidValueError("change", "is the name of several changes: name one", text)
    return found[0]


def dots_of(reader: StoreReader, text: str) -> list[Dot]:
    """
    Return the changes that a name means: one, or several for a range such as ``1f3a9c20-12..15``.

    Args:
        reader: A reader of the store.
        text: What somebody typed.

    Raises:
        InvalidValueError: This is no name of a change, or several actors begin like this.
        NotFoundError: No change here has this name.
    """
    form = _FORM.fullmatch(values.text("change", text).strip().lower())
    if form is None:
        raise InvalidValueError("change", "is written as `edda history` shows it, such as 1f3a9c20-12", text)
    beginning, first, last = form[1], int(form[2]), int(form[3] or form[2])
    actors = sorted(actor for actor in reader.log.heads() if actor.hex().startswith(beginning))
    if len(actors) > 1:
        raise InvalidValueError("change", "fits the changes of several lives: type more of its beginning", text)
    reached = reader.log.heads()[actors[0]].seq if actors else 0
    if not 0 < first <= last <= reached:
        raise NotFoundError("change", text)
    found = [(actors[0], seq) for seq in range(first, last + 1)]
    if any(reader.log.position_of(*dot) is None for dot in found):
        raise NotFoundError("change", text)
    return found
