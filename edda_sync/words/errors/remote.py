"""Errors of a peer, of the network, or of a talk: what is here is safe."""

from __future__ import annotations

from edda_sync.words.errors.root import EddaError, bare, named


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
            f"The other device{named(peer)} sent something that is not allowed ({bare(reason)}); the link was closed."
        )


class RemoteMismatchError(RemoteError):
    """The peer belongs to another workspace or speaks another version."""

    def __init__(self, reason: str, peer: str = "") -> None:
        self.reason, self.peer = reason, peer
        super().__init__(f"The other device{named(peer)} does not fit this one: {bare(reason)}.")


class RemoteFaultError(RemoteError):
    """The peer's own disk or store failed, as it said when it ended the talk; it is tried again."""

    def __init__(self, reason: str, peer: str = "") -> None:
        self.reason, self.peer = reason, peer
        super().__init__(f"The trouble is on the other device{named(peer)}: {bare(reason)}.")


class RefusedTextError(RemoteError):
    """A text update or state is not what an honest device writes; the text stays as it was."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(
            f"An edit of another device was refused ({bare(reason)}); the text is as it was: update edda there."
        )


class NotReachableError(RemoteError):
    """Nobody answered at an address: of a member, or where somebody was said to invite."""

    def __init__(self, address: str, reason: str = "", *, invites: bool = False) -> None:
        self.address, self.reason = address, reason
        detail = f" ({bare(reason)})" if reason else ""
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
        detail = f" ({bare(reason)})" if reason else ""
        super().__init__(f"The link to the other device{named(peer)} has ended{detail}; nothing is lost: sync goes on.")


class NotAMemberError(RemoteError):
    """
    The peer is not a member of this workspace, or this device is no member of the peer's.

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

    def __init__(self, bug: BaseException) -> None:
        self.bug = bug
        super().__init__(
            f"edda-sync has a bug that ended this talk ({type(bug).__name__}: {bare(str(bug))}); it is begun anew after a "
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
            f"Pairing failed: {bare(reason)}. {good if nobody_asked else 'Ask for a new code with `edda invite`'}."
        )
