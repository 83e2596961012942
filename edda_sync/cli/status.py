"""``edda status``: the state of this device and the others, from the running device if there is one."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from edda_sync.cli import times
from edda_sync.cli.columns import print_table
from edda_sync.cli.commands import Command
from edda_sync.cli.common import (
    configuration,
    count,
    damaged_parts,
    database,
    home,
    json_option,
    note,
    opened,
    print_json,
    safe_line,
    say,
)
from edda_sync.cli.damaged import known
from edda_sync.cli.running import SHORT_DEVICE, Waiting
from edda_sync.crdt.records import told_apart
from edda_sync.engine import aside as asides
from edda_sync.engine import missing
from edda_sync.engine.life import COPIED
from edda_sync.words import limits
from edda_sync.words.addresses import host_port
from edda_sync.words.errors import EddaError, damage_sentence
from edda_sync.words.folders import socket_path
from edda_sync.words.units import size_in_words

if TYPE_CHECKING:
    from edda_sync.device.control import Answer


def print_clocks(devices: dict[str, Answer]) -> None:
    """Print which devices' clocks are apart from this one's, by their names."""
    for name, each in devices.items():
        if each.get("clock_s") is not None:  # an `edda up` from before this does not say it
            from edda_sync.words import clocks

            if said := clocks.sentence(safe_line(name), each["clock_s"]):
                say(said)


HANGING: Final[Answer] = {}  # the answer of a device that gives none


@click.command("status", cls=Command)
@json_option
def status(as_json: bool) -> None:
    """Show the other devices, whether each is proved equal or how far behind, and what is in the store."""
    found = asked("status", hanging=HANGING)
    hangs = found is HANGING
    if found is None or hangs:
        from edda_sync.engine import standing

        with opened() as store:
            found = {**standing.status(store), "damaged": damaged_parts(store)}
    found["hangs"] = hangs
    found["damaged"] = known(database(), found.get("damaged") or ())
    found.pop("done", None)
    found["backups_only_here"] = _only_here() if found.get("backups") else None
    found["to_bring"] = [str(folder) for folder in asides.outstanding(home())]
    if as_json:
        print_json(found)
    else:
        _print_status(found)


def _only_here() -> str | None:
    """Return what to tell of backups that all lie on the store's own disk."""
    from edda_sync.backup.targets.known import only_here  # only where there are backups

    try:
        return only_here(home(), configuration())
    except EddaError as error:
        return str(error)


def asked(what: str, *, quietly: bool = False, hanging: Answer | None = None) -> Answer | None:
    """
    Return the answer of a running ``edda up``; None if there is none.

    Args:
        what: What to ask for.
        quietly: Whether a person is not told of it, as beside other progress.
        hanging: What to return if it does not answer.
    """
    if not os.path.exists(socket_path(home())):
        return _unheard(hanging)
    import asyncio

    from edda_sync.device import control

    try:
        with nullcontext() if quietly else Waiting("Asking the running device"):
            return asyncio.run(control.answered(home(), {"do": what}))
    except ConnectionError:
        return _unheard(hanging)
    except TimeoutError:
        note("The device that runs here does not answer (`edda up` was stopped, or hangs); the store says this:")
        return hanging


def _unheard(hanging: Answer | None) -> Answer | None:
    """Return what to do without an answer, and say so if a device runs all the same."""
    if not os.path.exists(home() / "run"):  # nobody ever ran a device here
        return None
    from edda_sync.device.locked import is_running

    if not is_running(home()):
        return None
    note(
        "The device that runs here cannot be asked (`edda up` begins, ends, or was stopped then); the store says this:"
    )
    return hanging


def _print_status(found: Answer) -> None:
    for about in (_of_store, _of_backups, _of_reach, _of_contents, _of_beginning, _of_trouble):
        for line in about(found):
            say(line)
    _print_lives(found)
    if found["fault"]:
        say(f"trouble: {found['fault']}")
    if found["peers"]:
        say("")
        _print_peers(found)
    else:
        say("no other device belongs to this workspace yet; `edda invite` lets one in")


def _of_store(found: Answer) -> Iterator[str]:
    state = "not running; `edda up` runs it"
    if found["running"] or found["hangs"]:
        state = "running, but it does not answer now" if found["hangs"] else f"running on port {found['port']}"
    yield f"{found['name']} ({found['device'][:SHORT_DEVICE]}), {state}"
    held = ", ".join(count(found[key], key[:-1]) for key in ("tasks", "documents", "tags"))
    size = sum(found[f"{part}_bytes"] for part in ("database", "wal", "rocksdb", "files")) / 1_000_000
    file = found["database"]
    place = found["home"] if file is None or Path(file).parent == Path(found["home"]) else file
    yield f"store: {held}; {size:,.1f} MB in {place}; states in {found['backend']}; digest {found['digest'][:12]}"
    if found["running"]:
        yield _figures(found["metrics"])
    if found["encryption"]:
        yield f"encrypted: its key is {safe_line(found['encryption']['key'])}"


