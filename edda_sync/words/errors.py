"""
All errors of edda-sync, one tree. Each says whose fault it is, what happened and what to do, and carries its fields.

    EddaError
    ├── LocalError                 the caller's: ask differently
    │   ├── InvalidValueError      a value is not acceptable (field, value, why)
    │   ├── NotFoundError          no such task, document, tag or device (kind, reference)
    │   │   ├── InTrashError       it was deleted, and can come back (kind, reference)
    │   │   └── NotLinkedError     a task and a document have no link (reference, document)
    │   ├── AmbiguousIdError       a short id fits several (reference, candidates)
    │   ├── ConflictError          something the transaction read or wrote has changed meanwhile (cells)
    │   ├── LimitError             larger than a limit allows (what, size, limit)
    │   └── UsageError             the call does not fit the state (a closed store, no workspace, ...)
    ├── StorageError               this device's disk or store
    │   ├── NotAStoreError         the path holds something else (path)
    │   ├── NewerStoreError        made by a newer version (found, known)
    │   ├── LostStoreError         a store was here, and its file is missing, empty or no store (path, signs)
    │   ├── ReplacedStoreError     another file lies where the open store was (path)
    │   ├── LostIdentityError      a store is here, and its device's key is missing (path)
    │   ├── LinkError              a symbolic link lies where a file of ours goes (path)
    │   ├── NotPrivateError        others can read a file of ours, and we may not change that (path)
    │   ├── ReadOnlyError          the store cannot be written (path)
    │   ├── DiskFullError          no room left; nothing was half written (path)
    │   ├── DiskFaultError         the disk failed to read or write (path, detail)
    │   ├── BusyError              another process has held the store for too long (path)
    │   └── CorruptError           stored bytes are not what was written (what)
    │       └── DamagedStoreError  and cannot be made anew from what is here (path)
    ├── RemoteError                a peer's, or the network's
    │   ├── RemoteProtocolError    the peer broke the protocol (peer, reason)
    │   ├── RemoteMismatchError    the peer is of another workspace or version (peer, reason)
    │   ├── RemoteFaultError       the peer's own disk or store failed (peer, reason)
    │   ├── RefusedTextError       a text update that no honest device writes (reason)
    │   ├── NotReachableError      nobody answered (address)
    │   ├── LinkClosedError        a link has ended (peer, reason)
    │   └── NotAMemberError        the peer is no member, or we are none there (peer, by_peer)
    ├── BugError                   edda-sync itself failed in a talk, which ends (bug)
    └── PairingError               an invitation that did not work (reason)

The command turns each into one sentence and an exit code: ``exit_code``.
"""

from __future__ import annotations

from collections.abc import Sequence

from edda_sync.words import exits


class EddaError(Exception):
    """Base of all errors of edda-sync; its text is one sentence for a person."""

    exit_code = exits.FAILED


class LocalError(EddaError):
    """The caller asked for something that cannot be."""

    exit_code = exits.USAGE


class InvalidValueError(LocalError):
    """A value is not acceptable; nothing was written."""

    def __init__(self, field: str, why: str, value: object = None) -> None:
        self.field, self.why, self.value = field, why, value
        super().__init__(f"{field}: {_bare(why)}.")


class NotFoundError(LocalError):
    """There is no such task, document, tag or device here."""

    exit_code = exits.NOT_FOUND

    def __init__(self, kind: str, reference: str) -> None:
        self.kind, self.reference = kind, reference
        listed = f"; `edda {command_of(kind)} list` shows what there is" if kind in _LISTED else ""
        if kind in ("task", "document") and len(reference.replace("-", "")) < 32:
            listed = f"; `edda {command_of(kind)} list` shows ids, of which the last 6 or more characters will do"
        super().__init__(f"There is no {kind} {shown(reference)} here{listed}.")


class InTrashError(NotFoundError):
    """It was deleted; restore it first."""

    def __init__(self, kind: str, reference: str) -> None:
        super().__init__(kind, reference)
        restore = f"edda {command_of(kind)} restore {reference}"
        self.args = (f"The {kind} {shown(reference)} is in the trash; `{restore}` brings it back.",)


class NotLinkedError(NotFoundError):
    """A task and a document are here, and there is no link between them."""

    def __init__(self, task: str, document: str) -> None:
        super().__init__("link", task)
        self.document = document
        self.args = (
            f"There is no link between the task {shown(task)} and the document {shown(document)}; nothing was changed.",
        )


class AmbiguousIdError(LocalError):
    """A short id fits several entities."""

    def __init__(self, reference: str, candidates: Sequence[str]) -> None:
        self.reference, self.candidates = reference, list(candidates)
        shorts = ", ".join(candidate[-12:] for candidate in self.candidates[:4])
        super().__init__(f"{shown(reference)} fits {len(self.candidates)} ids ({shorts}); type more of its end.")


