"""Chunks in memory, beyond the contract that both places pass (test_chunks)."""

from __future__ import annotations

from edda_sync.files.memory import MemoryChunks


def test_keeping_a_chunk_makes_it_new_again() -> None:
    now = [100.0]
    chunks = MemoryChunks(lambda: now[0])
    with chunks.adding() as adding:
        name = adding.add(b"sample")
    now[0] = 200.0
    with chunks.adding() as adding:
        assert adding.keep(name)
    assert chunks.drop([name], before_s=150.0) == 0
    assert chunks.drop([name], before_s=201.0) == 1
