"""``edda config``: show, set, unset."""

from __future__ import annotations

import os
from typing import Any, Final

import click
from click.shell_completion import CompletionItem

from edda_sync.cli.columns import NOTHING, print_table
from edda_sync.cli.commands import Group
from edda_sync.cli.common import home, json_option, note, print_json, safe_line, say
from edda_sync.engine import moving
from edda_sync.engine.opening import has_store
from edda_sync.store.sqlite.looking import backend_of
from edda_sync.words.asking import ask_with
from edda_sync.words.config import StorageConfig
from edda_sync.words.config_file import CONFIG_FILE
from edda_sync.words.configured import resolved
from edda_sync.words.errors import EddaError
from edda_sync.words.folders import socket_path
from edda_sync.words.resolved import Origin, Resolved
from edda_sync.words.settings import OTHER_VARIABLES, SETTINGS, TABLES, VARIABLES, Setting, nearest, no_setting


class Key(click.ParamType):  # type: ignore[type-arg]  # generic only since click 8.3
    """The key of a setting. Whether it is one is checked later, with the nearest one in the error."""

    name = "key"

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:  # noqa: ARG002 - click's
        """Let the shell complete keys."""
        return [CompletionItem(key) for key in SETTINGS if key.startswith(incomplete)]


@click.group("config", cls=Group)
def config() -> None:
    """How the store is kept. A variable wins over config.toml in the store's folder."""


@config.command("show")
@click.argument("keys", nargs=-1, metavar="[KEY]...", type=Key())
@json_option
def show(keys: tuple[str, ...], as_json: bool) -> None:
    """Show each setting, its value, and where that comes from; or those named, or those of a table, such as cache."""
    for key in keys:
        if key not in SETTINGS and key not in TABLES:
            raise no_setting(key, None)
    found = resolved(home())
    wanted = (*keys, *(f"{key}." for key in keys if key in TABLES))
    chosen = [each for key, each in SETTINGS.items() if not keys or key in keys or key.startswith(wanted[len(keys) :])]
    if as_json:
        unknown = [{"variable": name, "nearest": _meant(name) or None} for name in found.unknown]
        print_json({"settings": [_plain(each, found) for each in chosen], "unknown": unknown})
        return
    rows = [[each.key, _shown(each, found), str(_origin(each, found))] for each in chosen]
    print_table(["setting", "value", "from"], rows)
    for name in found.unknown:
        meant = _meant(name)
        note(f"{safe_line(name)} is no variable of edda{f'; did you mean {meant}?' if meant else '.'}")


@config.command("set", context_settings={"ignore_unknown_options": True})  # -1 is a value, if not a good one
@click.argument("key", type=Key())
@click.argument("value", nargs=-1, required=True, metavar="VALUE")
def set_(key: str, value: tuple[str, ...]) -> None:
    """
    Write a setting into config.toml.

    Comments and the order of lines stay. A size or duration may have a unit, as in `edda config set cache.max_size 64 MB`.
    A path is in the store's folder, unless it begins with / or ~.
    """
    if not _edit(key, " ".join(value)):
        return
    now = resolved(home())
    say(f"{key} is {_shown(SETTINGS[key], now)} now.")
    origin = now.origins.get(key, Origin())
    if origin.kind == "variable":
        note(f"{origin} says so, and wins over {CONFIG_FILE} while it is set.")


@config.command("unset")
@click.argument("key", type=Key())
def unset(key: str) -> None:
    """Take a setting out of config.toml. Its default, or its variable, counts again."""
    if not _edit(key, None):
        return
    found = resolved(home())
    if key in SETTINGS and _origin(SETTINGS[key], found) == _STORE:
        say(f"{key} is {_shown(SETTINGS[key], found)} again, as the store itself says.")
    elif key in SETTINGS:
        say(f"{key} is {_shown(SETTINGS[key], found)} again.")
    else:
        say(f"{safe_line(key)} is out of {CONFIG_FILE}.")


def _edit(key: str, typed: str | None) -> bool:
    """Change a setting in the file; tell whether everything in it is acceptable now."""
    from edda_sync.words.config_edit import editing  # with a library that showing does not need

    with editing(home(), key, typed) as edit:
        if edit.after is not None:
            before = _before()
            if before is not None:
                moving.check(home(), before, edit.after)
        edit.write()
    if edit.error is not None:
        note(f"It is written, but the store does not open yet: {edit.error}")
    elif os.path.exists(socket_path(home())):
        note("The running device takes it when it is started again.")
    return edit.error is None


def _before() -> StorageConfig | None:
    """Return what the file said until now; None if it was not acceptable, so that no store was found by it."""
    try:
        return resolved(home(), environment={}).config
    except EddaError:
        return None


def _meant(variable: str) -> str:
    return nearest(variable, [*VARIABLES, *OTHER_VARIABLES])


_STORE: Final = Origin("store", "the store itself")


def _origin(setting: Setting, found: Resolved) -> Origin:
    """Return where a value comes from. What keeps an existing store is said by that store, unless somebody names it."""
    usual = Origin()
    if setting.key == "backend" and has_store(found.config.database(home())):
        usual = _STORE
    return found.origins.get(setting.key, usual)


def _value(setting: Setting, found: Resolved) -> Any:
    """Return the value of a setting; for a path of the store, where that is by default. None if it cannot be found out."""
    config = found.config
    if _origin(setting, found) == _STORE:
        ask_with(None)  # nobody is asked for a passphrase, only to be shown this
        name = backend_of(config.database(home()))
        return None if name is None else setting.kind.take(name)
    usual = {"database_path": config.database, "rocksdb_path": config.rocksdb, "file_storage_path": config.files}
    value = setting.value(config)
    return usual[setting.key](home()) if value is None and setting.key in usual else value


def _shown(setting: Setting, found: Resolved) -> str:
    value = _value(setting, found)
    return NOTHING if value is None else setting.kind.text(value)


def _plain(setting: Setting, found: Resolved) -> dict[str, Any]:
    """Return a setting for JSON: sizes in bytes, durations in seconds."""
    value, origin = _value(setting, found), _origin(setting, found)
    return {
        "key": setting.key,
        "value": None if value is None else setting.kind.plain(value),
        "from": origin.kind,
        "name": origin.name or None,
        "line": origin.line,
        "variable": setting.variable,
        "about": setting.about,
    }


__all__ = ["config"]
