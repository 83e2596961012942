"""
How devices prove who they are and reach each other; what they say to each other is not known here.

A reader's path: ``identity`` (who a device is), ``tls`` and ``sockets``, ``link`` (a connection between two members),
``listener`` and ``dial`` (its two ends), ``interfaces``, ``multicast`` and ``discovery`` (where the others are),
``pairing`` (how a device becomes a member).
"""
