"""
Vouchers: what vouches for changes. A voucher is a signed head, with the hashes from the last change that is here up to it.

A batch may end before the change that its author signed. The header hashes of the changes between come with it. Whoever took
such a batch keeps both, so that what is here can be passed on even if nobody ever sends the rest.

Between two signed heads of a chain there are at most ``UNSIGNED_MAX`` changes, because a fork between them could not be
proved otherwise. A batch that leaves more unsigned is refused. So an honest batch brings, besides the voucher for its end,
the last signature within it. A signature beyond what was here is kept as one of its change once that change is here.

In a forked chain, a signature does not say which branch it belongs to. So the signatures of one actor come in the order of
the ends of the branches. For one batch, there are as many tries as signatures, and ``TRIES`` more.
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

TRIES: Final = 256  # further tries, for signatures that are not in order


class _Voucher(msgspec.Struct, frozen=True, array_like=True):
    """A signature of more than is here: the seq after which its proof starts, and the signed head."""

    after: int
    signed: SignedHead


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(_Voucher).decode


def keep_voucher(tx: StoreWriter, name: bytes, after: int, signed: SignedHead) -> None:
    """Keep what vouches for a held change: a signature of it, or the newest voucher under each name."""
    if signed.seq == after:
        tx.signatures.add(name, signed.seq, signed.signature)
    else:
        tx.meta.set(f"voucher {name.hex()}", _encode(_Voucher(after, signed)))


def voucher_of(reader: StoreReader, name: bytes, after: int) -> SignedHead | None:
    """Return the voucher for a change, if the change that was signed is not here; None when there is none."""
    kept = reader.meta.get(f"voucher {name.hex()}")
    found = None if kept is None else _decode(kept)
    return found.signed if found is not None and found.after == after else None


class Beyond(NamedTuple):
    """A signature at or after a change, and the changes between: name, first and last seq of each run."""

    signed: SignedHead
    between: tuple[tuple[bytes, int, int], ...]

    def vouch(self, reader: StoreReader) -> SignedHead:
        """Return the signed head with the hashes up to it; some are missing if a segment stands for those changes."""
        headers = (raw for run in self.between for raw in reader.log.headers(*run))
        way = b"".join(map(changes.hash_header, headers))
        return msgspec.structs.replace(self.signed, proof=way + self.signed.proof)


def beyond(reader: StoreReader, names: Names, name: bytes, seq: int) -> Beyond | None:
    """
    Return what vouches for a change: a signature of it, or of a later change of its chain on any branch.

    Args:
        reader: The store's transaction.
        names: The names of its branches.
        name, seq: The change; before the first change of a branch, the change that it continues.
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
    A batch that signed heads vouch for: each chain in it was followed from what is here to a signature.

    Make one with :meth:`verify`. After taking the batch, call :meth:`keep`.
    """

    def __init__(self) -> None:
        self._follows: dict[bytes, Change] = {}  # by hash
        self._ends: dict[bytes, SignedHead] = {}
        self._within: list[tuple[bytes, SignedHead]] = []  # signatures before the ends, with the change's hash

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
        Follow each chain through a batch to its signature; return None when a chain does not continue what is here.

        Args:
            verify: Checks the signature of any device.
            workspace: The workspace's id.
            reader: The store's transaction.
            batch: The changes that are new to the store, in order.
            signed: The signed heads that came with them.

        Raises:
            RemoteProtocolError: No signature vouches for one of the chains.
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
        """Return the author's public key for each end of a chain in the batch, by its hash; None as in :meth:`verify`."""
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
        """Return the held change that a chain in the batch continues, and the hashes from there to an end, in order."""
        found = list[bytes]()
        while end in self._follows:
            found.append(end)
            header = self._follows[end].header
            end = header.previous
        before = chains.find(header.actor, header.seq - 1, end) if header.seq > 1 else None
        return before, found[::-1]

    def keep(self, tx: StoreWriter) -> None:
        """Keep what vouches for the changes that were taken, so that they can be passed on even if the rest never comes."""
        chains = Chains(tx)
        for digest, signed in self._within:
            dot = chains.find(signed.actor, signed.seq, digest)
            if dot is not None:
                tx.signatures.add(dot[0], signed.seq, signed.signature)
        for digest, signed in self._ends.items():
            rest: list[bytes] = []  # header hashes of changes that are not here yet
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
    """Return the last signed head of a chain at or before a change; None when there is none."""
    name, seq = dot
    while (found := reader.signatures.last(name, seq)) is None:
        if names.first(name) == 1:
            return None
        name, seq = names.parent(name), names.first(name) - 1
    return name, found


class _Signatures:
    """
    Finds the signature of one batch that vouches for a chain.

    Each end of a chain takes one signature. A signature that does not fit goes to the back of the queue, so if the
    signatures come in the order of the ends, each is tried once.

    Args:
        verify: Checks the signature of any device.
        workspace: The workspace's id.
        offered: The signed heads, in the order in which they came.
    """

    def __init__(self, verify: Verify, workspace: bytes, offered: list[SignedHead]) -> None:
        self._verify, self._workspace = verify, workspace
        self._tries = len(offered) + TRIES
        self._fitting: defaultdict[tuple[bytes, int], deque[SignedHead]] = defaultdict(deque)
        for each in offered:
            if len(each.proof) % HASH_BYTES == 0:
                self._fitting[each.actor, each.seq - len(each.proof) // HASH_BYTES].append(each)

    def of(self, key: bytes, actor: bytes, seq: int, digest: bytes) -> SignedHead:
        """Return the signed head that vouches for a chain up to a change."""
        fitting = self._fitting.get((actor, seq))
        if not fitting:
            raise RemoteProtocolError("a batch without a signed head")
        for _ in range(len(fitting)):
            if not self._tries:
                raise RemoteProtocolError("a batch whose signatures are in the wrong order")
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
    Finds the signatures of one batch for changes before the ends of its chains.

    Args:
        verify: Checks the signature of any device.
        workspace: The workspace's id.
        offered: The signed heads, in the order in which they came.
    """

    def __init__(self, verify: Verify, workspace: bytes, offered: list[SignedHead]) -> None:
        self._verify, self._workspace = verify, workspace
        # By actor: the first signed head without a proof, and then each with a smaller seq than the one before.
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
        Return the signatures within a chain, each with the hash of its change, and the seq of the last one.

        Args:
            key: The author's key.
            reader, chains: The store's.
            end: The header of the chain's last change in the batch.
            before: The held change that the chain continues.
            chain: The hashes of the changes after that one.
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
