from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from edda_sync.transport.doorway import Doorway, network_of
from edda_sync.words.limits import CALLERS_OF_A_NETWORK_MAX, CALLERS_UNPROVED_MAX

FOREIGN = 40  # networks of a crowd


class Street:
    """Where callers come from. Each is a real socket, and claims an address."""

    def __init__(self, doorway: Doorway, stack: ExitStack) -> None:
        self._doorway, self._stack = doorway, stack
        self.ours: dict[int, socket.socket] = {}

    def call(self, address: str) -> tuple[socket.socket, int]:
        """Return the caller's end, and the file descriptor of our end."""
        here, there = socket.socketpair()
        self._stack.callback(here.close)
        self._stack.callback(there.close)
        there.setblocking(False)
        assert self._doorway._admit(here, address)
        self.ours[here.fileno()] = here
        return there, here.fileno()


def is_hung_up_on(caller: socket.socket) -> bool:
    try:
        return caller.recv(1) == b""
    except BlockingIOError:
        return False


@pytest.fixture
def doorway() -> Doorway:
    return Doorway(sweep=lambda: None)


@pytest.fixture
def street(doorway: Doorway) -> Iterator[Street]:
    with ExitStack() as stack:
        yield Street(doorway, stack)


def test_a_network_that_calls_too_often_displaces_only_its_own_callers(street: Street) -> None:
    honest, _ = street.call("192.0.2.1")
    crowd = [street.call("192.0.2.66")[0] for _ in range(CALLERS_OF_A_NETWORK_MAX + 5)]
    assert [is_hung_up_on(each) for each in crowd] == [True] * 5 + [False] * CALLERS_OF_A_NETWORK_MAX
    assert not is_hung_up_on(honest)


def test_many_networks_displace_the_oldest_caller_of_the_largest_crowd(street: Street) -> None:
    honest, _ = street.call("192.0.2.1")
    crowd = [street.call("192.0.2.66")[0] for _ in range(CALLERS_OF_A_NETWORK_MAX)]
    others = [street.call(f"198.51.100.{each}")[0] for each in range(CALLERS_UNPROVED_MAX - len(crowd) - 1)]
    newest, _ = street.call("203.0.113.1")
    assert [is_hung_up_on(each) for each in crowd] == [True] + [False] * (len(crowd) - 1)
    assert not any(is_hung_up_on(each) for each in [honest, newest, *others])


def test_where_every_caller_has_a_network_of_its_own_the_oldest_goes(street: Street, doorway: Doorway) -> None:
    callers = [street.call(f"2001:db8:0:{each:x}::1")[0] for each in range(CALLERS_UNPROVED_MAX + FOREIGN)]
    assert [is_hung_up_on(each) for each in callers] == [True] * FOREIGN + [False] * CALLERS_UNPROVED_MAX
    assert len(doorway) == CALLERS_UNPROVED_MAX


def test_who_has_proved_itself_makes_room_for_nobody(street: Street, doorway: Doorway) -> None:
    member, number = street.call("192.0.2.1")
    doorway.proved(number)
    for _ in range(CALLERS_OF_A_NETWORK_MAX + 1):
        street.call("192.0.2.1")
    assert not is_hung_up_on(member)


def test_who_has_gone_takes_no_room(street: Street, doorway: Doorway) -> None:
    first, _ = street.call("192.0.2.1")
    with ExitStack() as gone:
        going = Street(doorway, gone)
        for _ in range(CALLERS_OF_A_NETWORK_MAX - 1):
            going.call("192.0.2.1")
    street.call("192.0.2.1")
    assert not is_hung_up_on(first)
    assert len(doorway) == 2


def test_who_has_left_before_it_is_taken_costs_nothing(doorway: Doorway) -> None:
    here, there = socket.socketpair()
    with here:
        there.close()
        assert not doorway._admit(here, "192.0.2.1")
        assert len(doorway) == 0


async def test_a_door_passes_over_those_who_have_left() -> None:
    taken: asyncio.Future[asyncio.StreamWriter] = asyncio.get_running_loop().create_future()
    with socket.create_server(("127.0.0.1", 0)) as listening:
        for _ in range(5):
            socket.create_connection(listening.getsockname()).close()
        staying = socket.create_connection(listening.getsockname())
        server = await asyncio.start_server(lambda _, writer: taken.set_result(writer), sock=Doorway().door(listening))
        async with asyncio.timeout(30), server:
            (await taken).close()
        staying.close()


def test_a_closed_doorway_admits_nobody() -> None:
    here, there = socket.socketpair()
    with here, there:
        assert not Doorway(lambda: False)._admit(here, "192.0.2.1")


async def test_clearing_hangs_up_on_everybody_and_waits_until_they_are_gone(street: Street, doorway: Doorway) -> None:
    caller, number = street.call("192.0.2.1")
    clearing = asyncio.create_task(doorway.clear())
    await asyncio.sleep(0)
    assert is_hung_up_on(caller)
    assert not clearing.done()
    street.ours[number].close()
    async with asyncio.timeout(30):
        await clearing


def test_memory_is_freed_now_and_then_and_takes_a_tenth_of_the_time_at_most() -> None:
    now, calls, swept = [0.0], [0], []

    def sweep() -> None:
        swept.append(calls[0])
        now[0] += 1.0

    doorway = Doorway(now=lambda: now[0], sweep=sweep)
    with ExitStack() as stack:
        street = Street(doorway, stack)
        for calls[0] in range(1, 301):
            street.call("192.0.2.1")
            now[0] += 0.01
    assert swept == [64], "it took a second, so the next is due after ten"


def test_memory_is_freed_after_very_many_callers_even_if_it_takes_more_of_the_time() -> None:
    now, calls, swept = [0.0], [0], []

    def sweep() -> None:
        swept.append(calls[0])
        now[0] += 1_000.0

    doorway = Doorway(now=lambda: now[0], sweep=sweep)
    with ExitStack() as stack:
        street = Street(doorway, stack)
        for calls[0] in range(1, 65 + 2 * 256):
            street.call("192.0.2.1")
    assert swept == [64, 64 + 256, 64 + 2 * 256], "each may have left a quarter of a megabyte behind"


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::9", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::1%eth0"),
        ("::1", "::/64"),
    ],
)
def test_the_network_of_an_address(address: str, network: str) -> None:
    assert network_of(address) == network
