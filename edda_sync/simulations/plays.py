"""
Plays: the stories about backups and copies, drawn anew for each seed, among the usual work and faults.

``edda simulate --scenario restored-laptop --seed 7`` runs one; without a seed, the story itself is acted out
(``comebacks``).
"""

from __future__ import annotations

from typing import Final

from edda_sync.simulations.tape import Play

GROUPS: Final = frozenset(
    (
        "imports", "moves", "removals", "sets", "tags", "typing", "joins", "partitions", "one-way", "flapping",
        "half-open", "crashes", "sleep", "slow", "clocks", "disks",
    )
)  # fmt: skip
PLACE: Final = (
    ("back up", 6),
    ("verify", 2),
    ("forget the proof", 1),
    ("bring back", 2),
    ("make true", 2),
    ("place away", 1),
    ("place cut off", 2),
    ("place full", 1),
    ("place loses", 1),
    ("place shared", 3),
)

PAUSES_S: Final = (*[0] * 9, 90_000)  # old objects at a place go after a day

_ALL: Final = (
    Play(
        "restored-laptop",
        GROUPS,
        ("back up", "make a code", "back up", "back up", "lose a store", "back up", "recover"),
        (*PLACE, ("lose a store", 2), ("recover", 1), ("make a code", 1)),
        8,
        PAUSES_S,
    ),
    Play(
        "cloned-vm",
        GROUPS - {"joins"} | {"copies"},  # a folder that is put back after a split would bring the former identity back
        ("back up", "clone", "split", "back up"),
        (*PLACE, ("clone", 2), ("split", 4)),
        8,
    ),
    Play(
        "rolled-back-disk",
        GROUPS | {"put back", "whole machine put back"},
        ("back up", "roll back", "put back", "back up", "put machine back", "back up"),
        (*PLACE, ("roll back", 2), ("put back", 2), ("put machine back", 2)),
        8,
        PAUSES_S,
    ),
)
PLAYS: Final = {play.name: play for play in _ALL}
