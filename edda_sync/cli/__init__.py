"""The command line: one file a group of commands; ``main`` is the root, ``command`` what is installed."""
