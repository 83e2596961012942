from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from edda_sync.words.settings import SETTINGS
from tests.cli.meeting import Machines, titles
from tests.cli.processes import EDDA, ran


@pytest.fixture
def bare(another_edda: Callable[[str], Any], monkeypatch: pytest.MonkeyPatch) -> Any:
    """The command line of a folder that is not there yet."""
    monkeypatch.delenv("EDDA_STATE")
    return another_edda("bare")


def rows(edda: Any, *keys: str) -> dict[str, tuple[str, ...]]:
    lines = edda("config", "show", *keys).stdout.splitlines()
    cut = [line.split("\t") for line in lines]
    return {key: tuple(rest) for key, *rest in cut}


def test_each_setting_is_shown_with_its_value_and_where_that_comes_from(
    bare: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown = rows(bare)
    assert list(shown) == list(SETTINGS)
    assert {source for _, source in shown.values()} == {"default"}
    assert shown["database_path"] == (str(bare.home / "edda.db"), "default")
    assert shown["cache.ttl"] == shown["encryption.kdf"] == ("-", "default"), "nothing is encrypted"
    bare("config", "set", "cache.max_size", "64 MB")
    monkeypatch.setenv("EDDA_CACHE_TTL", "600")
    assert rows(bare, "cache.max_size", "cache.ttl") == {
        "cache.max_size": ("64 MB", "config.toml, line 2"),
        "cache.ttl": ("10 minutes", "EDDA_CACHE_TTL"),
    }
    assert os.listdir(bare.home) == ["config.toml"], "showing makes no store"


def test_the_settings_of_a_table_are_shown_by_its_name(bare: Any) -> None:
    shown = rows(bare, "backup.encryption", "name")
    assert list(shown) == [*[key for key in SETTINGS if key.startswith("backup.encryption.")], "name"]


def test_a_program_gets_numbers_and_where_they_come_from(bare: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    bare("config", "set", "cache.max_size", "64 MB")
    monkeypatch.setenv("EDDA_CACHE_TTL", "600")
    monkeypatch.setenv("EDDA_BAKEND", "rocksdb")
    found = bare.json("config", "show")
    told = {each.pop("key"): each for each in found["settings"]}
    assert list(told) == list(SETTINGS)
    size, ttl, name = told["cache.max_size"], told["cache.ttl"], told["name"]
    assert (size["value"], size["from"], size["name"], size["line"]) == (64_000_000, "file", "config.toml", 2)
    assert (ttl["value"], ttl["from"], ttl["name"], ttl["line"]) == (600.0, "variable", "EDDA_CACHE_TTL", None)
    assert (name["value"], name["from"], name["name"], name["line"]) == (None, "default", None, None)
    assert found["unknown"] == [{"variable": "EDDA_BAKEND", "nearest": "EDDA_BACKEND"}]


def test_an_unknown_variable_is_named_with_the_nearest_right_one(bare: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDDA_CACHE_MAXSIZE", "1 MB")
    monkeypatch.setenv("EDDA_HOMES", "x")
    said = bare("config", "show").stderr.splitlines()
    assert said == [
        "EDDA_CACHE_MAXSIZE is no variable of edda; did you mean EDDA_CACHE_MAX_SIZE?",
        "EDDA_HOMES is no variable of edda; did you mean EDDA_HOME?",
    ]


def test_a_setting_is_set_and_taken_out_again(bare: Any) -> None:
    assert bare("config", "set", "connection_pool_size", "3").stdout == "connection_pool_size is 3 now.\n"
    assert bare("config", "set", "cache.ttl", "10", "minutes").stdout == "cache.ttl is 10 minutes now.\n"
    bare("config", "unset", "cache.ttl")
    assert bare("config", "set", "cache.compression", "yes").stdout == "cache.compression is true now.\n"
    assert bare("config", "unset", "connection_pool_size").stdout == "connection_pool_size is 8 again.\n"
    assert (bare.home / "config.toml").read_text().lstrip() == "[cache]\ncompression = true\n"


def test_a_variable_that_wins_is_named(bare: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDDA_CONNECTION_POOL_SIZE", "5")
    done = bare("config", "set", "connection_pool_size", "3")
    assert done.stdout == "connection_pool_size is 5 now.\n"
    assert done.stderr == "EDDA_CONNECTION_POOL_SIZE says so, and wins over config.toml while it is set.\n"


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (("set", "bakend", "sqlite"), "bakend is no setting; did you mean backend?"),
        (("unset", "zzz"), "zzz is no setting; `edda config show` lists those that exist."),
        (("show", "cach.ttl"), "cach.ttl is no setting; did you mean cache.ttl?"),
        (("set", "files", "5"), "files has no value of its own; its settings are files.always_below."),
        (
            ("set", "backend", "rocks"),
            "backend is 'rocks', and must be sqlite, rocksdb or memory; did you mean rocksdb?",
        ),
        (("set", "cache.ttl", "soon"), "cache.ttl is 'soon', and must be a duration from 1 ms to 3650 days, such as"),
        (("set", "connection_pool_size", "-1"), "connection_pool_size is -1, and must be a whole number from 1 to 64."),
        (("get", "cache.ttl"), "Did you mean `edda config show KEY`?"),
    ],
)
def test_what_is_wrong_is_said_in_one_sentence(bare: Any, args: tuple[str, ...], said: str) -> None:
    done = bare("config", *args, code=2)
    assert said in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert not bare.home.exists()


def test_a_path_at_which_there_can_be_no_such_thing_is_refused(bare: Any) -> None:
    assert (
        "'/', and is a folder, and must be a file; choose" in bare("config", "set", "database_path", "/", code=2).stderr
    )
    for key in ("rocksdb_path", "file_storage_path"):
        assert "and is no folder; choose another one." in bare("config", "set", key, __file__, code=2).stderr
    assert not (bare.home / "config.toml").exists()


def test_a_store_that_is_here_is_not_left_behind(edda: Any, tmp_path: Path) -> None:
    said = edda("config", "set", "database_path", str(tmp_path / "notes.db"), code=2).stderr
    assert f"lies in {edda.home / 'edda.db'}; nothing was changed" in said
    assert "`edda store migrate --to rocksdb`" in edda("config", "set", "backend", "rocksdb", code=2).stderr
    assert "keeps it; nothing was changed" in edda("config", "set", "name", "phone", code=2).stderr
    assert not (edda.home / "config.toml").exists()


def test_every_command_uses_a_database_that_the_file_puts_elsewhere(bare: Any, tmp_path: Path) -> None:
    bare("config", "set", "database_path", "../data/notes.db")
    task = bare.id_of("task", "add", "Mine")
    assert bare("init").stdout.endswith("already; nothing was changed.\n")
    assert [each["id"] for each in bare.json("task", "list")] == [task]
    assert bare.json("status")["tasks"] == 1
    assert all(each["sound"] for each in bare.json("doctor"))
    assert (tmp_path / "data" / "notes.db").exists()
    assert not (bare.home / "edda.db").exists()


def test_no_command_opens_a_store_whose_settings_are_wrong(edda: Any) -> None:
    (edda.home / "config.toml").write_text("bakend = 'sqlite'\n")
    for command in (("task", "list"), ("task", "add", "x"), ("status",), ("doctor",), ("up",), ("sync",), ("init",)):
        said = edda(*command, code=2).stderr
        assert said == f"{edda.home}/config.toml, line 1: bakend is no setting; did you mean backend?\n", command
    assert edda("config", "unset", "bakend").stdout == "bakend is out of config.toml.\n"
    edda("task", "list")


def test_a_file_with_two_mistakes_is_mended_by_the_command(edda: Any) -> None:
    (edda.home / "config.toml").write_text("bakend = 'sqlite'\nconnection_pool_size = 0\n")
    said = edda("config", "unset", "bakend").stderr
    assert said.startswith("It is written, but the store does not open yet: ")
    edda("config", "set", "connection_pool_size", "4")
    edda("task", "list")


def test_the_shell_completes_keys(edda: Any) -> None:
    words = {"_EDDA_COMPLETE": "bash_complete", "COMP_WORDS": "edda config set cache.", "COMP_CWORD": "3"}
    done = ran([], os.environ | words)
    assert done.returncode == 0
    assert [line.partition(",")[2] for line in done.stdout.decode().split()] == [
        key for key in SETTINGS if key.startswith("cache.")
    ]


def test_a_command_does_not_use_a_store_that_would_end_with_it(bare: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDDA_BACKEND", "memory")
    online = (("up",), ("sync",), ("join", "12-3456-7890"))
    for command in (("task", "add", "x"), ("task", "list"), ("init",), ("status",), *online):
        assert "ends with the command that makes it" in bare(*command, code=2).stderr, command
    assert not bare.home.exists()


def test_the_status_says_where_a_configured_database_is(bare: Any) -> None:
    bare("config", "set", "database_path", "data/notes.db")
    bare("init")
    assert f"MB in {bare.home}/data/notes.db; states in sqlite;" in bare("status").stdout
    assert bare.json("status")["database"] == f"{bare.home}/data/notes.db"


def test_a_configured_name_is_that_of_a_new_device(bare: Any) -> None:
    bare("config", "set", "name", "Ann's laptop")
    assert """this device is called "Ann's laptop".""" in bare("init").stdout


def test_only_a_command_that_changes_the_file_loads_what_edits_it(bare: Any) -> None:
    code = "import sys; from edda_sync.cli.main import main\ntry: main()\nexcept SystemExit: print(*sys.modules)"
    for command, edits in ((["show"], False), (["set", "cache.ttl", "5"], True)):
        run = [sys.executable, "-c", code, "--home", str(bare.home), "config", *command]
        loaded = subprocess.run(run, capture_output=True, check=True).stdout.split()
        assert (b"tomlkit" in loaded) is edits


def test_a_device_joins_with_its_settings_and_brings_along_what_lies_elsewhere(
    machine: Machines, tmp_path: Path
) -> None:
    laptop, phone, tablet = machine("laptop"), machine("phone"), machine("tablet")
    laptop.run("init", "--name", "laptop")
    laptop.run("task", "add", "Buy milk")
    for each in (phone, tablet):
        each.run("config", "set", "database_path", f"../data/{each.home.name}.db")
        each.run("config", "set", "name", f"Ann's {each.home.name}")
    phone.run("task", "add", "Mine")
    for each in (phone, tablet):
        invitation, code, address = laptop.invite()
        each.run("join", code, "--at", address, "--bring")
        assert invitation.wait() == 0
    assert titles(phone) == {"Buy milk", "Mine"}
    assert [path.name for path in phone.home.glob("left-*/edda.db")] == ["edda.db"]
    for each in (phone, tablet):
        assert (tmp_path / "data" / f"{each.home.name}.db").stat().st_size > 0
        assert not (each.home / "edda.db").exists()
    named = {each["name"] for each in laptop.json("devices")}
    assert named == {"laptop", "Ann's phone", "Ann's tablet"}


def test_a_store_put_aside_is_brought_along_whatever_a_variable_says(machine: Machines, tmp_path: Path) -> None:
    laptop, phone = machine("laptop"), machine("phone")
    laptop.run("init", "--name", "laptop")
    phone.environment["EDDA_DATABASE_PATH"] = str(tmp_path / "phone.db")
    phone.run("task", "add", "Mine")
    invitation, code, address = laptop.invite()
    phone.run("join", code, "--at", address, "--bring")
    assert invitation.wait() == 0
    assert titles(phone) == {"Mine"}
    assert not (phone.home / "edda.db").exists()


def test_a_file_that_may_not_be_read_or_written_is_told_in_one_sentence(edda: Any, obedient: list[str]) -> None:
    path = edda.home / "config.toml"
    edda("config", "set", "cache.ttl", "5")
    before = path.read_bytes()

    def refused(*args: str) -> str:
        done = subprocess.run([*obedient, *EDDA, "--home", str(edda.home), *args], capture_output=True, check=False)
        assert (done.returncode, done.stdout) == (1, b"")
        return done.stderr.decode()

    path.chmod(0)
    for args in (("task", "list"), ("config", "show"), ("config", "set", "cache.ttl", "6")):
        assert (
            refused(*args) == f"{path} cannot be read; nothing was touched: check its permissions, and whose it is.\n"
        )
    path.chmod(0o600)
    edda.home.chmod(0o500)
    said = refused("config", "set", "cache.ttl", "6")
    edda.home.chmod(0o700)
    assert said == f"{path} cannot be written (read-only); nothing was changed: check its permissions or its disk.\n"
    assert path.read_bytes() == before


def test_what_is_no_file_of_settings_stops_every_command_before_it_opens_a_store(bare: Any) -> None:
    path = bare.home / "config.toml"
    path.mkdir(parents=True)
    for args in (("task", "add", "x"), ("config", "show"), ("config", "set", "name", "x"), ("status",), ("up",)):
        said = bare(*args, code=2).stderr
        assert said == f"{path} is no ordinary file; nothing was opened or changed: move it away.\n", args
    path.rmdir()
    path.write_bytes('name = "Zoë"'.encode("utf-16"))
    assert "is not UTF-8 text (byte 0)" in bare("task", "add", "x", code=2).stderr
    path.write_text("name = Zoe\n")
    said = bare("task", "list", code=2).stderr
    assert said == (
        f"{path} is no TOML (Invalid value (at line 1, column 8)); nothing was opened or changed: "
        "mend it, or take it away and use `edda config set`.\n"
    )
    assert os.listdir(bare.home) == ["config.toml"]


def test_a_named_backend_is_used_and_recorded_by_the_store(bare: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    bare("config", "set", "backend", "rocksdb")
    task = bare.id_of("task", "add", "Mine")
    said = bare("config", "unset", "backend").stdout
    assert said == "backend is rocksdb again, as the store itself says.\n"
    assert rows(bare, "backend") == {"backend": ("rocksdb", "the store itself")}
    assert "; states in rocksdb; " in bare("status").stdout
    assert [each["id"] for each in bare.json("task", "list")] == [task]
    monkeypatch.setenv("EDDA_BACKEND", "sqlite")
    assert "`edda store migrate --to sqlite` moves them there" in bare("task", "list", code=2).stderr
    monkeypatch.setenv("EDDA_BACKEND", "rocksdb")
    assert [each["id"] for each in bare.json("task", "list")] == [task]
