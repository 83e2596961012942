from __future__ import annotations

from pathlib import Path

import pytest

from edda_sync.cli.overwriting import check_free
from edda_sync.words.errors import UsageError


def test_a_file_that_is_there_is_replaced_only_by_force_and_nothing_else_ever(tmp_path: Path) -> None:
    there = tmp_path / "there"
    there.write_text("mine")
    check_free(None, force=False)
    check_free(tmp_path / "free", force=False)
    check_free(there, force=True)
    for path, force, why in (
        (there, False, "--force replaces it"),
        (tmp_path, True, "is no ordinary file"),
        (tmp_path / "not" / "there", True, "There is no folder"),
    ):
        with pytest.raises(UsageError, match=why):
            check_free(path, force)
    assert there.read_text() == "mine"


def test_a_link_is_there_even_if_it_points_at_nothing(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("nowhere")
    with pytest.raises(UsageError, match="is there already"):
        check_free(tmp_path / "link", force=False)
