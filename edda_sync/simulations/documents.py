"""
The parts of docs/simulations.md that are generated from the code: faults, checkers, scenarios and their pictures.

``python -m edda_sync.simulations.documents`` writes them again between their marks; a test compares them with the code.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from edda_sync.simulations import picture
from edda_sync.simulations.catalogue import ACTIONS, CHECKERS
from edda_sync.simulations.evidence import ROOT
from edda_sync.simulations.filelies import LIES
from edda_sync.simulations.filework import HAPPENINGS
from edda_sync.simulations.recording import Recording
from edda_sync.simulations.scenarios import SCENARIOS, Scenario
from edda_sync.simulations.workload import Work

PAGE: Final = ROOT / "docs" / "simulations.md"
PICTURES: Final = ROOT / "docs" / "simulations"
INVARIANTS: Final = {
    1: "Convergence: devices that hold the same changes show the same content",
    2: "Order does not matter: any causal order gives the same content",
    3: "Causes come first: nothing is applied, or seen, before what it depends on",
    4: "Transactions stay whole: nobody sees a part of one",
    5: "What was acknowledged is not lost",
    6: "No phantoms: everything visible was accepted from somebody",
    7: "No view goes back: people read their own writes",
    8: "Durable before published: nothing leaves a device that its disk may forget",
    9: "One dot, one change, across restored, copied and rolled-back stores",
    10: "Every device that sees both branches detects a fork, and no device is accused of what it did not do",
    11: "The tables are a function of the log, and satisfy their schema",
    12: "What was deleted stays deleted, unless somebody writes without having seen the deletion",
    13: "A backup holds what it says and gives it back, and neither it nor a restore costs anybody a change",
    15: "Authority: only members write",
    16: "A hostile member costs a bounded amount",
    17: "What is rejected changes nothing",
    18: "After healing all become equal, and prove it, in bounded time",
    19: "After healing nothing waits for what it depends on",
    20: "After healing the bytes sent are in proportion to the bytes missing",
    21: "After healing every acknowledged write is visible everywhere",
    22: "A silent divergence is found and repaired",
    23: "What is quarantined is listed, and delays nothing else",
    24: "After healing every store can serve a newcomer, whatever its members wrote",
    25: "A watched query follows the store, and is run again only when it must be",
    26: "After healing every attached file whose parts are anywhere comes to everybody, and nobody shows a wrong one",
    27: "A value that is to be unique is shown once, on the same item everywhere, and nothing is lost because of it",
    28: "A file that is said to be here is here",
    29: "Nothing is out of reach: what was written is shown, in a conflict or in the history, and can be brought back",
}


def faults() -> Iterator[str]:
    """Yield the table of faults."""
    yield from ("| concern | fault | what happens |", "|---|---|---|")
    for action in (*ACTIONS, *HAPPENINGS, *LIES):
        if not isinstance(action, Work):
            yield f"| {action.group} | {action.name} | {_said(getattr(action, 'do', action))} |"


def checkers() -> Iterator[str]:
    """Yield the table of invariants, by number."""
    yield from ("| no. | invariant | what its checker looks at | |", "|---|---|---|---|")
    for checker in sorted(CHECKERS, key=lambda each: (each.number, each.__name__)):
        file = Path(inspect.getfile(checker)).relative_to(ROOT)
        invariant = INVARIANTS.get(checker.number, checker.__name__)
        yield f"| {checker.number} | {invariant} | {_said(checker)} | [{checker.__name__}](../{file}) |"


def stories() -> Iterator[str]:
    """Yield the scenarios, each with its picture."""
    for scenario in SCENARIOS.values():
        yield f"### {scenario.title}"
        yield ""
        yield scenario.story
        yield ""
        yield f"![{scenario.title}: devices as lanes, time from left to right](simulations/{scenario.name}.svg)"
        yield ""
        yield f"    edda simulate --scenario {scenario.name}"
        yield ""


PARTS: Final = {"faults": faults, "checkers": checkers, "scenarios": stories}


def filled(page: str) -> str:
    """Return a page with its generated parts replaced."""
    for name, part in PARTS.items():
        start, end = f"<!-- {name}: written by edda_sync/simulations/documents.py -->", f"<!-- end of {name} -->"
        assert page.count(start) == page.count(end) == 1, f"docs/simulations.md needs {start} and {end}"
        before, rest = page.split(start)
        page = before + start + "\n\n" + "\n".join(part()).rstrip("\n") + "\n\n" + end + rest.split(end)[1]
    return page


def draw(scenario: Scenario) -> str:
    """Run a scenario and return its picture, which is the same each time."""
    recording = Recording()
    scenario.simulation(recording).run()
    return picture.svg(recording)


def write(page: Path = PAGE, pictures: Path = PICTURES) -> None:
    """Write the page and the pictures."""
    page.write_text(filled(page.read_text(encoding="utf-8")), encoding="utf-8")
    pictures.mkdir(exist_ok=True)
    for scenario in SCENARIOS.values():
        (pictures / f"{scenario.name}.svg").write_text(draw(scenario), encoding="utf-8")


def _said(thing: Any) -> str:
    """Return the first paragraph of a docstring, as the cell of a table."""
    first = (inspect.getdoc(thing) or "").split("\n\n")[0]
    return re.sub(r"\s+", " ", first).replace("|", "\\|").replace("``", "`")


if __name__ == "__main__":
    write()
