"""The command line: one file for each group of commands. ``main`` is the root, and ``command`` is the installed script."""
