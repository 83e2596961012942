"""
The footprint of a process that stays: how it takes little memory, and gives back what only its start needed.

1. Buffers of half a mebibyte or more, such as chunks of files, are got from the system one by one and go back to it at once.
   By default the GNU C library learns from the first of them to keep them, in a heap for each thread that is never as small
   again.
2. Much of what libraries have in their files is needed only while they are loaded. Those pages count as this process's
   memory until the system wants them back. They are given back at once, and read again if they are needed after all. Only
   pages that nobody can have changed are meant: those of mappings that cannot be written and have no page of their own.

Both are about the process as a whole, so commands ask for it, and no function of the library does.

Source: mallopt(3) and madvise(2), MADV_DONTNEED, of the Linux man-pages.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from edda_sync.words import limits

_SMAPS: Final = Path("/proc/self/smaps")
_M_TRIM_THRESHOLD: Final = -1
_M_MMAP_THRESHOLD: Final = -3
_M_ARENA_MAX: Final = -8
_MADV_DONTNEED: Final = 4


def take_little() -> None:
    """Let large buffers go back to the system as soon as they are free. Call it before there are other threads."""
    import ctypes

    library = ctypes.CDLL(None)
    if hasattr(library, "mallopt"):  # of the GNU C library
        library.mallopt(_M_MMAP_THRESHOLD, limits.LARGE_BUFFER_BYTES)
        library.mallopt(_M_TRIM_THRESHOLD, limits.LARGE_BUFFER_BYTES)
        library.mallopt(_M_ARENA_MAX, limits.HEAPS_MAX)


def give_back() -> None:
    """Give back what only the start of this process needed, on Linux. Call it when it has started."""
    if sys.platform != "linux" or not _SMAPS.exists():
        return
    import ctypes

    library = ctypes.CDLL(None)
    for start, end in list(_unchanged()):
        library.madvise(ctypes.c_void_p(start), ctypes.c_size_t(end - start), _MADV_DONTNEED)
    if hasattr(library, "malloc_trim"):
        library.malloc_trim(0)


def _unchanged() -> Iterator[tuple[int, int]]:
    """Yield the first and last address of the mappings of files that cannot be written and have no page of their own."""
    head, own_kib = list[str](), 0
    for line in [*_SMAPS.read_text(encoding="utf-8", errors="replace").splitlines(), "0-0 end"]:
        words = line.split()
        if not words[0].endswith(":"):
            if len(head) > 5 and head[5].startswith("/") and "w" not in head[1] and not own_kib:
                start, end = (int(each, 16) for each in head[0].split("-"))
                yield start, end
            head, own_kib = words, 0
        elif words[0] == "Anonymous:":
            own_kib = int(words[1])
