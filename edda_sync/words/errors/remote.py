"""Errors of a peer, of the network, or of a session. What is stored here is safe."""

from __future__ import annotations

from edda_sync.words.errors.root import EddaError, bare, named, shown


class RemoteError(EddaError):
    """A fault of a peer or the network. Everything here is safe."""

    peer = ""

    def told(self, name: str) -> str:
        """Return the text with the peer's name in place of its id."""
        return str(self).replace(self.peer, name).replace(self.peer[:12], name) if self.peer else str(self)


class RemoteProtocolError(RemoteError):
    """The peer broke the protocol: close its link and keep its data."""

    def __init__(self, reason: str, peer: str = "") -> None:
        self.reason, self.peer = reason, peer
        super().__init__(
            f"The other device{named(peer)} sent something that is not allowed ({bare(reason)}); the link was closed, and "
            "is made again: update the older edda of the two, or report it if both are the same."
        )


class RemoteMismatchError(RemoteError):
    """The peer belongs to another workspace or speaks another version."""

    def __init__(self, reason: str, peer: str = "") -> None:
        self.reason, self.peer = reason, peer
        super().__init__(f"The other device{named(peer)} does not fit this one: {bare(reason)}.")


class RemoteFaultError(RemoteError):
    """The peer's own disk or store failed, as the peer said when it ended the session. We try again later."""

    def __init__(self, reason: str, peer: str = "") -> None:
        self.reason, self.peer = reason, peer
        super().__init__(
            f"The trouble is on the other device{named(peer)}: {bare(reason)}; mend it there, and this one goes on by "
            "itself."
        )


class RemoteComplaintError(RemoteMismatchError):
    """The peer ended a session because of what this device sent, as the peer says."""

    def __init__(self, reason: str, peer: str = "") -> None:
        self.reason, self.peer = reason, peer
        RemoteError.__init__(
            self,
            f"The other device{named(peer)} ended the session, and says of this one: {shown(bare(reason), 100)}; nothing is "
            "lost: update the older edda of the two, or report it if both are the same.",
        )


class RefusedTextError(RemoteError):
    """A text update or state that no honest device writes. The text stays as it was."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(
            f"An edit of another device was refused ({bare(reason)}); the text is as it was: update edda there."
        )


class NotReachableError(RemoteError):
    """Nobody answered at an address: that of a member, or that of a device that invites."""

    def __init__(self, address: str, reason: str = "", *, invites: bool = False) -> None:
        self.address, self.reason = address, reason
        detail = f" ({bare(reason)})" if reason else ""
        advice = "is `edda up` running there?"
        if invites:
            advice = (
                "is `edda invite` open there, and is that the address that it shows behind --at? Nobody was asked, so "
                "this did not use up the code."
            )
        super().__init__(f"No device answered at {address}{detail}; {advice}")


class LinkClosedError(RemoteError):
    """A link to a peer has ended. What was not acknowledged is sent again over the next link."""

    def __init__(self, peer: str, reason: str = "") -> None:
        self.peer, self.reason = peer, reason
        detail = f" ({bare(reason)})" if reason else ""
        super().__init__(f"The link to the other device{named(peer)} has ended{detail}; nothing is lost: sync goes on.")


class NotAMemberError(RemoteError):
    """
    The peer is not a member of this workspace, or this device is not a member of the peer's.

    Attributes:
        peer: The peer's device id.
        by_peer: Whether it is the peer that does not know this device.
    """

    def __init__(self, peer: str, *, by_peer: bool = False) -> None:
        self.peer, self.by_peer = peer, by_peer
        super().__init__(
            f"{peer} and this device are not members of one workspace; pair them with `edda invite` and `edda join`."
        )


class OwnKeyError(RemoteError):
    """
    What answers has this device's own key.

    Attributes:
        address: Where it answers.
    """

    def __init__(self, address: str) -> None:
        self.address = address
        super().__init__(
            f"What answers at {address} has this device's own key: it is this device itself, or a copy of its store, which "
            "`edda split NAME` makes a device of its own."
        )


class BugError(EddaError):
    """
    edda-sync itself failed, in a part that ends with its session.

    Attributes:
        bug: The exception. Its traceback is in the log.
    """

    def __init__(self, bug: BaseException) -> None:
        self.bug = bug
        super().__init__(
            f"edda-sync has a bug that ended this session ({type(bug).__name__}: {bare(str(bug))}); the next one starts "
            "after a while. Please report it, with what the log says."
        )


class PairingError(EddaError):
    """An invitation did not work. A code is good for one try, but only at a device that has an open invitation."""

    def __init__(self, reason: str, *, nobody_asked: bool = False) -> None:
        self.reason = reason
        then = "`edda invite` on the device that invites shows a new code"
        if nobody_asked:
            then = (
                "A code that a device has tried already, or that is older than five minutes, is good no more: ask for a new "
                "one with `edda invite`; otherwise check its first two digits, and type it again"
            )
        super().__init__(f"Pairing failed: {bare(reason)}. {then}.")
