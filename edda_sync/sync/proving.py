"""
Proving: whether two devices that hold the same changes hold the same content, and if not, in what they differ.

Theory. Where both frontiers are equal, for all that is known, each side says the *seal* of what it holds: 16 bytes, of the
digest of its content, the hashes of its heads, the evidence, and what waits. Equal seals prove that all of these are equal,
at whatever moment they were taken. Where they differ at one frontier, each side says its *proof*, that digest and a hash of
its heads, and then sends coded cells of what it holds, more and more of them until what differs comes out, and folds just
that anew from its own log. Nobody's word is taken for what is right.

1. "Equal" is said only after both sides compared what was taken at one common frontier, with the same operations waiting:
   devices of one level wait for the same ones, so nobody can keep them from being proved equal by writing such.
2. Heads differ where a dot was made twice. They are compared even where other operations wait, and content is not.
3. Cells are keyed by both hellos' nonces: no member can make content that does not come out.
4. Past ``CODED_CELLS_MAX`` the items themselves are listed, a page at a time, as the peer takes them.
5. A look at all that is here costs as much as there is. How often one begins for a peer is flow: later, and not never.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import takewhile
from typing import Final, NamedTuple

from edda_sync.crdt import pages
from edda_sync.crdt.digests import Item
from edda_sync.crdt.frontier import Frontier
from edda_sync.crdt.sketch import CELL_BYTES, Decoded, Sketch, differences
from edda_sync.sync.exchange import Exchange, Proof, seal_of
from edda_sync.sync.messages import Cells, Listed, Message
from edda_sync.words import limits
from edda_sync.words.errors import RemoteProtocolError
from edda_sync.words.model import KINDS

HEAD: Final = b"\xfe"  # begins the key of a head among the items: the number of no kind of entity


class Difference(NamedTuple):
    """
    An entity in which two devices differ.

    Attributes:
        key: Its key.
        ours, theirs: The hash of its state here, and the one that the peer says; empty where there is none.
    """

    key: bytes
    ours: bytes
    theirs: bytes


class Outcome(NamedTuple):
    """
    What came of comparing.

    Attributes:
        say: Messages for the peer.
        proved: Whether the two are equal.
        differing: The entities in which they differ, by key.
        apart: Actors of whom the two hold different changes.
        late: Whether it was put off: ask for it again in a while.
    """

    say: tuple[Message, ...] = ()
    proved: bool = False
    differing: tuple[Difference, ...] = ()
    apart: frozenset[bytes] = frozenset()
    late: bool = False


SEAL_BYTES: Final = 16
PROOF_BYTES: Final = 32


class _Heard(NamedTuple):
    """The peer's proof: at which frontier, what it is, what waits there, and with which evidence."""

    frontier: Frontier
    proof: bytes
    unread: bytes
    evidence: bytes


