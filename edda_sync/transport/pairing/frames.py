"""Frames: what two pairing devices send each other, and the sentences for a person when it fails."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

import msgspec

from edda_sync.words.errors import EddaError, LimitError, PairingError, RemoteMismatchError, RemoteProtocolError
from edda_sync.words.limits import PAIRING_FRAME_BYTES_MAX, PAIRING_WINDOW_S

Reason = Literal["wrong", "used", "expired", "closed", "broken", "unsure", "version"]
SENTENCES: Mapping[Reason, str] = {
    "wrong": "the code was wrong, or somebody stands between the two devices",
    "used": "this code was already used",
    "expired": f"this code has expired, since one is open for {PAIRING_WINDOW_S // 60} minutes",
    "closed": "no invitation is open there",
    "broken": "the two devices lost each other before they were done, so this one was not let in",
    "unsure": (
        "the two devices lost each other at the last moment, so this one may have been let in or not; with a new code it "
        "is let in, once, in either case"
    ),
    "version": "the two devices have different versions of edda, which do not pair: update the older one",
}

_Point = Annotated[bytes, msgspec.Meta(min_length=33, max_length=33)]  # SPAKE2's side byte and an Ed25519 point
_Mac = Annotated[bytes, msgspec.Meta(min_length=32, max_length=32)]


class _Frame(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True, tag=str.lower):
    pass


class Hello(_Frame, frozen=True):
    """The joiner begins an attempt."""

    version: int
    message: _Point


class Answer(_Frame, frozen=True):
    """The inviter's half of SPAKE2. It depends on the digits, but reveals nothing about them."""

    message: _Point


class Proof(_Frame, frozen=True):
    """The joiner proves that it knows the code, and encloses its device record."""

    mac: _Mac
    record: bytes


class Proved(_Frame, frozen=True):
    """The inviter proves that it knows the code too."""

    mac: _Mac


class Welcome(_Frame, frozen=True):
    """The inviter sends what the new member needs, without any secret."""

    welcome: bytes


class Received(_Frame, frozen=True):
    """The joiner proves that it has the welcome, and waits to be let in."""

    mac: _Mac


class Admitted(_Frame, frozen=True):
    """The inviter has let the joiner in, and sends the rest."""

    admission: bytes


class Refused(_Frame, frozen=True):
    """The inviter ends the attempt. The reason is an unproved hint for the person."""

    reason: Reason


AnyFrame = Hello | Answer | Proof | Proved | Welcome | Received | Admitted | Refused
_DECODER: msgspec.msgpack.Decoder[AnyFrame] = msgspec.msgpack.Decoder(AnyFrame)


def encode(frame: _Frame) -> bytes:
    """
    Return the only encoding of a frame.

    Raises:
        LimitError: It is larger than ``PAIRING_FRAME_BYTES_MAX``.
    """
    encoded = msgspec.msgpack.encode(frame)
    if len(encoded) > PAIRING_FRAME_BYTES_MAX:
        raise LimitError("The bytes that pairing carries at once", len(encoded), PAIRING_FRAME_BYTES_MAX)
    return encoded


def decode(frame: bytes) -> AnyFrame:
    """
    Return the frame of an encoding.

    Raises:
        RemoteProtocolError: It is too long, malformed, or not the only encoding of a frame.
    """
    if len(frame) > PAIRING_FRAME_BYTES_MAX:
        raise RemoteProtocolError(f"a pairing frame of {len(frame):,} bytes")
    try:
        decoded = _DECODER.decode(frame)
    except (ValueError, RecursionError) as error:
        raise RemoteProtocolError("a malformed pairing frame") from error
    if msgspec.msgpack.encode(decoded) != frame:
        raise RemoteProtocolError("a pairing frame that is not in its one encoding")
    return decoded


def refusal(error: EddaError) -> bytes:
    """Return the frame that tells a joiner why its attempt ended."""
    if isinstance(error, RemoteMismatchError):
        return encode(Refused("version"))
    for reason, sentence in SENTENCES.items():
        if isinstance(error, PairingError) and error.reason == sentence:
            return encode(Refused(reason))
    return encode(Refused("broken"))
