"""A place proves that it can be a target; what it cannot keep is told, and what backups need is not done without."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from itertools import count

import pytest

from edda_sync.backup.target import Listed
from edda_sync.backup.targets import proving
from edda_sync.backup.targets.credentials import Credentials
from edda_sync.backup.targets.objects import ObjectTarget
from edda_sync.backup.targets.place import MEMORY, S3, Place
from edda_sync.backup.targets.proving import prove, told
from edda_sync.words.errors import TargetError
from edda_sync.words.limits import TARGET_LISTS_S
from tests.backup.targets.stores import AWS, answering, careless, make_bucket

_numbers = count()


class Faulty(ObjectTarget):
    """A target in memory that has one fault."""

    def __init__(self, fault: str) -> None:
        super().__init__("cloud", Place(MEMORY, f"faulty{next(_numbers)}"), Credentials())
        self.fault, self.looks, self.deletes, self.waited_s = fault, 0, 0, 0.0

    def wait(self, seconds: float) -> None:
        self.waited_s += seconds

    def put(self, key: str, data: bytes) -> None:
        if self.fault == "refuses":
            raise TargetError("cloud", "its credentials may not do this", "give it others")
        if self.fault == "keeps the first" and any(each.key == key for each in super().list("edda/")):
            return
        super().put(key, data[:-1] if self.fault == "cuts" else data)

    def get(self, key: str) -> bytes:
        if self.fault == "is interrupted":
            raise KeyboardInterrupt
        if self.fault == "vanishes":
            self.fault = "vanished"
        if self.fault == "vanished":
            raise TargetError("cloud", "it does not answer", "try again")
        found = super().get(key)
        return bytes([found[0] ^ 1]) + found[1:] if self.fault == "flips a bit" else found

    def list(self, prefix: str, after: str = "") -> Iterator[Listed]:
        self.looks += 1
        found = list(super().list(prefix, after))
        if self.fault == "never lists" or (self.fault == "lists late" and self.looks < 3):
            return
        if self.fault == "forgets one":
            found = found[1:]
        for each in found:
            yield each._replace(
                size=each.size + (self.fault == "wrong size"),
                modified_s=each.modified_s - 9_999 * (self.fault == "slow"),
            )

    def delete(self, key: str) -> None:
        self.deletes += 1
        if self.fault == "vanished":
            raise TargetError("cloud", "it does not answer", "try again")
        if self.fault == "keeps all":
            raise TargetError("cloud", "its credentials may not do this", "give it others")
        if self.fault != "deletes nothing":
            super().delete(key)

    def keeps(self, key: str) -> Mapping[str, bool]:
        return {**super().keeps(key), "part": self.fault != "sends no part"}


def left(target: Faulty) -> list[str]:
    return [each.key for each in ObjectTarget.list(target, "edda/")]


def test_a_sound_place_lacks_nothing_and_nothing_is_left_there(s3: str) -> None:
    for target in (Faulty("none"), ObjectTarget("cloud", make_bucket(s3, "proved"), AWS)):
        assert prove(target).lacks == ()
        assert list(target.list("edda/")) == []
    assert told(()) == []


@pytest.mark.parametrize(
    ("fault", "why"),
    [
        ("refuses", "its credentials may not do this"),
        ("cuts", "what is read there is not what was written"),
        ("flips a bit", "what is read there is not what was written"),
        ("keeps the first", "what is written again there is not replaced"),
        ("never lists", "is not listed"),
        ("forgets one", "is not listed"),
        ("wrong size", "is not listed"),
    ],
)
def test_a_place_that_does_not_keep_what_backups_need_is_refused(fault: str, why: str) -> None:
    target = Faulty(fault)
    with pytest.raises(TargetError, match=why):
        prove(target, wait=target.wait)
    assert left(target) == []
    assert target.waited_s in (0.0, TARGET_LISTS_S)


def test_who_interrupts_a_proof_waits_for_nothing_more_and_the_next_one_cleans_up() -> None:
    target = Faulty("is interrupted")
    with pytest.raises(KeyboardInterrupt):
        prove(target)
    assert (target.deletes, len(left(target))) == (0, 3)
    target.fault = "none"
    prove(target)
    assert len(left(target)) == 3, "another device may be at it"
    assert proving._left(target, time.time() + 90_000) == left(target)


def test_a_place_that_vanishes_meanwhile_is_not_asked_again_and_again() -> None:
    target = Faulty("vanishes")
    with pytest.raises(TargetError, match="it does not answer"):
        prove(target)
    assert target.deletes == 1


@pytest.mark.parametrize(
    ("fault", "lacks", "sentence"),
    [
        ("lists late", ("list",), "It lists what was written only after a while"),
        ("slow", ("clock",), "Its clock is wrong by minutes"),
        ("keeps all", ("delete",), "It lets nothing be deleted"),
        ("deletes nothing", ("delete",), "It lets nothing be deleted"),
        ("sends no part", ("part",), "It cannot send a part of an object; backups read whole ones."),
    ],
)
def test_what_no_backup_needs_is_told_in_one_sentence(fault: str, lacks: tuple[str, ...], sentence: str) -> None:
    target = Faulty(fault)
    assert prove(target, wait=target.wait).lacks == lacks
    (said,) = told(lacks)
    assert said.startswith(sentence)


def test_a_server_that_ignores_conditions_in_silence_is_seen_through() -> None:
    with answering(careless()) as url:
        lacks = prove(ObjectTarget("cloud", Place(S3, "bucket", endpoint=url), AWS)).lacks
    assert lacks == ("create", "swap", "part")
    assert told(lacks)[0] == "It overwrites even where a condition forbids it; backups rely on no condition."


@pytest.mark.parametrize("one", ["create", "swap"])
def test_one_condition_that_is_ignored_is_told_by_itself(one: str) -> None:
    (said,) = told((one,))
    assert "backups do not rely on that" in said


def test_two_devices_that_prove_one_place_at_once_do_not_disturb_each_other() -> None:
    class Disturbed(Faulty):
        def list(self, prefix: str, after: str = "") -> Iterator[Listed]:
            ObjectTarget.put(self, f"edda/proofs/{'f' * 16}-1", b"of another device")
            return super().list(prefix, after)

    assert prove(Disturbed("none")).lacks == ()
