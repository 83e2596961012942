"""
What all commands share: the store, text that is safe for a terminal, tables, JSON, input, progress.

A command gets its store from :func:`opened`. It prints its answer for a person with :func:`print_table` or :func:`say`,
and for a program with :func:`print_json`. With :func:`note` it prints on stderr what is not part of the answer.
"""

from __future__ import annotations

import json
import os
import re
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeVar

import click

from edda_sync.cli import damaged, streams
from edda_sync.cli.interrupts import keep
from edda_sync.words import limits, values
from edda_sync.words.config import absolute
from edda_sync.words.configured import configured
from edda_sync.words.errors import InvalidValueError, UsageError
from edda_sync.words.folders import user_folder

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

    from edda_sync.engine.engine import StorageEngine
    from edda_sync.engine.transaction import Transaction
    from edda_sync.words.config import StorageConfig

T = TypeVar("T")
F = TypeVar("F", bound=Callable[..., Any])

NONE: Final = "none"  # the word that clears a date or a parent
PROGRESS_AFTER_S: Final = 1.0  # shorter work needs no progress

_PLAIN_TERMS: Final = ("dumb", "unknown")  # they only print
# What a terminal would obey, or a reader could be fooled by: controls, bidirectional overrides, surrogates.
_UNSAFE: Final = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


class Settings(NamedTuple):
    """The options of the root. They are the object of click's context."""

    home: Path | None = None
    agent: str | None = None
    reason: str | None = None


class GivenUpError(click.Abort):
    """A person gave up before anything was done. click raises the same error for its own questions."""


# --- the store --------------------------------------------------------------------------------------------------------


def settings() -> Settings:
    """Return the options of the root."""
    found = click.get_current_context().find_root().obj
    return found if isinstance(found, Settings) else Settings()


def home() -> Path:
    """Return the store's folder: ``--home``, or EDDA_HOME, or the user's data folder."""
    chosen = settings().home
    if chosen is not None:
        return absolute(chosen)
    return absolute(user_folder("data"))


def configuration(config: StorageConfig | None = None) -> StorageConfig:
    """
    Return the configuration of the store, with what the command itself says.

    Raises:
        UsageError: It is to be in memory, and would end with the command.
    """
    found = configured(home(), config)
    if found.backend == "memory":
        raise UsageError(
            'A store whose backend is "memory" ends with the command that makes it, so commands do not use one; unset '
            "EDDA_BACKEND."
        )
    return found


def database() -> Path:
    """Return the path of the store's SQLite file, as it is configured."""
    return configuration().database(home())


def is_new() -> bool:
    """Tell whether there is no store yet."""
    return not os.path.exists(database())


def made_sentence() -> str:
    """Return what to say once this command has made the store."""
    return f"Made a new store in {safe_line(str(home()))}; nothing else needs to be set up."


def say_made() -> None:
    """Say that this command made the store."""
    note(made_sentence())


@contextmanager
def opened(config: StorageConfig | None = None, *, make: bool = False) -> Iterator[StorageEngine]:
    """
    Open the store.

    Args:
        config: How it is kept.
        make: Whether to create it if there is none, and say so. A command that only looks makes none.

    Raises:
        NoStoreError: There is none, and none may be created.
    """
    from edda_sync.engine.engine import StorageEngine  # imported here, since help and completion need no engine

    folder = home()
    config = configuration(config)
    file = config.database(folder)
    fresh = not os.path.exists(file)
    with StorageEngine(folder) as store:
        if not store.open_store(config, must_exist=not make):
            store.found()
        if fresh:
            say_made()
        for each in store.reading.news():
            note(safe_line(each))
        try:
            yield store
        except KeyboardInterrupt:
            if store.has_written:
                keep()
            raise
        if store.has_written and (parts := damaged.noted(file)):
            found = f"this store was found damaged on this disk ({safe_line(parts)})"
            note(f"It is written, but {found}: `edda doctor` says more.")


