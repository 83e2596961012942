"""
When a run may end: all honest devices are equal and have proved it, but for what a fork sets apart.

What the product promises of a *fork*, one dot under two hashes, until it can mend one:

1. Whoever is told of a dot that it holds under another hash lists the fork and ends the talk, whether that comes up in a
   hello, in a batch of changes or in a comparison of digests. Neither change replaces the other.
2. Devices that hold different branches are apart for good, and never say that they are proved equal. A hello says where
   each actor stands, so of two such devices the one that is not behind can tell; the other knows only that the peer left.
3. Devices that hold the same branch become equal as if nothing had happened, and whatever they have from either side.

So a fork divides devices into *camps*: within one everything gets everywhere, directly or through others; nothing passes
between two. A newcomer that one camp invited is a stranger to the others, who never hear of the invitation.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations
from typing import TYPE_CHECKING

from edda_sync.crdt.change import Dot
from edda_sync.protocols import Head
from edda_sync.sync.forks import find as find_forks
from edda_sync.sync.forks import hashes_at

if TYPE_CHECKING:
    from simulations.device import SimulatedDevice
    from simulations.simulator import Simulation


def forks_between(
    first: SimulatedDevice, second: SimulatedDevice, within: Mapping[int, int] | None = None
) -> list[Dot]:
    """
    Return, for each actor of which two running devices hold different changes, the last dot that both hold.

    Args:
        first, second: They.
        within: Looks only at changes within this frontier.
    """
    with first.running.store.read() as reader, second.running.store.read() as other:
        heads, others = reader.heads(), other.heads()
        shared = []
        for actor in sorted(heads.keys() & others.keys()):
            seq = min(heads[actor].seq, others[actor].seq, within.get(actor, 0) if within is not None else 1 << 62)
            shared.append((actor, seq))
        theirs = [(*dot, known) for dot, known in zip(shared, hashes_at(other, shared), strict=True)]
        return [(fork.actor, fork.seq) for fork in find_forks(reader, theirs)]


def is_over(sim: Simulation) -> bool:
    """Tell whether every link of honest devices says that both ends are proved equal, or as equal as can be."""
    devices = sim.honest()
    apart = _apart(sim)
    first = sim.book.frontier(devices[0])
    if not apart:
        same = all(sim.book.frontier(device) == first for device in devices[1:])
        return same and all(stands(sim, device, set()) for device in devices)
    camps = _camps(devices, apart)
    for one, other in combinations(devices, 2):
        forks = apart.get((one.name, other.name), [])
        if forks and not _is_listed(one, other, forks):
            return False
        share = other.name in camps[one.name] and one.id != other.id  # copies of one device never talk to each other
        if share and not forks and sim.book.frontier(one) != sim.book.frontier(other):
            return False
    return all(stands(sim, device, _others(device, apart), camps[device.name]) for device in devices)


def is_divided(sim: Simulation) -> bool:
    """Tell whether a fork sets honest devices apart."""
    return bool(_apart(sim))


def stands(sim: Simulation, device: SimulatedDevice, apart: set[str], camp: set[str] | None = None) -> bool:
    """
    Tell whether a device has proved itself equal to each honest peer, copies of one device taken as one.

    Args:
        sim: The simulation.
        device: Which device.
        apart: Names of those that hold another branch, to whom it must not be proved equal.
        camp: Names of those that its changes reach; everybody by default.
    """
    assert device.replica is not None, "everyone is up in the second act"
    progress = device.replica.progress()
    waiting = device.running.waiting()
    honest = sim.honest()
    near = {other.name for other in honest if camp is None or other.name in camp} - apart
    ids = {other.id for other in honest if other.id != device.id and other.name in near}
    others = {other.id for other in honest if other.name in apart}
    linked = [progress[peer] for peer in sorted(ids - others) if peer in progress]
    if len(honest) == len({each.id for each in honest}) and len(linked) < len(ids):
        return False
    if any(progress[peer].proved for peer in others - ids if peer in progress):
        return False
    return all(each.proved or waiting or each.waiting for each in linked)


def who_is_apart(sim: Simulation, after_s: float) -> tuple[int, str, str]:
    """Return which invariant does not hold, where, and what keeps the run from its end."""
    devices = sim.honest()
    apart = _apart(sim)
    for one, other in combinations(devices, 2):
        forks = apart.get((one.name, other.name), [])
        if forks and not _is_listed(one, other, forks):
            return 10, one.name, f"it and {other.name} hold {_shown(forks[0])} under two hashes, and nobody lists it"
    camps = _camps(devices, apart)
    for device in devices:
        held = sim.book.frontier(device)
        everything: dict[int, int] = {}
        for other in devices:
            near = not apart or (other.name in camps[device.name] and other.id != device.id)
            if near and other.name not in _others(device, apart):
                for actor, seq in sim.book.frontier(other).items():
                    everything[actor] = max(seq, everything.get(actor, 0))
        lacks = {f"{a:x}": f"{held.get(a, 0)} of {s}" for a, s in everything.items() if held.get(a, 0) < s}
        if lacks:
            why = f"; the last trouble: {str(device.last_error).rstrip('.')}" if device.last_error is not None else ""
            return 18, device.name, f"lacks {lacks} {after_s:.0f} s after all was healed{why}"
    left = next(each for each in devices if not stands(sim, each, _others(each, apart), camps[each.name]))
    digests = {device.name: device.running.digest() for device in devices}
    return 18, left.name, f"is not proved equal to everyone {after_s:.0f} s after all was healed: {digests}"


def heads_of(device: SimulatedDevice) -> Mapping[int, Head]:
    """Return where each actor's chain stands at a running device."""
    with device.running.store.read() as reader:
        return reader.heads()


