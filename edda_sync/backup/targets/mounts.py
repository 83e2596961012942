"""
Mounts: whether a folder lies on the disk where it should, before backups are entrusted to it.

A drive that is away leaves an empty folder, or none, where it is mounted. What is made there lies on the wrong disk, and
is hidden once the drive is back. Once a folder is a target, its marker tells (``folder``); before that, only the table of
what is to be mounted does.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Final

TABLE = Path("/etc/fstab")
"""Its format is in ``man 5 fstab``."""
_ESCAPED: Final = re.compile(r"\\([0-7]{3})")


def unmounted(folder: Path, table: Path | None = None) -> Path | None:
    """
    Return the place at or above a folder where a drive is to be mounted and is not now; None if there is none.

    Args:
        folder: An absolute path, which may be missing.
        table: The table of what is to be mounted, :data:`TABLE` by default. One that cannot be read says nothing.
    """
    try:
        lines = (table or TABLE).read_text(encoding="utf-8", errors="surrogateescape").splitlines()
    except OSError:
        return None
    fields = [line.split() for line in lines if not line.lstrip().startswith("#")]
    places = {_ESCAPED.sub(lambda found: chr(int(found[1], 8)), each[1]) for each in fields if len(each) > 1}
    real = Path(os.path.realpath(folder))
    return next((each for each in (real, *real.parents) if str(each) in places and not os.path.ismount(each)), None)


def is_same_disk(home: Path, folder: Path) -> bool:
    """Tell whether a folder lies on the disk of the store, or where that will be made."""
    there = next(each for each in (home, *home.parents) if each.exists())
    return os.stat(there).st_dev == os.stat(folder).st_dev
