"""What is withheld where two devices used a value at once: a function of the states, whatever came first."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edda_sync.changes.change import Change
from edda_sync.crdt import operation as ops
from edda_sync.crdt import uniques
from edda_sync.crdt.keys import key_of, kind_and_id
from edda_sync.crdt.state import entity_of
from edda_sync.fold.scrub import scrub_digest, scrub_entities
from edda_sync.store.seams import Claim, StoreReader, StoreWriter
from edda_sync.words import limits, values
from edda_sync.words.indexes import IndexConfig
from edda_sync.words.paths import MISSING, value_at
from tests.crdt.authors import LAPTOP, PHONE, TABLET, Life, Peer, device, founded

TASKS = 6
TICKETS = IndexConfig(name="tickets", columns=("metadata.ticket",), unique=True)
PAIRS = IndexConfig(name="pairs", columns=("metadata.ticket", "metadata.team"), unique=True)
URGENT = IndexConfig(name="urgent", columns=("metadata.team",), unique=True, where_clause="priority <= 1")
INDEXES = {each.name: each for each in (TICKETS, PAIRS, URGENT)}


def key(number: int) -> bytes:
    return key_of("task", number.to_bytes(16, "big"))


class Deed(NamedTuple):
    """What happens to a task, or to an index."""

    number: int
    what: str
    value: Any = None


TASK_DEEDS = st.builds(
    Deed,
    st.integers(0, TASKS - 1),
    st.sampled_from(["ticket", "team", "ticket", "team", "priority", "delete", "restore"]),
    st.integers(0, 2) | st.none(),
)
INDEX_DEEDS = st.builds(Deed, st.just(0), st.sampled_from(list(INDEXES)), st.sampled_from([*INDEXES, None]))
DEEDS = TASK_DEEDS | TASK_DEEDS | TASK_DEEDS | INDEX_DEEDS


def operation(life: Life, workspace: bytes, deed: Deed) -> ops.Operation:
    own = deed.number.to_bytes(16, "big")
    if deed.what in INDEXES:
        record = None if deed.value is None else uniques.encode(INDEXES[deed.value])
        return ops.Put("workspace", workspace, {f"unique.{deed.what}": record})
    if deed.what == "delete":
        return ops.Delete("task", own, ((life.actor, life.seq),) if life.seq else ())
    if deed.what == "restore":
        return ops.Touch("task", own)
    if deed.what == "priority":
        return ops.Put("task", own, {"priority": deed.value or 0})
    return ops.Put("task", own, {f"metadata.{deed.what}": None if deed.value is None else str(deed.value)})


def expected(reader: StoreReader, workspace: bytes) -> tuple[list[Claim], dict[bytes, dict[str, Any]]]:
    """All claims, and what each visible task shows of its metadata, computed from all states at once."""
    record = reader.states.get([key_of("workspace", workspace)])
    cells: dict[str, Any] = {}
    for each in record.values():
        held = entity_of(each.key, each.state)
        cells = {name[7:]: held.value(name) for name in held.cells if name.startswith("unique.")}
    tasks = {each.key: entity_of(each.key, each.state) for each in reader.states.scan("task") if not each.hidden}
    claims, withheld = [], defaultdict[bytes, set[str]](set)
    for name, value in uniques.in_effect(cells).items():
        index = uniques.unique(name, value)
        groups = defaultdict[bytes, list[bytes]](list)
        for own, task in sorted(tasks.items()):
            if (claimed := uniques.claim(index, task.value)) is not None:
                groups[claimed].append(own)
        for claimed, owners in groups.items():
            claims += [Claim(name, claimed, own, own != owners[0]) for own in owners]
            for own in owners[1:]:
                withheld[own].add(index.withheld)
    shown = {
        own: {
            name[9:]: int(task.value(name))
            for name in task.cells
            if name.startswith("metadata.") and task.value(name) is not None and name not in withheld[own]
        }
        for own, task in tasks.items()
    }
    return sorted(claims), shown


def check(peer: Peer) -> None:
    with peer.store.read() as reader:
        claims, shown = expected(reader, peer.workspace)
        found = [each for own in map(key, range(TASKS)) for each in reader.uniques.claims_of([own])]
        assert sorted(found) == claims
        assert reader.uniques.clashes() == sum(each.withheld for each in claims)
        rows = {key_of("task", values.id_bytes("id", row[0])): row for row in reader.tables.all("tasks")}
        assert {own: values.parse_json("metadata", row[10] or "{}") for own, row in rows.items()} == shown
        for config in reader.tables.indexes():
            row_values = [
                tuple(value_at({"metadata": row[10] or "{}"}, path) for path in config.paths) for row in rows.values()
            ]
            if config.where_clause is None:
                whole = [each for each in row_values if MISSING not in each]
                assert len(set(whole)) == len(whole), "what is to be unique is unique in the view"
        assert scrub_entities(reader, b"", 100)[0] == []
        assert scrub_digest(reader) == []


@given(st.lists(st.lists(st.lists(DEEDS, min_size=1, max_size=5), min_size=1, max_size=3), max_size=8))
def test_one_of_those_that_claim_a_value_shows_it_whatever_happens(turns: list[list[list[Deed]]]) -> None:
    """Each turn is a transaction of some changes of some operations."""
    laptop, peer = founded()
    for turn in turns:
        peer.admit(*(laptop.write(*(operation(laptop, peer.workspace, each) for each in change)) for change in turn))
        check(peer)


@given(
    st.lists(st.tuples(st.integers(0, 2), st.lists(DEEDS, min_size=1, max_size=3)), min_size=2, max_size=9),
    st.lists(st.randoms(use_true_random=False), min_size=2, max_size=2),
    st.integers(1, 4),
)
def test_devices_that_wrote_at_once_show_the_same_in_every_order_of_arrival(
    written: list[tuple[int, list[Deed]]], orders: list[Any], together: int
) -> None:
    laptop, first = founded()
    begun = laptop.write(device(PHONE, LAPTOP, "phone"), device(TABLET, LAPTOP, "tablet"))
    nonces = (bytes((number,)) * 16 for number in range(2))
    lives = [
        laptop,
        *(Life(each, continues=laptop, nonce=nonce) for each, nonce in zip((PHONE, TABLET), nonces, strict=True)),
    ]
    chains: list[list[Change]] = [[], [], []]
    for number, deeds in written:
        life = lives[number]
        operations = [operation(life, first.workspace, each) for each in deeds]
        chains[number].append(life.write(*operations, wall_ms=1_000 + number))
    peers = []
    for order in orders:
        peer = founded_again()
        peer.admit(begun)
        left = [iter(chain) for chain in chains]
        picks = [number for number, chain in enumerate(chains) for _ in chain]
        order.shuffle(picks)
        for at in range(0, len(picks), together):
            peer.admit(*(next(left[number]) for number in picks[at : at + together]))
        check(peer)
        peers.append(peer)
    views = [
        (each.view(), each.look(claims_of), each.look(lambda reader: dict(reader.uniques.settings()))) for each in peers
    ]
    assert all(view == views[0] for view in views)


def founded_again() -> Peer:
    """Another peer of the workspace that :func:`founded` makes, which is the same each time."""
    return founded()[1]


def claims_of(reader: StoreReader) -> Sequence[Claim]:
    return reader.uniques.claims_of([key(number) for number in range(TASKS)])


@given(
    st.lists(st.lists(DEEDS, min_size=1, max_size=4), min_size=1, max_size=9),
    st.sets(st.integers(0, TASKS - 1), min_size=1),
    st.booleans(),
    st.data(),
)
def test_tasks_that_are_folded_anew_with_or_without_a_change_claim_what_they_should(
    some: list[list[Deed]], again: set[int], rebuild: bool, data: st.DataObject
) -> None:
    laptop, peer = founded()
    for change in some:
        peer.admit(laptop.write(*(operation(laptop, peer.workspace, each) for each in change)))
    void = data.draw(st.none() | st.integers(2, laptop.seq))
    without = [] if void is None else [(laptop.actor, void)]

    def refold(tx: StoreWriter) -> None:
        if rebuild:
            peer.ledger.rebuild(tx, lambda *_: {})
            return
        positions = [tx.log.position_of(*dot) for dot in without]
        keys = {*map(key, again), *tx.mentions.entities_at([at for at in positions if at is not None])}
        peer.ledger.refold(tx, keys, without)

    peer.store.transact(refold)
    check(peer)


@pytest.mark.parametrize("record", [None, uniques.encode(URGENT)])
def test_what_is_withheld_in_the_moment_in_which_its_index_ends_or_changes_is_shown(record: bytes | None) -> None:
    laptop, peer = founded()
    first, second = (ops.Put("task", kind_and_id(key(each))[1], {"metadata.ticket": "7"}) for each in (1, 2))
    peer.admit(laptop.write(ops.Put("workspace", peer.workspace, {"unique.urgent": uniques.encode(TICKETS)}), first))
    end = ops.Put("workspace", peer.workspace, {"unique.urgent": record})
    peer.admit(laptop.write(second, end))
    assert [each.withheld for each in peer.look(claims_of)] == []
    check(peer)


def test_an_index_of_another_workspace_counts_for_nothing() -> None:
    laptop, peer = founded()
    peer.admit(laptop.write(ops.Put("workspace", bytes(16), {"unique.tickets": uniques.encode(TICKETS)})))
    assert peer.look(lambda reader: dict(reader.uniques.settings())) == {}


def test_more_indexes_than_count_are_kept_and_the_first_by_name_count() -> None:
    laptop, peer = founded()
    cells = {f"unique.i{number:03}": uniques.encode(TICKETS) for number in range(limits.UNIQUE_MAX + 1)}
    peer.admit(laptop.write(ops.Put("workspace", peer.workspace, cells)))
    assert list(peer.look(lambda reader: dict(reader.uniques.settings()))) == [name[7:] for name in cells][:-1]
    peer.admit(laptop.write(ops.Put("workspace", peer.workspace, {"unique.i000": None})))
    assert list(peer.look(lambda reader: dict(reader.uniques.settings()))) == [name[7:] for name in cells][1:]


def test_a_task_that_grows_too_large_claims_nothing_any_more(monkeypatch: pytest.MonkeyPatch) -> None:
    laptop, peer = founded()
    record = ops.Put("workspace", peer.workspace, {"unique.tickets": uniques.encode(TICKETS)})
    first, second = (ops.Put("task", kind_and_id(key(each))[1], {"metadata.ticket": "7"}) for each in (1, 2))
    peer.admit(laptop.write(record, first, second))
    assert [each.withheld for each in peer.look(claims_of)] == [False, True]
    monkeypatch.setattr(limits, "ENTITY_BYTES_MAX", 100)
    peer.admit(laptop.write(ops.Put("task", first.id, {"metadata.long": '"' + "x" * 200 + '"'})))
    assert [(each.entity, each.withheld) for each in peer.look(claims_of)] == [(key(2), False)]
    check(peer)


def test_when_what_showed_a_value_is_void_the_next_one_shows_it() -> None:
    laptop, peer = founded()
    peer.admit(laptop.write(ops.Put("workspace", peer.workspace, {"unique.tickets": uniques.encode(TICKETS)})))
    first, second = (ops.Put("task", kind_and_id(key(each))[1], {"metadata.ticket": "7"}) for each in (1, 2))
    peer.admit(laptop.write(ops.Put("task", first.id, {"title": "t"})), laptop.write(first), laptop.write(second))
    assert [each.withheld for each in peer.look(claims_of)] == [False, True]
    peer.store.transact(lambda tx: peer.ledger.refold(tx, {key(1)}, [(laptop.actor, laptop.seq - 1)]))
    assert [(each.entity, each.withheld) for each in peer.look(claims_of)] == [(key(2), False)]
    check(peer)
