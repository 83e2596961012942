"""
Credentials of object stores: what each kind needs, and how it is had from the usual variables or from a person.

They are never part of an address, an error, a log or an answer: :class:`Credentials` does not show them even when it is
printed.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, NamedTuple

from edda_sync.backup.targets.place import AZURE, GOOGLE, S3
from edda_sync.words.asking import Ask
from edda_sync.words.errors import InvalidValueError, UsageError

_CHARACTERS_MAX: Final = 16_384  # a service account's key file has some 2,400; a session token may have 4,096


class Field(NamedTuple):
    """
    A part of the credentials of one kind of place.

    Attributes:
        name: What it is called here.
        label: What a person is asked for.
        variables: The usual variables, the first that is set wins.
        is_needed: Whether there is no access without it. Otherwise a person is not asked for it.
        is_file: Whether variables and person name a file that holds it.
    """

    name: str
    label: str
    variables: tuple[str, ...]
    is_needed: bool = True
    is_file: bool = False


FIELDS: Final[Mapping[str, tuple[tuple[Field, ...], ...]]] = {
    S3: (
        (
            Field("access_key_id", "Access key id", ("AWS_ACCESS_KEY_ID",)),
            Field("secret_access_key", "Secret access key", ("AWS_SECRET_ACCESS_KEY",)),
            Field("session_token", "Session token", ("AWS_SESSION_TOKEN",), is_needed=False),
        ),
    ),
    AZURE: (
        (Field("account_key", "Account key", ("AZURE_STORAGE_ACCOUNT_KEY", "AZURE_STORAGE_KEY")),),
        (Field("sas_token", "SAS token", ("AZURE_STORAGE_SAS_TOKEN",)),),
    ),
    GOOGLE: (
        (
            Field(
                "service_account_key",
                "File with the service account's key",
                ("GOOGLE_APPLICATION_CREDENTIALS", "GOOGLE_SERVICE_ACCOUNT"),
                is_file=True,
            ),
        ),
    ),
}
"""For each kind, the sets of credentials of which one is enough. A person is asked for the first."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """
    The credentials of one target.

    Attributes:
        values: By the name of their field; nothing for places that need none.
    """

    values: Mapping[str, str] = field(default_factory=dict, repr=False)

    def line(self) -> str:
        """Return them as one line, for the keyring or a private file. :func:`from_line` reads it."""
        return json.dumps(dict(sorted(self.values.items())), separators=(",", ":"))


def from_line(kind: str, line: str) -> Credentials | None:
    """Return the credentials in a line of :meth:`Credentials.line`; None if it is damaged, or of another kind of place."""
    try:
        found: Any = json.loads(line)
    except ValueError:
        return None
    if not isinstance(found, dict) or not all(isinstance(each, str) and each for each in found.values()):
        return None
    for fields in FIELDS.get(kind, ()):
        needed = {each.name for each in fields if each.is_needed}
        if needed <= found.keys() <= {each.name for each in fields}:
            return Credentials(found)
    return None


def from_variables(kind: str, environment: Mapping[str, str]) -> Credentials | None:
    """
    Return the credentials that the usual variables hold; None if they hold none, or not all that are needed.

    Raises:
        UsageError: A file that a variable names cannot be read.
    """
    for fields in FIELDS.get(kind, ()):
        values = {}
        for each in fields:
            set_ = [environment[name] for name in each.variables if environment.get(name)]
            if set_:
                values[each.name] = _read(set_[0]) if each.is_file else _checked(each, set_[0])
        if all(each.name in values for each in fields if each.is_needed):
            return Credentials(values)
    return None


def asked(kind: str, ask: Ask | None) -> Credentials | None:
    """
    Ask a person for the credentials of a kind of place. Nothing that is typed is shown.

    Returns:
        What was typed; None if nobody can be asked.

    Raises:
        InvalidValueError: Something was left empty, or is no such thing.
        UsageError: A file that was named cannot be read.
    """
    values = {}
    for each in FIELDS[kind][0]:
        if not each.is_needed:
            continue
        typed = ask(each.label, False) if ask is not None else None
        if typed is None:
            return None
        values[each.name] = _read(typed.strip()) if each.is_file else _checked(each, typed)
    return Credentials(values)


def variables_of(kind: str) -> str:
    """Return the variables of a kind of place, for a sentence."""
    return " and ".join(each.variables[0] for each in FIELDS[kind][0] if each.is_needed)


def _checked(part: Field, typed: str) -> str:
    stripped = typed.strip()
    if not stripped or not stripped.isascii() or not stripped.isprintable() or len(stripped) > _CHARACTERS_MAX:
        raise InvalidValueError(part.label, "is empty, or holds characters that none has")
    return stripped


def _read(path: str) -> str:
    try:
        with Path(path).expanduser().open("rb") as file:
            text = file.read(_CHARACTERS_MAX + 1).decode("utf-8")
        found: Any = json.loads(text)
        if not isinstance(found, dict) or "private_key" not in found or len(text) > _CHARACTERS_MAX:
            raise ValueError
    except OSError as error:
        raise UsageError(
            f"{path} cannot be read ({error.strerror}); name the file with the service account's key."
        ) from None
    except ValueError:
        raise UsageError(f"{path} is no key of a service account; name the JSON file that Google made.") from None
    return json.dumps(found, separators=(",", ":"))
