"""Attaching: the files that one transaction attaches. Their content is on disk before the transaction commits."""

from __future__ import annotations

import mimetypes
import os
import stat
from contextlib import ExitStack, suppress
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

from edda_sync.crdt.attachments import CONTENT_TYPE_DEFAULT, AttachmentRecord, encode
from edda_sync.files.storing import Stream, store
from edda_sync.store.held import hold
from edda_sync.words import arguments, limits, values
from edda_sync.words.errors import DiskFullError, InvalidValueError, StorageError, UsageError

if TYPE_CHECKING:
    from edda_sync.engine.files import Files
    from edda_sync.files.chunks import Adding
    from edda_sync.store.seams import StoreWriter


Source = str | os.PathLike[str] | Stream
"""What can be attached: the path of a file, or a stream in binary mode."""


class Attaching:
    """
    What a transaction attaches. Call :meth:`settle` before its commit, :meth:`hold` in it, and :meth:`close` after it.

    Nothing that was added is collected before :meth:`close`.

    Args:
        files: The attachments of the store.
    """

    def __init__(self, files: Files) -> None:
        self._files = files
        self._open = ExitStack()
        self._adding: Adding | None = None
        self._files_here: list[tuple[bytes, int]] = []

    def add(self, source: Source, name: str | None, content_type: str | None) -> bytes:
        """
        Keep the content of a file; return the encoded record of an attachment. See ``Transaction.attach``.

        Raises:
            UsageError: It is no ordinary file, or a stream without a name.
            OSError: The file cannot be read.
        """
        if self._adding is None:
            self._adding = self._open.enter_context(self._files.chunks.adding())
        if name is not None:
            arguments.of_type("name", name, str, "text")
        if not isinstance(source, str | os.PathLike):
            if not hasattr(source, "read"):
                raise InvalidValueError("source", "must be a path, or a stream in binary mode", source)
            return self._record(source, name if name is not None else _name_of(source), content_type)
        path = arguments.path("source", source).expanduser()
        with open(path, "rb", buffering=0, opener=_opener) as stream:
            if not stat.S_ISREG(os.fstat(stream.fileno()).st_mode):
                raise UsageError(f"{path} is no ordinary file; nothing was attached.")
            return self._record(stream, name if name is not None else path.name, content_type)

    def _record(self, stream: Stream | Any, name: str, content_type: str | None) -> bytes:
        readable = os.fsencode(name).decode("utf-8", "replace")  # a file's name may be any bytes
        checked = values.line("name", readable, code_points_max=limits.FILE_NAME_CODE_POINTS_MAX)
        guessed = content_type or mimetypes.guess_type(PurePath(checked).name, strict=False)[0] or CONTENT_TYPE_DEFAULT
        media_type = values.line("content_type", guessed)
        assert self._adding is not None, "it was begun"
        file = store(self._adding, stream)
        self._files_here.append((file.root, file.size))
        return encode(AttachmentRecord(checked, media_type, file.root, file.size, file.depth))

    def settle(self) -> None:
        """Wait until everything that was added is on disk."""
        if self._adding is not None:
            self._adding.settle()

    def hold(self, tx: StoreWriter) -> None:
        """Note, in the transaction of the store, that the files are complete here."""
        hold(tx, self._files_here)

    def close(self, error: BaseException | None = None, *, failed: bool = False) -> None:
        """
        Let go of what was added. What a transaction has written that ``failed`` is dropped, unless all of it may be there.

        Args:
            error: What ended the commit, if something did.
            failed: Whether the transaction failed, or was given up.
        """
        written = set[bytes]() if self._adding is None else self._adding.new
        self._open.close()
        if failed and written and not _leaves_doubt(error):
            with suppress(StorageError):  # the reason why it failed is told; this rest is collected later
                self._files.undo(written)


def _leaves_doubt(error: BaseException | None) -> bool:
    """Tell whether a commit that ended so may have been written: a disk failed at its end, or nobody waited for it."""
    if isinstance(error, StorageError):
        return not isinstance(error, DiskFullError)
    return error is not None and not isinstance(error, Exception)


def _opener(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NONBLOCK | os.O_CLOEXEC)  # a pipe is not waited for


def _name_of(stream: object) -> str:
    name = getattr(stream, "name", None)
    if not isinstance(name, str) or not name:
        raise UsageError("This stream has no name; give the attachment one with name=.")
    return PurePath(name).name
