"""``edda service``: let the system start ``edda up`` when its user logs in, and again when it fails."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any, Final, NamedTuple

import click

from edda_sync.cli import units
from edda_sync.cli.commands import Command, Group
from edda_sync.cli.common import home, json_option, note, print_json, safe_line, say
from edda_sync.cli.existing import check_store
from edda_sync.words import exits
from edda_sync.words.errors import UsageError
from edda_sync.words.files import replace_file
from edda_sync.words.folders import user_folder

SYSTEM_S: Final = 30.0  # for systemctl or launchctl; starting a service has no time of its own
_CONTROL: Final = ("systemctl", "--user")


class System(NamedTuple):
    """
    What starts services on this machine.

    Attributes:
        name: ``systemd`` or ``launchd``.
        file: The file of the service.
        content: What it holds.
        service: What it starts.
    """

    name: str
    file: Path
    content: bytes
    service: units.Service

    @property
    def target(self) -> str:
        """What the system calls the service."""
        return self.file.name if self.name == "systemd" else f"gui/{os.getuid()}/{units.label(self.service.name)}"


@click.group("service", cls=Group)
def service() -> None:
    """Let the system run this device: from log-in on, and again after a failure."""


@service.command("install", cls=Command)
@click.option("--dry-run", is_flag=True, help="Print the file, and write nothing.")
def install(dry_run: bool) -> None:
    """
    Let the system start `edda up` on this store from now on.

    It becomes a service of your user: a unit of systemd, or an agent of launchd on macOS. A file that edda did not make
    is never replaced.
    """
    system = _system()
    if dry_run:
        click.echo(system.content.decode(), nl=False)
        return
    check_store()
    shown = safe_line(str(system.file))
    _check_runs(system)
    is_new = _check_ours(system.file)
    system.file.parent.mkdir(parents=True, exist_ok=True)
    replace_file(system.file, lambda file: file.write(system.content))
    for words in _starting(system):
        done = _run(words)
        if done.returncode:
            note(f"The service is written to {shown}, but `{units.shown(words)}` failed: {_why(done)}")
            click.get_current_context().exit(exits.FAILED)
    say(f"{'Installed' if is_new else 'Brought up to date'} and started: {shown}")
    if system.name == "systemd":
        say(f"`journalctl --user -u {system.file.name}` shows what it prints.")
        say("It runs while you are logged in; `loginctl enable-linger` lets it run always.")


@service.command("uninstall", cls=Command)
def uninstall() -> None:
    """Stop the service, and remove its file. The store stays as it is."""
    system = _system()
    shown = safe_line(str(system.file))
    if _check_ours(system.file):
        note(f"There is no service of this store: {shown} is not there.")
        click.get_current_context().exit(exits.NOT_FOUND)
    is_run = not _missing(system)
    if is_run and (done := _run(_stopping(system))).returncode:  # the file goes all the same
        note(f"`{units.shown(_stopping(system))}` failed: {_why(done)}")
    system.file.unlink()
    if is_run and system.name == "systemd":
        _run([*_CONTROL, "daemon-reload"])
    say(f"Removed {shown}; the store stays as it is.")


@service.command("status", cls=Command)
@json_option
def status(as_json: bool) -> None:
    """Say whether the service is installed, enabled and running. Ends with 3 if it is not installed."""
    system = _system()
    found = _state(system)
    if as_json:
        print_json(found)
    elif not found["installed"]:
        why = "" if found["ours"] is None else f"; {safe_line(str(system.file))} is not from edda"
        say(f"not installed{why}: `edda service install` does that")
    else:
        words = {True: "{}", False: "not {}", None: "unknown whether {}"}
        states = [words[found[each]].format(each) for each in ("enabled", "running")]
        outdated = [] if found["current"] else ["not up to date, which `edda service install` mends"]
        say(f"installed, {', '.join([*states, *outdated])}: {safe_line(str(system.file))}")
        if found["says"]:
            say(safe_line(found["says"]))
    if not found["installed"]:
        click.get_current_context().exit(exits.NOT_FOUND)


def _system() -> System:
    made = units.service(home(), user_folder("data"), os.environ)
    if sys.platform == "darwin":
        library = Path.home() / "Library"
        content = units.property_list(made, library / "Logs" / f"{made.name}.log")
        return System("launchd", library / "LaunchAgents" / f"{units.label(made.name)}.plist", content, made)
    named = os.environ.get("XDG_CONFIG_HOME", "")
    folder = Path(named) if os.path.isabs(named) else Path.home() / ".config"
    return System("systemd", folder / "systemd" / "user" / f"{made.name}.service", units.unit(made).encode(), made)


def _check_runs(system: System) -> None:
    """
    Check that something starts services for this user.

    Raises:
        UsageError: systemd does not.
    """
    if why := _missing(system):
        raise UsageError(
            f"No systemd runs for your user here ({why}), so nothing was installed: let whatever starts programs at "
            f"log-in run `{units.shown(system.service.command)}`. `edda service install --dry-run` prints the unit."
        )


def _missing(system: System) -> str:
    """Return why nothing starts services for this user; empty if something does."""
    if system.name == "launchd":
        return ""
    done = _run([*_CONTROL, "show", "--property=Version"])
    return _why(done).rstrip(".") if done.returncode else ""


def _check_ours(file: Path) -> bool:
    """
    Tell whether a service's file is still to be made; otherwise it is from us.

    Raises:
        UsageError: Somebody else made what is there.
    """
    if not os.path.lexists(file):
        return True
    if file.is_symlink() or not file.is_file() or not units.is_ours(file.read_bytes()):
        raise UsageError(f"{file} is not from edda, and stays as it is; nothing was changed: move it away first.")
    return False


def _starting(system: System) -> list[list[str]]:
    if system.name == "launchd":
        _run(["launchctl", "bootout", system.target])  # the one of before, if it is there
        return [["launchctl", "bootstrap", f"gui/{os.getuid()}", str(system.file)]]
    return [
        [*_CONTROL, "daemon-reload"],
        [*_CONTROL, "enable", system.target],
        [*_CONTROL, "restart", "--no-block", system.target],
    ]


def _stopping(system: System) -> list[str]:
    if system.name == "launchd":
        return ["launchctl", "bootout", system.target]
    return [*_CONTROL, "disable", "--now", system.target]


def _state(system: System) -> dict[str, Any]:
    """Return what is known of the service, for a program; None for what cannot be asked."""
    try:
        content = system.file.read_bytes()
    except FileNotFoundError:
        content = b""
    ours = units.is_ours(content) if content else None
    enabled, running, says = _asked(system) if ours else (None, None, "")
    return {
        "system": system.name,
        "file": str(system.file),
        "ours": ours,
        "installed": ours is True,
        "current": content == system.content,
        "enabled": enabled,
        "running": running,
        "says": says,
    }


def _asked(system: System) -> tuple[bool | None, bool | None, str]:
    """Return whether the service is enabled and running, as the system says, and what the service itself says."""
    if system.name == "launchd":
        done = _run(["launchctl", "print", system.target])
        return (done.returncode == 0, "state = running" in done.stdout, "")
    done = _run([*_CONTROL, "show", "--property=UnitFileState,ActiveState,StatusText", system.target])
    if done.returncode:
        return None, None, _why(done)
    said = dict(line.partition("=")[::2] for line in done.stdout.splitlines())
    return said.get("UnitFileState") == "enabled", said.get("ActiveState") == "active", said.get("StatusText", "")


def _run(words: list[str]) -> subprocess.CompletedProcess[str]:
    """Run a command of the system; a command that is missing or hangs counts as failed."""
    try:
        return subprocess.run(
            words,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
            timeout=SYSTEM_S,
            stdin=subprocess.DEVNULL,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return subprocess.CompletedProcess(words, 1, "", str(error))


def _why(done: subprocess.CompletedProcess[str]) -> str:
    """Return what a command said about its failure, as one line."""
    said = " ".join((done.stderr or done.stdout).split()) or f"exit code {done.returncode}"
    return safe_line(said)
