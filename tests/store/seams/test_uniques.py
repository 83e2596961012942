"""What every store promises of claims under unique indexes."""

from __future__ import annotations

from edda_sync.crdt.uniques import encode
from edda_sync.store.seams import Claim, StoreWriter
from edda_sync.words.indexes import IndexConfig
from tests.store.samples import AnyStore, entity

T1, T2, T3 = (entity(number, "task") for number in (1, 2, 3))
ONE, TWO = bytes(16), b"\xff" * 16
RECORD = encode(IndexConfig(name="tickets", columns=("metadata.ticket",), unique=True))
OTHER = encode(IndexConfig(name="others", columns=("metadata.other",), unique=True))


def begin(store: AnyStore) -> None:
    def work(tx: StoreWriter) -> None:
        tx.uniques.define("tickets", RECORD)
        tx.uniques.define("others", OTHER)

    store.transact(work)


def test_claims_are_found_by_entity_by_value_and_by_what_is_withheld(store: AnyStore) -> None:
    begin(store)
    claims = [
        Claim("tickets", ONE, T2, True), Claim("tickets", ONE, T1, False), Claim("tickets", TWO, T3, False),
        Claim("others", ONE, T2, False),
    ]  # fmt: skip
    store.transact(lambda tx: tx.uniques.put([], claims))
    with store.read() as reader:
        assert reader.uniques.settings() == {"tickets": RECORD, "others": OTHER}
        assert reader.uniques.claims_of([T2, T3]) == sorted([claims[0], claims[2], claims[3]])
        assert reader.uniques.holders("tickets", ONE, 5) == [claims[1], claims[0]]
        assert reader.uniques.holders("tickets", ONE, 1) == [claims[1]]
        assert reader.uniques.holders("tickets", bytes(15) + b"\x01", 1) == []
        assert (reader.uniques.withheld("tickets"), reader.uniques.withheld("others")) == ([claims[0]], [])
        assert list(reader.uniques.scan()) == [claims[3], claims[1], claims[0], claims[2]]
        assert reader.uniques.clashes() == 1


def test_a_claim_takes_the_place_of_what_its_entity_claimed_under_the_same_index(store: AnyStore) -> None:
    begin(store)
    store.transact(lambda tx: tx.uniques.put([], [Claim("tickets", ONE, T1, True), Claim("others", ONE, T1, False)]))
    store.transact(lambda tx: tx.uniques.put([("others", T1)], [Claim("tickets", TWO, T1, False)]))
    with store.read() as reader:
        assert reader.uniques.claims_of([T1]) == [Claim("tickets", TWO, T1, False)]
        assert reader.uniques.clashes() == 0


def test_what_is_forgotten_or_ended_claims_nothing(store: AnyStore) -> None:
    begin(store)
    store.transact(lambda tx: tx.uniques.put([], [Claim("tickets", ONE, T1, False), Claim("others", ONE, T1, False)]))
    store.transact(lambda tx: tx.uniques.define("others", None))
    with store.read() as reader:
        assert reader.uniques.claims_of([T1]) == [Claim("tickets", ONE, T1, False)]
        assert [each.name for each in reader.tables.indexes()] == ["tickets"]
    store.transact(lambda tx: tx.forget([T1]))
    with store.read() as reader:
        assert reader.uniques.claims_of([T1]) == []
    store.transact(lambda tx: tx.clear_view())
    with store.read() as reader:
        assert reader.uniques.settings() == {}
        assert reader.tables.indexes() == []
