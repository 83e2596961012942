from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.backup.targets.stores import moto


@pytest.fixture(scope="session")
def s3() -> Iterator[str]:
    """The address of an S3 server, which takes two seconds to start."""
    with moto() as url:
        yield url
