"""
A place proves that it can be a target, before anything is entrusted to it.

What backups need is tried with objects of the place's own folder ``edda/proofs``, and a place that fails is refused
with what it does wrong: what is written is read back as it was, replaced, listed in order with its size, and deleted.

What no backup needs is tried too, and told: some stores take a condition and ignore it in silence, some list late, some
do not let anything be deleted. Such a place can keep backups; who knows of it is not surprised.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Final, NamedTuple, Protocol

from edda_sync.backup.target import Listed, Target
from edda_sync.words.errors import NoObjectError, TargetError
from edda_sync.words.limits import LEFTOVER_S, TARGET_CLOCK_S_MAX, TARGET_LISTS_S

LATE, DELETE, CLOCK, SAME_DISK = "list", "delete", "clock", "disk"
"""What a place may lack beside what ``objects`` names: a list that is never late, deletions, the time, a disk of its own."""

_FOLDER: Final = "edda/proofs"  # flat: each proof has a series of names in it
_SIZE: Final = 70_000  # more than one packet or block
_LOOKS_S: Final = 0.25  # between two looks at a list
_SENTENCES: Final = {
    frozenset({"create", "swap"}): "It overwrites even where a condition forbids it; backups rely on no condition.",
    frozenset({"create"}): "It overwrites what is there even when told to create only; backups do not rely on that.",
    frozenset({"swap"}): "It replaces even what has changed since; backups do not rely on that.",
}
_OTHERS: Final = {
    "part": "It cannot send a part of an object; backups read whole ones.",
    LATE: "It lists what was written only after a while, so a backup may be missing from the list for some seconds.",
    DELETE: "It lets nothing be deleted, so all backups stay there, whatever is to be kept.",
    SAME_DISK: "It lies on the same disk as the store, which helps against mistakes and not against a lost disk.",
    CLOCK: "Its clock is wrong by minutes; times of backups are those of the devices that made them.",
}


class Proof(NamedTuple):
    """
    What a place has proved.

    Attributes:
        lacks: What it does not keep, and no backup needs; see :func:`told`.
    """

    lacks: tuple[str, ...]


class Provable(Target, Protocol):
    """A target of which it can be tried what it keeps beyond what backups need."""

    def keeps(self, key: str) -> Mapping[str, bool]:
        """Try each such thing, with an object that is made for this; return nothing where there is nothing to try."""
        ...


def told(lacks: tuple[str, ...]) -> list[str]:
    """Return what a place lacks, each in one sentence."""
    conditions = frozenset(lacks) & {"create", "swap"}
    said = [_SENTENCES[conditions]] if conditions else []
    return said + [_OTHERS[each] for each in lacks if each in _OTHERS]


def prove(
    target: Provable,
    *,
    wait: Callable[[float], None] = time.sleep,
    now: Callable[[], float] = time.time,
) -> Proof:
    """
    Let a place prove that it can be a target. What is written for this is deleted again.

    Args:
        target: The place.
        wait: Waits so many seconds.
        now: Returns the time in seconds since 1970.

    Raises:
        TargetError: It cannot be reached, or does not keep what backups need.
    """
    series = f"{_FOLDER}/{os.urandom(8).hex()}"
    first, second, third = (f"{series}-{each}" for each in ("1", "2", "3"))
    content, lacks = os.urandom(_SIZE), []
    with _cleaning(target) as written:
        for key in (third, second, first):
            target.put(key, content)
            written.append(key)
        if target.get(first) != content:
            raise _bad(target, "what is read there is not what was written")
        target.put(first, content[:-1])
        if target.get(first) != content[:-1]:
            raise _bad(target, "what is written again there is not replaced")
        wanted = [(first, _SIZE - 1), (second, _SIZE), (third, _SIZE)]
        listed, is_late = _listed(target, series, wanted, wait)
        lacks += [LATE] if is_late else []
        lacks += [CLOCK] if any(abs(each.modified_s - now()) > TARGET_CLOCK_S_MAX for each in listed) else []
        lacks += [name for name, kept in target.keeps(second).items() if not kept]
        lacks += [] if _deletes(target, first) else [DELETE]
        written += [] if DELETE in lacks else _left(target, listed[0].modified_s)
    return Proof(tuple(lacks))


def _listed(
    target: Target, series: str, wanted: list[tuple[str, int]], wait: Callable[[float], None]
) -> tuple[list[Listed], bool]:
    """Return what is listed, once it is what was written, and whether that took a while."""
    looks = int(TARGET_LISTS_S / _LOOKS_S)
    for look in range(looks):
        listed = [each for each in target.list(f"{_FOLDER}/", series) if each.key.startswith(series)]
        if [(each.key, each.size) for each in listed] == wanted:
            return listed, look > 0
        wait(_LOOKS_S)
    raise _bad(target, "what was written there is not listed, or not in order and with its size")


def _deletes(target: Target, key: str) -> bool:
    with suppress(NoObjectError):
        try:
            target.delete(key)
        except TargetError:
            return False
        target.get(key)
        return False
    return True


def _left(target: Target, now_s: float) -> list[str]:
    """Return what interrupted proofs left, as seen by the clock of the target."""
    return [each.key for each in target.list(f"{_FOLDER}/") if each.modified_s < now_s - LEFTOVER_S]


@contextmanager
def _cleaning(target: Target) -> Iterator[list[str]]:
    """
    Delete the objects of a list at the end, unless a person ends it.

    What is told is why the proof failed, and not that this fails too; then the place is not asked again and again.
    """
    written: list[str] = []
    try:
        yield written
    except Exception:
        _clean(target, written)
        raise
    _clean(target, written)


def _clean(target: Target, keys: list[str]) -> None:
    with suppress(TargetError):
        for key in keys:
            target.delete(key)


def _bad(target: Target, why: str) -> TargetError:
    return TargetError(target.name, why, "backups need that, so name another place")
