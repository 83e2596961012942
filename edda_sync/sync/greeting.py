"""Greeting: a peer's hello, which comes in pages."""

from __future__ import annotations

from typing import Final

from edda_sync.sync.exchange import Exchange
from edda_sync.sync.messages import Heads, Hello, Summary
from edda_sync.sync.theirs import is_kept
from edda_sync.words import limits
from edda_sync.words.errors import RemoteMismatchError, RemoteProtocolError

PROTOCOLS: Final = (limits.PROTOCOL_VERSION, limits.PROTOCOL_VERSION)
"""Versions that this device speaks, lowest and highest."""


class Greeting:
    """
    What one peer says about its heads, collected until it has said everything.

    Args:
        exchange: The store, as sessions see it.
    """

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self._hello: Hello | None = None
        self._pages: list[Summary] = []
        self._last = b""  # the last actor of the page before

    def begin(self, hello: Hello, peer: str, tag: bytes) -> None:
        """
        Take the fields of a hello other than its heads.

        Raises:
            RemoteMismatchError: The peer speaks another version, has another id, or belongs to another workspace.
        """
        if not hello.protocol[0] <= PROTOCOLS[1] or not hello.protocol[1] >= PROTOCOLS[0]:
            raise RemoteMismatchError(
                f"it speaks version {hello.protocol[1]} of the protocol, and this one {PROTOCOLS[1]}: update the older edda",
                peer,
            )
        if hello.device != peer or hello.workspace != tag:
            raise RemoteMismatchError(
                "it belongs to another workspace: `edda invite` and `edda join` bring the two into one", peer
            )
        self._hello = hello

    def page(self, page: Hello | Heads, peer: str) -> None:
        """
        Take a page of heads.

        Raises:
            RemoteProtocolError: The heads are not in order, or too many for one page.
        """
        actors = [self._last, *(each.actor for each in page.heads)]
        if len(page.heads) > limits.HEADS_MAX or actors != sorted(set(actors)):
            raise RemoteProtocolError("heads that are not in order, or too many at once", peer)
        self._last = actors[-1]
        ours = self._exchange.frontier()
        for each in page.heads:
            if is_kept(each.actor, self._pages, ours):
                self._pages.append(each)

    def end(self) -> tuple[Hello, tuple[Summary, ...]]:
        """Return the hello and all its heads; the peer may say another hello later."""
        hello, pages = self._hello, tuple(self._pages)
        assert hello is not None, "pages come after it"
        self._hello, self._pages, self._last = None, [], b""
        return hello, pages
