"""
Runs that failed once, one a line of ``seeds.txt``. They run in every test run, so that what they found stays fixed.

A seed alone would mean another run as soon as an action is added to the catalogue. So a line contains the whole run: the
seed of the choices, the kind of run, and its events. ``edda simulate --seed N --shrink`` prints such a line.

    385 devices=2 backend=memory calm 0@0.098 add task; 3@93.511 put back; 5@129.104 remove task  # what it found
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from edda_sync.simulations.protocols import Verdict
from edda_sync.simulations.tape import BESIDE, Event, Profile, Tape

FILE: Final = Path(__file__).with_name("seeds.txt")
LIARS: Final = "liars"
SETTINGS: Final = frozenset(("devices", "backend", "lawless", "keys", "tight", "line", "calm", "liars", *BESIDE))


def line_of(tape: Tape, verdict: Verdict) -> str:
    """Return the line of a run. It includes the events that the run did not reach, because they determine its length."""
    profile = verdict.profile
    words = [str(tape.seed), f"devices={profile.devices}", f"backend={profile.backend}"]
    words += [f"lawless={profile.lawless}"] if profile.lawless else []
    flags = {"keys": profile.real_keys, "tight": profile.tight, "line": profile.line, "calm": tape.calm}
    flags |= {name: tape.has(name) for name in BESIDE}
    flags |= {LIARS: LIARS in profile.groups}  # what liars do with indexes are no events
    words += [word for word, is_so in flags.items() if is_so]
    return " ".join(words) + " " + "; ".join(f"{e.number}@{e.at_s:.3f} {e.action}" for e in verdict.planned)


def tape_of(line: str) -> Tape:
    """
    Return the tape of a line.

    Raises:
        ValueError: It is not the line of a run.
    """
    words = line.partition("#")[0].split()
    settings: dict[str, str] = {}
    at = 1
    while at < len(words) and "@" not in words[at]:
        name, _, value = words[at].partition("=")
        settings[name] = value
        at += 1
    if not words or not {"devices", "backend"} <= settings.keys() <= SETTINGS:
        raise ValueError(f"no line of a run: {line}")
    events = [_event_of(each) for each in " ".join(words[at:]).split("; ") if each]
    profile = Profile(
        devices=int(settings["devices"]),
        backend=settings["backend"],
        groups=frozenset((LIARS,) if LIARS in settings else ()),
        real_keys="keys" in settings,
        lawless=int(settings.get("lawless", "0")),
        tight="tight" in settings,
        line="line" in settings,
    )
    beside = BESIDE.keys() & settings.keys()
    return Tape(int(words[0]), calm="calm" in settings, fixed=(profile, events), beside=beside)


def _event_of(text: str) -> Event:
    place, _, action = text.partition(" ")
    number, _, at_s = place.partition("@")
    return Event(int(number), float(at_s), action)


def tapes(file: Path = FILE) -> list[Tape]:
    """Return the tapes of a file, in order."""
    lines = file.read_text(encoding="utf-8").splitlines()
    return [tape_of(line) for line in lines if line.partition("#")[0].strip()]
