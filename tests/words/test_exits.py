from __future__ import annotations

import re
from pathlib import Path

from edda_sync.cli import main
from edda_sync.words import exits
from edda_sync.words.errors import EddaError

ROOT = Path(__file__).resolve().parents[2]
CODES = {name: code for name, code in vars(exits).items() if name.isupper()}


def kinds(kind: type[EddaError]) -> set[type[EddaError]]:
    return {kind}.union(*map(kinds, kind.__subclasses__()))


def test_every_exit_has_its_own_code_that_a_process_can_return() -> None:
    assert len(set(CODES.values())) == len(CODES)
    assert all(0 <= code < 256 for code in CODES.values())


def test_every_error_ends_a_command_with_a_code_that_has_a_name() -> None:
    assert {kind.exit_code for kind in kinds(EddaError)} <= set(CODES.values()) - {exits.DONE}


def test_the_root_command_explains_each_code() -> None:
    told = {int(code) for code in re.findall(r"\b(\d+) [a-z]", main.__doc__ or "")}
    assert told == set(CODES.values()) - {exits.PIPE}


def test_no_command_writes_a_code_as_a_bare_number() -> None:
    bare = [path.name for path in (ROOT / "edda_sync/cli").glob("*.py") if re.search(r"\.exit\(\d", path.read_text())]
    assert bare == []
