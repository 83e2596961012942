from __future__ import annotations

import signal
import sys

from tests.cli.meeting import ESCAPE, Machines, shown
from tests.cli.processes import Running, on_a_terminal


def test_a_running_device_invites_and_says_who_joined(machine: Machines) -> None:
    laptop, phone = machine("laptop"), machine("phone")
    running, _ = laptop.up()
    phone.join(laptop, "--name", "phone")
    running.wait_for("phone joined the workspace")
    running.wait_for("phone: proved equal")
    assert running.end() == 0


def test_a_wrong_code_ends_the_invitation_and_leaves_no_store_behind(machine: Machines) -> None:
    laptop, phone = machine("laptop"), machine("phone")
    invitation, code, address = laptop.invite()
    wrong = code[:-1] + str((int(code[-1]) + 1) % 10)
    assert "Pairing failed: the code was wrong" in phone.run("join", wrong, "--at", address, code=1)
    assert invitation.wait() == 1
    assert any("the code was wrong" in line for line in invitation.lines)
    assert not (phone.home / "edda.db").exists()
    assert "no invitation is open there" in phone.run("join", code, "--at", address, code=1)


def test_a_code_works_once(machine: Machines) -> None:
    laptop, phone, tablet = machine("laptop"), machine("phone"), machine("tablet")
    invitation, code, address = laptop.invite()
    phone.run("join", code, "--at", address)
    assert invitation.wait() == 0
    assert "no invitation is open there" in tablet.run("join", code, "--at", address, code=1)


def test_a_code_expires(machine: Machines) -> None:
    laptop, phone = machine("laptop"), machine("phone")
    invitation, code, address = laptop.invite("--window", "0.1")
    assert invitation.wait() == 1
    assert any("this code has expired" in line for line in invitation.lines)
    assert "Pairing failed" in phone.run("join", code, "--at", address, code=1)


def test_ctrl_c_takes_an_invitation_back_whether_the_command_or_a_running_device_answers_it(machine: Machines) -> None:
    laptop, phone = machine("laptop"), machine("phone")
    running, _ = laptop.up()
    invitation, code, address = laptop.invite()
    assert invitation.end(signal.SIGINT) == 130
    assert invitation.lines[-1] == "Nothing was done."
    assert "no invitation is open there" in phone.run("join", code, "--at", address, code=1)
    assert running.end() == 0


def test_an_invitation_on_a_terminal_that_only_prints_has_no_clock(machine: Machines) -> None:
    laptop = machine("laptop")
    laptop.run("init")
    code, printed = on_a_terminal(laptop.home, "invite", "--window", "2", term="dumb")
    assert code == 1
    assert "\x1b[K" not in printed
    assert "Code: " in printed


def test_a_name_with_control_codes_does_not_control_the_terminal(machine: Machines) -> None:
    script = (
        "from edda_sync.cli.happenings import Lines\nfrom edda_sync.device.device import Happening\n"
        "class Told:\n    def name_of(self, device):\n        return 'evil\\x1b[31m\\x9b2J\\nnext\\r'\n"
        "lines = Lines()\nlines.device = Told()\nlines.start()\n"
        "lines.happened(Happening('connected', 'id', text='\\x1b]0;title\\a'))\n"
        "lines.happened(Happening('lost', 'id', text='it broke'))\n"
    )
    running = Running([sys.executable, "-c", script], machine("laptop").environment, terminal=True)
    assert running.wait() == 0
    first, last = shown(running)
    assert first.endswith(r"connected to evil\x1b[31m\x9b2J\nnext\x0d (\x1b]0;title\x07)")
    assert last.endswith(r"lost evil\x1b[31m\x9b2J\nnext\x0d (it broke)")
    assert len(ESCAPE.findall("".join(running.lines))) == 4, "ours: dim and not, on each line"


def test_invite_on_a_terminal_shows_large_bold_digits(machine: Machines) -> None:
    laptop = machine("laptop")
    invitation = laptop.start("invite", terminal=True)
    invitation.wait_for("Ctrl-C takes it back")
    assert invitation.end(signal.SIGINT) == 130
    assert invitation.lines[-1] == "Nothing was done."
    assert sum("\x1b[1m" in line and "█" in line for line in invitation.lines) == 5
    assert not any("\\x1b" in line for line in invitation.lines)
