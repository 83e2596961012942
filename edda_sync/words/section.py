"""
Sections of settings: classes like frozen dataclasses, whose fields say what they are, and whose objects know what was given.

``config`` has the sections, ``kinds`` has what their values may be, and ``settings`` makes a table of them.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar, Self, dataclass_transform

from edda_sync.words import arguments
from edda_sync.words.errors import SettingError, UsageError, shown
from edda_sync.words.kinds import Kind


class Field:
    """
    What one field of a section is.

    Attributes:
        default: Its value where nothing else is said.
        about: What it is, for a person: a sentence for a setting, a phrase for a section.
        kind: Which values are acceptable; None for a section.
        section: The class that has further settings; None for a setting.
        key: The name of the section's table in ``config.toml``; empty for a setting.
    """

    def __init__(
        self, default: object, about: str, kind: Kind | None = None, section: type[Section] | None = None, key: str = ""
    ) -> None:
        self.default, self.about, self.kind, self.section, self.key = default, about, kind, section, key


def setting(*, default: Any, kind: Kind, about: str) -> Any:
    """Return a field that one setting fills; see :class:`Field`."""
    return Field(default, about, kind)


def section(*, default: Any, of: type[Section], key: str, about: str) -> Any:
    """Return a field that the settings of a section fill; see :class:`Field`."""
    return Field(default, about, section=of, key=key)


@dataclass_transform(kw_only_default=True, frozen_default=True, field_specifiers=(setting, section))
class Section:
    """
    Settings that belong together. Each value is checked when the section is made, and a SettingError names its key.

    It is like a frozen dataclass, and knows what it was given. It is none, because it takes a command milliseconds to make
    those.

    Attributes:
        place: What stands before the names of its fields in the keys of settings, such as ``cache.``.
        fields: Its fields, by name.
        given: The names of the fields that were given, and not left out or None. The other ones are taken from elsewhere.
    """

    place: ClassVar[str] = ""
    fields: ClassVar[dict[str, Field]] = {}
    given: ClassVar[frozenset[str]] = frozenset()  # each object has its own

    def __init_subclass__(cls) -> None:
        cls.fields = {name: each for name, each in vars(cls).items() if isinstance(each, Field)}

    def __init__(self, **fields: object) -> None:
        if unknown := fields.keys() - self.fields.keys():
            raise TypeError(f"{type(self).__name__} has no field {min(unknown)!r}")
        given = frozenset(name for name, value in fields.items() if value is not None)
        found = {
            name: self._taken(name, fields[name]) if name in given else known.default
            for name, known in self.fields.items()
        }
        self.__dict__.update(found, given=given)
        self._check()

    def _taken(self, name: str, value: object) -> Any:
        key, known = f"{self.place}{name}", self.fields[name]
        if known.kind is not None:
            taken = take(key, known.kind, value)
            return absolute(taken) if isinstance(taken, Path) else taken
        assert known.section is not None, "a field has a kind or a section"
        if not isinstance(value, known.section):
            raise SettingError(key, f"must be of class {known.section.__name__}", value)
        return value

    def _check(self) -> None:
        """Check what no field can say of itself."""

    def changed(self, **fields: Any) -> Self:
        """Return the same settings with some others, or None for defaults. What was not given before stays so."""
        return type(self)(**{name: getattr(self, name) for name in self.given} | fields)

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"{type(self).__name__} cannot be changed; changed({name}=...) returns another one")

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        return all(getattr(self, name) == getattr(other, name) for name in self.fields)

    def __hash__(self) -> int:
        return hash(tuple(getattr(self, name) for name in self.fields))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{name}={getattr(self, name)!r}' for name in sorted(self.given))})"


def take(key: str, kind: Kind, value: object, place: str = "") -> Any:
    """
    Return the value that a configuration holds for what was given.

    Args:
        key: The setting, for errors.
        kind: Its kind.
        value: What was given.
        place: Where, for errors; empty for an argument of the program.

    Raises:
        SettingError: It is not acceptable.
    """
    try:
        return kind.take(value)
    except ValueError as error:
        given = shown(value) if isinstance(value, str) else shown(repr(value))[1:-1]
        wanted = error.args[0] if error.args else kind.wanted
        raise SettingError(key, f"is {given}, and must be {wanted}", value, place) from None


def absolute(path: arguments.SomePath) -> Path:
    """
    Return a path that keeps its meaning when the current folder of the process changes.

    Every path from a caller is passed through this function once, when it is received. ``~`` is the user's home.

    Raises:
        InvalidValueError: It is no path.
        UsageError: There is no current folder, or no such user.
    """
    path = arguments.path("path", path)
    if path.is_absolute():
        return path
    try:
        return path.expanduser().absolute()
    except (OSError, RuntimeError) as error:
        why = getattr(error, "strerror", None) or error
        raise UsageError(f"{path} cannot be found from here ({why}); name it from the root on.") from None
