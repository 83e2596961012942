"""``edda backup restore``: into a store that lives on, or on a machine whose store is lost."""

from __future__ import annotations

from contextlib import ExitStack
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import click

from edda_sync.cli import items, taking_back
from edda_sync.cli.backups import (
    all_targets,
    device_named,
    device_option,
    manager_of,
    name_of,
    plain,
    targets_of,
    told,
    when,
)
from edda_sync.cli.columns import NOTHING, print_table
from edda_sync.cli.commands import Command
from edda_sync.cli.common import (
    GivenUpError,
    can_ask,
    configuration,
    count,
    home,
    json_option,
    note,
    opened,
    print_json,
    safe_line,
    say,
)
from edda_sync.cli.days import Moment
from edda_sync.cli.existing import no_store
from edda_sync.cli.recovery import typed_code
from edda_sync.engine.opening import has_identity, has_store
from edda_sync.words.errors import AmbiguousIdError, NotFoundError, UsageError, typed

if TYPE_CHECKING:
    from collections.abc import Callable

    from edda_sync.backup.code import RecoveryCode
    from edda_sync.backup.comparing import Difference
    from edda_sync.backup.manager import BackupManager, Brought
    from edda_sync.backup.manifest import Manifest
    from edda_sync.backup.target import Target
    from edda_sync.engine.engine import StorageEngine
    from edda_sync.words.config import StorageConfig

_SHOWN_MAX: Final = 20  # differences that are listed before a restore


@click.command("restore", cls=Command)
@click.argument("number", type=click.IntRange(1), required=False)
@click.option(
    "--at",
    "moment",
    type=Moment(),
    metavar="TIME",
    help="As it was then, such as yesterday, 2026-03-01 or 2026-03-01 09:30, in your time.",
)
@click.option(
    "--only", "ids", metavar="ITEM", multiple=True, help="Only this task or document; may be given several times."
)
@click.option("--files", is_flag=True, help="Only what is attached to documents, and nothing else of them.")
@click.option(
    "--exactly",
    is_flag=True,
    help="Make the backup the truth: change back what differs, and remove what is newer.",
)
@click.option("--dry-run", is_flag=True, help="Show what would change, and change nothing.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--recovery", is_flag=True, help="With a recovery code, on a machine that has nothing else.")
@click.option(
    "--target", "name", metavar="NAME", help="From this target; by default from the one with the newest backup."
)
@device_option
@json_option
def restore(
    number: int | None,
    moment: str | None,
    ids: tuple[str, ...],
    files: bool,
    exactly: bool,
    dry_run: bool,
    yes: bool,
    recovery: bool,
    name: str | None,
    maker: str | None,
    as_json: bool,
) -> None:
    """
    Bring back from a backup, the newest one by default, what is missing here.

    What was deleted comes back, and everything else stays as it is. With --exactly, all tasks and documents become what they
    were; what is newer goes to the trash. Either way these are new changes: other devices merge them, and nothing is lost.

    With --exactly, a backup is made before and after, so that it can be taken back.

    ITEM is an id, six or more characters of its end or beginning, or a title. With --only, all others stay as they are.

    Where the store itself is lost, a new one is made of the backup.
    """
    config = configuration()
    if recovery or not has_store(config.database(home())):
        if moment or ids or files or exactly:
            raise UsageError(
                "There is no store here to restore into: leave --at, --only, --files and --exactly out, and use them once "
                "the store is back."
            )
        _recover(number, name, maker, recovery=recovery, dry_run=dry_run, as_json=as_json)
        return
    if files and exactly:
        raise UsageError(
            "--files brings back what was attached, and --exactly changes everything else, too: choose one."
        )
    until_ms = None if moment is None else int(datetime.fromisoformat(moment).timestamp() * 1_000)
    with opened() as store, ExitStack() as stack:
        target = _target(store, name, is_own=maker is None)
        manager = manager_of(store, target)
        with told(f"looking at {target.name}") as tell:
            others = [] if maker is None else [each.manifest for each in manager.backups() if each.manifest is not None]
            backup = _chosen(manager, number, until_ms, device_named(store, others, maker))
            restored = stack.enter_context(manager.restored(backup, tell, until_ms))
            wanted = [_whole_id(store, restored, each) for each in ids]
            tell("comparing it with what is here")
            found = _found(manager, restored, wanted, files=files, exactly=exactly)
            lost = manager.lost_files(backup, wanted)
            tags = [each.name for each in manager.tags_lacking(restored)] if exactly and not wanted else []
        shown = _Shown(_named(store, backup, target, until_ms), found, lost, tags, exactly=exactly)
        if as_json:
            print_json(shown.plain())
        else:
            shown.say()
        if dry_run or not (found or lost or tags):
            return
        asks = exactly and shown.changing and not yes and can_ask()
        if asks and not click.confirm(f"Change {_items(shown.changing)} back?", err=True):
            raise GivenUpError
        with taking_back.written(store) as dots:
            _carry_out(manager, backup, restored, shown, wanted, until_ms, files=files, as_json=as_json, name=name)
        if not (exactly or as_json):
            taking_back.note_undo(dots)


