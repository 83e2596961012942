from __future__ import annotations

import itertools
from hashlib import blake2b

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edda_sync.crdt.text.clients import CLIENT_BITS, client_ids
from edda_sync.crdt.text.document import TextDocument, genesis_id

names = st.binary(min_size=16, max_size=16)
START = b"start" + bytes(11)


@given(st.sets(names, max_size=12), st.sampled_from([1, 3, CLIENT_BITS]))
def test_ids_have_the_order_of_their_names_in_any_order_of_arrival(some: set[bytes], bits: int) -> None:
    ids = client_ids(some, bits)
    ordered = sorted(some)
    assert [ids[name] for name in ordered] == sorted(set(ids.values()))
    assert ids == client_ids(reversed(ordered), bits)
    assert all(0 <= client < 1 << 53 for client in ids.values())


@given(st.sets(names, min_size=2, max_size=12), names)
def test_a_name_that_comes_later_never_changes_the_order_of_two(some: set[bytes], later: bytes) -> None:
    before, after = client_ids(some, 3), client_ids({*some, later}, 3)
    for one, other in itertools.combinations(some, 2):
        assert (before[one] < before[other]) == (after[one] < after[other])


def test_an_id_is_the_first_bits_of_its_name_unless_a_smaller_name_has_them() -> None:
    low, alike, high = b"\x01" * 16, b"\x01" * 15 + b"\x02", b"\xff" * 16
    ids = client_ids([high, alike, low])
    assert ids == {low: 0x0101010101010, alike: 0x0101010101011, high: 0xFFFFFFFFFFFFF}
    assert client_ids([b"\xff" * 15 + b"\xfe", high])[high] == 1 << 52, "it is counted up past the bits of a name"


def rehashed(some: list[bytes], bits: int) -> dict[bytes, int]:
    """Another rule that looks just as good: each name has the first of its hashes that no smaller name has."""
    ids: dict[bytes, int] = {}
    for name in sorted(some):
        for at in itertools.count():
            digest = blake2b(name + bytes((at,)), digest_size=1).digest()
            if digest[0] >> (8 - bits) not in ids.values():
                ids[name] = digest[0] >> (8 - bits)
                break
    return ids


def test_ids_that_are_hashed_anew_at_a_collision_swap_two_others() -> None:
    """An edit accepted between these two would be refused by a device that had heard of the third name first."""
    some = [bytes(15) + bytes((at,)) for at in range(60)]
    turned = [
        (one, other, later)
        for one, other, later in itertools.permutations(some[:25], 3)
        if (rehashed([one, other], 4)[one] < rehashed([one, other], 4)[other])
        != (rehashed([one, other, later], 4)[one] < rehashed([one, other, later], 4)[other])
    ]
    assert turned, "the rule is as bad as it is said to be"
    for one, other, later in turned[:200]:
        before, after = client_ids([one, other], 4), client_ids([one, other, later], 4)
        assert (before[one] < before[other]) == (after[one] < after[other])


@pytest.mark.parametrize("order", list(itertools.permutations(range(4))))
def test_a_name_that_collides_later_moves_nothing_and_causes_no_refusal(order: tuple[int, ...]) -> None:
    """All names of the actors begin alike, so that each new one may shift the client ids of the others."""
    second, third, fourth, first = (bytes(15) + bytes((at,)) for at in (20, 30, 40, 10))
    genesis = genesis_id(bytes(16), "content", "ab")

    def start() -> TextDocument:
        return TextDocument.start(genesis, "ab", [(START, 1)])

    seen = {START: 1}
    edits = [
        (start().edit((second, 1), seen, [(1, 0, "2")]), (second, 1), seen),
        (start().edit((third, 1), seen, [(1, 0, "3")]), (third, 1), seen),
    ]
    reader = start()
    for edit in edits:
        reader.apply(*edit)
    assert reader.string() == "a23b"
    past = {START: 1, second: 1, third: 1}
    edits.append((reader.edit((fourth, 1), past, [(2, 0, "4")]), (fourth, 1), past))  # between the two
    edits.append((start().edit((first, 1), seen, [(1, 0, "1")]), (first, 1), seen))  # the smallest name
    document = start()
    waiting = [edits[at] for at in order]
    docs = []
    while waiting:
        ready = next(edit for edit in waiting if all(actor == START or actor in document.vector() for actor in edit[2]))
        waiting.remove(ready)
        document.apply(*ready)
        docs.append(document.doc())
        assert str(docs[-1]["t"]) == document.string()
    assert document.string() == "a1243b"
    if ready[1][0] == first:
        assert docs[-1] is not docs[-2], "the smallest name came last: the others' client ids have changed"
