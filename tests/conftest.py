from __future__ import annotations

import gc
import importlib
import os
import re
import shutil
import signal
import sys
import tempfile
from collections.abc import Generator, Iterator
from contextlib import suppress
from itertools import count
from pathlib import Path
from zlib import crc32

import pytest
from hypothesis import HealthCheck, settings

import edda_sync.crdt.text.edits  # noqa: F401 - it is loaded late, and has limits in its types: before a test makes one smaller
from tests import own_network
from tests.cli import starting

# The suite tries the same examples each time, so that its result for a commit does not change. Other examples, and more of
# them: pytest --hypothesis-profile=thorough. A failure prints its example and the blob that repeats it.
settings.register_profile(
    "edda",
    max_examples=60,
    deadline=None,
    derandomize=True,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.register_profile("thorough", parent=settings.get_profile("edda"), max_examples=3_000, derandomize=False)
settings.load_profile("edda")

# Where no bytecode may be written, each of the hundreds of processes that tests start compiles the product anew, and each
# worker all tests.
sys.dont_write_bytecode = False
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

# What a test writes outlives processes, and no power failure: tests of that bring a disk of their own. On the machine's disk
# the suite would wait, tens of thousands of times, until a small file is safe. Whoever sets TMPDIR decides otherwise.
MEMORY = Path("/dev/shm")
ROOM_BYTES = 2 * 2**30
if "TMPDIR" not in os.environ and os.access(MEMORY, os.W_OK):
    _memory = os.statvfs(MEMORY)
    if _memory.f_bavail * _memory.f_frsize >= ROOM_BYTES and not _memory.f_flag & os.ST_NOEXEC:
        os.environ["TMPDIR"] = tempfile.tempdir = str(MEMORY)

# A script that runs the suite in its background (`make test &`) hands on that Ctrl-C is ignored: tests that interrupt a
# command would wait for ever.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# Workers that run beside each other would hear each other's devices, and a test counts what it hears.
own_network.separate()

# Set for fixtures of whole modules too: a test's own keyring, once it is imported, looks like the system's.
os.environ["EDDA_KEYRING"] = "off"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--spoiler",
        choices=("wire", "netem"),
        default="wire",
        help="what makes cables bad: a wire of our own, which needs no special kernel, or tc netem, which needs sch_netem",
    )
    parser.addoption(
        "--started-anew",
        action="store_true",
        help="start Python for each command that a test runs, and not once for all of them (tests/cli/starting.py)",
    )
    parser.addoption(
        "--whole",
        action="store_true",
        help="play recordings to their end, and let a kernel spoil all kinds of cables: what the suite does in part only",
    )


def pytest_configure(config: pytest.Config) -> None:
    starting.started_anew = config.getoption("--started-anew")


def pytest_unconfigure() -> None:
    starting.end()


@pytest.fixture
def whole(pytestconfig: pytest.Config) -> bool:
    """Whether a long test runs in full, and not only as much of it as the suite has time for."""
    return bool(pytestconfig.getoption("--whole"))


_FAILED = pytest.StashKey[bool]()
_folders = count()


def compile_a_share(workers: int, number: int) -> None:
    """
    Import all modules of tests, beginning with this worker's share of them.

    On a fresh clone all must be compiled, which takes longer than all else before the first test. Workers that began with
    the same module would each compile every one; so each finds most of them compiled by the others.
    """
    modules = sorted(Path(__file__).parent.rglob("test_*.py"))
    first = len(modules) * number // workers
    for module in modules[first:] + modules[:first]:
        with suppress(Exception):  # pytest tells what is wrong with it when it collects it
            importlib.import_module(
                ".".join(("tests", *module.relative_to(Path(__file__).parent).with_suffix("").parts))
            )


@pytest.hookimpl(wrapper=True)
def pytest_collection(session: pytest.Session) -> Generator[None, object, object]:
    """Collect tests without looking for garbage, and never search the collected tests: they live as long as the run."""
    gc.disable()
    worker = getattr(session.config, "workerinput", None)
    if worker is not None and session.config.args == session.config.getini("testpaths"):
        compile_a_share(worker["workercount"], int(worker["workerid"].removeprefix("gw")))
    try:
        return (yield)
    finally:
        gc.collect()
        gc.freeze()
        gc.enable()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mix the modules of a whole run, always in the same way: tests that wait for processes run beside some that compute."""
    if hasattr(config, "workerinput") and config.args == config.getini("testpaths"):
        items.sort(key=lambda item: crc32(item.nodeid.partition("::")[0].encode()))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if report.failed:
        item.stash[_FAILED] = True
    return report


@pytest.fixture
def tmp_path(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder of the test's own, which stays if the test fails; pytest's own fixture searches all earlier folders."""
    name = re.sub(r"\W", "_", request.node.name)[:25]
    made = tmp_path_factory.mktemp(f"{next(_folders)}-{name}", numbered=False)
    yield made
    if _FAILED not in request.node.stash:
        shutil.rmtree(made, ignore_errors=True)


@pytest.fixture(autouse=True)
def _own_state(request: pytest.FixtureRequest) -> None:
    """Keep each test's keys and lives in its own folder, away from the user's."""
    if "tmp_path" in request.fixturenames:
        state = request.getfixturevalue("tmp_path") / "state"
    else:  # nearly all of these write nothing: a name is enough
        state = request.getfixturevalue("tmp_path_factory").getbasetemp() / f"{next(_folders)}-state"
    # Only now, so that it is undone while the folder is still there.
    monkeypatch: pytest.MonkeyPatch = request.getfixturevalue("monkeypatch")
    monkeypatch.setenv("EDDA_KEYRING", "off")
    monkeypatch.setenv("EDDA_STATE", str(state))


@pytest.fixture
def other_disk(tmp_path: Path) -> Iterator[Path]:
    """A folder on another disk than the test's own."""
    for place in ("/dev/shm", "/tmp", "/var/tmp"):
        if os.access(place, os.W_OK) and os.stat(place).st_dev != tmp_path.stat().st_dev:
            with tempfile.TemporaryDirectory(dir=place) as folder:
                yield Path(folder)
            return
    pytest.skip("this machine has one disk only")
