from __future__ import annotations

import asyncio
import ssl
import tempfile
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

import pytest

from edda_sync.device.peers import STEADY_DELAYS, Endpoint, Peer, Peers, _delay
from edda_sync.device.supervisor import Supervisor
from edda_sync.sync.faults import Faults
from edda_sync.transport.identity import Identity
from edda_sync.transport.link import Link
from edda_sync.transport.tls import mutual
from edda_sync.words import limits
from edda_sync.words.errors import EddaError, NotAMemberError, NotReachableError, OwnKeyError

PATIENCE_S = 90.0
HOST = "127.0.0.1"
FIRST, SECOND, STRANGER = sorted(
    (Identity.from_private(bytes([number]) * 32) for number in (1, 2, 3)), key=lambda identity: identity.device
)


class Side:
    """One device's links, as its runner sees them."""

    def __init__(self, identity: Identity, *members: Identity, port: int = 0, ends_at_once: bool = False) -> None:
        self.identity = identity
        self.members = {member.device: member.certificate for member in (identity, *members)}
        self.open: list[Link] = []
        self.begun = 0
        self.dialled: list[tuple[str, Endpoint]] = []
        self._ends_at_once = ends_at_once
        self._changed = asyncio.Condition()
        self.told: list[str] = []
        self.heard = asyncio.Event()
        self.refused: list[str] = []
        self.troubles: list[tuple[str, str]] = []
        self.troubled = asyncio.Event()
        self.faults = Faults()
        self.supervisor = Supervisor(lambda error: self.failed("a task", error))
        self.peers = Peers(
            identity, lambda: self.members, self._run, port, lambda *dialled: self.dialled.append(dialled),
            self, on_refused=self.refused.append, on_trouble=self._note,
        )  # fmt: skip

    async def __aenter__(self) -> Self:
        await self.supervisor.__aenter__()
        await self.peers.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.peers.__aexit__(kind, error, trace)
        await self.supervisor.__aexit__(kind, error, trace)

    @property
    def endpoint(self) -> Endpoint:
        return HOST, self.peers.port

    def _note(self, device: str, text: str) -> None:
        self.troubles.append((device, text))
        self.troubled.set()

    def failed(self, concern: str, error: EddaError) -> None:
        if self.faults.failed(concern, error).is_news:
            self.told.append(str(error))
            self.heard.set()

    def worked(self, concern: str) -> None:
        self.faults.worked(concern)

    def fail(self, bug: BaseException) -> None:
        self.supervisor.fail(bug)

    async def _run(self, link: Link) -> None:
        self.begun += 1
        self.open.append(link)
        await self._tell()
        try:
            if not self._ends_at_once:
                async for _ in link:
                    pass
        finally:
            self.open.remove(link)
            await self._tell()

    async def _tell(self) -> None:
        async with self._changed:
            self._changed.notify_all()

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(PATIENCE_S), self._changed:
            await self._changed.wait_for(condition)

    @staticmethod
    async def until_tried(peer: Peer, number: int) -> None:
        """Wait until so many tries in a row have failed."""
        async with asyncio.timeout(PATIENCE_S):
            while peer.failures < number:  # noqa: ASYNC110 - nothing tells of it
                await asyncio.sleep(0)

    async def linked(self) -> Link:
        await self.until(lambda: bool(self.open))
        return self.open[-1]


def meet(*sides: Side) -> None:
    """Tell each where the others are."""
    for side in sides:
        for other in sides:
            side.peers.found(other.identity.device, [other.endpoint])


# --- the end ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("steps", range(5))
async def test_news_of_a_peer_that_comes_with_the_end_does_not_hold_it_up(steps: int) -> None:
    side = Side(FIRST, SECOND)
    async with asyncio.timeout(PATIENCE_S), side:
        peer = side.peers.all[SECOND.device]
        peer.endpoints, peer.failures = [(HOST, 9)], STEADY_DELAYS + 7  # nobody listens there, and it is known
        peer.nudge.set()
        for _ in range(10):  # it is to wait for half a minute by then
            await asyncio.sleep(0)
        peer.nudge.set()
        for _ in range(steps):
            await asyncio.sleep(0)


