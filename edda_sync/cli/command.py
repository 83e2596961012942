"""
What the installed command runs: the command line, which Ctrl-C ends quietly also while it is still being loaded.

Until then there is nothing to finish in order, and nobody to say a word: the process ends as the system ends it.

A command lives for a tenth of a second, and nearly all that it makes are its modules. So garbage is looked for seldom, and
not at all at the end, when everything goes with the process.
"""

from __future__ import annotations

import atexit
import gc
import signal
from typing import Final

NEW_OBJECTS: Final = 50_000  # between two looks for garbage: a short command makes fewer, and nearly all of them stay


def main() -> None:
    """Load the command line and run it."""
    gc.set_threshold(NEW_OBJECTS)
    atexit.register(gc.freeze)  # first, so it runs last; else 13 ms go into taking every module apart
    ours = signal.getsignal(signal.SIGINT) is signal.default_int_handler  # else whoever started this ignores Ctrl-C
    if ours:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    from edda_sync.cli.main import main as run

    if ours:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    run()


if __name__ == "__main__":
    main()
