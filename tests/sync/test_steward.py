from __future__ import annotations

from itertools import pairwise

import pytest

from edda_sync.fold.scrub import Damage
from edda_sync.sync.effects import Applied, Close, Differs, Mended, Proved
from edda_sync.sync.orders import ASKED, TAKING, Duty, End, Mend, Order, Report, Scrub, Scrubbed, Tell, Written
from edda_sync.sync.steward import EVENTS, Steward
from edda_sync.words import limits
from edda_sync.words.errors import (
    BusyError,
    CorruptError,
    DiskFullError,
    EddaError,
    LostStatesError,
    LostStoreError,
    NotReachableError,
    RemoteProtocolError,
    ReplacedStoreError,
)

ACTOR = bytes(16)
START = Written(7, (ACTOR, 3))
BUSY, FULL, DAMAGED = BusyError("edda.db"), DiskFullError("edda.db"), CorruptError("task 1")
PEER = "peer"


class Device:
    """A steward whose orders a test carries out, and a clock that the test moves."""

    def __init__(self) -> None:
        self.now = 0.0
        self.written = START
        self.steward = Steward(START, 0.0)
        self.told: list[str] = []
        self.ended: list[EddaError] = []
        self.open: dict[Duty, Order] = {}  # orders that are under way

    def attend(self) -> list[Duty]:
        """Take the orders that are due; return their duties."""
        begun = []
        for said in self.steward.due(self.now):
            if isinstance(said, Tell):
                self.told.append(said.text)
            elif isinstance(said, End):
                self.ended.append(said.error)
            else:
                assert said.duty not in self.open
                self.open[said.duty] = said
                begun.append(said.duty)
        return begun

    def done(self, duty: Duty, report: Report = None) -> list[Duty]:
        """End an order well; return the duties that begin then."""
        if report is None:
            report = {Duty.LOOKING: self.written, Duty.TELLING: self.written}.get(duty)
        if report is None and duty is Duty.SCRUBBING:
            report = Scrubbed([], None, 5)
        self.steward.done(self.open.pop(duty), report, self.now)
        return self.attend()

    def failed(self, duty: Duty, error: EddaError) -> list[Duty]:
        """End an order with a fault; return the duties that begin then."""
        self.steward.failed(self.open.pop(duty), error, self.now)
        return self.attend()

    def settle(self) -> list[Duty]:
        """Carry out what is due at this time until nothing is; return the duties."""
        begun = self.attend()
        for duty in begun:
            begun += self.done(duty)
        return begun

    def wait(self, seconds: float) -> list[Duty]:
        """Let time pass; return the duties that begin then."""
        self.now += seconds
        return self.attend()

    def next(self) -> list[Duty]:
        """Let time pass until something is due; return the duties that begin then."""
        deadline = self.steward.next_deadline()
        assert deadline is not None, "nothing is due"
        return self.wait(max(deadline - self.now, 0.0))

    def talked(self, *effects: Applied | Close | Differs | Mended | Proved) -> list[Duty]:
        self.steward.talked(effects, None, self.now)
        return self.attend()


@pytest.fixture
def device() -> Device:
    """A device that has begun, and has nothing to do."""
    made = Device()
    assert made.settle() == [Duty.LOOKING, Duty.MEETING, Duty.SCRUBBING]
    return made


# --- what was written -------------------------------------------------------------------------------------------------


def test_the_talks_are_told_of_each_commit_also_of_one_that_is_made_while_they_are_told(device: Device) -> None:
    device.steward.committed(device.now)
    assert device.attend() == [Duty.TELLING]
    device.steward.committed(device.now)
    assert device.attend() == []
    assert device.done(Duty.TELLING) == [Duty.TELLING]
    assert device.done(Duty.TELLING) == []


