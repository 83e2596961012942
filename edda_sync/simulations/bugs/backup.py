"""Bugs of backups, of what comes back from them, and of copies that become devices of their own."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from edda_sync.simulations.bugs.planting import Bug, Edit, one

LAPTOP, CLONE, DISK = "restored-laptop", "cloned-vm", "rolled-back-disk"


def _at(play: str, bug: Bug) -> Bug:
    return replace(bug, play=play)


BUGS: Final[tuple[Bug, ...]] = (
    Bug(
        "a restored store goes on in its old life",
        "A restore keeps the name under which the store wrote, so its next changes reuse dots that others may hold.",
        (9, 10),
        (
            Edit(
                "backup.reviving:begin_again",
                "actors.begin_life(tx, changes.Birth(key, nonce, *continued, ext))",
                "actors.begin_life(tx, changes.decode_birth(last.birth) if last else changes.Birth(key, nonce, *continued))",
            ),
            Edit("engine.life:Sidecar.doubt", 'return "" if is_itself else COPIED', 'return ""'),
        ),
        play=LAPTOP,
    ),
    _at(
        LAPTOP,
        one(
            "a manifest names the first run",
            "A manifest claims what all runs hold, and names only the first of them.",
            (13,),
            "backup.making:Making._manifest",
            "tuple(each.ref for each in self._proof.taken())",
            "tuple(each.ref for each in self._proof.taken()[:1])",
        ),
    ),
    _at(
        DISK,
        one(
            "a proof that is not compared",
            "What was read back from the place is not compared with the store, so a backup may hold something else.",
            (13,),
            "backup.making:Making._is_proved",
            "return same and (not last.header.content or proof.content == last.header.content)",
            "return True",
        ),
    ),
    _at(
        DISK,
        one(
            "a backup that holds too much ends all others",
            "After an older copy of a store was put back, each backup is refused: a bug that this code had.",
            (13,),
            "backup.making:Making.make",
            "last = self._bring(())",
            "pass",
        ),
    ),
    _at(
        LAPTOP,
        one(
            "what nobody names yet goes at once",
            "Objects are deleted without a day of grace, while another device still writes the manifest that names them.",
            (13,),
            "backup.repository:Repository.drop",
            "and each.modified_s < young_s",
            "",
        ),
    ),
    _at(
        LAPTOP,
        one(
            "the place's clock is this device's",
            "How old an object is is told by this device's clock, which may be wrong by years: a bug that this code had.",
            (13,),
            "backup.repository:Repository.drop",
            "min(now_s, max((each.modified_s for each in there), default=0.0))",
            "now_s",
        ),
    ),
    _at(
        LAPTOP,
        one(
            "the newest backup is what clocks say",
            "A backup that was made while a clock was ahead is taken for the newest ever after: a bug that this code had.",
            (13,),
            "backup.entering:newest",
            "if not any(_holds(other[1], each[1]) for other in leading):",
            "if True:",
        ),
    ),
    _at(
        LAPTOP,
        one(
            "the oldest backups are kept",
            "Retention counts from the wrong end, so the new backup is the first one that goes.",
            (13,),
            "backup.retention:_by_time",
            "for rank, backup in enumerate(reversed(backups)):",
            "for rank, backup in enumerate(backups):",
        ),
    ),
    _at(
        LAPTOP,
        one(
            "the keys are not kept",
            "A backup is acknowledged, and nothing beside it opens it once the store is lost.",
            (13,),
            "backup.manager:BackupManager.back_up",
            "self.repository.keep_keys(storage, made.manifest)",
            "pass",
        ),
    ),
    _at(
        DISK,
        one(
            "a restore brings no lost changes",
            "What a store has lost and a backup has is not taken from there.",
            (5, 13, 18),
            "backup.manager:BackupManager._take",
            "if all(ours.get(name, 0) >= seq for name, seq, _ in backup.heads):",
            "if True:",
        ),
    ),
    _at(
        LAPTOP,
        one(
            "what is newer stays",
            "Where a backup is made the truth, what came after it stays as it is.",
            (13,),
            "backup.restoring:make_true",
            "newer = [each for each in found if each.how is How.ONLY_HERE]",
            "newer = found[:0]",
        ),
    ),
    _at(
        LAPTOP,
        one(
            "an early backup is an empty one",
            "A newcomer that has not met anybody yet is told that what it wrote is backed up: a bug that this code had.",
            (13,),
            "sync.packing:Packing._check_not_early",
            "if early.is_pending(reader):",
            "if False:",
        ),
    ),
    _at(
        LAPTOP,
        one(
            "a place that is away is a damaged backup",
            "While the place does not answer, each backup is said not to hold: a bug that this code had.",
            (13,),
            "backup.verifying:Verifying.verify",
            "except TargetError:",
            "except ZeroDivisionError:",
        ),
    ),
    _at(
        CLONE,
        one(
            "a copy goes without a word of farewell",
            "A copy that becomes a device of its own signs nothing of what it wrote as the former one.",
            (0, 13, 18, 21),
            "engine.separating:separate",
            "vouch(tx, old)",
            "pass",
        ),
    ),
    _at(
        CLONE,
        one(
            "sessions keep the old names",
            "Sessions that run do not hear of a fork that another process proved: a bug that this code had.",
            (10, 18),
            "sync.exchange:Exchange.keeps_names",
            "return not any(evidence.startswith(PROOF) for evidence in fresh)",
            "return True",
        ),
    ),
    _at(
        CLONE,
        one(
            "who has met nobody becomes another",
            "A copy that still waits for the change that let it in becomes a device of its own: a bug that this code had.",
            (0, 6, 18),
            "engine.separating:_check_not_early",
            "if readmission.is_shut_out(reader):",
            "if False:",
        ),
    ),
)
