"""Passphrases and keys on the command line: asking for a passphrase, and the options that say where a key is kept."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, TypeVar

import click

from edda_sync.cli.common import FilePath, can_ask, database, home
from edda_sync.cli.running import Waiting
from edda_sync.store.sqlite.opening import check_file
from edda_sync.words.config import EncryptionConfig, KeyStorage, absolute
from edda_sync.words.configured import configured
from edda_sync.words.errors import UsageError
from edda_sync.words.folders import socket_path

F = TypeVar("F", bound=Callable[..., Any])


def ask(prompt: str, is_new: bool) -> str | None:
    """Ask a person for a passphrase, which is not shown; return None if nobody can be asked."""
    if not can_ask():
        return None
    found: str = click.prompt(prompt, hide_input=True, confirmation_prompt=is_new, err=True)
    return found


def unlock_first() -> None:
    """Ask for the store's passphrase, if it has one, before anything is shown that a question would disturb."""
    file = database()
    real = Path(os.path.realpath(file))
    if not os.path.exists(socket_path(home())) and check_file(file, real) is not None:
        from edda_sync.sealing import datakeys

        datakeys.unlock(real)


def key_options(function: F) -> F:
    """Add the options that say where the key of an encrypted store is kept. :func:`chosen` reads them."""
    for option in (
        click.option("--key-file", metavar="PATH", type=FilePath(), help="Keep the key in this file, on another disk."),
        click.option("--passphrase", is_flag=True, help="Make the key from a passphrase, which is asked for."),
        click.option("--keyring", is_flag=True, help="Keep the key in the system's keyring; so it is by default."),
    ):
        function = option(function)
    return function


def chosen(keyring: bool, passphrase: bool, key_file: Path | None, usual: EncryptionConfig | None) -> EncryptionConfig:
    """
    Return how a store is to be encrypted.

    Args:
        keyring, passphrase, key_file: The options.
        usual: What is used without any of them; None for the configuration, or the defaults.

    Raises:
        UsageError: More than one of them was given.
    """
    if keyring + passphrase + (key_file is not None) > 1:
        raise UsageError("Say one of --keyring, --passphrase and --key-file; nothing was changed.")
    found = usual or configured(home()).encryption_config or EncryptionConfig()
    if keyring:
        return found.changed(key_storage=KeyStorage.KEYRING)
    if passphrase:
        return found.changed(key_storage=KeyStorage.PASSPHRASE)
    if key_file is not None:
        return found.changed(key_storage=KeyStorage.FILE, key_file=absolute(key_file))
    return found


@contextmanager
def nobody_else() -> Iterator[None]:
    """
    Keep every device process from running on the store, in a ``with`` block.

    Raises:
        UsageError: One is running.
    """
    from edda_sync.device.control import only_runner

    with ExitStack() as stack:
        try:
            stack.enter_context(only_runner(home()))
        except UsageError:
            raise UsageError(
                "`edda up` is running on this store; nothing was changed: stop it, then try again."
            ) from None
        yield


class Doing(ExitStack):
    """Shows what is being done, from its first call on. Before that, a person may be asked. Use it in a ``with`` block."""

    def __init__(self) -> None:
        super().__init__()
        self._waiting: Waiting | None = None

    def __call__(self, text: str) -> None:
        """Show what is being done."""
        if self._waiting is None:
            self._waiting = self.enter_context(Waiting(text))
        else:
            self._waiting.update(text)
