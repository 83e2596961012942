"""The memory store's readers and transactions: dictionaries behind ``protocols.StoreReader`` and ``StoreWriter``."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final

from edda_sync.crdt.entity import key_of, kind_and_id
from edda_sync.crdt.rows import COLUMNS
from edda_sync.store.seams import (
    Head,
    Incoming,
    Logged,
    Patch,
    Pointed,
    Record,
    Rewritten,
    Row,
    Shown,
    TailEdit,
    TextState,
    Unapplied,
)
from edda_sync.words import values
from edda_sync.words.errors import CorruptError, StorageError
from edda_sync.words.query import Plan, in_order, matches, occurrences

Table = dict[Any, Any]
Tables = dict[str, Table]
Journal = list[tuple[str, Any, Any]]  # table, key, and what stood there

_ABSENT: Final = object()
_LOG: Final = (
    "meta", "log", "dots", "log_parts", "segments", "segment_parts", "heads", "signatures", "incoming", "incoming_parts",
    "evidence", "mentions", "behind", "rewritten", "serials",
)  # fmt: skip
_VIEW: Final = (
    "tasks", "documents", "tags", "tag_names", "entity_tags", "task_documents", "withheld", "entities", "conflicted",
    "texts", "tails", "stale", "unapplied", "digest", "unindexed", "search",
)  # fmt: skip
_TABLE: Final = {"task": "tasks", "document": "documents", "tag": "tags"}
_NULLABLE: Final = {
    "description", "content", "completed_at", "due_date", "parent_id", "metadata", "agent_context", "color",
}  # fmt: skip
_PARENT: Final = COLUMNS["task"].index("parent_id")


def empty_tables() -> Tables:
    """Return the tables of a new store."""
    return {name: {} for name in (*_LOG, *_VIEW)}


def undo(tables: Tables, journal: Journal) -> None:
    """Put back what stood in tables before a journal's writes."""
    for name, key, stood in reversed(journal):
        if stood is _ABSENT:
            tables[name].pop(key, None)
        else:
            tables[name][key] = stood


def _text_of(key: bytes) -> str:
    return values.id_text(kind_and_id(key)[1])


def _refused(why: str) -> StorageError:
    return StorageError(f"The store in memory could not do what was asked ({why}); nothing was written.")


