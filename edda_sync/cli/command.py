"""
What the installed command runs: the command line, which Ctrl-C ends quietly also while it is still being loaded.

Until then there is nothing to finish in order, and nobody to say a word: the process ends as the system ends it.
"""

from __future__ import annotations

import gc
import signal
from typing import Final

NEW_OBJECTS: Final = (
    20_000  # between two looks for garbage: nearly all that a short command makes are its modules, and stay
)


def main() -> None:
    """Load the command line and run it."""
    gc.set_threshold(NEW_OBJECTS)
    ours = signal.getsignal(signal.SIGINT) is signal.default_int_handler  # else whoever started this ignores Ctrl-C
    if ours:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    from edda_sync.cli.main import main as run

    if ours:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    run()


if __name__ == "__main__":
    main()
