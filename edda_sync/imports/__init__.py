"""
Imports: what other programs hold, as tasks and documents here.

The sources ``beads``, ``ics``, ``markdown``, ``taskwarrior``, ``todoist`` and ``todotxt`` are other programs' (Markdown is
anybody's); ``jsonl`` takes what ``edda export`` wrote.

A source maps what it reads to :class:`Imported` items, and only reads files;
:func:`merge_into` writes them. An item's id follows from its id in the source, so that it is one and the same on every
device, whoever imports it and how often.

    from edda_sync import imports
    from edda_sync.imports import beads
    report = imports.merge_into(store, beads.read("issues.jsonl"))
"""

from __future__ import annotations

from edda_sync.imports.merge import merge_into
from edda_sync.imports.report import Report, Row
from edda_sync.imports.source import Adapter, Attach, Imported, Refused, Source

__all__ = ["Adapter", "Attach", "Imported", "Refused", "Report", "Row", "Source", "merge_into"]
