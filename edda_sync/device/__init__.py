"""
Devices: a store that runs, finds the others and syncs.

A reader's path: ``device`` (its face), ``runner`` (carries out what the replica and the steward say), ``turns`` (who has the
replica), ``peers`` and ``outgoing`` (the links), ``status``, ``happening`` and ``watch`` (what people and programs hear),
``supervisor`` and ``lookout`` (tasks, and other processes' commits), ``service`` and ``control`` (for other processes here),
``invite`` and ``joining`` (how a device becomes a member).
"""
