"""
The replicated data types: a pure core that knows neither disk, network, clock nor chance.

A reader's path: ``operation`` (what a change does), ``entity``, ``cells`` and ``state`` (to what), ``text`` (to texts),
``rows`` and ``integrity`` (what tables show of it), ``digests`` and ``sketch`` (whether two devices hold the same).
"""
