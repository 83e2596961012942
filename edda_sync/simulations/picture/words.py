"""What happened, in words: for labels, for titles under the pointer, and for the table."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from edda_sync.simulations.picture.marks import span_of
from edda_sync.simulations.recording import Moment, Recording, Spell

Facts = Any
EDIT: Final = "does"
NOT_SAID: Final = frozenset({"event", "applied", "link"})  # actions and frames say as much
_SAYINGS: Final[dict[str, Callable[[Facts], str]]] = {
    EDIT: lambda f: str(f["action"]),
    "crash": lambda f: "is shut down" if "in_order" in f else "power fails" if f.get("power", True) else "is killed",
    "put back": lambda _: "an old copy is put back",
    "sleep": lambda _: "falls asleep",
    "wake": lambda _: "wakes up",
    "slow": lambda f: f"takes {span_of(f['pace'])} over each frame for {span_of(f['seconds'])}",
    "disk full": lambda f: f"its disk is full for {span_of(f['seconds'])}",
    "refused": lambda f: f"cannot save ({f['why']})",
    "cannot": lambda f: f"cannot do it ({f['why']})",
    "clock": lambda f: f"its clock is set {span_of(abs(f['skew']))} {'ahead' if f['skew'] >= 0 else 'back'}",
    "half-open": lambda f: f"drops its link to {f['peer']}, which does not hear of it",
    "rebuild": lambda _: "folds its log again",
    "told": lambda f: f"says: {f['text']}",
    "drop": lambda f: f"a frame to {f['peer']} is lost",
    "double": lambda f: f"a frame to {f['peer']} arrives twice",
    "overtake": lambda f: f"a frame to {f['peer']} overtakes others",
    "delay": lambda f: f"a frame to {f['peer']} is late",
    "heal": lambda _: "every fault ends: from here on all must go well",
    "all equal": lambda _: "all devices are proved equal",
}


def saying(recording: Recording, moment: Moment, born: dict[str, float]) -> str:
    """Return what happened, in words."""
    facts = moment.facts
    if moment.what == "boot":
        return "joins" if moment.at == born[moment.device] else "starts again"
    if moment.what == "equal":
        return f"is proved equal to {recording.names_of(facts['peer'])}"
    if moment.what == "trouble":
        return f"closes its link to {recording.names_of(facts['peer'])} ({facts['why']})"
    if "paths" in facts:
        if moment.what == "mended":
            return "the cut is mended"
        present = [name for name, at in born.items() if at <= moment.at]
        return cut_of(present, tuple(facts["paths"]), float(facts["seconds"]))
    say = _SAYINGS.get(moment.what)
    if say is not None:
        return say(facts)
    return f"{moment.what} {', '.join(f'{key} {value}' for key, value in facts.items())}".strip()


def cut_of(present: list[str], paths: tuple[tuple[str, str], ...], seconds: float) -> str:
    """Return in words which devices do not reach each other."""
    sides = sides_of(present, paths)
    if len(sides) > 1:
        named = " | ".join(", ".join(side) for side in sides)
        return f"cut for {span_of(seconds)}: {named}"
    named = ", ".join(f"{sender} to {receiver}" for sender, receiver in paths)
    return f"cut for {span_of(seconds)}: {named}"


def sides_of(devices: list[str], paths: tuple[tuple[str, str], ...]) -> list[list[str]]:
    """
    Return the groups into which cut paths divide devices, the largest first.

    Two devices are in one group if at most one direction between them is cut, or if other devices connect them.
    """
    cut = set(paths)
    groups: list[list[str]] = []
    for name in devices:
        linked = [g for g in groups if any((name, o) not in cut or (o, name) not in cut for o in g)]
        merged = [name, *(other for group in linked for other in group)]
        groups = [group for group in groups if group not in linked] + [merged]
    ordered = [[name for name in devices if name in group] for group in groups]
    return sorted(ordered, key=lambda group: (-len(group), devices.index(group[0])))


def islands_of(present: list[str], spell: Spell) -> list[list[str]]:
    """Return the groups that a cut isolates: all but the largest, or all if none is the largest."""
    sides = sides_of(present, spell.paths)
    if len(sides) < 2:
        return []
    return sides[1:] if len(sides[0]) > len(sides[1]) else sides
