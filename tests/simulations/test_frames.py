from __future__ import annotations

import pytest

from edda_sync.simulations.frames import message_of
from edda_sync.sync.messages import Goodbye
from edda_sync.sync.wire import Codec
from edda_sync.words.errors import RemoteProtocolError


def test_a_frame_is_decoded_once_even_if_many_look_at_it() -> None:
    frame = Codec().encode(Goodbye("read by several", "none"))
    assert message_of(frame) == Goodbye("read by several", "none")
    assert message_of(frame) is message_of(bytes(bytearray(frame)))


def test_an_invalid_frame_is_invalid_each_time() -> None:
    for _ in range(2):
        with pytest.raises(RemoteProtocolError):
            message_of(b"?")
