"""An invitation: a running device shows one code, and lets in one new member."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Awaitable, Callable
from typing import Final

from edda_sync.device.runner import Runner
from edda_sync.engine.engine import StorageEngine
from edda_sync.transport import pairing
from edda_sync.transport.discovery import announce_pairing
from edda_sync.words.errors import is_bug
from edda_sync.words.listed import Member
from edda_sync.workspace import welcome as membership

Opened = Callable[[str, int, str], None]
_SILENT: Final = contextlib.nullcontext("discovery is switched off")


async def invite(
    runner: Runner, meet: Callable[[], Awaitable[None]], opened: Opened, *, listening: int, discover: bool, port: int,
    window_s: float,
) -> Member:  # fmt: skip
    """
    Invite one new device; return it once it is a member.

    Args:
        runner: The runner of the inviting device.
        meet: Reads the members again, and trusts them.
        opened: Called with the code to show, the port of the invitation, and why the LAN cannot find it.
        listening: The port where this device listens for members.
        discover: Whether to announce the invitation on the LAN.
        port: TCP port for the invitation; 0 lets the system choose.
        window_s: How long the code is valid, in seconds.

    Raises:
        PairingError: Nobody came, or the code was wrong.
        UsageError: What this device holds is not proved yet.
        Exception: ``opened`` raised it, which ends the invitation.
    """
    await runner.ask(lambda engine: engine.membership.check_can_invite())
    code = pairing.make_code(os.urandom)
    nameplate = pairing.parse_code(code).nameplate
    announcing: list[asyncio.Task[None]] = []
    shown = asyncio.get_running_loop().create_future()

    async def announce(at: int) -> None:
        async with announce_pairing(at, nameplate) if discover else _SILENT as reason:
            try:
                opened(code, at, reason)
            except BaseException as raised:
                if not is_bug(raised):
                    raise
                shown.set_exception(raised)
                return
            await asyncio.Event().wait()

    async def offer(encoded: bytes) -> bytes:
        card = membership.decode_card(encoded)
        return membership.encode(await runner.ask(lambda store: store.membership.offer(card, listening)))

    async def admit(encoded: bytes) -> bytes:
        card = membership.decode_card(encoded)
        admission = await runner.ask(lambda store: store.membership.admit(card))
        await meet()
        return membership.encode(admission)

    waiting = asyncio.ensure_future(
        pairing.invite(
            runner.store.identity, code, offer, admit, port=port, window_s=window_s,
            opened=lambda at: announcing.append(runner.tasks.start(announce(at))),
        )
    )  # fmt: skip
    try:
        await asyncio.wait((waiting, shown), return_when=asyncio.FIRST_COMPLETED)
        if shown.done():
            shown.result()
        record = await waiting
    finally:
        shown.cancel()
        for task in (waiting, *announcing):
            task.cancel()
        await asyncio.gather(waiting, *announcing, return_exceptions=True)
    certificate = membership.decode_card(record).certificate
    members = await runner.ask(StorageEngine.members)
    return next(each for each in members if each.certificate == certificate)
