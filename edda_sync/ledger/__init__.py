"""
The ledger: changes into the log, and their fold beside it, in one transaction.

A reader's path: ``ledger`` (the whole), ``compose`` and ``body`` (drafts become a change), ``admission`` (whether a peer's
change is taken), ``refold`` (folding again, with or without some changes).
"""
