"""``edda store``: encrypt, decrypt, migrate."""

from __future__ import annotations

from pathlib import Path

import click

from edda_sync.cli.commands import Group
from edda_sync.cli.common import home, note, safe_line, say
from edda_sync.cli.secrets import Doing, chosen, key_options, nobody_else
from edda_sync.engine import aside, encryption, migrating
from edda_sync.store.sqlite.converting import plain_files
from edda_sync.words.config import StorageBackend
from edda_sync.words.configured import configured
from edda_sync.words.errors import UsageError


@click.group("store", cls=Group)
def store() -> None:
    """How the store lies on disk: encrypt, decrypt, migrate."""


@store.command("encrypt")
@key_options
def encrypt(keyring: bool, passphrase: bool, key_file: Path | None) -> None:
    """
    Encrypt the store, in place. Nobody may use it meanwhile.

    The store is written anew, compared with what it was, and takes its place in one step. If this is interrupted, run it
    again. docs/encryption.md says what this protects, and what not.
    """
    with nobody_else(), Doing() as doing:
        config = configured(home())
        wanted = chosen(keyring, passphrase, key_file, config.encryption_config)
        done = encryption.encrypt(home(), config.changed(encryption_config=wanted), doing)
    say(f"The store is encrypted; its key is {done.keys.wrapping}.")
    note(
        f"Keep {done.file.name} with {done.keys.database.name}, also in backups: nobody can read the store without both."
    )
    if plain := plain_files(done.keys.database, aside.outstanding(home())):
        note(f"These files are from before, are not encrypted, and are yours to delete: {safe_line(', '.join(plain))}.")


@store.command("decrypt")
def decrypt() -> None:
    """Make an encrypted store plain, in place. Nobody may use it meanwhile. If this is interrupted, run it again."""
    config = configured(home())
    if config.encryption_config is not None:
        raise UsageError(
            "The configuration asks for an encrypted store; nothing was changed: take its settings of encryption out first, "
            "which `edda config show` lists, with `edda config unset KEY`."
        )
    with nobody_else(), Doing() as doing:
        done = encryption.decrypt(home(), config, doing)
    say("The store is not encrypted any more.")
    if done.aside is not None:
        note(f"{done.aside.name} is its former key file, for encrypted copies from before; without such, delete it.")


@store.command("migrate")
@click.option(
    "--to", type=click.Choice(["sqlite", "rocksdb"]), required=True, help="What is to keep the states of items."
)
def migrate(to: str) -> None:
    """
    Move the states of items to another backend. Nobody may use the store meanwhile.

    They are copied, compared with what they were, and used from then on, in one step. If this is interrupted, run it again.
    """
    with nobody_else():
        config = configured(home())
        count = migrating.migrate(home(), config, StorageBackend(to))
    say(f"The states are in {to} now: {count:,}, each the same as before.")
    if "backend" in config.given and config.backend != to:
        note(f"The configuration names {config.backend}: take that out (`edda config show` says where).")
