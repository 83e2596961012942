"""The lock files: exact packages with the hashes of their files, which fit pyproject.toml; and the list of packages."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tomllib
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
RUNTIME, DEV = "requirements.lock", "requirements-dev.lock"
HASH = re.compile(r"--hash=sha256:[0-9a-f]{64}")


def locked(name: str) -> dict[str, list[Requirement]]:
    """Return the requirements of a lock file by the names of their packages."""
    found: dict[str, list[Requirement]] = {}
    for entry in (ROOT / name).read_text().replace("\\\n", " ").splitlines():
        requirement = Requirement(HASH.sub("", entry).strip())
        found.setdefault(canonicalize_name(requirement.name), []).append(requirement)
    return found


def version_of(requirement: Requirement) -> str:
    (only,) = requirement.specifier
    assert only.operator == "==", "an exact version"
    return only.version


@pytest.mark.parametrize("name", [RUNTIME, DEV])
def test_each_line_of_a_lock_file_is_an_exact_version_with_hashes_and_names_no_place(name: str) -> None:
    text = (ROOT / name).read_text()
    assert "://" not in text
    for entry in text.replace("\\\n", " ").splitlines():
        assert HASH.search(entry), entry
        assert version_of(Requirement(HASH.sub("", entry).strip()))


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        (RUNTIME, PROJECT["project"]["dependencies"]),
        (DEV, [*PROJECT["project"]["dependencies"], *PROJECT["dependency-groups"]["dev"]]),
    ],
)
def test_what_pyproject_asks_for_is_locked_in_a_version_that_it_allows(name: str, wanted: list[str]) -> None:
    pins = locked(name)
    for requirement in map(Requirement, wanted):
        versions = [version_of(each) for each in pins.get(canonicalize_name(requirement.name), [])]
        assert versions, f"{requirement.name} is not in {name}: run `make lock`"
        assert all(requirement.specifier.contains(each) for each in versions), f"{requirement}: run `make lock`"


def test_what_the_packages_need_is_locked_too() -> None:
    pins, left, seen = locked(RUNTIME), [Requirement(each) for each in PROJECT["project"]["dependencies"]], set[str]()
    while left:
        requirement = left.pop()
        name = canonicalize_name(requirement.name)
        assert name in pins, f"{name} is not in {RUNTIME}: run `make lock`"
        if name in seen:
            continue
        seen.add(name)
        try:
            needs = distribution(name).requires or []
        except PackageNotFoundError:  # of another platform
            continue
        environment = {"extra": ""}
        left += [each for each in map(Requirement, needs) if each.marker is None or each.marker.evaluate(environment)]
    assert len(seen) > len(PROJECT["project"]["dependencies"])


def test_both_lock_files_have_the_same_versions() -> None:
    dev = locked(DEV)
    for name, pins in locked(RUNTIME).items():
        assert sorted(map(version_of, pins)) == sorted(map(version_of, dev[name])), name


def test_every_dependency_that_stores_or_trusts_has_an_upper_bound() -> None:
    bounded = {
        Requirement(each).name for each in PROJECT["project"]["dependencies"] if "<" in str(Requirement(each).specifier)
    }
    assert bounded >= {"pycrdt", "spake2", "rocksdict", "obstore", "mnemonic", "cachebox"}


def test_the_list_of_packages_names_what_is_locked_with_its_hashes(tmp_path: Path) -> None:
    recipe = re.search(r"^sbom:.*\n\t@\$\(BIN\)/(.+)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert recipe is not None
    command = recipe[1].replace("$(SBOM)", str(tmp_path / "sbom.json")).split()
    subprocess.run([Path(sys.executable).parent / command[0], *command[1:]], cwd=ROOT, check=True, capture_output=True)
    made = json.loads((tmp_path / "sbom.json").read_text())
    assert made["bomFormat"] == "CycloneDX"
    assert made["metadata"]["component"]["name"] == PROJECT["project"]["name"]
    listed = {(canonicalize_name(each["name"]), each["version"]) for each in made["components"]}
    assert listed == {(name, version_of(pin)) for name, pins in locked(RUNTIME).items() for pin in pins}
    assert all(each["externalReferences"][0]["hashes"] for each in made["components"])
