"""RocksDB on a simulated disk: it settles often, power fails at each step of that, and its folder is damaged."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from edda_sync.simulations.tape import Draws
from edda_sync.store.rocks.keeper import RocksKeeping
from edda_sync.store.sqlite.keeping import Transact
from edda_sync.store.sqlite.statements import WriterStatements

_FIRST_BYTES: Final = 16  # in which a bit flips: of the first block of a table, or the first record of a manifest
_OFTEN_BYTES: Final = 4_000  # pending, as a few changes make


class Often(RocksKeeping):
    """
    It settles often, and part by part, so that the small stores of a run are in RocksDB in part. Power may fail at each
    step.

    Args:
        folder: The folder in which RocksDB's folders are.
        point: Called where power may fail.
    """

    def __init__(self, folder: Path, point: Callable[[], None]) -> None:
        super().__init__(folder)
        self.once_bytes = _OFTEN_BYTES
        self._point = point

    def is_due(self, *, quiet: bool) -> bool:
        """See ``Keeping``."""
        return self.waiting_bytes > (0 if quiet else _OFTEN_BYTES)

    def settle(self, transact: Transact) -> None:
        """See ``Keeping``."""

        def in_danger(work: Callable[[WriterStatements], Any]) -> Any:
            def with_points(sql: WriterStatements) -> Any:
                result = work(sql)  # RocksDB is written, and what this does in SQLite is not committed yet
                self._point()
                return result

            result = transact(with_points)
            self._point()
            return result

        super().settle(in_danger)


class RocksFolder:
    """
    The folder of RocksDB on a disk.

    Args:
        path: The folder.

    Attributes:
        path: The same folder.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._older: dict[Path, bytes] | None = None  # what was in it at an earlier time

    def files(self) -> list[Path]:
        """Return its files."""
        return sorted(path for path in self.path.rglob("*") if path.is_file())

    def damage(self, draws: Draws) -> bool:
        """Flip a bit in a file, put an older state of the folder back, or remove it; return False if there is none yet."""
        files = self.files()
        if not files:
            return False
        what = draws.pick("damage", ("file", "older", "gone"))
        if what == "file":
            self._flip(files, draws)
        elif what == "older" and self._older is None:
            self._older = {file.relative_to(self.path): file.read_bytes() for file in files}
        else:
            shutil.rmtree(self.path)
            for name, content in (self._older or {}).items() if what == "older" else ():
                (self.path / name).parent.mkdir(parents=True, exist_ok=True)
                (self.path / name).write_bytes(content)
        return True

    def _flip(self, files: list[Path], draws: Draws) -> None:
        newest = max(files, key=lambda file: file.parent.stat().st_mtime_ns).parent  # folders have random names
        kinds = {each.suffix or each.name[:3]: each for each in files if each.parent == newest and each.stat().st_size}
        is_data = ".sst" in kinds and draws.chance("data", 70)
        file = kinds[".sst" if is_data else draws.pick("file", sorted(kinds))]
        content = bytearray(file.read_bytes())
        at = draws.draw("at", _FIRST_BYTES) % len(
            content
        )  # how long a file is depends on random tokens, and no run may
        content[at] ^= 1 << draws.draw("bit", 8)
        with file.open("rb+") as kept:  # in place: who has it open reads this
            kept.write(content)
