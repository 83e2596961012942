"""
Paths into JSON columns as SQL expressions.

Queries and indexes take their expressions from here, since SQLite uses an index on an expression only for the very same
expression. A column that another program filled with something else than JSON counts as empty.

Source: https://sqlite.org/json1.html, https://sqlite.org/expridx.html
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from edda_sync.words.clauses import Term, literal
from edda_sync.words.paths import Condition, Path, type_of

if TYPE_CHECKING:
    from edda_sync.words.phrases import Phrase

_TYPES: Final = {"text": "= 'text'", "number": "IN ('integer', 'real')"}
CONTAINS: Final = "edda_contains"
"""The name of ``words.paths.occurs`` in the SQL of our connections."""


def expression(path: Path, of: str = "") -> str:
    """
    Return the expression of the value at a checked path (``words.paths.path``), or in a column. It has no parameters.

    Args:
        path: The path.
        of: What stands before a column, such as ``new.`` in a trigger.
    """
    column = of + path[0]
    if len(path) == 1:
        return column
    return f"CASE WHEN json_valid({column}) THEN json_extract({column}, {_quoted(path)}) END"


def type_expression(path: Path, of: str = "") -> str:
    """Return the expression of the JSON type of the value at a path: ``integer``, ``text``... NULL if there is none."""
    column = of + path[0]
    if len(path) == 1:
        return f"CASE WHEN {column} IS NOT NULL THEN '{'integer' if path[0] == 'priority' else 'text'}' END"
    return f"CASE WHEN json_valid({column}) THEN json_type({column}, {_quoted(path)}) END"


def where(condition: Condition, table: str = "") -> tuple[str, list[Any]]:
    """
    Return a condition as SQL, with its parameters. An index on :func:`expression` serves ``=``, ``<``... as it is.

    Args:
        condition: The condition.
        table: What stands before a column that is itself a text, if others have one of its name.
    """
    of = table if len(condition.path) == 1 else ""
    value, kind = expression(condition.path, of), type_expression(condition.path, of)
    if condition.operator == "exists":
        return f"({kind}) IS NOT NULL", []
    if condition.operator == "missing":
        return f"({kind}) IS NULL", []
    if condition.operator == "!=":
        equal, parameters = where(condition._replace(operator="="), table)
        return f"NOT coalesce({equal}, 0)", parameters
    wanted = type_of(condition.value)
    if condition.operator == "contains":
        return f"(({kind}) {_TYPES[wanted]} AND {CONTAINS}(?, {value}))", [condition.value]
    if wanted not in _TYPES:
        return f"({kind}) = '{wanted}'", []
    compared = f"({value}) {condition.operator} ?"
    return (compared if of else f"({compared} AND ({kind}) {_TYPES[wanted]})"), [condition.value]


def match(words: str) -> str:
    """Return what FTS5 is to look for, for the words of ``contains``."""
    from edda_sync.words.phrases import phrases  # rarely needed

    return matching(phrases("where", words))


def matching(asked: Sequence[Phrase]) -> str:
    """Return a full-text expression. Words contain no quotes, and inside quotes an operator is just a word."""
    return " ".join(f'"{" ".join(each.words)}"{"*" if each.begins else ""}' for each in asked)


def term(one: Term, of: str = "") -> str:
    """Return a term of a where clause as SQL without parameters, for an index, a trigger, or a query that these serve."""
    value, kind = expression(one.path, of), type_expression(one.path, of)
    if not one.values:
        return f"({kind}) IS {'NOT ' if one.operator == 'exists' else ''}NULL"
    choices = []
    for each in one.values:
        wanted, operator = type_of(each), "=" if one.operator == "!=" else one.operator
        same = f"({kind}) {_TYPES[wanted]}" if wanted in _TYPES else f"({kind}) = '{wanted}'"
        compared = f"({value}) {operator} {literal(each)}"
        choices.append(same if wanted not in _TYPES else compared if len(one.path) == 1 else f"{compared} AND {same}")
    either = f"({' OR '.join(f'({each})' for each in choices)})"
    return f"NOT coalesce({either}, 0)" if one.operator == "!=" else either


def _quoted(path: Path) -> str:
    """Return the keys of a path as an SQL text. The keys hold no double quote."""
    inner = "".join(f'."{key}"' for key in path[1:])
    return "'$" + inner.replace("'", "''") + "'"
