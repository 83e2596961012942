"""
Vouchers: what vouches for changes. A signed head, and the way to it from the last change that is here.

A batch may end before the change that its author signed; the hashes of what is between come with it. Whoever took such a
batch keeps both: should nobody ever send the rest, what is here can still be passed on.

From one signed head of a chain to the next there are at most ``UNSIGNED_MAX`` changes, or a fork between them could not be
proved. A batch that leaves more unsigned is refused. So an honest one brings, beside what vouches for its end, the last
signature within it, and what vouched for more than was here is kept once that is here.

A signature does not say of which change it is, where a chain forks: so those of one actor stand in the order of the ends
that they are for, and a batch has no more tries than signatures, and ``TRIES`` beside them.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter, defaultdict, deque
from collections.abc import Iterable
from typing import Final, NamedTuple

import msgspec

from edda_sync.changes import change as changes
from edda_sync.changes import forkproof
from edda_sync.changes.chains import Chains
from edda_sync.changes.change import HASH_BYTES, Change, Header
from edda_sync.changes.names import Names
from edda_sync.crdt.frontier import Dot
from edda_sync.store.seams import StoreReader, StoreWriter
from edda_sync.sync.keys import Verify
from edda_sync.sync.messages import SignedHead
from edda_sync.words import limits
from edda_sync.words.errors import RemoteProtocolError

TRIES: Final = 256  # signatures tried in vain, beside as many as there are: for those that stand in another order


class _Voucher(msgspec.Struct, frozen=True, array_like=True):
    """A signature of more than is here: which change of the chain its proof starts after, and it."""

    after: int
    signed: SignedHead


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(_Voucher).decode


def keep_voucher(tx: StoreWriter, name: bytes, after: int, signed: SignedHead) -> None:
    """Keep a signature of what is here, or, with the way there, of more than that; the newest one under each name."""
    if signed.seq == after:
        tx.signatures.add(name, signed.seq, signed.signature)
    else:
        tx.meta.set(f"voucher {name.hex()}", _encode(_Voucher(after, signed)))


def voucher_of(reader: StoreReader, name: bytes, after: int) -> SignedHead | None:
    """Return what vouches for a change although the one that was signed is not here."""
    kept = reader.meta.get(f"voucher {name.hex()}")
    found = None if kept is None else _decode(kept)
    return found.signed if found is not None and found.after == after else None


class Beyond(NamedTuple):
    """A signature at or beyond a change, and which changes are between: name, first and last seq of each run."""

    signed: SignedHead
    between: tuple[tuple[bytes, int, int], ...]

    def vouch(self, reader: StoreReader) -> SignedHead:
        """Return it with the way there; that is too short where a segment stands for what is between."""
        headers = (raw for run in self.between for raw in reader.log.headers(*run))
        way = b"".join(map(changes.hash_header, headers))
        return msgspec.structs.replace(self.signed, proof=way + self.signed.proof)


def beyond(reader: StoreReader, names: Names, name: bytes, seq: int) -> Beyond | None:
    """
    Return what vouches for a change: a signature of it or of a later one of its chain, on whichever branch.

    Args:
        reader: The store's transaction.
        names: Of the branches that it holds.
        name, seq: The change; or where a branch begins, the change before its first.
    """
    actor, heads = names.actor(name), reader.log.heads()
    waiting: list[tuple[bytes, int, tuple[bytes, int, int] | None]] = [(name, seq, None)]
    way: list[tuple[bytes, int, int]] = []
    while waiting:
        name, seq, before = waiting.pop()
        while way and way[-1] != before:
            way.pop()
        signed = reader.signatures.next(name, seq)
        if signed is not None:
            head = SignedHead(actor, signed, reader.signatures.at(name, signed) or b"", b"")
            return Beyond(head, (*way, (name, seq + 1, signed)))
        last = heads[name].seq
        way.append((name, seq + 1, last))
        kept = voucher_of(reader, name, last)
        if kept is not None:
            return Beyond(kept, tuple(way))
        waiting += [(each, names.first(each) - 1, way[-1]) for each in reversed(names.after(name))]
    return None


class Vouched:
    """
    A batch for which signed heads vouch: each chain in it, followed from what is here to a signature.

    Make one with :meth:`verify`; after taking the batch, :meth:`keep` what vouches for it.
    """

    def __init__(self) -> None:
        self._follows: dict[bytes, Change] = {}  # by hash
        self._ends: dict[bytes, SignedHead] = {}
        self._within: list[tuple[bytes, SignedHead]] = []  # signatures before the ends: hash of the change, and it

    @classmethod
    def verify(
        cls,
        verify: Verify,
        workspace: bytes,
        reader: StoreReader,
        batch: Iterable[Change],
        signed: Iterable[SignedHead],
    ) -> Vouched | None:
        """
        Follow each chain through a batch to its signature; None when one does not start where the store is.

        Args:
            verify: Checks anybody's signature.
            workspace: The workspace's id.
            reader: The store's transaction.
            batch: The changes that are new to it, in order.
            signed: What came with them.

        Raises:
            RemoteProtocolError: No signature vouches for one of them.
        """
        self, chains = cls(), Chains(reader)
        keys = self._follow(chains, reader, batch)
        if keys is None:
            return None
        offered = list(signed)
        signatures, inner = _Signatures(verify, workspace, offered), _Inner(verify, workspace, offered)
        of_actor = Counter(self._follows[digest].header.actor for digest in keys)
        if any(count > limits.BATCH_ENDS_MAX for count in of_actor.values()):
            raise RemoteProtocolError("a batch with too many branches of one chain")
        for digest, key in keys.items():
            header = self._follows[digest].header
            head = signatures.of(key, header.actor, header.seq, digest)
            self._ends[digest] = head
            found, last = inner.of(key, reader, chains, header, *self._chain(chains, digest))
            self._within += found
            if head.seq - last > forkproof.UNSIGNED_MAX:
                raise RemoteProtocolError(f"{head.seq - last:,} changes of a chain without a signature between")
        return self

    def _follow(self, chains: Chains, reader: StoreReader, batch: Iterable[Change]) -> dict[bytes, bytes] | None:
        """Return the author's public key of each end of a chain in the batch, by the end's hash; None as :meth:`verify`."""
        heads = reader.log.heads()
        keys: dict[bytes, bytes] = {}  # public keys, by hash of a change
        ends: dict[bytes, None] = {}
        for change in batch:
            header, digest = change.header, change.hash
            if header.birth is not None:
                keys[digest] = header.birth.public_key
            elif header.previous in keys:
                keys[digest] = keys[header.previous]
            else:
                before = chains.find(header.actor, header.seq - 1, header.previous)
                if before is None:
                    return None
                keys[digest] = changes.decode_birth(heads[before[0]].birth).public_key
            ends.pop(header.previous, None)
            ends[digest] = None
            self._follows[digest] = change
        return {digest: keys[digest] for digest in ends}

    def _chain(self, chains: Chains, end: bytes) -> tuple[Dot | None, list[bytes]]:
        """Return which change that is held a chain in the batch follows, and its hashes up to an end, in order."""
        found = list[bytes]()
        while end in self._follows:
            found.append(end)
            header = self._follows[end].header
            end = header.previous
        before = chains.find(header.actor, header.seq - 1, end) if header.seq > 1 else None
        return before, found[::-1]

    def keep(self, tx: StoreWriter) -> None:
        """Keep what vouches for what was taken of it, so that it can be passed on should nobody ever send the rest."""
        chains = Chains(tx)
        for digest, signed in self._within:
            dot = chains.find(signed.actor, signed.seq, digest)
            if dot is not None:
                tx.signatures.add(dot[0], signed.seq, signed.signature)
        for digest, signed in self._ends.items():
            rest: list[bytes] = []  # header hashes of what is not here yet
            at = digest
            while True:
                change = self._follows[at]
                header = change.header
                dot = chains.find(header.actor, header.seq, at)
                if dot is None:
                    rest.append(change.header_hash)
                    at = header.previous
                    if at in self._follows:
                        continue
                    dot = chains.find(header.actor, header.seq - 1, at) or (header.actor, 0)
                proof = b"".join(reversed(rest)) + signed.proof
                keep_voucher(tx, *dot, msgspec.structs.replace(signed, proof=proof))
                break


def last_signed(reader: StoreReader, names: Names, dot: Dot) -> Dot | None:
    """Return the last signed head of a chain up to a change; None where there is none."""
    name, seq = dot
    while (found := reader.signatures.last(name, seq)) is None:
        if names.first(name) == 1:
            return None
        name, seq = names.parent(name), names.first(name) - 1
    return name, found


class _Signatures:
    """
    The signatures of one batch: which of them vouches for what.

    Each end takes one away, and what does not fit it goes behind the others: where they stand in the order of the ends,
    each is tried once.

    Args:
        verify: Checks anybody's signature.
        workspace: The workspace's id.
        offered: In the order in which they came.
    """

    def __init__(self, verify: Verify, workspace: bytes, offered: list[SignedHead]) -> None:
        self._verify, self._workspace = verify, workspace
        self._tries = len(offered) + TRIES
        self._fitting: defaultdict[tuple[bytes, int], deque[SignedHead]] = defaultdict(deque)
        for each in offered:
            if len(each.proof) % HASH_BYTES == 0:
                self._fitting[each.actor, each.seq - len(each.proof) // HASH_BYTES].append(each)

    def of(self, key: bytes, actor: bytes, seq: int, digest: bytes) -> SignedHead:
        """Return which of them vouches for a chain up to a change."""
        fitting = self._fitting.get((actor, seq))
        if not fitting:
            raise RemoteProtocolError("a batch without a signed head")
        for _ in range(len(fitting)):
            if not self._tries:
                raise RemoteProtocolError("a batch whose signatures are not in the order of what they vouch for")
            self._tries -= 1
            each = fitting.popleft()
            head = digest
            for at in range(0, len(each.proof), HASH_BYTES):
                head = changes.hash_change(head, each.proof[at : at + HASH_BYTES])
            if self._verify(key, each.signature, changes.signed_message(self._workspace, actor, each.seq, head)):
                return each
            fitting.append(each)
        raise RemoteProtocolError("a batch whose signature is not its author's")


class _Inner:
    """
    The signatures of one batch that are of changes before the ends of its chains.

    Args:
        verify: Checks anybody's signature.
        workspace: The workspace's id.
        offered: In the order in which they came.
    """

    def __init__(self, verify: Verify, workspace: bytes, offered: list[SignedHead]) -> None:
        self._verify, self._workspace = verify, workspace
        # By actor: the first without a way, and the first of a lesser seq.
        self._least: dict[bytes, list[SignedHead]] = {}
        for each in offered:
            if not each.proof:
                of_actor = self._least.setdefault(each.actor, [])
                if not of_actor or each.seq < of_actor[-1].seq:
                    of_actor.append(each)

    def of(
        self, key: bytes, reader: StoreReader, chains: Chains, end: Header, before: Dot | None, chain: list[bytes]
    ) -> tuple[list[tuple[bytes, SignedHead]], int]:
        """
        Return signatures within a chain, each with the hash of the change that it is of, and the seq of the last one.

        Args:
            key: The author's.
            reader, chains: The store's.
            end: The last change of it in the batch.
            before: The change that is held and that it goes on from.
            chain: The hashes of what follows that.
        """
        lesser = self._least.get(end.actor, [])
        at = bisect_right(lesser, -end.seq, key=lambda each: -each.seq)
        former = None if before is None else voucher_of(reader, *before)
        last_held = None if before is None else last_signed(reader, chains.names, before)
        last, first = 0 if last_held is None else last_held[1], end.seq - len(chain) + 1
        found: list[tuple[bytes, SignedHead]] = []
        for each in (*lesser[at : at + 1], *([former] if former is not None else ())):
            at = each.seq - first
            held = chains.hash(before[0], each.seq) if at < 0 and before is not None else None
            named = chain[at] if 0 <= at < len(chain) else held
            message = changes.signed_message(self._workspace, end.actor, each.seq, named or b"")
            if named is not None and self._verify(key, each.signature, message):
                found.append((named, msgspec.structs.replace(each, proof=b"")))
                last = max(last, each.seq)
        return found, last
