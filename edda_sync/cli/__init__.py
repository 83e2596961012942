"""The command line: one file a group of commands. ``main`` is the root, and ``command`` is the installed script."""
