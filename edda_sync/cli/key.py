"""``edda key``: rotate."""

from __future__ import annotations

from pathlib import Path

import click

from edda_sync.cli.commands import Group
from edda_sync.cli.common import home, note, opened, say
from edda_sync.cli.running import Waiting
from edda_sync.cli.secrets import chosen, key_options
from edda_sync.engine.encryption import EncryptionManager
from edda_sync.sealing.datakeys import storage_of
from edda_sync.words.config import EncryptionConfig
from edda_sync.words.configured import configured
from edda_sync.words.errors import UsageError


@click.group("key", cls=Group)
def key() -> None:
    """Keys of an encrypted store: replace them."""


@key.command("rotate")
@click.option("--store", is_flag=True, help="Replace the key that opens this store.")
@click.option(
    "--data", is_flag=True, help="With --store: replace the key under which the data is, which writes all of it."
)
@key_options
def rotate(store: bool, data: bool, keyring: bool, passphrase: bool, key_file: Path | None) -> None:
    """
    Replace a key of this store, also while other programs use it.

    `--store` replaces the key that opens the store, at once; with one of the other options, it is kept in another place from
    then on. `--store --data` writes the whole store anew under a new key, as after somebody may have seen the old one.
    """
    if not store:
        raise UsageError("Say which key: `edda key rotate --store`, and with --data the one under which the data is.")
    if data and (keyring or passphrase or key_file is not None):
        raise UsageError(
            "--data replaces no key that is kept somewhere; leave it out, or the place. Nothing was changed."
        )
    with opened() as engine:
        manager = EncryptionManager(engine)
        status = manager.status()
        if status is None:
            raise UsageError("This store is not encrypted; `edda store encrypt` encrypts it.")
        if data:
            with Waiting("Writing the store anew under another key"):
                manager.rotate_data_key()
            say("The data is under a new key. Programs that use the store go on with it.")
            return
        usual = configured(home()).encryption_config or EncryptionConfig()
        usual = usual.changed(key_storage=status.storage, key_file=None)  # a file needs a new name
        keys = manager.rotate_wrapping_key(chosen(keyring, passphrase, key_file, usual))
    say(f"The store has a new key, which is {keys.wrapping}.")
    if storage_of(keys.wrapping) is not status.storage or status.storage == "keyring":
        note("Copies of the store from before need the former key; make a new backup.")
