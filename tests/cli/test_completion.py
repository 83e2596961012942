from __future__ import annotations

import os
from typing import Any

import pytest

from tests.cli.processes import ran


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_is_printed_for_each_shell(edda: Any, shell: str) -> None:
    assert "_EDDA_COMPLETE" in edda("completion", shell).stdout


def test_zsh_sets_completion_up_before_it_uses_it(edda: Any) -> None:
    first, second, *rest = edda("completion", "zsh").stdout.splitlines()
    assert first == "#compdef edda"
    assert "autoload -Uz compinit && compinit" in second
    assert "compdef _edda_completion edda" in "".join(rest)


def test_completion_completes_commands_and_options(edda: Any) -> None:
    def complete(line: str) -> str:
        environment = {
            **os.environ,
            "_EDDA_COMPLETE": "bash_complete",
            "COMP_WORDS": line,
            "COMP_CWORD": str(line.count(" ")),
        }
        ended = ran([], environment)
        assert ended.returncode == 0
        return ended.stdout.decode()

    assert "plain,list" in complete("edda task li")
    assert "plain,blocked" in complete("edda task list --status blo")
