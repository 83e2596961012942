"""Arguments that a program passes: each function returns one, or says which type it must have."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from edda_sync.words.errors import InvalidValueError

T = TypeVar("T")
SomePath = str | os.PathLike[str]
"""What a program may pass as a path."""


def of_type(field: str, value: object, kind: type[T] | tuple[type[T], ...], wanted: str) -> T:
    """
    Return a value of a type.

    Args:
        field: Name of the argument, for the error.
        value: What was passed.
        kind: The type, or several of which one will do.
        wanted: What to call it, such as ``an edda.Task``.

    Raises:
        InvalidValueError: It has another type.
    """
    if isinstance(value, kind):
        return value
    raise InvalidValueError(field, f"must be {wanted}, not {_named(value)}", value)


def path(field: str, value: object) -> Path:
    """
    Return a path.

    Raises:
        InvalidValueError: It is none; or it is empty, which would mean the present folder.
    """
    if not isinstance(value, (str, os.PathLike)):
        raise InvalidValueError(field, f"must be a path (text, or a pathlib.Path), not {_named(value)}", value)
    if value == "":
        raise InvalidValueError(field, "is empty; name a file or folder", value)
    if not can_be_path(os.fsdecode(value)):
        raise InvalidValueError(field, "has a NUL character, or half of one, which no path can have", value)
    return Path(value)


def can_be_path(text: str) -> bool:
    """Tell whether the operating system can be asked for a path."""
    try:
        return b"\0" not in os.fsencode(text)
    except UnicodeEncodeError:
        return False


def function(field: str, value: T) -> T:
    """Return what can be called; see :func:`of_type`."""
    if callable(value):
        return value
    raise InvalidValueError(field, f"must be a function, not {_named(value)}", value)


def flag(field: str, value: object) -> bool:
    """Return True or False; see :func:`of_type`."""
    return of_type(field, value, bool, "True or False")


def whole_number(field: str, value: object, most: int) -> int:
    """
    Return a whole number from 0.

    Args:
        field: Name of the argument, for the error.
        value: What was passed.
        most: The largest that is possible.

    Raises:
        InvalidValueError: It is none, or out of range.
    """
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= most:
        return value
    raise InvalidValueError(field, f"must be a whole number from 0 to {most:,}", value)


def several(field: str, value: object) -> tuple[Any, ...]:
    """
    Return one value, or several, as a tuple; none for None.

    Raises:
        InvalidValueError: It is neither a text or number nor a list of such.
    """
    if value is None:
        return ()
    if isinstance(value, (str, int)):
        return (value,)
    if isinstance(value, Iterable) and not isinstance(value, (bytes, Mapping)):
        return tuple(value)
    raise InvalidValueError(field, f"must be one value, or a list of values, not {_named(value)}", value)


def parts(field: str, value: object, count: int, wanted: str) -> tuple[Any, ...]:
    """
    Return a sequence of a fixed length.

    Args:
        field: Name of the argument, for the error.
        value: What was passed.
        count: How many parts it has.
        wanted: What to call it.

    Raises:
        InvalidValueError: It is none, or has another length.
    """
    if isinstance(value, (list, tuple)) and len(value) == count:
        return tuple(value)
    raise InvalidValueError(field, f"must be {wanted}, not {_named(value)}", value)


def kind_of_item(value: object) -> str:
    """
    Return ``task`` or ``document``.

    Raises:
        InvalidValueError: It is another kind.
    """
    if value in ("task", "document"):
        return str(value)
    raise InvalidValueError("kind", "must be task or document", value)


def _named(value: object) -> str:
    """Return what a value is, for an error."""
    if value is None:
        return "None"
    return f"the class {value.__name__}" if isinstance(value, type) else type(value).__name__
