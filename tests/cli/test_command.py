from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.cli.processes import EDDA, run


def test_a_closed_pipe_is_quiet(edda: Any) -> None:
    edda("doc", "add", "-", "--title", "T", stdin=b"x" * 200_000)
    reading, writing = os.pipe()
    os.close(reading)
    for args in (["export"], ["task", "list", "--json"]):
        ended = run(edda.home, *args, stdout=writing)
        assert (ended.returncode, ended.stderr) == (141, b"")
    os.close(writing)


def test_an_interrupt_says_one_line(edda: Any, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    process = subprocess.Popen(
        [*EDDA, "--home", str(edda.home), "doc", "add", str(tmp_path / "pipe")],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    with (tmp_path / "pipe").open("wb"):  # open once the command reads
        process.send_signal(signal.SIGINT)
        _, said = process.communicate()
    assert process.returncode == 130
    assert said.count(b"\n") == 1
    assert said == b"Interrupted; nothing was changed.\n"


INTERRUPTED = """
import os, signal, sys

class Loading:
    def find_spec(self, name, path=None, target=None):
        if name == sys.argv[1]:
            os.kill(os.getpid(), signal.SIGINT)

sys.meta_path.insert(0, Loading())
from edda_sync.cli.command import main
main()
"""


@pytest.mark.parametrize(
    "module", ["typing", "re", "click", "edda_sync.cli.main", "edda_sync.cli.common", "edda_sync.words.config"]
)
def test_an_interrupt_while_the_command_is_loaded_ends_it_without_a_word(module: str) -> None:
    ended = subprocess.run([sys.executable, "-c", INTERRUPTED, module], capture_output=True, check=False)
    assert (ended.returncode, ended.stdout, ended.stderr) == (-signal.SIGINT, b"", b"")


def test_almost_nothing_is_loaded_before_an_interrupt_ends_the_command_quietly() -> None:
    code = "import sys; before = {*sys.modules}; import edda_sync.cli.command; print(*sorted({*sys.modules} - before))"
    ended = subprocess.run(
        [sys.executable, "-S", "-c", f"import sys; sys.path.insert(0, '.'); {code}"],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).parents[2],
    )
    assert not {"typing", "re", "click", "functools"} & {*ended.stdout.split()}


def test_an_interrupt_is_ignored_if_the_parent_process_ignores_it() -> None:
    code = f"import signal\nsignal.signal(signal.SIGINT, signal.SIG_IGN)\n{INTERRUPTED}"
    ended = subprocess.run([sys.executable, "-c", code, "click"], capture_output=True, text=True, check=False)
    assert "No such command 'click'" in ended.stderr


INSTALLED = "from edda_sync.cli.command import main; main()"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_at_any_moment_of_a_command_shows_no_traceback_of_ours(edda: Any, number: signal.Signals) -> None:
    """While Python itself starts, and reads the first lines of ours, it shows its own traceback; only it can change that.

    So it is with what it says when a signal comes while it frees the lock of an import (`_get_module_lock`).
    """
    edda("task", "add", "a")
    for moment in range(15):
        process = subprocess.Popen(
            [sys.executable, "-c", INSTALLED, "--home", str(edda.home), "task", "list"],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(timeout=moment * 0.02)
        process.send_signal(number)
        _, said = process.communicate()
        shown = {name for name in re.findall(r"edda_sync/(\S+)\"", said) if "Traceback" in said}
        assert shown <= {"__init__.py", "cli/__init__.py", "cli/command.py"}, said
        assert "Exception ignored" not in re.sub(r"Exception ignored in: <function _get_module_lock", "", said), said
        assert process.returncode in (0, 1, 130, -number)


COUNTED = """
import atexit, gc, sys

def count():
    print(sum(each["collections"] for each in gc.get_stats()) - before, gc.get_freeze_count() > 10_000, file=sys.stderr)

atexit.register(count)  # it runs last
from edda_sync.cli.command import main
before = sum(each["collections"] for each in gc.get_stats())
main()
"""


def test_a_short_command_collects_no_garbage_while_it_runs_or_at_its_end(edda: Any) -> None:
    edda("task", "add", "a")
    for args in (["task", "list"], ["task", "add", "b"]):
        ended = subprocess.run(
            [sys.executable, "-c", COUNTED, "--home", str(edda.home), *args], capture_output=True, text=True, check=True
        )
        assert ended.stderr == "0 True\n"
