"""
The ledger: changes into the log, and their fold beside it, in one transaction.

A reader's path: ``ledger`` (the whole), ``compose`` and ``body`` (drafts become a change), ``admission`` (whether a peer's
change is taken), ``preparing`` (what is done of a large change before its transaction), ``refold`` (folding again, with or
without some changes).
"""
