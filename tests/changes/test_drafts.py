from __future__ import annotations

from typing import Any

from edda_sync.changes.drafts import Put

ID = bytes(range(16))


def test_a_draft_keeps_its_cells_as_they_were_and_does_not_touch_those_of_the_caller() -> None:
    cells: dict[str, Any] = {
        "title": "t",
        "status": ["done", "2026-03-01T09:30:00.000Z"],
        "parent_id": ID,
        "tag.x": True,
        "due_date": None,
    }
    draft = Put.of("task", ID, cells)
    kept = {**cells, "status": list(cells["status"])}
    cells["title"] = "changed"
    cells["status"].append("changed")
    assert draft.cells == kept
    draft.cells["title"] = "mine"
    assert draft.cells == kept


def test_drafts_that_want_the_same_are_equal() -> None:
    one, other = Put.of("task", ID, {"title": "t"}), Put.of("task", ID, {"title": "t"})
    assert one == other
    assert one != Put.of("task", ID, {"title": "u"})
    assert one != Put.of("document", ID, {"title": "t"})
    assert one != Put.of("task", ID, {"title": "t"}, new=True)
