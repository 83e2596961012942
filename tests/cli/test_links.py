from __future__ import annotations

from typing import Any


def test_links_are_made_shown_and_taken_away(edda: Any) -> None:
    task_id = edda.id_of("task", "add", "a")
    document_id = edda.id_of("doc", "add", "-", "--title", "D", stdin=b"text")
    edda("link", task_id, document_id[-6:], "--as", "spec")
    (link,) = edda.json("task", "show", task_id)["links"]
    assert (link["task_id"], link["document_id"], link["relationship_type"]) == (task_id, document_id, "spec")
    assert "document: " in edda("task", "show", task_id).stdout
    assert [each["id"] for each in edda.json("doc", "list", "--task", task_id)] == [document_id]
    edda("link", task_id, document_id, "--remove")
    assert edda.json("task", "show", task_id)["links"] == []
    refused = edda("link", task_id, document_id[-6:], "--remove", code=3).stderr
    assert f"no link between the task '{task_id}' and the document '{document_id[-6:]}'" in refused
    edda("link", task_id, document_id, "--remove", "--as", "x", code=2)


def test_a_new_link_names_both_ends(edda: Any) -> None:
    task_id = edda.id_of("task", "add", "Buy milk")
    document_id = edda.id_of("doc", "add", "-", "--title", "Shops", stdin=b"text")
    assert edda("link", task_id, document_id).stderr == "Linked to Buy milk as reference: Shops\n"
    said = edda("link", task_id, document_id, "--as", "list").stderr
    assert said.startswith("Linked to Buy milk as list instead of reference: Shops\n")
    for named in (("--as", "list"), ()):
        assert edda("link", task_id, document_id, *named).stderr == "Linked already to Buy milk as list: Shops\n"
    assert edda("link", task_id, document_id, "--remove").stderr.startswith("No longer linked to Buy milk: Shops\n")


def test_a_link_the_wrong_way_round_is_answered_with_the_right_command(edda: Any) -> None:
    task_id = edda.id_of("task", "add", "Buy milk")
    document_id = edda.id_of("doc", "add", "-", "--title", "Shops", stdin=b"text")
    said = edda("link", document_id, task_id, code=2).stderr
    assert said == f"The task stands first: `edda link {task_id} {document_id}`.\n"
    assert "it is a task" in edda("link", task_id, task_id, code=3).stderr
