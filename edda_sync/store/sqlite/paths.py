"""
Paths into JSON columns as SQL expressions.

Queries and indexes take their expressions from here, since SQLite uses an index on an expression only for the very same
expression. A column that another program filled with something else than JSON counts as empty.

Source: https://sqlite.org/json1.html, https://sqlite.org/expridx.html
"""

from __future__ import annotations

from typing import Any, Final

from edda_sync.words.paths import Condition, Path, type_of

_TYPES: Final = {"text": "= 'text'", "number": "IN ('integer', 'real')"}


def expression(path: Path) -> str:
    """Return the expression of the value at a checked path (``words.paths.path``). It has no parameters."""
    return f"CASE WHEN json_valid({path[0]}) THEN json_extract({path[0]}, {_quoted(path)}) END"


def type_expression(path: Path) -> str:
    """Return the expression of the JSON type of the value at a path: ``integer``, ``text``... NULL if there is none."""
    return f"CASE WHEN json_valid({path[0]}) THEN json_type({path[0]}, {_quoted(path)}) END"


def where(condition: Condition) -> tuple[str, list[Any]]:
    """Return a condition as SQL, with its parameters. An index on :func:`expression` serves ``=``, ``<``... as it is."""
    kind = type_expression(condition.path)
    if condition.operator == "exists":
        return f"({kind}) IS NOT NULL", []
    if condition.operator == "missing":
        return f"({kind}) IS NULL", []
    if condition.operator == "!=":
        equal, parameters = where(condition._replace(operator="="))
        return f"NOT coalesce({equal}, 0)", parameters
    wanted = type_of(condition.value)
    if wanted not in _TYPES:
        return f"({kind}) = '{wanted}'", []
    compared = f"({expression(condition.path)}) {condition.operator} ?"
    return f"({compared} AND ({kind}) {_TYPES[wanted]})", [condition.value]


def _quoted(path: Path) -> str:
    """Return the keys of a path as an SQL text. The keys hold no double quote."""
    inner = "".join(f'."{key}"' for key in path[1:])
    return "'$" + inner.replace("'", "''") + "'"
