"""``edda backup target``: add, list, remove."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Final

import click

from edda_sync.backup.targets import known as knowns
from edda_sync.backup.targets import naming
from edda_sync.backup.targets.place import FOLDER, Place, completed, parse
from edda_sync.cli.columns import NOTHING, print_table
from edda_sync.cli.commands import Group
from edda_sync.cli.common import (
    GivenUpError,
    can_ask,
    configuration,
    database,
    home,
    json_option,
    note,
    opened,
    print_json,
    safe_line,
    say,
)
from edda_sync.cli.running import Waiting
from edda_sync.engine.opening import has_store
from edda_sync.words.asking import asker
from edda_sync.words.errors import TargetError, UsageError, typed

_LOOK_S: Final = 3.0  # how long a list waits for a folder, which may lie behind a network
_PLACES: Final = {
    knowns.KEYRING: "in the system's keyring",
    knowns.FILE: "in {secrets}, which only you can read",
    knowns.ENVIRONMENT: "read from the usual variables each time",
}


@click.group("target", cls=Group)
def target() -> None:
    """Places where backups lie: a folder, a drive, or a bucket. Without one, they lie on this disk."""


@target.command("add")
@click.argument("name")
@click.argument("url", required=False)
@click.option("--region", default="", metavar="NAME", help="The region of a bucket of S3, such as eu-central-1.")
@click.option("--endpoint", default="", metavar="URL", help="The server, if it is not Amazon's or Microsoft's own.")
@click.option("--account", default="", metavar="NAME", help="The storage account, for Azure.")
@click.option(
    "--credentials",
    "where",
    type=click.Choice([knowns.KEYRING, knowns.FILE, knowns.ENVIRONMENT]),
    help="Where they are kept: in the keyring if there is one, otherwise in a private file; or nowhere but in variables.",
)
@click.option("--make", is_flag=True, help="Make the folder if it is missing, also on this disk.")
@click.option("--force", is_flag=True, help="Replace a target of this name, or its credentials.")
def add(
    name: str, url: str | None, region: str, endpoint: str, account: str, where: str | None, make: bool, force: bool
) -> None:
    """
    Let a place prove that backups can lie there, and remember it. NAME may be left out: then it is named after its folder.

    URL is a folder, also on a drive that is not always there, or a bucket: s3://BUCKET/FOLDER, gs://BUCKET, az://CONTAINER.
    Credentials are read from the usual variables, or asked for. They are never shown.
    """
    from edda_sync.backup.targets import opening, proving

    name, url = _named(name, url)
    place = completed(parse(url, region, endpoint, account), os.environ)
    name = name or naming.name_of(place, [each.name for each in knowns.load(home()) if each.place.url != place.url])
    opening.check_free(home(), name, place, force=force)
    if place.kind == FOLDER and where is not None:
        raise UsageError("A folder has no credentials; leave --credentials out. Nothing was changed.")
    if place.kind == FOLDER:
        _check_here(Path(place.root), make=make)
    credentials = _credentials(place, where)
    if place.is_plain:
        note("That server is spoken to without TLS: who listens sees when and how much is backed up, but no content.")
    before = {each.name: each for each in knowns.load(home())}
    with Waiting(f"Proving {name}"):
        added = opening.add(home(), name, place, credentials, where=where, force=force)
    if name in before and not _is_same_place(before[name], added):
        _forget_backups(name)
    say(f"Backups can go to {name}: {safe_line(place.url)} has proved it.")
    if added.credentials != knowns.NOWHERE:
        from edda_sync.backup.targets.keeping import SECRETS_FILE

        kept = _PLACES[added.credentials].format(secrets=safe_line(str(home() / SECRETS_FILE)))
        note(f"Its credentials are {kept}.")
    for each in proving.told(added.lacks):
        note(each)


@target.command("list")
@json_option
def list_(as_json: bool) -> None:
    """List the targets, and whether the folders among them are here now. No bucket is asked."""
    found = [(each, _trouble(each)) for each in knowns.load(home())]
    if as_json:
        print_json([{**each.plain(), "here": None if _is_remote(each) else trouble is None} for each, trouble in found])
        return
    if found:
        rows = [
            [each.name, each.place.url, each.place.endpoint or NOTHING, each.proved_at[:10], trouble or NOTHING]
            for each, trouble in found
        ]
        print_table(["name", "place", "server", "proved", "now"], rows)
    if said := knowns.only_here(home(), configuration()):
        note(safe_line(said))


@target.command("remove")
@click.argument("name")
def remove(name: str) -> None:
    """Forget a target and its credentials. The backups that lie there stay."""
    from edda_sync.backup.targets import opening

    gone = opening.remove(home(), name)
    _forget_backups(name)
    note(f"Forgot the backup target {safe_line(name)}. What lies in {safe_line(gone.place.url)} stays there.")
    if said := knowns.only_here(home(), configuration()):
        note(safe_line(said))


def _named(name: str, url: str | None) -> tuple[str, str]:
    """Return the name, which is empty if it is to be derived, and the place; show what is right if they were mixed up."""
    if url is None:
        if naming.is_place(name) or Path(name).is_dir():
            return "", name
        shown, folder, bucket = (typed(safe_line(each)) for each in (name, f"/media/{name}", f"s3://{name}/edda"))
        raise UsageError(
            f"Where is {shown}? Name the folder or bucket behind it, as in `edda backup target add {shown} {folder}`, "
            f"or `edda backup target add {bucket}`. Nothing was changed."
        )
    if naming.is_place(name) and not naming.is_place(url):
        place, called = typed(safe_line(name)), typed(safe_line(url))
        raise UsageError(f"The name stands first: `edda backup target add {called} {place}`. Nothing was changed.")
    return name, url


def _check_here(folder: Path, *, make: bool) -> None:
    """Refuse a folder that is missing here because its drive is away; ask before one is made on the store's own disk."""
    from edda_sync.backup.targets.mounts import unmounted

    away = unmounted(folder)
    if away is not None:
        raise UsageError(
            f"Nothing is mounted at {safe_line(str(away))}, where /etc/fstab has a drive; nothing was made: mount it first."
        )
    if make or folder.exists() or not folder.parent.exists() or not _is_here(folder.parent):
        return
    shown = safe_line(str(folder))
    if not can_ask():
        raise UsageError(
            f"There is no folder {shown}, and it would be made on this disk, where backups help against no loss of it; "
            "nothing was made: connect the drive if it is on one, or add --make."
        )
    if not click.confirm(
        f"There is no folder {shown}. Is it on no drive that is away: make it on this disk?", err=True
    ):
        raise GivenUpError


