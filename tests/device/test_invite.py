"""An invitation of a running device: one code, one new member, and an end in every case."""

from __future__ import annotations

import asyncio

import pytest

from edda_sync.engine.engine import StorageEngine
from edda_sync.transport import pairing
from edda_sync.words.errors import PairingError
from edda_sync.workspace import welcome as membership
from tests.device.bench import HOST, PATIENCE_S, Bench, until, until_equal


async def test_a_device_that_joins_while_others_run_is_trusted_by_all_of_them(bench: Bench) -> None:
    bench.members("laptop", "phone")
    async with bench.running("laptop") as laptop, bench.running("phone", laptop) as phone:
        await until_equal(laptop, phone)
        opened: asyncio.Future[tuple[str, int, str]] = asyncio.get_running_loop().create_future()
        inviting = asyncio.ensure_future(laptop.invite(lambda *shown: opened.set_result(shown)))
        async with asyncio.timeout(PATIENCE_S):
            code, port, reason = await opened
        assert reason == "discovery is switched off"
        with StorageEngine(bench.folder / "tablet") as tablet:
            tablet.open_store(bench.config("tablet"))
            identity = tablet.own.make_identity()
            card = membership.encode(membership.DeviceCard(identity.certificate, "tablet", identity.sealing_keys))
            welcome = membership.decode_told(*await pairing.join(code, card, HOST, port))
            tablet.adopt(welcome)
        assert (await inviting).name == "tablet"
        assert welcome.port == laptop.port
        device = (await inviting).device
        await until(phone, lambda: device in phone.peers.all)  # it heard of it through sync
        async with bench.running("tablet", phone) as new:  # it never met the inviter
            async with asyncio.timeout(PATIENCE_S):
                await new.equal({phone.store.identity.device})
            assert await new.run(StorageEngine.digest) == await phone.run(StorageEngine.digest)
    assert "joined" in bench.what("laptop")


async def test_an_invitation_that_nobody_answers_ends(bench: Bench) -> None:
    bench.members("laptop")
    async with bench.running("laptop") as laptop:
        with pytest.raises(PairingError, match="expired"):
            async with asyncio.timeout(PATIENCE_S):
                await laptop.invite(lambda *_: None, window_s=0.05)
        assert await laptop.run(lambda store: len(store.members())) == 1


# --- peers that misbehave, and ends ------------------------------------------------------------------------------------


async def test_a_device_that_knew_a_wrong_code_is_no_member_and_ends_the_invitation(bench: Bench) -> None:
    bench.members("laptop")
    async with bench.running("laptop") as laptop, asyncio.timeout(PATIENCE_S):
        opened: asyncio.Future[tuple[str, int, str]] = asyncio.get_running_loop().create_future()
        inviting = asyncio.ensure_future(laptop.invite(lambda *shown: opened.set_result(shown)))
        code, port, _ = await opened
        wrong = f"{code[:-1]}{(int(code[-1]) + 1) % 10}"
        with StorageEngine(bench.folder / "tablet") as tablet:
            tablet.open_store(bench.config("tablet"))
            identity = tablet.own.make_identity()
            card = membership.encode(membership.DeviceCard(identity.certificate, "tablet", identity.sealing_keys))
            with pytest.raises(PairingError):
                await pairing.join(wrong, card, HOST, port)
        with pytest.raises(PairingError):
            await inviting
        assert await laptop.run(lambda store: len(store.members())) == 1
    assert "joined" not in bench.what("laptop")


async def test_what_shows_the_code_may_raise_and_nothing_stays_open(bench: Bench) -> None:
    bench.members("laptop")
    ports: list[int] = []

    def show(_code: str, port: int, _reason: str) -> None:
        ports.append(port)
        raise ZeroDivisionError("a bug of whoever shows the code")

    async with bench.running("laptop") as laptop, asyncio.timeout(PATIENCE_S):
        with pytest.raises(ZeroDivisionError):
            await laptop.invite(show)
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection(HOST, ports[0])