@pytest.mark.parametrize(
    ("written", "following"),
    [
        (START, []),
        (Written(8, (ACTOR, 4)), [Duty.TELLING, Duty.MEETING]),
        (Written(8, (b"\1" * 16, 1)), [Duty.TELLING, Duty.MEETING]),
        (Written(8, START.own), [Duty.PASSING_ON, Duty.MEETING]),
    ],
)
def test_what_another_process_wrote_is_told_as_own_or_passed_on(
    device: Device, written: Written, following: list[Duty]
) -> None:
    device.steward.noticed(device.now)
    assert device.attend() == [Duty.LOOKING]
    device.written = written
    assert device.done(Duty.LOOKING) == following


def test_what_the_talks_were_told_is_not_told_again_by_whoever_looks(device: Device) -> None:
    device.steward.committed(device.now)
    device.attend()
    device.written = Written(8, (ACTOR, 4))
    device.done(Duty.TELLING)
    device.steward.noticed(device.now)
    device.attend()
    assert Duty.TELLING not in device.done(Duty.LOOKING)


def test_what_the_talks_were_told_at_once_is_not_told_again_by_whoever_looks(device: Device) -> None:
    device.written = Written(8, (ACTOR, 4))
    device.steward.told((ACTOR, 4))
    device.steward.noticed(device.now)
    assert device.attend() == [Duty.LOOKING]
    assert Duty.TELLING not in device.done(Duty.LOOKING)
    device.written = Written(9, (ACTOR, 5))
    device.steward.noticed(device.now)
    device.attend()
    assert Duty.TELLING in device.done(Duty.LOOKING)


def test_a_commit_between_telling_and_looking_is_told(device: Device) -> None:
    device.steward.committed(device.now)
    device.attend()
    device.done(Duty.TELLING, Written(8, (ACTOR, 4)))
    device.steward.noticed(device.now)
    device.attend()
    assert Duty.TELLING in device.done(Duty.LOOKING, Written(9, (ACTOR, 5)))


def test_what_else_is_in_the_log_when_commits_are_told_is_found_by_looking(device: Device) -> None:
    device.steward.committed(device.now)
    device.attend()
    device.written = Written(9, (ACTOR, 4))  # meanwhile another process wrote changes of a peer
    device.done(Duty.TELLING)
    device.steward.noticed(device.now)
    device.attend()
    assert device.done(Duty.LOOKING) == [Duty.PASSING_ON, Duty.MEETING]


def test_after_changes_of_a_peer_the_members_are_read_anew_and_after_a_proof_it_is_saved(device: Device) -> None:
    assert device.talked(Applied(PEER, 1)) == [Duty.MEETING]
    assert device.talked(Proved(PEER)) == [Duty.SAVING]


def test_changes_that_say_nothing_of_devices_leave_the_members_as_they_are(device: Device) -> None:
    assert device.talked(Applied(PEER, 1, members=False)) == []


def test_what_a_peer_sent_is_not_passed_on_once_more_when_the_log_is_looked_at(device: Device) -> None:
    position, own = START
    device.talked(Applied(PEER, 2, members=False, reached=(position, position + 2)))
    device.steward.noticed(device.now)
    device.attend()
    assert device.done(Duty.LOOKING, Written(position + 2, own)) == []


@pytest.mark.parametrize(("before", "after"), [(1, 0), (0, 1)])
def test_what_another_process_wrote_before_or_after_it_is_found_by_looking(
    device: Device, before: int, after: int
) -> None:
    position, own = START
    device.talked(Applied(PEER, 2, members=False, reached=(position + before, position + before + 2)))
    device.steward.noticed(device.now)
    device.attend()
    assert device.done(Duty.LOOKING, Written(position + 3, own)) == [Duty.PASSING_ON, Duty.MEETING]


def test_timers_of_talks_are_as_the_replica_said_last(device: Device) -> None:
    device.steward.talked([], device.now + 2.0, device.now)
    device.steward.talked([], device.now + 5.0, device.now)
    assert device.wait(4.9) == []
    assert device.next() == [Duty.TICKING]
    device.done(Duty.TICKING)
    device.steward.talked([], device.now + 1.0, device.now)
    device.steward.talked([], None, device.now)
    assert device.wait(2.0) == []


