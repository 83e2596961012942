"""``edda backup recovery``: new, check."""

from __future__ import annotations

import os
import secrets
import sys
from typing import TYPE_CHECKING, Any, Final

import click

from edda_sync.cli import streams, times
from edda_sync.cli.commands import Command, Group
from edda_sync.cli.common import (
    can_ask,
    configuration,
    count,
    database,
    draw,
    home,
    json_option,
    note,
    opened,
    print_json,
    read_text,
    safe_line,
    say,
)
from edda_sync.cli.existing import existing
from edda_sync.words import exits, values
from edda_sync.words.errors import BackupError, InvalidValueError, UsageError

if TYPE_CHECKING:
    from edda_sync.backup.code import RecoveryCode
    from edda_sync.backup.target import Target
    from edda_sync.engine.engine import StorageEngine

ASKED_BACK: Final = 2  # words
COLUMNS: Final = 3
NO_CODE: Final = (
    "There is no recovery code: once all devices are gone, or the store of the last one if it is encrypted, nobody can open "
    "the backups; `edda backup recovery new` makes one."
)
QUIET_MODULES: Final = 4  # around a QR code, as its standard has it


@click.group("recovery", cls=Group)
def recovery() -> None:
    """The recovery code: fifteen words that open the backups when every device is gone."""


@recovery.command("new", cls=Command)
@click.option("--qr", is_flag=True, help="Also show the words as a QR code.")
def new(qr: bool) -> None:
    """
    Make a recovery code, and show it once. It takes the place of the one before.

    It opens backups that are made from then on. Whoever has the words and reaches a place where backups lie can read
    everything in them, and let a device into the workspace: keep them on paper, where nobody else looks.
    """
    from edda_sync.backup import recovery as codes
    from edda_sync.backup.code import RecoveryCode
    from edda_sync.backup.targets.known import load

    with existing() as store:
        code = RecoveryCode.new(os.urandom)
        before = _current(store)
        if before:
            note(f"This workspace has a recovery code, made on {before[-1]}; the new one takes its place.")
        _show(code, qr)
        if can_ask():
            _ask_back(code)
        codes.make(store, code)
    say("This is the recovery code now. It opens backups from the next one on: `edda backup now` makes one.")
    if not load(home()):
        note(
            "Backups lie only on this disk, and would be lost with it: `edda backup target add NAME URL` names a place."
        )
    if before:
        note(
            "The next backup at each place takes from the former code what it opens there. It stays a member of the "
            "workspace, whose keys this version cannot replace: whoever has it, and a copy of the place from before, can "
            "open backups."
        )


def _current(store: StorageEngine) -> list[str]:
    """Return when the present codes were made, as dates."""
    from edda_sync.workspace import codes

    with store.store.read() as reader:
        return [code.made_at[:10] for code in codes.current(reader)]


@recovery.command("check", cls=Command)
@click.option("--target", "name", metavar="NAME", help="Look only at this target; at all of them by default.")
@json_option
def check(name: str | None, as_json: bool) -> None:
    """
    Type a recovery code in: does it open the backups?

    It is tried on the newest one at each place. This also works on a machine without a store, once `edda backup target add`
    has named a place. Nothing is changed.
    """
    from edda_sync.backup.targets.opening import named

    code = typed_code()
    known, made = _known(code)
    tried = [_tried(target, code) for target in named(home(), configuration(), name)]
    if as_json:
        print_json({"code": known, "made_at": made, "targets": tried})
    else:
        _say_known(known, made)
        for each in tried:
            if each["backups"]:
                opens = count(each["backups"], "backup")
                say(f"It opens {opens} at {safe_line(each['target'])}; the newest is of {_minute(each['newest'])}.")
            for error in each["errors"]:
                note(error)
    if known in ("unknown", "replaced") or any(each["errors"] for each in tried):
        raise SystemExit(exits.FAILED)


def _known(code: RecoveryCode) -> tuple[str | None, str | None]:
    """Return whether the store that is here knows a code as current or replaced, and since when; None without a store."""
    from edda_sync.backup import recovery as codes

    if not database().exists():
        return None, None
    with opened() as store:
        known = codes.known(store, code)
    if known is None:
        return "unknown", None
    return "replaced" if known.is_replaced else "current", known.made_at


