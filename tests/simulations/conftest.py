from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture
def page(tmp_path: Path) -> Path:
    file = tmp_path / "evidence.md"
    file.write_text("# Evidence\n\n## Kills\n\n| time |\n|---|\n| once |\n")
    return file
