"""
Referring: which task or document somebody means by what they typed.

There is one rule for all commands and for programs, and it never guesses: where several items are meant, it says so.
"""

from __future__ import annotations

from edda_sync.crdt.keys import key_of
from edda_sync.engine.matching import matching
from edda_sync.store.seams import StoreReader
from edda_sync.words import limits, values
from edda_sync.words.errors import AmbiguousIdError, NotFoundError
from edda_sync.words.query import DocumentQuery, TaskQuery, plan

_SHOWN_MAX = 4  # ids in an error


def meant(reader: StoreReader, kind: str, reference: str) -> str:
    """
    Return the id of the task or document that somebody means.

    A reference is a complete id, or at least six characters of the end of one, or a title, if only one item has it. If no id
    ends so, it may be the beginning of one. An item in the trash is meant by its title, or by the beginning of its id, only
    if nothing else is. Indexes serve all of this except the last: only what names
    nothing else is looked for among the titles in the trash, one by one.

    Raises:
        NotFoundError, AmbiguousIdError: Nothing is meant by it, or several items are.
    """
    digits = values.digits_of_id(reference)
    found: list[str] = []
    if len(digits) == 32:
        whole = bytes.fromhex(digits)
        found = [values.id_text(whole)] if reader.states.get([key_of(kind, whole)]) else []
    else:
        if digits:
            found = reader.index.ids_ending(kind, digits) or _beginning(reader, kind, digits)
        title = reference.strip()
        if title and len(title) <= limits.TITLE_CODE_POINTS_MAX:
            found += [each for each in _titled(reader, kind, title) if each not in found]
            found = found or _titled_in_trash(reader, kind, title)
        if digits and not found:
            found = _beginning_in_trash(reader, kind, digits)
    if not found:
        raise NotFoundError(kind, reference)
    if len(found) > 1:
        raise AmbiguousIdError(reference, found, [shortest(reader, kind, each) for each in found[:_SHOWN_MAX]])
    return found[0]


def shortest(reader: StoreReader, kind: str, whole: str) -> str:
    """
    Return the end of an id that means it alone: six characters, or more if another item of the store ends so, even one in
    the trash. So it is the same in every list, until such an item is made.
    """
    digits = whole.replace("-", "")
    alike = [each.replace("-", "") for each in reader.index.ids_ending(kind, digits[-limits.SHORT_ID_CHARACTERS_MIN :])]
    length = limits.SHORT_ID_CHARACTERS_MIN
    while length < len(digits) and sum(each.endswith(digits[-length:]) for each in alike) > 1:
        length += 1
    return digits[-length:]


def _beginning(reader: StoreReader, kind: str, digits: str) -> list[str]:
    """Return the ids of the items that begin with some digits: those of the tables, and no more than an error can use."""
    first, last = (values.id_text(bytes.fromhex(digits.ljust(32, end))) for end in "0f")
    asked = plan(TaskQuery() if kind == "task" else DocumentQuery())
    among = (("id", first, last + "!"),)  # after the last id: no id contains a character below this one
    found = asked._replace(ranges=among, order=(("id", False),), limit=limits.CANDIDATES_MAX)
    return [str(row[0]) for row in matching(reader, found)]


def _beginning_in_trash(reader: StoreReader, kind: str, digits: str) -> list[str]:
    keys = [each for each in reader.index.hidden(kind) if each[1:].hex().startswith(digits)]
    return [values.id_text(each[1:]) for each in keys[: limits.CANDIDATES_MAX]]


def _titled(reader: StoreReader, kind: str, title: str) -> list[str]:
    """Return the ids of the items with a title, in order: not more than an error can use."""
    where = [("title", "=", title)]
    asked = plan(TaskQuery(where=where) if kind == "task" else DocumentQuery(where=where))
    first = asked._replace(order=(("id", False),), limit=limits.CANDIDATES_MAX)  # in the order of the index on titles
    return [str(row[0]) for row in matching(reader, first)]


def _titled_in_trash(reader: StoreReader, kind: str, title: str) -> list[str]:
    """Return the ids of the items in the trash with a title."""
    from edda_sync.engine import hidden  # only for what is not here

    return hidden.titled(reader, kind, title)
