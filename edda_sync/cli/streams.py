"""
The three standard streams. Any of them may be closed, be full, or have an encoding without some letters.

A command does its work whether or not its answer can be shown: a full disk below a log file undoes nothing that was
written to the store. So output that cannot be printed is dropped, and this is reported once, at the end (see
:func:`unshown`). A closed pipe is different: its reader wants no more, so the command ends.
"""

from __future__ import annotations

import io
import os
import sys
from typing import Any

_MENDED = ("strict", "surrogateescape")  # these would end a command because of one letter; others were chosen


class _Stream(io.RawIOBase):
    """
    Passes bytes on to a descriptor as long as it accepts them.

    Args:
        descriptor: The descriptor; None for a closed stream.
        wanted: Whether a closed pipe is an error.
    """

    def __init__(self, descriptor: int | None, *, wanted: bool) -> None:
        self._descriptor, self._wanted = descriptor, wanted
        self.failed = ""
        self.told = False

    def writable(self) -> bool:
        return True

    def isatty(self) -> bool:
        return self._descriptor is not None and os.isatty(self._descriptor)

    def fileno(self) -> int:
        if self._descriptor is None:
            raise io.UnsupportedOperation("closed")
        return self._descriptor

    def write(self, data: Any) -> int:
        size = len(data)
        if self._descriptor is None:
            self.failed = "it is closed"
        if self.failed or self._descriptor is None:
            return size
        try:
            return os.write(self._descriptor, data)
        except BrokenPipeError:
            if self._wanted:
                raise
        except OSError as error:
            self.failed = error.strerror or str(error)
        return size


_out: _Stream | None = None


def prepare() -> None:
    """Make the streams of this process writable, whatever state they are in. Streams that a test replaced stay."""
    global _out
    _fill()
    if sys.stdout is sys.__stdout__:
        _out, sys.stdout = _replaced(sys.stdout, 1, wanted=True)
    if sys.stderr is sys.__stderr__:
        _, sys.stderr = _replaced(sys.stderr, 2, wanted=False)


def _fill() -> None:
    """Occupy the numbers of closed streams; otherwise a file could get one, and output would be written into it."""
    while (descriptor := os.open(os.devnull, os.O_RDWR)) <= 2:
        os.set_inheritable(descriptor, True)
    os.close(descriptor)


def _replaced(stream: Any, descriptor: int, *, wanted: bool) -> tuple[_Stream, Any]:
    raw = _Stream(None if stream is None else descriptor, wanted=wanted)
    encoding = "utf-8" if stream is None else stream.encoding
    errors = "strict" if stream is None else stream.errors
    errors = "backslashreplace" if errors in _MENDED else errors
    buffered = io.BufferedWriter(raw)
    return raw, io.TextIOWrapper(buffered, encoding, errors, line_buffering=raw.isatty() or not wanted)


def unshown() -> str:
    """Return, once, why something could not be printed on standard output; empty if there is nothing to report."""
    if _out is None or _out.told:
        return ""
    _out.told = bool(_out.failed)
    return _out.failed


def is_unicode() -> bool:
    """Tell whether standard output accepts any letter."""
    return sys.stdout.encoding.lower().replace("_", "-") in ("utf-8", "utf8")


def can_read() -> bool:
    """Tell whether there is a standard input."""
    return sys.stdin is not None