def test_proofs_are_saved_at_once_and_then_once_in_a_while(device: Device) -> None:
    device.talked(Proved(PEER))
    device.done(Duty.SAVING)
    assert device.talked(Proved(PEER)) == []
    assert device.wait(limits.PROOF_SAVED_EVERY_S - 0.1) == []
    assert device.wait(0.2) == [Duty.SAVING]


def test_an_address_is_saved_in_a_while_or_with_the_next_proof(device: Device) -> None:
    device.steward.linked(device.now)
    assert device.attend() == []
    assert device.wait(limits.PROOF_SAVED_EVERY_S) == [Duty.SAVING]
    device.done(Duty.SAVING)
    device.steward.linked(device.now)
    device.now += limits.PROOF_SAVED_EVERY_S / 2
    assert device.talked(Proved(PEER)) == []  # the last time was not long ago
    assert Duty.SAVING in device.wait(limits.PROOF_SAVED_EVERY_S)


# --- ends -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("moment", ["at rest", "under way", "linked"])
def test_at_the_end_what_was_proved_is_saved(device: Device, moment: str) -> None:
    if moment == "linked":
        device.steward.linked(device.now)
    else:
        device.talked(Proved(PEER))
        if moment == "at rest":
            device.done(Duty.SAVING)
            device.talked(Proved(PEER))
    assert device.steward.ending() == [Order(Duty.SAVING)]


def test_at_the_end_nothing_is_saved_that_is_saved(device: Device) -> None:
    device.talked(Proved(PEER))
    device.done(Duty.SAVING)
    assert device.steward.ending() == []


def test_once_it_ends_nothing_else_is_begun_and_a_fault_is_told_all_the_same(device: Device) -> None:
    device.talked(Proved(PEER))
    (last,) = device.steward.ending()
    device.steward.committed(device.now)
    assert device.attend() == []
    assert device.steward.next_deadline() is None
    device.steward.failed(last, FULL, device.now)
    device.attend()
    assert device.told == [str(FULL)]


@pytest.mark.parametrize("error", [LostStoreError("edda.db", []), ReplacedStoreError("edda.db")])
@pytest.mark.parametrize("duty", [Duty.LOOKING, Duty.MEETING, None])
def test_a_store_whose_file_was_taken_away_ends_the_device_whoever_meets_it(
    device: Device, duty: Duty | None, error: EddaError
) -> None:
    if duty is None:
        device.steward.fault(ASKED, error, device.now)
        device.attend()
    else:
        device.steward.noticed(device.now)
        device.talked(Applied(PEER, 1))
        device.failed(duty, error)
    assert device.ended == [error]


# --- faults -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("error", [BUSY, FULL, NotReachableError("192.168.1.20:4321")])
@pytest.mark.parametrize("duty", [duty for duty in Duty if duty is not Duty.MENDING])
def test_no_fault_ends_a_duty(duty: Duty, error: EddaError) -> None:
    device = Device()
    device.steward._agenda.want(duty, 0.0)
    while duty not in device.open:
        device.next()
    for _ in range(50):
        device.failed(duty, error)
        while duty not in device.open:
            device.next()
    assert device.told == [str(error)], "it is told once"
    assert device.steward.trouble == str(error)
    device.done(duty)
    assert device.steward.trouble == ""


def test_a_duty_that_failed_rests_whatever_makes_it_due(device: Device) -> None:
    device.steward.committed(device.now)
    device.attend()
    device.failed(Duty.TELLING, FULL)
    device.steward.committed(device.now)
    assert device.attend() == []
    assert device.wait(limits.DUTY_RETRY_S_MIN) == [Duty.TELLING]


