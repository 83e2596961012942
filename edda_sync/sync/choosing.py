"""
Choosing: which attached files a device fetches next: first those that somebody asked for, then those of a size that is
always fetched.

1. The latter are listed from the store a page at a time, and from the beginning whenever there may be others.
2. A file is put by if no linked peer has more of it: until a peer says that it has some of what is missing, until another
   peer is linked, or for ``FILE_AGAIN_S``.
3. A file whose tree of chunks cannot be read is never fetched.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Container, Iterable, Iterator, Sized
from typing import Protocol

from edda_sync.crdt.attachments import File
from edda_sync.words import limits


class UnderWay(Container[bytes], Sized, Protocol):
    """The files that are being fetched, by root."""


class Choosing:
    """
    The files of one replica that are to be fetched. Ask :meth:`begin` which ones to begin with.

    Attributes:
        demanded: The files that somebody asked for, by root.
        aside: The files that are put by, by root, each with the chunks that it lacks.
        number: How often it was begun to list files.
        after: The size and root of the last file that was listed; None at the beginning.
    """

    def __init__(self) -> None:
        self.demanded: dict[bytes, File] = {}
        self.aside: dict[bytes, tuple[File, frozenset[bytes]]] = {}
        self.number = 0
        self.after: tuple[int, bytes] | None = None
        self._page: deque[File] = deque()
        self._is_listed = False
        self._has_news = True  # whether those that are not listed yet may be new, and not only some that were lost here
        self._unreadable: set[bytes] = set()
        self._again_at = 0.0

    @property
    def again_at(self) -> float | None:
        """When to look again for what was put by; None if nothing was."""
        return self._again_at if self.aside else None

    @property
    def lists(self) -> bool:
        """Whether another page is to be listed."""
        return not self._is_listed and not self._page

    @property
    def files(self) -> int:
        """How many files are still to be begun with; one if that is not known."""
        return len(self._page) + self._has_news

    @property
    def size(self) -> int:
        """How large those are that are known, in bytes."""
        return sum(each.size for each in self._page)

    # --- what somebody asks for ---------------------------------------------------------------------------------------

    def demand(self, file: File) -> bool:
        """Note that somebody asks for a file; tell whether it can be fetched."""
        if file.root in self._unreadable:
            return False
        self.demanded[file.root] = file
        self.aside.pop(file.root, None)
        return True

    def relent(self, root: bytes) -> File | None:
        """Note that nobody asks for a file any more, and return it; None if nobody did."""
        return self.demanded.pop(root, None)

    def refuse(self, roots: Iterable[bytes]) -> None:
        """Never fetch some files, because their trees cannot be read."""
        self._unreadable.update(roots)

    # --- what is listed -----------------------------------------------------------------------------------------------

    def list_again(self, *, has_news: bool) -> None:
        """List from the beginning."""
        self.after, self._is_listed, self._has_news = None, False, self._has_news or has_news
        self.number += 1
        self._page.clear()

    def listed(self, files: list[File], number: int) -> None:
        """Take a page that was asked for; nothing if it was begun anew since, which changed the number."""
        if number != self.number:
            return
        self._page.extend(files)
        self._is_listed = len(files) < limits.FILES_LISTED
        self._has_news = self._has_news and not self._is_listed
        if files:
            self.after = files[-1].size, files[-1].root

    # --- what nobody has ----------------------------------------------------------------------------------------------

    def put_by(self, file: File, lacked: Iterable[bytes], now: float) -> None:
        """Put a file by, of which nobody has more."""
        self._again_at = self._again_at if self.aside else now + limits.FILE_AGAIN_S
        self.aside[file.root] = file, frozenset(lacked)
        if len(self.aside) > limits.FILE_LACKS_MAX:
            del self.aside[next(iter(self.aside))]

    def came_up(self, names: Iterable[bytes]) -> None:
        """Take up again what lacks one of some chunks, because a peer has them now."""
        came = set(names)
        for root in [root for root, (_, lacked) in self.aside.items() if not lacked.isdisjoint(came)]:
            self._page.append(self.aside.pop(root)[0])

    def begin(self, under_way: UnderWay) -> Iterator[File]:
        """Yield the files to begin with. Each is to be under way before the next one is asked for."""
        for root, file in self.demanded.items():
            if root not in under_way and self._can_come(file):
                yield file
        while self._page and len(under_way) < limits.FILES_AT_ONCE:
            file = self._page.popleft()
            if file.root not in under_way and self._can_come(file):
                yield file

    def _can_come(self, file: File) -> bool:
        return file.root not in self.aside and file.root not in self._unreadable
