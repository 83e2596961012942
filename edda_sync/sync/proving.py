"""
Proving: whether two devices that hold the same changes hold the same content, and if not, where they differ.

Theory. When both frontiers are equal, as far as is known, each side sends the *seal* of what it holds: 16 bytes, made from
the digest of its content, the hashes of its heads, the evidence, and what waits. Equal seals prove that all of these are
equal, whenever they were taken. If the seals differ at one frontier, each side sends its *proof*, which is that digest and
a hash of its heads. Then each sends coded cells of what it holds, more and more of them, until the differing entities are
known. Each side folds just these again from its own log. Neither side has to be believed about what is right.

1. Two devices are called equal only after both compared what was taken at one common frontier, with the same operations
   waiting. Devices of one level wait for the same operations, so nobody can keep them from being proved equal by writing
   such.
2. Heads differ where one dot was used for two changes. Heads are compared even if different operations wait; content is not.
3. Cells are keyed by the nonces of both hellos, so that no member can make content that cells cannot tell apart.
4. Past ``CODED_CELLS_MAX`` cells the items themselves are listed, a page at a time.
5. Scanning everything costs as much as there is. How often a peer may cause that is limited: a scan is delayed, never
   refused.
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

HEAD: Final = b"\xfe"  # begins the key of a head among the items; no kind of entity has this number


class Difference(NamedTuple):
    """
    An entity in which two devices differ.

    Attributes:
        key: Its key.
        ours, theirs: The hash of its state here and at the peer; empty where the entity is missing.
    """

    key: bytes
    ours: bytes
    theirs: bytes


class Outcome(NamedTuple):
    """
    The result of a comparison.

    Attributes:
        say: Messages for the peer.
        proved: Whether the two are equal.
        differing: The entities in which they differ.
        apart: The actors whose changes differ on the two devices.
        late: Whether the comparison was put off and is to be repeated later.
    """

    say: tuple[Message, ...] = ()
    proved: bool = False
    differing: tuple[Difference, ...] = ()
    apart: frozenset[bytes] = frozenset()
    late: bool = False


SEAL_BYTES: Final = 16
PROOF_BYTES: Final = 32


class _Heard(NamedTuple):
    """The peer's proof, with its frontier, what waits there, and its evidence."""

    frontier: Frontier
    proof: bytes
    unread: bytes
    evidence: bytes


