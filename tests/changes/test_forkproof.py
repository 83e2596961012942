"""Fork proofs: what shows a fork, what does not, and the bytes of a proof."""

from __future__ import annotations

from hashlib import blake2b
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edda_sync.changes import forkproof
from edda_sync.changes.branches import ROOT, Point
from edda_sync.changes.change import hash_change
from edda_sync.changes.forkproof import Chain, ForkProof, Side, check, decode, encode, make
from edda_sync.words import limits
from edda_sync.words.errors import RemoteProtocolError
from tests.crdt.chains import WORKSPACE, Author, RealSigners, change_hash, header_hash

AUTHOR = Author()
SIGNERS = RealSigners()
words = st.lists(st.sampled_from("ab"), min_size=1, max_size=6)


def proof_of(ours: Chain, theirs: Chain, author: Author = AUTHOR) -> ForkProof:
    proof = make(author.actor, author.birth, ours, theirs)
    assert proof is not None
    return proof


def fork() -> ForkProof:
    return proof_of(AUTHOR.chain(["one", "two", "three"]), AUTHOR.chain(["one", "other"]))


def changed(proof: ForkProof, **different: Any) -> ForkProof:
    return msgspec.structs.replace(proof, **different)


# --- what shows a fork ------------------------------------------------------------------------------------------------


def test_the_hash_of_a_change_is_that_of_the_chain() -> None:
    assert hash_change(b"1" * 32, b"2" * 32) == change_hash(b"1" * 32, b"2" * 32)


@given(words, words)
def test_two_chains_are_a_fork_at_their_last_common_change_or_one_is_the_beginning_of_the_other(
    ours: list[str], theirs: list[str]
) -> None:
    common = 0
    while common < min(len(ours), len(theirs)) and ours[common] == theirs[common]:
        common += 1
    proof = make(AUTHOR.actor, AUTHOR.birth, AUTHOR.chain(ours), AUTHOR.chain(theirs))
    if common in (len(ours), len(theirs)):
        assert proof is None
        return
    assert proof is not None
    check(proof, WORKSPACE, SIGNERS)
    shared = AUTHOR.chain(ours, after=common).hash
    assert proof.point == Point(common, shared)
    assert {len(proof.lesser.headers), len(proof.greater.headers)} == {len(ours) - common, len(theirs) - common}


@given(words, words)
def test_a_proof_is_the_same_whoever_makes_it(ours: list[str], theirs: list[str]) -> None:
    one, other = AUTHOR.chain(ours), AUTHOR.chain(theirs)
    assert make(AUTHOR.actor, AUTHOR.birth, one, other) == make(AUTHOR.actor, AUTHOR.birth, other, one)


@given(st.integers(0, 3), st.integers(0, 3))
def test_pieces_that_begin_anywhere_below_the_fork_give_the_same_proof(ours: int, theirs: int) -> None:
    whole = proof_of(AUTHOR.chain("abcde"), AUTHOR.chain("abcx"))
    assert proof_of(AUTHOR.chain("abcde", after=ours), AUTHOR.chain("abcx", after=theirs)) == whole


@pytest.mark.parametrize(("ours", "theirs"), [(3, 3), (4, 0), (0, 3)])
def test_pieces_without_a_change_in_common_make_no_proof(ours: int, theirs: int) -> None:
    with pytest.raises(ValueError, match="without a change in common"):
        make(AUTHOR.actor, AUTHOR.birth, AUTHOR.chain("abxde", after=ours), AUTHOR.chain("abcd", after=theirs))


def test_a_proof_can_begin_at_the_first_changes() -> None:
    proof = proof_of(AUTHOR.chain("a"), AUTHOR.chain("b"))
    check(proof, WORKSPACE, SIGNERS)
    assert proof.point == Point(0, ROOT)


# --- what shows none --------------------------------------------------------------------------------------------------


def swap(proof: ForkProof) -> ForkProof:
    return changed(proof, lesser=proof.greater, greater=proof.lesser)


def same(proof: ForkProof) -> ForkProof:
    return changed(proof, greater=proof.lesser)


