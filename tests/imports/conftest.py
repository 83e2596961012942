from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from edda_sync.engine.engine import open as open_store


@pytest.fixture
def store(tmp_path: Path) -> Any:
    with open_store(tmp_path / "home") as made:
        yield made