def _of_backups(found: Answer) -> Iterator[str]:
    yield from map(_backup, found["backups"])
    if found["backups_only_here"]:
        yield f"backups: {safe_line(found['backups_only_here'])}"
    if found["backups"] and not found.get("recovery_code", True):  # an `edda up` from before this does not say so
        from edda_sync.cli.recovery import NO_CODE

        yield f"backups: {NO_CODE}"
    if found["to_bring"]:
        yield f"outstanding: {asides.sentence([safe_line(each) for each in found['to_bring']])}"
    if sentence := files_missing(found.get("files", {})):
        yield f"files: {sentence}"


def _of_reach(found: Answer) -> Iterator[str]:
    if found.get("addresses"):  # an `edda up` from before this does not say them
        yield f"reached at: {', '.join(host_port(each, found['port']) for each in found['addresses'])}"
    if found["running"] and not found["discovery"]["available"]:
        yield f"not looking on the LAN: {found['discovery']['reason']}"


def _of_contents(found: Answer) -> Iterator[str]:
    if found["damaged"]:
        yield f"damaged: {damage_sentence(found['damaged'])}"
    if found["conflicts"]:
        yield f"conflicts: {found['conflicts']:,} kept; `edda conflicts` shows them"
    if found["clashes"]:
        yield f"clashes: {found['clashes']:,} with a value that must be unique; `edda conflicts` shows them"
    if found["waiting"]:
        yield f"waiting: {found['waiting']:,} that this version could not apply; update edda-sync here"
    if found["refused"]:
        yield f"refused: {found['refused']:,} that break the rules, here as on every other device"


def _of_beginning(found: Answer) -> Iterator[str]:
    """Yield what is to be said of the state that another device sent to begin with."""
    if found["provisional"]:
        here, of = found["provisional"]["here"], found["provisional"]["of"]
        yield f"history: {here:,} of {count(of, 'change')} came so far; what the store began with is checked at the end"
    if found["forged_by"]:
        maker = found["forged_by"][:SHORT_DEVICE]
        yield f"lie: the state that {maker} sent to begin with is not what the changes say; it was replaced by what they say"
    if found["unproved_by"]:
        maker = found["unproved_by"][:SHORT_DEVICE]
        yield (
            f"history: no device had all changes behind what {maker} sent to begin with; it was replaced by those that came"
        )
    if found["kept_in"]:
        ids = ", ".join(each[-12:] for each in found["kept_in"])
        yield f"kept: texts from before, where the changes say something else; `edda doc show ID` shows each of {ids}"


def _of_trouble(found: Answer) -> Iterator[str]:
    if found["shut_out_by"]:
        from edda_sync.engine import standing

        name = safe_line(names_of(found).get(found["shut_out_by"], found["shut_out_by"][:SHORT_DEVICE]))
        yield f"shut out: {standing.shut_out_sentence(name, found['unshared'])}"
    if found["wal_bytes"] > limits.JOURNAL_BYTES_MAX:
        size = found["wal_bytes"] / 1_000_000
        yield f"journal: {size:,.0f} MB; a program reads an old state of the store, and it shrinks once that ends"
    for loss in losses(found):
        yield f"lost: {loss}"


def _print_peers(found: Answer) -> None:
    names = names_of(found)
    rows = [[names[each["device"]], _peer_state(each), when(each["proved_at"])] for each in found["peers"]]
    print_table(["device", "state", "last proved equal"], rows)
    print_clocks({names[each["device"]]: each for each in found["peers"]})
    for each in found["peers"]:
        said = each.get("note", "") if each["connected"] else each["error"]
        if said:
            say(f"{safe_line(names[each['device']])}: {said}")


def _backup(noted: Answer) -> str:
    """Return what a person should know of the backups at one target, in a line."""
    target = safe_line(noted["target"])
    if not noted["number"]:
        return f"backups: none at {target} yet; {noted['failed']}"
    said = [f"backup {noted['number']:,} at {target} of {when(noted['made_at'])}"]
    said.append("holds everything" if not noted["behind"] else f"lacks {count(noted['behind'], 'later change')}")
    if noted["outstanding"]:
        before = f", since the last converged one of {when(noted['converged_at'])}" if noted["converged_at"] else ""
        said.append(f"without the latest of {', '.join(map(safe_line, noted['outstanding']))}{before}")
    is_later = (noted["verified_at"] or "") > noted["made_at"]
    said.append(f"last verified {when(noted['verified_at'])}" if is_later else "verified as it was made")
    if noted["failed"]:
        said.append(f"the last attempt failed: {noted['failed']}")
    return f"backups: {'; '.join(said)}"


def _figures(metrics: Answer) -> str:
    """Return what a person may want to know of what a running device did since it was started, in a line."""
    said = [f"{count(metrics['transaction_count'], 'transaction')} in the log"]
    if number := metrics["query_count"]:
        queries = "1 query" if number == 1 else f"{number:,} queries"
        said.append(f"{queries}, {metrics['avg_query_time'] * 1000:,.1f} ms each")
    if metrics["cache"] is not None:
        said.append(f"{metrics['cache_hit_rate']:.0%} of reads from the cache")
    if files := metrics.get("files"):  # an `edda up` from before these does not say so
        said += _of_files(files)
    moved = [metrics["sync"][f"bytes_{way}"] / 1_000_000 for way in ("sent", "received")]
    said.append(f"{moved[0]:,.1f} MB sent and {moved[1]:,.1f} MB received")
    return f"figures: {'; '.join(said)}"


