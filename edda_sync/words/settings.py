"""
The table of all settings, made from the fields of :class:`~edda_sync.words.config.StorageConfig`.

The key of a setting is its name in ``config.toml``, where a dot begins a table: ``cache.max_size``. Its variable is
``EDDA_`` with the key in capitals, and with ``_`` for each dot: ``EDDA_CACHE_MAX_SIZE``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, Final, TypeVar

from edda_sync.words.config import StorageConfig
from edda_sync.words.errors import SettingError
from edda_sync.words.kinds import Kind
from edda_sync.words.section import Section

S = TypeVar("S", bound=Section)

PREFIX: Final = "EDDA_"
OTHER_VARIABLES: Final[Mapping[str, str]] = {
    "EDDA_HOME": "The store's folder, as `--home`.",
    "EDDA_AGENT": "Who does this, if not you, as `--agent`.",
    "EDDA_REASON": "Why, for the history, as `--reason`.",
    "EDDA_KEYRING": "`off`: the device's key is kept in a file, and not in the system's keyring.",
    "EDDA_STATE": "As `state_path`.",
    "EDDA_PASSPHRASE_FILE": "A file with the passphrase of an encrypted store.",
    "EDDA_NEW_PASSPHRASE_FILE": "A file with the passphrase that is to replace it.",
    "EDDA_KEY_FILE": "Where the file with the key of an encrypted store is now, if it was moved.",
}
"""Variables that are read without this table."""
_OWN_VARIABLES: Final = {"state_path": "EDDA_STATE"}  # it is older than the scheme


@dataclass(frozen=True, slots=True)
class Setting:
    """
    One setting.

    Attributes:
        key: Its name, such as ``cache.max_size``.
        kind: Which values are acceptable.
        default: Its value where nothing else is said.
        about: What it is, as a sentence.
        fields: The names of the fields that lead to it from the configuration.
    """

    key: str
    kind: Kind
    default: Any
    about: str
    fields: tuple[str, ...]

    @property
    def variable(self) -> str:
        """The variable that sets it."""
        return _OWN_VARIABLES.get(self.key) or PREFIX + self.key.replace(".", "_").upper()

    def value(self, config: StorageConfig) -> Any:
        """Return its value in a configuration; None if its section is left out there."""
        found: Any = config
        for name in self.fields:
            found = None if found is None else getattr(found, name)
        return found


def _walk(section: type[Section], before: str, path: tuple[str, ...]) -> Iterator[Setting]:
    for name, field in section.fields.items():
        if field.kind is not None:
            yield Setting(f"{before}{name}", field.kind, field.default, field.about, (*path, name))
        elif field.section is not None:
            yield from _walk(field.section, f"{before}{field.key}.", (*path, name))


SETTINGS: Final[Mapping[str, Setting]] = {each.key: each for each in _walk(StorageConfig, "", ())}
"""All settings by key, in the order of the fields."""
VARIABLES: Final[Mapping[str, Setting]] = {each.variable: each for each in SETTINGS.values()}
"""All settings by variable."""
TABLES: Final[frozenset[str]] = frozenset(
    ".".join(parts[:end]) for parts in (key.split(".") for key in SETTINGS) for end in range(1, len(parts))
)
"""The names of the tables in ``config.toml``, such as ``backup.retention``."""


def build(values: Mapping[str, Any]) -> StorageConfig:
    """
    Return a configuration from the values of settings, by key.

    A table's key, with any value, says that its section is wanted, even if it is empty. A section of which nothing is said
    is left out.

    Raises:
        SettingError: Values do not fit each other.
    """
    return _build(StorageConfig, values, "")


def _build(section: type[S], values: Mapping[str, Any], before: str) -> S:
    found: dict[str, Any] = {}
    for name, field in section.fields.items():
        if field.section is None:
            found[name] = values.get(f"{before}{name}")
        else:
            table = f"{before}{field.key}"
            inner = _build(field.section, values, f"{table}.")
            found[name] = inner if inner.given or table in values else None
    return section(**found)


def given(section: Section, before: str = "") -> Iterator[tuple[str, Any]]:
    """Yield what a configuration says: the keys of settings with their values. :func:`build` makes the same of them."""
    for name, field in section.fields.items():
        if name in section.given:
            value = getattr(section, name)
            if field.section is None:
                yield f"{before}{name}", value
            else:
                yield f"{before}{field.key}", True
                yield from given(value, f"{before}{field.key}.")


def nearest(name: str, known: Iterable[str] = SETTINGS) -> str:
    """Return the name that was most likely meant; empty if none is near."""
    names = [*known]
    word = name.lower()
    ends = [each for each in names if each.lower().endswith((f".{word}", f"_{word}"))]
    if len(ends) == 1:
        return ends[0]
    found = get_close_matches(word, [each.lower() for each in names], 1, 0.6)
    return next((each for each in names if found and each.lower() == found[0]), "")


def no_setting(key: str, value: object, place: str = "") -> SettingError:
    """Return the error for a key that is none, with the nearest one that is."""
    if key in TABLES:
        inner = [each for each in SETTINGS if each.startswith(f"{key}.")]
        return SettingError(key, f"has no value of its own; its settings are {', '.join(inner)}", value, place)
    meant = nearest(key, [*SETTINGS, *TABLES])
    advice = f"did you mean {meant}?" if meant else "`edda config show` lists those that exist"
    return SettingError(key, f"is no setting; {advice}", value, place)
