from __future__ import annotations

import random
import threading
from datetime import timedelta

import pytest

from edda_sync.store.cache import CacheManager
from edda_sync.words.config import CacheConfig, EvictionPolicy
from edda_sync.words.metrics import CacheMetrics

TTL = timedelta(seconds=10)


class Clock:
    """A clock that a test sets."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def cache(policy: EvictionPolicy = EvictionPolicy.LRU, size: int = 33, **options: object) -> CacheManager:
    ttl = TTL if policy is EvictionPolicy.TTL else None
    config = CacheConfig(max_size=size, eviction_policy=policy, **{"ttl": ttl, **options})  # type: ignore[arg-type]
    return CacheManager(config, Clock())


def test_what_was_put_is_found_until_it_is_dropped() -> None:
    made = cache()
    assert made.get("a") is None
    assert made.put("a", b"one")
    assert made.put("a", b"two")
    assert made.get("a") == b"two"
    made.drop("a")
    made.drop("a")
    assert made.get("a") is None
    assert made.metrics == CacheMetrics(hits=1, misses=2, evictions=0, entries=0, size=0)


@pytest.mark.parametrize(
    ("policy", "gone"),
    [(EvictionPolicy.LRU, "b"), (EvictionPolicy.LFU, "c"), (EvictionPolicy.FIFO, "a"), (EvictionPolicy.TTL, "a")],
)
def test_a_full_cache_drops_what_its_policy_says(policy: EvictionPolicy, gone: str) -> None:
    made = cache(policy, size=33 + (24 if policy is EvictionPolicy.TTL else 0))  # three entries, with their deadlines
    for key in "abc":
        made.put(key, b"123456789")
    for key in "bbbaac":
        assert made.get(key) is not None
    made.put("d", b"123456789")
    assert [key for key in "abc" if made.get(key) is None] == [gone if policy is not EvictionPolicy.LRU else "b"]
    assert made.metrics.evictions == 1


def test_what_is_larger_than_the_cache_is_not_kept_and_neither_is_what_it_replaces() -> None:
    made = cache()
    made.put("a", b"old")
    assert not made.put("a", bytes(40))
    assert made.get("a") is None
    assert made.metrics.entries == 0


@pytest.mark.parametrize("policy", EvictionPolicy)
def test_an_entry_ends_with_its_time(policy: EvictionPolicy) -> None:
    made = cache(policy, size=100, ttl=TTL)
    made.put("a", b"value")
    clock = made._now
    assert isinstance(clock, Clock)
    clock.now = 9.9
    assert made.get("a") == b"value"
    clock.now = 10.0
    assert made.get("a") is None
    assert (made.metrics.evictions, made.metrics.entries) == (1, 0)


def test_long_values_are_compressed_and_short_or_dense_ones_are_not() -> None:
    made, plain = cache(size=10_000, compression=True), cache(size=10_000)
    dense = random.Random(1).randbytes(1_000)
    for value in (b"words " * 200, b"short", b"", dense):
        assert made.put("a", value)
        assert made.get("a") == value
    made.put("b", b"words " * 200)
    plain.put("b", b"words " * 200)
    assert made.metrics.size - 1_002 < plain.metrics.size / 10


def test_threads_may_use_it_together_and_its_figures_are_right() -> None:
    made = cache(size=500)

    def work(seed: int) -> None:
        chance = random.Random(seed)
        for _ in range(2_000):
            key = str(chance.randrange(100))
            if chance.random() < 0.5:
                made.put(key, key.encode() * 5)
            elif chance.random() < 0.1:
                made.drop(key)
            else:
                assert made.get(key) in (None, key.encode() * 5)

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = made.metrics
    assert 0 < found.size <= 500
    assert found.evictions > 0
    made.clear()
    assert (made.metrics.entries, made.metrics.size, made.metrics.evictions) == (0, 0, found.evictions)
