"""
The engine: what programs use of one store.

A reader's path: ``engine`` (the specification's interface, composed of the parts that follow), ``opened`` and ``own`` (the
open store, and the device that it belongs to), ``opening`` and ``life`` (is this the store that it was?), ``reading`` (what
is seen, without a write: ``matching`` and ``fresh`` rows, ``items`` made of them, ``conflicts`` and what is ``hidden``),
``write_side`` (loaded when it is needed: ``transaction``, what becomes visible together; ``writing``, where drafts become a
change; ``membership``, the workspace), ``standing`` (how the device stands), ``doctor`` (is all of it sound?).
"""