class MemoryReader:
    """One unmoving state of the store."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    def meta(self, key: str) -> bytes | None:
        found: bytes | None = self._tables["meta"].get(key)
        return found

    # --- the log ------------------------------------------------------------------------------------------------------

    def heads(self) -> Mapping[bytes, Head]:
        return dict(self._tables["heads"])

    def log_position(self) -> int:
        newest: int = self._tables["serials"].get("log", 0)
        return newest

    def positions_missing(self, frontier: Mapping[bytes, int]) -> Sequence[int]:
        found: list[int] = []
        dots = self._tables["dots"]
        for actor, head in self._tables["heads"].items():
            seqs = range(frontier.get(actor, 0) + 1, head.seq + 1)
            found += [dots[actor, seq] for seq in seqs if (actor, seq) in dots]
        return sorted(found)

    def logged(self, position: int) -> Logged:
        found: Logged = self._tables["log"][position]
        return found

    def position_of(self, actor: bytes, seq: int) -> int | None:
        found: int | None = self._tables["dots"].get((actor, seq))
        return found

    def hash_at(self, actor: bytes, seq: int) -> bytes | None:
        position = self._tables["dots"].get((actor, seq))
        if position is not None:
            return self.logged(position).hash
        head: Head | None = self._tables["heads"].get(actor)
        return head.hash if head is not None and head.seq == seq else None

    def hashes(self, actor: bytes, first: int) -> Sequence[tuple[int, bytes]]:
        dots = self._tables["dots"]
        head = self._tables["heads"].get(actor)
        seqs = range(first, head.seq + 1) if head is not None else range(0)
        return [(seq, self.logged(dots[actor, seq]).hash) for seq in seqs if (actor, seq) in dots]

    def headers(self, actor: bytes, first: int, last: int) -> Sequence[bytes]:
        dots = self._tables["dots"]
        return [self.logged(dots[actor, seq]).raw for seq in range(first, last + 1) if (actor, seq) in dots]

    def log_part(self, position: int, number: int) -> bytes | None:
        found: bytes | None = self._tables["log_parts"].get((position, number))
        return found

    def parts(self, position: int) -> Iterator[bytes]:
        number = 0
        while (part := self.log_part(position, number)) is not None:
            yield part
            number += 1

    def signature_at(self, actor: bytes, seq: int) -> bytes | None:
        found: bytes | None = self._tables["signatures"].get((actor, seq))
        return found

    def next_signed(self, actor: bytes, seq: int) -> int | None:
        return min((s for a, s in self._tables["signatures"] if a == actor and s >= seq), default=None)

    def last_signed(self, actor: bytes, seq: int) -> int | None:
        return max((s for a, s in self._tables["signatures"] if a == actor and s <= seq), default=None)

    def segments(self) -> Sequence[tuple[int, bytes]]:
        return sorted(self._tables["segments"].items())

    def segment_part(self, segment: bytes, number: int) -> bytes | None:
        found: bytes | None = self._tables["segment_parts"].get((segment, number))
        return found

    def kept_segments(self) -> Sequence[tuple[bytes, int]]:
        merged = set(self._tables["segments"].values())
        counted = Counter(segment for segment, _ in self._tables["segment_parts"] if segment not in merged)
        return sorted(counted.items())

    def incoming(self, seq: int | None = None) -> Sequence[Incoming]:
        parts = self._tables["incoming_parts"]
        return [
            Incoming(actor, at, raw, frozenset(number for *of, number in parts if of == [actor, at]))
            for (actor, at), raw in sorted(self._tables["incoming"].items())
            if seq in (None, at)
        ]

    def behind(self) -> Mapping[bytes, Head]:
        return dict(self._tables["behind"])

    def rewritten(self) -> Sequence[Rewritten]:
        held = self._tables["rewritten"].items()
        return [each for number, each in sorted(held, key=lambda item: (item[1].position, item[0]))]

    def left_by_rewriting(self, entity: bytes) -> bytes | None:
        held = self._tables["rewritten"]
        last = max((number for number, each in held.items() if each.entity == entity), default=None)
        return None if last is None else held[last].leaves

    def evidence(self) -> Mapping[bytes, bytes]:
        return dict(sorted(self._tables["evidence"].items()))

    def evidence_names(self) -> Sequence[bytes]:
        return sorted(self._tables["evidence"])

    def evidence_at(self, name: bytes) -> bytes | None:
        found: bytes | None = self._tables["evidence"].get(name)
        return found

    def entities_at(self, positions: Sequence[int]) -> Sequence[bytes]:
        wanted = set(positions)
        return sorted(entity for entity, at in self._tables["mentions"].items() if at & wanted)

    def mentions(self, entity: bytes) -> Sequence[int]:
        return sorted(self._tables["mentions"].get(entity, ()))

    def mention_count(self) -> int:
        return sum(map(len, self._tables["mentions"].values()))

    # --- entities -----------------------------------------------------------------------------------------------------

    def records(self, keys: Iterable[bytes]) -> dict[bytes, Record]:
        held = self._tables["entities"]
        return {key: held[key] for key in keys if key in held}

    def all_records(self, kind: str | None = None, after: bytes = b"") -> Iterator[Record]:
        held = self._tables["entities"].values()
        found = [record for record in held if record.key > after and kind in (None, kind_and_id(record.key)[0])]
        yield from sorted(found, key=lambda record: record.key)

    def ids_ending(self, kind: str, suffix: str) -> list[str]:
        found = [record for record in self.all_records(kind) if record.key.hex().endswith(suffix)]
        found.sort(key=lambda record: record.hidden)
        return [_text_of(record.key) for record in found[:20]]

    def referrers(self, targets: Sequence[bytes]) -> list[bytes]:
        wanted = {(kind, values.id_text(target)) for kind, target in map(kind_and_id, targets)}
        found = {("task", task) for task, row in self._tables["tasks"].items() if ("task", row[_PARENT]) in wanted}
        tagged, linked = self._tables["entity_tags"], self._tables["task_documents"]
        found |= {of for of, tags in tagged.items() if any(("tag", tag) in wanted for tag, _ in tags)}
        found |= {
            ("task", task) for task, links in linked.items() if any(("document", to[0]) in wanted for to in links)
        }
        return sorted(key_of(kind, values.id_bytes("id", entity)) for kind, entity in found)

    def waiting_for(self, targets: Sequence[bytes]) -> list[bytes]:
        held, wanted = self._tables["withheld"], set(targets)
        return sorted(source for source, edges in held.items() if any(target in wanted for _, target, _ in edges))

    def parent_edge(self, task: bytes) -> bytes | None:
        row = self._tables["tasks"].get(_text_of(task))
        if row is None:
            return None
        if row[_PARENT] is not None:
            return key_of("task", values.id_bytes("parent_id", row[_PARENT]))
        edges = self._tables["withheld"].get(task, ())
        return next((target for cell, target, why in edges if cell == "parent_id" and why == "ring"), None)

    def parents_among(self, tasks: Collection[bytes]) -> set[bytes]:
        shown = {row[_PARENT] for row in self._tables["tasks"].values()}
        ringed = {target for edges in self._tables["withheld"].values() for _, target, why in edges if why == "ring"}
        return {task for task in tasks if task in ringed or _text_of(task) in shown}

    def in_rings_among(self, tasks: Collection[bytes]) -> set[bytes]:
        held = self._tables["withheld"]
        return {task for task in tasks if any(why == "ring" for _, _, why in held.get(task, ()))}

    def has_rings(self) -> bool:
        return bool(self.in_rings())

    def in_rings(self) -> list[bytes]:
        held = self._tables["withheld"]
        return sorted(source for source, edges in held.items() if any(why == "ring" for _, _, why in edges))

    def hidden(self, kind: str) -> list[bytes]:
        return [record.key for record in self.all_records(kind) if record.hidden]

    def conflicted(self) -> list[bytes]:
        return sorted(self._tables["conflicted"])

    def text(self, entity: bytes, field: str, genesis: bytes, since: int = -1) -> TextState | None:
        stored = self._tables["texts"].get((entity, field, genesis))
        if stored is None:
            return None
        state, serial = stored
        newer = max(serial, since)
        tail = [each for each in self._tables["tails"].get((entity, field, genesis), ()) if each.serial > newer]
        return TextState(state if serial > since else b"", serial, tail)

    def last_serial(self) -> int:
        last: int = self._tables["serials"].get("last", 0)
        return last

    def all_texts(self) -> Sequence[tuple[bytes, str, bytes]]:
        return sorted(self._tables["texts"])

    def stale_texts(self) -> list[bytes]:
        return sorted(self._tables["stale"])

    def stale_among(self, entities: Collection[bytes]) -> set[bytes]:
        return self._tables["stale"].keys() & set(entities)

    def unindexed(self) -> bool:
        return bool(self._tables["unindexed"])

    def unindexed_of(self, kind: str) -> Sequence[str]:
        return sorted(entity for its, entity in self._tables["unindexed"] if its == kind)

    def unapplied(self, entity: bytes | None = None, position: int | None = None) -> Sequence[Unapplied]:
        held = self._tables["unapplied"].values()
        return sorted(e for e in held if entity in (None, e.entity) and position in (None, e.position))

    def waits(self) -> bool:
        return any(not each.refused for each in self._tables["unapplied"].values())

    def waiting(self) -> int:
        return sum(not each.refused for each in self._tables["unapplied"].values())

    def waiting_at(self, entity: bytes, after: int = 0) -> Sequence[int]:
        waiting = {each.position for each in self.unapplied(entity) if not each.refused}
        return sorted(position for position in waiting if position > after)

    def waiting_numbers(self) -> Sequence[tuple[int, str]]:
        found: dict[int, list[str]] = {}
        for each in self.unapplied():
            if not each.refused:
                found.setdefault(each.position, []).append(str(each.number))
        return [(position, ",".join(numbers)) for position, numbers in found.items()]

    def digest(self) -> int:
        total: int = self._tables["digest"].get("sum", 0)
        return total

    # --- the specification's tables -----------------------------------------------------------------------------------

    def rows(self, plan: Plan) -> list[Row]:
        names = COLUMNS[plan.kind]
        tagged, indexed = self._tables["entity_tags"], self._tables["search"]
        linked = {document for document, _, _ in self._tables["task_documents"].get(plan.linked_from, ())}
        found: list[tuple[int, Row]] = []
        for entity, row in self._tables[_TABLE[plan.kind]].items():
            columns = dict(zip(names, row, strict=True))
            if plan.words:  # the words are those that the index has: of what it has not read yet, the former ones
                columns |= indexed.get((plan.kind, entity), {"title": "", "description": "", "content": ""})
            tags = [tag for tag, _ in tagged.get((plan.kind, entity), ())]
            if matches(plan, columns, tags, entity in linked):
                found.append((occurrences(plan, columns) if plan.words else 0, row))
        if plan.order[0][0] == "relevance":  # oftener is more relevant: simpler than what SQLite makes of it
            found.sort(key=lambda each: (-each[0], each[1][0]), reverse=plan.order[0][1])
        ordered = in_order(plan, [row for _, row in found], lambda row, name: row[names.index(name)])
        return ordered[plan.offset : plan.offset + plan.limit]

    def row(self, kind: str, entity: str) -> Row | None:
        found: Row | None = self._tables[_TABLE[kind]].get(entity)
        return found

    def table(self, name: str) -> list[Row]:
        held = self._tables[name].items()
        if name == "entity_tags":
            return sorted((*entity, tag, since) for entity, tags in held for tag, since in tags)
        if name == "task_documents":
            return sorted((task, *link) for task, links in held for link in links)
        return [row for _, row in sorted(held)]

    def scan(self, name: str) -> Iterator[Row]:
        yield from self.table(name)

    def tags_of(self, kind: str, ids: Sequence[str]) -> dict[str, list[tuple[str, str]]]:
        held, tags = self._tables["entity_tags"], self._tables["tags"]
        found = {}
        for entity in ids:
            named = [(tag, tags[tag][1]) for tag, _ in held.get((kind, entity), ())]
            found[entity] = sorted(named, key=lambda each: each[1])
        return found

    def carriers(self, tag: str) -> list[tuple[str, str]]:
        held = self._tables["entity_tags"].items()
        return sorted(entity for entity, tags in held if any(each == tag for each, _ in tags))

    def links_of(self, task: str | None, document: str | None) -> list[Row]:
        rows = [r for r in self.table("task_documents") if task in (None, r[0]) and document in (None, r[1])]
        return sorted(rows, key=lambda row: (row[3], row[0], row[1]))

    def counts(self) -> dict[str, int]:
        counted = {name: len(self._tables[name]) for name in ("tasks", "documents", "tags")}
        hidden = sum(record.hidden for record in self._tables["entities"].values())
        return {**counted, "hidden": hidden, "changes": len(self._tables["log"])}


class MemoryWriter(MemoryReader):
    """
    A transaction of the store.

    Attributes:
        journal: What stood where something was written, in the order of writing.
    """

    def __init__(self, tables: Tables, shared: set[str]) -> None:
        super().__init__(tables)
        self._shared = shared
        self.journal: Journal = []

    @contextmanager
    def undoing(self) -> Iterator[None]:
        begun = len(self.journal)
        try:
            yield
        except BaseException:
            for name, _, _ in self.journal[begun:]:
                self._own(name)
            undo(self._tables, self.journal[begun:])
            del self.journal[begun:]
            raise

    def _own(self, name: str) -> Table:
        if name in self._shared:
            self._shared.discard(name)
            self._tables[name] = dict(self._tables[name])
        return self._tables[name]

    def _set(self, name: str, key: Any, value: Any) -> None:
        table = self._own(name)
        self.journal.append((name, key, table.get(key, _ABSENT)))
        table[key] = value

    def _add(self, name: str, key: Any, value: Any) -> None:
        """Write what must not be there yet."""
        if key in self._tables[name]:
            raise _refused(f"UNIQUE constraint failed: {name}")
        self._set(name, key, value)

    def _keep(self, name: str, key: Any, value: Any) -> None:
        """Write what may be there already, and then stays."""
        if key not in self._tables[name]:
            self._set(name, key, value)

    def _drop(self, name: str, key: Any) -> None:
        table = self._own(name)
        if key in table:
            self.journal.append((name, key, table.pop(key)))

    def _drop_where(self, name: str, condition: Callable[[Any], bool]) -> list[Any]:
        keys = [key for key in self._tables[name] if condition(key)]
        for key in keys:
            self._drop(name, key)
        return keys

    def set_meta(self, key: str, value: bytes) -> None:
        self._set("meta", key, bytes(value))

    def drop_meta(self, key: str) -> None:
        self._drop("meta", key)

    # --- the log ------------------------------------------------------------------------------------------------------

    def append(self, logged: Logged, head: Head) -> None:
        self._add("log", logged.position, logged)
        self._reach(logged.position)
        self._add("dots", (logged.actor, logged.seq), logged.position)
        self.set_head(head)

    def append_part(self, position: int, number: int, part: bytes) -> None:
        self._add("log_parts", (position, number), bytes(part))

    def append_segment(self, position: int, segment: bytes) -> None:
        self._add("segments", position, bytes(segment))
        self._reach(position)

    def _reach(self, position: int) -> None:
        if position > self.log_position():
            self._set("serials", "log", position)

    def keep_segment_part(self, segment: bytes, number: int, part: bytes) -> None:
        self._keep("segment_parts", (bytes(segment), number), bytes(part))

    def name_segment(self, draft: bytes, segment: bytes) -> None:
        parts = [(number, part) for (of, number), part in self._tables["segment_parts"].items() if of == draft]
        self._drop_where("segment_parts", lambda key: key[0] == draft)
        for number, part in parts:
            self._keep("segment_parts", (bytes(segment), number), part)

    def drop_segment(self, segment: bytes) -> None:
        if segment not in self._tables["segments"].values():
            self._drop_where("segment_parts", lambda key: key[0] == segment)

    def set_head(self, head: Head) -> None:
        self._set("heads", head.actor, head)

    def sign(self, actor: bytes, seq: int, signature: bytes) -> None:
        self._keep("signatures", (actor, seq), signature)
        head = self._tables["heads"].get(actor)
        if head is not None and head.signed_seq < seq:
            self.set_head(head._replace(signed_seq=seq, signature=signature))

    def expect(self, actor: bytes, seq: int, raw: bytes) -> None:
        self._keep("incoming", (actor, seq), bytes(raw))

    def keep_part(self, actor: bytes, seq: int, number: int, part: bytes) -> None:
        self._keep("incoming_parts", (actor, seq, number), bytes(part))

    def complete(self, actor: bytes, seq: int, position: int) -> None:
        for (a, s, number), part in list(self._tables["incoming_parts"].items()):
            if (a, s) == (actor, seq):
                self.append_part(position, number, part)
        self.forget_incoming(actor, seq)

    def forget_incoming(self, actor: bytes, seq: int) -> None:
        self._drop("incoming", (actor, seq))
        self._drop_where("incoming_parts", lambda key: key[:2] == (actor, seq))

    def replace(self, logged: Logged) -> None:
        self._set("log", logged.position, logged)

    def replace_part(self, position: int, number: int, part: bytes) -> None:
        self._set("log_parts", (position, number), bytes(part))

    def rename(self, old: bytes, above: int, new: bytes, before: Head | None) -> Sequence[int]:
        head: Head = self._tables["heads"][old]
        renamed = []
        for seq in range(above + 1, head.seq + 1):
            position = self._tables["dots"].get((old, seq))
            if position is not None:  # or a segment stands for it
                self._drop("dots", (old, seq))
                self._set("dots", (new, seq), position)
                self._set("log", position, self.logged(position)._replace(actor=new))
                renamed.append(position)
        for actor, seq in [key for key in self._tables["signatures"] if key[0] == old and key[1] > above]:
            self._set("signatures", (new, seq), self._tables["signatures"][actor, seq])
            self._drop("signatures", (actor, seq))
        self._drop("heads", old)
        self._set("heads", new, head._replace(actor=new))
        if before is not None:
            last = max((seq for actor, seq in self._tables["signatures"] if actor == old), default=0)
            signature = self._tables["signatures"].get((old, last), b"")
            self._set("heads", old, before._replace(signed_seq=last, signature=signature))
        return sorted(renamed)

    def move_to_end(self, positions: Sequence[int]) -> None:
        for old in positions:
            logged = self.logged(old)._replace(position=self.log_position() + 1)
            new = logged.position
            self._drop("log", old)
            self._set("log", new, logged)
            self._reach(new)
            self._set("dots", (logged.actor, logged.seq), new)
            for at, number in [key for key in self._tables["log_parts"] if key[0] == old]:
                self._set("log_parts", (new, number), self._tables["log_parts"][at, number])
                self._drop("log_parts", (at, number))
            for entity, mentioned in list(self._tables["mentions"].items()):
                if old in mentioned:
                    self._set("mentions", entity, mentioned - {old} | {new})
            for key, each in list(self._tables["unapplied"].items()):
                if each.position == old:
                    self._drop("unapplied", key)
                    self._set("unapplied", (new, *key[1:]), each._replace(position=new))
            for key, text in list(self._tables["rewritten"].items()):
                if text.position == old:
                    self._set("rewritten", key, text._replace(position=new))

    def set_behind(self, head: Head) -> None:
        self._set("behind", head.actor, head)

    def drop_behind(self) -> None:
        first = min(self._tables["segments"], default=0)
        for position in [position for position in self._tables["log"] if position < first]:
            logged = self.logged(position)
            self._drop("dots", (logged.actor, logged.seq))
            self._drop("log", position)
        self._drop_where("log_parts", lambda key: key[0] < first)
        behind, heads = self._tables["behind"], self._tables["heads"]
        for actor, seq in list(self._tables["signatures"]):
            if actor in behind and seq <= behind[actor].seq and heads[actor].signed_seq != seq:
                self._drop("signatures", (actor, seq))
        self._drop_where("behind", lambda _key: True)

    def fall_back(self) -> None:
        first = min(self._tables["segments"], default=0)
        for position in [position for position in self._tables["log"] if position >= first]:
            logged = self.logged(position)
            self._drop("dots", (logged.actor, logged.seq))
            self._drop("log", position)
        self._drop_where("log_parts", lambda key: key[0] >= first)
        self._drop_where("unapplied", lambda key: key[0] >= first)
        for entity, mentioned in list(self._tables["mentions"].items()):
            self._set("mentions", entity, frozenset(each for each in mentioned if each < first))
        behind = self._tables["behind"]
        self._drop_where("signatures", lambda key: key[0] not in behind or key[1] > behind[key[0]].seq)
        self._drop_where("heads", lambda _key: True)
        for actor, head in behind.items():
            signed = max((seq for name, seq in self._tables["signatures"] if name == actor), default=0)
            signature = self._tables["signatures"].get((actor, signed), b"")
            self._set("heads", actor, head._replace(signed_seq=signed, signature=signature))

    def end_segment(self, segment: bytes) -> None:
        for position in [position for position, name in self._tables["segments"].items() if name == segment]:
            self._drop("segments", position)
        self._drop_where("segment_parts", lambda key: key[0] == segment)
        self._drop_where("behind", lambda _key: True)
        newest = max((*self._tables["log"], *self._tables["segments"]), default=0)
        self._set("serials", "log", newest)

    def keep_rewritten(self, rewritten: Rewritten) -> None:
        self._set("rewritten", max(self._tables["rewritten"], default=-1) + 1, rewritten)

    def forget_rewritten(self) -> None:
        self._drop_where("rewritten", lambda _key: True)

    def drop_lives(self, actors: Collection[bytes]) -> None:
        gone = {at for at, logged in self._tables["log"].items() if logged.actor in actors}
        self._drop_where("log", lambda key: key in gone)
        for name in ("dots", "signatures"):
            self._drop_where(name, lambda key: key[0] in actors)
        self._drop_where("heads", lambda key: key in actors)
        for name in ("log_parts", "unapplied"):
            self._drop_where(name, lambda key: key[0] in gone)
        for entity, mentioned in list(self._tables["mentions"].items()):
            self._set("mentions", entity, mentioned - gone)
        for key in [key for key, each in self._tables["rewritten"].items() if each.position in gone]:
            self._drop("rewritten", key)
        newest = max((*self._tables["log"], *self._tables["segments"]), default=0)
        self._set("serials", "log", newest)

    def add_evidence(self, name: bytes, evidence: bytes) -> None:
        self._keep("evidence", bytes(name), bytes(evidence))

    def drop_evidence(self, name: bytes) -> None:
        self._drop("evidence", name)

    def mention(self, mentions: Sequence[tuple[bytes, int]]) -> None:
        for entity, position in mentions:
            self._set("mentions", entity, self._tables["mentions"].get(entity, frozenset()) | {position})

    # --- the view -----------------------------------------------------------------------------------------------------

    def save(self, records: Sequence[Record], conflicted: Mapping[bytes, bool]) -> None:
        for record in records:
            self._set("entities", record.key, record)
            if conflicted[record.key]:
                self._keep("conflicted", record.key, None)
            else:
                self._drop("conflicted", record.key)

    def add_to_digest(self, delta: int) -> None:
        self._set("digest", "sum", (self.digest() + delta) % (1 << 128))

    def show(self, shown: Sequence[Shown], new: frozenset[bytes]) -> None:
        for each in sorted(shown, key=lambda each: ("tag", "document", "task").index(each.kind)):
            entity = each.row[0]
            if each.key in new and entity in self._tables[_TABLE[each.kind]]:
                raise _refused(f"UNIQUE constraint failed: {_TABLE[each.kind]}.id")
            self._show_row(each.kind, each.row)
            self._put_edges("withheld", each.key, each.withheld)
            if each.kind != "tag":
                self._put_edges("entity_tags", (each.kind, entity), each.tags)
                self._keep("unindexed", (each.kind, entity), None)
            if each.kind == "task":
                self._put_edges("task_documents", entity, each.links)

    def patch(self, patches: Sequence[Patch]) -> None:
        for each in patches:
            row = self._tables[_TABLE[each.kind]].get(each.id)
            if row is None:
                raise CorruptError(f"The table {_TABLE[each.kind]}, which lacks a row,")
            written = dict(zip(COLUMNS[each.kind], row, strict=True)) | dict(
                zip(each.columns, each.values, strict=True)
            )
            self._show_row(each.kind, tuple(written.values()))
            if each.kind != "tag" and not {"title", "description", "content"}.isdisjoint(each.columns):
                self._keep("unindexed", (each.kind, each.id), None)

    def point(self, pointed: Sequence[Pointed]) -> None:
        for each in pointed:
            if each.cell.startswith("tag."):
                self._point("entity_tags", (each.kind, each.id), each.target, each.shown)
            else:
                self._point("task_documents", each.id, each.target, each.shown)
            self._point("withheld", each.key, each.cell, each.withheld)

    def _point(self, table: str, source: Any, first: str, rest: tuple[Any, ...]) -> None:
        others = [edge for edge in self._tables[table].get(source, ()) if edge[0] != first]
        self._put_edges(table, source, [*others, (first, *rest)] if rest else others)

    def _show_row(self, kind: str, row: Row) -> None:
        table = _TABLE[kind]
        for column, value in zip(COLUMNS[kind], row, strict=True):
            if value is None and column not in _NULLABLE:
                raise _refused(f"NOT NULL constraint failed: {table}.{column}")
        if kind == "tag":
            former = self._tables["tags"].get(row[0])
            if self._tables["tag_names"].get(row[1], row[0]) != row[0]:
                raise _refused("UNIQUE constraint failed: tags.name")
            if former is not None:
                self._drop("tag_names", former[1])
            self._set("tag_names", row[1], row[0])
        self._set(table, row[0], tuple(row))

    def _put_edges(self, table: str, source: Any, edges: Sequence[tuple[Any, ...]]) -> None:
        if len({edge[0] for edge in edges}) < len(edges):
            raise _refused(f"UNIQUE constraint failed: {table}")
        if any(value is None for edge in edges for value in edge):
            raise _refused(f"NOT NULL constraint failed: {table}")
        if edges:
            self._set(table, source, tuple(edges))
        else:
            self._drop(table, source)

    def hide(self, kind: str, keys: Sequence[bytes]) -> None:
        if kind not in _TABLE:
            return
        for key in keys:
            self._drop("withheld", key)
        gone = {_text_of(key) for key in keys}
        for entity in gone:
            row = self._tables[_TABLE[kind]].get(entity)
            if kind == "tag" and row is not None:
                self._drop("tag_names", row[1])
            self._drop(_TABLE[kind], entity)
            if kind == "task":
                self._drop("task_documents", entity)
            for table in ("entity_tags", "search", "unindexed"):
                self._drop(table, (kind, entity))
        if kind != "task":
            table = "entity_tags" if kind == "tag" else "task_documents"
            for source, edges in list(self._tables[table].items()):
                if any(edge[0] in gone for edge in edges):
                    self._put_edges(table, source, [edge for edge in edges if edge[0] not in gone])

    def save_text(self, entity: bytes, field: str, genesis: bytes, state: bytes, serial: int) -> None:
        key = (entity, field, genesis)
        self._set("texts", key, (bytes(state), serial))
        self._set("tails", key, tuple(each for each in self._tables["tails"].get(key, ()) if each.serial > serial))

    def append_text(self, entity: bytes, field: str, genesis: bytes, actor: bytes, seq: int, edit: bytes) -> int:
        key = (entity, field, genesis)
        serial = self.last_serial() + 1
        self._set("serials", "last", serial)
        self._set("tails", key, (*self._tables["tails"].get(key, ()), TailEdit(serial, actor, seq, bytes(edit))))
        return serial

    def set_stale(self, stale: Mapping[bytes, bool]) -> None:
        for entity, is_stale in stale.items():
            if is_stale:
                self._keep("stale", entity, None)
            else:
                self._drop("stale", entity)

    def set_unapplied(self, unapplied: Sequence[Unapplied]) -> None:
        for each in unapplied:
            self._set("unapplied", (each.position, each.number, each.refused), each)

    def forget(self, entities: Sequence[bytes]) -> None:
        gone = set(entities)
        for record in self.records(entities).values():
            self.add_to_digest(-int.from_bytes(record.hash[:16], "big"))
        for kind in {kind for kind, _ in map(kind_and_id, entities)}:
            self.hide(kind, [key for key in entities if kind_and_id(key)[0] == kind])
        for name in ("entities", "conflicted", "stale", "withheld"):
            self._drop_where(name, lambda key: key in gone)
        for name in ("texts", "tails"):
            self._drop_where(name, lambda key: key[0] in gone)
        for key in [key for key, each in self._tables["unapplied"].items() if each.entity in gone]:
            self._drop("unapplied", key)

    def clear_view(self) -> None:
        for name in _VIEW:
            self._drop_where(name, lambda _key: True)

    def index_texts(self, limit: int = -1) -> int:
        due = sorted(self._tables["unindexed"], key=lambda key: (key[0] != "task", key[1]))
        due = due if limit < 0 else due[:limit]
        for kind, entity in due:
            row = dict(zip(COLUMNS[kind], self._tables[_TABLE[kind]][entity], strict=True))
            self._set("search", (kind, entity), {name: row.get(name) for name in ("title", "description", "content")})
            self._drop("unindexed", (kind, entity))
        return len(due)

    # --- at the end ---------------------------------------------------------------------------------------------------

    def check(self) -> None:
        """Check the foreign keys of what was written and of what pointed at what was taken away."""
        written = {(name, key) for name, key, _ in self.journal}
        held = self._tables
        gone = {table: any(n == table and k not in held[table] for n, k in written) for table in _TABLE.values()}
        for source, row in self._to_check("tasks", written, gone["tasks"]):
            if row[_PARENT] is not None and row[_PARENT] not in held["tasks"]:
                raise _refused(f"FOREIGN KEY constraint failed: the parent of task {source}")
        for (_, source), tags in self._to_check("entity_tags", written, gone["tags"]):
            if any(tag not in held["tags"] for tag, _ in tags):
                raise _refused(f"FOREIGN KEY constraint failed: a tag of {source}")
        for source, links in self._to_check("task_documents", written, gone["tasks"] or gone["documents"]):
            if source not in held["tasks"] or any(document not in held["documents"] for document, _, _ in links):
                raise _refused(f"FOREIGN KEY constraint failed: a link of task {source}")

    def _to_check(self, table: str, written: set[tuple[str, Any]], whole: bool) -> list[tuple[Any, Any]]:
        rows = self._tables[table]
        if whole:
            return list(rows.items())
        return [(key, rows[key]) for name, key in written if name == table and key in rows]
