"""The simulated network: what its fault model says, seen by devices that really talk over it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import pytest

from edda_sync.simulations.checkers.history import dots_in
from edda_sync.simulations.device import SimulatedDevice
from edda_sync.simulations.network import GIVE_UP_S
from edda_sync.simulations.protocols import Verdict
from edda_sync.simulations.simulator import Simulation
from edda_sync.simulations.tape import Draws, Profile, Tape
from edda_sync.sync.session import TICKS
from edda_sync.words.model import Task

Paths = list[tuple[SimulatedDevice, SimulatedDevice]]


class Frames:
    """Records who sent what and when, and when it arrived."""

    def __init__(self) -> None:
        self.all: list[tuple[float, float, str, str]] = []
        self.notes: list[tuple[float, str, str]] = []
        self.seqs: list[int] = []  # of changes, as they arrived

    def note(self, now: float, what: str, device: str, facts: Mapping[str, Any]) -> None:
        self.notes.append((now, what, device))

    def frame(self, sent: float, arrived: float, sender: str, receiver: str, frame: bytes) -> None:
        self.all.append((sent, arrived, sender, receiver))
        self.seqs += [seq for _, seq in dots_in(frame)]

    def changed(self, now: float, device: SimulatedDevice) -> None:
        pass


def play(script: Callable[[Simulation], float], *, devices: int = 2, lawless: int = 0) -> tuple[Verdict, Frames]:
    frames = Frames()
    profile = Profile(devices=devices, backend="memory", groups=frozenset(), real_keys=False, lawless=lawless)
    tape = Tape(5, calm=not lawless)
    return Simulation(tape, (), (), recorder=frames, script=script, profile=profile).run(), frames


def add(device: SimulatedDevice) -> str | None:
    return device.act(lambda engine: engine.create_task(Task(title="milk")))


def titles(device: SimulatedDevice) -> int:
    return len(device.running.table("tasks"))


def both(first: SimulatedDevice, second: SimulatedDevice) -> Paths:
    return [(first, second), (second, first)]


def test_devices_find_each_other_and_hear_what_is_new() -> None:
    seen: list[int] = []

    def script(sim: Simulation) -> float:
        sim.at(3, lambda: add(sim.devices[0]))
        sim.at(4, lambda: seen.append(titles(sim.devices[1])))
        return 4

    verdict, _ = play(script)
    assert verdict.violation is None
    assert seen == [1]


def test_nothing_arrives_over_a_cut_path_and_everything_does_afterwards() -> None:
    seen: list[int] = []

    def script(sim: Simulation) -> float:
        laptop, phone = sim.devices

        def cut() -> None:
            names = sim.network.cut(both(laptop, phone))
            sim.later(5, lambda: sim.network.mend(names))

        sim.at(3, cut)
        sim.at(4, lambda: add(laptop))
        for at in (7.9, 9):
            sim.at(at, lambda: seen.append(titles(phone)))
        return 10

    verdict, _ = play(script)
    assert verdict.violation is None
    assert seen == [0, 1]


def test_a_link_that_is_silent_for_long_is_given_up_by_both_ends_and_made_anew() -> None:
    links: list[int] = []

    def script(sim: Simulation) -> float:
        laptop, phone = sim.devices

        def cut() -> None:
            names = sim.network.cut(both(laptop, phone))
            sim.later(GIVE_UP_S[1] + 1, lambda: links.append(len(laptop.links) + len(phone.links)))
            sim.later(GIVE_UP_S[1] + 2, lambda: sim.network.mend(names))

        sim.at(3, cut)
        return 45

    verdict, _ = play(script)
    assert verdict.violation is None
    assert links == [0]


def test_a_path_that_is_cut_one_way_still_carries_the_other_way() -> None:
    def script(sim: Simulation) -> float:
        laptop, phone = sim.devices
        sim.at(3, lambda: sim.network.cut([(laptop, phone)]))
        sim.at(4, lambda: (add(laptop), add(phone)))
        return 5

    verdict, frames = play(script)
    assert verdict.violation is None
    between = [sender for _, arrived, sender, _ in frames.all if 4 <= arrived < 5]
    assert "phone" in between
    assert "laptop" not in between


def test_overlapping_cuts_end_with_the_last_of_them() -> None:
    blocked: list[bool] = []

    def script(sim: Simulation) -> float:
        laptop, phone = sim.devices
        first, second = sim.network.cut([(laptop, phone)]), sim.network.cut([(laptop, phone)])
        for names in (first, second):
            sim.network.mend(names)
            blocked.append(sim.network.is_blocked(laptop, phone))
        return 1

    verdict, _ = play(script)
    assert verdict.violation is None
    assert blocked == [True, False]


def test_a_half_open_link_is_noticed_by_the_end_that_heard_nothing() -> None:
    made: list[int] = []

    def script(sim: Simulation) -> float:
        laptop, phone = sim.devices
        sim.at(3, lambda: laptop.disconnected_silently(laptop.links[phone.id]))
        sim.at(3, lambda: made.append(len(phone.links)))
        sim.at(3 + GIVE_UP_S[1] + 5, lambda: made.append(sim.network.made.total()))
        return 45

    verdict, _ = play(script)
    assert verdict.violation is None
    assert made == [1, 2]


def test_a_stream_keeps_its_order_whatever_its_jitter_and_loss() -> None:
    def script(sim: Simulation) -> float:
        for ends in (sim.devices, sim.devices[::-1]):
            path = sim.network.path(*ends)
            path.draws, path.jitter_ms, path.loss = Draws("1/x"), 500, 20
        for number in range(30):
            sim.at(3 + number / 10, partial(add, sim.devices[number % 2]))
        return 20

    verdict, frames = play(script)
    assert verdict.violation is None
    for sender in ("laptop", "phone"):
        sent = [each[0] for each in frames.all if each[2] == sender and each[0] > 2]
        assert len(sent) > 10
        assert sent == sorted(sent)
    assert max(arrived - sent for sent, arrived, *_ in frames.all) > 0.2


@pytest.mark.parametrize("mended_s", [3.95, 4.4])
def test_a_stream_keeps_its_order_also_across_a_cut_that_meets_it_on_its_way(mended_s: float) -> None:
    """Frames under way when the path was cut, frames sent meanwhile, and frames sent as soon as it was mended."""

    def script(sim: Simulation) -> float:
        laptop, phone = sim.devices
        sim.network.path(laptop, phone).latency_ms = 500
        for number in range(20):
            sim.at(3 + number / 10, partial(add, laptop))
        cuts: list[tuple[str, str]] = []
        sim.at(3.45, lambda: cuts.extend(sim.network.cut(both(laptop, phone))))
        sim.at(mended_s, lambda: sim.network.mend(cuts))
        return 20

    verdict, frames = play(script)
    assert verdict.violation is None
    assert len(frames.seqs) > 20
    assert frames.seqs == sorted(frames.seqs)


def test_a_lawless_path_drops_doubles_and_reorders_and_all_ends_well() -> None:
    def script(sim: Simulation) -> float:
        for number in range(60):
            sim.at(3 + number, partial(add, sim.devices[number % 3]))
        return 70

    verdict, frames = play(script, devices=3, lawless=20)
    assert verdict.violation is None
    assert {what for _, what, _ in frames.notes} >= {"drop", "double", "overtake", "delay"}


@pytest.mark.parametrize("asleep", [0, 1])
def test_nobody_dials_a_device_that_sleeps(asleep: int) -> None:
    made: list[int] = []

    def script(sim: Simulation) -> float:
        sim.devices[asleep].sleep()
        sim.at(20, lambda: made.append(sim.network.made.total()))
        return 20

    verdict, _ = play(script)
    assert verdict.violation is None
    assert made == [0]


def line() -> tuple[Verdict, list[set[tuple[str, str]]]]:
    """Four devices in a line; the first one writes."""
    linked: list[set[tuple[str, str]]] = []

    def script(sim: Simulation) -> float:
        def look() -> None:
            pairs = [(a, b) for i, a in enumerate(sim.devices) for b in sim.devices[i + 1 :] if a.has_link(b)]
            linked.append({(a.name, b.name) for a, b in pairs})

        sim.at(20, lambda: add(sim.devices[0]))
        sim.at(25, look)
        return 25

    profile = Profile(4, "memory", frozenset(), real_keys=False, lawless=0, line=True)
    return Simulation(Tape(5, calm=True), (), (), script=script, profile=profile).run(), linked


def test_devices_in_a_line_meet_their_neighbours_only_and_hear_of_the_others_through_them() -> None:
    verdict, linked = line()
    assert verdict.violation is None
    assert linked == [{("laptop", "phone"), ("phone", "tablet"), ("tablet", "desktop")}]


def test_a_device_that_passes_nothing_on_is_found_out_in_a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(TICKS, "announce", lambda *_: [])
    verdict, _ = line()
    assert verdict.violation is not None
    assert verdict.violation.number == 18
