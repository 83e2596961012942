"""
Three real devices in drawn networks meet again, say why they were apart, and lose nothing; `make networks` goes on.

A run takes seconds of a processor, most of them to start processes, and mostly waits: so two run at a time, and the suite
has short ones. ``pytest --whole`` has them at full length.
"""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from tests.e2e import joined, networks
from tests.e2e.drawn import GOOD, Event, Plan, draw
from tests.e2e.machine import Facts
from tests.e2e.networks import Verdict, Watch, run
from tests.e2e.networks_campaign import percentile, row_of

FAULT = joined.fault()
RUNS, BESIDE = 10, 2

needs_networks = pytest.mark.skipif(FAULT != "", reason=FAULT)


@needs_networks
@pytest.mark.parametrize("first", range(0, RUNS, BESIDE))
async def test_devices_in_a_drawn_network_meet_again_and_say_why_they_were_apart(
    first: int, tmp_path: Path, whole: bool
) -> None:
    plans = [draw(seed, whole=whole) for seed in range(first, first + BESIDE)]
    verdicts = await asyncio.gather(*(run(plan, tmp_path / str(plan.seed)) for plan in plans))
    assert {str(verdict.plan): verdict.faults for verdict in verdicts if verdict.faults} == {}
    assert all(verdict.written == len(verdict.plan.events) + 3 for verdict in verdicts)


# --- the judge --------------------------------------------------------------------------------------------------------


class Scene:
    """What three devices say, as a test wants it, and a watch that looks at it."""

    def __init__(self) -> None:
        self.now_s = 0.0
        self.said: dict[int, Facts] = {who: self._of(who) for who in range(3)}
        self.watch = Watch(self._statuses)

    async def _statuses(self) -> dict[int, Facts]:
        return self.said

    @staticmethod
    def _of(who: int) -> Facts:
        peers = [
            {"name": name, "device": name, "connected": True, "equal": True, "error": ""}
            for name in networks.NAMES
            if name != networks.NAMES[who]
        ]
        return {"device": networks.NAMES[who], "digest": "a", "fault": "", "peers": peers}

    def part(self, who: int, error: str) -> None:
        """Take the first device's link to another one away."""
        self.said[0]["peers"][who - 1] |= {"connected": False, "equal": False, "error": error}

    async def look(self, after_s: float) -> None:
        self.now_s += after_s
        await self.watch.look(lambda: self.now_s)


async def test_the_judge_wants_a_reason_for_each_link_that_is_away_and_a_sentence() -> None:
    scene = Scene()
    scene.part(1, "")
    await scene.look(0.0)
    await scene.look(networks.REASON_S - 1)
    assert scene.watch.faults == set(), "it may be back in a moment"
    await scene.look(2.0)
    assert scene.watch.faults == {"laptop does not say why it has no link to phone"}
    scene.part(2, "errno 113")
    await scene.look(1.0)
    assert "laptop says of tablet what is no sentence: 'errno 113'" in scene.watch.faults


async def test_a_reason_that_was_said_in_time_counts_once_the_link_is_back() -> None:
    scene = Scene()
    scene.part(1, "No device answered at 10.77.0.2:7700; is `edda up` running there?")
    await scene.look(0.0)
    scene.part(1, "")
    await scene.look(networks.REASON_S + 1)
    assert (scene.watch.faults, scene.watch.losses) == (set(), 0)
    scene.said[0]["peers"][0]["connected"] = True
    await scene.look(1.0)
    assert (scene.watch.faults, scene.watch.losses) == (set(), 1)


async def test_the_judge_believes_a_link_and_equality_only_if_both_say_so_with_one_digest() -> None:
    scene = Scene()
    await scene.look(5.0)
    assert scene.watch.equal == {(0, 1), (0, 2), (1, 2)}
    assert scene.watch.linked_since(0, 1) == 5.0
    scene.part(1, "It is calling.")
    scene.said[2]["digest"] = "b"
    await scene.look(1.0)
    assert (scene.watch.equal, scene.watch.linked_since(0, 1), scene.watch.linked_since(1, 2)) == (set(), None, 5.0)
    del scene.said[1]
    await scene.look(1.0)
    assert scene.watch.linked_since(1, 2) is None


async def test_a_fault_that_a_device_tells_is_a_fault_of_the_run() -> None:
    scene = Scene()
    scene.said[2]["fault"] = "The disk is full."
    await scene.look(0.0)
    assert scene.watch.faults == {"tablet: The disk is full."}


@needs_networks
async def test_the_judge_finds_a_lost_write_and_devices_that_do_not_meet_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(networks, "PATIENCE_S", 3.0)
    monkeypatch.setattr(joined.Joined, "end", lambda *_: None)  # the cable stays where it is
    plan = Plan(0, "switch", False, (0, 0, 0), (GOOD,) * 3, (Event(0.0, 0.1, "silence", 2, 0, 1),))
    verdict = await run(plan, tmp_path)
    assert "laptop and tablet, phone and tablet not proved equal within 3 s after the last event" in verdict.faults[0]
    with networks.furnished(plan, tmp_path / "again") as house:
        await house.write(1)
        house.written.add("Never written")
        assert [each.split(":")[0] for each in house.missing()] == [
            "laptop lacks 2 acknowledged tasks",
            "phone lacks 1 acknowledged tasks",
            "tablet lacks 2 acknowledged tasks",
        ]


def test_a_campaigns_row_gives_its_seeds_and_figures_and_failures() -> None:
    verdicts = [Verdict(draw(seed), 0.1, [0.0, 0.5, 1.0 * seed], 2.0 * seed, 3, 7) for seed in range(4, 104)]
    held = row_of(verdicts, 61.0)
    assert "| 4-103 | all held | 100: 17 two switches, 17 routed, 17 switch, 17 nat, 16 scoped, 16 container; " in held
    assert "| 0.5 s, 100.0 s | 107.0 s, 204.0 s | 300, 700 | 61 s |" in held
    verdicts[6].faults.append("It is lost.")
    assert "| **1 failed**: 10 |" in row_of(verdicts, 61.0)
    assert "| 4-103, without narrow |" in row_of(verdicts, 61.0, without=["narrow"])


def test_percentiles_lie_between_the_values() -> None:
    assert percentile([1.0], 99) == 1.0
    assert percentile([0.0, 10.0], 50) == 5.0