@pytest.mark.parametrize("error", [BUSY, FULL])
def test_after_a_fault_of_the_store_the_log_is_looked_at_again(device: Device, error: EddaError) -> None:
    assert device.talked(Close(PEER, error)) == []
    assert device.wait(limits.WATCH_INTERVAL_S) == [Duty.LOOKING]
    device.written = Written(8, START.own)  # what could not be acknowledged is still in it
    assert device.done(Duty.LOOKING) == [Duty.PASSING_ON, Duty.MEETING]


def test_what_is_wrong_with_a_peer_is_no_fault_of_this_device(device: Device) -> None:
    assert device.talked(Close(PEER, RemoteProtocolError("garbage", PEER)), Close(PEER, None)) == []
    assert device.wait(limits.WATCH_INTERVAL_S) == []
    assert device.told == []


@pytest.mark.parametrize("sign", [Applied(PEER, 1), Proved(PEER)])
def test_a_fault_of_taking_is_forgotten_once_something_was_taken(device: Device, sign: Applied | Proved) -> None:
    device.talked(Close(PEER, FULL))
    assert device.steward.trouble == str(FULL)
    device.talked(sign)
    assert device.steward.trouble == ""


def test_a_fault_of_taking_is_forgotten_once_the_log_has_grown(device: Device) -> None:
    device.steward.fault(TAKING, FULL, device.now)
    device.wait(limits.WATCH_INTERVAL_S)
    device.done(Duty.LOOKING)
    assert device.steward.trouble == str(FULL)
    device.steward.noticed(device.now)
    device.attend()
    device.done(Duty.LOOKING, Written(8, START.own))
    assert device.steward.trouble == ""


# --- damage -----------------------------------------------------------------------------------------------------------


def mend_of(device: Device) -> Mend:
    order = device.open[Duty.MENDING]
    assert isinstance(order, Mend)
    return order


@pytest.mark.parametrize("way", ["a talk", "a program", "a duty", "the scrub"])
def test_damage_that_anybody_meets_is_mended_compared_anew_and_told(device: Device, way: str) -> None:
    if way == "a talk":
        begun = device.talked(Close(PEER, DAMAGED))
    elif way == "a program":
        device.steward.fault(ASKED, DAMAGED, device.now)
        begun = device.attend()
    elif way == "a duty":
        device.talked(Applied(PEER, 1))
        begun = device.failed(Duty.MEETING, DAMAGED)
    else:
        device.wait(limits.SCRUB_INTERVAL_S)
        begun = device.done(Duty.SCRUBBING, Scrubbed([Damage("task 1", None)], None, 5))
    assert Duty.MENDING in begun
    assert mend_of(device).keys is None
    assert device.done(Duty.MENDING) == [Duty.MEETING, Duty.COMPARING]
    assert device.told[-1] == "task 1 was damaged on this disk, and was restored from the log; watch this disk."


def test_while_damage_is_known_here_nobody_is_called_equal(device: Device) -> None:
    device.wait(limits.SCRUB_INTERVAL_S)
    assert device.done(Duty.SCRUBBING, Scrubbed([Damage("task 1", b"a")], b"a", 5)) == [Duty.DOUBTING, Duty.MENDING]
    device.done(Duty.DOUBTING)
    device.failed(Duty.MENDING, FULL)
    device.wait(limits.SCRUB_INTERVAL_S)
    begun = device.done(Duty.SCRUBBING, Scrubbed([Damage("task 2", b"b")], None, 5))
    assert Duty.DOUBTING in begun
    assert Duty.COMPARING not in device.done(Duty.DOUBTING)
    device.done(Duty.MENDING) if Duty.MENDING in device.open else device.next()
    while Duty.MENDING in device.open or device.steward.trouble == str(FULL):
        begun = device.done(Duty.MENDING) if Duty.MENDING in device.open else device.next()
    assert Duty.COMPARING in begun


