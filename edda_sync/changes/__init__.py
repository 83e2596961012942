"""
Changes: what happened, as bytes, and where each stands: in its author's chain and in its past.

A reader's path: ``change`` (what travels), ``drafts`` (what it is made of), ``past`` (what it depends on), ``chains``,
``branches`` and ``names`` (under which names a store holds it), ``forkproof`` (when a chain forks), ``early`` (before
the log is here).
"""
