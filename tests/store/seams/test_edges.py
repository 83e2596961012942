"""What every store promises of edges."""

from __future__ import annotations

import pytest

from edda_sync.store.seams import Pointed, Shown, StoreWriter
from edda_sync.words.errors import StorageError
from tests.store.samples import LATER, TIME, AnyStore, entity, show, shown_document, shown_tag, shown_task, text_id


def test_a_tag_or_link_is_written_anew_and_the_others_stay(store: AnyStore) -> None:
    waits = ((f"tag.{text_id(9)}", entity(9, "tag"), "hidden"),)
    task, document = ("task", entity(1), text_id(1)), ("document", entity(7, "document"), text_id(7))

    def before(tx: StoreWriter) -> None:
        show(tx, shown_tag(5, "five"), shown_tag(6, "six"), shown_document(7, tags=(5,)), shown_document(8))
        show(tx, shown_task(1, tags=(6, 5), links=(8, 7), withheld=waits))

    def after(tx: StoreWriter) -> None:
        show(tx, shown_tag(9, "nine"))
        tx.tables.point([])
        tx.tables.point([
            Pointed(*task, f"tag.{text_id(9)}", text_id(9), (LATER,), ()),
            Pointed(*task, f"tag.{text_id(5)}", text_id(5), (), ()),
            Pointed(*task, f"link.{text_id(8)}", text_id(8), ("of another kind", LATER), ()),
            Pointed(*task, f"link.{text_id(7)}", text_id(7), (), (entity(7, "document"), "hidden")),
            Pointed(*document, f"tag.{text_id(6)}", text_id(6), (TIME,), ()),
        ])  # fmt: skip

    store.transact(before)
    store.transact(after)
    with store.read() as reader:
        assert reader.tables.all("entity_tags") == [
            ("document", text_id(7), text_id(5), TIME), ("document", text_id(7), text_id(6), TIME),
            ("task", text_id(1), text_id(6), TIME), ("task", text_id(1), text_id(9), LATER),
        ]  # fmt: skip
        assert reader.tables.all("task_documents") == [(text_id(1), text_id(8), "of another kind", LATER)]
        assert reader.edges.withheld_to([entity(9, "tag")]) == []
        assert reader.edges.withheld_to([entity(7, "document")]) == [entity(1)]


def test_edges_are_replaced_with_their_source(store: AnyStore) -> None:
    waits = (("tag." + text_id(9), entity(9), "hidden"),)

    def work(tx: StoreWriter) -> None:
        show(tx, shown_tag(5, "five"), shown_tag(6, "six"), shown_document(7, tags=(5,)), shown_document(8))
        show(tx, shown_task(1, tags=(6, 5), links=(8, 7), withheld=waits), shown_task(2, tags=(5,), links=(7,)))
        show(tx, shown_task(2, tags=(6,)), new=False)

    store.transact(work)
    with store.read() as reader:
        assert reader.tables.all("entity_tags") == [
            ("document", text_id(7), text_id(5), TIME), ("task", text_id(1), text_id(5), TIME),
            ("task", text_id(1), text_id(6), TIME), ("task", text_id(2), text_id(6), TIME),
        ]  # fmt: skip
        both = [(text_id(1), text_id(number), "reference", TIME) for number in (7, 8)]
        assert reader.tables.all("task_documents") == both
        assert reader.edges.tags_of("task", [text_id(number) for number in (1, 2, 3)]) == {
            text_id(1): [(text_id(5), "five"), (text_id(6), "six")], text_id(2): [(text_id(6), "six")],
            text_id(3): [],
        }  # fmt: skip
        assert reader.edges.carriers(text_id(5)) == [("document", text_id(7)), ("task", text_id(1))]
        assert reader.edges.carriers(text_id(9)) == []
        assert list(reader.tables.scan("entity_tags")) == reader.tables.all("entity_tags")
        assert list(reader.tables.scan("task_documents")) == both
        assert reader.edges.links_of(None, None) == both
        assert reader.edges.links_of(text_id(1), text_id(8)) == both[1:]
        assert reader.edges.links_of(None, text_id(7)) == both[:1]
        assert reader.edges.links_of(text_id(2), None) == []
        assert reader.edges.withheld_to([entity(9)]) == [entity(1)]
    store.transact(lambda tx: show(tx, shown_task(1), new=False))
    with store.read() as reader:
        assert reader.edges.links_of(None, None) == []
        assert reader.edges.withheld_to([entity(9)]) == []


def test_links_come_in_the_order_of_their_times(store: AnyStore) -> None:
    def work(tx: StoreWriter) -> None:
        show(tx, shown_document(7), shown_document(8), shown_task(2, links=(7,)))
        links = ((text_id(7), "b", LATER), (text_id(8), "a", TIME))
        show(tx, shown_task(1)._replace(links=links))

    store.transact(work)
    with store.read() as reader:
        found = [row[:2] for row in reader.edges.links_of(None, None)]
    assert found == [(text_id(1), text_id(8)), (text_id(2), text_id(7)), (text_id(1), text_id(7))]


def test_the_entities_that_refer_to_something_are_found(store: AnyStore) -> None:
    ring = (("parent_id", entity(1), "ring"),)
    gone = (("parent_id", entity(9), "hidden"),)

    def work(tx: StoreWriter) -> None:
        show(tx, shown_tag(5, "five"), shown_document(7, tags=(5,)), shown_task(1, links=(7,)))
        show(tx, shown_task(2, parent_id=text_id(1)), shown_task(3, withheld=ring), shown_task(4, withheld=gone))

    store.transact(work)
    with store.read() as reader:
        assert reader.edges.referrers([entity(1)]) == [entity(2)]
        pointed_at = [entity(5, "tag"), entity(7, "document")]
        assert reader.edges.referrers(pointed_at) == [entity(1), entity(7, "document")]
        assert reader.edges.referrers([]) == []
        assert reader.edges.withheld_to([entity(9)]) == [entity(4)]
        assert reader.edges.withheld_to([entity(1), entity(9)]) == [entity(3), entity(4)]
        assert reader.edges.withheld_to([]) == []
        assert [reader.edges.parent(entity(number)) for number in (1, 2, 3, 4, 8)] == [
            None, entity(1), entity(1), None, None,
        ]  # fmt: skip
        assert (reader.edges.in_rings(), reader.edges.has_rings()) == ([entity(3)], True)
        assert reader.edges.in_rings_among([entity(number) for number in range(1, 9)]) == {entity(3)}
        assert reader.edges.parents_among([entity(number) for number in (1, 2, 3, 9)]) == {entity(1)}
        assert reader.edges.in_rings_among([]) == reader.edges.parents_among([]) == set()


@pytest.mark.parametrize(
    "shown",
    [
        shown_task(1, tags=(5, 5)),
        shown_task(1, links=(7, 7)),
        shown_task(1, withheld=(("parent_id", entity(8), "hidden"), ("parent_id", entity(9), "hidden"))),
    ],
    ids=["tag", "link", "withheld"],
)
def test_each_edge_is_listed_once(store: AnyStore, shown: Shown) -> None:
    store.transact(lambda tx: show(tx, shown_tag(5, "five"), shown_document(7)))
    with pytest.raises(StorageError):
        store.transact(lambda tx: show(tx, shown))
