"""
A deterministic simulator: the product's own code, one thread, one seed.

    seed -> tape (what happens, and every choice) -> simulation (virtual clock, one heap of events) -> verdict

1. *The code is the product's.* ``Replica``, its sessions, codec and integrity, the engine and both stores run as they do in
   the running device; only clock, chance, keys, disk and network are handed in. No code asks whether it is simulated.
2. *Two acts.* In the first, faults and work happen, while every checker watches safety after each event. In the second,
   everything is healed, and the devices must prove themselves equal in bounded time and bytes.
3. *One seed repeats the whole run*, to the byte: the verdict contains a digest of everything that happened.

``tape`` draws the choices, and ``simulator`` runs them by its ``clock``. ``device`` carries out effects; ``network`` and
``disk`` say what may go wrong there; the ``audience`` is told everything. ``workload``, ``faults`` and ``liars`` (with their
``lies`` and ``moods``) contain the actions. ``checkers`` judge the runs, and ``planted`` bugs judge the checkers.
``catalogue`` lists all of them.
"""