def _apart(sim: Simulation) -> dict[tuple[str, str], list[Dot]]:
    """Return which pairs of honest devices hold different branches, and of what."""
    if not sim.book.forked:
        return {}
    pairs = {(one.name, other.name): forks_between(one, other) for one, other in combinations(sim.honest(), 2)}
    return {names: forks for names, forks in pairs.items() if forks}


def _camps(devices: list[SimulatedDevice], apart: Mapping[tuple[str, str], list[Dot]]) -> dict[str, set[str]]:
    """Return, for each device, whom its changes reach: everybody when nobody is apart."""
    camps = {device.name: {device.name} if apart else {each.name for each in devices} for device in devices}
    for one, other in combinations(devices, 2):
        if (one.name, other.name) not in apart and one.id != other.id and one.trusts(other) and other.trusts(one):
            both = camps[one.name] | camps[other.name]
            camps.update(dict.fromkeys(both, both))
    return camps


def _others(device: SimulatedDevice, apart: Mapping[tuple[str, str], list[Dot]]) -> set[str]:
    return {name for names in apart if device.name in names for name in names if name != device.name}


def _is_listed(one: SimulatedDevice, other: SimulatedDevice, forks: list[Dot]) -> bool:
    """Tell whether some fork of two devices is listed by each that can know of it: whoever is not behind."""
    # Copies of one device never talk, nor do two of which one's branch does not say that the other is a member.
    if one.id == other.id or not (one.trusts(other) and other.trusts(one)):
        return True
    actor, _ = forks[0]
    mine, theirs = heads_of(one)[actor].seq, heads_of(other)[actor].seq
    told = [device for device, seq, its in ((one, mine, theirs), (other, theirs, mine)) if seq >= its]
    return all(any(fork[0] in {a for a, _ in forks} for fork in _listed(device)) for device in told)


def _listed(device: SimulatedDevice) -> list[tuple[int, int, bytes, bytes]]:
    with device.running.store.read() as reader:
        return list(reader.forks())


def _shown(dot: Dot) -> str:
    return f"{dot[0]:013x}:{dot[1]}"
