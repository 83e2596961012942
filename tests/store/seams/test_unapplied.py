"""What every store promises of operations that are not folded."""

from __future__ import annotations

from edda_sync.store.seams import StoreWriter, Unapplied
from tests.store.samples import AnyStore, entity


def test_an_operation_that_is_not_folded_is_noted_once_and_found_by_its_entity_in_log_order(store: AnyStore) -> None:
    twice = Unapplied(2, 3, entity(1), True, "one of its cells is malformed")
    both = Unapplied(2, 3, entity(1), False, "one of its cells is newer")
    rest = [Unapplied(2, 10, entity(2), True, "malformed"), Unapplied(10, 1, entity(1), False, "newer")]

    def work(tx: StoreWriter) -> list[int]:
        counted = [tx.unapplied.waiting()]
        tx.unapplied.add([*rest[::-1], twice._replace(why="as it was read at first"), both])
        counted.append(tx.unapplied.waiting())
        tx.unapplied.add([twice])
        tx.unapplied.add([])
        return [*counted, tx.unapplied.waiting()]

    assert store.transact(work) == [0, 2, 2]
    with store.read() as reader:
        assert list(reader.unapplied.operations()) == [both, twice, *rest]
        assert list(reader.unapplied.operations(entity(1))) == [both, twice, rest[1]]
        assert list(reader.unapplied.waiting_at(entity(1))) == [2, 10]
        assert list(reader.unapplied.waiting_at(entity(2))) == []
        assert list(reader.unapplied.waiting_numbers()) == [(2, "3"), (10, "1")]
        assert list(reader.unapplied.operations(entity(2))) == rest[:1]
        assert list(reader.unapplied.operations(entity(2, "document"))) == []
        assert reader.unapplied.waits()
        for position in {each.position for each in (both, twice, *rest)}:
            of_change = [each for each in (both, twice, *rest) if each.position == position]
            assert list(reader.unapplied.operations(position=position)) == of_change
            assert list(reader.unapplied.operations(entity(1), position)) == [
                e for e in of_change if e.entity == entity(1)
            ]
        assert list(reader.unapplied.operations(position=9_999)) == []
        assert all(type(each.refused) is bool for each in reader.unapplied.operations())
        assert reader.unapplied.waiting() == 2
