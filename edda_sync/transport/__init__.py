"""
Transport: how devices prove who they are and reach each other. It does not know what they say to each other.

A reader's path: ``identity`` (a device's key and certificate), ``tls`` and ``sockets``, ``link`` (a connection between two
members), ``listener`` and ``dial`` (its two ends), ``interfaces``, ``multicast`` and ``discovery`` (where the others are),
``pairing`` (how a device becomes a member).
"""
