"""
Sync: how two devices come to hold the same changes, and prove it. Pure: frames and ``now`` in, effects out.

A reader's path: ``messages`` (what is said), ``wire`` (as which bytes), ``session`` (when it is said), ``giving`` and
``taking`` (changes), ``making``, ``merging`` and ``behind`` (segments, for newcomers), ``proving`` and ``mending`` (whether
both are equal), ``forks`` and ``telling`` (evidence), ``replica`` (one device and its sessions), ``steward``
with ``agenda``, ``faults`` and ``orders`` (what the device does for its store beside them).
"""
