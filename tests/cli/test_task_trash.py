from __future__ import annotations

import re
from typing import Any


def test_what_rm_recursive_took_comes_back_with_the_command_that_it_names(edda: Any) -> None:
    top = edda.id_of("task", "add", "top")
    middle = edda.id_of("task", "add", "middle", "--parent", top)
    edda("task", "add", "low", "--parent", middle)
    said = edda("task", "rm", top, "--recursive").stderr
    assert said.startswith("Moved 3 tasks to the trash; `edda task restore --recursive ")
    (command,) = re.findall("`edda ([^`]*)`", said)
    assert edda(*command.split()).stderr == "Restored 3 tasks.\n"
    assert {each["title"] for each in edda.json("task", "list")} == {"top", "middle", "low"}


def test_rm_names_the_id_that_brings_a_task_back(edda: Any) -> None:
    one = edda.id_of("task", "add", "One")
    said = edda("task", "rm", "One").stderr
    assert said == f"Moved 1 task to the trash; `edda task restore {one[-6:]}` brings it back.\n"
    edda("task", "restore", one[-6:])
    assert edda.json("task", "list")[0]["id"] == one