class Proving:
    """
    The comparison in one session.

    Args:
        exchange: The store, as sessions see it.
        nonce: Our nonce, from our hello.
        allows: Tells whether the whole store may be scanned once more now.
    """

    def __init__(self, exchange: Exchange, nonce: bytes, allows: Callable[[], bool] = lambda: True) -> None:
        self._exchange, self._allows = exchange, allows
        self._nonce = nonce
        self._nonces = [nonce]
        self._theirs: _Heard | None = None
        self._their_seal = b""
        self._sealed_at: Frontier = {}  # what the peer held when it sent its seal, as far as was known
        self._equal = b""  # the seal at which both were found equal
        self._sealed: Frontier | None = None  # the frontier at which we last sent our seal or proof
        self._said: Frontier | None = None  # the frontier at which we last sent our proof
        self._compared: tuple[bytes, bytes] | None = None
        self._sketch: Sketch | None = None
        self._cells = b""  # the peer's cells
        self._listed = pages.BEFORE_ALL
        self._begun: tuple[bytes, bytes] | None = None  # the pair of proofs for which our cells were sent
        self._listing: tuple[bytes, bytes] | None = None  # the proof under which we list items, and after which key

    def introduced(self, nonce: bytes) -> None:
        """Note the peer's nonce."""
        self._nonces = sorted([self._nonce, nonce])

    def has_said(self, ours: Frontier) -> bool:
        """Tell whether our seal of a frontier was sent."""
        return self._sealed == ours

    def seal(self, held: Frontier, *, refresh: bool = False) -> Proof | None:
        """
        Return our proof, if its seal is to be sent now; None otherwise.

        Args:
            held: What the peer holds, as far as we know.
            refresh: Whether to bring texts up to date for it.
        """
        ours = self._exchange.frontier()
        if ours != held or self.has_said(ours) or self._exchange.is_damaged:
            return None
        proof = self._exchange.proof() if refresh else self._exchange.settled_proof()
        if proof is None or proof.frontier != ours:  # something was written meanwhile, and will have its own turn
            return None
        self._sealed = ours
        return proof

    def say(self, held: Frontier) -> Proof | None:
        """
        Return our proof, if it is to be sent in full now; None otherwise.

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
        """Note that the peer did not take what was sent to it, so our seal and proof are to be sent again."""
        self._sealed = self._said = None

    def heard_seal(self, held: Frontier, seal: bytes) -> None:
        """
        Note the peer's seal.

        Args:
            held: What the peer holds, as far as we know.
            seal: The seal.
        """
        if len(seal) != SEAL_BYTES:
            raise RemoteProtocolError(f"a seal of {len(seal)} bytes")
        self._sealed_by(seal, dict(held))

    def heard(self, held: Frontier, proof: bytes, unread: bytes, evidence: bytes) -> None:
        """Note the peer's proof."""
        if len(proof) != PROOF_BYTES:
            raise RemoteProtocolError(f"a proof of {len(proof)} bytes")
        self._theirs = _Heard(dict(held), proof, unread, evidence)
        self._sealed_by(seal_of(proof, evidence, unread), self._theirs.frontier)

    def _sealed_by(self, seal: bytes, held: Frontier) -> None:
        self._their_seal, self._sealed_at = seal, held
        if seal != self._equal:
            self._equal = b""  # if the peer later sends the old seal again, as after damage, it is compared again

    @property
    def doubts(self) -> bool:
        """Whether the peer's seal of this frontier differs from ours, as far as that is known without reading texts."""
        return self._their_seal != b"" and self._sealed_at == self._exchange.frontier() and self._agrees() is False

    def _agrees(self) -> bool | None:
        """Tell whether the peer's seal equals ours; None if that is not known without reading texts."""
        proof = self._exchange.settled_proof()
        if proof is None and self.has_said(self._exchange.frontier()):
            proof = self._exchange.proof()  # it was made before, so no text is read now
        return None if proof is None else proof.seal == self._their_seal

    def compare(self) -> Outcome:
        """Compare both seals; then both proofs, if they are of one frontier and were not compared before."""
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
        """Forget earlier comparisons, because the view was folded again."""
        self.unsaid()
        self._compared = self._begun = None
        self._equal = b""

    # --- where the two differ -----------------------------------------------------------------------------------------

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
        """Yield entities and heads after a key, in order; only heads if different operations wait on the two sides."""
        assert self._theirs is not None, "asked for once both proofs are here"
        if proof.unread == self._theirs.unread:
            yield from self._exchange.items(after)
        heads = sorted((HEAD + head.actor, head.hash) for head in self._exchange.heads())
        yield from (item for item in heads if item[0] > after)

    def _current(self, theirs: bytes) -> Proof | None:
        """Return our proof, if cells or a page belong to the pair of proofs that is being compared; None otherwise."""
        proof = self._exchange.proof()
        if self._theirs is None or self._theirs.proof != theirs or proof.frontier != self._theirs.frontier:
            return None
        return proof

    def take_cells(self, message: Cells) -> Outcome:
        """Take coded cells from the peer, and return the differences that they show."""
        proof = self._current(message.proof)
        if proof is None or proof.encoded == message.proof:
            return Outcome()
        begun = self._begin(proof)
        if message.first == 0:  # the peer begins again, after it folded again what differed
            self._cells = b""
        if message.first * CELL_BYTES != len(self._cells):
            raise RemoteProtocolError("coded cells out of order")
        self._cells += message.cells
        count = len(self._cells) // CELL_BYTES
        if not message.cells or count > limits.CODED_CELLS_MAX:
            raise RemoteProtocolError(f"{count:,} coded cells")
        assert self._sketch is not None, "begun above"
        more: list[Message] = list(begun.say)
        if len(self._sketch) < count:  # the peer needs as many of ours
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
        except ValueError:  # what is here, or what waits at the peer, has changed: new proofs are due
            return []
        return [Cells(proof.encoded, before, self._sketch.cells(before, count - before))]

    def next_page(self) -> Listed | None:
        """Return the next page of the list for the peer; None when there is none, or no longer."""
        if self._listing is None:
            return None
        said, after = self._listing
        proof = self._exchange.proof()
        if self._theirs is None or said != proof.encoded:
            self._listing = None  # what is here has changed: new proofs are due
            return None
        page = next(pages.pages(self._items(proof, after)))
        self._listing = None if page.upto == pages.LAST_KEY else (said, page.upto)
        return Listed(said, after, page.upto, page.records)

    def take_page(self, message: Listed) -> Outcome:
        """Take a page of the peer's items, and return the differences in its range."""
        proof = self._current(message.proof)
        if proof is None or proof.encoded == message.proof:
            return Outcome()
        if message.after not in (self._listed, pages.BEFORE_ALL):
            raise RemoteProtocolError("a page that does not continue the list")
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
