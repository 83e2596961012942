"""
Reasons: why a link or session is ended on purpose. A reason travels as a few fixed words, and each side tells its person, in
words of its own, what that means and what there is to do.

What a peer says is never repeated as if it were our own: a reason that is not in the table is quoted.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Final, NamedTuple

SHOWN_MAX: Final = 80
"""How many characters of a peer's unknown reason a person is shown."""


class Reason(StrEnum):
    """Why a link or session is ended; the value is what is sent (wire)."""

    CLOSING = "closing"
    GOING_AWAY = "going away"
    CLOCK_SET = "the clock was set"
    NOT_A_MEMBER = "not a member"
    NO_LONGER = "no longer a member"
    ANOTHER = "another link is open"
    BETTER = "a better link is open"
    NO_ANSWER = "no answer"
    SILENT = "silent"
    UNREAD = "not read"
    TEXT = "text"
    FORK = "a fork"
    DONE = ""


class Told(NamedTuple):
    """What a person is told: where the link was ended, and at the other end of it."""

    here: str
    there: str


_PAIR: Final = "`edda invite` and `edda join` pair the two"
_AGAIN: Final = "it is called again"

SENTENCES: Final[Mapping[Reason, Told]] = {
    Reason.CLOSING: Told("this device ends", "`edda up` or `edda sync` ended there; it is called again"),
    Reason.GOING_AWAY: Told("this device ends", "`edda up` or `edda sync` ended there; it is called again"),
    Reason.CLOCK_SET: Told(
        "the clock of this device was set, so the link begins anew", "its clock was set, so the link begins anew"
    ),
    Reason.NOT_A_MEMBER: Told(
        f"it is no member of this workspace; {_PAIR}", f"this device is no member of its workspace; {_PAIR}"
    ),
    Reason.NO_LONGER: Told(
        f"it is no longer a member of this workspace; {_PAIR}", f"this device is no longer a member there; {_PAIR}"
    ),
    Reason.ANOTHER: Told(
        "the two have another link", "it has another link to this device, or to a copy of its store, if there is one"
    ),
    Reason.BETTER: Told(
        "the two have a better link", "it has a better link to this device, or to a copy of its store, if there is one"
    ),
    Reason.NO_ANSWER: Told(f"it does not answer; {_AGAIN}", f"this device did not answer in time; {_AGAIN}"),
    Reason.SILENT: Told(f"nothing came from it for too long; {_AGAIN}", f"nothing came from here; {_AGAIN}"),
    Reason.UNREAD: Told(
        f"it does not read what it is sent; {_AGAIN}", f"this device was too slow to read what it was sent; {_AGAIN}"
    ),
    Reason.TEXT: Told(
        "it sent text where bytes are due; update edda there",
        "it could not read what came from here; update edda there",
    ),
    Reason.FORK: Told(
        "changes have new names since a fork was proved, so the session begins anew",
        "changes have new names since a fork was proved, so the session begins anew",
    ),
    Reason.DONE: Told(f"the session is over; {_AGAIN}", f"it ended the session; {_AGAIN}"),
}
"""What a person is told of each reason, without a full stop."""


def told_here(reason: Reason) -> str:
    """Return what a person is told on the side that ended a link or session."""
    return SENTENCES[reason].here


def told_there(said: str) -> str:
    """
    Return what a person is told on the other side.

    Args:
        said: What the peer said: a reason, or anything.
    """
    try:
        return SENTENCES[Reason(said)].there
    except ValueError:
        short = said if len(said) <= SHOWN_MAX else said[: SHOWN_MAX - 1] + "…"
        return f"it gave a reason that this version does not know: {short!r}; update edda here"
