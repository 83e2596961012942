"""
The gate before pycrdt: a strict reader of text updates in the Yjs encoding, version 1 (INTERNALS.md of yjs/yjs).

What pycrdt is handed unread can panic, hang, end the process, or leave a document that no longer reloads. So an update
is read here first, and only what an honest device writes into one plain text goes through. Numbers are varints: 7 bits
a byte, the lowest first, in their shortest form, below 2**53.

    update    := clients blocks{clients} deletions
    blocks    := count client clock block{count}
    block     := info [left] [right] [parent] content
    info      := 0x80 has left | 0x40 has right | 4 string, 1 deleted
    left      := client clock                     of the UTF-16 unit that stood before it; right likewise
    parent    := 1 "t"                            only where neither left nor right says where it belongs
    content   := length utf8{length}              string: takes one clock a UTF-16 unit
               | length                           deleted: written and deleted within one transaction; any length
    deletions := clients (client count (clock length){count}){clients}

Beyond the grammar: blocks are the author's own and go on where it stopped (else it could squat on another's clocks);
every id meant is known (else yrs would hold the update back for ever); and nothing points between the two units of one
character (yrs splits there without complaint and can then no longer reload its own state).

What cannot be seen here is whether the neighbours that a member names were really next to each other where it wrote. If
they were not, devices may show its words in different places: never a panic, and the digest tells.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from edda_sync import limits
from edda_sync.errors import RefusedTextError

EMPTY_UPDATE: Final = b"\0\0"
ROOT: Final = "t"  # the one root type of a text's document

_NUMBER_MAX: Final = 2**53 - 1
_HAS_LEFT: Final = 0x80
_HAS_RIGHT: Final = 0x40
_DELETED: Final = 1
_STRING: Final = 4
_INFOS: Final = frozenset(flags | kind for flags in (0, 0x40, 0x80, 0xC0) for kind in (_DELETED, _STRING))
_PARENT: Final = b"\x01\x01" + ROOT.encode()


@dataclass(slots=True)
class Contents:
    """What an accepted update adds: see :func:`validate`."""

    known: dict[int, int] = field(default_factory=dict)  # next clock of each client that has blocks in it
    ascii: bool = True  # whether all its strings are ASCII
    pairs: dict[int, list[int]] = field(default_factory=dict)  # clocks of second units of surrogate pairs, ascending
    _first: dict[int, int] = field(default_factory=dict)
    _clients: dict[bytes, int] = field(default_factory=dict)
    _neighbours: list[tuple[int, int, int]] = field(default_factory=list)  # client, clock, 1 for a left one
    _deleted: list[tuple[int, int, int]] = field(default_factory=list)  # client, first clock, clock after the last


def validate(
    update: bytes,
    *,
    author: int,
    known: Mapping[int, int],
    pairs: Mapping[int, Sequence[int]] | None = None,
    size_max: int = limits.TEXT_UPDATE_BYTES_MAX,
) -> Contents:
    """
    Check one author's update against what is known of its text; then hand it to pycrdt.

    Args:
        update: As it travelled.
        author: Actor whose change carries it.
        known: Next clock, in UTF-16 units, of each client in the text so far.
        pairs: Where the text so far has characters of two units: see :class:`Contents`. Without it they go unprotected.
        size_max: Bytes.

    Returns:
        What it adds: the author's next clock, its characters of two units, whether it is all ASCII.

    Raises:
        RefusedTextError: No honest device writes this, with the reason.
    """
    if len(update) > size_max:
        raise RefusedTextError(f"{len(update):,} bytes where {size_max:,} are allowed")
    if author >> limits.ACTOR_BITS:
        raise RefusedTextError("its author is no actor")
    contents = _read(update)
    for client, clock in contents._first.items():
        if client != author:
            raise RefusedTextError("it writes under a name that is not its author's")
        if clock != known.get(author, 0):
            raise RefusedTextError(f"it starts at clock {clock}, not at {known.get(author, 0)}")
    _check_ids(contents, known)
    if pairs:
        _check_characters(contents, pairs)
    if contents.pairs:
        _check_characters(contents, contents.pairs)
    return contents


def validate_state(state: bytes) -> Contents:
    """
    Check a whole text, of any number of clients, as snapshots and stores hold it; then hand it to pycrdt.

    Args:
        state: As written by ``TextDocument.state``.

    Returns:
        What it holds, as for :func:`validate`.

    Raises:
        RefusedTextError: It is not whole, or no honest device writes it, with the reason.
    """
    contents = _read(state)
    if any(contents._first.values()):
        raise RefusedTextError("a state does not start at clock 0")
    _check_ids(contents, {})
    _check_characters(contents, contents.pairs)
    return contents


def units(text: str) -> int:
    """Return how many UTF-16 units a text takes: what the clocks of Yjs count."""
    return len(text) if text.isascii() else len(text.encode("utf-16-le")) // 2


def second_units(text: str, clock: int) -> list[int]:
    """Return the clocks of the second units of its two-unit characters, in a text that starts at ``clock``."""
    found: list[int] = []
    if units(text) == len(text):
        return found
    for at, character in enumerate(text, clock):
        if character > "\uffff":
            found.append(at + len(found) + 1)
    return found


def read_number(data: bytes, at: int) -> tuple[int, int]:
    """Return the varint at an offset and the offset after it; an IndexError means that the data ends within it."""
    byte = data[at]
    at += 1
    if byte < 0x80:
        return byte, at
    number, shift = byte & 0x7F, 7
    while True:
        byte = data[at]
        at += 1
        number |= (byte & 0x7F) << shift
        if byte < 0x80:
            break
        shift += 7
        if shift > 49:  # eight bytes hold 56 bits, and 53 are allowed
            raise RefusedTextError("a number is too long")
    if not byte or number > _NUMBER_MAX:
        raise RefusedTextError("a number is not in its shortest form, or too large")
    return number, at


def _read(update: bytes) -> Contents:
    contents = Contents()
    try:
        clients, at = read_number(update, 0)
        for _ in range(clients):
            at = _read_blocks(update, at, contents)
        at = _read_deletions(update, at, contents)
    except IndexError:
        raise RefusedTextError("it is cut short") from None
    if at != len(update):
        raise RefusedTextError("it has bytes left over")
    return contents


def _read_blocks(data: bytes, at: int, contents: Contents) -> int:
    """Read one client's blocks; a count that is too large ends with the data, as each block takes 3 bytes or more."""
    count, at = read_number(data, at)
    client, at = _read_client(data, at, contents._clients)
    clock, at = read_number(data, at)
    if not count or client in contents.known:
        raise RefusedTextError("a client is listed twice, or without blocks")
    contents._first[client] = clock
    neighbours, clients = contents._neighbours, contents._clients
    for _ in range(count):
        info = data[at]
        at += 1
        if info not in _INFOS:
            raise RefusedTextError(f"a block of kind {info:#04x} is in it")
        for flag, is_left in ((_HAS_LEFT, 1), (_HAS_RIGHT, 0)):
            if info & flag:
                other, at = _read_client(data, at, clients)
                its_clock, at = read_number(data, at)
                if other == client and its_clock >= clock:
                    raise RefusedTextError("a block stands beside itself or what comes after it")
                neighbours.append((other, its_clock, is_left))
        if info < _HAS_RIGHT:
            if data[at : at + 3] != _PARENT:
                raise RefusedTextError("a block belongs to something else than the text")
            at += 3
        length, at = read_number(data, at)
        if info & _STRING:
            length, at = _read_string(data, at, length, client, clock, contents)
        if not length:
            raise RefusedTextError("a block is empty")
        clock += length
        if clock > limits.TEXT_CLOCK_MAX:
            raise RefusedTextError("a clock is too large")
    contents.known[client] = clock
    return at


