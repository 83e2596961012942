"""
When a run may end: all honest devices are equal and have proved it.

What the product promises about forks (``branches``): a device that hears of a change that it holds under another hash, or
of a change that depends on one, says what it holds. Either side makes a proof of both pieces. From then on each branch is a
life of its own, and every device gets it. So after healing, no two devices that can talk stay apart because of a fork.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations

from edda_sync.crdt.frontier import Dot, Frontier, join
from edda_sync.simulations.branches import forks_between
from edda_sync.simulations.driver import Driver
from edda_sync.simulations.links import Host
from edda_sync.store.seams import Head


def is_over(sim: Driver) -> bool:
    """Tell whether all honest devices hold the same and have proved it on each link, with no segment or mending left."""
    devices = sim.honest()
    if any(device.replica is not None and device.replica.exchange.is_damaged for device in devices):
        return False  # if a device runs twice, no session at this moment may be able to tell
    first = sim.book.frontier(devices[0])
    same = all(sim.book.frontier(device) == first for device in devices[1:]) and not _differ(devices)
    return same and not any(believers(sim)) and all(stands(sim, device) for device in devices)


def _differ(devices: Sequence[Host]) -> bool:
    """Tell whether two devices hold different chains under one name: a split, say, that nobody has heard of yet."""
    found: dict[bytes, bytes] = {}
    for device in devices:
        with device.running.store.read() as reader:
            for name, head in reader.log.heads().items():
                if found.setdefault(name, head.hash) != head.hash:
                    return True
    return False


def believers(sim: Driver) -> list[Host]:
    """Return the devices that still believe a segment although another device has the log behind it."""
    provisional = [device for device in sim.honest() if _has_segments(device)]
    return provisional if len(provisional) < len(sim.honest()) else []


def wait_for_the_absent(sim: Driver) -> bool:
    """Tell whether a device believes a segment, and talks to no device that held the log behind it; then it has to wait."""
    return any(_talks_to_no_witness(device) for device in believers(sim))


def _talks_to_no_witness(device: Host) -> bool:
    assert device.replica is not None, "everyone is up in the second act"
    return device.replica.exchange.behind.witnesses().isdisjoint(device.replica.progress())


def _has_segments(device: Host) -> bool:
    with device.running.store.read() as reader:
        return bool(reader.segments.merged())


def stands(sim: Driver, device: Host) -> bool:
    """Tell whether a device has proved itself equal to each honest peer; copies of a device count as one peer."""
    assert device.replica is not None, "everyone is up in the second act"
    progress = device.replica.progress()
    honest = sim.honest()
    peers = {other.id for other in honest if can_talk(device, other)}
    linked = [progress[peer] for peer in sorted(peers) if peer in progress]
    if len(honest) == len({each.id for each in honest}) and len(linked) < len(peers):
        return False
    return all(progress.proved for progress in linked)


def can_talk(one: Host, other: Host) -> bool:
    """Tell whether two devices can have a session: not copies of one device, nor devices that do not trust each other."""
    return one.id != other.id and one.trusts(other) and other.trusts(one)


def who_is_apart(sim: Driver, after_s: float) -> tuple[int, str, str]:
    """Return the invariant that does not hold, the device, and what keeps the run from its end."""
    devices = sim.honest()
    for one, other in combinations(devices, 2) if sim.book.forked else ():
        forks = forks_between(one, other)
        if forks:
            return 10, one.name, f"it and {other.name} hold {shown(forks[0])} under two hashes{_trouble(one)}"
    everything: Frontier = {}
    for device in devices:
        everything = join(everything, sim.book.frontier(device))
    for device in devices:
        held = sim.book.frontier(device)
        lacks = {a.hex()[:8]: f"{held.get(a, 0)} of {s}" for a, s in everything.items() if held.get(a, 0) < s}
        if lacks:
            return 18, device.name, f"lacks {lacks} {after_s:.0f} s after all was healed{_trouble(device)}"
    for device in believers(sim):
        return 19, device.name, f"still believes a segment {after_s:.0f} s after all was healed{_trouble(device)}"
    left = next(each for each in devices if not stands(sim, each))
    digests = {device.name: device.running.digest() for device in devices}
    return 18, left.name, f"is not proved equal to everyone {after_s:.0f} s after all was healed: {digests}"


def heads_of(device: Host) -> Mapping[bytes, Head]:
    """Return the heads of a running device's chains."""
    with device.running.store.read() as reader:
        return reader.log.heads()


def shown(dot: Dot) -> str:
    """Return the name of a change, for a person."""
    return f"{dot[0].hex()[:8]}:{dot[1]}"


def _trouble(device: Host) -> str:
    return f"; the last trouble: {str(device.last_error).rstrip('.')}" if device.last_error is not None else ""
