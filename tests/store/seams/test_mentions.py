"""What every store promises of mentions."""

from __future__ import annotations

from edda_sync.store.seams import StoreWriter
from tests.store.samples import AnyStore, entity


def test_the_changes_that_are_about_an_entity_are_found_in_log_order(store: AnyStore) -> None:
    def work(tx: StoreWriter) -> None:
        tx.mentions.add([(entity(1), 7), (entity(2), 7)])
        tx.mentions.add([(entity(1), 3)])
        tx.mentions.add([(entity(1), 300), (entity(1, "document"), 300), (entity(1), 300)])
        tx.mentions.add([(entity(1), 7)])  # again is nothing
        tx.mentions.add([])

    store.transact(work)
    store.transact(lambda tx: tx.mentions.add([(entity(1), 1)]))
    with store.read() as reader:
        found = [list(reader.mentions.of(each)) for each in (entity(1), entity(2), entity(1, "document"), entity(3))]
        assert reader.mentions.count() == 6
        assert list(reader.mentions.entities_at([300, 1])) == [entity(1), entity(1, "document")]
        assert list(reader.mentions.entities_at([8, 9])) == list(reader.mentions.entities_at([])) == []
        assert list(reader.mentions.entities_at(range(2_000))) == [entity(1), entity(2), entity(1, "document")]
    assert found == [[1, 3, 7, 300], [7], [300], []]
