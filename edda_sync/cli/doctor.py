"""``edda doctor``: check the store, and fold its tables anew."""

from __future__ import annotations

import dataclasses

import click

from edda_sync.cli.common import Progress, count, json_option, note, opened, print_json, say


@click.command("doctor")
@click.option("--rebuild", is_flag=True, help="Fold the log into fresh tables; nothing that was written is lost.")
@json_option
def doctor(rebuild: bool, as_json: bool) -> None:
    """
    Check the store: the file, the chains of the log, the tables against the log, the digest against the rows.

    It ends with 1 when something is not as it should be.
    """
    from edda_sync import doctor as doctors

    with opened() as store:
        if rebuild:
            with Progress("Folding") as progress:
                rebuilt = doctors.rebuild(store, progress)
            if rebuilt.different:
                listed = ", ".join(f"{number:,} in {table}" for table, number in rebuilt.different.items())
                note(f"Folded {count(rebuilt.changes, 'change')}; other rows than before: {listed}.")
            else:
                note(f"Folded {count(rebuilt.changes, 'change')}; the tables are the same as before.")
        with Progress("Checking") as progress:
            findings = doctors.check(store, progress)
    if as_json:
        print_json([dataclasses.asdict(each) for each in findings])
    else:
        for each in findings:
            say(f"{'sound  ' if each.sound else 'DAMAGED'}  {each.check}: {each.detail}")
    damaged = [each.check for each in findings if not each.sound]
    if damaged:
        if not rebuild and "log" not in damaged and "file" not in damaged:
            note("`edda doctor --rebuild` folds the tables anew from the log, which is sound.")
        else:
            note("Keep a copy of the store's folder; what is damaged here is whole on your other devices.")
        click.get_current_context().exit(1)
