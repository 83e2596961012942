"""
The engine: what programs use of one store.

A reader's path: ``engine`` (the specification's interface, composed of the parts that follow), ``opened`` and ``own`` (the
open store, and the device that it belongs to), ``opening`` and ``life`` (is this the store that it was?), ``transaction``
(what becomes visible together), ``writing`` (drafts become a change), ``reading`` and ``fresh`` (what is seen, without a
write), ``items`` and ``conflicts`` (as what it is shown), ``membership`` (the workspace), ``standing`` (how the device
stands), ``doctor`` (is all of it sound?).
"""
