"""Somebody waits for attached files in a simulation."""

from __future__ import annotations

from edda_sync.crdt.attachments import decode
from edda_sync.simulations.demands import demand
from edda_sync.simulations.device import SimulatedDevice
from edda_sync.simulations.filed import BELOW, content
from edda_sync.simulations.simulator import Simulation
from edda_sync.words.model import Document
from tests.simulations.filing import filed_run


def test_a_large_file_comes_once_somebody_waits_for_it_and_a_device_that_is_down_is_left_alone() -> None:
    held = list[bool]()

    def attach_large(device: SimulatedDevice) -> None:
        def work(engine: object) -> None:
            document = device.running.create_document(Document(title=device.sim.book.word()))
            device.sim.filed.attach(device.running, document, content(9, BELOW + 500))

        device.act(work)

    def look(device: SimulatedDevice, *, asks: bool) -> None:
        with device.running.store.read() as reader:
            found = [decode(each.record).file for _, each in reader.attachments.scan() if each.size == BELOW + 500]
            held.extend(reader.attachments.holds(file.root) for file in found)
        if asks:
            demand(device, found)

    def plan(sim: Simulation) -> None:
        laptop, phone, tablet = sim.devices
        sim.at(5, lambda: attach_large(laptop))
        sim.at(20, lambda: look(phone, asks=True))
        sim.at(21, lambda: tablet.crash(power=False))
        sim.at(22, lambda: demand(tablet, []))
        sim.at(40, lambda: look(phone, asks=False))

    filed_run(plan, seed=2)
    assert held == [False, True]
