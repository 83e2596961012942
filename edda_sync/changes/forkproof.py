"""
Fork proofs: they show that an actor's chain forks, with nothing but what its author signed.

    proof := msgpack [actor, birth, seq, hash, side, side, ext]
    side  := [[header hash...], signature]

``seq`` and ``hash`` belong to the last common change (0 and 32 zero bytes if the very first changes differ). A side has
the header hashes of the changes after it, up to a head that the author signed, and that signature. A reader who follows
both sides from the common hash reaches two heads that cannot belong to one chain.

1. A proof needs no trust: :func:`check` needs only the workspace and the bytes. So it does not matter who brings it.
2. Nobody who signed a single chain can be accused. A head's hash covers all header hashes before it, so two sides that
   lead to heads of one chain are equal where they overlap.
3. All proofs of one point say the same, even if they show different heads. One proof is kept for each point, and the
   set of evidence is the set of points (``branches.Tree``).
4. ``ext`` is not signed. It is room for later versions, and no verdict may ever depend on it.

A claim without such a proof only affects the exchange of that actor's changes between the two devices that disagree.

Source: Li, Krohn, Mazières, Shasha 2004, "Secure untrusted data repository (SUNDR)": a fork shows in two signed heads.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple, Protocol

import msgspec

from edda_sync.changes.branches import NAME_BYTES, ROOT, Point
from edda_sync.changes.change import HASH_BYTES, hash_change
from edda_sync.crdt import ext as exts
from edda_sync.crdt.ext import Ext
from edda_sync.words import limits
from edda_sync.words.errors import RemoteProtocolError

SIGNATURE_BYTES: Final = 64  # Ed25519 (RFC 8032)
# Changes of one side (wire): 512 KiB of the smallest changes, since a device signs at least that often.
SIDE_HASHES_MAX: Final = 8_192
UNSIGNED_MAX: Final = SIDE_HASHES_MAX // 2
"""Changes of a chain from one signed head to the next (wire). So a piece that fits into a proof contains a signed
head."""
# A proof (wire): one frame, which has room for two longest sides.
PROOF_BYTES_MAX: Final = limits.FRAME_BYTES_MAX - limits.HEADER_BYTES_MAX
SEQ_MAX: Final = (1 << 48) - 1  # as in a header (wire)

_encoder = msgspec.msgpack.Encoder()


class Side(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """One branch: the header hash of each change after the common one, up to a signed head, and the signature."""

    headers: tuple[bytes, ...]
    signature: bytes


class ForkProof(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """
    A proof that an actor's chain forks. Make one with :func:`make`; trust none before :func:`check`.

    Attributes:
        actor: The actor whose chain it is, 16 bytes.
        birth: The bytes of its birth, which contain its public key. Their hash is the actor.
        seq, hash: Those of the last common change.
        lesser, greater: The sides, ordered by their first header hash.
        ext: Room for later versions; it is not signed.
    """

    actor: bytes
    birth: bytes
    seq: int
    hash: bytes
    lesser: Side
    greater: Side
    ext: Ext = exts.NONE

    @property
    def point(self) -> Point:
        """Return the point where the chain forks. A proof tells nothing else."""
        return Point(self.seq, self.hash)


class Chain(NamedTuple):
    """
    A piece of an actor's chain that a store holds, up to a head that the actor signed.

    Attributes:
        seq, hash: Those of the change before the piece; 0 and ``ROOT`` before the first change.
        headers: Header hash of each change of the piece, in order.
        signature: The author's signature over the last change as head.
    """

    seq: int
    hash: bytes
    headers: tuple[bytes, ...]
    signature: bytes


class Signers(Protocol):
    """Checks births and signed heads."""

    def actor_of(self, birth: bytes) -> bytes:
        """Return the actor that a birth creates."""
        ...

    def signed(self, birth: bytes, workspace: bytes, seq: int, head: bytes, signature: bytes) -> bool:
        """Tell whether the key in a birth signed a head (seq and change hash) of the birth's actor."""
        ...


_decode = msgspec.msgpack.Decoder(ForkProof).decode


