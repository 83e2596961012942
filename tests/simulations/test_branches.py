from __future__ import annotations

import itertools

from edda_sync.simulations.branches import forks_between
from edda_sync.simulations.device import SimulatedDevice
from edda_sync.simulations.simulator import Simulation
from tests.simulations.lying import counted, ends


def proofs(device: SimulatedDevice) -> int:
    """The number of forks that a device has proofs of."""
    with device.running.store.read() as reader:
        return len(reader.evidence.all())


def test_two_changes_under_one_name_are_proved_and_end_as_two_lives_everywhere() -> None:
    proved = 0

    def look(sim: Simulation) -> None:
        nonlocal proved
        honest = sim.honest()
        for one, other in itertools.combinations(honest, 2):
            assert forks_between(one, other) == []
            assert one.running.digest() == other.running.digest()
            assert proofs(one) == proofs(other)
        proved += proofs(honest[0])

    for seed in range(4):
        sim = ends("equivocate", seed, look)
        assert counted(sim)["equivocation"] == 2
        assert sim.book.forked
    assert proved


def test_a_machine_that_was_put_back_forks_and_all_devices_end_equal() -> None:
    forked = 0

    def look(sim: Simulation) -> None:
        nonlocal forked
        forked += any(proofs(device) for device in sim.honest())

    for seed in range(4):
        ends("put machine back", seed, look)
    assert forked


def test_a_fork_does_not_excuse_two_changes_under_another_name() -> None:
    """The book knows which actor forked: the changes of all others must be the same everywhere."""
    sim = ends("equivocate", 0, lambda _: None)
    actor, seq = min(sim.book.forked)
    assert sim.book.is_forked((actor, seq))
    assert sim.book.is_forked((actor, seq + 5))
    assert not sim.book.is_forked((actor, seq - 1))
    assert not sim.book.is_forked((bytes((actor[0] ^ 1, *actor[1:])), seq))