class Proving:
    """
    The comparison of one talk.

    Args:
        exchange: What the store gives and takes.
        nonce: Ours, of the hello.
        allows: Whether all that is here may be looked at once more now.
    """

    def __init__(self, exchange: Exchange, nonce: bytes, allows: Callable[[], bool] = lambda: True) -> None:
        self._exchange, self._allows = exchange, allows
        self._nonce = nonce
        self._nonces = [nonce]
        self._theirs: _Heard | None = None
        self._their_seal = b""
        self._sealed_at: Frontier = {}  # and what it held then, for all that was known
        self._equal = b""  # the seal at which both were found equal
        self._sealed: Frontier | None = None  # where our seal was said last, or our proof
        self._said: Frontier | None = None  # and our proof
        self._compared: tuple[bytes, bytes] | None = None
        self._sketch: Sketch | None = None
        self._cells = b""  # of the peer's
        self._listed = pages.BEFORE_ALL
        self._begun: tuple[bytes, bytes] | None = None  # for which pair of proofs our cells were sent
        self._listing: tuple[bytes, bytes] | None = None  # under which proof of ours items are listed, and after which

    def introduced(self, nonce: bytes) -> None:
        """Learn the peer's nonce."""
        self._nonces = sorted([self._nonce, nonce])

    def has_said(self, ours: Frontier) -> bool:
        """Tell whether our seal at a frontier was said."""
        return self._sealed == ours

    def seal(self, held: Frontier, *, refresh: bool = False) -> Proof | None:
        """
        Return our proof, of which the seal is to be said now; None when there is nothing to say.

        Args:
            held: What the peer holds, for all that is known.
            refresh: Whether texts are brought up to date for it.
        """
        ours = self._exchange.frontier()
        if ours != held or self.has_said(ours) or self._exchange.is_damaged:
            return None
        proof = self._exchange.proof() if refresh else self._exchange.settled_proof()
        if proof is None or proof.frontier != ours:  # something was written meanwhile, whose own turn comes
            return None
        self._sealed = ours
        return proof

    def say(self, held: Frontier) -> Proof | None:
        """
        Return our proof, to be said now as it is; None when there is nothing to say.

        Args:
            held: What the peer says that it holds.
        """
        ours = self._exchange.frontier()
        if ours != held or self._said == ours or self._exchange.is_damaged:
            return None
        proof = self._exchange.proof()
        if proof.frontier != ours:
            return None
        self._sealed = self._said = ours
        return proof

    def unsaid(self) -> None:
        """Learn that the peer did not take what was sent to it: what we said beside that counts for nothing."""
        self._sealed = self._said = None

    def heard_seal(self, held: Frontier, seal: bytes) -> None:
        """
        Learn the peer's seal.

        Args:
            held: What it holds, for all that is known.
            seal: What it said.
        """
        if len(seal) != SEAL_BYTES:
            raise RemoteProtocolError(f"a seal of {len(seal)} bytes")
        self._sealed_by(seal, dict(held))

    def heard(self, held: Frontier, proof: bytes, unread: bytes, evidence: bytes) -> None:
        """Learn the peer's proof."""
        if len(proof) != PROOF_BYTES:
            raise RemoteProtocolError(f"a proof of {len(proof)} bytes")
        self._theirs = _Heard(dict(held), proof, unread, evidence)
        self._sealed_by(seal_of(proof, evidence, unread), self._theirs.frontier)

    def _sealed_by(self, seal: bytes, held: Frontier) -> None:
        self._their_seal, self._sealed_at = seal, held
        if seal != self._equal:
            self._equal = b""  # should it say again what it said before, as after damage, that is looked at again

    @property
    def doubts(self) -> bool:
        """Whether the peer's seal of this frontier is another one than ours, if that can be told without reading texts."""
        return self._their_seal != b"" and self._sealed_at == self._exchange.frontier() and self._agrees() is False

    def _agrees(self) -> bool | None:
        """Tell whether the peer's seal is ours; None where that cannot be told without reading texts."""
        proof = self._exchange.settled_proof()
        if proof is None and self.has_said(self._exchange.frontier()):
            proof = self._exchange.proof()  # it was had before
        return None if proof is None else proof.seal == self._their_seal

    def compare(self) -> Outcome:
        """Compare both seals, and both proofs if they are of one frontier and were not compared before."""
        if self._exchange.is_damaged:
            return Outcome()
        if self._their_seal and self._their_seal != self._equal and self._agrees():
            self._equal = self._their_seal
            return Outcome(proved=True)
        if self._theirs is None or self._their_seal == self._equal:
            return Outcome()
        at, theirs, unread, evidence = self._theirs
        if at != self._exchange.frontier():
            return Outcome()
        proof = self._exchange.proof()
        if at != proof.frontier or evidence != proof.evidence or self._compared == (proof.encoded, theirs):
            return Outcome()
        self._compared = proof.encoded, theirs
        if unread == proof.unread and proof.encoded == theirs:
            self._equal = proof.seal
            return Outcome(proved=True)
        if (unread != proof.unread and proof.heads_hash == theirs[16:]) or self._begun == self._compared:
            return Outcome()
        if not self._allows():
            self._compared = None
            return Outcome(late=True)
        return self._begin(proof)

    def recheck(self) -> None:
        """Compare anew: the view was folded anew."""
        self.unsaid()
        self._compared = self._begun = None
        self._equal = b""

    # --- in what the two differ ---------------------------------------------------------------------------------------

    def _begin(self, proof: Proof) -> Outcome:
        """Send the first cells of what we hold."""
        assert self._theirs is not None, "asked for once both proofs are here"
        pair = proof.encoded, self._theirs.proof
        if self._begun == pair:
            return Outcome()
        self._begun, self._cells, self._listed, self._listing = pair, b"", pages.BEFORE_ALL, None
        self._sketch = Sketch(b"".join(self._nonces), self._items(proof), limits.CODED_CELLS_FIRST)
        return Outcome((Cells(proof.encoded, 0, self._sketch.cells(0, len(self._sketch))),))

    def _items(self, proof: Proof, after: bytes = pages.BEFORE_ALL) -> Iterator[Item]:
        """Yield entities and heads after a key, by key; heads alone where other operations wait on the two sides."""
        assert self._theirs is not None, "asked for once both proofs are here"
        if proof.unread == self._theirs.unread:
            yield from self._exchange.items(after)
        heads = sorted((HEAD + head.actor, head.hash) for head in self._exchange.heads())
        yield from (item for item in heads if item[0] > after)

    def _current(self, theirs: bytes) -> Proof | None:
        """Return our proof, when cells or a page are of the pair of proofs that is being compared."""
        proof = self._exchange.proof()
        if self._theirs is None or self._theirs.proof != theirs or proof.frontier != self._theirs.frontier:
            return None
        return proof

    def take_cells(self, message: Cells) -> Outcome:
        """Take coded cells of the peer's, and tell what came out."""
        proof = self._current(message.proof)
        if proof is None or proof.encoded == message.proof:
            return Outcome()
        begun = self._begin(proof)
        if message.first == 0:  # it begins anew, when it has folded anew what differed
            self._cells = b""
        if message.first * CELL_BYTES != len(self._cells):
            raise RemoteProtocolError("coded cells out of order")
        self._cells += message.cells
        count = len(self._cells) // CELL_BYTES
        if not message.cells or count > limits.CODED_CELLS_MAX:
            raise RemoteProtocolError(f"{count:,} coded cells")
        assert self._sketch is not None, "begun above"
        more: list[Message] = list(begun.say)
        if len(self._sketch) < count:  # the peer needs them as much as we do
            more += self._extend(proof, count)
        found = differences(self._sketch, self._cells)
        if found.complete:
            return self._named(found, more)
        if count >= limits.CODED_CELLS_MAX:
            self._listing = proof.encoded, pages.BEFORE_ALL
        elif len(self._sketch) == count:
            more += self._extend(proof, min(2 * count, limits.CODED_CELLS_MAX))
        return Outcome(tuple(more))

    def _extend(self, proof: Proof, count: int) -> list[Message]:
        assert self._sketch is not None, "begun by the caller"
        before = len(self._sketch)
        try:
            self._sketch.extend(self._items(proof), count)
        except ValueError:  # what is here, or what the peer says waits there, has changed since: new proofs are due
            return []
        return [Cells(proof.encoded, before, self._sketch.cells(before, count - before))]

    def next_page(self) -> Listed | None:
        """Return the next page of what is listed for the peer; None when there is none (any more)."""
        if self._listing is None:
            return None
        said, after = self._listing
        proof = self._exchange.proof()
        if self._theirs is None or said != proof.encoded:
            self._listing = None  # what is here has changed since: new proofs are due
            return None
        page = next(pages.pages(self._items(proof, after)))
        self._listing = None if page.upto == pages.LAST_KEY else (said, page.upto)
        return Listed(said, after, page.upto, page.records)

    def take_page(self, message: Listed) -> Outcome:
        """Take a page of the peer's items, and tell what differs in its range."""
        proof = self._current(message.proof)
        if proof is None or proof.encoded == message.proof:
            return Outcome()
        if message.after not in (self._listed, pages.BEFORE_ALL):
            raise RemoteProtocolError("a list that does not go on where it stopped")
        page = pages.Page(message.after, message.upto, message.records)
        ours = takewhile(lambda item: page.covers(item[0]), self._items(proof, page.after))
        found = pages.compare(ours, page)
        self._listed = message.upto
        return self._named(found, [])

    @staticmethod
    def _named(found: Decoded, say: list[Message]) -> Outcome:
        ours, theirs = dict(found.ours_only), dict(found.theirs_only)
        keys = sorted(ours.keys() | theirs.keys())
        differing = tuple(Difference(k, ours.get(k, b""), theirs.get(k, b"")) for k in keys if k[0] < len(KINDS))
        return Outcome(tuple(say), differing=differing, apart=frozenset(key[1:] for key in keys if key[:1] == HEAD))
