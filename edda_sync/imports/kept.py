"""
Kept: what no field of a task holds as it is written in a source goes into the task's metadata, so that nothing is lost.

The key is ``SOURCE.KEY``. Each dependency has a key of its own, ``SOURCE.dependency.TYPE.ID``, so that two devices that
add one each keep both. A value that JSON cells cannot hold (too deep, half a character) is kept as its JSON text,
``SOURCE.KEY:json``, and a key that metadata cannot hold together with its value, ``SOURCE.key:HASH``.
"""

from __future__ import annotations

import json
from collections.abc import Container
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any, Final

from edda_sync.words import values
from edda_sync.words.errors import InvalidValueError
from edda_sync.words.model import Task

_DEPENDENCY: Final = "dependency."
_KEYED: Final = "key:"  # the value is an object of the one key and value
_ESCAPED: Final = ":json"  # the value is JSON text
_PREFIXES: Final = (_DEPENDENCY, _KEYED)
_EMPTY: Final[tuple[object, ...]] = (None, "", [], {})  # of these nothing is told


@dataclass(slots=True)
class Mapped:
    """
    A task made of what a source calls a task.

    Attributes:
        source: Name of the source, which begins the keys in metadata.
        task: The task.
        fields: Which keys of the source a field of the task holds.
        kept: What went into metadata since no field holds it; of what is empty it is not told.
        nearly: What a field holds as near as it can, and metadata as it was.
    """

    source: str
    task: Task
    fields: Container[str] = ()
    kept: list[str] = field(default_factory=list)
    nearly: list[str] = field(default_factory=list)

    def keep(self, key: str, value: Any, called: str | None = None) -> None:
        """
        Keep a value that no field holds as it is written there.

        Args:
            key: Its key in the source; one that could be mistaken for something else is kept with the value. One that was
                kept before gets a number.
            value: What it was.
            called: What reports call it; its key otherwise.
        """
        if value not in _EMPTY:
            (self.nearly if key in self.fields else self.kept).append(called or key)
        number, numbered = 1, key
        while self.task.metadata.keys() & {name := self._name(numbered), name + _ESCAPED}:
            number += 1
            numbered = f"{key} {number}"
        self._write(name, value if name == f"{self.source}.{numbered}" else {key: value})

    def keep_dependency(self, kind: str, other: str, value: Any, *, is_parent: bool = False) -> None:
        """
        Keep a dependency under a key of its own; a second one of the same type and task gets a sign more.

        Args:
            kind: Its type.
            other: Id in the source of the task on which this one depends.
            value: What the source says of it.
            is_parent: Whether it is the task's parent, too.
        """
        (self.nearly if is_parent else self.kept).append("parent" if is_parent else f"dependency {kind}")
        name = f"{self.source}.{_DEPENDENCY}{kind}.{other}"
        if not _is_key(name):
            name = f"{self.source}.{_DEPENDENCY}{_short_hash(name)}"
        while self.task.metadata.keys() & {name, name + _ESCAPED}:
            name += "+"
        self._write(name, value)

    def tag(self, name: object) -> bool:
        """Tag the task; tell whether that was possible and the tag tells the name as it is written."""
        try:
            tag = values.line("tags", name)
        except InvalidValueError:
            return False
        self.task.tags.add(tag)
        return True

    def _name(self, key: str) -> str:
        name = f"{self.source}.{key}"
        is_plain = _is_key(name) and not key.startswith(_PREFIXES) and not key.endswith(_ESCAPED)
        return name if is_plain else f"{self.source}.{_KEYED}{_short_hash(key)}"

    def _write(self, name: str, value: Any) -> None:
        try:
            values.json_value("metadata", value)
        except InvalidValueError:
            name, value = f"{name}{_ESCAPED}", json.dumps(value)
            values.json_value("metadata", value)
        self.task.metadata[name] = value


def _is_key(name: str) -> bool:
    try:
        values.key("metadata", name + _ESCAPED)
    except InvalidValueError:
        return False
    return True


def _short_hash(text: str) -> str:
    return blake2b(json.dumps(text).encode(), digest_size=8, person=b"edda-beads").hexdigest()
