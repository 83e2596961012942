from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from edda_sync.words.errors import InvalidValueError
from edda_sync.words.indexes import IndexConfig, IndexType, as_data, checked, of_data

SOUND = IndexConfig(name="by-effort", columns=["metadata.effort"])


def test_an_index_has_a_usual_form_in_which_it_is_kept() -> None:
    given = replace(SOUND, columns=["status", 'metadata."effort"'], where_clause="priority<=2 and status='open'")
    usual = checked(given)
    assert usual.columns == ("status", "metadata.effort")
    assert usual.where_clause == "priority <= 2 AND status = 'open'"
    assert checked(usual) == usual == of_data(as_data(usual))


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"name": ""}, "name"), ({"name": "Big"}, "name"), ({"name": "a b"}, "name"), ({"name": "a--b"}, "name"),
        ({"name": 'a"; DROP TABLE tasks; --'}, "name"), ({"name": "x" * 61}, "name"), ({"name": 5}, "name"),
        ({"name": "_meta"}, "name"), ({"name": "größe"}, "name"),
        ({"on": "tag"}, "on"), ({"on": "sqlite_master"}, "on"), ({"index_type": "btree"}, "index_type"),
        ({"columns": "title"}, "columns"), ({"columns": []}, "columns"), ({"columns": ["a"] * 9}, "columns"),
        ({"columns": ["title", "title"]}, "columns"), ({"columns": ["nothing"]}, "columns"), ({"columns": [5]}, "columns"),
        ({"columns": ["lower(title)"]}, "columns"), ({"columns": ["title); DROP TABLE tasks; --"]}, "columns"),
        ({"columns": ["content"]}, "columns"), ({"columns": ["metadata"]}, "columns"),
        ({"columns": ['metadata."a\\"b"']}, "columns"), ({"columns": ["metadata.a\x00b"]}, "columns"),
        ({"where_clause": "1"}, "where_clause"), ({"where_clause": "content = 'x'"}, "where_clause"),
        ({"index_type": IndexType.HASH, "columns": ["priority"]}, "columns"),
        ({"index_type": IndexType.HASH, "columns": ["title", "description"]}, "columns"),
        ({"index_type": IndexType.FULL_TEXT, "columns": ["status"]}, "columns"),
        ({"index_type": IndexType.SPATIAL, "columns": ["title"]}, "columns"),
        ({"index_type": IndexType.SPATIAL, "columns": ["metadata.a", "metadata.b"]}, "columns"),
        ({"unique": True, "columns": ["title"]}, "columns"), ({"unique": True, "columns": ["metadata.a.b"]}, "columns"),
        ({"unique": True, "columns": ["metadata.a", "parent_id"]}, "columns"),
        ({"unique": True, "columns": ["metadata.a", "description"]}, "columns"),
        ({"unique": True, "index_type": IndexType.HASH, "columns": ["metadata.a"]}, "unique"),
        ({"unique": True, "where_clause": "parent_id MISSING"}, "where_clause"),
        ({"unique": True, "where_clause": "updated_at EXISTS"}, "where_clause"),
        ({"unique": True, "where_clause": "metadata.b MISSING"}, "where_clause"),
        ({"unique": True, "where_clause": "metadata.b != 3"}, "where_clause"),
    ],
)  # fmt: skip
def test_an_index_that_cannot_be_is_refused_with_what_is_wrong(fields: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidValueError) as caught:
        checked(replace(SOUND, **fields))
    assert caught.value.field == field


def test_a_unique_index_may_have_any_columns_beside_a_key_that_can_be_withheld() -> None:
    columns = ["doc_type", "title", "metadata.slug"]
    checked(IndexConfig(name="slugs", columns=columns, unique=True, where_clause="doc_type = 'note'", on="document"))
