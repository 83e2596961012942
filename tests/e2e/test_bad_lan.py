"""
Real processes on a bad LAN: cables that lose, delay, reorder and duplicate frames, that are slow, that flap, that pass one
way only. Whatever the network does, acknowledged writes reach every device in the end, and all prove it.

A wire of our own makes the cables bad, which any kernel allows. Where the kernel has netem: ``--spoiler=netem``, as
:mod:`test_netem` does in a kernel that it brings along.
"""

from __future__ import annotations

import asyncio
import itertools
import random
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field

import pytest

from edda_sync.engine.engine import StorageEngine
from edda_sync.words.model import Document, Task
from edda_sync.words.query import TaskQuery
from tests.e2e import lan
from tests.e2e.lan import Lan, Place, Spoiler
from tests.e2e.machine import Machine, are_equal, settle_in, store_of, until
from tests.e2e.wire import QUEUED_MAX, Direction, Faults

HEALED_S_MAX = 30.0  # a guard against waiting for ever; the time taken is printed
NAMES = ("laptop", "phone", "tablet")
LAPTOP, PHONE, TABLET = range(3)
FRAMES_LOST_MIN = 12
FLAPS = 12
EDITS = 2
RATE_KBIT = 256
WORDS = 50_000  # of a document of some hundred KB, which compresses to a quarter
VOCABULARY = ["".join(letters) for letters in itertools.product("kmst", "aeiou", "dlnr", "aeiou")]

Record = Callable[[str, object], None]


@dataclass
class House:
    """
    Three machines on one LAN, each with a running ``edda up``, and a second process, this one, that writes to each store.

    Attributes:
        shared: A document that all devices write into.
        titles: Titles of the acknowledged tasks of all devices.
        lines: Acknowledged lines of the shared document.
    """

    machines: list[Machine]
    places: list[Place]
    stores: list[StorageEngine]
    shared: str
    titles: set[str] = field(default_factory=set)
    lines: set[str] = field(default_factory=set)
    _numbers: Iterator[int] = field(default_factory=itertools.count)

    async def write(self, *writers: int) -> None:
        """Let some devices write at the same time: each a task of its own, and a line of the shared document."""
        await asyncio.gather(*(asyncio.to_thread(self._write, who, next(self._numbers)) for who in writers))

    def _write(self, who: int, number: int) -> None:
        words = f"{NAMES[who]} {number}"
        self.stores[who].create_task(Task(title=words))
        self.titles.add(words)
        self.stores[who].edit_text(self.shared, "content", [(0, 0, f"{words}\n")])
        self.lines.add(words)

    async def until_equal(self, *who: int) -> float:
        machines = [self.machines[each] for each in who] or self.machines

        async def equal() -> bool:
            return await are_equal(machines)

        return await until(equal, HEALED_S_MAX)

    async def links(self, who: int) -> set[str]:
        """Return the names of the peers to which a device says it has a link."""
        said = await self.machines[who].status()
        assert said is not None
        return {peer["name"] for peer in said["peers"] if peer["connected"]}

    async def prove(self, record: Record) -> None:
        """Wait until all are proved equal; check that all acknowledged writes are everywhere and the command says so."""
        healed_s = await self.until_equal()
        record("healed_s", round(healed_s, 2))
        sys.stdout.write(f"proved equal {healed_s:.2f} s after the network was good again\n")
        for store in self.stores:
            assert sorted(task.title for task in store.query_tasks(TaskQuery())) == sorted(self.titles)
            shared = store.get_document(self.shared)
            assert shared is not None
            assert isinstance(shared.content, str)
            assert sorted(shared.content.splitlines()) == sorted(self.lines)
        assert len({store.digest() for store in self.stores}) == 1
        await until(self._is_said, HEALED_S_MAX)

    async def _is_said(self) -> bool:
        """Return whether the command says so; while a better link replaces one, the two are not equal for a moment."""
        said = await asyncio.gather(*(asyncio.to_thread(each.json, "status") for each in self.machines))
        assert len({each["digest"] for each in said}) == 1
        assert {(each["waiting"], each["fault"]) for each in said} == {(0, "")}
        peers = [
            (peer["equal"], peer["behind"], peer["ahead"], peer["waiting"]) for each in said for peer in each["peers"]
        ]
        return set(peers) == {(True, 0, 0, 0)}


