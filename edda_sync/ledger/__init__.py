"""
The ledger: changes into the log, and their fold beside it, in one transaction.

A reader's path: ``ledger`` (all of it), ``compose`` and ``body`` (drafts become a change), ``admission`` (whether a peer's
change is taken), ``refold`` (all of it once more, with or without some changes).
"""
