"""Random work on states and texts, and a plain model of what it should leave."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from random import Random
from typing import Any

from edda_sync.store.seams.states import Record, TailEdit, TextState
from tests.store.samples import ACTOR, OTHER, actor, entity, record

Step = tuple[Any, ...]
NAMES = [("content", actor(1)), ("content", actor(2)), ("description", actor(1))]
KEYS = [entity(number, kind) for kind in ("task", "document", "tag") for number in range(4)]


class Model:
    """States and texts as plain dictionaries."""

    def __init__(self) -> None:
        self.entries: dict[bytes, tuple[Record, bool]] = {}
        self.bases: dict[tuple[bytes, str, bytes], tuple[int, bytes]] = {}
        self.tails: dict[tuple[bytes, str, bytes], list[TailEdit]] = {}

    def copy(self) -> Model:
        other = Model()
        other.entries, other.bases = dict(self.entries), dict(self.bases)
        other.tails = {name: list(tail) for name, tail in self.tails.items()}
        return other

    def do(self, step: Step) -> None:
        what, *of = step
        if what == "put":
            self.entries[of[0].key] = of[0], of[1]
        elif what == "append":
            self.tails.setdefault(of[0], []).append(of[1])
        elif what == "text":
            name, serial, state = of
            self.bases[name] = serial, state
            self.tails[name] = [each for each in self.tails.get(name, []) if each.serial > serial]
        elif what == "drop":
            self.entries.pop(of[0], None)
            for held in (self.bases, self.tails):
                for name in [name for name in held if name[0] == of[0]]:
                    del held[name]
        else:
            self.__init__()  # type: ignore[misc]

    def text(self, name: tuple[bytes, str, bytes], since: int) -> TextState | None:
        if name not in self.bases:
            return None
        serial, state = self.bases[name]
        tail = [each for each in self.tails.get(name, []) if each.serial > max(serial, since)]
        return TextState(state if serial > since else b"", serial, tail)

    def said(self, sinces: Sequence[int] = (-1, 0, 3, 50)) -> dict[str, Any]:
        """Return everything that can be asked."""
        visible_first = sorted(self.entries, key=lambda key: (self.entries[key][0].hidden, key))
        return {
            "get": {key: entry[0] for key, entry in self.entries.items()},
            "scan": [self.entries[key][0] for key in sorted(self.entries)],
            "texts": sorted(self.bases),
            "text": {(name, since): self.text(name, since) for name in all_names() for since in sinces},
            "hidden": [key for key in sorted(self.entries) if self.entries[key][0].hidden and key[0] == 0],
            "hidden_count": sum(entry[0].hidden for entry in self.entries.values()),
            "conflicted": [key for key in sorted(self.entries) if self.entries[key][1]],
            "ending": [key for key in visible_first if key[0] == 0 and key.endswith(entity(2)[-3:])],
        }


def all_names() -> list[tuple[bytes, str, bytes]]:
    return [(key, *name) for key in KEYS for name in NAMES]


def steps(random: Random, count: int, serials: Iterator[int]) -> list[Step]:
    """Draw some work."""
    drawn: list[Step] = []
    for _ in range(count):
        name = (random.choice(KEYS), *random.choice(NAMES))
        match random.choice(("put", "put", "put", "append", "append", "append", "text", "drop", "clear")):
            case "put":
                key, hidden = random.choice(KEYS), random.random() < 0.3
                made = record(int.from_bytes(key[1:], "big"), state=random.randbytes(20), hidden=hidden)
                drawn.append(("put", made._replace(key=key), random.random() < 0.3))
            case "append":
                edit = TailEdit(next(serials), random.choice((ACTOR, OTHER)), random.randrange(9), random.randbytes(5))
                drawn.append(("append", name, edit))
            case "text":
                serial = next(serials)
                drawn.append(("text", name, max(0, serial - random.randrange(1, 6)), random.randbytes(9)))
            case "drop":
                drawn.append(("drop", random.choice(KEYS)))
            case _ if random.random() < 0.1:
                drawn.append(("clear",))
    return drawn
