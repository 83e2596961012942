"""A file of 2 GiB attached and read again, each in a process of its own: the time, and the most memory it took."""

from __future__ import annotations

import hashlib
import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import edda_sync as edda
from benchmarks.measure import Figure, Options, a_folder

MEBIBYTES: Final = 2_048
MEMORY_MB_MAX: Final = 64


def run(options: Options) -> Iterator[Figure]:
    with a_folder(options) as folder:
        source = folder / "source"
        digest = write_file(source)
        for work in ("attach", "read"):
            arguments = [sys.executable, "-m", "benchmarks.attachments", work, str(folder / "home"), str(source)]
            ended = subprocess.run(arguments, check=True, capture_output=True, text=True)
            took_s, cpu_s, peak_mb, read = json.loads(ended.stdout)
            assert read == digest, "what was read is what was written"
            yield Figure(
                f"a file of 2 GiB, {work}: time, and most memory", f"{MEMORY_MB_MAX} MB",
                f"{took_s:.1f} s, {peak_mb:.0f} MB", reached=peak_mb < MEMORY_MB_MAX, cpu_s=cpu_s,
            )  # fmt: skip


def write_file(source: Path) -> str:
    """Write the file: a quarter each of noise and of zeros, and half of text; return its hash."""
    digest = hashlib.blake2b()
    with source.open("wb") as file:
        for number in range(MEBIBYTES):
            text = (b"line %d of a log\n" % number * 70_000)[: 1 << 20]
            piece = (os.urandom(1 << 20), bytes(1 << 20), text, text)[number % 4]
            file.write(piece)
            digest.update(piece)
    return digest.hexdigest()


def hash_of(store: edda.StorageEngine, document: str) -> hashlib.blake2b:
    """Return the hash of the file that is attached to a document, without its end."""
    digest = hashlib.blake2b()
    with store.open_attachment(document, "file") as stream:
        while piece := stream.read(1 << 18):
            digest.update(piece)
    return digest


def _work(work: str, home: str, source: str) -> None:
    """Do the work in this process, and print what it took."""
    digest = hashlib.blake2b()
    begun, before = time.perf_counter(), time.process_time()
    with edda.open(home) as store:
        if work == "attach":
            document = store.create_document(edda.Document(title="document"))
            store.transact(lambda tx: tx.attach(document, source, name="file"))
        else:
            (found,) = store.query_documents(edda.DocumentQuery())
            digest = hash_of(store, found.id)
    took_s, cpu_s = time.perf_counter() - begun, time.process_time() - before
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    if work == "attach":
        with Path(source).open("rb") as file:
            while piece := file.read(1 << 18):
                digest.update(piece)
    print(json.dumps([took_s, cpu_s, peak_mb, digest.hexdigest()]))


if __name__ == "__main__":
    _work(*sys.argv[1:])
