"""``edda init``: create a store."""

from __future__ import annotations

from pathlib import Path

import click

from edda_sync.cli.commands import Command
from edda_sync.cli.common import home, is_new, safe_line, say
from edda_sync.cli.secrets import chosen, key_options
from edda_sync.engine import standing
from edda_sync.engine.encryption import EncryptionManager
from edda_sync.engine.engine import open as open_store
from edda_sync.words import values
from edda_sync.words.config import StorageBackend, StorageConfig
from edda_sync.words.errors import UsageError


@click.command("init", cls=Command)
@click.option("--name", metavar="NAME", help="What to call this device; its host name otherwise.")
@click.option(
    "--backend",
    type=click.Choice(["sqlite", "rocksdb"]),
    help="What keeps the states of items; `edda store migrate` changes it later.",
)
@click.option("--encrypt", is_flag=True, help="Encrypt the store; docs/encryption.md says against whom that helps.")
@key_options
def init(
    name: str | None, backend: str | None, encrypt: bool, keyring: bool, passphrase: bool, key_file: Path | None
) -> None:
    """
    Make a store here.

    Commands that add something make one too; this one lets you name the device, can encrypt the store, and tells where
    it lies.
    """
    if not encrypt and (keyring or passphrase or key_file is not None):
        raise UsageError("Where its key is kept is said with --encrypt; nothing was made.")
    folder = home()
    shown = safe_line(str(folder))
    made = is_new()
    checked = None if name is None else values.line("name", name)
    if encrypt and not made:
        raise UsageError(f"There is a store in {shown} already; nothing was changed: `edda store encrypt` encrypts it.")
    config = StorageConfig(name=checked)
    if backend is not None:
        config = config.changed(backend=StorageBackend(backend))
    if encrypt:
        config = config.changed(encryption_config=chosen(keyring, passphrase, key_file, None))
    with open_store(folder, config) as store:
        store.own.check_identity()
        called = standing.own_name(store)
        kept = EncryptionManager(store).status()
    if made:
        encrypted = "" if kept is None else f" It is encrypted, and its key is {kept.kept}."
        say(f'Made a store in {shown}; this device is called "{called}".{encrypted}')
    else:
        if checked not in (None, called):
            raise UsageError(
                f'There is a store in {shown} already, and its device is called "{safe_line(called)}"; nothing was changed: '
                f"`edda devices rename NAME` renames it."
            )
        say(f"There is a store in {shown} already; nothing was changed.")
