"""Exit codes: how every command ends. Scripts depend on them, so a code never changes its meaning."""

from __future__ import annotations

from typing import Final

DONE: Final = 0
FAILED: Final = 1
USAGE: Final = 2
NOT_FOUND: Final = 3
NOT_EQUAL: Final = 4  # what was to be the same is not proved equal yet
UNSHOWN: Final = 5  # done, but the answer could not be shown
INTERRUPTED: Final = 130
PIPE: Final = 141  # what a shell reports of a program that a closed pipe ended