class ConflictError(LocalError):
    """Something the transaction read or wrote was changed meanwhile; run it again, or use ``transact``."""

    exit_code = exits.FAILED

    def __init__(self, cells: Sequence[tuple[str, str]]) -> None:
        self.cells = list(cells)
        entity, field = self.cells[0]
        super().__init__(
            f"{field} of {entity[-12:]} was changed while this transaction ran; nothing was written: run it again."
        )


class LimitError(LocalError):
    """Something is larger than a limit allows; nothing was written."""

    def __init__(self, what: str, size: int, limit: int, advice: str = "split it") -> None:
        self.what, self.size, self.limit = what, size, limit
        super().__init__(f"{what} is {size:,}, and at most {limit:,} is possible; {advice}.")


class UsageError(LocalError):
    """The call does not fit the state of things; the text says what to do first."""


WAYS_BACK = "put it back from a backup, or get its content from another device (`edda invite` there, `edda join` here)"
"""How a store that was lost comes back."""


class StorageError(EddaError):
    """This device's disk or store failed; what was acknowledged is safe."""


class NotAStoreError(StorageError):
    """The path holds something that is not a store; it was not touched."""

    def __init__(self, path: str) -> None:
        self.path = path
        super().__init__(f"{path} is not an edda store; nothing was touched: choose another folder with --home.")


class NewerStoreError(StorageError):
    """The store was made by a newer version; it was not touched."""

    def __init__(self, path: str, found: int, known: int) -> None:
        self.path, self.found, self.known = path, found, known
        super().__init__(
            f"{path} was written by a newer edda (store version {found}; this one knows {known}): update edda-sync."
        )


class LostStoreError(StorageError):
    """A store was here, and its file is missing, empty or something else; none was made in its place."""

    def __init__(self, path: str, signs: Sequence[str], *, overwritten: bool = False) -> None:
        self.path, self.signs = path, list(signs)
        what = "no store any more" if overwritten else "missing or empty"
        kept = self.signs[:1] if overwritten else []
        kept += [sign for sign in self.signs if sign.endswith("-wal")]  # it does not fit another file
        first = f"keep {' and '.join(kept)} elsewhere first, then " if kept else ""
        anew = f", or, to begin anew, move away {', '.join(self.signs)}" if self.signs else ""
        super().__init__(f"{path} is {what}, although a store was here; nothing was made: {first}{WAYS_BACK}{anew}.")


class ReplacedStoreError(StorageError):
    """Another file lies where the store was opened; neither was written since."""

    def __init__(self, path: str) -> None:
        self.path = path
        super().__init__(f"{path} was replaced by another file while it was in use; start again to use the new one.")


class LostIdentityError(StorageError):
    """A store is here, and the key of its device is missing: it can be read and written, but not synced."""

    def __init__(self, path: str) -> None:
        self.path = path
        super().__init__(
            f"{path} has a store without its identity: put identity.json and identity.key back from a backup, or let "
            "`edda join --bring` make this a new device that keeps the content; until then it can be read and written, but "
            "not synced."
        )


class LinkError(StorageError):
    """A symbolic link lies where a file of ours goes; nothing was written through it."""

    def __init__(self, path: str) -> None:
        self.path = path
        super().__init__(
            f"{path} is a symbolic link, and nothing is written through it: remove it, or put the file itself there."
        )


class NotPrivateError(StorageError):
    """Others on this computer can read a file of ours, and its permissions cannot be changed; it was not used."""

    def __init__(self, path: str) -> None:
        self.path = path
        super().__init__(
            f"{path} can be read by others, and its permissions cannot be changed; it was not used: let its owner run "
            "`chmod go-rwx` on it, or move the folder to a disk that keeps permissions."
        )


class ReadOnlyError(StorageError):
    """The store cannot be written."""

    def __init__(self, path: str, advice: str = "check its permissions or its disk") -> None:
        self.path = path
        super().__init__(f"{path} cannot be written (read-only); nothing was changed: {advice}.")


class DiskFullError(StorageError):
    """No room is left; the write was refused whole."""

    def __init__(self, path: str) -> None:
        self.path = path
        super().__init__(f"The disk that holds {path} is full; nothing was written: free some room and try again.")


class DiskFaultError(StorageError):
    """The disk failed to read or write; the write was refused whole."""

    def __init__(self, path: str, detail: str) -> None:
        self.path, self.detail = path, detail
        super().__init__(
            f"The disk that holds {path} failed ({detail}); nothing was written: check the disk, then try again."
        )


class BusyError(StorageError):
    """Another process has held the store for too long."""

    def __init__(self, path: str) -> None:
        self.path = path
        super().__init__(f"{path} has been busy with another process for too long; nothing was written: try again.")


class CorruptError(StorageError):
    """Stored bytes are not what was written."""

    def __init__(self, what: str) -> None:
        self.what = what
        super().__init__(f"{what} is damaged on this disk; run `edda doctor`, and keep a copy of the folder.")


