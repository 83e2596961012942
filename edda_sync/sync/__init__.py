"""
Sync: how two devices come to hold the same changes, and prove it. Pure: frames and ``now`` in, effects out.

A reader's path: ``messages`` (what is said), ``wire`` (as which bytes), ``session`` (when it is said), ``exchange``
(what a store gives and takes), ``replica`` (one device: a store and its sessions).
"""
