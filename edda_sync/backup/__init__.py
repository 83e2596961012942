"""
Backups: what the log holds at a frontier, sealed, at a place that nobody has to trust; and how it comes back.

A reader's path: ``manager`` (all of it), ``making`` (one backup), ``repository`` (what lies at a ``target``, as ``sealed``
objects that a ``manifest`` names), ``proof`` (the store that shows that a backup is one), ``verifying``, ``restoring``, and
``bundle`` (a file instead of a place). An ``image`` (``imaging``) makes restoring quick. What is packed, and how it is
taken, is in ``sync.packing`` and ``sync.unpacking``.

For those who lost everything else, ``lockbox`` keeps the ``keys`` of the workspace at the place, for this device and for a
recovery ``code``; ``recovery`` makes one. ``entering`` opens what they open, ``recovering`` makes a store of it
(``reviving``), and ``admitting`` lets a new device in.

``targets`` has the kinds of places, ``retention`` says which backups are kept, and ``schedule`` when the next one is due.
Nothing here is loaded by a plain command.
"""
