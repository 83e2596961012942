"""
Unique indexes: settings of the workspace, each a cell ``unique.NAME`` of the workspace entity.

Its value is a record of what the index is about; None drops the index. Which entities it concerns, and what each of them
*claims*, depends on the entity alone, so every device finds the same clashes; ``fold.uniques`` says what is shown then.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from functools import lru_cache
from hashlib import blake2b
from typing import Any, Final, NamedTuple

import msgspec

from edda_sync.crdt import ext as exts
from edda_sync.crdt.ext import Ext
from edda_sync.words import clauses, limits, paths, values
from edda_sync.words.clauses import Term
from edda_sync.words.errors import CorruptError, InvalidValueError
from edda_sync.words.indexes import IndexConfig, checked
from edda_sync.words.paths import Path

GROUP: Final = "unique."
VALUE_BYTES: Final = 16
Value = Callable[[str], Any]
"""Returns the visible value of a cell of an entity; None if there is none."""
_DEFAULTS: Final = {
    "title": values.TITLE_DEFAULT, "status": values.STATUS_DEFAULT, "priority": values.PRIORITY_DEFAULT,
    "content_type": values.CONTENT_TYPE_DEFAULT, "doc_type": values.DOC_TYPE_DEFAULT,
}  # fmt: skip


class UniqueRecord(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """
    The value of a cell ``unique.NAME``.

    Attributes:
        on: ``task`` or ``document``.
        columns: Columns and paths, as ``paths.text_of`` writes them.
        where: The clause, as ``clauses.text_of`` writes it; None for all entities of the kind.
        ext: Room to grow.
    """

    on: str
    columns: tuple[str, ...]
    where: str | None
    ext: Ext = exts.NONE


class Unique(NamedTuple):
    """
    A unique index.

    Attributes:
        name: Its name.
        on: The kind of the entities.
        columns: Their columns and paths whose values together are unique.
        terms: Which entities it is about.
        withheld: The cell whose value is not shown where two entities clash: the last key among the columns.
    """

    name: str
    on: str
    columns: tuple[Path, ...]
    terms: tuple[Term, ...]
    withheld: str

    @property
    def names(self) -> list[str]:
        """The columns as people write them."""
        return [paths.text_of(each) for each in self.columns]


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(UniqueRecord).decode


def encode(config: IndexConfig) -> bytes:
    """Return a checked index as the value of a cell."""
    return _encode(UniqueRecord(config.on, tuple(config.columns), config.where_clause))


def decode(name: str, value: Any) -> IndexConfig:
    """
    Return the index in the value of a cell.

    Args:
        name: The index's name, which is that of the cell without its group.
        value: The value.

    Raises:
        InvalidValueError: There is no such index, or it is not written in its usual form.
    """
    if not isinstance(value, bytes) or len(value) > limits.UNIQUE_BYTES_MAX:
        raise InvalidValueError("unique", "is no record of an index", None)
    try:
        record = _decode(value)
    except (ValueError, RecursionError) as error:
        raise InvalidValueError("unique", str(error), None) from None
    if not exts.is_canonical(record.ext) or not exts.is_understood(record.ext, ()):
        raise InvalidValueError("unique", "has extensions that cannot be ignored, or out of order", None)
    given = IndexConfig(name=name, columns=record.columns, unique=True, where_clause=record.where, on=record.on)
    if checked(given) != given:
        raise InvalidValueError("unique", "is not in its usual form", None)
    return given


def check_cell(name: str, value: Any) -> None:
    """
    Check a write of a cell ``unique.NAME``.

    Raises:
        InvalidValueError: The name or the value is not acceptable.
    """
    decode(name, encode(_ANY) if value is None else value)


_ANY: Final = IndexConfig(name="any", columns=("metadata.a",))


@lru_cache(maxsize=256)
def unique(name: str, value: bytes) -> Unique:
    """
    Return the unique index in a cell that was checked.

    Raises:
        CorruptError: It has changed since.
    """
    try:
        config = decode(name, value)
    except InvalidValueError:
        raise CorruptError(f"The unique index {name}") from None
    columns = config.paths
    key = [each for each in columns if len(each) == 2][-1]
    return Unique(name, config.on, columns, config.terms, ".".join(key))


def in_effect(written: Mapping[str, Any]) -> dict[str, bytes]:
    """
    Return the records of the unique indexes that count, by name: the first ``limits.UNIQUE_MAX`` of them.

    Args:
        written: The visible values of the cells ``unique.NAME`` of the workspace, by name.
    """
    there = sorted(name for name, value in written.items() if value is not None)
    return {name: written[name] for name in there[: limits.UNIQUE_MAX]}


def claim(index: Unique, value: Value) -> bytes | None:
    """
    Return what an entity claims: a hash of its values in the columns; None if one is missing, or the index is not about it.

    Values are compared as conditions do (``words.paths``): 1 and 1.0 are the same, 1 and the text "1" are not.

    Args:
        index: The index.
        value: Reads the cells of a visible entity of the index's kind.
    """
    claimed = []
    for path in index.columns:
        found = _value(path, value)
        if found is None:
            return None
        claimed.append(_normal(found))
    if index.terms and not all(clauses.holds(each, _row(each.path, value)) for each in index.terms):
        return None
    encoded = json.dumps(claimed, ensure_ascii=False, separators=(",", ":")).encode()
    return blake2b(encoded, digest_size=VALUE_BYTES, person=b"edda-unique").digest()


def shown(index: Unique, value: Value) -> tuple[Any, ...]:
    """Return the values of an entity in the columns, for people."""
    return tuple([_value(path, value) for path in index.columns])


def _value(path: Path, value: Value) -> Any:
    if len(path) > 1:
        held = value(f"{path[0]}.{path[1]}")
        return None if held is None else values.parse_json(path[0], held)
    held = value(path[0])
    if held is None:
        return _DEFAULTS.get(path[0])
    return held[0] if isinstance(held, list) else held  # a status with its time


def _row(path: Path, value: Value) -> dict[str, Any]:
    """Return what ``clauses.holds`` needs of a row for a term on a path."""
    found = _value(path[:2], value)
    if len(path) == 1:
        return {path[0]: found}
    return {path[0]: {} if value(f"{path[0]}.{path[1]}") is None else {path[1]: found}}


def _normal(value: Any) -> Any:
    """Return the type of a value, and the value in a form that equal ones share."""
    kind = paths.type_of(value) if not isinstance(value, (dict, list)) else "json"
    if kind == "number":
        number = paths.number(value)
        return kind, int(number) if isinstance(number, float) and number.is_integer() else number
    return kind, values.json_value("unique", value) if kind == "json" else value
