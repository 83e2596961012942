"""
The installed command: it loads and runs the command line. Ctrl-C ends it quietly, even while it is still being loaded.

It imports next to nothing at the top, since a Ctrl-C before ``main`` runs would print a traceback.
While it is being loaded, there is nothing to clean up and nothing to report, so the process ends as the system ends it.

A command runs for a tenth of a second, and nearly all objects that it makes are its modules. So garbage is collected
rarely, and not at the end, when the whole process goes.
"""

from __future__ import annotations

import atexit
import gc

TYPE_CHECKING = False  # type checkers take it for true
if TYPE_CHECKING:
    import signal
    from typing import Final
else:
    import _signal as signal  # the part that is built in; what is around it takes milliseconds to load

NEW_OBJECTS: Final = 50_000  # between two collections: a short command makes fewer, and keeps nearly all of them


def main() -> None:
    """Load the command line and run it."""
    gc.set_threshold(NEW_OBJECTS)
    atexit.register(gc.freeze)  # registered first, so it runs last; without it, freeing all modules takes 13 ms
    ours = signal.getsignal(signal.SIGINT) is signal.default_int_handler  # otherwise the caller ignores Ctrl-C
    if ours:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    from edda_sync.cli.main import main as run

    if ours:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    run()


if __name__ == "__main__":
    main()
