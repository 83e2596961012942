"""
Pasts: everything that a change depends on, computed from the differences that headers name.

A header names only what its author had applied since its previous change. The first header of a life names what the
author had applied since the change that the life continues. So an author without peers names nothing, and a thousand
lives of one store do not each repeat the whole frontier. In exchange, a past must be gathered along the chain of lives.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Mapping
from typing import Final

import msgspec

from edda_sync.changes import change as changes
from edda_sync.changes.branches import Renaming
from edda_sync.changes.chains import Chains
from edda_sync.changes.change import Birth
from edda_sync.crdt.frontier import Dot, Frontier, covers, to_pairs
from edda_sync.store import anew
from edda_sync.store.seams import Head, StoreReader

REMEMBERED_MAX: Final = 64  # pasts that are remembered: those of the actors that write now

encode_pairs = msgspec.msgpack.Encoder().encode
_decode_pairs = msgspec.msgpack.Decoder(list[tuple[bytes, int]]).decode


class Pasts:
    """
    The pasts of one store's changes.

    They are remembered by the hash of the change, with the names of that time: see :mod:`~edda_sync.store.anew`.
    """

    def __init__(self) -> None:
        self._known: OrderedDict[bytes, Frontier] = OrderedDict()
        self._still = anew.Still()

    def committed(self) -> None:
        """Keep what was computed in the transaction that has just ended."""
        self._still.committed()

    def rolled_back(self) -> None:
        """Forget everything, if a transaction that was rolled back had renamed changes."""
        if self._still.may_be_ahead():
            self._known.clear()
        self._still.rolled_back()

    def of(self, reader: StoreReader, head: Head) -> Frontier:
        """
        Return the past of a head, with its actor's earlier changes. The caller may change the result.

        If its chain of lives continues a change that is not here yet, the past contains that change without its own past.
        """
        self._look(reader)
        known = self._known.get(head.hash)
        if known is None:
            past, whole = gather(reader, reader.log.heads(), head, self._known)
            if not whole:
                return past
            known = past
            self._remember(head.hash, past)
        self._known.move_to_end(head.hash)
        return dict(known)

    def is_within(self, reader: StoreReader, name: bytes, past: Mapping[bytes, int]) -> bool:
        """
        Tell whether a past is known to hold everything that the head of a chain depends on, other changes of that chain
        excepted.

        No header of the chain is read for this. It is False if the past lacks something, or if not everything is here.
        """
        self._look(reader)
        head = reader.log.heads()[name]
        known, whole = self._known.get(head.hash), True
        if known is None:
            known, whole = gather(reader, reader.log.heads(), head, self._known)
        return whole and covers({**past, name: head.seq}, known)

    def follow(self, reader: StoreReader, before: bytes, after: bytes, past: Frontier) -> None:
        """Remember the past of the change that follows another one, given by hashes, if that one's is remembered."""
        self._look(reader)
        if before in self._known:
            del self._known[before]
            self._remember(after, past)

    def forget(self) -> None:
        """Forget everything."""
        self._known.clear()

    def _look(self, reader: StoreReader) -> None:
        """Forget everything, if changes may have been renamed, or something may have been folded again."""
        if not self._still.holds(reader):
            self._known.clear()

    def _remember(self, name: bytes, past: Frontier) -> None:
        self._known[name] = past
        while len(self._known) > REMEMBERED_MAX:
            self._known.popitem(last=False)

    def through(self, reader: StoreReader, dot: Dot) -> Frontier:
        """Return the past of a change in the log, with the change itself."""
        self._look(reader)
        head = reader.log.heads()[dot[0]]
        past = None
        digest = head.hash if head.seq == dot[1] else reader.log.hash_at(*dot) or b""
        if head.seq != dot[1] and digest in self._known:
            head = head._replace(seq=dot[1], hash=digest)
        elif head.seq != dot[1]:
            named = _named_until(reader, Chains(reader), dot)
            head = head._replace(seq=dot[1], hash=digest, deps=encode_pairs(named or []))
            if named is None:  # a segment stands for it: its past is larger once the log behind that is here
                past, _ = gather(reader, reader.log.heads(), head)
        return {**(self.of(reader, head) if past is None else past), **Chains(reader).past_of(dot)}

    def named_until(self, reader: StoreReader, dot: Dot) -> bytes:
        """Return what the changes of a chain name, up to one of them, in the form of a head."""
        return encode_pairs(to_pairs(dict(_named_until(reader, Chains(reader), dot) or [])))

    def before(self, reader: StoreReader, birth: Birth) -> Frontier:
        """Return what a new life depends on through the change that it continues, with that change."""
        if birth.parent is None:
            return {}
        held = Chains(reader).continued(birth)
        return {birth.parent: birth.parent_seq} if held is None else self.through(reader, held)


