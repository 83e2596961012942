"""
The values of fields: how each is read from a caller, checked, and written canonically.

Every function takes what a person or program gave and returns the canonical form, or raises
:class:`~edda_sync.words.errors.InvalidValueError`. Values from peers are checked by the same functions, so a value is
acceptable on every device or on none. So no rule here may depend on things that differ between interpreters: their Unicode
tables (:mod:`~edda_sync.words.unicode14` has ours), what ``fromisoformat`` accepts, how many digits ``int`` accepts, how
deeply a parser can nest.
"""

from __future__ import annotations

import datetime
import json
import re
from functools import lru_cache
from hashlib import blake2b
from typing import Any

from edda_sync.words import limits, unicode14
from edda_sync.words.errors import InvalidValueError

STATUSES = ("open", "in_progress", "blocked", "done", "cancelled")
STATUS_DEFAULT = "open"
PRIORITY_DEFAULT = 2
CONTENT_TYPE_DEFAULT = "text/markdown"
DOC_TYPE_DEFAULT = "note"
TITLE_DEFAULT = "(untitled)"  # shown if a title was purged; never written

When = str | datetime.date
"""A moment, in the forms that callers may use: see :func:`time`. A ``datetime`` is a ``date`` too."""

_SCALARS = (str, int, float, bool, type(None))


def text(field: str, value: object, *, bytes_max: int = limits.TEXT_BYTES_MAX) -> str:
    """Return a Unicode text that UTF-8 can write, of at most ``bytes_max`` bytes."""
    if not isinstance(value, str):
        raise InvalidValueError(field, f"must be text, not {type(value).__name__}", value)
    if len(value) * 4 > bytes_max or not value.isascii():
        try:
            size = len(value.encode())
        except UnicodeEncodeError as error:
            why = f"has half a character (a lone surrogate) at position {error.start}"
            if (
                0xDC80 <= ord(value[error.start]) <= 0xDCFF
            ):  # this is how Python reads an argument or name of other bytes
                why = f"is not UTF-8 text (at position {error.start}); type it again, or rename the file"
            raise InvalidValueError(field, why, value) from None
        if size > bytes_max:
            raise InvalidValueError(field, f"is {size:,} bytes long, and at most {bytes_max:,} fit", value)
    return str.__str__(value)  # of a kind of text that a library has made, the text


def line(field: str, value: object, *, code_points_max: int = limits.NAME_CODE_POINTS_MAX) -> str:
    """Return a single line: not blank, no control characters, at most ``code_points_max`` code points."""
    checked = text(field, value)
    if not 0 < len(checked) <= code_points_max:
        count = "is empty" if not checked else f"has {len(checked):,} characters"
        raise InvalidValueError(field, f"{count}; 1 to {code_points_max} characters are possible", value)
    if checked.isascii() and checked.isprintable() and not checked.isspace():  # the same on every Python
        return checked
    if unicode14.is_blank(checked):
        raise InvalidValueError(field, "is blank; write at least one visible character", value)
    if unicode14.has_control(checked):
        raise InvalidValueError(
            field, "has a control character (a line break, a tab, NUL...); it must be one line", value
        )
    return checked


def title(value: object) -> str:
    """Return a title of 1 to 500 code points."""
    return line("title", value, code_points_max=limits.TITLE_CODE_POINTS_MAX)


def status(value: object) -> str:
    """Return one of the five statuses."""
    if value not in STATUSES:
        raise InvalidValueError("status", f"must be one of {', '.join(STATUSES)}", value)
    return str(value)


def priority(value: object) -> int:
    """Return a priority of 0 (most urgent) to 4."""
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= limits.PRIORITY_MAX:
        raise InvalidValueError(
            "priority", f"must be a whole number from 0 (most urgent) to {limits.PRIORITY_MAX}", value
        )
    return value


def time(field: str, value: object) -> str:
    """
    Return a time as RFC 3339 in UTC with milliseconds, such as ``2026-03-01T09:30:00.000Z``.

    Args:
        field: Name of the field, for the error.
        value: A ``datetime``, which is local without a zone, as Python itself takes it; a ``date``, which is that day (its
            first moment in UTC); or ISO 8601 text of a day, or of a time with its zone. A moment that is no midnight in its
            own zone, and falls on one in UTC, is stored a millisecond later: it is no day.

    Raises:
        InvalidValueError: It is none, or a text without a zone, which would mean another moment on another machine.
    """
    moment: datetime.datetime
    if isinstance(value, str):
        if _is_canonical_time(value):  # the usual case; a time from a peer must stay as it is
            return value
        try:
            moment = datetime.datetime.fromisoformat(value.strip())
        except ValueError:
            raise InvalidValueError(field, _TIME_HELP, value) from None
        if moment.tzinfo is None:
            if len(value.strip()) > _DAY_CHARACTERS_MAX:
                raise InvalidValueError(field, _ZONE_HELP, value)
            moment = moment.replace(tzinfo=datetime.UTC)
    elif isinstance(value, datetime.datetime):
        moment = value
    elif isinstance(value, datetime.date):
        moment = datetime.datetime(value.year, value.month, value.day, tzinfo=datetime.UTC)
    else:
        raise InvalidValueError(field, _TIME_HELP, value)
    try:
        utc = moment.astimezone(datetime.UTC)
    except (OverflowError, ValueError, OSError):  # outside the years 1 to 9999
        raise InvalidValueError(field, _TIME_HELP, value) from None
    if _is_midnight(utc) and not _is_midnight(moment):
        utc = utc.replace(microsecond=1_000)
    return utc.replace(tzinfo=None).isoformat(timespec="milliseconds") + "Z"


