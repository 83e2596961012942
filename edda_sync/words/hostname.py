"""The name of this machine, as the first name of a device. A host name may be any bytes; a name is one line of text."""

from __future__ import annotations

import os
import platform
import unicodedata
from typing import Final

from edda_sync.words import limits, unicode14

OTHERWISE: Final = "device"  # for a machine that has no name of which anything shows
_NO_LETTERS: Final = ("Cc", "Cf", "Zl", "Zp")  # controls and what only steers how text is shown


def host_name() -> str:
    """Return what people call this machine: a name that every device accepts."""
    return fitting(os.fsencode(platform.node()))


def fitting(raw: bytes) -> str:
    """
    Return a host name as the name of a device.

    Args:
        raw: The host name. What is not UTF-8 in it becomes U+FFFD, and controls become spaces.
    """
    shown = "".join(" " if unicodedata.category(each) in _NO_LETTERS else each for each in raw.decode(errors="replace"))
    name = " ".join(shown.split())[: limits.NAME_CODE_POINTS_MAX].rstrip()
    return OTHERWISE if unicode14.is_blank(name) else name
