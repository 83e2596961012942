"""
The replicated data types: a pure core that knows neither disk, network, clock nor chance.

A reader's path: ``change`` and ``operation`` (what travels), ``admission`` (whether it is taken), ``fold`` (what it does),
``entity``, ``cells`` and ``state`` (to what), ``sequence`` (to texts), ``ledger`` (all of it, in one transaction),
``branches`` and ``forkproof`` (where a chain forks), ``refold`` (all of it once more, with or without some changes).
"""