def _say_known(known: str | None, made: str | None) -> None:
    if known == "unknown":
        note("The words are a code, but none that this device knows of in its workspace.")
    elif made is not None and known == "replaced":
        note(f"This code was made on {made[:10]}, and another one has taken its place.")
    elif made is not None:
        say(f"This is the recovery code of this workspace, made on {made[:10]}.")


def _tried(target: Target, code: RecoveryCode) -> dict[str, Any]:
    """Return what a code opens at a target: how many backups, when the newest was made, and why not all of them."""
    from edda_sync.backup.entering import enter, look_into, newest

    found: dict[str, Any] = {"target": target.name, "backups": 0, "newest": None, "errors": []}
    try:
        entered = enter(target, code.identity)
        found["errors"] = [str(error) for each in entered for error in each.unreadable]
        place, backup = newest(entered)
        look_into(place, backup)
        found |= {"backups": sum(len(each.backups) for each in entered), "newest": values.time_of(backup.made_ms)}
    except BackupError as error:
        found["errors"] = [*dict.fromkeys((*found["errors"], str(error)))]
    return found


def _minute(moment: str) -> str:
    return times.short(moment)


# --- showing ----------------------------------------------------------------------------------------------------------


def _show(code: RecoveryCode, qr: bool) -> None:
    note("Write these words on paper, with their numbers. They are shown only now, and are kept nowhere.")
    say("")
    words = code.words
    for row in range(0, len(words), COLUMNS):
        numbered = (f"{at + 1:>4} {words[at]:<10}" for at in range(row, row + COLUMNS))
        say("".join(numbered).rstrip(), bold=True)
    say("")
    if qr:
        for line in _picture(" ".join(words).upper(), whole=not streams.is_unicode()):
            draw(line)
        say("")
    sys.stdout.flush()
    if why := streams.unshown():
        raise UsageError(f"The words could not be shown ({why}), so no code was made; the one before stays.")


def _picture(text: str, *, whole: bool) -> list[str]:
    """
    Return the lines of a QR code: of half blocks, two rows in a line, or of whole characters.

    Source: ISO/IEC 18004, by ``segno``; capital letters take fewer modules.
    """
    import segno

    rows = [list(row) for row in segno.make(text, error="m", micro=False).matrix_iter(border=QUIET_MODULES)]
    if whole:
        return ["".join("##" if dark else "  " for dark in row) for row in rows]
    rows += [[0] * len(rows[0])] * (len(rows) % 2)
    pairs = zip(rows[::2], rows[1::2], strict=True)
    return ["".join(" ▄▀█"[2 * above + below] for above, below in zip(*pair, strict=True)) for pair in pairs]


def _ask_back(code: RecoveryCode) -> None:
    """Ask for some of the words, until they are right: so they are on paper, and can be read."""
    places = sorted(secrets.SystemRandom().sample(range(len(code.words)), ASKED_BACK))
    for at in places:
        while click.prompt(f"Word {at + 1}", err=True).strip().lower() not in _accepted(code.words[at]):
            note(f"That is not word {at + 1}; look at what you wrote down.")


def _accepted(word: str) -> tuple[str, ...]:
    from edda_sync.backup.code import ENOUGH

    return tuple(word[:size] for size in range(min(ENOUGH, len(word)), len(word) + 1))


# --- typing it in -----------------------------------------------------------------------------------------------------


def typed_code() -> RecoveryCode:
    """
    Return the recovery code that a person types, or that comes from standard input.

    Raises:
        InvalidValueError: It is no code; a person is asked again.
    """
    from edda_sync.backup.code import WORDS, RecoveryCode, tokens

    if not can_ask():
        return RecoveryCode.read(read_text("-"))
    note(f"Type the {WORDS} words of the recovery code. Numbers, capitals and line breaks do not matter.")
    while True:
        typed = ""
        while (found := len(tokens(typed))) < WORDS:
            typed += " " + click.prompt("Words" if not found else f"Word {found + 1} and on", err=True)
        try:
            return RecoveryCode.read(typed)
        except InvalidValueError as error:
            note(str(error))
