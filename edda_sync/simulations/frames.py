"""Frames as checkers see them. Each frame is decoded once, however many checkers look at it."""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from edda_sync.sync.messages import Message
from edda_sync.sync.wire import Codec

_CODEC: Final = Codec()


@lru_cache(maxsize=64)  # once when it is sent and, a little later, when it is received
def message_of(frame: bytes) -> Message:
    """
    Return the message of a frame.

    Raises:
        RemoteProtocolError: It is not a valid frame.
    """
    return _CODEC.decode(frame)
