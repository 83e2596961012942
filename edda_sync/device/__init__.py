"""
Devices: a store that runs, finds the others and syncs.

A reader's path: ``device`` (what programs use), ``runner`` (carries out what the replica and the steward return), ``turns``
(which thread uses the replica), ``peers`` and ``outgoing`` (the links), ``status``, ``happening`` and ``watch`` (what people
and programs are told), ``supervisor`` and ``lookout`` (tasks, and commits of other processes), ``service`` and ``control``
(requests of other processes here), ``invite`` and ``joining`` (how a device becomes a member).
"""
