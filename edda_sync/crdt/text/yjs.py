"""
Texts as Yjs updates, version 1 (INTERNALS.md of yjs/yjs), for Yjs editors.

Numbers are varints: 7 bits in each byte, the lowest first.

    update    := clients blocks{clients} deletions
    blocks    := count client clock block{count}
    block     := info [left] [right] [parent] content
    info      := 0x80 has left | 0x40 has right | 4 string, 1 deleted
    left      := client clock                     of the UTF-16 unit that stood before it; right likewise
    parent    := 1 "t"                            only if neither left nor right tells where it belongs
    content   := length utf8{length}              a string, which takes one clock for each UTF-16 unit
               | length                           deleted units
    deletions := clients (client count (clock length){count}){clients}
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

from edda_sync.crdt.text.edits import OWN, TextEdit
from edda_sync.crdt.text.runs import EDGE, Run
from edda_sync.crdt.text.units import units

ROOT: Final = "t"  # the one root type of a text's document

_HAS_LEFT: Final = 0x80
_HAS_RIGHT: Final = 0x40
_DELETED: Final = 1
_STRING: Final = 4
_PARENT: Final = b"\x01\x01" + ROOT.encode()

Id = tuple[int, int]
"""Client and clock of a unit."""


class Item(NamedTuple):
    """Units of one client that were written one after another between two others."""

    client: int
    clock: int  # of the first unit
    content: str | int  # the text of the units; or their number, if they are deleted
    left: Id | None
    right: Id | None


def encode(items: Iterable[Item], deletions: Iterable[tuple[int, int, int]]) -> bytes:
    """
    Return an update; pass it to ``Doc.apply_update``.

    Args:
        items: The insertions. Those of one client must ascend without a gap; others may be between them.
        deletions: The deletions: client, first clock, number of units.
    """
    by_client: defaultdict[int, list[Item]] = defaultdict(list)
    for item in items:
        by_client[item.client].append(item)
    out = bytearray()
    _write(out, len(by_client))
    for client in sorted(by_client, reverse=True):  # in the order that Yjs uses
        _write(out, len(by_client[client]))
        _write(out, client)
        _write(out, by_client[client][0].clock)
        for item in by_client[client]:
            _write_item(out, item)
    ranges: defaultdict[int, list[Id]] = defaultdict(list)
    for client, clock, length in deletions:
        ranges[client].append((clock, length))
    _write(out, len(ranges))
    for client in sorted(ranges, reverse=True):
        _write(out, client)
        _write(out, len(ranges[client]))
        for clock, length in sorted(ranges[client]):
            _write(out, clock)
            _write(out, length)
    return bytes(out)


def of_edit(edit: TextEdit, clients: Sequence[int]) -> bytes:
    """
    Return an edit as an update.

    Args:
        edit: An edit that was accepted.
        clients: The client ids of its names, by their indices in the edit.
    """
    items, clock = [], edit.clock or 0
    for left, right, text in edit.blocks:
        items.append(Item(clients[OWN], clock, text, _id(left, clients), _id(right, clients)))
        clock += units(text)
    return encode(items, [(clients[index], first, length) for index, first, length in edit.deletions])


def of_runs(runs: Iterable[Run], clients: Sequence[int]) -> bytes:
    """
    Return a whole text as an update.

    Args:
        runs: All runs of the text, with those of one name ascending.
        clients: The client ids of the names, by their indices in the runs.
    """
    items, deleted = [], []
    for run in runs:
        left, right = _id((run.left, run.left_clock), clients), _id((run.right, run.right_clock), clients)
        items.append(Item(clients[run.name], run.clock, run.size if run.text is None else run.text, left, right))
        if run.text is None:
            deleted.append((clients[run.name], run.clock, run.size))
    return encode(items, deleted)


def _id(unit: Id | None, clients: Sequence[int]) -> Id | None:
    return None if unit is None or unit == EDGE else (clients[unit[0]], unit[1])


def _write_item(out: bytearray, item: Item) -> None:
    info = _DELETED if isinstance(item.content, int) else _STRING
    info |= (_HAS_LEFT if item.left else 0) | (_HAS_RIGHT if item.right else 0)
    out.append(info)
    for beside in (item.left, item.right):
        if beside is not None:
            _write(out, beside[0])
            _write(out, beside[1])
    if item.left is None and item.right is None:
        out += _PARENT
    if isinstance(item.content, int):
        _write(out, item.content)
    else:
        content = item.content.encode()
        _write(out, len(content))
        out += content


def _write(out: bytearray, number: int) -> None:
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
