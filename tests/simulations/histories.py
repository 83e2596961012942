"""Small histories, made as devices would make them, for the oracle and its parts."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from edda_sync.changes import change as changes
from edda_sync.changes.change import DEP_HASH_BYTES, NO_HASH, Birth, Header, actor_of, encode_birth, encode_header
from edda_sync.crdt.text import edits
from edda_sync.crdt.text.document import TextDocument, genesis_id
from edda_sync.simulations.oracle import Oracle
from edda_sync.store.seams import Logged
from edda_sync.words import values

PUT, EDIT, DELETE, TOUCH = range(1, 5)
BIRTHS: Final = {
    actor_of(encode_birth(birth)): birth
    for birth in (Birth(bytes([number]) * 32, b"nonce of sixteen") for number in range(4))
}
A, B, C, D = sorted(BIRTHS)  # so that of two with one wall time, the later letter is greater
T, U = bytes(15) + b"\1", bytes(15) + b"\2"
WORK = values.id_bytes("tags", values.tag_id("work"))


class History:
    """Changes, made as devices would."""

    def __init__(self) -> None:
        self.log: list[tuple[Logged, bytes]] = []
        self._hashes: dict[bytes, list[bytes]] = {}

    def make(self, actor: bytes, wall: int, *operations: list[Any], seen: dict[bytes, int] | None = None) -> None:
        hashes = self._hashes.setdefault(actor, [NO_HASH])
        seq = len(hashes)
        pieces = [msgspec.msgpack.encode(operation) for operation in operations]
        body = b"".join(len(piece).to_bytes(4, "big") + piece for piece in pieces)
        deps = [(name, at, self._hashes[name][at][:DEP_HASH_BYTES]) for name, at in sorted((seen or {}).items())]
        ext = changes.header_ext(wall, birth=BIRTHS[actor] if seq == 1 else None)
        raw = encode_header(
            Header(1, actor, seq, tuple(deps), len(operations), len(body), changes.hash_part(body), hashes[-1], ext)
        )
        hashes.append(changes.hash_change(hashes[-1], changes.hash_header(raw)))
        self.log.append((Logged(len(self.log) + 1, actor, seq, hashes[-1], raw, body), body))

    def means(self, *order: int) -> Oracle:
        return Oracle([self.log[at] for at in order] if order else self.log)


def put(name: bytes, **cells: Any) -> list[Any]:
    return [PUT, "task", name, {key.replace("__", "."): value for key, value in cells.items()}]


def titles(oracle: Oracle) -> list[str]:
    return sorted(task["title"] for task in oracle.tasks().values())


def edit(actor: bytes, start: str, position: int, inserted: str, deleted: int = 0) -> list[Any]:
    genesis = genesis_id(T, "description", start)
    made = TextDocument.start(genesis, start, [(A, 1)]).edit((actor, 1), {A: 1}, [(position, deleted, inserted)])
    return [EDIT, "task", T, "description", genesis, edits.encode(made)]