def _read_client(data: bytes, at: int, clients: dict[bytes, int]) -> tuple[int, int]:
    """Read a client id; nearly all are eight bytes long and were met before, and a look-up is faster than a sum."""
    raw = data[at : at + 8]
    client = clients.get(raw)
    if client is not None:
        return client, at + 8
    client, end = read_number(data, at)
    if end == at + 8:
        clients[raw] = client
    return client, end


def _read_string(data: bytes, at: int, size: int, client: int, clock: int, contents: Contents) -> tuple[int, int]:
    """Return a string's length in UTF-16 units and the offset after it."""
    raw = data[at : at + size]
    at += size
    if at > len(data):
        raise IndexError
    if raw.isascii():
        return size, at
    try:
        text = raw.decode()
    except UnicodeDecodeError:
        raise RefusedTextError("a string is not UTF-8") from None
    contents.ascii = False
    length = units(text)
    if length != len(text):
        contents.pairs.setdefault(client, []).extend(second_units(text, clock))
    return length, at


def _read_deletions(data: bytes, at: int, contents: Contents) -> int:
    clients, at = read_number(data, at)
    for _ in range(clients):
        client, at = read_number(data, at)
        count, at = read_number(data, at)
        for _ in range(count):
            clock, at = read_number(data, at)
            length, at = read_number(data, at)
            if not length:
                raise RefusedTextError("a deletion is empty")
            contents._deleted.append((client, clock, clock + length))
    return at


def _check_ids(contents: Contents, known: Mapping[int, int]) -> None:
    """Refuse ids that neither the text so far nor the update has; its own blocks' order is checked in reading."""
    fresh = contents.known
    for client, clock, _ in contents._neighbours:
        if clock >= (fresh.get(client) or known.get(client, 0)):
            raise RefusedTextError("a block stands beside something unknown")
    for client, _, end in contents._deleted:
        if end > (fresh.get(client) or known.get(client, 0)):
            raise RefusedTextError("it deletes something unknown")


def _check_characters(contents: Contents, pairs: Mapping[int, Sequence[int]]) -> None:
    for client, clock, is_left in contents._neighbours:
        if client in pairs and _is_inside(pairs[client], clock + is_left):
            raise RefusedTextError("a block stands inside a character")
    for client, start, end in contents._deleted:
        if client in pairs and (_is_inside(pairs[client], start) or _is_inside(pairs[client], end)):
            raise RefusedTextError("it deletes half a character")


def _is_inside(second: Sequence[int], clock: int) -> bool:
    """Tell whether a place between two units, named by the clock of the latter, is inside a character."""
    at = bisect_left(second, clock)
    return at < len(second) and second[at] == clock
