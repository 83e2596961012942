from __future__ import annotations

import pytest

from edda_sync.imports.lines import is_exported, loaded, other_format, why


def test_a_line_is_one_value_and_an_empty_line_is_skipped() -> None:
    assert loaded(b'\xef\xbb\xbf{"a": 1}\n', 1) == {"a": 1}
    assert loaded(b" \n", 2) is None


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"{", "is not JSON"),
        (b'"\xff"', "is not UTF-8 text"),
        (b'{"a": 1, "a": 2}', "has a key twice"),
        (b"[" * 100_000, "is nested too deeply"),
    ],
)
def test_a_line_that_cannot_be_read_says_why(line: bytes, reason: str) -> None:
    with pytest.raises((ValueError, RecursionError)) as caught:
        loaded(line, 2)
    assert why(caught.value).startswith(reason)


def test_a_line_of_an_export_is_recognised_by_its_kind_and_fields() -> None:
    assert is_exported({"kind": "tag", "name": "a", "color": None})
    assert not is_exported({"kind": "tag", "name": "a"})
    assert not is_exported({"kind": [], "name": "a", "color": None})
    assert not is_exported("tag")


def test_what_another_import_takes_is_known_by_its_first_line() -> None:
    assert other_format(b'{"kind": "tag", "name": "a", "color": null}\n') == "jsonl"
    assert other_format(b"\xef\xbb\xbfbegin:vcalendar\r\n") == "ics"
    assert other_format(b"plain words") == other_format(b"") == other_format(b"[ ] box") == ""
