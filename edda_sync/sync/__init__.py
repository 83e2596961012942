"""
Sync: how two devices come to hold the same changes, and prove it. Pure: frames and ``now`` in, effects out.

A reader's path: ``messages`` (what is said), ``wire`` (as which bytes), ``session`` (when it is said), ``exchange``
(what a store gives and takes), ``snapshots`` (when a log does not reach back), ``replica`` (one device and its sessions).
"""