class Walk:
    """
    The pasts of many changes, which must be asked for in order for each chain. What their headers name is read only once.

    Args:
        pasts: The pasts of the store.
        reader: A reader of the store.
    """

    def __init__(self, pasts: Pasts, reader: StoreReader) -> None:
        self._pasts, self._reader = pasts, reader
        self._chains = Chains(reader)
        self._reached: dict[bytes, tuple[int, Frontier]] = {}

    def start(self, heads: Mapping[bytes, Head]) -> None:
        """Continue from the heads that a segment brought, if they are ahead of the walk."""
        for actor, head in heads.items():
            if head.seq > self._reached.get(actor, (0, {}))[0]:
                self._reached[actor] = head.seq, gather(self._reader, heads, head)[0]

    def at(self, name: bytes, seq: int) -> Frontier:
        """Return the past of a change in the log, with its actor's earlier changes. The caller may change the result."""
        names, ends = self._chains.names, [(name, seq)]
        while not 0 < self._reached.get(name, (0, {}))[0] <= seq and (first := names.first(name)) > 1:
            name, seq = names.parent(name), first - 1  # nothing of this name is walked yet: begin where it branches off
            ends.append((name, seq))
        reached, past = self._reached.get(name, (0, {}))
        if not 0 < reached <= seq:
            birth = changes.decode_birth(self._reader.log.heads()[name].birth)
            reached, past = 0, self._pasts.before(self._reader, birth)
        for name, seq in reversed(ends):
            for raw in self._reader.log.headers(name, reached + 1, seq):
                past.update(self._chains.deps(changes.decode_header(raw).deps) or {})
            before = self._chains.before((name, seq))
            if before is not None:
                past.update(self._chains.past_of(before))
            self._reached[name] = seq, past
            reached, past = seq, dict(past)
        return past


def gather(
    reader: StoreReader, heads: Mapping[bytes, Head], head: Head, known: Mapping[bytes, Frontier] | None = None
) -> tuple[Frontier, bool]:
    """
    Return the past of a head, and whether the whole chain of lives that it continues is among some heads and their log.

    Args:
        reader: A reader of the store.
        heads: The heads that the store holds, or that a segment brought.
        head: The head.
        known: Complete pasts by the hashes of their changes, so that nothing is gathered twice.
    """
    known = known or {}
    chains = Chains(reader)
    parts: list[list[tuple[bytes, int]]] = []
    whole = True
    at: Head | None = head
    while at is not None:
        before = chains.before((at.actor, at.seq))
        parts.append([*_decode_pairs(at.deps), *(chains.past_of(before).items() if before is not None else ())])
        birth = changes.decode_birth(at.birth)
        if birth.parent is None:
            break
        dot = chains.continued(birth) or (birth.parent, birth.parent_seq)
        parts.append(list(chains.past_of(dot).items()))
        if birth.parent_hash in known:
            parts.append(list(known[birth.parent_hash].items()))
            break
        parent = heads.get(dot[0])
        if parent is not None and parent.seq != dot[1]:
            until = _named_until(reader, chains, dot)
            parent = None if until is None else parent._replace(seq=dot[1], deps=encode_pairs(until))
        whole = whole and parent is not None
        at = parent
    past: Frontier = {}
    for named in parts:
        for actor, seq in named:
            if seq > past.get(actor, 0):
                past[actor] = seq
    return past, whole


def joined(reader: StoreReader, dots: Iterable[Dot]) -> Frontier:
    """Return the joined past of some changes in the log, with these changes. Each of their chains is read once."""
    chains, heads = Chains(reader), reader.log.heads()
    reached: Frontier = {}
    waiting = list(dots)
    while waiting:
        name, seq = waiting.pop()
        is_new = name not in reached
        reached[name] = max(seq, reached.get(name, 0))
        birth = changes.decode_birth(heads[name].birth) if is_new and name in heads else None
        if birth is not None and birth.parent is not None:
            waiting.append(chains.continued(birth) or (birth.parent, birth.parent_seq))
    past: Frontier = {}
    for name, seq in reached.items():
        named = list(chains.past_of((name, seq)).items())
        head = heads.get(name)
        if head is not None:
            named += _decode_pairs(head.deps) if head.seq == seq else _named_until(reader, chains, (name, seq)) or []
        for actor, last in named:
            if last > past.get(actor, 0):
                past[actor] = last
    return past


def renamed_pairs(deps: bytes, by: Renaming) -> bytes:
    """Return the stored dependencies of a head after a renaming."""
    return encode_pairs(to_pairs(by.frontier(dict(_decode_pairs(deps)))))


def added(deps: bytes, changed: Mapping[bytes, int]) -> bytes:
    """Return the stored dependencies of a head, with those that its next change names."""
    return encode_pairs(to_pairs({**dict(_decode_pairs(deps)), **changed})) if changed else deps


def _named_until(reader: StoreReader, chains: Chains, dot: Dot) -> list[tuple[bytes, int]] | None:
    """Return what the changes of a chain name, up to one of them; None if the log does not hold all of them."""
    named: Frontier = {}
    name, seq = dot
    raws: list[bytes] = []
    while True:
        first = chains.names.first(name)
        raws = [*reader.log.headers(name, first, seq), *raws]
        if first == 1:
            break
        name, seq = chains.names.parent(name), first - 1
    if len(raws) < dot[1]:
        return None
    for raw in raws:
        named.update(chains.deps(changes.decode_header(raw).deps) or {})
    return list(named.items())
