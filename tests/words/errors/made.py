"""One error of each kind, and of some more."""

from __future__ import annotations

from edda_sync.words import errors
from edda_sync.words.errors import EddaError

ID = "0192f0c1-79b0-7cc3-98c4-dc0c0c07398f"
MADE: list[EddaError] = [
    errors.InvalidValueError("title", "is empty; 1 to 500 are possible", ""),
    errors.BugError(ZeroDivisionError("division by zero")),
    errors.CallbackError("What happens", ZeroDivisionError("division by zero")),
    errors.NotFoundError("task", ID),
    errors.NotFoundError("document", "x\ny" * 100),
    errors.NotFoundError("change", "5:7"),
    errors.InTrashError("task", ID),
    errors.NotLinkedError(ID, ID),
    errors.AmbiguousIdError("07398f", [ID, ID, ID, ID, ID]),
    errors.ConflictError([(ID, "title"), (ID, "status")]),
    errors.OutdatedError("/home/a/notes/edda.db"),
    errors.LimitError("the text", 20_000_000, 16_777_216),
    errors.UsageError("This store is closed; open it again."),
    errors.NotAStoreError("/home/a/notes"),
    errors.NewerStoreError("/home/a/notes", 7, 1),
    errors.LostStoreError("/home/a/notes/edda.db", ["identity.json", "identity.key"]),
    errors.LostStoreError("/home/a/notes/edda.db", ["edda.db", "edda.db-wal"]),
    errors.LostStoreError("/home/a/notes/edda.db", []),
    errors.LostStoreError("/home/a/notes/edda.db", ["edda.db", "identity.json", "identity.key"], overwritten=True),
    errors.ReplacedStoreError("/home/a/notes/edda.db"),
    errors.LostJournalError("/home/a/notes/edda.db"),
    errors.LostIndexError("/home/a/notes/edda.db"),
    errors.LostIdentityError("/home/a/notes"),
    errors.LinkError("/home/a/notes/edda.db"),
    errors.NotPrivateError("/home/a/notes/edda.db"),
    errors.ReadOnlyError("/home/a/notes"),
    errors.DiskFullError("/home/a/notes"),
    errors.DiskFaultError("/home/a/notes", "disk I/O error"),
    errors.BusyError("/home/a/notes"),
    errors.CorruptError("The state of a task"),
    errors.DamagedStoreError("/home/a/notes/edda.db"),
    errors.DamagedStoreError("/home/a/notes/edda.db", "The state of a task"),
    errors.RemoteProtocolError("a frame of 5 bytes", "7abcc6c5yq2b6ai4"),
    errors.RemoteProtocolError("a frame of 5 bytes"),
    errors.RemoteMismatchError("it speaks version 2", "7abcc6c5yq2b6ai4"),
    errors.RemoteFaultError("The disk that holds /a/edda.db is full", "upv53fgohycoabcdefgh"),
    errors.RefusedTextError("a clock with a gap"),
    errors.NotReachableError("192.0.2.7:4711"),
    errors.NotReachableError("192.0.2.7:4711", "connection refused"),
    errors.LinkClosedError("7abcc6c5yq2b6ai4"),
    errors.LinkClosedError("7abcc6c5yq2b6ai4", "it went to sleep"),
    errors.NotAMemberError("7abcc6c5yq2b6ai4"),
    errors.PairingError("the code is not the one that was shown"),
    errors.PairingError("nobody on this network invites with that code", nobody_asked=True),
]