# --- backoff ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("failures", range(1, 40))
def test_tries_become_more_seldom_and_never_stop(failures: int) -> None:
    delay = _delay(failures)
    assert limits.RECONNECT_DELAY_S_MIN * 0.75 <= delay <= limits.RECONNECT_DELAY_S_MAX * 1.25
    if failures <= STEADY_DELAYS:
        assert delay <= limits.RECONNECT_DELAY_S_MIN * 1.25  # a device that has just left is often back soon
    if failures > STEADY_DELAYS + 7:
        assert delay >= limits.RECONNECT_DELAY_S_MAX * 0.75


@pytest.mark.parametrize(
    ("failures", "middle_s"), [(1, limits.RECONNECT_DELAY_S_MIN), (39, limits.RECONNECT_DELAY_S_MAX)]
)
def test_devices_that_lost_a_peer_together_do_not_call_it_together(failures: int, middle_s: float) -> None:
    delays = [_delay(failures) for _ in range(200)]  # all on one side once in 2**199 runs
    assert min(delays) < middle_s < max(delays)
    assert len(set(delays)) > 100


async def test_a_link_that_ends_at_once_counts_as_a_failure_and_is_not_dialled_in_a_hurry() -> None:
    async with Side(FIRST, SECOND) as one, Side(SECOND, FIRST, ends_at_once=True) as other:
        peer = one.peers.all[SECOND.device]
        one.peers.found(SECOND.device, [other.endpoint])
        await one.until(lambda: one.begun >= 3 and not one.open)
        assert peer.failures >= 2


async def test_news_of_a_peer_begins_the_backoff_anew() -> None:
    async with Side(FIRST, SECOND) as one:
        peer = one.peers.all[SECOND.device]
        peer.failures = 30  # its keeper would wait for half a minute
        async with Side(SECOND, FIRST) as other:
            one.peers.found(SECOND.device, [other.endpoint])
            assert peer.failures <= 2
            assert (await one.linked()).peer == SECOND.device


async def test_hints_of_where_a_peer_is_do_not_hurry_a_device_whose_links_to_it_end_at_once() -> None:
    async with Side(FIRST, SECOND) as one, Side(SECOND, FIRST, ends_at_once=True) as other:
        peer = one.peers.all[SECOND.device]
        one.peers.found(SECOND.device, [other.endpoint])
        await one.until(lambda: one.begun >= 1 and not one.open)
        peer.failures = 30  # from here on its keeper waits for half a minute
        await one.until(lambda: one.begun >= 2 and not one.open)  # but for the pause that was under way
        begun = one.begun
        for _ in range(50):  # as mDNS gives them
            one.peers.found(SECOND.device, [other.endpoint])
            await asyncio.sleep(0)
            assert not peer.nudge.is_set()
        assert one.begun == begun
        assert peer.failures > 30
        one.peers.network_changed()  # a person asks, or a cable was plugged in
        await one.until(lambda: one.begun > begun)


