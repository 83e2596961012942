from __future__ import annotations

import pytest

from tests.fold.folded import Folded


@pytest.fixture
def folded() -> Folded:
    return Folded()
