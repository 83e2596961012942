"""Batches: how much a bulk writer puts into one transaction, so that no device waits long for any of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

from edda_sync.words import limits
from edda_sync.words.model import Item, Task

T = TypeVar("T")


def batches(items: Sequence[T], length: Callable[[T], int] = lambda _: 0) -> Iterator[Sequence[T]]:
    """
    Yield items in batches, in order; write each batch in a transaction of its own.

    Args:
        items: What is to be written.
        length: Returns the length of an item's text, in code points. A single item may be longer than a batch.
    """
    start = size = 0
    for at, each in enumerate(items):
        size += length(each)
        if at - start == limits.BULK_ITEMS_MAX or (size > limits.BULK_CODE_POINTS_MAX and at > start):
            yield items[start:at]
            start, size = at, length(each)
    if start < len(items):
        yield items[start:]


def text_length(item: Item) -> int:
    """Return the length of an item's description or content, in code points."""
    return len((item.description if isinstance(item, Task) else item.content) or "")