def _carry_out(
    manager: BackupManager,
    backup: Manifest,
    restored: StorageEngine,
    shown: _Shown,
    wanted: list[str],
    until_ms: int | None,
    *,
    files: bool,
    as_json: bool,
    name: str | None,
) -> None:
    """Restore what was shown. Where a backup is made the truth, there is one before it and one after it."""
    before = None
    with told("restoring") as tell:
        if shown.exactly:
            before = manager.back_up(tell, backup) if shown.changing else None  # so that it can be taken back
            done = manager.make_true(backup, restored, wanted, until_ms, tell)
        else:
            done = manager.bring_back(backup, restored, shown.found, wanted, until_ms, tell, files=files)
    if not as_json:
        _say_done(done)
    if before is None:
        return
    with told("backing up what was restored") as tell:
        # otherwise the newest would be the one before, and the same command would undo itself
        manager.back_up(tell, backup)
    where = "" if name is None else f" --target {typed(name)}"
    note(
        f"Backup {before.manifest.number} holds everything as it was before: `edda backup restore "
        f"{before.manifest.number} --exactly{where}` takes this back."
    )


def _found(
    manager: BackupManager, restored: StorageEngine, wanted: list[str], *, files: bool, exactly: bool
) -> list[Difference]:
    """Return what is to be changed."""
    if not (exactly or files or wanted):
        return manager.preview(restored)
    found = manager.compare(restored, wanted)
    if exactly:
        return found
    if not files:
        return [each for each in found if each.is_missing]
    for each in found:
        if each.then is not None and each.now is None and each.id in wanted:
            note(f"{safe_line(each.title)} is not here itself, so nothing of it comes back: leave --files out.")
    return [each for each in found if each.now is not None and each.attached]


def _recover(
    number: int | None, name: str | None, maker: str | None, *, recovery: bool, dry_run: bool, as_json: bool
) -> None:
    """Make a store from a backup, where there is none."""
    from edda_sync.backup import recovering
    from edda_sync.backup.lockbox import ROOT
    from edda_sync.backup.targets.known import load
    from edda_sync.backup.targets.opening import named
    from edda_sync.device.control import only_runner

    config = configuration()
    if not (recovery or has_identity(home())):
        raise no_store()
    room = _room(config)
    target = named(home(), config, name)[0]
    if recovery and not load(home()) and not any(target.list(ROOT)):
        raise UsageError(
            "This machine knows no place with backups yet: `edda backup target add NAME URL` names it first."
        )
    code = typed_code() if recovery else None
    if dry_run:
        _look(target, code, number, maker, as_json=as_json)
        return
    with only_runner(home(), config), told(f"looking at {target.name}") as tell:
        done = recovering.recover(home(), config, target, code, number, maker, tell, room)
    if room is not None:
        note("The empty store that was here made room.")
    if as_json:
        print_json({"number": done.backup.number, "device": done.device, "is_new": done.is_new})
        return
    held = f"{count(done.backup.tasks, 'task')} and {count(done.backup.documents, 'document')}"
    say(f"The store is back, from backup {done.backup.number} of {when(done.backup.made_ms)}: {held}.")
    if done.lacks:
        note(f"Not all attached files came back: {done.lacks}")
    if done.backup.was_encrypted and not done.is_encrypted:
        note(
            "The store that was backed up was encrypted on its disk, and this one is not: `edda store encrypt` encrypts it."
        )
    if done.is_new:
        say("This machine is a new device of the workspace.")
        note(
            "If another device of the workspace is left, it does not know this one yet: type `edda invite` there, and `edda "
            "join CODE --bring` here. Both stores stay, and each gets what it lacks."
        )
        return
    note("What was written after that backup comes with the next sync, if another device has it; `edda up` finds them.")


def _look(target: Target, code: RecoveryCode | None, number: int | None, maker: str | None, *, as_json: bool) -> None:
    """Say which backup would make the store, and make nothing."""
    from edda_sync.backup.entering import chosen, enter, look_into
    from edda_sync.backup.whose import names_in
    from edda_sync.transport import identity as identities

    identity = identities.load(home()) if code is None else code.identity
    assert identity is not None, "otherwise a code was asked for"
    with told(f"looking at {target.name}"):
        entered = enter(target, identity)
        place, backup = chosen(entered, number, maker, identity.device)
        look_into(place, backup)
    if as_json:
        print_json(plain(backup))
        return
    by = names_in(each for place in entered for each in place.backups)[backup.device] or backup.device[:12]
    held = f"{count(backup.tasks, 'task')} and {count(backup.documents, 'document')}"
    say(
        f"Backup {backup.number} of {when(backup.made_ms)}, by {safe_line(by)}, would come back: {held}. Nothing was made."
    )


