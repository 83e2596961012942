"""
Forks: how two devices that hold different changes of one actor prove it, and go on with both.

Each tells the other its piece of that chain, up to a signed head. Of the two pieces either makes a proof, which is evidence:
it is kept, passed on before anything else, and decides under which names changes are held (:mod:`~edda_sync.crdt.branches`).
What was one name becomes two; nothing is taken out, nothing is written anew, and nobody waits for the author. Until there is
a proof, nothing happens but that the two exchange no more changes of that actor.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from hashlib import blake2b
from typing import NamedTuple

from edda_sync.crdt import branches, closing, forkproof
from edda_sync.crdt import change as changes
from edda_sync.crdt.branches import Names, Renaming
from edda_sync.crdt.chains import CLOSING, PROOF, Chains, keep_names, names_of, points_of
from edda_sync.crdt.change import HASH_BYTES, NO_HASH
from edda_sync.crdt.closing import Closing
from edda_sync.crdt.forkproof import Chain, ForkProof
from edda_sync.crdt.frontier import SEQ_MAX, Dot
from edda_sync.crdt.ledger import ACTOR_KEY, Ledger
from edda_sync.crdt.past import renamed_pairs
from edda_sync.errors import RemoteProtocolError
from edda_sync.protocols import Head, Store, StoreReader, StoreWriter
from edda_sync.sync.giving import Giving
from edda_sync.sync.keys import Verify
from edda_sync.sync.making import forget_made
from edda_sync.sync.messages import Branch, SignedHead
from edda_sync.sync.vouchers import beyond, voucher_of


class News(NamedTuple):
    """
    What came of a piece of a chain, or of evidence.

    Attributes:
        evidence: What of it was new.
        renamed: Where a fork was proved: what is called otherwise from now on. None where none was.
        say: Longer pieces, for the peer.
        agrees: Whether a piece is, as far as both go, what is held here.
    """

    evidence: tuple[bytes, ...] = ()
    renamed: tuple[Renaming, ...] | None = None
    say: tuple[Branch, ...] = ()
    agrees: bool = False

    def joined(self, other: News) -> News:
        """Return both, this one first."""
        both = [each.renamed for each in (self, other) if each.renamed is not None]
        renamed = tuple(by for each in both for by in each) if both else None
        return News(self.evidence + other.evidence, renamed, self.say + other.say, self.agrees or other.agrees)


class Forks:
    """
    The forks that one store knows of; every call is one transaction or reader of the store.

    Args:
        store, ledger: The store, and its ledger's keeper.
        giving: What it gives.
        verify: Checks anybody's signature.
        workspace: The workspace's id.
    """

    def __init__(self, store: Store, ledger: Ledger, giving: Giving, verify: Verify, workspace: bytes) -> None:
        self._store, self._ledger, self._giving = store, ledger, giving
        self._verify_signature, self._workspace = verify, workspace

    # --- what forkproof asks ------------------------------------------------------------------------------------------

    def actor_of(self, birth: bytes) -> bytes:
        """Return the actor that a birth makes."""
        return changes.actor_of(birth)

    def signed(self, birth: bytes, workspace: bytes, seq: int, head: bytes, signature: bytes) -> bool:
        """Tell whether the key in a birth signed a head of the birth's actor."""
        message = changes.signed_message(workspace, changes.actor_of(birth), seq, head)
        return self._verify_signature(changes.decode_birth(birth).public_key, signature, message)

    # --- making a proof -----------------------------------------------------------------------------------------------

    def pieces(self, actor: bytes) -> list[Branch]:
        """Return the ends of an actor's chain, of each branch of it that is held, as far as signatures vouch for them."""
        with self._store.read() as reader:
            chains = Chains(reader)
            found = (self._piece(reader, chains, name, None) for name in _ends(chains, reader.heads(), actor))
            return [piece for piece in found if piece is not None]

    def _piece(self, reader: StoreReader, chains: Chains, name: bytes, start: int | None) -> Branch | None:
        """
        Return a piece of a chain, as long as a proof's side may be.

        Args:
            reader: The store's transaction.
            chains: Of it.
            name: The last name of the chain.
            start: The seq after which it must be signed; None for its end.
        """
        head = reader.heads()[name]
        vouch = self._vouch(reader, chains, name, head.seq if start is None else start)
        if vouch is None:
            if start is not None or head.signed_seq < chains.names.first(name):
                return None  # nobody would believe it
            vouch = SignedHead(chains.actor(name), head.signed_seq, head.signature, b"")
        way = [vouch.proof[at : at + HASH_BYTES] for at in range(0, len(vouch.proof), HASH_BYTES)]
        last = vouch.seq - len(way)
        before = max(0, vouch.seq - forkproof.SIDE_HASHES_MAX)
        headers = [changes.hash_header(raw) for raw in chains.headers(name, before + 1, last)]
        digest = NO_HASH if before == 0 else reader.hash_at(*chains.on(name, before))
        if digest is None or len(headers) < last - before:
            return None  # a segment stands for it
        return Branch(chains.actor(name), head.birth, before, digest, (*headers, *way), vouch.signature)

    def _vouch(self, reader: StoreReader, chains: Chains, name: bytes, seq: int) -> SignedHead | None:
        """Return what vouches for a change of a chain, and the way there: our own signature, if it is our own chain."""
        dot = chains.on(name, seq)
        head, digest = reader.heads()[name], reader.hash_at(*dot)
        if digest is not None and self._giving.is_own(head):
            signed = self._giving.sign(head._replace(seq=seq, hash=digest))
            return SignedHead(chains.actor(name), seq, signed.signature, b"")
        found = beyond(reader, chains.names, *dot)
        return None if found is None else found.vouch(reader)

    def take_piece(self, branch: Branch) -> News:
        """
        Compare a peer's piece of a chain with what is held of it, and prove the fork, if it is one.

        Raises:
            RemoteProtocolError: The piece is not of the actor that it names, or its author did not sign it.
        """
        if changes.actor_of(branch.birth) != branch.actor:
            raise RemoteProtocolError("a piece of a chain with the birth of another actor")
        if not 0 < len(branch.headers) <= forkproof.SIDE_HASHES_MAX or (branch.seq == 0) != (branch.hash == NO_HASH):
            raise RemoteProtocolError("a piece of a chain out of bounds")
        hashes = [branch.hash, *forkproof.hashes(branch.hash, branch.headers)]
        end = branch.seq + len(branch.headers)
        if not self.signed(branch.birth, self._workspace, end, hashes[-1], branch.signature):
            raise RemoteProtocolError("a piece of a chain that its author did not sign")
        return self._store.transact(lambda tx: self._compare(tx, branch, hashes))

    def _compare(self, tx: StoreWriter, branch: Branch, hashes: list[bytes]) -> News:
        news = News()
        for name in _ends(Chains(tx), tx.heads(), branch.actor):
            chains = Chains(tx)  # a proof just now may have cut it
            if name not in tx.heads():
                continue
            last = min(tx.heads()[name].seq, branch.seq + len(branch.headers))
            common = _common(partial(chains.hash, name), branch.seq, last, hashes)
            if common < branch.seq:
                piece = self._piece(tx, chains, name, branch.seq) if last > branch.seq > 0 else None
                if piece is not None and piece.seq < branch.seq:
                    news = news.joined(News(say=(piece,)))  # they part further back than this one reaches
            elif common < last:
                ours = self._vouch(tx, chains, name, common + 1)
                header = chains.headers(name, common + 1, common + 1)
                if ours is not None and header:
                    rest = [ours.proof[at : at + HASH_BYTES] for at in range(0, len(ours.proof), HASH_BYTES)]
                    digest = hashes[common - branch.seq]
                    side = Chain(common, digest, (changes.hash_header(header[0]), *rest), ours.signature)
                    theirs = Chain(common, digest, branch.headers[common - branch.seq :], branch.signature)
                    proof = forkproof.make(branch.actor, branch.birth, side, theirs)
                    if proof is not None:
                        forkproof.check(proof, self._workspace, self)
                        news = news.joined(self._learn(tx, proof))
            else:
                news = news.joined(News(agrees=True))
        return news

    # --- evidence -----------------------------------------------------------------------------------------------------

    def evidence(self) -> list[bytes]:
        """Return all evidence that is held."""
        with self._store.read() as reader:
            return list(reader.evidence().values())

    def take_evidence(self, items: Sequence[bytes]) -> News:
        """
        Take evidence, each piece of it by itself. What only a newer version knows is left.

        Raises:
            RemoteProtocolError: It is malformed, or proves nothing.
        """
        proofs = [forkproof.decode(item[1:]) for item in items if item[:1] == PROOF]
        for proof in proofs:
            forkproof.check(proof, self._workspace, self)
        ends = [closing.decode(item[1:]) for item in items if item[:1] == CLOSING]
        for end in ends:
            closing.check(end, self._workspace, self._verify_signature)

        def work(tx: StoreWriter) -> News:
            news = News()
            for each in (*(self._learn(tx, proof) for proof in proofs), *(_learn_end(tx, end) for end in ends)):
                news = news.joined(each)
            return news

        return self._store.transact(work) if proofs or ends else News()

    def _learn(self, tx: StoreWriter, proof: ForkProof) -> News:
        """Keep a proof, call changes by the names that follow from it, and fold anew what they are about."""
        point = proof.point
        if point in points_of(tx, proof.actor) or tx.segments():
            return News()  # whose branch a segment stands for, only the log behind it tells: it is told again then
        chains = Chains(tx)
        shared: Dot | None = (proof.actor, 0)
        if point.seq:
            shared = chains.find(proof.actor, point.seq, point.hash)
        piece = PROOF + forkproof.encode(proof)
        tx.add_evidence(_name_of(proof), piece)
        forget_made(tx)
        head = None if shared is None else tx.heads().get(shared[0])
        if shared is None or head is None or head.seq <= point.seq:
            return News((piece,), renamed=())  # nothing is held beyond the point, so nothing has another name
        after = tx.hash_at(shared[0], point.seq + 1)
        assert after is not None, "the log holds all that its heads say, or there would be no evidence of it"
        by = branches.renaming(proof.actor, shared, after)
        self._rename(tx, chains, by)
        return News((piece,), renamed=(by,))

    def _rename(self, tx: StoreWriter, chains: Chains, by: branches.Renaming) -> None:
        head = tx.heads()[by.old]
        before = None
        if by.above >= chains.names.first(by.old):
            named = self._ledger.pasts.named_until(tx, (by.old, by.above))
            before = head._replace(seq=by.above, hash=tx.hash_at(by.old, by.above) or b"", deps=named, signed_seq=0)
        voucher = voucher_of(tx, by.old, head.seq)
        renamed = tx.rename(by.old, by.above, by.new, before)
        if voucher is not None:
            tx.set_meta(f"voucher {by.new.hex()}", tx.meta(f"voucher {by.old.hex()}") or b"")
            tx.drop_meta(f"voucher {by.old.hex()}")
        keep_names(tx, chains.names.renamed(by))
        for other in tx.heads().values():
            deps = renamed_pairs(other.deps, by)
            if deps != other.deps:
                tx.set_head(other._replace(deps=deps))
        if tx.meta(ACTOR_KEY) == by.old:
            tx.set_meta(ACTOR_KEY, by.new)  # under which this store wrote, so that its next life continues it
        self._ledger.pasts.forget()
        above = _above(names_of(tx), by.new)  # whose items texts call by the whole way down to them
        known = {name: SEQ_MAX for name in tx.heads() if name not in above}
        keys = {*tx.entities_at(renamed), *tx.entities_at(tx.positions_missing(known))}
        keys |= {record.key for record in tx.all_records() if by.old in record.state}
        self._ledger.refold(tx, sorted(keys))