def _is_midnight(moment: datetime.datetime) -> bool:
    """Tell whether a moment is the first millisecond of a day in its own zone."""
    return not (moment.hour or moment.minute or moment.second or moment.microsecond // 1_000)


def _is_canonical_time(text: str) -> bool:
    """
    Return whether a text is a time in the stored form: a day of the proleptic Gregorian calendar, from 00:00:00.000 to
    23:59:59.999.

    It is checked here, because ``fromisoformat`` accepts more in newer versions: hour 24 since Python 3.14.
    """
    match = _CANONICAL_TIME.fullmatch(text)
    if match is None:
        return False
    year, month, day = match.groups()
    if day < "29":
        return year > "0000"
    leap = int(year) % 4 == 0 and (int(year) % 100 != 0 or int(year) % 400 == 0)
    return year > "0000" and int(day) <= (29 if month == "02" and leap else _DAYS[int(month) - 1])


_CANONICAL_TIME = re.compile(
    r"([0-9]{4})-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])T(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]\.[0-9]{3}Z"
)
_DAYS = (31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
_TIME_HELP = "is not a date or time such as 2026-03-01 or 2026-03-01T09:30:00Z"
_ZONE_HELP = "has no zone; write Z behind it for UTC, or its difference from UTC as in 2026-03-01T09:30:00+09:00"
_DAY_CHARACTERS_MAX = 10  # a longer text in ISO 8601 has a time
_EPOCH = datetime.datetime(1970, 1, 1)


@lru_cache(maxsize=4_096)  # all that one change wrote has the same time
def time_of(wall_ms: int) -> str:
    """Return wall milliseconds since 1970 as RFC 3339 text. Times outside the years 1..9999 are shown as the nearest one."""
    wall_ms = min(max(wall_ms, 0), limits.WALL_MS_MAX)
    return (_EPOCH + datetime.timedelta(milliseconds=wall_ms)).isoformat(timespec="milliseconds") + "Z"


_encode_json = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode
_PLAIN_JSON = re.compile(r'0|-?[1-9][0-9]{0,17}|"[^"\\\x00-\x1f]*"|true|false|null')  # canonical by its form alone


def json_value(field: str, value: object) -> str:
    """Return one metadata value as canonical JSON: sorted keys, no spaces, UTF-8, at most 64 levels deep."""
    _check_json(field, value, 0)
    return text(field, _encode_json(value), bytes_max=limits.JSON_BYTES_MAX)


def canonical_json(field: str, encoded: object) -> str:
    """Check that text from a peer is canonical JSON, and return it."""
    if isinstance(encoded, str):
        if _PLAIN_JSON.fullmatch(encoded):
            return text(field, encoded, bytes_max=limits.JSON_BYTES_MAX)
        if json_value(field, parse_json(field, encoded)) == encoded:
            return encoded
    raise InvalidValueError(field, "is not canonical JSON", encoded)


def parse_json(field: str, encoded: str) -> Any:
    """Parse JSON text from a person or a peer; depth and size are bounded."""
    if len(encoded) > limits.JSON_BYTES_MAX:
        raise InvalidValueError(field, f"is longer than {limits.JSON_BYTES_MAX:,} bytes", None)
    if _nests_too_deep(encoded):  # checked first: how deep the parser may go depends on the caller's stack
        raise InvalidValueError(field, f"is nested deeper than {limits.JSON_DEPTH_MAX} levels", None)
    try:
        return _decode_json(encoded)
    except ValueError as error:
        raise InvalidValueError(field, f"is not JSON ({error})", None) from None


def _nests_too_deep(encoded: str) -> bool:
    if encoded.count("[") + encoded.count("{") <= limits.JSON_DEPTH_MAX:
        return False
    depth = 0
    for part in _STRINGS_AND_BRACKETS.finditer(encoded):
        first = encoded[part.start()]
        depth += (first in "[{") - (first in "]}")
        if depth > limits.JSON_DEPTH_MAX + 1:  # the deepest level may contain an empty list
            return True
    return False


def _whole_number(digits: str) -> int:
    if len(digits.lstrip("-")) > limits.JSON_DIGITS_MAX:  # checked first: the limit of ``int`` is configurable
        raise ValueError(_DIGITS_HELP)
    return int(digits)


_decode_json = json.JSONDecoder(parse_int=_whole_number).decode
_STRINGS_AND_BRACKETS = re.compile(r'"(?:[^"\\]|\\.)*+"?|[\[{}\]]', re.DOTALL)
_DIGITS_HELP = f"has a whole number of more than {limits.JSON_DIGITS_MAX} digits"


def _check_json(field: str, value: object, depth: int) -> None:
    if depth > limits.JSON_DEPTH_MAX:
        raise InvalidValueError(field, f"is nested deeper than {limits.JSON_DEPTH_MAX} levels", None)
    if isinstance(value, dict):
        for key, inner in value.items():
            if not isinstance(key, str):
                raise InvalidValueError(field, "has a key that is not text", key)
            _check_json(field, inner, depth + 1)
    elif isinstance(value, (list, tuple)):
        for inner in value:
            _check_json(field, inner, depth + 1)
    elif not isinstance(value, _SCALARS):
        raise InvalidValueError(
            field, f"holds a value of the type {type(value).__name__}, which JSON cannot write", None
        )
    elif isinstance(value, int) and abs(value) >= _WHOLE_NUMBER_END:
        raise InvalidValueError(field, _DIGITS_HELP, None)
    elif isinstance(value, float) and (value != value or value in (float("inf"), float("-inf"))):
        raise InvalidValueError(field, "has a number that JSON cannot write (NaN or infinity)", None)


_WHOLE_NUMBER_END = 10**limits.JSON_DIGITS_MAX


def key(field: str, value: object) -> str:
    """Return a metadata key of 1 to 256 code points."""
    checked = text(field, value)
    if not 0 < len(checked) <= limits.KEY_CODE_POINTS_MAX:
        raise InvalidValueError(field, f"a key must have 1 to {limits.KEY_CODE_POINTS_MAX} characters", value)
    return checked


# --- ids --------------------------------------------------------------------------------------------------------------


def uuid7(wall_ms: int, random: bytes) -> str:
    """
    Return a time-ordered id. Source: RFC 9562 section 5.7.

    Args:
        wall_ms: Wall time in milliseconds.
        random: Ten random bytes.
    """
    raw = bytearray((max(wall_ms, 0) & 0xFFFF_FFFF_FFFF).to_bytes(6, "big") + random[:10])
    return _uuid(raw, 7)


def uuid8(source: str, source_id: str) -> str:
    """Return the id of an imported item, the same on every device. Source: RFC 9562 section 5.8."""
    name = source.encode(errors="surrogatepass") + b"\0" + source_id.encode(errors="surrogatepass")
    return _uuid(bytearray(blake2b(name, digest_size=16, person=b"edda-import").digest()), 8)


def names(text: str) -> tuple[str, ...]:
    """Return the names in a list with commas, such as ``home,work``. A name with a comma in it stands in double quotes."""
    found = [(quoted or plain).strip() for quoted, plain in re.findall(r'"([^"]+)"|([^,]+)', text)]
    return tuple([each.removeprefix("#") or each for each in found if each]) or (text,)


def tag_name_normal(name: str) -> str:
    """Return the normal form of a tag's name. Names with the same form are the same tag (:func:`.unicode14.fold`)."""
    return unicode14.fold(name)


@lru_cache(maxsize=1_024)  # the same few names come again and again; folding never changes
def tag_id(name: str) -> str:
    """Return the id of the tag with a name. The name is the tag's identity."""
    normal = tag_name_normal(name).encode()
    return _uuid(bytearray(blake2b(normal, digest_size=16, person=b"edda-tag").digest()), 8)


def _uuid(raw: bytearray, version: int) -> str:
    raw[6] = (raw[6] & 0x0F) | (version << 4)
    raw[8] = (raw[8] & 0x3F) | 0x80
    return id_text(bytes(raw))


def id_text(raw: bytes) -> str:
    """Return the 36 characters of an id of 16 bytes."""
    h = raw.hex()
    return f"{h[:8]}-{h[8:12]}-{h[12:16]}-{h[16:20]}-{h[20:]}"


def id_bytes(field: str, value: object) -> bytes:
    """Return the 16 bytes of a complete id in text form."""
    if isinstance(value, str) and len(value) == 36 and value[8] == value[13] == value[18] == value[23] == "-":
        try:
            raw = bytes.fromhex(value.replace("-", ""))
        except ValueError:
            raw = b""
        if len(raw) == 16:
            return raw
    raise InvalidValueError(field, "is not a whole id (36 characters, such as 0192f0c1-…)", value)


def digits_of_id(reference: str) -> str:
    """
    Return the hexadecimal digits of an id, or of an end of one, as a person typed it; empty if it cannot be one.

    Args:
        reference: At least six characters of the end, or of the beginning, of an id. Dashes and case do not matter.
    """
    digits = reference.strip().replace("-", "").lower()
    if not limits.SHORT_ID_CHARACTERS_MIN <= len(digits) <= 32 or any(c not in "0123456789abcdef" for c in digits):
        return ""
    return digits
