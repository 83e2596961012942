"""
Orders of rows: how titles are sorted, and places in an order from which a list continues.

SQLite, the memory store, transactions and live queries all use these functions, so that they agree.
"""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, Final, TypeVar

from edda_sync.words import values
from edda_sync.words.errors import InvalidValueError

R = TypeVar("R")

Order = tuple[tuple[str, bool], ...]
"""Column names, each with True for descending. NULLs come last in both directions. The last column is ``id``."""
Place = tuple[Any, ...]
"""The values of one row in the columns of an order."""

TITLE_KEY: Final = "edda_title_key"
"""The name of :func:`title_key` in the SQL of our connections."""
_PLAIN: Final = {
    "ß": "ss", "ø": "o", "đ": "d", "ł": "l", "æ": "ae", "œ": "oe", "þ": "th", "ð": "d", "ħ": "h", "ı": "i", "ŧ": "t",
}  # fmt: skip
"""Letters that stand beside others in most alphabets and that Unicode does not decompose."""
_BASE: Final = {
    **dict.fromkeys((*range(0x300, 0x370), 0x3099, 0x309A)),  # accents of letters, and the voicing of kana
    **{ord(letter): plain for letter, plain in _PLAIN.items()},
}


@lru_cache(maxsize=4_096)
def title_key(title: str) -> str:
    """
    Return the sort key of a title: base letters first, then accents, then case. Keys are compared by code points.

    So *Äpfel* stands beside *apple*, and *Zebra* after both. An alphabet's own order of its accented letters differs between
    languages, and is not followed.

    Source: the levels of the Unicode Collation Algorithm (UTS #10, section 1.1), without its table of weights.
    """
    if title.isascii():
        lower = title.lower()
        return f"{lower}\1{lower}\1{title}"
    split = unicodedata.normalize("NFKD", title.casefold())
    return f"{split.translate(_BASE)}\1{split}\1{title}"


def in_order(order: Order, rows: list[R], column: Callable[[R, str], Any], ahead: str | None = None) -> list[R]:
    """
    Return rows in an order. For relevance, the given order is kept.

    Args:
        order: The order.
        rows: The rows.
        column: Reads one value of a row.
        ahead: From when on a time is in the future, and comes last; None for as it is.
    """
    if order[0][0] == "relevance":
        return rows
    for name, descending in reversed(order):
        rows.sort(key=lambda row: _comparable(name, column(row, name)), reverse=descending)
        if name == "due_date":
            rows.sort(key=lambda row: column(row, name) is None)
    if ahead is not None:
        rows.sort(key=lambda row: column(row, order[0][0]) >= ahead)
    return rows


def _comparable(name: str, value: Any) -> Any:
    """Return the sort key of a value. As in SQLite, NULL comes before numbers, and numbers before texts."""
    if isinstance(value, str):
        return 2, title_key(value) if name == "title" else value
    if value is None:
        return 0, ""
    return (1, value) if isinstance(value, (int, float)) else (3, value)


def place_of(order: Order, row: Mapping[str, Any]) -> Place:
    """Return the place of a row in an order."""
    return tuple([row[name] for name, _ in order])


def is_after(order: Order, place: Place, row: Mapping[str, Any], ahead: str | None = None) -> bool:
    """Tell whether a row comes after a place; ``ahead`` as in :func:`in_order`."""
    if ahead is not None:
        is_ahead = row[order[0][0]] >= ahead
        if is_ahead != (place[0] >= ahead):
            return bool(is_ahead)
    for (name, descending), at, value in zip(order, place, place_of(order, row), strict=True):
        if value == at:
            continue
        if name == "due_date" and (value is None or at is None):
            return value is None
        mine, other = _comparable(name, value), _comparable(name, at)
        return bool(mine < other if descending else mine > other)
    return False


# --- cursors ----------------------------------------------------------------------------------------------------------


def cursor_of(order: Order, place: Place) -> str:
    """Return a place as an opaque text for a person or program; see :func:`place_in`."""
    import base64  # rarely needed

    encoded = json.dumps([_named(order), *place], ensure_ascii=False, separators=(",", ":"))
    return base64.urlsafe_b64encode(encoded.encode()).decode().rstrip("=")


def place_in(order: Order, cursor: object) -> Place:
    """
    Return the place that a cursor names.

    Raises:
        InvalidValueError: It is no cursor, or belongs to another order.
    """
    import base64  # rarely needed

    try:
        if not isinstance(cursor, str):
            raise ValueError
        found = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    except (ValueError, RecursionError):
        raise InvalidValueError("after", "is no cursor; take it from the end of the page before", cursor) from None
    if not isinstance(found, list) or not found or found[0] != _named(order):
        raise InvalidValueError("after", "belongs to a list in another order; begin that list again", cursor)
    place = tuple([values.text("after", each) if isinstance(each, str) else each for each in found[1:]])
    if len(place) != len(order) or not all(map(_fits, order, place)):
        raise InvalidValueError("after", "is no cursor; take it from the end of the page before", cursor)
    return place


def _named(order: Order) -> str:
    return ",".join(("-" if descending else "") + name for name, descending in order)


def _fits(column: tuple[str, bool], value: object) -> bool:
    """Tell whether a value can stand in a column of an order."""
    if column[0] == "priority":
        return isinstance(value, int) and not isinstance(value, bool) and abs(value) < 2**63
    if value is None:
        return column[0] == "due_date"
    return isinstance(value, str)