def damaged_parts(store: StorageEngine) -> list[str]:
    """
    Return which parts of the store are damaged: those that are found now, and those that the doctor found.

    A large file is not checked, since that takes long.
    """
    parts = store.reading.damaged_parts(limits.LOOKED_THROUGH_BYTES_MAX)
    return list(parts) if store.database is None else damaged.known(store.database, parts)


def write(store: StorageEngine, work: Callable[[Transaction], T]) -> T:
    """
    Run ``work`` in one transaction, with the agent and reason from the root's options.

    If another program's transaction takes longer than a second, the person is told what the command waits for.
    """
    named = settings()
    with said_if_long("Waiting for another program that is writing to this store."):
        return store.transact(work, agent=named.agent, reason=named.reason)


@contextmanager
def said_if_long(text: str) -> Iterator[None]:
    """Tell a person at a terminal what a ``with`` block does, once that takes longer than a second."""
    telling = threading.Timer(PROGRESS_AFTER_S, note, [text])
    telling.daemon = True
    if sys.stderr.isatty():
        telling.start()
    try:
        yield
    finally:
        telling.cancel()


# --- files of the user ------------------------------------------------------------------------------------------------


class FilePath(click.ParamType):  # type: ignore[type-arg]  # generic only since click 8.3
    """A path. An empty one is refused, since an unset variable would otherwise mean the present folder."""

    name = "path"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Path:
        """Return the path."""
        if not str(value):
            self.fail("the name is empty; leave it out, or name a file or folder", param, ctx)
        return Path(value)

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        """Let the shell complete file names."""
        return click.Path().shell_complete(ctx, param, incomplete)


# --- for a person -----------------------------------------------------------------------------------------------------


def on_terminal() -> bool:
    """Tell whether a person reads the answer."""
    return sys.stdout.isatty()


def can_ask() -> bool:
    """Tell whether a person can be asked."""
    return streams.can_read() and sys.stdin.isatty() and sys.stderr.isatty()


def can_redraw() -> bool:
    """Tell whether stderr is a terminal that can redraw a line. Others, such as an editor's shell, only print."""
    return sys.stderr.isatty() and os.environ.get("TERM", "").lower() not in _PLAIN_TERMS


def styled(text: str, **how: Any) -> str:
    """Return a text with a style of ``click.style``, if a person reads it on a terminal that has styles and may use them."""
    plain = os.environ.get("TERM", "").lower() in _PLAIN_TERMS or bool(os.environ.get("NO_COLOR"))
    return text if plain or not on_terminal() else click.style(text, **how)


def safe_text(text: str) -> str:
    """Return a text in which characters that a terminal would obey are escaped. Line breaks and tabs stay."""
    return _UNSAFE.sub(_spelled, text)


def safe_line(text: str) -> str:
    """Return a text as one line, in which characters that a terminal would obey are escaped."""
    return safe_text(text).replace("\n", "\\n").replace("\t", "\\t")


def _spelled(match: re.Match[str]) -> str:
    code = ord(match[0])
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"


def say(text: str, *, lead: str = "", bold: bool = False) -> None:
    """
    Print a line of the answer. On a terminal, it is first made safe and then styled; otherwise the styles would be
    escaped.

    Args:
        text: The line.
        lead: A text before the line, such as a time; it is dim.
        bold: Whether the line is bold.
    """
    if on_terminal():
        text = styled(safe_text(text), bold=True) if bold else safe_text(text)
        lead = styled(safe_text(lead), dim=True) if lead else ""
    click.echo(f"{lead} {text}" if lead else text)


def draw(line: str) -> None:
    """Print a line of a picture that is safe, dark on light on a terminal, as a camera needs it."""
    click.echo(click.style(line, fg="black", bg="bright_white") if on_terminal() else line)