def _learn_end(tx: StoreWriter, end: Closing) -> News:
    """
    Keep what a device says of a life of its own that has ended: of each life the closing that covers most of it.

    One of a change that is not here is left: it is told again once both hold the same. So there are no more of them than
    there are lives in the log.
    """
    if tx.segments() or Chains(tx).find(end.actor, end.seq, end.hash) is None:
        return News()
    kept = next((each for each in closing.held(tx) if each.actor == end.actor), None)
    if kept is not None:
        if (kept.seq, kept.hash) >= (end.seq, end.hash):
            return News()
        tx.drop_evidence(closing.name_of(kept))
    piece = CLOSING + closing.encode(end)
    tx.add_evidence(closing.name_of(end), piece)
    return News((piece,))


def _above(names: Names, name: bytes) -> set[bytes]:
    """Return the branches that go on from a name, and those that go on from them."""
    found = {each for each in names.branches(names.actor(name)) if names.parent(each) == name}
    return found.union(*(_above(names, each) for each in found))


def _ends(chains: Chains, heads: Mapping[bytes, Head], actor: bytes) -> list[bytes]:
    """Return the last names of an actor's chains that are held: those from which no other branch goes on."""
    held = [name for name in (actor, *chains.names.branches(actor)) if name in heads]
    parents = {chains.names.parent(name) for name in held if name != actor}
    return [name for name in held if name not in parents]


def _common(hash_at: Callable[[int], bytes | None], first: int, last: int, hashes: Sequence[bytes]) -> int:
    """Return the last seq, from the first on, up to which two chains are one; one less than the first where none is."""
    above = last + 1  # a hash covers all before it: where two differ, so do all that follow
    common = first - 1
    while common + 1 < above:
        middle = (common + above) // 2
        if hash_at(middle) == hashes[middle - first]:
            common = middle
        else:
            above = middle
    return common


def _name_of(proof: ForkProof) -> bytes:
    """Return the name of a proof among the evidence: one proof of each point is kept, whatever heads it shows."""
    seq, digest = proof.point
    return blake2b(proof.actor + seq.to_bytes(8, "big") + digest, digest_size=32, person=b"edda-fork").digest()
