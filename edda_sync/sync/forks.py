"""
Forks: how two devices that hold different changes of one actor prove the fork, and continue with both branches.

Each device tells the other its piece of that chain, up to a signed head. With both pieces either device makes a proof, which
is evidence: it is kept, passed on before anything else, and decides under which names changes are held (see
:mod:`~edda_sync.changes.branches`). One name becomes two. Nothing is removed, nothing is written again, and nobody waits for
the author. Until there is a proof, the two devices just exchange no more changes of that actor.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial

from edda_sync.changes import change as changes
from edda_sync.changes import forkproof
from edda_sync.changes.branches import branch_name
from edda_sync.changes.chains import CLOSING, PROOF, Chains, name_of_proof
from edda_sync.changes.change import DEP_HASH_BYTES, HASH_BYTES, NO_HASH
from edda_sync.changes.forkproof import Chain, ForkProof
from edda_sync.crdt.frontier import Dot
from edda_sync.ledger.ledger import Ledger
from edda_sync.store.seams import Head, Store, StoreReader, StoreWriter
from edda_sync.sync.giving import Giving
from edda_sync.sync.keys import Verify
from edda_sync.sync.learning import Allows, Learning, News, Wanted, is_member
from edda_sync.sync.messages import Branch, SignedHead, Summary
from edda_sync.sync.vouchers import beyond
from edda_sync.words import limits
from edda_sync.words.errors import RemoteProtocolError
from edda_sync.workspace import closing
from edda_sync.workspace.closing import Closing


class Forks:
    """
    The forks that one store knows of. Every call is one transaction or reader of the store.

    Args:
        store, ledger: The store, and its ledger.
        giving: What the store gives.
        verify: Checks the signature of any device.
        workspace: The workspace's id.
    """

    def __init__(self, store: Store, ledger: Ledger, giving: Giving, verify: Verify, workspace: bytes) -> None:
        self._store, self._ledger, self._giving = store, ledger, giving
        self._verify_signature, self._workspace = verify, workspace

    # --- what forkproof asks ------------------------------------------------------------------------------------------

    def actor_of(self, birth: bytes) -> bytes:
        """Return the actor of a birth."""
        return changes.actor_of(birth)

    def signed(self, birth: bytes, workspace: bytes, seq: int, head: bytes, signature: bytes) -> bool:
        """Tell whether the key in a birth signed a head of the birth's actor."""
        message = changes.signed_message(workspace, changes.actor_of(birth), seq, head)
        return self._verify_signature(changes.decode_birth(birth).public_key, signature, message)

    # --- making a proof -----------------------------------------------------------------------------------------------

    def pieces(self, actors: Iterable[bytes]) -> list[Wanted]:
        """Return the pieces that tell a peer what is held here of some actors: one for the end of each branch."""
        with self._store.read() as reader:
            chains, heads = Chains(reader), reader.log.heads()
            return [Wanted(name) for actor in sorted(actors) for name in _ends(chains, heads, actor)]

    def piece(self, wanted: Wanted) -> Branch | None:
        """Return a piece of a chain, as far as signatures vouch for it; None when there is no such piece, or no longer."""
        with self._store.read() as reader:
            if wanted.name not in reader.log.heads():
                return None  # a fork was proved meanwhile, and both sides will say hello again
            piece = self._piece(reader, Chains(reader), wanted.name, wanted.before)
        reaches = piece is not None and (wanted.before is None or piece.seq < wanted.before)
        return piece if reaches else None

    def _piece(self, reader: StoreReader, chains: Chains, name: bytes, start: int | None) -> Branch | None:
        """
        Return a piece of a chain, as long as one side of a proof may be.

        Args:
            reader: The store's transaction.
            chains: Its chains.
            name: The last name of the chain.
            start: The piece must be signed after this seq; None for the end of the chain.
        """
        head = reader.log.heads()[name]
        vouch = self._vouch(reader, chains, name, head.seq if start is None else start)
        if vouch is None:
            if start is not None or head.signed_seq < chains.names.first(name):
                return None  # nobody would believe it
            vouch = SignedHead(chains.actor(name), head.signed_seq, head.signature, b"")
        way = [vouch.proof[at : at + HASH_BYTES] for at in range(0, len(vouch.proof), HASH_BYTES)]
        last = vouch.seq - len(way)
        before = max(0, vouch.seq - forkproof.SIDE_HASHES_MAX)
        headers = [changes.hash_header(raw) for raw in chains.headers(name, before + 1, last)]
        digest = NO_HASH if before == 0 else reader.log.hash_at(*chains.on(name, before))
        if digest is None or len(headers) < last - before:
            return None  # a segment stands for the changes before it
        return Branch(chains.actor(name), head.birth, before, digest, (*headers, *way), vouch.signature)

    def _vouch(self, reader: StoreReader, chains: Chains, name: bytes, seq: int) -> SignedHead | None:
        """Return what vouches for a change of a chain, and the hashes up to it; for our own chain, our own signature."""
        dot = chains.on(name, seq)
        head, digest = reader.log.heads()[name], reader.log.hash_at(*dot)
        if digest is not None and self._giving.is_own(head):
            signed = self._giving.sign(head._replace(seq=seq, hash=digest))
            return SignedHead(chains.actor(name), seq, signed.signature, b"")
        found = beyond(reader, chains.names, *dot)
        return None if found is None else found.vouch(reader)

    def take_piece(self, branch: Branch, allows: Allows = lambda _key: True) -> News:
        """
        Compare a peer's piece of a chain with what is held here, and prove the fork if there is one.

        Args:
            branch: The piece.
            allows: See :data:`Allows`.

        Raises:
            RemoteProtocolError: The piece belongs to another actor than it says, or its author did not sign it.
        """
        if changes.actor_of(branch.birth) != branch.actor:
            raise RemoteProtocolError("a piece of a chain with the birth of another actor")
        if not 0 < len(branch.headers) <= forkproof.SIDE_HASHES_MAX or (branch.seq == 0) != (branch.hash == NO_HASH):
            raise RemoteProtocolError("a piece of a chain out of bounds")
        hashes = [branch.hash, *forkproof.hashes(branch.hash, branch.headers)]
        end = branch.seq + len(branch.headers)
        if not self.signed(branch.birth, self._workspace, end, hashes[-1], branch.signature):
            raise RemoteProtocolError("a piece of a chain that its author did not sign")
        return self._store.transact(lambda tx: self._compare(tx, branch, hashes, allows))

    def _compare(self, tx: StoreWriter, branch: Branch, hashes: list[bytes], allows: Allows) -> News:
        news, learning = News(), Learning(self._ledger, tx, allows)
        if tx.segments.merged():
            news.unchecked = True  # what a segment's heads stand on, only the log behind it tells
            return news
        chains, heads, actor = Chains(tx), tx.log.heads(), branch.actor
        begun = (actor, 0) if branch.seq == 0 else chains.find(actor, branch.seq, branch.hash)
        if begun is None:  # the two chains part before this piece begins, if they part at all
            ends = _ends(chains, heads, actor)
            longer = [Wanted(name, branch.seq) for name in ends if heads[name].seq > branch.seq]
            news.say += longer or map(Wanted, ends)  # if none of ours reaches that far, the peer can compare
            if chains.holds_some(actor, branch.seq):
                news.differs = Summary(actor, branch.seq, branch.hash[:DEP_HASH_BYTES])
            return news
        name, common = begun
        end = branch.seq + len(branch.headers)
        while True:  # it follows the names along the piece, and does not try every branch
            last = min(heads[name].seq if name in heads else 0, end)
            common = _common(partial(chains.hash, name), common, last, hashes[common - branch.seq :])
            if common < last or common == end:
                break
            following = branch_name(actor, hashes[common + 1 - branch.seq])
            if following not in heads:
                break
            name = following
        if common < last:  # else it is here, or goes on from what is, be it as another branch
            news.differs = Summary(actor, common + 1, hashes[common + 1 - branch.seq][:DEP_HASH_BYTES])
            self._prove(tx, branch, hashes, (name, common), learning, news)
        learning.refold(news)
        return news

    def _prove(
        self, tx: StoreWriter, branch: Branch, hashes: list[bytes], shared: Dot, learning: Learning, news: News
    ) -> None:
        """Prove the fork of a chain after the last change that a peer's piece shares with a chain that is held here."""
        chains, (name, common) = Chains(tx), shared
        ours = self._vouch(tx, chains, name, common + 1)
        header = chains.headers(name, common + 1, common + 1)
        if ours is None or not header:
            return
        rest = [ours.proof[at : at + HASH_BYTES] for at in range(0, len(ours.proof), HASH_BYTES)]
        digest = hashes[common - branch.seq]
        side = Chain(common, digest, (changes.hash_header(header[0]), *rest), ours.signature)
        theirs = Chain(common, digest, branch.headers[common - branch.seq :], branch.signature)
        proof = forkproof.make(branch.actor, branch.birth, side, theirs)
        if proof is not None and learning.is_wanted(proof, news):
            forkproof.check(proof, self._workspace, self)
            learning.learn(proof, news)

    # --- evidence -----------------------------------------------------------------------------------------------------

    def evidence(self) -> Sequence[bytes]:
        """Return the names of all evidence that is held here."""
        with self._store.read() as reader:
            return reader.evidence.names()

    def told(self, names: Iterable[bytes]) -> tuple[list[bytes], int]:
        """Return named evidence, as much as one frame takes, and how many of the names it covers."""
        items, size, count = list[bytes](), 0, 0
        with self._store.read() as reader:
            for name in names:
                item = reader.evidence.get(name)
                if item is not None:  # a closing that covers more may have replaced it
                    size += len(item)
                    if items and size > limits.BATCH_BYTES_MAX:
                        break
                    items.append(item)
                count += 1
        return items, count

    def are_members(self, keys: Iterable[bytes]) -> bool:
        """Tell whether any of some keys is a member's by now."""
        with self._store.read() as reader:
            return any(is_member(reader, key) for key in keys)

    def take_evidence(self, items: Sequence[bytes], allows: Allows = lambda _key: True) -> News:
        """
        Take evidence, each item on its own. Items that only a newer version knows are ignored.

        A proof is kept once the log says that its key is a member's, because a stranger could make any number of proofs.
        This depends on what is held, and not on what came first: a device that ignored a proof asks again when a member is
        added.

        Args:
            items: The evidence.
            allows: See :data:`Allows`.

        Raises:
            RemoteProtocolError: It is malformed, or proves nothing.
        """
        proofs = [forkproof.decode(item[1:]) for item in items if item[:1] == PROOF]
        ends = [closing.decode(item[1:]) for item in items if item[:1] == CLOSING]
        for end in ends:
            closing.check(end, self._workspace, self._verify_signature)
        if not proofs and not ends:
            return News()
        return self._store.transact(lambda tx: self._take(tx, proofs, ends, allows))

    def _take(self, tx: StoreWriter, proofs: list[ForkProof], ends: list[Closing], allows: Allows) -> News:
        news, learning = News(), Learning(self._ledger, tx, allows)
        news.brought = [*map(name_of_proof, proofs), *map(closing.name_of, ends)]
        wanted = [proof for proof in proofs if learning.is_wanted(proof, news)]
        for proof in wanted:
            forkproof.check(proof, self._workspace, self)
        for proof in wanted:
            learning.learn(proof, news)
        for end in ends:
            # A closing of a change that is not here is ignored; it is told again once both hold the same changes. So there
            # are never more closings than lives in the log.
            if tx.segments.merged():
                news.unchecked = True
            elif Chains(tx).find(end.actor, end.seq, end.hash) is not None and closing.keep(tx, end):
                news.evidence.append(closing.name_of(end))
        learning.refold(news)
        return news


def _ends(chains: Chains, heads: Mapping[bytes, Head], actor: bytes) -> list[bytes]:
    """Return the last names of an actor's chains that are held: those that no other branch continues."""
    held = [name for name in (actor, *chains.names.branches(actor)) if name in heads]
    parents = {chains.names.parent(name) for name in held if name != actor}
    return [name for name in held if name not in parents]


def _common(hash_at: Callable[[int], bytes | None], first: int, last: int, hashes: Sequence[bytes]) -> int:
    """Return the last seq, from ``first`` on, at which two chains are equal; ``first - 1`` if they are nowhere equal."""
    above = last + 1  # a hash covers everything before it: after the first difference, all hashes differ
    common = first - 1
    while common + 1 < above:
        middle = (common + above) // 2
        if hash_at(middle) == hashes[middle - first]:
            common = middle
        else:
            above = middle
    return common