def _is_same_place(before: knowns.Known, added: knowns.Known) -> bool:
    """Tell whether a target of the same name is where it was. A drive may be mounted elsewhere, and has the same id."""
    return before.id == added.id if added.place.kind == FOLDER else before.place == added.place


def _is_here(folder: Path) -> bool:
    """Tell whether a folder is on the disk of the store."""
    from edda_sync.backup.targets.mounts import is_same_disk

    return is_same_disk(home(), folder)


def _forget_backups(name: str) -> None:
    """Let the store forget what it remembers of the backups at a target, which `edda status` tells."""
    if not has_store(database()):
        return
    from edda_sync.engine import backed_up

    with opened() as store:
        store.store.transact(lambda tx: backed_up.forget(tx, name))


def _credentials(place: Place, where: str | None) -> Any:
    """Return the credentials of a place, from variables or from a person."""
    from edda_sync.backup.targets import credentials

    if place.kind == FOLDER:
        return credentials.Credentials()
    found = credentials.from_variables(place.kind, os.environ)
    if found is None and where != knowns.ENVIRONMENT:
        found = credentials.asked(place.kind, asker())
    if found is None:
        wanted = credentials.variables_of(place.kind)
        raise UsageError(f"What opens {place.url} is not here; nothing was changed: set {wanted}, or use a terminal.")
    return found


def _is_remote(known: knowns.Known) -> bool:
    return known.place.kind != FOLDER


def _trouble(known: knowns.Known) -> str | None:
    """Return why a folder cannot be used now; None if it can, or is none."""
    if _is_remote(known):
        return None
    from edda_sync.backup.targets.folder import FolderTarget
    from edda_sync.backup.targets.timed import within

    try:
        within(_LOOK_S, known.name, FolderTarget(known.name, Path(known.place.root), known.id).check)
    except TargetError as error:
        return error.why
    return None