def encode(proof: ForkProof) -> bytes:
    """Return the bytes of a proof. The same proof has the same bytes everywhere."""
    return _encoder.encode(proof)


def decode(raw: bytes) -> ForkProof:
    """
    Decode a proof from a peer or from disk; :func:`check` it next.

    Raises:
        RemoteProtocolError: It is malformed, over a limit, or not in canonical form.
    """
    if len(raw) > PROOF_BYTES_MAX:
        raise RemoteProtocolError(f"a fork proof of {len(raw):,} bytes")
    try:
        proof = _decode(raw)
    except ValueError as error:
        raise RemoteProtocolError(f"a malformed fork proof ({error})") from None
    _check_shape(proof)
    if encode(proof) != raw:
        raise RemoteProtocolError("a fork proof that is not in its one encoding")
    return proof


def check(proof: ForkProof, workspace: bytes, verify: Signers) -> None:
    """
    Check that a proof shows a fork; then add its point to the actor's ``branches.Tree``.

    Args:
        proof: From :func:`decode` or :func:`make`.
        workspace: The workspace whose heads count, 16 bytes.
        verify: Knows births and signatures.

    Raises:
        RemoteProtocolError: It does not show a fork, with the reason.
    """
    _check_shape(proof)
    if verify.actor_of(proof.birth) != proof.actor:
        raise RemoteProtocolError("a fork proof with the birth of another actor")
    for side in (proof.lesser, proof.greater):
        head = hashes(proof.hash, side.headers)[-1]
        if not verify.signed(proof.birth, workspace, proof.seq + len(side.headers), head, side.signature):
            raise RemoteProtocolError("a fork proof with a side that does not lead to what its author signed")


def make(actor: bytes, birth: bytes, ours: Chain, theirs: Chain) -> ForkProof | None:
    """
    Make a proof from two pieces of an actor's chain, as two stores hold it.

    Pass each piece up to its first signed head after the fork: the proof is as long as the pieces.

    Returns:
        The proof; None if there is no fork, because one piece is the beginning of the other.

    Raises:
        ValueError: The pieces have no change in common; pass longer ones.
    """
    one, other = (dict(enumerate((c.hash, *hashes(c.hash, c.headers)), c.seq)) for c in (ours, theirs))
    common = max((seq for seq in one.keys() & other.keys() if one[seq] == other[seq]), default=None)
    if common is None:
        raise ValueError("two pieces of a chain without a change in common")
    sides = [Side(c.headers[common - c.seq :], c.signature) for c in (ours, theirs)]
    if not all(side.headers for side in sides):
        return None
    lesser, greater = sorted(sides, key=lambda side: side.headers[0])
    return ForkProof(actor, birth, common, one[common], lesser, greater)


def hashes(before: bytes, headers: Sequence[bytes]) -> list[bytes]:
    """Return the change hashes of a piece of chain, given the hash of the change before it and its header hashes."""
    found = []
    for header in headers:
        before = hash_change(before, header)
        found.append(before)
    return found


def _check_shape(proof: ForkProof) -> None:
    sides = (proof.lesser, proof.greater)
    sound = (
        len(proof.actor) == NAME_BYTES
        and len(proof.birth) <= limits.BIRTH_BYTES_MAX
        and 0 <= proof.seq <= SEQ_MAX - SIDE_HASHES_MAX
        and len(proof.hash) == HASH_BYTES
        and (proof.seq == 0) == (proof.hash == ROOT)
        and all(0 < len(side.headers) <= SIDE_HASHES_MAX for side in sides)
        and all(len(header) == HASH_BYTES for side in sides for header in side.headers)
        and all(len(side.signature) == SIGNATURE_BYTES for side in sides)
        and exts.is_canonical(proof.ext)
    )
    if not sound:
        raise RemoteProtocolError("a fork proof out of bounds")
    if proof.lesser.headers[0] == proof.greater.headers[0]:
        raise RemoteProtocolError("a fork proof whose sides do not differ at once")
    if proof.lesser.headers[0] > proof.greater.headers[0]:
        raise RemoteProtocolError("a fork proof whose sides are in the wrong order")
