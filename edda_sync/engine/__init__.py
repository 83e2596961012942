"""
The engine: what programs use of one store.

A reader's path:

- ``engine`` is the specification's interface. It is composed of the other modules.
- ``opened`` and ``own`` are the open store and the device that it belongs to. ``opening`` and ``life`` check whether it is
  the same store as before.
- ``reading`` shows what the store contains, without a write: ``matching`` and ``fresh`` find rows, ``items`` makes objects
  of them, and ``conflicts`` and ``hidden`` list what no row shows.
- ``write_side`` is loaded when it is first needed: ``transaction`` (what becomes visible together), ``writing`` (where
  drafts become a change) and ``membership`` (the workspace).
- ``aside`` knows which stores, put aside when the device joined, are still to be brought along.
- ``standing`` tells how the device stands, and ``doctor`` checks whether the store is sound.
"""