def _room(config: StorageConfig) -> Callable[[], None] | None:
    """
    Return what makes room where an empty store is, such as one that a look made; None if there is no store.

    Raises:
        UsageError: The store that is here is not empty.
    """
    if not has_store(config.database(home())):
        return None
    from edda_sync.device import joining

    held = joining.holdings(home())
    if held is not None and not held.is_empty:
        raise UsageError(
            f"There is a store in {safe_line(str(home()))} already, and nothing was changed: restore into it without "
            "--recovery, or elsewhere with `edda --home FOLDER`."
        )
    return lambda: joining.make_room(home())


def _items(number: int) -> str:
    return "1 item" if number == 1 else f"{number:,} items"


def _chosen(manager: BackupManager, number: int | None, until_ms: int | None, device: str | None) -> Manifest:
    """Return the backup that is named; or the first one that holds all of a moment; or the newest."""
    if number is None and until_ms is not None:
        found = next((each for each in manager.of(device) if each.made_ms >= until_ms), None)
        if found is not None:
            return found
    return manager.find(number, device)


def _whole_id(store: StorageEngine, restored: StorageEngine, reference: str) -> str:
    """
    Return the id that a person means: of something in the backup, or here.

    Raises:
        NotFoundError, AmbiguousIdError: There is no such task or document, or several.
    """
    found = {each for engine in (restored, store) for each in items.of_any_kind(engine, reference)}
    if not found:
        raise NotFoundError("task or document", reference)
    if len(found) > 1:
        raise AmbiguousIdError(reference, sorted(found))
    return found.pop()


def _target(store: StorageEngine, name: str | None, *, is_own: bool) -> Target:
    """Return the target that is named; otherwise that of the newest backup of this device, as far as the store remembers."""
    if name is not None or not is_own:
        return targets_of(store, name)[0]
    from edda_sync.engine import backed_up

    with store.store.read() as reader:
        made_ms = {each.target: each.made_ms for each in backed_up.load(reader)}
    return max(all_targets(store), key=lambda each: made_ms.get(each.name, 0))


def _named(store: StorageEngine, backup: Manifest, target: Target, until_ms: int | None) -> str:
    by = "" if backup.device == store.identity.device else f" by {safe_line(name_of(store, backup.device))}"
    at = "" if until_ms is None else f", as it was on {when(until_ms)}"
    return f"backup {backup.number}{by} at {safe_line(target.name)}, of {when(backup.made_ms)}{at}"


class _Shown(NamedTuple):
    """What a restore would change, for a person and for a program."""

    what: str
    found: list[Difference]
    lost: list[str]
    tags: list[str]
    exactly: bool

    @property
    def changing(self) -> int:
        """How many items and tags it would change."""
        return len(self.found) + len(self.tags)

    def say(self) -> None:
        """Print it as a table."""
        if not (self.found or self.lost or self.tags):
            say(
                f"Everything here is as in {self.what}." if self.exactly else f"Nothing is missing here of {self.what}."
            )
            return
        say(f"Compared with {self.what}:")
        rows = [[each.kind, each.id[-12:], each.title, self._how(each)] for each in self.found]
        rows += [["tag", NOTHING, name, "is not as it was"] for name in self.tags]
        rows += [["file", NOTHING, name, "its content is not here"] for name in self.lost]
        print_table(["kind", "id", "title", "how"], rows[:_SHOWN_MAX])
        if len(rows) > _SHOWN_MAX:
            note(f"and {len(rows) - _SHOWN_MAX:,} more; --json lists all of them.")

    def _how(self, each: Difference) -> str:
        from edda_sync.backup.comparing import How

        if each.how is How.CHANGED and not self.exactly:
            return f"lacks {count(len(each.attached), 'attached file')}"
        return f"{each.how.value} ({', '.join(each.fields)})" if each.fields else each.how.value

    def plain(self) -> list[dict[str, Any]]:
        """Return it for JSON."""
        return [
            *(
                {
                    "kind": each.kind,
                    "id": each.id,
                    "title": each.title,
                    "how": each.how.value,
                    "fields": list(each.fields),
                }
                for each in self.found
            ),
            *({"kind": "tag", "id": None, "title": name, "how": "different", "fields": []} for name in self.tags),
            *({"kind": "file", "id": None, "title": name, "how": "lost", "fields": []} for name in self.lost),
        ]


def _say_done(done: Brought) -> None:
    if done.items:
        say(f"{_items(done.items)} restored. Other devices hear of it as of any change.")
    if done.files:
        say(f"{count(done.files, 'attached file')} brought back.")
