"""``edda backup``: now, list, verify, restore, target, recovery."""

from __future__ import annotations

import click

from edda_sync.cli import backups, restoring
from edda_sync.cli.commands import Group
from edda_sync.cli.recovery import recovery
from edda_sync.cli.targets import target


@click.group("backup", cls=Group)
def backup() -> None:
    """Backups: make, list, verify and restore them, where they lie, and codes for when every device is gone."""


for command in (backups.now, backups.list_, backups.verify, restoring.restore, target, recovery):
    backup.add_command(command)
