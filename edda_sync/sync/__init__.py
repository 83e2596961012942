"""
Sync: how two devices come to hold the same changes, and prove it. Pure: frames and ``now`` in, effects out.

A reader's path: ``messages`` (what is said), ``wire`` and ``shortening`` (as which bytes), ``session`` (when it is said,
and who deals with it). Its parts: ``greeting``, ``theirs``, ``inflow`` and ``intake`` (what a peer holds and brings),
``saying``, ``acking`` and ``sending`` (what it is told and sent), ``comparing`` and ``proving`` (whether both are equal),
``evidence`` and ``telling``, ``backfill`` and ``owed`` (the log behind a segment). What the store does of it: ``exchange``,
``giving`` and ``taking`` with ``large`` (changes), ``making``, ``merging`` and ``behind`` (segments, for newcomers;
``provisional`` is what is noted of one), ``mending``, ``forks``, ``readmission`` (and who says that this device is
``shut_out``); ``beside`` does what of it takes long, while others are served. ``relaying`` is what all talks know together,
``replica`` one device and its sessions, ``steward`` with ``agenda``, ``faults`` and ``orders`` what the device does for its
store beside them.
"""
