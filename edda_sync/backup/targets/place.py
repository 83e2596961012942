"""
Places, as people name them: ``/media/stick/backups``, ``s3://BUCKET/FOLDER``, ``gs://``, ``az://``, ``file://``,
``memory://``.

An address is kept and shown in plain text, so one that holds a user, a password or a signature is refused, and errors
about it do not repeat it.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final, NamedTuple
from urllib.parse import unquote, urlsplit

from edda_sync.words.config import absolute
from edda_sync.words.errors import InvalidValueError, UsageError

FOLDER, S3, GOOGLE, AZURE, MEMORY = "file", "s3", "gs", "az", "memory"
"""The kinds of places, by the scheme of their addresses."""

_SCHEMES: Final = {FOLDER, S3, GOOGLE, AZURE, MEMORY}
_TAKES: Final = {S3: {"region", "endpoint"}, AZURE: {"account", "endpoint"}}
_BUCKET: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{1,221}")
_PART: Final = re.compile(r"(?!\.{1,2}$)[A-Za-z0-9._=+-]{1,200}")
_PREFIX_CHARACTERS_MAX: Final = 400  # of the 1,024 that S3 takes
_REGION: Final = re.compile(r"[a-z0-9-]{1,40}")
_ACCOUNT: Final = re.compile(r"[a-z0-9]{3,24}")
_EXAMPLES: Final = "a folder, or an address such as s3://BUCKET/FOLDER, gs://BUCKET or az://CONTAINER"


class Place(NamedTuple):
    """
    Where a target lies. :func:`parse` makes one.

    Attributes:
        kind: One of :data:`FOLDER`, :data:`S3`, :data:`GOOGLE`, :data:`AZURE`, :data:`MEMORY`.
        root: The folder's absolute path, or the name of the bucket or container.
        prefix: Below which keys lie in a bucket; may be empty.
        region: Of a bucket of S3; empty for the usual one.
        endpoint: The server's address, if it is not the provider's own.
        account: Of Azure.
    """

    kind: str
    root: str
    prefix: str = ""
    region: str = ""
    endpoint: str = ""
    account: str = ""

    @property
    def url(self) -> str:
        """The address, as people see it; for a folder, its path."""
        if self.kind == FOLDER:
            return self.root
        return f"{self.kind}://{self.root}{'/' if self.prefix else ''}{self.prefix}"

    @property
    def is_plain(self) -> bool:
        """Whether what is sent there can be read on the way. Backups are sealed; names of keys and times are not."""
        return self.endpoint.startswith("http://")


def parse(url: str, region: str = "", endpoint: str = "", account: str = "") -> Place:
    """
    Return the place that a person named.

    Args:
        url: A folder, relative to the current one, or an address.
        region: Of S3.
        endpoint: The address of a server, for S3 and Azure.
        account: Of Azure.

    Raises:
        InvalidValueError: It is no place, or holds credentials.
        UsageError: Something was named that this kind of place does not have.
    """
    scheme, mark, _ = url.partition("://")
    kind = scheme.lower() if mark else FOLDER
    if kind in ("http", "https"):
        raise InvalidValueError("url", "is that of a server; name the bucket, as in s3://BUCKET --endpoint URL")
    if kind not in _SCHEMES:
        raise InvalidValueError("url", f"is of no known kind; name {_EXAMPLES}")
    for option, value in (("region", region), ("endpoint", endpoint), ("account", account)):
        if value and option not in _TAKES.get(kind, ()):
            raise UsageError(f"--{option} says nothing about {_NAMES[kind]}; leave it out.")
    if kind == FOLDER:
        return Place(FOLDER, str(_folder(url, is_url=bool(mark))))
    bucket, prefix = _bucket(url)
    _check("region", region, _REGION, "such as eu-central-1")
    _check("account", account, _ACCOUNT, "the name of an Azure storage account, 3 to 24 letters and digits")
    return Place(kind, bucket, prefix, region, _endpoint(endpoint), account)


def completed(place: Place, environment: Mapping[str, str]) -> Place:
    """
    Return a place with what the usual variables say where a person said nothing.

    Raises:
        UsageError: It is at Azure, and nobody says in which account.
        InvalidValueError: A variable holds no such thing.
    """
    found = dict(place._asdict())
    for name, variables in _VARIABLES.get(place.kind, {}).items():
        set_ = [environment[each] for each in variables if environment.get(each)]
        found[name] = found[name] or (set_[0] if set_ else "")
    if place.kind == AZURE and not found["account"]:
        raise UsageError("Name the storage account with --account, or set AZURE_STORAGE_ACCOUNT_NAME.")
    return place if place.kind == FOLDER else parse(place.url, found["region"], found["endpoint"], found["account"])


_VARIABLES: Final[Mapping[str, Mapping[str, tuple[str, ...]]]] = {
    S3: {"region": ("AWS_REGION", "AWS_DEFAULT_REGION"), "endpoint": ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL")},
    AZURE: {"account": ("AZURE_STORAGE_ACCOUNT_NAME", "AZURE_STORAGE_ACCOUNT")},
}
_NAMES: Final = {FOLDER: "a folder", S3: "S3", GOOGLE: "Google's storage", AZURE: "Azure", MEMORY: "memory"}


def _folder(url: str, *, is_url: bool) -> Path:
    if is_url:
        parts = urlsplit(url)
        if parts.netloc not in ("", "localhost") or parts.query or parts.fragment:
            raise InvalidValueError("url", "of a folder is as in file:///media/stick/backups")
        url = unquote(parts.path)
    if not url or "\0" in url:
        raise InvalidValueError("url", f"is empty; name {_EXAMPLES}")
    path = Path(os.path.normpath(absolute(Path(url))))
    if path == Path("/"):
        raise InvalidValueError("url", "is the whole disk; name a folder")
    return path


def _bucket(url: str) -> tuple[str, str]:
    rest = url.partition("://")[2]
    if any(each in rest for each in "@?#:&%"):
        raise InvalidValueError("url", "holds more than a bucket and a folder in it; credentials are asked for apart")
    bucket, _, prefix = rest.partition("/")
    if _BUCKET.fullmatch(bucket) is None:
        raise InvalidValueError("url", f"has no name of a bucket; name {_EXAMPLES}")
    prefix = prefix.strip("/")
    if len(prefix) > _PREFIX_CHARACTERS_MAX or any(
        _PART.fullmatch(part) is None for part in prefix.split("/") if prefix
    ):
        raise InvalidValueError("url", "has a folder that is none: use letters, digits, and . _ - = + in its parts")
    return bucket, prefix


def _endpoint(endpoint: str) -> str:
    if not endpoint:
        return ""
    parts = urlsplit(endpoint)
    try:
        is_one = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_one = False
    if not is_one or parts.username or parts.password or parts.query or parts.fragment or not endpoint.isprintable():
        raise InvalidValueError("endpoint", "is a server's address, such as https://s3.example.org:9000, and no more")
    return endpoint.rstrip("/")


def _check(field: str, value: str, pattern: re.Pattern[str], wanted: str) -> None:
    if value and pattern.fullmatch(value) is None:
        raise InvalidValueError(field, f"is {wanted}")
