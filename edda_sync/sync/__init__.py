"""
Sync: how two devices come to hold the same changes, and prove it. Pure: frames and ``now`` go in, effects come out.

A reader's path:

- The messages: ``messages`` (what is said), ``wire`` and ``shortening`` (how it is encoded), ``session`` (when each message
  may come, and which part handles it).
- The parts of a session: ``greeting``, ``theirs``, ``inflow`` and ``intake`` (what the peer holds and sends), ``saying``,
  ``acking`` and ``sending`` (what the peer is told and sent), ``comparing`` and ``proving`` (whether both stores are equal),
  ``evidence`` and ``telling`` (signed evidence), ``apart`` (which actors are not exchanged), ``backfill`` and
  ``owed`` (the log behind a segment).
- What they do with the store: ``exchange``; ``giving``, ``taking`` and ``large`` (changes); ``making``, ``merging``,
  ``behind`` and ``provisional`` (segments, for newcomers); ``mending``, ``forks``, ``readmission``, ``shut_out``.
- ``beside`` runs long work between turns, so that other sessions are served meanwhile; ``ahead`` folds a large change
  before its transaction, so that others can write meanwhile.
- ``filing`` exchanges the content of attached files: ``fetching`` asks for chunks, as ``flow`` allows, ``stowing`` keeps
  them, and ``lending`` gives them.
- ``relaying`` is what all sessions of a device share. ``replica`` is one device with its sessions. ``steward``, with
  ``agenda``, ``faults`` and ``orders``, decides what the device does beside its sessions.
"""
