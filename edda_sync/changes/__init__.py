"""
Changes: what happened, as bytes, and the place of each change in its author's chain and in the causal order.

A reader's path: ``change`` (what is sent), ``drafts`` (from which changes are made), ``past`` (what a change depends on),
``chains``, ``branches`` and ``names`` (the names under which a store holds changes), ``forkproof`` (when a chain forks),
``early`` (changes that were written before the log was here).
"""