def test_what_is_damaged_once_more_before_all_is_compared_anew_is_mended_first(device: Device) -> None:
    device.talked(Close(PEER, DAMAGED))
    device.done(Duty.DOUBTING)
    device.steward.done(device.open.pop(Duty.MENDING), None, device.now)
    device.steward.fault(ASKED, CorruptError("task 2"), device.now)
    begun = device.attend()
    assert (Duty.COMPARING in begun, Duty.DOUBTING in begun) == (False, True)


def test_of_entities_that_differ_or_were_found_only_those_are_folded_and_in_one_go(device: Device) -> None:
    device.talked(Differs(PEER, (b"c", b"a")))
    assert mend_of(device).keys == (b"a", b"c")
    device.talked(Differs(PEER, (b"d",)))
    device.wait(limits.SCRUB_INTERVAL_S)
    device.done(Duty.SCRUBBING, Scrubbed([Damage("task 1", b"b"), Damage("task 2", b"d")], None, 5))
    assert Duty.MENDING in device.done(Duty.MENDING)
    assert mend_of(device).keys == (b"b", b"d"), "what came meanwhile is for the next time"
    assert device.told == [], "where two differ it may be the other one's disk"


@pytest.mark.parametrize("keys", [(b"a",), None])
def test_what_could_not_be_mended_is_mended_later_with_what_came_since(
    device: Device, keys: tuple[bytes, ...] | None
) -> None:
    device.talked(Mended(PEER, 1) if keys is None else Differs(PEER, keys))
    device.failed(Duty.MENDING, BUSY)
    device.talked(Differs(PEER, (b"b",)))
    assert device.wait(limits.DUTY_RETRY_S_MIN) == [Duty.MENDING]
    assert mend_of(device).keys == (None if keys is None else (b"a", b"b"))


def test_where_rocksdb_has_lost_the_states_of_all_not_only_some_are_folded_again(device: Device) -> None:
    device.talked(Differs(PEER, (b"key",)))
    assert mend_of(device).keys == (b"key",)
    device.failed(Duty.MENDING, LostStatesError("edda.rocks", "it is missing"))
    assert Duty.MENDING in device.wait(limits.DUTY_RETRY_S_MIN)
    assert mend_of(device).keys is None


def test_damage_that_a_fold_does_not_help_is_not_folded_again_for_ever(device: Device) -> None:
    device.steward.fault(ASKED, DAMAGED, device.now)
    device.attend()
    device.done(Duty.MENDING)
    device.steward.fault(ASKED, DAMAGED, device.now)
    assert Duty.MENDING not in device.attend()


def test_what_of_the_log_rotted_is_asked_of_peers_and_folded_as_soon_as_it_is_here(device: Device) -> None:
    device.talked(Close(PEER, DAMAGED))
    for _ in range(30):
        assert Duty.FETCHING in device.failed(Duty.MENDING, CorruptError("the log"))
        device.done(Duty.FETCHING)
        while Duty.MENDING not in device.open:
            device.next()
    device.failed(Duty.MENDING, CorruptError("the log"))
    device.done(Duty.FETCHING)
    assert Duty.MENDING not in device.wait(limits.MEND_RETRY_S_MAX / 2), "a fold costs seconds, and mends nothing"
    assert Duty.MENDING in device.talked(Mended(PEER, 1)), "and now it does"
    assert mend_of(device).keys is None
    assert device.done(Duty.MENDING) == [Duty.MEETING, Duty.COMPARING]


def test_where_somebody_else_folded_the_log_anew_it_is_compared_anew(device: Device) -> None:
    device.steward.rebuilt(device.now)
    assert device.attend() == [Duty.MEETING, Duty.COMPARING]


# --- scrub ------------------------------------------------------------------------------------------------------------


def scrub_of(device: Device) -> Scrub:
    order = device.open[Duty.SCRUBBING]
    assert isinstance(order, Scrub)
    return order


