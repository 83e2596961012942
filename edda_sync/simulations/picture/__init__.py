"""
Pictures of runs: :func:`svg` for a document, and :func:`page` for a person who wants to know what went wrong.

    recording = Recording()
    verdict = run(Tape(seed), recording)
    text = page(recording, verdict, command=f"edda simulate --seed {seed}")

``scale`` places times, ``diagram`` draws lanes, ``charts`` draws what is below them, and ``report`` makes the page.
"""

from __future__ import annotations

from edda_sync.simulations.picture.drawing import svg
from edda_sync.simulations.picture.report import page

__all__ = ["page", "svg"]
