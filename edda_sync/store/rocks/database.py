"""
RocksDB itself: the only module that knows its library.

What a settlement left is opened to read, and does not change while it is open: all files of it stay open, also those that
a later settlement removes from the folder. It is opened to write only for a settlement, under RocksDB's own lock, with its
log off (SQLite has what is not settled) and with no compaction of its own: a folder that is not open does no work.

Every scan asks RocksDB for its status at the end: ``items``, ``keys`` and ``values`` of the library end silently at a
damaged block, with what was before it.

A forked child has none of the threads with which its parent's RocksDB writes, and would wait for them without end. It reads,
and leaves to others what it would have to write.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from rocksdict import (
    AccessType,
    BlockBasedOptions,
    DBCompressionType,
    Options,
    Rdict,
    ReadOptions,
    WriteBatch,
    WriteOptions,
)

from edda_sync.store.rocks import keys
from edda_sync.words import limits
from edda_sync.words.errors import DiskFullError, ForkedStatesError, LockedStatesError, LostStatesError
from edda_sync.words.files import disk_error, make_folders
from edda_sync.words.process import Owner

if TYPE_CHECKING:
    from edda_sync.store.rocks.sealed import Code

TOKEN_BYTES: Final = 16
_MARK_BYTES: Final = TOKEN_BYTES + keys.NUMBER_BYTES  # what follows is the id of the data key
_BLOOM_BITS: Final = 10  # a key: one in a hundred reads of a missing key looks into a file
_WRITE_BUFFER_BYTES: Final = 1 << 30  # more than a settlement writes, so that it is flushed as a whole or not at all
_BATCH_BYTES: Final = 4 << 20


class Settled:
    """
    The states as one settlement left them. They do not change while it is open.

    Args:
        path: The folder.

    Attributes:
        token: The token of the settlement.
        key_id: The id of the data key under which keys and values are sealed; empty if they are plain.

    Raises:
        LostStatesError: The folder is missing, damaged, or of another program.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        with reading(path):
            if not (path / "CURRENT").exists():
                raise LostStatesError(str(path), "it is missing")
            self._db = _opened(path, AccessType.read_only())
            mark = bytes(self._db.get(keys.MARK) or b"")
        self.token, self.key_id = mark[:TOKEN_BYTES], mark[_MARK_BYTES:]

    def get(self, wanted: list[bytes]) -> list[bytes | None]:
        """Return the values of some keys; None for each that is missing."""
        with reading(self.path):
            found: Any = self._db.get(wanted)  # type: ignore[arg-type]  # its stubs know no bytes in lists
            return list(found)

    def scan(self, prefix: bytes, start: bytes = b"") -> Iterator[tuple[bytes, bytes]]:
        """Yield the keys that begin with a prefix, at least its first byte, and their values, in order, from a key on."""
        return self._scan(max(prefix, start), keys.after(prefix))

    def everything(self) -> Iterator[tuple[bytes, bytes]]:
        """Yield every key and value, except the mark."""
        return (each for each in self._scan(b"", b"\xff") if each[0] != keys.MARK)

    def _scan(self, start: bytes, end: bytes) -> Iterator[tuple[bytes, bytes]]:
        options = ReadOptions()
        options.set_iterate_upper_bound(end)
        with reading(self.path):
            at = self._db.iter(options)
            at.seek(start)
            while at.valid():
                yield at.key(), at.value()
                at.next()
            at.status()  # raises if the scan ended at a damaged block


def settle(
    path: Path,
    before: bytes | None,
    token: bytes,
    upto: int,
    puts: Iterable[tuple[bytes, bytes]],
    deletes: Iterable[bytes],
    code: Code | None = None,
) -> None:
    """
    Write a settlement as a whole, and wait until it is on disk.

    Args:
        path: The folder; with ``before`` None it is made anew, in place of one that was left half made.
        before: The token that the folder must have. If it has ``token`` already, nothing is done.
        token: The token of the settlement.
        upto: The number of the last row that it contains.
        puts: What to write: pairs of key and value.
        deletes: Keys to remove.
        code: How the folder is sealed, which is that of the folder if there is one; None for a plain one.

    Raises:
        ForkedStatesError: This process was forked from one that had written to RocksDB.
        LockedStatesError: Another program has the folder open.
        LostStatesError: The folder is damaged, or does not have the expected token.
        DiskFullError, DiskFaultError: It cannot be written. What was there before still counts.
    """
    if not _writer().is_here:
        raise ForkedStatesError(str(path))
    key_id = b"" if code is None else code.key_id
    with reading(path):
        if before is None:
            shutil.rmtree(path, ignore_errors=True)
            make_folders(path)
        elif not (path / "CURRENT").exists():
            raise LostStatesError(str(path), "it is missing")
        db = _opened(path, AccessType.read_write())
        try:
            found = bytes(db.get(keys.MARK) or b"")
            if found[:TOKEN_BYTES] == token:
                return
            if found[:TOKEN_BYTES] != (before or b"") or (found and found[_MARK_BYTES:] != key_id):
                raise LostStatesError(str(path), "another state of the store wrote it")
            if code is not None:
                deletes = map(code.key, deletes)
                puts = ((code.key(key), code.seal(key, value)) for key, value in puts)
            _write(db, deletes, puts, token + keys.number(upto) + key_id)
            _compact(db)
        finally:
            db.close()


