"""The cost of an edit among devices that are all linked: frames, bytes, and reads of a store."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from itertools import pairwise, permutations
from typing import Final, Literal

import pytest

import edda_sync as edda
from edda_sync.engine.engine import StorageEngine
from edda_sync.sync.messages import Ack, Announce, Changes, Message, Part, Pull
from edda_sync.testing import devices, sync
from edda_sync.words import limits
from tests.sync.batches import batches, exchange_of
from tests.sync.network import Network, name_of

DEVICES: Final = 5
TEN: Final = 10
Mesh = tuple[Network, tuple[StorageEngine, ...]]


@pytest.fixture(params=["memory", "sqlite"])
def mesh(request: pytest.FixtureRequest) -> Iterator[Mesh]:
    """Devices that are each linked to each other one, and equal."""
    with devices(DEVICES, backend=request.param) as engines:
        yield meshed(engines), engines


def meshed(engines: Sequence[StorageEngine]) -> Network:
    """A network in which each is linked to each other one, and equal."""
    network = Network(*engines)
    for number, engine in enumerate(engines):
        for other in engines[:number]:
            network.connect(engine, other)
    network.run()
    network.heard.clear()
    network.proved.clear()
    return network


def write(network: Network, engine: StorageEngine, title: str) -> None:
    engine.create_task(edda.Task(title=title))
    network.committed(engine)


# --- frames -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("pause_s", [0.01, 0.04, 0.07, 0.12, 0.2])
def test_a_change_goes_to_each_device_once_at_whatever_pace_they_come(mesh: Mesh, pause_s: float) -> None:
    network, (editor, *_) = mesh
    for number in range(20):
        write(network, editor, f"edit {number}")
        network.run_for(pause_s)
    network.run()
    assert len(network.said(Changes, editor)) == len(network.said(Changes)) == 20 * (DEVICES - 1)
    assert not network.said(Pull)
    assert not network.said(Announce)
    assert len(network.proved) == DEVICES * (DEVICES - 1)


def test_an_edit_among_ten_costs_a_frame_and_its_acknowledgement_a_link_and_proves_both_equal() -> None:
    with devices(TEN, backend="memory") as engines:
        network = meshed(engines)
        editor, *others = engines
        for number in range(30):
            write(network, editor, f"edit {number} of one device among ten")
            network.run_for(0.05)
        assert (
            [len(network.said(kind)) for kind in (Changes, Ack)]
            == [30 * (TEN - 1)] * 2
            == [len(network.heard) // 2] * 2
        )
        assert network.proved == {
            pair for each in map(name_of, others) for pair in permutations((name_of(editor), each))
        }
        network.run()
        assert len(network.proved) == TEN * (TEN - 1), "the others have told each other, a while later"
        least = sum(each.size for each in network.heard if isinstance(each.message, Changes))
        assert sum(each.size for each in network.heard) < 1.3 * least


def test_devices_that_exchanged_nothing_say_that_they_are_equal_within_some_seconds_once_a_pair(mesh: Mesh) -> None:
    network, (editor, *others) = mesh
    write(network, editor, "edit")
    network.run_for(limits.ANNOUNCE_LATER_S / 2)
    assert network.proved == {pair for each in map(name_of, others) for pair in permutations((name_of(editor), each))}
    network.heard.clear()
    network.run_for(limits.ANNOUNCE_LATER_S)
    assert len(network.proved) == DEVICES * (DEVICES - 1)
    assert len(network.heard) == len(network.said(Ack)) <= len(others) * (len(others) - 1)


def test_whoever_asks_hears_soon_whether_all_are_equal(mesh: Mesh) -> None:
    network, (editor, other, *rest) = mesh
    write(network, editor, "edit")
    network.run_for(0.01)
    network.asked(other)
    network.run_for(0.1)
    assert {(name_of(other), name_of(each)) for each in (editor, *rest)} <= network.proved
    network.run()
    network.heard.clear()
    write(network, editor, "edit")
    network.run_for(0.1)
    assert len(network.said(Ack)) == len(rest) + 1, "whoever has its answer asks no more"


def test_two_who_write_by_turns_send_each_change_to_each_device_once(mesh: Mesh) -> None:
    network, (one, other, *_) = mesh
    for number in range(20):
        write(network, (one, other)[number % 2], f"edit {number}")
        network.run_for(0.02)
    network.run()
    assert len(network.said(Changes)) == 20 * (DEVICES - 1)
    assert network.said(Pull) == []
    assert len({each.digest() for each in mesh[1]}) == 1


def test_a_device_whose_link_to_the_editor_breaks_soon_pulls_from_one_of_the_others(mesh: Mesh) -> None:
    network, (editor, *_, last) = mesh
    write(network, editor, "before")
    network.run()
    network.cut(editor, last)
    network.heard.clear()
    for number in range(10):
        write(network, editor, f"edit {number}")
        network.run_for(0.1)
        assert last.frontier() == editor.frontier()
    assert len(network.said(Changes)) == 10 * (DEVICES - 1)
    network.run()
    assert last.digest() == editor.digest()


def test_what_was_on_its_way_when_a_link_broke_comes_from_the_others_though_its_author_named_the_device(
    mesh: Mesh,
) -> None:
    network, (editor, *_, last) = mesh
    write(network, editor, "edit")
    network.cut(editor, last)
    network.run_for(limits.ANNOUNCE_LATER_S / 2)
    assert last.frontier() != editor.frontier()
    network.run_for(limits.ANNOUNCE_LATER_S)
    assert last.frontier() == editor.frontier()
    assert len(network.said(Changes)) == DEVICES - 1


def test_in_a_line_each_change_crosses_each_link_once_and_is_there_before_an_eye_blinks() -> None:
    with devices(5, backend="memory") as engines:
        network = Network(*engines)
        for one, other in pairwise(engines):
            network.connect(one, other)
        network.run()
        network.heard.clear()
        for number in range(10):
            write(network, engines[0], f"edit {number}")
            network.run_for(0.06)
        assert len({each.digest() for each in engines}) == 1
        assert len(network.said(Changes)) == 10 * 4
        assert len(network.said(Pull)) == 10 * 3


def test_a_newcomer_to_a_part_that_was_alone_is_told_all_that_others_wrote(mesh: Mesh) -> None:
    network, (one, other, third, *_) = mesh
    for each in mesh[1][2:]:
        network.cut(one, each)
        network.cut(other, each)
    write(network, one, "of one")
    write(network, third, "of the third")
    network.run()
    network.connect(other, third)
    network.run()
    assert len({each.digest() for each in mesh[1]}) == 1


def test_news_of_what_was_passed_on_and_said_already_costs_no_frame(mesh: Mesh) -> None:
    network, (editor, other, *_) = mesh
    write(network, editor, "edit")
    network.run()
    network.heard.clear()
    assert network.replicas[name_of(other)].grown(network.now) == []
    network.run()
    assert network.heard == []


def test_what_another_process_took_from_a_peer_is_announced_and_pulled(mesh: Mesh) -> None:
    network, (editor, other, *rest) = mesh
    for each in (other, *rest):
        network.cut(editor, each)
    editor.create_task(edda.Task(title="taken elsewhere"))
    sync(editor, other)
    network.heard.clear()
    assert network.replicas[name_of(other)].grown(network.now) == []
    network.run()
    assert all(each.digest() == editor.digest() for each in rest)
    assert len(network.said(Announce, other)) == len(rest)
    assert len(network.said(Changes)) == len(rest)


# --- looks at the store -----------------------------------------------------------------------------------------------


def test_an_event_asks_for_the_version_of_the_store_once_and_once_more_after_what_it_wrote(
    mesh: Mesh, monkeypatch: pytest.MonkeyPatch
) -> None:
    network, (editor, *others) = mesh
    kind, asked = type(editor.store), list[int]()
    version = kind.version

    def counted(store: object) -> int:
        asked.append(1)
        return version(store)  # type: ignore[arg-type]

    monkeypatch.setattr(kind, "version", counted)
    write(network, editor, "edit")
    events = 1
    while network.step():
        events += 1
    written = len(others)
    assert len(asked) <= events + written


def test_what_an_event_writes_is_seen_by_the_rest_of_it(mesh: Mesh) -> None:
    _, (editor, other, *_) = mesh
    editor.create_task(edda.Task(title="edit"))
    exchange = exchange_of(other)
    with exchange.store.event():
        before = exchange.frontier()
        for batch in batches(exchange_of(editor), before):
            exchange.taking.take(batch)
        assert exchange.frontier() == editor.frontier() != before


def test_what_others_write_within_an_event_is_seen_by_the_next(mesh: Mesh) -> None:
    _, (editor, *_) = mesh
    exchange = exchange_of(editor)
    with exchange.store.event():
        before = exchange.frontier()
        editor.create_task(edda.Task(title="meanwhile"))
        assert exchange.frontier() == before
    with exchange.store.event():
        assert exchange.frontier() == editor.frontier() != before


def test_outside_of_events_a_store_is_asked_each_time(mesh: Mesh) -> None:
    _, (editor, *_) = mesh
    exchange = exchange_of(editor)
    before = exchange.frontier()
    editor.create_task(edda.Task(title="elsewhere"))
    assert exchange.frontier() == editor.frontier() != before


# --- beside a large change --------------------------------------------------------------------------------------------


def step(network: Network) -> None:
    """Do what is due, or deliver a frame."""
    if network._due_by(network.now):
        network.move_time()
    else:
        assert network.step()


@pytest.mark.parametrize("backend", ["memory", "sqlite"])
def test_a_small_change_that_does_not_depend_on_a_large_one_gets_through_between_its_parts(
    backend: Literal["memory", "sqlite"], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "PART_BYTES_MAX", 1_000)
    monkeypatch.setattr(limits, "WINDOW_BYTES_MAX", 3_000)
    with devices(3, backend=backend) as (phone, laptop, tablet):
        network = Network(phone, laptop, tablet)
        for engine in (phone, tablet):  # these two know each other by way of the laptop alone
            network.connect(laptop, engine)
        network.run()
        network.heard.clear()
        laptop.create_document(edda.Document(title="large", content=random.Random(7).randbytes(40_000).hex()))
        network.committed(laptop)
        parts = -(-80_000 // 1_000)

        def to_phone() -> list[Message]:
            return [each.message for each in network.heard if each.receiver == name_of(phone)]

        def parts_there() -> int:
            return sum(isinstance(each, Part) for each in to_phone())

        while parts_there() < 10:
            step(network)
        task = tablet.create_task(edda.Task(title="small"))
        network.committed(tablet)
        while laptop.get_task(task) is None:
            step(network)
        before = parts_there()
        while phone.get_task(task) is None:
            step(network)
        assert parts_there() - before <= 10, "some were under way; then it is announced, asked for, and sent"
        assert parts_there() < parts // 2
        assert phone.query_documents(edda.DocumentQuery()) == []
        network.run()
        assert len({each.digest() for each in (phone, laptop, tablet)}) == 1
        assert {(name_of(phone), name_of(laptop)), (name_of(laptop), name_of(phone))} <= network.proved
        assert sum(isinstance(each, Part) for each in to_phone()) <= parts + 1, "no part was sent twice"


def test_what_depends_on_a_large_change_waits_for_it_and_is_not_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "PART_BYTES_MAX", 1_000)
    monkeypatch.setattr(limits, "WINDOW_BYTES_MAX", 3_000)
    with devices(2, backend="memory") as (laptop, phone):
        network = Network(laptop, phone)
        network.connect(laptop, phone)
        network.run()
        network.heard.clear()
        laptop.create_document(edda.Document(title="large", content=random.Random(7).randbytes(40_000).hex()))
        write(network, laptop, "written by one that had seen it")
        network.run()
        assert laptop.digest() == phone.digest()
        assert not any(ack.again for ack in network.said(Ack))
        kinds = [type(each) for each in (said.message for said in network.heard) if isinstance(each, Changes | Part)]
        assert kinds[0] is kinds[-1] is Changes
        assert kinds.count(Changes) == 2
