"""
The replicated data types: a pure core without disk, network, clock or randomness.

A reader's path: ``operation`` (what a change does), ``entity``, ``cells`` and ``state`` (what it changes), ``text``
(texts), ``rows`` and ``integrity`` (what tables show), ``digests`` and ``sketch`` (whether two devices hold the same).
"""
