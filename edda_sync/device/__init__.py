"""
Devices: a store that runs, finds the others and syncs.

A reader's path: ``device`` (its face), ``peers`` (the links), ``supervisor`` and ``duties`` (what goes on meanwhile),
``service`` and ``control`` (for other processes on this machine), ``joining`` (how it becomes a member).
"""
