"""
The summary: one row with everything that each commit updates, so that a commit writes one page and one statement for it.

It holds the *link* of the chain that runs through a file and its journals (see ``journal``), the digest's sum, and the
last serial number that an edit of a text got.
"""

from __future__ import annotations

from typing import Any, Final

from edda_sync.store.sqlite.statements import Facet, WriterStatements, sound

SCHEMA: Final = (
    "CREATE TABLE _summary (number INTEGER PRIMARY KEY, link BLOB NOT NULL, digest BLOB NOT NULL, serial BLOB NOT NULL)"
)
MAGIC: Final = b"eddalink"
# A row with its key, and blobs of 24, 16 and 8 bytes. Its length never changes, so that it is found in a page (``journal``).
ROW: Final = b"\x35\x01\x05\x00\x3c\x2c\x1c" + MAGIC
LINK_BYTES: Final = 24
_DIGEST_BYTES, _SERIAL_BYTES = 16, 8
_FIRST_LINK: Final = f"CAST(x'{MAGIC.hex()}' || zeroblob(8) || randomblob(8) AS BLOB)"
_NEXT_LINK: Final = f"CAST(x'{MAGIC.hex()}' || substr(link, -8) || randomblob(8) AS BLOB)"
BEGIN: Final = f"INSERT INTO _summary VALUES (1, {_FIRST_LINK}, zeroblob({_DIGEST_BYTES}), zeroblob({_SERIAL_BYTES}))"
_LINK: Final = f"UPDATE _summary SET link = {_NEXT_LINK}"
_WRITE: Final = "UPDATE _summary SET digest = ?, serial = ?"
_WRITE_ALL: Final = f"UPDATE _summary SET digest = ?, serial = ?, link = {_NEXT_LINK}"
_WHAT: Final = "The digest of the store"


class Summary(Facet):
    """The summary, as a reader sees it."""

    __slots__ = ()

    def digest(self) -> int:
        """Return the digest's sum."""
        row = self._sql.one("SELECT digest FROM _summary")
        return 0 if row is None else int.from_bytes(sound(row[0], _WHAT), "big")

    def last_serial(self) -> int:
        """Return the last serial number that an edit of a text got."""
        row = self._sql.one("SELECT serial FROM _summary")
        if row is not None:
            return int.from_bytes(sound(row[0], _WHAT), "big")
        kept = "SELECT serial FROM _texts UNION ALL SELECT serial FROM _text_tail"  # somebody deleted the summary's row
        return int(self._sql.one(f"SELECT max(serial) FROM ({kept})")[0] or 0)


class SummaryWriter(Summary):
    """
    The summary as the writer keeps it. Nothing is written before :meth:`flush` or :meth:`commit`.

    Args:
        sql: The writer's statements.
        connection: The writer's connection.
    """

    __slots__ = ("_changes", "_connection", "_digest", "_is_due", "_serial")

    _sql: WriterStatements

    def __init__(self, sql: WriterStatements, connection: Any) -> None:
        super().__init__(sql)
        self._connection = connection
        self._changes = 0  # how many changes the connection had made when the transaction began
        self.reset()

    def reset(self) -> None:
        """Forget what is remembered, and what is not written yet."""
        self._digest: int | None = None
        self._serial: int | None = None
        self._is_due = False

    def digest(self) -> int:
        digest = self._digest
        if digest is None:
            digest = self._digest = super().digest()
        return digest

    def set_digest(self, digest: int) -> None:
        """Set the digest's sum."""
        self._digest, self._is_due = digest, True

    def last_serial(self) -> int:
        serial = self._serial
        if serial is None:
            serial = self._serial = super().last_serial()
        return serial

    def next_serial(self) -> int:
        """Return a serial number that no edit of a text ever had."""
        serial = self._serial = self.last_serial() + 1
        self._is_due = True
        return serial

    def begin(self) -> None:
        """Note that a transaction begins."""
        self._changes = self._connection.total_changes

    def flush(self) -> None:
        """Write what changed. Call this before a part that may be undone alone, and before the row itself is read."""
        if self._is_due:
            self._write(_WRITE)

    def commit(self) -> None:
        """Write what changed; if the transaction changed anything at all, also its link."""
        if self._is_due:
            self._write(_WRITE_ALL)
        elif self._connection.total_changes != self._changes:
            self._sql.execute(_LINK)

    def _write(self, statement: str) -> None:
        row = self.digest().to_bytes(_DIGEST_BYTES, "big"), self.last_serial().to_bytes(_SERIAL_BYTES, "big")
        if not self._sql.execute(statement, row).rowcount:  # somebody deleted the row of the summary
            self._sql.execute(BEGIN)
            self._sql.execute(statement, row)
        self._is_due = False
