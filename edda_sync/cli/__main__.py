"""``python -m edda_sync.cli`` is the command ``edda``."""

from edda_sync.cli.command import main

main()
