"""Indexes that a person or program makes: what they are about, and which are possible."""

from __future__ import annotations

import enum
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from edda_sync.words import clauses, limits, paths, values
from edda_sync.words.clauses import Term
from edda_sync.words.errors import InvalidValueError
from edda_sync.words.paths import Path

_NAME: Final = re.compile(r"[a-z][a-z0-9]*([-_][a-z0-9]+)*")
KINDS: Final = ("task", "document")


class IndexType(enum.Enum):
    """How an index finds rows."""

    BTREE = "btree"  # by equality and range, of one or several columns
    HASH = "hash"  # by equality of a long text, of which it holds a few characters
    FULL_TEXT = "full-text"  # by words in texts, beside those of titles, descriptions and contents
    SPATIAL = "spatial"  # by nearness of places


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexConfig:
    """
    An index; see ``IndexManager.create``.

    Attributes:
        name: Small letters, digits and single hyphens.
        columns: Columns of tasks or documents, and paths such as ``metadata.effort``.
        index_type: How it finds rows.
        unique: Whether no two items may have the same values in the columns. Then it is a setting of the workspace.
        where_clause: Which rows it is about (``words.clauses``); None for all.
        on: ``task`` or ``document``.
    """

    name: str
    columns: Sequence[str]
    index_type: IndexType = IndexType.BTREE
    unique: bool = False
    where_clause: str | None = None
    on: str = "task"

    @property
    def paths(self) -> tuple[Path, ...]:
        """The columns as paths; one that is no JSON path is a column by itself."""
        return tuple([clauses.column("columns", self.on, each) for each in self.columns])

    @property
    def terms(self) -> tuple[Term, ...]:
        """The terms of the where clause."""
        return () if self.where_clause is None else clauses.clause("where_clause", self.on, self.where_clause)


def checked(config: IndexConfig) -> IndexConfig:
    """
    Check an index, and return it in its usual form.

    Raises:
        InvalidValueError: There is no such index, for the reason in the error.
    """
    name: object = config.name  # a caller without types may give anything
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise InvalidValueError("name", "must be small letters and digits, with single hyphens between", config.name)
    if len(config.name) > limits.INDEX_NAME_CODE_POINTS_MAX:
        raise InvalidValueError("name", f"is longer than {limits.INDEX_NAME_CODE_POINTS_MAX} characters", config.name)
    if config.on not in KINDS:
        raise InvalidValueError("on", f"must be one of {', '.join(KINDS)}", config.on)
    if not isinstance(config.index_type, IndexType):
        raise InvalidValueError("index_type", "must be a value of IndexType", config.index_type)
    columns = _columns(config)
    config = replace(config, columns=tuple([paths.text_of(each) for each in columns]))
    if config.where_clause is not None:
        config = replace(config, where_clause=clauses.text_of(config.terms))
    _CHECKS[config.index_type](columns)
    if config.unique:
        check_unique(config.index_type, columns, config.terms)
    return config


def check_unique(index_type: IndexType, columns: Sequence[Path], terms: Sequence[Term]) -> None:
    """
    Check what only a unique index must be.

    Where two items clash, the view withholds the value of one of them. So there has to be one that can be withheld, and the
    conditions must depend on nothing else than the item itself, and not come true when a value is withheld.

    Raises:
        InvalidValueError: It cannot be unique.
    """
    if index_type is not IndexType.BTREE:
        raise InvalidValueError("unique", f"is possible with type btree, not {index_type.value}", None)
    if not any(len(each) == 2 for each in columns):
        raise InvalidValueError(
            "columns", "of a unique index must have a key of metadata or agent_context among them, such as metadata.ticket:"
            " where two devices use a value at once, only one item shows it, and each must show its title and status; keep"
            " what is to be unique in a key", None,
        )  # fmt: skip
    for each in columns:
        if len(each) > 2 or (len(each) == 1 and each[0] not in UNIQUE_COLUMNS):
            named = paths.text_of(each)
            instead = f"{paths.text_of(each[:2])} as a whole" if len(each) > 2 else _POSSIBLE
            raise InvalidValueError("columns", f"of a unique index cannot have {named} among them, but {instead}", None)
    for term in terms:
        if len(term.path) == 1 and term.path[0] not in UNIQUE_COLUMNS:
            why = f"of a unique index cannot ask for {term.path[0]}, but for {_POSSIBLE}"
            raise InvalidValueError("where_clause", why, None)
        if len(term.path) > 1 and term.operator in ("!=", "missing"):
            why = f"of a unique index cannot ask for {term.operator} of a key, but for the values that count, or EXISTS"
            raise InvalidValueError("where_clause", why, None)


UNIQUE_COLUMNS: Final = ("title", "status", "priority", "due_date", "doc_type", "content_type")
"""The columns, beside keys, that a unique index may name: those that a single cell of the item decides."""
_POSSIBLE: Final = f"{', '.join(UNIQUE_COLUMNS)}, and keys of metadata and agent_context"


def as_data(config: IndexConfig) -> dict[str, Any]:
    """Return an index as JSON data, which :func:`of_data` reads."""
    return {
        "name": config.name, "on": config.on, "columns": list(config.columns), "type": config.index_type.value,
        "unique": config.unique, "where": config.where_clause,
    }  # fmt: skip


def of_data(data: dict[str, Any]) -> IndexConfig:
    """Return the index of :func:`as_data`."""
    return IndexConfig(
        name=data["name"], on=data["on"], columns=tuple(data["columns"]), index_type=IndexType(data["type"]),
        unique=data["unique"], where_clause=data["where"],
    )  # fmt: skip


def _columns(config: IndexConfig) -> tuple[Path, ...]:
    given: object = config.columns
    if isinstance(given, str) or not isinstance(given, Sequence) or not all(isinstance(each, str) for each in given):
        raise InvalidValueError("columns", "must be a list of names", given)
    if not 0 < len(given) <= limits.INDEX_COLUMNS_MAX:
        raise InvalidValueError("columns", f"must be 1 to {limits.INDEX_COLUMNS_MAX} names", given)
    found = replace(config, columns=[values.line("columns", each, code_points_max=1_000) for each in given]).paths
    if len(set(found)) < len(found):
        raise InvalidValueError("columns", "names a column twice", given)
    return found


def _check_btree(columns: Sequence[Path]) -> None:
    pass


def _check_hash(columns: Sequence[Path]) -> None:
    if len(columns) != 1 or not is_text(columns[0]):
        raise InvalidValueError(
            "columns", "of a hash index must be one text: title, description, content, or a key", columns
        )


def _check_texts(columns: Sequence[Path]) -> None:
    if not all(map(is_text, columns)):
        raise InvalidValueError(
            "columns", "of a full-text index must be texts: title, description, content, or keys", None
        )


def _check_place(columns: Sequence[Path]) -> None:
    if len(columns) != 1 or len(columns[0]) < 2:
        raise InvalidValueError(
            "columns",
            "of a spatial index must be one key with an object of lat and lon, such as metadata.location",
            None,
        )


def is_text(path: Path) -> bool:
    """Tell whether a text may stand at a path."""
    return len(path) > 1 or path[0] in paths.TEXT_COLUMNS


_CHECKS: Final = {
    IndexType.BTREE: _check_btree,
    IndexType.HASH: _check_hash,
    IndexType.FULL_TEXT: _check_texts,
    IndexType.SPATIAL: _check_place,
}