def drop_stdout() -> None:
    """Discard all further output, because its reader has gone."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)


def note(text: str) -> None:
    """Print a line on stderr."""
    click.echo(safe_text(text), err=True)


# --- for a program ----------------------------------------------------------------------------------------------------


def json_option(function: F) -> F:
    """Add ``--json``."""
    return click.option("--json", "as_json", is_flag=True, help="Answer in JSON; keys are the store's column names.")(
        function
    )


def print_json(value: object) -> None:
    """Print JSON. Characters that a terminal would obey, or that the encoding lacks, are written as JSON escapes."""
    encoded = json.dumps(value, ensure_ascii=not streams.is_unicode(), indent=2)
    click.echo(_UNSAFE.sub(lambda match: f"\\u{ord(match[0]):04x}", encoded))


# --- input ------------------------------------------------------------------------------------------------------------


def parse_object(field: str, encoded: str | None) -> dict[str, Any]:
    """
    Return the JSON object in an option; an empty one for None.

    Raises:
        InvalidValueError: It is not a JSON object.
    """
    if encoded is None:
        return {}
    parsed = values.parse_json(field, values.text(field, encoded))
    if not isinstance(parsed, dict):
        raise InvalidValueError(field, 'must be a JSON object, such as {"project": "garden"}', encoded)
    return parsed


def read_text(path: str) -> str:
    """
    Return the text of a file, or of stdin for ``-``, byte for byte.

    Raises:
        InvalidValueError: It is not UTF-8, or longer than a text may be.
        OSError: It cannot be read.
        GivenUpError: The person gave up typing it.
    """
    if not path:
        raise UsageError("The name of the file is empty; name one, or - for stdin.")
    if path == "-":
        return decode_text("stdin", _read_stdin())
    with Path(path).open("rb") as file:
        return decode_text(safe_line(path), file.read(limits.TEXT_BYTES_MAX + 1))


def _read_stdin() -> bytes:
    """Return what comes from stdin. A person who types is told how to end."""
    if not streams.can_read():
        raise UsageError("Standard input is closed, and - reads it; name a file instead. Nothing was changed.")
    try:
        if sys.stdin.isatty():
            note("Type the text, then Ctrl-D; Ctrl-C gives it up.")
        return sys.stdin.buffer.read(limits.TEXT_BYTES_MAX + 1)
    except KeyboardInterrupt:
        raise GivenUpError from None


def decode_text(shown: str, raw: bytes) -> str:
    """Return bytes as text. Errors call the bytes ``shown``."""
    if len(raw) > limits.TEXT_BYTES_MAX:
        raise InvalidValueError(shown, f"is longer than {limits.TEXT_BYTES_MAX:,} bytes, the most that a text can hold")
    try:
        return raw.decode()
    except UnicodeDecodeError as error:
        raise InvalidValueError(
            shown, f"is not UTF-8 text (byte {error.start:,}); convert it, or attach it as it is"
        ) from None


class TagName(click.ParamType):  # type: ignore[type-arg]  # generic only since click 8.3
    """A tag, with or without the # that lists show before it."""

    name = "tag"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:  # noqa: ARG002 - click's
        """Return its name."""
        return str(value).removeprefix("#") or str(value)


class TagNames(TagName):
    """Tags with commas between; a name that has a comma stands in double quotes."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:  # noqa: ARG002 - click's
        """Return their names."""
        return values.names(str(value))


def tags_option(*names: str, help: str) -> Callable[[F], F]:
    """Return what adds an option for tags, which may be given again, and whose value is all names."""

    def joined(_ctx: click.Context, _param: click.Parameter, given: tuple[tuple[str, ...], ...]) -> tuple[str, ...]:
        return tuple(name for each in given for name in each)

    return click.option(*names, type=TagNames(), metavar="NAME", multiple=True, callback=joined, help=help)


def count(number: int, what: str) -> str:
    """Return a number with its noun: ``1 task``, ``2 tasks``."""
    return f"{number:,} {what}" if number == 1 else f"{number:,} {what}s"
