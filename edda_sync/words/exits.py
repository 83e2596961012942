"""Exit codes of the commands. Scripts depend on them, so a code never changes its meaning."""

from __future__ import annotations

from typing import Final

DONE: Final = 0
FAILED: Final = 1
USAGE: Final = 2
NOT_FOUND: Final = 3
NOT_EQUAL: Final = 4  # not yet proved to be the same
UNSHOWN: Final = 5  # done, but the result could not be printed
INTERRUPTED: Final = 130
PIPE: Final = 141  # what a shell reports if a closed pipe ended a program