def later(proof: ForkProof) -> ForkProof:
    """One chain presented as two: the sides differ only after a change that both have."""
    one, other = AUTHOR.chain(["one", "two", "three"]), AUTHOR.chain(["one", "two", "four"])
    return changed(proof, seq=0, hash=ROOT, lesser=Side(*one[2:]), greater=Side(*other[2:]))


def signed_by_another(proof: ForkProof) -> ForkProof:
    return changed(proof, lesser=Side(proof.lesser.headers, Author(2).chain(["one", "other"]).signature))


def of_another_workspace(proof: ForkProof) -> ForkProof:
    elsewhere = AUTHOR.chain(["one", "other"], workspace=b"another of these")
    return proof_of(AUTHOR.chain(["one", "two", "three"]), elsewhere)


def one_hash_made_up(proof: ForkProof) -> ForkProof:
    side = proof.greater
    return changed(proof, greater=Side((*side.headers[:-1], b"\xff" * 32), side.signature))


def one_change_left_out(proof: ForkProof) -> ForkProof:
    """An honest chain cut short: its end is no longer where the signature says."""
    one = AUTHOR.chain(["one", "two", "three"])
    whole, cut = Side(one.headers[1:], one.signature), Side(one.headers[2:], one.signature)
    lesser, greater = sorted((whole, cut), key=lambda side: side.headers[0])
    return changed(proof, lesser=lesser, greater=greater)


NO_FORKS = [
    (swap, "wrong order"),
    (same, "do not differ at once"),
    (later, "do not differ at once"),
    (signed_by_another, "does not lead to what its author signed"),
    (of_another_workspace, "does not lead to what its author signed"),
    (one_hash_made_up, "does not lead to what its author signed"),
    (one_change_left_out, "does not lead to what its author signed"),
    (lambda proof: changed(proof, seq=2), "does not lead to what its author signed"),
    (lambda proof: changed(proof, hash=b"x" * 32), "does not lead to what its author signed"),
    (lambda proof: changed(proof, birth=Author(2).birth), "the birth of another actor"),
    (lambda proof: changed(proof, actor=Author(2).actor), "the birth of another actor"),
    (lambda proof: changed(proof, actor=Author(2).actor, birth=Author(2).birth), "does not lead to what"),
]


@pytest.mark.parametrize(("spoil", "reason"), NO_FORKS)
def test_a_proof_that_shows_no_fork_is_refused_with_the_reason(spoil: Any, reason: str) -> None:
    check(fork(), WORKSPACE, SIGNERS)
    with pytest.raises(RemoteProtocolError, match=reason):
        check(spoil(fork()), WORKSPACE, SIGNERS)


@given(words, st.data())
def test_an_author_of_one_chain_cannot_be_accused_by_anything_it_signed(chain: list[str], data: st.DataObject) -> None:
    """Each side is some run of its header hashes under one of its signatures, at any seq and any common hash."""
    heads = [AUTHOR.chain(chain[:end]) for end in range(1, len(chain) + 1)]
    headers = heads[-1].headers
    befores = [AUTHOR.chain(chain, after=at).hash for at in range(len(chain) + 1)]

    def side() -> Side:
        start = data.draw(st.integers(0, len(chain) - 1))
        end = data.draw(st.integers(start + 1, len(chain)))
        return Side(headers[start:end], data.draw(st.sampled_from(heads)).signature)

    seq, before = data.draw(st.integers(0, len(chain))), data.draw(st.sampled_from(befores))
    lesser, greater = sorted((side(), side()), key=lambda each: each.headers[0])
    with pytest.raises(RemoteProtocolError):
        check(ForkProof(AUTHOR.actor, AUTHOR.birth, seq, before, lesser, greater), WORKSPACE, SIGNERS)


# --- bytes ------------------------------------------------------------------------------------------------------------


def test_a_proof_has_the_bytes_of_the_format() -> None:
    one, other = AUTHOR.chain(["one", "two", "three"]), AUTHOR.chain(["one", "other"])
    lesser, greater = sorted((one, other), key=lambda chain: chain.headers[1])
    sides = [[list(chain.headers[1:]), chain.signature] for chain in (lesser, greater)]
    expected = [AUTHOR.actor, AUTHOR.birth, 1, AUTHOR.chain(["one"], after=1).hash, *sides, []]
    assert encode(fork()) == msgspec.msgpack.encode(expected)
    assert blake2b(encode(fork()), digest_size=8).hexdigest() == "eea7515ec4ff8f38"


