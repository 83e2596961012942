"""``edda simulate``: the product's own code on simulated networks, disks and clocks, with one seed for each run."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from edda_sync.cli.commands import Command
from edda_sync.cli.common import FilePath, note, on_terminal, print_json, say
from edda_sync.cli.overwriting import check_free, force_option
from edda_sync.words import exits

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

    from edda_sync.simulations.protocols import Verdict
    from edda_sync.simulations.recording import Recording
    from edda_sync.simulations.tape import Play, Tape

RUNS: Final = 100
SAY_EVERY_S: Final = 0.5


class _Scenario(click.ParamType):  # type: ignore[type-arg]  # generic only since click 8.3
    """The name of a story."""

    name = "name"

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:  # noqa: ARG002 - click's
        """Return the stories whose names begin with what is typed."""
        from click.shell_completion import CompletionItem

        from edda_sync.simulations.scenarios import SCENARIOS

        return [
            CompletionItem(name, help=each.title) for name, each in SCENARIOS.items() if name.startswith(incomplete)
        ]


@click.command("simulate", cls=Command)
@click.option("--seed", type=click.IntRange(min=0), help="Run this one seed.")
@click.option("--seeds", metavar="N|FIRST-LAST", help=f"Run so many seeds, or a range of them ({RUNS} by default).")
@click.option(
    "--scenario", type=_Scenario(), metavar="NAME", help="Run a story, or seeds around it; `list` lists them."
)
@click.option("--keep", metavar="N,N...", help="Of the seed's events, only these.")
@click.option("--calm", is_flag=True, help="No jitter and no loss: only what the events do.")
@click.option("--backend", type=click.Choice(["memory", "sqlite", "rocksdb"]), help="The stores; drawn by default.")
@click.option("--shrink", is_flag=True, help="Make a failure small before it is shown.")
@click.option("--html", metavar="FILE", type=FilePath(), help="Draw the run as a page.")
@force_option
@click.option("--json", "as_json", is_flag=True, help="Print the verdicts in JSON.")
@click.pass_context
def simulate(
    ctx: click.Context,
    seed: int | None,
    seeds: str | None,
    scenario: str | None,
    keep: str | None,
    calm: bool,
    backend: str | None,
    shrink: bool,
    html: Path | None,
    force: bool,
    as_json: bool,
) -> None:
    """
    Simulate devices of one workspace: faults and work first, then healing, then proof of equality.

    Nothing of yours is touched. The same seed does the same, to the byte; a failure prints the command that repeats it.
    """
    from edda_sync.simulations.tape import Tape

    if seed is not None and seeds is not None:
        raise click.UsageError("Choose one of --seed and --seeds.")
    is_story = scenario is not None and seed is None and seeds is None
    if is_story and (keep is not None or calm or backend is not None or shrink):
        raise click.UsageError("--keep, --calm, --backend and --shrink are for seeds: a scenario is always the same.")
    check_free(html, force)
    if scenario == "list":
        _list_scenarios(as_json=as_json)
        return
    tell = note if as_json else say
    if scenario is not None and is_story:
        verdicts = [_play(scenario, html, tell)]
    elif seed is not None:
        tape = Tape(seed, keep=_numbers(keep), calm=calm, backend=backend, play=_drawn(scenario))
        verdicts = [_run_one(tape, shrink, html, tell)]
    else:
        if keep is not None or html is not None:
            raise click.UsageError("--keep and --html are for one run: name it with --seed or --scenario.")
        first, last = _range(seeds)
        play = _drawn(scenario)
        tapes = [Tape(number, calm=calm, backend=backend, play=play) for number in range(first, last + 1)]
        verdicts = _run_many(tapes, shrink, tell)
    if as_json:
        print_json([_facts(verdict) for verdict in verdicts])
    if any(verdict.violation is not None for verdict in verdicts):
        ctx.exit(exits.FAILED)


def _run_one(tape: Tape, shrink: bool, html: Path | None, tell: Callable[[str], None]) -> Verdict:
    from edda_sync.simulations.recording import Recording
    from edda_sync.simulations.runs import run
    from edda_sync.simulations.shrink import command_of

    verdict = run(tape)
    if verdict.violation is not None and shrink:
        tape, verdict = _shrunk(tape)
    tell(_sentence(verdict))
    if verdict.violation is not None:
        _explain(tape, verdict)
    if html is not None:
        recording = Recording()  # a recording of the same run, after it was shrunk
        verdict = run(tape, recording)
        _draw(html, recording, verdict, command_of(tape))
    return verdict


def _drawn(scenario: str | None) -> Play | None:
    """Return the story around which runs are drawn; None for none."""
    from edda_sync.simulations.plays import PLAYS

    if scenario is None:
        return None
    if scenario not in PLAYS:
        raise click.UsageError(f"With a seed, --scenario is one of {', '.join(PLAYS)}: others are always the same.")
    return PLAYS[scenario]


def _play(name: str, html: Path | None, tell: Callable[[str], None]) -> Verdict:
    from edda_sync.simulations.recording import Recording
    from edda_sync.simulations.scenarios import SCENARIOS

    if name not in SCENARIOS:
        raise click.UsageError(f"There is no scenario {name}; `edda simulate --scenario list` lists them.")
    scenario, recording = SCENARIOS[name], Recording()
    verdict = scenario.simulation(recording).run()
    tell(f"{scenario.title}: {scenario.story}")
    tell(_sentence(verdict))
    if html is not None:
        _draw(html, recording, verdict, f"edda simulate --scenario {name}", scenario.title, scenario.story)
    return verdict


def _draw(html: Path, recording: Recording, verdict: Verdict, command: str, title: str = "", story: str = "") -> None:
    from edda_sync.simulations.picture import page

    html.write_text(page(recording, verdict, command=command, title=title, story=story), encoding="utf-8")
    note(f"The picture is in {html}.")


def _list_scenarios(*, as_json: bool) -> None:
    from edda_sync.simulations.scenarios import SCENARIOS

    if as_json:
        print_json([{"name": each.name, "title": each.title} for each in SCENARIOS.values()])
        return
    for scenario in SCENARIOS.values():
        say(f"{scenario.name:<16} {scenario.title}")


def _run_many(tapes: Sequence[Tape], shrink: bool, tell: Callable[[str], None]) -> list[Verdict]:
    from edda_sync.simulations.runs import run

    verdicts: list[Verdict] = []
    started = said = time.monotonic()
    for tape in tapes:
        verdict = run(tape)
        verdicts.append(verdict)
        if verdict.violation is not None:
            small, shown = _shrunk(tape) if shrink else (tape, verdict)
            note(_sentence(shown))
            _explain(small, shown)
        if on_terminal() and time.monotonic() - said > SAY_EVERY_S:
            said = time.monotonic()
            click.echo(f"\r{len(verdicts):,} of {len(tapes):,} runs ", nl=False, err=True)
    failed = sum(verdict.violation is not None for verdict in verdicts)
    hours = sum(verdict.virtual_s for verdict in verdicts) / 3600
    if on_terminal():
        click.echo("\r", nl=False, err=True)
    tell(
        f"Seeds {tapes[0].seed} to {tapes[-1].seed}: {f'{failed} of {len(tapes)} failed' if failed else 'all held'}; "
        f"{sum(verdict.changes for verdict in verdicts):,} changes in {hours:,.1f} simulated hours, "
        f"{time.monotonic() - started:.1f} s."
    )
    return verdicts


def _shrunk(tape: Tape) -> tuple[Tape, Verdict]:
    from edda_sync.simulations.runs import run
    from edda_sync.simulations.shrink import Shrinker

    note(f"Seed {tape.seed} failed; making it small, which may take a minute.")
    shrunk = Shrinker(run, tape).shrink()
    return shrunk.tape, shrunk.verdict


def _sentence(verdict: Verdict) -> str:
    profile = verdict.profile
    kind = (
        f"{profile.devices} devices, {profile.backend}, {verdict.virtual_s:,.0f} simulated s, {verdict.changes} changes"
    )
    if verdict.violation is None:
        return f"Held: all devices are proved equal ({kind}; digest {verdict.digest})."
    return f"Failed: {verdict.violation} ({kind})."


def _explain(tape: Tape, verdict: Verdict) -> None:
    from edda_sync.simulations.seeds import line_of
    from edda_sync.simulations.shrink import command_of

    if verdict.trace:
        note(verdict.trace.rstrip())
    note(f"Again: {command_of(tape)}")
    note(f"For edda_sync/simulations/seeds.txt: {line_of(tape, verdict)}")


def _facts(verdict: Verdict) -> dict[str, object]:
    violation = verdict.violation
    return {
        "seed": verdict.seed,
        "held": violation is None,
        "invariant": None if violation is None else violation.number,
        "violation": None if violation is None else str(violation),
        "digest": verdict.digest,
        "devices": verdict.profile.devices,
        "backend": verdict.profile.backend,
        "changes": verdict.changes,
        "virtual_s": round(verdict.virtual_s, 3),
    }


def _range(seeds: str | None) -> tuple[int, int]:
    text = seeds or str(RUNS)
    first, dash, last = text.partition("-")
    if not all(part.isdecimal() for part in ((first, last) if dash else (first,))):
        raise click.UsageError(f"--seeds is a number or a range such as 100-199, not {text}.")
    chosen = (int(first), int(last)) if dash else (0, int(first) - 1)
    if chosen[0] > chosen[1]:
        raise click.UsageError(f"--seeds {text} names no seed.")
    return chosen


def _numbers(keep: str | None) -> list[int] | None:
    if keep is None or keep == "none":
        return None if keep is None else []
    if not all(part.strip().isdecimal() for part in keep.split(",")):
        raise click.UsageError(f"--keep is a list of event numbers such as 3,17,22, not {keep}.")
    return [int(part) for part in keep.split(",")]
