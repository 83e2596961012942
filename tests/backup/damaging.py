"""What can be done to a place with backups: each function changes what is held there by chance, and tells what it did."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from typing import Final, NamedTuple

Held = dict[str, bytes]


class Earlier(NamedTuple):
    """What lay at the place before each backup, and what lies at the place of another workspace."""

    before: Sequence[Held]
    foreign: Held


Damage = Callable[[Held, Earlier, random.Random], str]


def keys_of(held: Mapping[str, bytes], part: str) -> set[str]:
    """Return the keys that contain a text."""
    return {key for key in held if part in key}


def _drawn(held: Held, rng: random.Random) -> str:
    """Draw the kind of object first: most objects are of one kind."""
    parts = [part for part in ("/objects/", "/manifests/", "/recovery/", "/keys") if keys_of(held, part)]
    return rng.choice(sorted(keys_of(held, rng.choice(parts))))


def _cut(held: Held, _: Earlier, rng: random.Random) -> str:
    key = _drawn(held, rng)
    held[key] = held[key][: rng.randrange(len(held[key]))]
    return f"cut {key}"


def _flipped(held: Held, _: Earlier, rng: random.Random) -> str:
    key = _drawn(held, rng)
    changed = bytearray(held[key])
    for _flip in range(rng.choice((1, 1, 3))):
        changed[rng.randrange(len(changed))] ^= 1 << rng.randrange(8)
    held[key] = bytes(changed)
    return f"flipped {key}"


def _longer(held: Held, _: Earlier, rng: random.Random) -> str:
    key = _drawn(held, rng)
    held[key] += rng.randbytes(rng.randint(1, 40))
    return f"longer {key}"


def _removed(held: Held, _: Earlier, rng: random.Random) -> str:
    gone = [_drawn(held, rng) for _ in range(rng.choice((1, 1, 2)))]
    for key in gone:
        held.pop(key, None)
    return f"removed {gone}"


def _swapped(held: Held, _: Earlier, rng: random.Random) -> str:
    one, other = (_drawn(held, rng) for _ in range(2))
    held[one], held[other] = held[other], held[one]
    return f"swapped {one} {other}"


def _reordered(held: Held, _: Earlier, rng: random.Random) -> str:
    keys = sorted(keys_of(held, rng.choice(("/objects/", "/manifests/"))))
    shift = rng.randrange(1, len(keys))
    values = [held[key] for key in keys]
    held.update(zip(keys, values[shift:] + values[:shift], strict=True))
    return f"reordered by {shift} from {keys[0]}"


def _renamed(held: Held, _: Earlier, rng: random.Random) -> str:
    """An old manifest is made to look like the newest, or like one of another device; as a copy, or moved there."""
    keys = sorted(keys_of(held, "/manifests/"))
    key = rng.choice(keys)
    folder = rng.choice(keys).partition("manifests/")[0]
    name = f"{folder}manifests/{rng.randint(1, 9):012d}-{key.rpartition('-')[2]}"
    held[name] = held[key] if rng.random() < 0.5 else held.pop(key)
    return f"renamed {key} to {name}"


def _rolled_back(held: Held, earlier: Earlier, rng: random.Random) -> str:
    number = rng.randrange(1, len(earlier.before))
    then = earlier.before[number]
    part = rng.choice(("edda/", "/manifests/", "/objects/"))
    for key in keys_of(held, part):
        if key in then:
            held[key] = then[key]
        else:
            del held[key]
    return f"rolled back to before {number}: {part}"


def _replaced(held: Held, earlier: Earlier, rng: random.Random) -> str:
    key = _drawn(held, rng)
    held[key] = earlier.foreign[_drawn(earlier.foreign, rng)]
    return f"of another workspace {key}"


def _beside(held: Held, earlier: Earlier, rng: random.Random) -> str:
    """Foreign objects lie beside ours, under their names or under ours."""
    kind = rng.choice(("whole", "object", "name"))
    if kind == "whole":
        held.update(earlier.foreign)
    elif kind == "object":
        root = next(iter(held)).partition("/devices/")[0].partition("/objects/")[0]
        held[f"{root}/objects/{rng.randbytes(32).hex()}"] = rng.randbytes(rng.randint(0, 300))
    else:
        held[rng.choice(("readme.txt", "edda/readme", "edda/x/devices/y", "other/edda/objects/00"))] = b"hello"
    return f"beside: {kind}"


DAMAGES: Final[Mapping[str, Damage]] = {
    "cut": _cut,
    "flipped": _flipped,
    "longer": _longer,
    "removed": _removed,
    "swapped": _swapped,
    "reordered": _reordered,
    "renamed": _renamed,
    "rolled back": _rolled_back,
    "replaced": _replaced,
    "beside": _beside,
}
