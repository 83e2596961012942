"""What an edit costs among devices that are all linked: frames, and looks at a store."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import pytest

import edda_sync as edda
from edda_sync.engine.engine import StorageEngine
from edda_sync.sync.messages import Ack, Changes
from edda_sync.testing import devices, sync
from edda_sync.words import limits
from tests.sync.batches import batches, exchange_of
from tests.sync.network import Network, name_of

DEVICES: Final = 5
Mesh = tuple[Network, tuple[StorageEngine, ...]]


@pytest.fixture(params=["memory", "sqlite"])
def mesh(request: pytest.FixtureRequest) -> Iterator[Mesh]:
    """Devices that are each linked to each other one, and equal."""
    with devices(DEVICES, backend=request.param) as engines:
        network = Network(*engines)
        for number, engine in enumerate(engines):
            for other in engines[:number]:
                network.connect(engine, other)
        network.run()
        network.heard.clear()
        yield network, engines


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
    assert len(network.proved) == DEVICES * (DEVICES - 1)


def test_a_device_whose_link_to_the_editor_breaks_soon_has_all_from_the_others(mesh: Mesh) -> None:
    network, (editor, *_, last) = mesh
    write(network, editor, "before")
    network.run_for(limits.RELAY_DELAY_S / 2)
    network.cut(editor, last)
    for number in range(10):
        write(network, editor, f"edit {number}")
        network.run_for(limits.RELAY_DELAY_S / 2)
    network.run_for(2 * limits.RELAY_DELAY_S)  # what came last waits for one turn more where the turn before is done
    assert last.frontier() == editor.frontier()
    network.run()
    assert last.digest() == editor.digest()


def test_news_of_what_was_passed_on_and_said_already_costs_no_frame(mesh: Mesh) -> None:
    network, (editor, other, *_) = mesh
    write(network, editor, "edit")
    network.run()
    network.heard.clear()
    assert network.replicas[name_of(other)].grown(network.now) == []
    network.run()
    assert network.heard == []


def test_what_another_process_took_from_a_peer_is_said_and_passed_on(mesh: Mesh) -> None:
    network, (editor, other, *rest) = mesh
    for each in (other, *rest):
        network.cut(editor, each)
    editor.create_task(edda.Task(title="taken elsewhere"))
    sync(editor, other)
    network.heard.clear()
    assert network.replicas[name_of(other)].grown(network.now) == []
    network.run()
    assert all(each.digest() == editor.digest() for each in rest)
    assert network.said(Ack, other)
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