def test_what_a_later_version_adds_is_kept_and_does_not_change_the_verdict() -> None:
    more = changed(fork(), ext=((2, b"even"), (3, b"odd")))
    assert decode(encode(more)).ext == more.ext
    check(decode(encode(more)), WORKSPACE, SIGNERS)


@given(words, words, st.data())
def test_a_proof_is_read_back_and_one_that_is_cut_or_goes_on_is_refused(
    ours: list[str], theirs: list[str], data: st.DataObject
) -> None:
    proof = proof_of(AUTHOR.chain(["a", *ours]), AUTHOR.chain(["b", *theirs]))
    raw = encode(proof)
    assert decode(raw) == proof
    for spoilt in (raw[: data.draw(st.integers(0, len(raw) - 1))], raw + b"\0"):
        with pytest.raises(RemoteProtocolError):
            decode(spoilt)


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused_and_nothing_else_happens(raw: bytes) -> None:
    with pytest.raises(RemoteProtocolError):
        decode(raw)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda proof: changed(proof, actor=b"short"),
        lambda proof: changed(proof, birth=bytes(limits.BIRTH_BYTES_MAX + 1)),
        lambda proof: changed(proof, seq=-1),
        lambda proof: changed(proof, seq=forkproof.SEQ_MAX),
        lambda proof: changed(proof, seq=0),
        lambda proof: changed(proof, hash=ROOT),
        lambda proof: changed(proof, hash=b"short"),
        lambda proof: changed(proof, lesser=Side((), proof.lesser.signature)),
        lambda proof: changed(proof, lesser=Side((b"short",), proof.lesser.signature)),
        lambda proof: changed(proof, lesser=Side(proof.lesser.headers, b"short")),
        lambda proof: changed(
            proof, greater=Side(proof.greater.headers * (forkproof.SIDE_HASHES_MAX + 1), proof.greater.signature)
        ),
        lambda proof: changed(proof, ext=((3, b""), (2, b""))),
    ],
)
def test_a_proof_out_of_bounds_is_refused_when_it_is_read_or_checked(spoil: Any) -> None:
    with pytest.raises(RemoteProtocolError, match="out of bounds"):
        check(spoil(fork()), WORKSPACE, SIGNERS)
    with pytest.raises(RemoteProtocolError, match="out of bounds"):
        decode(msgspec.msgpack.encode(spoil(fork())))


def test_a_proof_in_another_encoding_is_refused() -> None:
    raw = encode(fork())
    assert raw[19] == 0xC4  # the birth, whose length could also stand in two bytes
    longer = raw[:19] + b"\xc5\0" + raw[20:]
    assert msgspec.msgpack.decode(longer) == msgspec.msgpack.decode(raw)
    with pytest.raises(RemoteProtocolError, match="one encoding"):
        decode(longer)


def test_a_proof_too_long_for_a_frame_is_refused_before_it_is_read() -> None:
    with pytest.raises(RemoteProtocolError, match="a fork proof of 983,041 bytes"):
        decode(bytes(forkproof.PROOF_BYTES_MAX + 1))


def test_the_longest_proof_fits_a_frame_and_holds_what_is_signed_at_once() -> None:
    side = Side((b"\xff" * 32,) * forkproof.SIDE_HASHES_MAX, b"\xff" * 64)
    longest = ForkProof(b"a" * 16, b"b" * limits.BIRTH_BYTES_MAX, 1 << 47, b"h" * 32, side, side)
    assert len(encode(longest)) < forkproof.PROOF_BYTES_MAX < limits.FRAME_BYTES_MAX
    smallest_header = len(header_hash(b"")) * 2 + 16  # previous hash, content hash and actor alone
    assert forkproof.SIDE_HASHES_MAX * smallest_header > limits.PART_BYTES_MAX  # a head is signed every 512 KiB