def _of_files(files: Answer) -> list[str]:
    """Return the figures of attached files for a person."""
    said = []
    if files["attached"]:
        sizes = f"{size_in_words(files['here_bytes'])} of {size_in_words(files['attached_bytes'])} here"
        said.append(f"{count(files['attached'], 'attached file')}, {sizes}")
    if files["refused"]:
        said.append(f"{count(files['refused'], 'wrong part')} of files dropped")
    if files["mended"]:
        said.append(f"{count(files['mended'], 'damaged file')} complete again")
    return said


def files_missing(files: Answer) -> str:
    """Return which attached files are not here, in a sentence; empty if all are."""
    if not files.get("missing"):
        return ""
    are, them = ("is", "it") if files["missing"] == 1 else ("are", "them")
    size = size_in_words(files["missing_bytes"])
    said = f"{count(files['missing'], 'attached file')} {are} not here yet ({size} in all)"
    if files["fetching"]:
        return f"{said}; {count(files['fetching'], 'file')} on the way, {size_in_words(files['left_bytes'])} to come"
    return f"{said}; `edda doc fetch` gets {them} from a device that has {them}"


def names_of(status: Answer) -> dict[str, str]:
    """Return the names of all devices by id. Equal names are made distinct."""
    return told_apart({each["device"]: each["name"] for each in (*status["peers"], status)})


def apart(peer: Answer) -> str:
    """Return how far apart two devices are; empty if each has what the other has."""
    parts = [f"{peer[key]:,} {word}" for key, word in (("behind", "to come"), ("ahead", "to go")) if peer[key]]
    return ", ".join(parts)


def unread(there: int, here: int) -> str:
    """Return how two devices stand that hold the same changes, if one runs an older version that cannot read all of them."""
    if there > here:
        return f"equal but for {there:,} that an older edda there cannot read yet"
    return f"equal but for {here:,} that this edda cannot read yet: update it"


def losses(found: Answer) -> list[str]:
    """Return what a person must know about a store that has lost something, in sentences."""
    return missing.sentences(found["missing"], found["journals_aside"])


def _print_lives(found: Answer) -> None:
    """Print what the lives tell about stores that exist more than once."""
    own = found["lives"].get(found["device"], {"all": 1, "why": {}})
    if found.get("copy_at"):
        from edda_sync.device.introducing import copy_sentence

        say(f"copies: {copy_sentence(safe_line(found['copy_at']))}")
    elif found["copies"]:
        others = "another copy" if found["copies"] == 1 else f"{found['copies']:,} other copies"
        wrote, quiet = when(found["copy_wrote_at"]), found["copy_quiet_at"][:10]
        say(
            f"copies: this device's store exists more than once; {others} of it wrote too, last {wrote}. Nothing is lost; "
            f"use only one, or type `edda split NAME` on one of them. This ends once no copy has written until {quiet}."
        )
    elif own["why"]:
        why = "; ".join(f"{count(number, 'time')}: {reason}" for reason, number in sorted(own["why"].items()))
        hint = (
            "; if its original is used on, `edda split NAME` makes this a device of its own"
            if COPIED in own["why"]
            else ""
        )
        say(f"lives: this store goes on in life {own['all']:,} ({why}){hint}")
    for device in found["forked"]:
        say(f"fork: two stores of {_device(found, device)} wrote in one life; both are kept, as concurrent work")
    for device, counted in found["lives"].items():
        if counted["writing"] > limits.LEAVES_MAX:
            say(
                f"lives: {_device(found, device)} has {counted['writing']:,} stores that write; `edda devices` names it"
            )


def _device(found: Answer, device: str) -> str:
    names = {each["device"]: each["name"] for each in found["peers"]} | {found["device"]: found["name"]}
    return f"{names.get(device, 'a device')} ({device[:SHORT_DEVICE]})"


def _peer_state(peer: Answer) -> str:
    if not peer["connected"]:
        since = f"; {count(peer['ahead'], 'change')} here since then" if peer["ahead"] and peer["proved_at"] else ""
        return f"not connected{since}"
    if peer["equal"]:
        return "proved equal"
    if peer["waiting"] and not apart(peer):
        return unread(peer["waiting"], 0)
    if peer["differs"] and not apart(peer):
        things = count(len(peer["differs"]), "thing")
        return f"same changes, and {things} that they made differ; folded again from the log here"
    large = ["exchanging something large"] if peer["exchanging"] else []
    return ", ".join([apart(peer) or "comparing", *large])


def when(moment: str | None) -> str:
    """Return a moment for a person or program; ``never`` for none."""
    return "never" if moment is None else times.full(moment)


__all__ = ["apart", "files_missing", "losses", "names_of", "status", "when"]
