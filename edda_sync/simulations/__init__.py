"""
A deterministic simulator: the product's own code, one thread, one seed.

    seed -> tape (what happens, and every choice) -> simulation (virtual clock, one heap of events) -> verdict

1. *The code is the product's.* ``Replica``, its sessions, codec and integrity, the engine and both stores run as they do
   in the running device; only clock, chance, keys, disk and network are handed in. Nothing asks whether it is simulated.
2. *Two acts.* First faults and work, while every checker watches safety after each event. Then everything is healed,
   and the devices must prove themselves equal in bounded time and bytes.
3. *One seed repeats it all*, to the byte: the verdict carries a digest of everything that happened.

``tape`` draws, ``simulator`` runs by its ``clock``, ``device`` carries effects, ``network`` and ``disk`` say what may go
wrong there, and the ``audience`` hears of it. ``workload``, ``faults`` and ``liars`` with their ``lies`` and ``moods`` act;
``checkers`` judge; ``planted`` judges the checkers. ``catalogue`` lists them.
"""
