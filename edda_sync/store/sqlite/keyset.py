"""
Keyset paging in SQL: the rows after a place in an order. Rows that come and go before the place change nothing.

Source: the "seek method", Markus Winand, https://use-the-index-luke.com/no-offset
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from edda_sync.words.order import Order, Place, title_key


def after(order: Order, place: Place, column: Callable[[str], str]) -> tuple[str, list[Any]]:
    """
    Return the SQL condition that a row comes after a place, with its parameters.

    Args:
        order: The order.
        place: The place.
        column: Returns the SQL expression of a column.
    """
    names = [name for name, _ in order]
    place = tuple([title_key(value) if name == "title" else value for name, value in zip(names, place, strict=True)])
    if "due_date" not in names and len({descending for _, descending in order}) == 1:
        sign, marks = "<" if order[0][1] else ">", ", ".join("?" * len(order))
        return f"({', '.join(map(column, names))}) {sign} ({marks})", list(place)
    choices, parameters = [], list[Any]()
    for at, (name, descending) in enumerate(order):
        value = place[at]
        if value is None:
            continue  # NULLs are last: nothing in this column comes after one
        further = f"{column(name)} {'<' if descending else '>'} ?"
        if name == "due_date":
            further = f"({further} OR {column(name)} IS NULL)"
        same = [f"{column(earlier)} IS ?" for earlier in names[:at]]
        choices.append(" AND ".join([*same, further]))
        parameters += [*place[:at], value]
    first, value = order[0], place[0]
    bound = []
    if first[0] != "due_date" and value is not None:  # lets an index in this order begin at the place
        bound = [f"{column(first[0])} {'<=' if first[1] else '>='} ? AND "]
        parameters.insert(0, value)
    return f"({''.join(bound)}({' OR '.join(choices)}))", parameters