class DamagedStoreError(CorruptError):
    """What is damaged cannot be made anew from what is here."""

    def __init__(self, path: str, what: str = "") -> None:
        super().__init__(what or path)
        self.path = path
        name = path.rpartition("/")[2]
        then = f"keep a copy of the folder, move {name} away, and {WAYS_BACK}"
        self.args = (f"{self.what} is damaged on this disk, and cannot be mended from what is here: {then}.",)


class RemoteError(EddaError):
    """A peer's fault, or the network's; everything here is safe."""

    peer = ""

    def told(self, name: str) -> str:
        """Return its text with what people call the peer where it has its id."""
        return str(self).replace(self.peer, name).replace(self.peer[:12], name) if self.peer else str(self)


class RemoteProtocolError(RemoteError):
    """The peer broke the protocol: close its link and keep its data."""

    def __init__(self, reason: str, peer: str = "") -> None:
        self.reason, self.peer = reason, peer
        super().__init__(
            f"The other device{_named(peer)} sent something that is not allowed ({_bare(reason)}); the link was closed."
        )


class RemoteMismatchError(RemoteError):
    """The peer belongs to another workspace or speaks another version."""

    def __init__(self, reason: str, peer: str = "") -> None:
        self.reason, self.peer = reason, peer
        super().__init__(f"The other device{_named(peer)} does not fit this one: {_bare(reason)}.")


class RemoteFaultError(RemoteError):
    """The peer's own disk or store failed, as it said when it ended the talk; it is tried again."""

    def __init__(self, reason: str, peer: str = "") -> None:
        self.reason, self.peer = reason, peer
        super().__init__(f"The trouble is on the other device{_named(peer)}: {_bare(reason)}.")


class RefusedTextError(RemoteError):
    """A text update or state is not what an honest device writes; the text stays as it was."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(
            f"An edit of another device was refused ({_bare(reason)}); the text is as it was: update edda there."
        )


class NotReachableError(RemoteError):
    """Nobody answered at an address: of a member, or where somebody was said to invite."""

    def __init__(self, address: str, reason: str = "", *, invites: bool = False) -> None:
        self.address, self.reason = address, reason
        detail = f" ({_bare(reason)})" if reason else ""
        advice = "is `edda up` running there?"
        if invites:
            advice = (
                "is `edda invite` open there, and is that the address that it shows behind --at? Nobody was asked, so the "
                "code is as good as before."
            )
        super().__init__(f"No device answered at {address}{detail}; {advice}")


class LinkClosedError(RemoteError):
    """A link to a peer has ended; what was not acknowledged is sent again over the next one."""

    def __init__(self, peer: str, reason: str = "") -> None:
        self.peer, self.reason = peer, reason
        detail = f" ({_bare(reason)})" if reason else ""
        super().__init__(
            f"The link to the other device{_named(peer)} has ended{detail}; nothing is lost: sync goes on."
        )


class NotAMemberError(RemoteError):
    """
    The peer is not a member of this workspace, or this device is none of the peer's.

    Attributes:
        peer: Its device id.
        by_peer: Whether it is the peer that does not know this device.
    """

    def __init__(self, peer: str, *, by_peer: bool = False) -> None:
        self.peer, self.by_peer = peer, by_peer
        super().__init__(
            f"{peer} and this device are not members of one workspace; pair them with `edda invite` and `edda join`."
        )


class BugError(EddaError):
    """
    edda-sync itself failed, in something that ends with a talk and nothing else.

    Attributes:
        bug: What was raised; its trace is in the log.
    """

    def __init__(self, bug: Exception) -> None:
        self.bug = bug
        super().__init__(
            f"edda-sync has a bug that ended this talk ({type(bug).__name__}: {_bare(str(bug))}); it is begun anew after a "
            "while. Please report it, with what the log says."
        )


class PairingError(EddaError):
    """An invitation did not work; a code is good for one try, and only where somebody was asked that was one."""

    def __init__(self, reason: str, *, nobody_asked: bool = False) -> None:
        self.reason = reason
        good = (
            "Nobody was asked, so the code is as good as before: look at its first two digits, and type it again, unless a "
            "wrong one was tried already"
        )
        super().__init__(
            f"Pairing failed: {_bare(reason)}. {good if nobody_asked else 'Ask for a new code with `edda invite`'}."
        )


def shown(text: str, width: int = 60) -> str:
    """A quoted piece of a person's input, short and without control characters, for the text of an error."""
    short = text if len(text) <= width else text[: width - 1] + "…"
    return repr(short)


_LISTED = ("task", "document", "tag", "device")  # kinds that a command lists


def command_of(kind: str) -> str:
    """The group of commands that lists entities of a kind."""
    return {"document": "doc", "device": "devices"}.get(kind, kind)


def _bare(reason: str) -> str:
    """A sentence of somebody else, such as a peer, as a part of ours."""
    return reason.rstrip(".")


def _named(peer: str, before: str = " ") -> str:
    return f"{before}{peer[:12]}" if peer else ""
