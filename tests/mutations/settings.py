"""Mutants of settings and figures: where a store is looked for, what wins, what is counted."""

from __future__ import annotations

from typing import Final

from tests.mutations.mutant import Mutant

MUTANTS: Final[tuple[Mutant, ...]] = (
    Mutant(
        "the file wins over the program",
        "A program that chooses where its store is writes into another one.",
        "words/resolved.py",
        "values |= told",
        "values = told | values",
        ("words/test_resolved.py",),
    ),
    Mutant(
        "a relative path of the file is where the command runs",
        "The same store is another one from each folder.",
        "words/config_file.py",
        "return folder / path.expanduser()",
        "return path.expanduser()",
        ("words/test_resolved.py",),
    ),
    Mutant(
        "a store is begun anew where database_path points",
        "All tasks seem to be gone after a setting was changed.",
        "engine/opening.py",
        "if database != usual and has_store(usual):",
        "if False:",
        ("words/test_configured.py",),
    ),
    Mutant(
        "a store in memory hides one on disk",
        "What is written is gone with the process.",
        "engine/opening.py",
        "    if has_store(database):\n        raise UsageError(",
        "    if False:\n        raise UsageError(",
        ("words/test_configured.py",),
    ),
    Mutant(
        "a setting that leaves the store behind is written",
        "No command finds the store any more.",
        "engine/moving.py",
        "if old != new and _has_content(old) and not _has_moved(old, new):",
        "if False:",
        ("engine/test_moving.py",),
    ),
    Mutant(
        "two commands change the file at the same time",
        "A setting that was written is lost.",
        "words/files.py",
        "            fcntl.flock(descriptor, fcntl.LOCK_EX)\n        except OSError",
        "            pass\n        except OSError",
        ("words/test_config_edit.py",),
    ),
    Mutant(
        "what sessions exchanged that have ended is not counted",
        "A counter falls, and whoever watches it sees nonsense.",
        "device/traffic.py",
        "self._former = _added(self._former, known)",
        "pass",
        ("device/test_traffic.py",),
    ),
)
