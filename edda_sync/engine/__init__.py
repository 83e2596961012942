"""
The engine: what programs use of one store.

A reader's path: ``engine`` (the specification's interface), ``transaction`` (what becomes visible together), ``opening``
and ``life`` (is this the store that it was?), ``items`` and ``conflicts`` (what is shown), ``standing`` (how the device
stands), ``doctor`` (is all of it sound?).
"""
