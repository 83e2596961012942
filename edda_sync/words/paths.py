"""
Paths into the JSON of ``metadata`` and ``agent_context``, and typed conditions on what stands there.

A path names a column, a key of it, and keys of the objects inside: ``metadata.estimate``, ``metadata.location.lat``. A key
that contains a dot is quoted: ``metadata."source.id"``. In Python, a tuple of keys may be given as well. ``title``,
``description`` and ``content`` are paths, too: those of a column that is itself a text.

A condition compares values of one type only: the number 3 is not the text "3", and ``true`` is not 1.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from edda_sync.words import limits, values
from edda_sync.words.errors import InvalidValueError

if TYPE_CHECKING:
    from edda_sync.words.phrases import Phrase

Path = tuple[str, ...]
"""A column and the keys below it."""

JSON_COLUMNS: Final = ("metadata", "agent_context")
TEXT_COLUMNS: Final = ("title", "description", "content")
OPERATORS: Final = ("=", "!=", "<", "<=", ">", ">=", "contains", "exists", "missing")
_ORDERING: Final = {"<", "<=", ">", ">="}
_PART: Final = re.compile(r'"([^"\\\x00-\x1f]+)"|([^."\\\x00-\x1f]+)')
_UNNAMED: Final = re.compile(r'["\\\x00-\x1f]')  # what no path of SQLite can name in every version
_WHOLE_END: Final = 2**63  # JSON numbers beyond this are read as floating point, as SQLite reads them


class Condition(NamedTuple):
    """
    A condition on the value at a path.

    Attributes:
        path: Where the value stands.
        operator: One of :data:`OPERATORS`. ``!=`` also holds where there is no value; ``contains`` looks for words in a
            text, as ``TaskQuery.text`` does.
        value: Text, a number, a truth value or None (JSON's ``null``); None for ``exists`` and ``missing``.
    """

    path: Path
    operator: str
    value: str | int | float | bool | None


class _Missing:
    """What stands where nothing stands."""


MISSING: Final = _Missing()


def path(field: str, given: object) -> Path:
    """
    Return a path from text or a sequence of keys.

    Args:
        field: What to call it in an error.
        given: ``metadata.KEY``, or ``("metadata", "KEY")``; or ``title``, ``description`` or ``content``.

    Raises:
        InvalidValueError: It names no text, and no key of ``metadata`` or ``agent_context``.
    """
    parts = _split(given) if isinstance(given, str) else given
    if isinstance(parts, (list, tuple)) and len(parts) == 1 and parts[0] in TEXT_COLUMNS:
        return (parts[0],)
    if not isinstance(parts, Sequence) or isinstance(parts, str) or len(parts) < 2 or parts[0] not in JSON_COLUMNS:
        raise InvalidValueError(
            field, 'must be metadata.KEY or agent_context.KEY; quote a key with a dot: "a.b"', given
        )
    if len(parts) > limits.JSON_DEPTH_MAX:
        raise InvalidValueError(field, f"is deeper than {limits.JSON_DEPTH_MAX} levels", None)
    for key in parts[1:]:
        if _UNNAMED.search(values.key(field, key)):
            raise InvalidValueError(field, "names a key with a quote, backslash or control character", given)
    return tuple(parts)


def _split(text: str) -> list[str]:
    """Return the parts of a dotted path; nothing if it is malformed."""
    parts, at = [], 0
    while match := _PART.match(text, at):
        parts.append(match[1] or match[2])
        at = match.end()
        if at == len(text):
            return parts
        if text[at] != ".":
            break
        at += 1
    return []


def text_of(named: Path) -> str:
    """Return the text that :func:`path` reads as this path."""
    return ".".join([named[0], *(f'"{key}"' if "." in key else key for key in named[1:])])


def condition(field: str, given: object) -> Condition:
    """
    Return a checked condition from a triple of path, operator and value; a pair for ``exists`` and ``missing``.

    Raises:
        InvalidValueError: The path, the operator or the value is not acceptable.
    """
    if isinstance(given, str) or not isinstance(given, Sequence) or not 2 <= len(given) <= 3:
        raise InvalidValueError(field, "must be a path, an operator and a value", given)
    named, operator, value = path(field, given[0]), given[1], given[2] if len(given) == 3 else None
    if operator not in OPERATORS:
        raise InvalidValueError(field, f"must compare by one of {', '.join(OPERATORS)}", operator)
    if (len(given) == 2) != (operator in ("exists", "missing")):
        raise InvalidValueError(
            field, f"must {'have a' if len(given) == 2 else 'have no'} value after {operator}", given
        )
    if operator == "contains":
        _asked(value)
    if value is not None and not isinstance(value, (str, int, float)):
        raise InvalidValueError(field, "compares with text, a number, true, false or null", value)
    if operator in _ORDERING and (value is None or isinstance(value, bool)):
        raise InvalidValueError(
            field, f"has an order only for text and numbers, so {operator} needs one of them", value
        )
    if isinstance(value, str):
        value = values.text(field, value, bytes_max=limits.JSON_BYTES_MAX)
    else:
        values.json_value(field, value)  # refuses what JSON cannot write
        value = number(value)
    return Condition(named, operator, value)


@lru_cache(maxsize=256)  # the same words are looked for in one row after another
def _asked(words: str) -> tuple[Phrase, ...]:
    from edda_sync.words.phrases import phrases  # rarely needed

    return phrases("where", words)


def occurs(words: str, text: object) -> bool:
    """Tell whether a text contains words, as ``contains`` asks; nothing else than a text does."""
    from edda_sync.words.phrases import occurrences  # rarely needed

    return isinstance(text, str) and occurrences(_asked(words), (text,)) > 0


def number(value: Any) -> Any:
    """Return a number of JSON as it is compared: floating point if it is beyond 64 bits. Other values stay."""
    return float(value) if type(value) is int and not -_WHOLE_END <= value < _WHOLE_END else value


def type_of(value: object) -> str:
    """Return the JSON type of a condition's value: ``text``, ``number``, ``true``, ``false`` or ``null``."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    return "text" if isinstance(value, str) else "number"


# --- over rows in memory: for the memory store, for live queries, and for what a transaction has not committed yet ---


def value_at(row: Mapping[str, Any], named: Path) -> Any:
    """
    Return the value at a path; :data:`MISSING` if there is none.

    Args:
        row: The columns of an item by name. A JSON column is text, or already read.
        named: The path.
    """
    if len(named) == 1:
        text = row.get(named[0])
        return MISSING if text is None else text
    held = row[named[0]]
    if isinstance(held, (str, bytes)):
        try:
            held = json.loads(held)
        except ValueError:  # another program wrote it
            return MISSING
    for key in named[1:]:
        if not isinstance(held, dict) or key not in held:
            return MISSING
        held = held[key]
    return held


def holds(each: Condition, row: Mapping[str, Any]) -> bool:
    """Tell whether a condition holds for a row; see :func:`value_at`."""
    value = value_at(row, each.path)
    if each.operator in ("exists", "missing"):
        return (value is MISSING) == (each.operator == "missing")
    if each.operator == "!=":
        return not _is_equal(value, each.value)
    if each.operator == "=":
        return _is_equal(value, each.value)
    if each.operator == "contains":
        return occurs(str(each.value), value)
    if isinstance(value, (dict, list)) or value is MISSING or type_of(value) != type_of(each.value):
        return False
    value = number(value)
    if each.operator[0] == "<":
        return bool(value < each.value or (each.operator == "<=" and value == each.value))
    return bool(value > each.value or (each.operator == ">=" and value == each.value))


def _is_equal(value: Any, other: Any) -> bool:
    if isinstance(value, (dict, list)) or value is MISSING or type_of(value) != type_of(other):
        return False
    return bool(number(value) == other)
