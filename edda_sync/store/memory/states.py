"""States and texts, in the memory store."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from edda_sync.crdt.keys import kind_and_id
from edda_sync.store.memory.journal import Facet, WriterFacet
from edda_sync.store.seams.states import Record, TailEdit, TextState


class MemoryStates(Facet):
    """Implementation of ``seams.states.StatesReader``."""

    __slots__ = ()

    def get(self, keys: Iterable[bytes]) -> dict[bytes, Record]:
        held = self._tables["entities"]
        return {key: held[key] for key in keys if key in held}

    def scan(self, kind: str | None = None, after: bytes = b"") -> Iterator[Record]:
        held = self._tables["entities"].values()
        found = [record for record in held if record.key > after and kind in (None, kind_and_id(record.key)[0])]
        yield from sorted(found, key=lambda record: record.key)

    def text(self, entity: bytes, field: str, genesis: bytes, since: int = -1) -> TextState | None:
        stored = self._tables["texts"].get((entity, field, genesis))
        if stored is None:
            return None
        state, serial = stored
        newer = max(serial, since)
        tail = [each for each in self._tables["tails"].get((entity, field, genesis), ()) if each.serial > newer]
        return TextState(state if serial > since else b"", serial, tail)

    def texts(self) -> Sequence[tuple[bytes, str, bytes]]:
        return sorted(self._tables["texts"])

    def last_serial(self) -> int:
        last: int = self._tables["serials"].get("last", 0)
        return last


class MemoryStatesWriter(WriterFacet, MemoryStates):
    """Implementation of ``seams.states.StatesWriter``."""

    __slots__ = ()

    def put(self, records: Sequence[Record], conflicted: Mapping[bytes, bool]) -> None:
        for record in records:
            self._journal.set("entities", record.key, record)
            if conflicted[record.key]:
                self._journal.keep("conflicted", record.key, None)
            else:
                self._journal.drop("conflicted", record.key)

    def put_text(self, entity: bytes, field: str, genesis: bytes, state: bytes, serial: int) -> None:
        key = (entity, field, genesis)
        self._journal.set("texts", key, (bytes(state), serial))
        self._journal.set(
            "tails", key, tuple(each for each in self._tables["tails"].get(key, ()) if each.serial > serial)
        )

    def append_text(self, entity: bytes, field: str, genesis: bytes, actor: bytes, seq: int, edit: bytes) -> int:
        key = (entity, field, genesis)
        serial = self.last_serial() + 1
        self._journal.set("serials", "last", serial)
        self._journal.set(
            "tails", key, (*self._tables["tails"].get(key, ()), TailEdit(serial, actor, seq, bytes(edit)))
        )
        return serial

    def drop(self, entities: Iterable[bytes]) -> None:
        """Forget the states and the texts of some entities."""
        gone = set(entities)
        for name in ("entities", "conflicted"):
            self._journal.drop_where(name, lambda key: key in gone)
        for name in ("texts", "tails"):
            self._journal.drop_where(name, lambda key: key[0] in gone)
