"""
Saving: an attachment becomes a file of the user's.

The name of an attachment was written by somebody else, perhaps on another system. It is shown, but it never decides in which
folder a byte is written, and never replaces anything:

1. :func:`safe_name` keeps of it what is a plain file name on every system: no separators, no ``..``, no leading dot or
   hyphen, no control or invisible direction characters, none of the device names of Windows.
2. :func:`save` writes a new file beside the target, and gives it the target's name only if nothing has that name, also no
   link that points nowhere. If the caller allows that something is replaced, a link is replaced itself, and not followed.
"""

from __future__ import annotations

import errno
import os
import re
import stat
from contextlib import suppress
from pathlib import Path
from typing import Final

from edda_sync.files.storing import Stream
from edda_sync.words import limits
from edda_sync.words.errors import NoFolderError, UsageError
from edda_sync.words.files import disk_error, sync_folder

_UNSAFE: Final = re.compile('[\x00-\x1f\x7f-\x9f<>:"/\\\\|?*\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]')
_DEVICES: Final = re.compile(
    r"(con|prn|aux|nul|conin\$|conout\$|(com|lpt)[0-9\u00b9\u00b2\u00b3])( *\..*)?", re.IGNORECASE
)
_COPY_BYTES: Final = 256 * 1024
_NO_LINKS: Final = (errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK, errno.EACCES)


def safe_name(name: str) -> str:
    """
    Return a plain file name for the name of an attachment. It is the same name if that is harmless everywhere.

    Source: "Naming Files, Paths, and Namespaces" (Microsoft); Unicode TR 36, section 2.10 (bidirectional text).
    """
    safe = _UNSAFE.sub("_", name).rstrip(". ").lstrip(" ")
    if safe[:1] in (".", "-"):
        safe = "_" + safe[1:]
    if _DEVICES.fullmatch(safe):
        safe = "_" + safe
    stem, dot, ending = safe.rpartition(".")
    if not dot or len(ending.encode()) > 16:
        stem, dot, ending = safe, "", ""
    room = limits.FILE_NAME_BYTES_MAX - len((dot + ending).encode())
    stem = stem.encode()[:room].decode(errors="ignore")
    return (stem + dot + ending) or "file"


def save(stream: Stream, target: Path, *, replace: bool = False, mode: int = 0o666) -> None:
    """
    Write a stream into a file, whole or not at all.

    Args:
        stream: It is read up to its end.
        target: The file. Its folder exists.
        replace: Whether a file, or link, of that name is replaced.
        mode: The permissions of the file, of which the umask takes some; a person's own file gets the usual ones.

    Raises:
        UsageError: Something has that name already, it is a folder or device, or no name that this disk takes.
        NoFolderError: The folder does not exist.
        StorageError: The file cannot be written.
    """
    _check(target, replace=replace)
    temporary = target.parent / f".edda-{os.urandom(8).hex()}"
    try:
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, mode)
    except (FileNotFoundError, NotADirectoryError) as error:
        detail = error.strerror or str(error)
        raise NoFolderError(str(target.parent), detail, "make it first, or choose another one") from None
    except OSError as error:
        raise disk_error(target.parent, error) from None
    try:
        with os.fdopen(descriptor, "wb", buffering=0) as file:
            while piece := stream.read(_COPY_BYTES):
                rest = memoryview(piece)
                while rest:
                    rest = rest[file.write(rest) :]
            os.fsync(file.fileno())
        if replace:
            os.replace(temporary, target)
        else:
            _name(temporary, target, mode)
        sync_folder(target.parent)
    except OSError as error:
        raise disk_error(target, error) from None
    finally:
        with suppress(FileNotFoundError):
            os.unlink(temporary)


def _check(target: Path, *, replace: bool) -> None:
    """Raise UsageError if a file cannot, or may not, get a name."""
    try:
        mode = os.lstat(target).st_mode
    except (FileNotFoundError, NotADirectoryError):
        return
    except OSError as error:
        if error.errno == errno.ENAMETOOLONG:
            raise UsageError(f"{target.name} is too long a name for this disk; nothing was written.") from None
        raise disk_error(target, error) from None
    if stat.S_ISDIR(mode):
        raise UsageError(f"{target} is a folder; name a file in it.")
    if not (stat.S_ISREG(mode) or stat.S_ISLNK(mode)):
        raise UsageError(f"{target} is no ordinary file; name another one.")
    if not replace:
        raise _is_there(target)


def _name(temporary: Path, target: Path, mode: int) -> None:
    """Give a file its name, unless something has that name."""
    try:
        try:
            os.link(temporary, target, follow_symlinks=False)
        except OSError as error:
            if error.errno not in _NO_LINKS:
                raise
            os.close(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode))  # a file system without hard links
            os.replace(temporary, target)
    except FileExistsError:
        raise _is_there(target) from None


def _is_there(target: Path) -> UsageError:
    return UsageError(f"{target} exists already, and was not touched; name another file, or allow to replace it.")
