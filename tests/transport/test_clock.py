from __future__ import annotations

import pytest

from edda_sync.transport.clock import ahead_s, said
from edda_sync.transport.dial import dial
from tests.transport.linking import ADA, BOB, Inbox, listening


def test_what_one_side_says_the_other_reads_in_whole_seconds() -> None:
    assert said(lambda: 1_800_000_000.7) == "Fri, 15 Jan 2027 08:00:00 GMT"
    assert ahead_s({"Date": said(lambda: 1_800_000_000.7)}, lambda: 1_799_989_200.0) == 10_800.0
    assert ahead_s({"Date": said(lambda: 86_400.0)}, lambda: 1_800_000_000.0) == 86_400.0 - 1_800_000_000.0


@pytest.mark.parametrize(
    "date",
    [None, "", "now", "Fri, 99 Jan 2027 08:00:00 GMT", "Fri, 15 Jan 99999999999 08:00:00 GMT", "\u0661", "1" * 5_000,
     "Fri, 15 Jan 2027 08:00:00 +999999999", "Fri, 15 Jan 2027 08:00:00 -0000", "Fri, 15 Jan 0000 25:61:61 GMT"],
)  # fmt: skip
def test_a_peer_that_says_no_time_or_nonsense_has_no_known_clock(date: str | None) -> None:
    assert ahead_s({} if date is None else {"Date": date}, lambda: 0.0) is None


async def test_both_sides_of_a_link_learn_the_others_time() -> None:
    inbox = Inbox()
    async with listening(inbox, BOB) as listener:
        link = await dial(BOB, ADA.device, ADA.certificate, "127.0.0.1", listener.port)
        accepted = await inbox.links.get()
        await link.close()
    assert link.clock_s is not None
    assert accepted.clock_s is not None
    assert abs(link.clock_s) < 60 > abs(accepted.clock_s)