def test_the_scrub_goes_on_where_it_stopped_also_after_a_fault_and_begins_anew_at_the_end(device: Device) -> None:
    device.wait(limits.SCRUB_INTERVAL_S)
    device.done(Duty.SCRUBBING, Scrubbed([], b"k", 500))
    device.wait(limits.SCRUB_INTERVAL_S)
    assert scrub_of(device).after == b"k"
    device.failed(Duty.SCRUBBING, BUSY)
    device.wait(limits.DUTY_RETRY_S_MIN)
    assert scrub_of(device).after == b"k"
    device.done(Duty.SCRUBBING, Scrubbed([], None, 500))
    device.next()
    assert scrub_of(device).after == b""


def test_what_is_damaged_and_cannot_be_folded_again_is_told_and_nothing_is_mended(device: Device) -> None:
    device.wait(limits.SCRUB_INTERVAL_S)
    assert device.done(Duty.SCRUBBING, Scrubbed([], b"k", 5, ["The attached file 'a' is damaged."])) == []
    assert device.told == ["The attached file 'a' is damaged."]
    assert device.steward.trouble == "The attached file 'a' is damaged."
    device.wait(limits.SCRUB_INTERVAL_S)
    device.done(Duty.SCRUBBING, Scrubbed([], None, 5, ["It has vanished."]))
    device.wait(limits.SCRUB_INTERVAL_S)
    assert scrub_of(device).after == b"", "a disk that loses something is looked at again soon"


def passes(device: Device, entities: int, count: int) -> list[list[tuple[float, int]]]:
    """Let the scrub pass over so many entities several times; return when it checked each slice, and how many entities."""
    found = []
    for _ in range(count):
        slices: list[tuple[float, int]] = []
        left = entities
        while left > 0 or not slices:
            while Duty.SCRUBBING not in device.open:
                device.next()
                for duty in [duty for duty in device.open if duty is not Duty.SCRUBBING]:
                    device.done(duty)
            left -= scrub_of(device).limit
            slices.append((device.now, scrub_of(device).limit))
            device.done(Duty.SCRUBBING, Scrubbed([], b"k" if left > 0 else None, entities))
        found.append(slices)
    return found


@pytest.mark.parametrize("entities", [0, 199, 10_000, 1_000_000])
def test_each_entity_is_looked_at_within_a_day(device: Device, entities: int) -> None:
    found = passes(device, entities, 20)
    for former, latter in pairwise(found[1:]):  # at first the number of entities is unknown
        assert latter[0][0] - former[0][0] <= limits.SCRUB_S_MAX
        assert latter[-1][0] - former[-1][0] <= limits.SCRUB_S_MAX


def test_where_nothing_is_found_the_scrub_pauses_ever_longer_and_where_something_is_no_more(device: Device) -> None:
    begun = [slices[0][0] for slices in passes(device, 5, 20)]
    pauses = [latter - former for former, latter in pairwise(begun)]
    assert pauses[0] <= 2 * limits.SCRUB_INTERVAL_S
    assert pauses == sorted(pauses)
    assert pauses[-1] == limits.SCRUB_S_MAX / 2
    while Duty.SCRUBBING not in device.open:
        device.next()
    now = device.now
    device.done(Duty.SCRUBBING, Scrubbed([Damage("task 1", b"k")], None, 5))
    device.done(Duty.MENDING)
    device.done(Duty.COMPARING)
    assert device.next() == [Duty.SCRUBBING]
    assert device.now - now == limits.SCRUB_INTERVAL_S


# --- both runners -----------------------------------------------------------------------------------------------------


def test_each_duty_is_an_event_of_the_replica_or_one_that_both_runners_know() -> None:
    own = {Duty.LOOKING, Duty.MEETING, Duty.MENDING, Duty.SAVING, Duty.SCRUBBING}
    assert set(Duty) == own | EVENTS.keys()
    assert not own & EVENTS.keys()