@pytest.fixture(scope="module")
def by(pytestconfig: pytest.Config) -> Spoiler:
    """Return the spoiler of the cables."""
    spoiler: Spoiler = pytestconfig.getoption("--spoiler")
    return spoiler


@pytest.fixture(scope="module")
def furnished(by: Spoiler, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    if reason := lan.netem_fault() if by == "netem" else lan.wire_fault():
        pytest.skip(reason)
    folder = tmp_path_factory.mktemp("house")
    with Lan(len(NAMES)) as places, ExitStack() as stack:
        machines = [
            stack.enter_context(Machine(folder, name, place.enter)) for name, place in zip(NAMES, places, strict=True)
        ]
        settle_in(*machines)
        stores = [stack.enter_context(store_of(machine)) for machine in machines]
        shared = stores[LAPTOP].create_document(Document(title="Shared", content=""))
        asyncio.run(_up(machines))
        yield House(machines, places, stores, shared)
        for machine in machines:
            assert machine.end_up() == (0, ""), "whatever happens on the network, a device has no complaint"


async def _up(machines: list[Machine]) -> None:
    await asyncio.gather(*(machine.up() for machine in machines))


@pytest.fixture
async def house(furnished: House) -> House:
    await furnished.until_equal()
    return furnished


def _make_bad(place: Place, by: Spoiler) -> None:
    place.spoil(by, loss_percent=15, delay_ms=125, jitter_ms=75, reorder_percent=20, duplicate_percent=1, seed=7)


async def test_writes_while_frames_are_lost_and_late_and_doubled_and_reordered_reach_every_device(
    house: House, by: Spoiler, record_property: Record
) -> None:
    place = house.places[PHONE]
    _make_bad(place, by)

    async def lost_enough() -> bool:
        await house.write(LAPTOP, PHONE)
        return place.lost() >= FRAMES_LOST_MIN

    try:
        await until(lost_enough)
    finally:
        place.mend()
    await house.prove(record_property)


async def test_devices_meet_again_and_are_proved_equal_even_while_every_sixth_frame_is_lost(
    house: House, by: Spoiler, record_property: Record
) -> None:
    phone, place = house.machines[PHONE], house.places[PHONE]
    phone.kill_up()
    await house.write(LAPTOP, PHONE)
    _make_bad(place, by)
    try:
        await phone.up()
        met_s = await house.until_equal()
        record_property("met_s", round(met_s, 2))
        sys.stdout.write(f"proved equal over the bad cable after {met_s:.2f} s\n")
        assert place.lost()
    finally:
        place.mend()
    await house.prove(record_property)


async def test_a_link_that_flaps_while_people_write_loses_nothing(house: House, record_property: Record) -> None:
    place = house.places[PHONE]

    async def gone() -> bool:
        return not await house.links(PHONE)

    async def back() -> bool:
        return await house.links(PHONE) == {NAMES[LAPTOP], NAMES[TABLET]}

    for flap in range(FLAPS):
        place.pull()
        await house.write(LAPTOP, PHONE)
        if not flap:  # the others are over before anybody has seen them
            await until(gone)
        place.plug()
        await house.write(PHONE, TABLET)
        if not flap:
            await until(back)
    await house.prove(record_property)


async def test_cables_that_pass_one_way_only_lead_no_device_to_believe_in_equality(
    house: House, by: Spoiler, record_property: Record
) -> None:
    house.places[PHONE].spoil(by, "out", loss_percent=100)  # it hears the others, and they do not hear it
    house.places[TABLET].spoil(by, "in", loss_percent=100)  # the other way round
    await house.write(LAPTOP, PHONE, TABLET)

    async def seen() -> bool:
        said = await asyncio.gather(*(machine.status() for machine in house.machines))
        peers = [peer for each in said if each is not None for peer in each["peers"]]
        assert not any(peer["equal"] for peer in peers)
        return len(peers) == len(NAMES) * (len(NAMES) - 1) and not any(peer["connected"] for peer in peers)

    try:
        seen_s = await until(seen)
        record_property("seen_s", round(seen_s, 2))
        sys.stdout.write(f"seen by all after {seen_s:.2f} s\n")
    finally:
        for place in house.places:
            place.mend()
    await house.prove(record_property)


async def test_a_document_on_its_way_over_a_slow_cable_does_not_delay_the_others(
    house: House, by: Spoiler, record_property: Record
) -> None:
    place, phone = house.places[PHONE], house.stores[PHONE]
    place.spoil(by, rate_kbit=RATE_KBIT, delay_ms=20)
    try:
        content = " ".join(random.Random(7).choices(VOCABULARY, k=WORDS))
        document = house.stores[LAPTOP].create_document(Document(title="Large", content=content))
        for _ in range(EDITS):
            await house.write(LAPTOP, TABLET)
            await house.until_equal(LAPTOP, TABLET)
        assert phone.get_document(document) is None, "the others were done long before"
        await house.write(PHONE)
        crossed_s = await house.until_equal()
        record_property("crossed_s", round(crossed_s, 2))
        sys.stdout.write(f"{len(content)} bytes crossed in {crossed_s:.2f} s at {RATE_KBIT} kbit/s\n")
        arrived = phone.get_document(document)
        assert arrived is not None
        assert arrived.content == content
    finally:
        place.mend()
    await house.prove(record_property)


# --- the wire itself: it must be as bad as it is told to be ---------------------------------------------------------------


def _fates(seed: str, faults: Faults) -> list[tuple[float, int]]:
    """Return the time and number of each arriving frame, of a thousand that are sent one per millisecond."""
    direction = Direction(seed)
    direction.faults = faults
    for number in range(1_000):
        direction.take(number.to_bytes(2, "big") * 500, number / 1_000)
    arrivals = []
    while (now_s := direction.next_due()) is not None:
        arrivals += [(now_s, int.from_bytes(frame[:2], "big")) for frame in direction.due(now_s)]
    assert direction.lost == 1_000 - len({number for _, number in arrivals})
    return arrivals


def test_a_wire_loses_and_doubles_and_delays_and_reorders_as_configured_and_alike_for_one_seed() -> None:
    assert [number for _, number in _fates("7", Faults())] == list(range(1_000))
    faults = Faults(loss_percent=15, delay_ms=100, jitter_ms=50, reorder_percent=20, duplicate_percent=1)
    fates = _fates("7", faults)
    assert fates == _fates("7", faults) != _fates("8", faults)
    counted = Counter(number for _, number in fates)
    assert 100 < 1_000 - len(counted) < 200
    assert 0 < sum(count == 2 for count in counted.values()) < 30
    delays = sorted(round(at_s * 1_000) - number for at_s, number in fates)
    overtook = delays.count(0)
    assert 120 < overtook < 220
    assert 50 <= delays[overtook] < 60 < 140 < delays[-1] <= 150
    assert [number for _, number in fates] != sorted(number for _, number in fates)


def test_a_slow_wire_passes_frame_after_frame_and_loses_what_does_not_fit_into_its_queue() -> None:
    fates = _fates("7", Faults(rate_kbit=800))
    assert [(round(at_s * 1_000), number) for at_s, number in fates] == [(10 * n + 10, n) for n in range(1_000)]
    direction = Direction("7")
    direction.faults = Faults(rate_kbit=8)
    for _ in range(QUEUED_MAX + 5):
        direction.take(bytes(1_000), 0.0)
    assert direction.lost == 5