async def test_hints_however_many_make_few_calls_and_shorten_the_pauses_between_them_a_few_times() -> None:
    called = 0

    def count(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal called
        called += 1
        writer.transport.abort()

    async with Side(FIRST, SECOND) as one:
        peer = one.peers.all[SECOND.device]
        servers = [await asyncio.start_server(count, HOST, 0) for _ in range(3 * limits.HINTED_DIALS_MAX)]
        try:
            for number in range(len(servers)):
                places = [server.sockets[0].getsockname() for server in servers[number:] + servers[:number]]
                one.peers.found(SECOND.device, places[: limits.HINTED_DIALS_MAX], hinted=True)
                await one.until_tried(peer, min(number, 2) + 1)
            assert 0 < called <= limits.HINTED_DIALS_MAX
            assert not peer.hinted_hurries.take(asyncio.get_running_loop().time())
        finally:
            for server in servers:
                server.close()
        async with Side(SECOND, FIRST) as other:
            one.peers.found(SECOND.device, [other.endpoint])  # as a person says
            assert (await one.linked()).peer == SECOND.device


@pytest.mark.parametrize("calls", [FIRST, SECOND], ids=["the one that stays calls", "the one that leaves calls"])
async def test_a_device_that_leaves_makes_no_link_once_it_has_said_goodbye(calls: Identity) -> None:
    async with Side(FIRST, SECOND) as stays, Side(SECOND, FIRST) as leaves:
        stays.peers.found(SECOND.device, [leaves.endpoint])
        leaves.peers.found(FIRST.device, [stays.endpoint])
        await stays.linked()
        link = await leaves.linked()
        begun = stays.begun, leaves.begun
        leaves.peers.leave()
        await link.close()
        await leaves.until(lambda: not leaves.open)
        if calls is FIRST:
            await stays.until_tried(stays.peers.all[SECOND.device], 1)
        else:
            leaves.peers.network_changed()
            await asyncio.wait_for(leaves.peers.all[FIRST.device].keeper or asyncio.sleep(0), PATIENCE_S)
        assert (stays.begun, leaves.begun) == begun


async def test_links_that_the_peer_dials_in_vain_do_not_shorten_the_pause_before_the_next_call() -> None:
    async with Side(FIRST, SECOND, ends_at_once=True) as one, Side(SECOND, FIRST) as other:
        peer = one.peers.all[SECOND.device]
        peer.failures = 30
        peer.endpoints = [other.endpoint]
        peer.nudge.set()
        other.peers.found(FIRST.device, [one.endpoint])
        await one.until(lambda: one.begun >= 4 and not one.open)
        assert one.dialled == []


async def test_a_peer_that_could_not_be_reached_is_dialled_at_a_hint_although_the_last_link_ended_at_once() -> None:
    async with Side(FIRST, SECOND) as one:
        peer = one.peers.all[SECOND.device]
        async with Side(SECOND, FIRST, ends_at_once=True) as other:
            port = other.peers.port
            one.peers.found(SECOND.device, [other.endpoint])
            await one.until(lambda: one.begun >= 1 and not one.open)
        async with asyncio.timeout(PATIENCE_S):
            while peer.is_unsteady:  # noqa: ASYNC110 - until it has called where nobody is any more
                await asyncio.sleep(0)
        peer.failures = 30
        async with Side(SECOND, FIRST, port=port) as again:
            one.peers.found(SECOND.device, [again.endpoint])
            assert (await one.linked()).peer == SECOND.device


# --- a peer that does not know this device ----------------------------------------------------------------------------


class Door:
    """A port that hangs up on each caller after TLS, like a device that is ending, or one that no longer knows us."""

    def __init__(self, identity: Identity, caller: Identity) -> None:
        self._context = mutual(identity, ssl.PROTOCOL_TLS_SERVER, [caller.certificate])
        self._changed = asyncio.Condition()
        self.called = 0

    async def __aenter__(self) -> Endpoint:
        self._server = await asyncio.start_server(self._hang_up, HOST, 0, ssl=self._context)
        port: int = self._server.sockets[0].getsockname()[1]
        return HOST, port

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        await self._server.wait_closed()

    async def _hang_up(self, _: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()
        async with self._changed:
            self.called += 1
            self._changed.notify_all()

    async def until_called(self, number: int) -> None:
        async with asyncio.timeout(PATIENCE_S), self._changed:
            await self._changed.wait_for(lambda: self.called >= number)


async def test_a_peer_that_hangs_up_once_may_be_ending_and_one_that_does_so_again_does_not_know_this_device() -> None:
    door = Door(SECOND, FIRST)
    async with Side(FIRST, SECOND) as one, door as endpoint:
        peer = one.peers.all[SECOND.device]
        one.peers.found(SECOND.device, [endpoint])
        await door.until_called(1)
        await one.until_tried(peer, 1)
        assert one.refused == []
        assert "hung up" in peer.error
        await door.until_called(2)
        await one.until_tried(peer, 2)
        assert set(one.refused) == {SECOND.device}
        assert "members" in peer.error


# --- a copy of this device's store -----------------------------------------------------------------------------------


async def test_who_is_refused_since_a_copy_of_its_store_is_connected_says_so() -> None:
    async with Side(FIRST, SECOND) as other, Side(SECOND, FIRST) as copy, Side(SECOND, FIRST) as original:
        other.peers.found(SECOND.device, [copy.endpoint])
        await copy.linked()
        peer = original.peers.all[FIRST.device]
        original.peers.found(FIRST.device, [other.endpoint])
        async with asyncio.timeout(PATIENCE_S):
            await original.troubled.wait()
        assert peer.error == original.troubles[0][1]
        assert peer.error == (
            f"Another copy of this device's store is connected to {FIRST.device[:12]}; use only one of the two."
        )
        assert peer.refused == 2  # the first one may have crossed a link of ours
        assert not copy.troubles
        assert copy.open


# --- faults and bugs of this device -----------------------------------------------------------------------------------


async def test_a_fault_of_the_disk_while_a_peer_is_called_is_told_once_and_the_peer_called_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with Side(FIRST, SECOND) as one, Side(SECOND, FIRST) as other:
        with monkeypatch.context() as patch:
            patch.setattr(tempfile, "tempdir", str(tmp_path / "missing"))  # a key that is in use is there for a moment
            one.peers.found(SECOND.device, [other.endpoint])
            async with asyncio.timeout(PATIENCE_S):
                await one.heard.wait()
            assert "missing" in one.faults.latest
        assert (await one.linked()).peer == SECOND.device
        assert len(one.told) == 1
        assert one.faults.latest == ""


async def test_a_bug_in_what_keeps_a_peer_ends_the_device() -> None:
    async def run() -> None:
        async with Side(FIRST, SECOND) as side:
            side.peers.found(SECOND.device, [("a host and no port",)])  # type: ignore[list-item]
            await asyncio.Event().wait()

    owner = asyncio.ensure_future(run())
    await asyncio.wait({owner}, timeout=PATIENCE_S)
    assert owner.done(), "it goes on as if nothing were wrong"
    assert isinstance(owner.exception(), ValueError)


# --- one link a pair --------------------------------------------------------------------------------------------------


async def test_two_that_hear_of_each_other_at_once_keep_the_link_that_the_lower_id_dialled() -> None:
    async with Side(FIRST, SECOND) as lower, Side(SECOND, FIRST) as higher:
        meet(lower, higher)
        assert (await lower.linked()).dialled is True
        assert (await higher.linked()).dialled is False
        assert len(lower.open) == len(higher.open) == 1
        assert lower.dialled == [(SECOND.device, higher.endpoint)]  # the address is to be remembered


class Named(Link):
    """A link, as far as the rule looks at it."""

    def __init__(self, peer: str, *, dialled: bool) -> None:
        self.peer, self.dialled = peer, dialled


@pytest.mark.parametrize(("own", "other"), [(FIRST, SECOND), (SECOND, FIRST)])
async def test_both_sides_agree_which_of_two_links_is_better(own: Identity, other: Identity) -> None:
    async with Side(own, other) as side:
        by_lower = Named(other.device, dialled=own is FIRST)
        by_higher = Named(other.device, dialled=own is SECOND)
        assert side.peers._is_better(by_lower, by_higher) is True
        assert side.peers._is_better(by_higher, by_lower) is False
        assert (
            side.peers._is_better(by_higher, by_higher) is True
        )  # of two by the same the newer: the older may be dead


async def test_a_peer_that_was_restarted_is_dialled_again() -> None:
    async with Side(FIRST, SECOND) as one:
        async with Side(SECOND, FIRST) as other:
            meet(one, other)
            await one.linked()
            port = other.peers.port
        await one.until(lambda: not one.open)
        async with Side(SECOND, FIRST, port=port) as again:
            assert (await again.linked()).peer == FIRST.device  # no device told another


# --- members ----------------------------------------------------------------------------------------------------------


async def test_a_link_that_is_silent_once_the_network_has_changed_is_replaced_and_one_that_answers_is_kept(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def silent(_timeout_s: float) -> bool:
        return False

    async with Side(FIRST, SECOND) as one, Side(SECOND, FIRST) as two:
        one.peers.found(SECOND.device, [two.endpoint])
        link = await one.linked()
        one.peers.network_changed()
        assert await link.probe(PATIENCE_S)
        assert one.open == [link]
        monkeypatch.setattr(link, "probe", silent)  # its path uses an interface that is gone
        one.peers.network_changed()
        await one.until(lambda: bool(one.open) and link not in one.open)


async def test_a_member_that_goes_loses_its_link_and_a_new_one_is_dialled() -> None:
    async with Side(FIRST, SECOND) as one, Side(SECOND, FIRST) as other, Side(STRANGER, FIRST) as later:
        meet(one, other)
        await one.linked()
        del one.members[SECOND.device]
        one.members[STRANGER.device] = STRANGER.certificate
        await one.peers.refresh()
        await other.until(lambda: not other.open)
        assert SECOND.device not in one.peers.all
        one.peers.found(STRANGER.device, [later.endpoint])
        assert (await later.linked()).peer == FIRST.device


async def test_a_hint_about_somebody_who_is_no_member_is_nothing() -> None:
    async with Side(FIRST, SECOND) as one:
        one.peers.found(STRANGER.device, [(HOST, 1)])
        assert list(one.peers.all) == [SECOND.device]


# --- an address that a person names -----------------------------------------------------------------------------------


async def test_whoever_answers_at_an_address_is_linked_if_it_is_a_member() -> None:
    async with Side(FIRST, SECOND) as one, Side(SECOND, FIRST) as other, Side(STRANGER) as stranger:
        assert await one.peers.dial_address(*other.endpoint) == SECOND.device
        assert (await one.linked()).peer == SECOND.device
        with pytest.raises(NotAMemberError):
            await one.peers.dial_address(*stranger.endpoint)
        with pytest.raises(OwnKeyError):
            await one.peers.dial_address(*one.endpoint)


async def test_nobody_and_what_is_no_device_are_not_reachable() -> None:
    server = await asyncio.start_server(lambda _, writer: writer.close(), HOST, 0)
    port = server.sockets[0].getsockname()[1]
    async with Side(FIRST) as one:
        with pytest.raises(NotReachableError):
            await one.peers.dial_address(HOST, port)
        server.close()
        await server.wait_closed()
        with pytest.raises(NotReachableError):
            await one.peers.dial_address(HOST, port)


async def test_another_programs_tls_is_no_device(tls_of_somebody_else: ssl.SSLContext) -> None:
    server = await asyncio.start_server(lambda *_: None, HOST, 0, ssl=tls_of_somebody_else)
    async with Side(FIRST) as one:
        with pytest.raises(NotReachableError, match="no edda device"):
            await one.peers.dial_address(HOST, server.sockets[0].getsockname()[1])
    server.close()
    await server.wait_closed()


@pytest.fixture
def tls_of_somebody_else(tmp_path_factory: pytest.TempPathFactory) -> ssl.SSLContext:
    import datetime

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "printer")])
    certificate = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key()).serial_number(1)
        .not_valid_before(datetime.datetime(2020, 1, 1)).not_valid_after(datetime.datetime(2090, 1, 1))
        .sign(key, hashes.SHA256())
    )  # fmt: skip
    path = tmp_path_factory.mktemp("tls") / "both.pem"
    encoded = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    path.write_bytes(encoded + certificate.public_bytes(Encoding.PEM))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)
    return context


@pytest.mark.parametrize("whose", [FIRST, SECOND], ids=["the side that dialled", "the side that was dialled"])
async def test_a_clock_that_was_set_makes_the_links_anew(whose: Identity) -> None:
    async with Side(FIRST, SECOND) as one, Side(SECOND, FIRST) as other:
        one.peers.found(SECOND.device, [other.endpoint])
        link = await one.linked()
        (one if whose is FIRST else other).peers.renew()
        await one.until(lambda: bool(one.open) and link not in one.open)
        await other.linked()
