"""Attached files in a simulation."""

from __future__ import annotations

import io
import time

from edda_sync.files.memory import MemoryChunks
from edda_sync.files.storing import store
from edda_sync.simulations.filed import BELOW, SMALL, Filed, content, limited
from edda_sync.simulations.tape import Tape
from edda_sync.words import limits


def test_a_part_of_all_runs_has_files_and_the_choice_disturbs_no_other() -> None:
    chosen = [Filed(Tape(seed)).is_on for seed in range(60)]
    assert 3 < sum(chosen) < 30
    tape, untouched = Tape(7), Tape(7)
    Filed(tape)
    assert tape.profile(["moves", "tags"]) == untouched.profile(["moves", "tags"])


def test_a_small_file_has_a_tree_of_chunks() -> None:
    usual = limits.CHUNK_BYTES
    with limited(SMALL), MemoryChunks(time.time).adding() as adding:
        assert store(adding, io.BytesIO(content(1, BELOW))).depth == 2
    assert usual == limits.CHUNK_BYTES