@cache
def _writer() -> Owner:
    """Return the process that was the first to write to RocksDB: this one, or one from which it was forked."""
    return Owner("RocksDB")


def _write(db: Rdict, deletes: Iterable[bytes], puts: Iterable[tuple[bytes, bytes]], mark: bytes) -> None:
    unlogged = WriteOptions()
    unlogged.disable_wal = True  # type: ignore[method-assign,assignment]  # its stubs have the getter only
    batch = WriteBatch(raw_mode=True)
    for key in deletes:
        batch.delete(key)
    for key, value in puts:
        batch.put(key, value)
        if batch.size_in_bytes() > _BATCH_BYTES:
            db.write(batch, unlogged)
            batch = WriteBatch(raw_mode=True)
    batch.put(keys.MARK, mark)
    db.write(batch, unlogged)
    db.flush()


def _compact(db: Rdict) -> None:
    """
    Merge all files into one sorted run, if what was added since the last time is a good part of the whole, or in many files.

    Source: size-tiered compaction, as in Lakshman and Malik, "Cassandra", SIGOPS 44 (2010). Each byte is written again only
    a few times, and reads look into few files.
    """
    files: list[dict[str, Any]] = db.live_files()
    added = [each["size"] for each in files if each["level"] == 0]
    whole = sum(each["size"] for each in files)
    if len(added) >= limits.ROCKSDB_FILES_MAX or (
        len(added) >= limits.ROCKSDB_FILES_MIN and sum(added) * limits.ROCKSDB_ADDED_SHARE >= whole
    ):
        db.compact_range(None, None)


def _opened(path: Path, access: AccessType) -> Rdict:
    options = Options(raw_mode=True)
    options.create_if_missing(True)
    options.set_paranoid_checks(True)
    options.set_disable_auto_compactions(True)
    options.set_write_buffer_size(_WRITE_BUFFER_BYTES)
    options.set_max_file_opening_threads(1)  # there are few
    options.set_max_open_files(-1)  # every file stays open, so that none can vanish under a reader
    options.set_skip_stats_update_on_db_open(True)
    options.set_stats_dump_period_sec(0)
    options.set_stats_persist_period_sec(0)
    options.set_keep_log_file_num(1)
    options.set_max_log_file_size(limits.ROCKSDB_LOG_BYTES)
    options.set_compression_type(DBCompressionType.lz4())
    table = BlockBasedOptions()
    table.set_bloom_filter(_BLOOM_BITS, False)
    options.set_block_based_table_factory(table)
    return Rdict(str(path), options, access_type=access)


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Turn what RocksDB and the folder raise into errors of ours, in a ``with`` block."""
    try:
        yield
    except OSError as error:
        raise disk_error(path, error) from error
    except Exception as error:
        if type(error) is not Exception:  # the library raises no other class
            raise
        raise _translation(path, str(error)) from error


def _translation(path: Path, said: str) -> Exception:
    if "LOCK" in said:
        return LockedStatesError(str(path))
    if "No space left" in said:
        return DiskFullError(str(path))
    return LostStatesError(str(path), said.splitlines()[0].removesuffix("."))


def remove(path: Path, *, overwrite: bool = False) -> None:
    """
    Remove a folder that is no longer used. Whoever still reads it keeps its files open.

    Args:
        path: The folder.
        overwrite: Whether to overwrite its files before with zeros, since they are plain. Nobody may read them then.

    Raises:
        DiskFaultError: They cannot be overwritten.
    """
    if not path.is_dir() or os.path.islink(path):
        return
    for file in [each for each in path.iterdir() if overwrite and each.is_file()]:
        with reading(file), open(file, "rb+", buffering=0) as old:
            size = os.fstat(old.fileno()).st_size
            old.writelines(bytes(min(_BATCH_BYTES, size - at)) for at in range(0, size, _BATCH_BYTES))
            os.fsync(old.fileno())
    shutil.rmtree(path, ignore_errors=True)
