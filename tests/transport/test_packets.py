from __future__ import annotations

import pytest

from edda_sync.transport.packets import ANY, Packets, sentence
from edda_sync.words.limits import ANSWERS_SOON_S, PACKET_BYTES_SMALL, PACKET_BYTES_SMALLEST, PACKETS_SMALL_S


def stalled(packets: Packets, at_s: float, again_s: float) -> tuple[int, bool]:
    """Let a link stall and the next one be made; return the size of its packets, and whether this is news."""
    packets.stalled(at_s)
    limit = packets.limit(again_s)
    return limit, packets.opened(again_s)


def test_packets_have_any_size_until_a_link_stalls() -> None:
    packets = Packets()
    assert packets.limit(0.0) == ANY
    assert not packets.opened(0.0)
    assert packets.limit(10 * PACKETS_SMALL_S) == ANY
    assert not packets.are_small


def test_after_a_link_that_stalled_packets_are_smaller_and_after_the_next_one_the_smallest() -> None:
    packets = Packets()
    assert stalled(packets, 10.0, 10.5) == (PACKET_BYTES_SMALL, True)
    assert packets.are_small
    assert packets.limit(1_000.0) == PACKET_BYTES_SMALL, "a link that ends for another reason says nothing of packets"
    assert not packets.opened(1_000.0)
    assert stalled(packets, 1_020.0, 1_021.0) == (PACKET_BYTES_SMALLEST, False)


def test_if_even_the_smallest_packets_vanish_it_is_not_for_their_size() -> None:
    packets = Packets()
    assert [stalled(packets, 20.0 * n, 20.0 * n + 1)[0] for n in range(4)] == [
        PACKET_BYTES_SMALL, PACKET_BYTES_SMALLEST, ANY, PACKET_BYTES_SMALL,
    ]  # fmt: skip


def test_a_peer_that_was_away_says_nothing_about_packets() -> None:
    packets = Packets()
    assert stalled(packets, 10.0, 10.1 + ANSWERS_SOON_S) == (ANY, False)
    assert not packets.are_small
    stalled(packets, 20.0, 21.0)
    assert stalled(packets, 30.0, 30.1 + ANSWERS_SOON_S) == (PACKET_BYTES_SMALL, False), (
        "nor does it take back what was learned"
    )


def test_what_was_learned_is_forgotten_after_a_while_but_not_in_the_middle_of_a_link() -> None:
    packets = Packets()
    stalled(packets, 10.0, 11.0)
    assert packets.limit(10.9 + PACKETS_SMALL_S) == PACKET_BYTES_SMALL
    assert packets.limit(11.0 + PACKETS_SMALL_S) == ANY
    assert packets.are_small, "the link that was made then still is"
    assert not packets.opened(11.0 + PACKETS_SMALL_S)
    assert stalled(packets, 5_000.0, 5_001.0) == (PACKET_BYTES_SMALL, True), "it is news once more"


@pytest.mark.parametrize("name", ["phone", "Ada's phone"])
def test_the_sentence_names_the_peer_and_says_what_to_do(name: str) -> None:
    assert sentence(name).startswith(f"Large packets do not get through to {name}, so edda sends smaller ones; ")
    assert "MTU" in sentence(name)
