"""
Kinds of settings: for each, which values are acceptable, how one is typed, and how it is shown.

A value comes from a program (``timedelta(days=7)``), from TOML (``"7 days"``, ``true``), or as text from a variable or a
command (``7 days``, ``yes``). :meth:`Kind.parse` turns such text into what TOML would have, and :meth:`Kind.take` turns any
of these into the one value that a configuration holds.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from enum import StrEnum
from pathlib import Path
from typing import Any, Final, Protocol

from edda_sync.words import units, values
from edda_sync.words.arguments import can_be_path
from edda_sync.words.errors import InvalidValueError


class Kind(Protocol):
    """
    One kind of setting.

    Attributes:
        wanted: What a value must be, as a phrase that goes on after "must be".
    """

    @property
    def wanted(self) -> str: ...

    def parse(self, text: str) -> Any:
        """Return what TOML would have for a text that a person typed. It is not checked yet."""

    def take(self, value: Any) -> Any:
        """
        Return the value that a configuration holds.

        Raises:
            ValueError: It is not acceptable. Its text is empty, or says why, in place of :attr:`wanted`.
        """

    def text(self, value: Any) -> str:
        """Return a value as a person would type it."""

    def plain(self, value: Any) -> Any:
        """Return a value for JSON: sizes in bytes, durations in seconds."""


class Whole:
    """A whole number from ``least`` to ``most``."""

    def __init__(self, least: int, most: int) -> None:
        self.least, self.most = least, most

    @property
    def wanted(self) -> str:
        return f"a whole number from {self.least:,} to {self.most:,}"

    def parse(self, text: str) -> Any:
        stripped = text.strip()
        return int(stripped) if stripped.removeprefix("-").isdecimal() and len(stripped) < 20 else text

    def take(self, value: Any) -> int:
        if type(value) is not int or not self.least <= value <= self.most:
            raise ValueError
        return value

    def text(self, value: int) -> str:
        return str(value)

    def plain(self, value: int) -> int:
        return value


class Size(Whole):
    """A number of bytes, as a whole number or as a text with a unit."""

    @property
    def wanted(self) -> str:
        least, most = units.size_text(self.least), units.size_text(self.most)
        return f'a size from {least} to {most}, such as "64 MB" or "1 GiB", or a number of bytes'

    def take(self, value: Any) -> int:
        return super().take(units.parse_size(value) if isinstance(value, str) else value)

    def text(self, value: int) -> str:
        return units.size_text(value)


class Duration:
    """A duration from ``least_s`` to ``most_s`` seconds, as a number of seconds or as a text with a unit."""

    def __init__(self, least_s: float, most_s: float) -> None:
        self.least_s, self.most_s = least_s, most_s

    @property
    def wanted(self) -> str:
        least, most = (units.duration_text(timedelta(seconds=each)) for each in (self.least_s, self.most_s))
        return f'a duration from {least} to {most}, such as "30 s" or "7 days", or a number of seconds'

    def parse(self, text: str) -> str:
        return text

    def take(self, value: Any) -> timedelta:
        if isinstance(value, str):
            value = units.parse_duration(value)
        elif type(value) in (int, float) and self.least_s <= value <= self.most_s:
            value = timedelta(seconds=value)
        if not isinstance(value, timedelta) or not self.least_s <= value.total_seconds() <= self.most_s:
            raise ValueError
        return value

    def text(self, value: timedelta) -> str:
        return units.duration_text(value)

    def plain(self, value: timedelta) -> float:
        return value.total_seconds()


class Choice:
    """One of the values of an enum."""

    def __init__(self, of: type[StrEnum]) -> None:
        self.of = of

    @property
    def names(self) -> Sequence[str]:
        """The values, as they are typed."""
        return [each.value for each in self.of]

    @property
    def wanted(self) -> str:
        *first, last = self.names
        return f"{', '.join(first)} or {last}"

    def parse(self, text: str) -> str:
        return text.strip().lower()

    def take(self, value: Any) -> StrEnum:
        if not isinstance(value, str):
            raise ValueError
        return self.of(value) if value in self.names else self._unknown(value)

    def _unknown(self, value: str) -> StrEnum:
        from difflib import get_close_matches

        word = value.lower().replace("_", "-")
        begun = [name for name in self.names if word and name.startswith(word)]
        meant = begun if len(begun) == 1 else get_close_matches(word, self.names, 1)
        raise ValueError(f"{self.wanted}; did you mean {meant[0]}?" if meant else self.wanted)

    def text(self, value: StrEnum) -> str:
        return value.value

    def plain(self, value: StrEnum) -> str:
        return value.value


class Interval(Choice):
    """One of the values of an enum, or a duration."""

    def __init__(self, of: type[StrEnum], duration: Duration) -> None:
        super().__init__(of)
        self.duration = duration

    @property
    def wanted(self) -> str:
        return f"{', '.join(self.names)}, or {self.duration.wanted}"

    def take(self, value: Any) -> Any:
        if isinstance(value, str) and not value[:1].isdigit():
            return super().take(value)
        return self.duration.take(value)

    def text(self, value: Any) -> str:
        return self.duration.text(value) if isinstance(value, timedelta) else value.value

    def plain(self, value: Any) -> Any:
        return self.duration.plain(value) if isinstance(value, timedelta) else value.value


class Flag:
    """Yes or no."""

    @property
    def wanted(self) -> str:
        return "true or false"

    def parse(self, text: str) -> Any:
        return _FLAGS.get(text.strip().lower(), text)

    def take(self, value: Any) -> bool:
        if type(value) is not bool:
            raise ValueError
        return value

    def text(self, value: bool) -> str:
        return "true" if value else "false"

    def plain(self, value: bool) -> bool:
        return value


_FLAGS: Final = {
    "true": True,
    "yes": True,
    "on": True,
    "1": True,
    "false": False,
    "no": False,
    "off": False,
    "0": False,
}


class Location:
    """The path of a file or folder. It stays relative here: who knows from where makes it absolute."""

    @property
    def wanted(self) -> str:
        return "a path"

    def parse(self, text: str) -> str:
        return text

    def take(self, value: Any) -> Path:
        if not isinstance(value, str | Path) or not str(value) or not can_be_path(str(value)):
            raise ValueError
        return Path(value)

    def text(self, value: Path) -> str:
        return str(value)

    def plain(self, value: Path) -> str:
        return str(value)


class Line:
    """One line of text, of which something shows."""

    @property
    def wanted(self) -> str:
        return "one line of text"

    def parse(self, text: str) -> str:
        return text

    def take(self, value: Any) -> str:
        try:
            return values.line("", value)
        except InvalidValueError as error:
            raise ValueError(f"{self.wanted} (it {error.why})") from None

    def text(self, value: str) -> str:
        return value

    def plain(self, value: str) -> str:
        return value
