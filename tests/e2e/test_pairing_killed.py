"""
Real processes that are killed while they pair, at each step: who did not confirm its welcome is no member, nobody is listed
twice, and with a new code the newcomer gets in, whatever happened before.
"""

from __future__ import annotations

import re
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.e2e.machine import PATIENCE_S, Machine

MEMBER = "is a member of this workspace now"
KILL = "os.kill(os.getpid(), signal.SIGKILL)"
STREAM = """
import os, signal
from edda_sync.transport.pairing.stream import Stream
sent, send = 0, Stream.send
async def sending(stream, frame):
    global sent
    sent += 1
    if sent == {number} and {before}:
        {kill}
    await send(stream, frame)
    if sent == {number}:
        {kill}
Stream.send = sending
"""
CALL = """
import os, signal
from {module} import {owner}
def killed(*args, **kwargs):
    {kill}
{owner}.{name} = killed
"""


def _at_frame(number: int, *, before: bool = False) -> str:
    """Code that kills the process when it sends this frame of pairing, or just before."""
    return STREAM.format(number=number, before=before, kill=KILL)


def _at_call(module: str, owner: str, name: str) -> str:
    """Code that kills the process when it calls something."""
    return CALL.format(module=module, owner=owner, name=name, kill=KILL)


@dataclass(frozen=True, slots=True)
class Case:
    """
    Who is killed, by which code, and what follows.

    Attributes:
        is_member: Whether the newcomer is a member then.
        said: What the one that lives says.
        always: Whether this always runs: these two are the closest to the step that decides, on both sides of it.
    """

    who: str
    first: str
    is_member: bool
    said: str = ""
    always: bool = False


NOT_LET_IN = "so this one was not let in"
UNSURE = "at the last moment, so this one may have been let in or not"
CASES = {
    "the joiner, with its proof under way": Case("joiner", _at_frame(2), False, NOT_LET_IN),
    "the joiner, that holds the welcome": Case("joiner", _at_frame(3, before=True), False, NOT_LET_IN, always=True),
    "the joiner, with its receipt under way": Case("joiner", _at_frame(3), True),
    "the joiner, that was let in": Case("joiner", _at_call("edda_sync.device", "joining", "enter"), True),
    "the inviter, before its welcome": Case("inviter", _at_frame(3, before=True), False, NOT_LET_IN),
    "the inviter, with its welcome under way": Case("inviter", _at_frame(3), False, UNSURE),
    "the inviter, before it lets in": Case(
        "inviter", _at_call("edda_sync.engine.membership", "Membership", "admit"), False, UNSURE
    ),
    "the inviter, that has let in": Case("inviter", _at_frame(4, before=True), True, UNSURE, always=True),
    "the inviter, with its admission under way": Case("inviter", _at_frame(4), True, "The first sync could not begin"),
}


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, Machine]]:
    folder = tmp_path_factory.mktemp("house")
    with Machine(folder, "laptop") as laptop:
        laptop.edda("init", "--name", "laptop")
        laptop.edda("task", "add", "Here from the beginning")
        yield folder, laptop


def _pair(inviter: Machine, joiner: Machine, *, waits: bool = True) -> tuple[int, str, int, str]:
    """
    Let one invite and the other join; return how both ended, with what they complained of.

    Args:
        inviter, joiner: The machines.
        waits: Whether to wait for the end of the invitation; otherwise it is ended once it says that somebody was let in.
    """
    inviting = inviter.start("invite")
    assert inviting.stdout is not None
    shown = ""
    while not (found := re.search(r"Code: (\S+)[^$]*--at \S+:(\d+)", shown)):
        line = inviting.stdout.readline()
        assert line, inviting.communicate()
        shown += line
    joined = joiner.run("join", found[1], "--at", f"127.0.0.1:{found[2]}", "--name", joiner.name)
    if not waits:
        assert any(MEMBER in line for line in inviting.stdout)
        inviting.send_signal(signal.SIGINT)
    _, complaint = inviting.communicate(timeout=PATIENCE_S)
    return inviting.returncode, complaint, joined.returncode, joined.stderr


@pytest.mark.parametrize("name", CASES)
def test_whoever_is_killed_while_two_pair(house: tuple[Path, Machine], name: str, *, whole: bool) -> None:
    case = CASES[name]
    if not (case.always or whole):
        pytest.skip("two cases are enough; --whole runs all")
    folder, laptop = house
    known = {each["device"] for each in laptop.json("devices")}
    newcomer = f"newcomer {list(CASES).index(name)}"
    killed = {who: case.first if who == case.who else "" for who in ("inviter", "joiner")}
    with (
        Machine(folder, "laptop", first=killed["inviter"]) as inviter,
        Machine(folder, newcomer, first=killed["joiner"]) as joiner,
    ):
        waits = case.who == "inviter" or not case.is_member  # otherwise for the first sync, which does not come
        invited, told_there, joined, told_here = _pair(inviter, joiner, waits=waits)
    assert (invited if case.who == "inviter" else joined) == -signal.SIGKILL
    members = {each["device"] for each in laptop.json("devices")} - known
    assert len(members) == case.is_member, "who did not confirm its welcome is no member"
    assert case.said in (told_here if case.who == "inviter" else told_there)
    with Machine(folder, newcomer) as again:
        assert _pair(laptop, again)[::2] == (0, 0)
        found = [each for each in laptop.json("devices") if each["device"] not in known]
        assert [each["name"] for each in found] == [newcomer], "it is there once"
        assert {found[0]["device"]} >= members, "and is the device that it was"
        assert again.json("status")["digest"] == laptop.json("status")["digest"]
