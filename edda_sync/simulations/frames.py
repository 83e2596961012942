"""Frames as checkers see them: each is decoded once, however many of them look at it."""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from edda_sync.sync.messages import Message
from edda_sync.sync.wire import Codec

_CODEC: Final = Codec()


@lru_cache(maxsize=64)  # when it is sent and, a little later, when it is received
def message_of(frame: bytes) -> Message:
    """
    Return the message of a frame.

    Raises:
        RemoteProtocolError: It is none.
    """
    return _CODEC.decode(frame)
