"""
The file by which a system starts ``edda up`` for its user: a unit of systemd, or a property list of launchd.

Everything here is text: :mod:`edda_sync.cli.service` writes the file, and asks the system to use it.
"""

from __future__ import annotations

import os
import plistlib
import sys
import sysconfig
from collections.abc import Mapping, Sequence
from hashlib import blake2b
from pathlib import Path
from typing import Final, NamedTuple

from edda_sync.words.config import absolute
from edda_sync.words.errors import UsageError
from edda_sync.words.settings import OTHER_VARIABLES, PREFIX, VARIABLES

MARK: Final = "Made by `edda service install`, which replaces it; changes belong into `systemctl --user edit`."
"""The first line of a unit that is ours, behind a ``#``."""
MARK_KEY: Final = "MadeByEddaServiceInstall"  # launchd passes over keys that it does not know
WATCHDOG_S: Final = 300  # without a word in so long, a device is started anew; it says something twice in that time
_UNIT: Final = """# {mark}
[Unit]
Description=edda keeps tasks and documents equal with other devices
StartLimitIntervalSec=300
StartLimitBurst=5

[Service]
Type=notify
ExecStart={command}
{environment}Restart=on-failure
RestartSec=5
RestartPreventExitStatus=2
TimeoutStartSec=infinity
WatchdogSec={watchdog_s}
UMask=0077
NoNewPrivileges=true

[Install]
WantedBy=default.target
"""


class Service(NamedTuple):
    """
    What a system is to start.

    Attributes:
        name: What it is called: ``edda``, or ``edda-`` and some letters for a store elsewhere than usual.
        command: The command, with an absolute path.
        environment: The variables that decide where the store is and how it is kept, as they are now.
    """

    name: str
    command: list[str]
    environment: dict[str, str]


def service(home: Path, usual: Path, environment: Mapping[str, str]) -> Service:
    """
    Return the service that runs a store.

    Args:
        home: The store's folder.
        usual: The folder of this user's usual store, whose service is called ``edda``.
        environment: The variables of this process.

    Raises:
        UsageError: A path or value has bytes that such a file cannot have.
    """
    name = "edda" if home == usual else f"edda-{blake2b(os.fsencode(home), digest_size=4).hexdigest()}"
    made = Service(name, [*command(), "--home", str(home), "up"], kept(environment))
    for text in (*made.command, *made.environment.values()):
        _check(text)
    return made


def command() -> list[str]:
    """Return the words that run the installed ``edda``, by absolute paths, since a service has no PATH."""
    started = absolute(Path(sys.argv[0]))
    for path in (started, Path(sysconfig.get_path("scripts")) / "edda"):
        if path.name == "edda" and os.access(path, os.X_OK) and path.is_file():
            return [str(path)]
    return [sys.executable, "-m", "edda_sync.cli"]


def kept(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the variables that a service needs, to find the same store in the same way, with absolute paths."""
    for_commands = ("EDDA_HOME", "EDDA_AGENT", "EDDA_REASON", "EDDA_NEW_PASSPHRASE_FILE")
    names = [*({*VARIABLES, *OTHER_VARIABLES} - {*for_commands}), "XDG_STATE_HOME"]
    found = {name: environment[name] for name in sorted(names) if environment.get(name)}
    for name, value in found.items():
        if name.startswith(PREFIX) and name.endswith(("_FILE", "_PATH", "_STATE")):
            found[name] = str(absolute(Path(value)))
    return found


def _check(text: str) -> None:
    if not text.isprintable():
        raise UsageError(
            f"{text!a} has characters that a service cannot be given; nothing was written: choose another name for it."
        )


def unit(made: Service) -> str:
    """
    Return the unit of a service, for systemd.

    Source: systemd.service(5), "COMMAND LINES", and systemd.exec(5), ``Environment=``.
    """
    refused = set(made.command[0]) & set("\"'\\")  # systemd runs no program whose path has one of these
    first, *words = ["/usr/bin/env", *made.command] if refused else made.command
    quoted = [_quoted(first), *(_quoted(word).replace("$", "$$") for word in words)]
    variables = "".join(f"Environment={_quoted(f'{name}={value}')}\n" for name, value in made.environment.items())
    return _UNIT.format(mark=MARK, command=" ".join(quoted), environment=variables, watchdog_s=WATCHDOG_S)


def _quoted(word: str) -> str:
    escaped = word.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%")
    return f'"{escaped}"'


def property_list(made: Service, log: Path) -> bytes:
    """
    Return the property list of a service, for launchd.

    Args:
        made: The service.
        log: Where its output goes.

    Source: launchd.plist(5).
    """
    return plistlib.dumps(
        {
            MARK_KEY: True,
            "Label": label(made.name),
            "ProgramArguments": made.command,
            "EnvironmentVariables": made.environment,
            "RunAtLoad": True,
            "KeepAlive": {"SuccessfulExit": False},
            "ProcessType": "Background",
            "Umask": 0o077,
            "StandardOutPath": str(log),
            "StandardErrorPath": str(log),
        },
        sort_keys=False,
    )


def label(name: str) -> str:
    """Return what launchd calls a service."""
    return f"org.edda-sync.{name}"


def is_ours(content: bytes) -> bool:
    """Tell whether a file was written by ``edda service install``, of this version or another one."""
    return content.startswith(b"# Made by `edda service install`") or f"<key>{MARK_KEY}</key>".encode() in content


def shown(words: Sequence[str]) -> str:
    """Return a command as a person would type it."""
    from shlex import join

    return join(words)
