"""
Where clauses: which rows an index is about, as a person writes it; such as ``status = 'open' AND metadata.effort >= 3``.

A clause is one term, or several with ``AND`` between them. A term compares a column, or a path of ``words.paths``, with a
text in single quotes (a quote in it is doubled), a number, ``true`` or ``false``, by ``=``, ``!=``, ``<``, ``<=``, ``>`` or
``>=``; asks for one of several values, ``status IN ('open', 'in_progress')``; or asks whether there is a value, ``EXISTS``
or ``MISSING``, which may be written ``IS NOT NULL`` and ``IS NULL``. It is never handed to a database as it was typed.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from edda_sync.words import limits, paths, values
from edda_sync.words.errors import InvalidValueError
from edda_sync.words.model import COLUMNS
from edda_sync.words.paths import Condition, Path

Value = str | int | float | bool
_TOKEN: Final = re.compile(
    r"""(?a)\s*(?:(?P<text>'(?:[^']|'')*')|(?P<number>-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)(?![\w.])|(?P<sign><=|>=|!=|<>|=|<|>)"""
    r"""|(?P<mark>[(),])|(?P<name>(?:[^\s'"(),<>=!]|"[^"]*")+))"""
)
_PLAIN_KEY: Final = re.compile(r"""(?a)[^\s'"(),<>=!.]+""")  # what a name holds without quotes
_TIMES: Final = ("created_at", "updated_at", "completed_at", "due_date")
_NULL: Final = {"exists": "EXISTS", "missing": "MISSING"}


class Term(NamedTuple):
    """
    A condition of a clause.

    Attributes:
        path: A path, or a column by itself.
        operator: One of ``paths.OPERATORS``, but not ``contains``.
        values: What it compares with: several for ``IN``, which is ``=`` with one of them; none for ``exists``, ``missing``.
    """

    path: Path
    operator: str
    values: tuple[Value, ...]


def clause(field: str, kind: str, text: str) -> tuple[Term, ...]:
    """
    Read a clause about rows of a kind.

    Args:
        field: What to call it in an error.
        kind: ``task`` or ``document``.
        text: The clause.

    Raises:
        InvalidValueError: It is malformed, or names what such rows do not have.
    """
    reading = _Reading(field, kind, values.line(field, text, code_points_max=limits.CLAUSE_CODE_POINTS_MAX))
    return reading.terms()


def column(field: str, kind: str, name: str) -> Path:
    """
    Return the path that a name stands for: a column of a kind's rows by itself, or a path of ``words.paths``.

    Raises:
        InvalidValueError: There is no such column.
    """
    if name in COLUMNS[kind] and name not in paths.JSON_COLUMNS:
        return (name,)
    if name.partition(".")[0] in paths.JSON_COLUMNS:
        return paths.path(field, name)
    known = [*(each for each in COLUMNS[kind] if each not in paths.JSON_COLUMNS), "metadata.KEY", "agent_context.KEY"]
    raise InvalidValueError(field, f"names {name}, which a {kind} does not have; it has {', '.join(known)}", name)


def text_of(terms: tuple[Term, ...]) -> str:
    """Return the clause that :func:`clause` reads as these terms, in its usual form."""
    return " AND ".join(_text_of(each) for each in terms)


def _text_of(term: Term) -> str:
    name = ".".join([term.path[0], *(key if _PLAIN_KEY.fullmatch(key) else f'"{key}"' for key in term.path[1:])])
    if term.operator in _NULL:
        return f"{name} {_NULL[term.operator]}"
    written = [literal(each) for each in term.values]
    return f"{name} {term.operator} {written[0]}" if len(written) == 1 else f"{name} IN ({', '.join(written)})"


def literal(value: Value) -> str:
    """Return a value as a clause writes it, which is also how SQL writes a text and a number."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return "'" + value.replace("'", "''") + "'" if isinstance(value, str) else repr(value)


def holds(term: Term, row: Mapping[str, Any]) -> bool:
    """Tell whether a term holds for a row; see ``paths.value_at``."""
    if not term.values:
        return paths.holds(Condition(term.path, term.operator, None), row)
    return any(paths.holds(Condition(term.path, term.operator, each), row) for each in term.values)


class _Reading:
    """Reads one clause from left to right."""

    def __init__(self, field: str, kind: str, text: str) -> None:
        self._field, self._kind, self._text, self._at = field, kind, text, 0

    def terms(self) -> tuple[Term, ...]:
        found = [self._term()]
        while self._at < len(self._text.rstrip(" ")):
            self._word("AND")
            found.append(self._term())
        return tuple(found)

    def _term(self) -> Term:
        name = self._next("name", "the name of a column")
        path = column(self._field, self._kind, name)
        what, written = self._token("what is compared")
        word = written.upper()
        if what == "sign":
            operator = "!=" if written == "<>" else written
            return Term(path, operator, (self._value(path, operator),))
        if word in _NULL.values():
            return Term(path, word.lower(), ())
        if word == "IS":
            negated = self._peek("NOT")
            if negated:
                self._word("NOT")
            self._word("NULL")
            return Term(path, "exists" if negated else "missing", ())
        if word == "IN":
            self._word("(")
            found = [self._value(path, "=")]
            while self._peek(","):
                self._word(",")
                found.append(self._value(path, "="))
            self._word(")")
            return Term(path, "=", tuple(dict.fromkeys(found)))
        raise self._error(f"compares by =, !=, <, <=, >, >=, IN, EXISTS or MISSING, not by {written}")

    def _value(self, path: Path, operator: str) -> Value:
        what, written = self._token("a value")
        name, value = paths.text_of(path), self._literal(what, written)
        if len(path) > 1:
            checked = paths.condition(self._field, (path, operator, value)).value
            assert checked is not None, "there is no NULL among the values"
            return checked
        if path == ("priority",):
            if type(value) is not int:
                raise self._error(f"compares {name} with {written}; it is a number, without quotes")
            return value
        if not isinstance(value, str):
            raise self._error(f"compares {name} with {written}; it is a text, in single quotes")
        if path == ("status",):
            return values.status(value)
        return values.time(self._field, value) if name in _TIMES else value

    def _literal(self, what: str, written: str) -> Value:
        if what == "text":
            return written[1:-1].replace("''", "'")
        if what == "number":
            return int(written) if re.fullmatch(r"-?\d{1,600}", written) else float(written)
        if written.lower() in ("true", "false"):
            return written.lower() == "true"
        raise self._error(f"needs a number, true, false, or a text in single quotes, not {written}")

    def _token(self, wanted: str) -> tuple[str, str]:
        match = _TOKEN.match(self._text, self._at)
        if match is None or match.lastgroup is None:
            rest = self._text[self._at :].strip()
            raise self._error(f"lacks {wanted} at its end" if not rest else f"cannot be read from {rest[:40]!r} on")
        self._at = match.end()
        return match.lastgroup, match[match.lastgroup]

    def _next(self, what: str, wanted: str) -> str:
        found, written = self._token(wanted)
        if found != what:
            raise self._error(f"needs {wanted} instead of {written}")
        return written

    def _peek(self, word: str) -> bool:
        match = _TOKEN.match(self._text, self._at)
        return match is not None and match.lastgroup is not None and match[match.lastgroup].upper() == word

    def _word(self, word: str) -> None:
        _, written = self._token(word)
        if written.upper() != word:
            raise self._error(f"needs {word} instead of {written}")

    def _error(self, why: str) -> InvalidValueError:
        return InvalidValueError(self._field, why, self._text)
