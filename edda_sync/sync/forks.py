"""
Forks: how two devices that hold different changes of one actor prove it, and go on with both.

Each tells the other its piece of that chain, up to a signed head. Of the two pieces either makes a proof, which is evidence:
it is kept, passed on before anything else, and decides under which names changes are held (see
:mod:`~edda_sync.changes.branches`). What was one name becomes two; nothing is taken out, nothing is written
anew, and nobody waits for the author. Until there is a proof, nothing happens but that the two exchange no more changes of
that actor.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial

from edda_sync.changes import change as changes
from edda_sync.changes import forkproof
from edda_sync.changes.branches import branch_name
from edda_sync.changes.chains import CLOSING, PROOF, Chains, name_of_proof
from edda_sync.changes.change import HASH_BYTES, NO_HASH
from edda_sync.changes.forkproof import Chain, ForkProof
from edda_sync.crdt.frontier import Dot
from edda_sync.ledger.ledger import Ledger
from edda_sync.store.seams import Head, Store, StoreReader, StoreWriter
from edda_sync.sync.giving import Giving
from edda_sync.sync.keys import Verify
from edda_sync.sync.learning import Allows, Learning, News, Wanted, is_member
from edda_sync.sync.messages import Branch, SignedHead
from edda_sync.sync.vouchers import beyond
from edda_sync.words import limits
from edda_sync.words.errors import RemoteProtocolError
from edda_sync.workspace import closing
from edda_sync.workspace.closing import Closing


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

    def pieces(self, actors: Iterable[bytes]) -> list[Wanted]:
        """Return which pieces tell a peer what is here of some actors: the end of each branch that is held."""
        with self._store.read() as reader:
            chains, heads = Chains(reader), reader.log.heads()
            return [Wanted(name) for actor in sorted(actors) for name in _ends(chains, heads, actor)]

    def piece(self, wanted: Wanted) -> Branch | None:
        """Return a piece of a chain, as far as signatures vouch for it; None when there is none (any more)."""
        with self._store.read() as reader:
            if wanted.name not in reader.log.heads():
                return None  # a fork was proved meanwhile, and both sides say hello again
            piece = self._piece(reader, Chains(reader), wanted.name, wanted.before)
        reaches = piece is not None and (wanted.before is None or piece.seq < wanted.before)
        return piece if reaches else None

    def _piece(self, reader: StoreReader, chains: Chains, name: bytes, start: int | None) -> Branch | None:
        """
        Return a piece of a chain, as long as a proof's side may be.

        Args:
            reader: The store's transaction.
            chains: Of it.
            name: The last name of the chain.
            start: The seq after which it must be signed; None for its end.
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
            return None  # a segment stands for it
        return Branch(chains.actor(name), head.birth, before, digest, (*headers, *way), vouch.signature)

    def _vouch(self, reader: StoreReader, chains: Chains, name: bytes, seq: int) -> SignedHead | None:
        """Return what vouches for a change of a chain, and the way there: our own signature, if it is our own chain."""
        dot = chains.on(name, seq)
        head, digest = reader.log.heads()[name], reader.log.hash_at(*dot)
        if digest is not None and self._giving.is_own(head):
            signed = self._giving.sign(head._replace(seq=seq, hash=digest))
            return SignedHead(chains.actor(name), seq, signed.signature, b"")
        found = beyond(reader, chains.names, *dot)
        return None if found is None else found.vouch(reader)

    def take_piece(self, branch: Branch, allows: Allows = lambda _key: True) -> News:
        """
        Compare a peer's piece of a chain with what is held of it, and prove the fork, if it is one.

        Args:
            branch: The piece.
            allows: See :data:`Allows`.

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
        return self._store.transact(lambda tx: self._compare(tx, branch, hashes, allows))

    def _compare(self, tx: StoreWriter, branch: Branch, hashes: list[bytes], allows: Allows) -> News:
        news, learning = News(), Learning(self._ledger, tx, allows)
        chains, heads, actor = Chains(tx), tx.log.heads(), branch.actor
        begun = (actor, 0) if branch.seq == 0 else chains.find(actor, branch.seq, branch.hash)
        if begun is None:  # they part further back than this one reaches, if they do
            longer = [name for name in _ends(chains, heads, actor) if heads[name].seq > branch.seq > 0]
            news.say += [Wanted(name, branch.seq) for name in longer]
            return news
        name, common = begun
        end = branch.seq + len(branch.headers)
        while True:  # from name to name as the piece goes, and not once for each branch
            last = min(heads[name].seq if name in heads else 0, end)
            common = _common(partial(chains.hash, name), common, last, hashes[common - branch.seq :])
            if common < last or common == end:
                break
            following = branch_name(actor, hashes[common + 1 - branch.seq])
            if following not in heads:
                break
            name = following
        if common < last:
            self._prove(tx, branch, hashes, (name, common), learning, news)
        else:
            news.agrees = common == end or (name in heads and not chains.names.is_parted(name))
        learning.fold_anew(news)
        return news

    def _prove(
        self, tx: StoreWriter, branch: Branch, hashes: list[bytes], shared: Dot, learning: Learning, news: News
    ) -> None:
        """Prove that a chain forks behind a change that a peer's piece and a chain that is held share."""
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
        """Return the names of all evidence that is held."""
        with self._store.read() as reader:
            return reader.evidence.names()

    def told(self, names: Iterable[bytes]) -> tuple[list[bytes], int]:
        """Return some evidence by name, as much as a frame takes, and of how many names that is."""
        items, size, count = list[bytes](), 0, 0
        with self._store.read() as reader:
            for name in names:
                item = reader.evidence.get(name)
                if item is not None:  # a closing that covers more may have taken its place
                    size += len(item)
                    if items and size > limits.BATCH_BYTES_MAX:
                        break
                    items.append(item)
                count += 1
        return items, count

    def are_members(self, keys: Iterable[bytes]) -> bool:
        """Tell whether one of some keys is a member's by now."""
        with self._store.read() as reader:
            return any(is_member(reader, key) for key in keys)

    def take_evidence(self, items: Sequence[bytes], allows: Allows = lambda _key: True) -> News:
        """
        Take evidence, each piece of it by itself. What only a newer version knows is left.

        A proof is kept once the log says that its key is a member's: a stranger may make as many as it likes. That is a
        function of what is held, not of what came first: whoever leaves a proof asks for it again when a member is added.

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
            # One of a change that is not here is left: it is told again once both hold the same. So there are no more of
            # them than there are lives in the log.
            if tx.segments.merged():
                news.unchecked = True
            elif Chains(tx).find(end.actor, end.seq, end.hash) is not None and closing.keep(tx, end):
                news.evidence.append(closing.name_of(end))
        learning.fold_anew(news)
        return news


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
