"""Attached files: what a device says to have is what was attached, and it gets what another one has."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Final

from edda_sync.crdt.attachments import File, decode
from edda_sync.engine import scrubbing
from edda_sync.engine.engine import StorageEngine
from edda_sync.files.chunks import name_of
from edda_sync.files.lacking import look
from edda_sync.files.memory import MemoryChunks
from edda_sync.files.packing import unpack
from edda_sync.files.reading import FileReader
from edda_sync.simulations import filed
from edda_sync.simulations.checker import Checker
from edda_sync.simulations.demands import demand
from edda_sync.simulations.device import SimulatedDevice
from edda_sync.simulations.disk import Interrupted
from edda_sync.simulations.simulator import Simulation
from edda_sync.words import limits
from edda_sync.words.errors import (
    ConflictError,
    DamagedFileError,
    FalseFileError,
    FileNotHereError,
    InvalidValueError,
    NotFoundError,
)

SIZES: Final = (0, 30, 60, 200, 500, 900)  # bytes
CONTENTS: Final = 3  # beginnings of files: some are attached several times
ATTACHED_MAX: Final = 6  # in a run
ROTS_MAX: Final = 3  # chunks that rot or vanish
WHEN_S: Final = (1, 60)
WITHIN_S: Final = limits.FILE_LOOK_S + limits.FILE_RETRY_S + limits.FILE_ANSWER_S


class Fetched(Checker):
    """After healing each device has every file that comes by itself, if its parts are anywhere; none shows a wrong one."""

    number = 26

    def __init__(self, sim: Simulation) -> None:
        super().__init__(sim)
        self._draws = sim.tape.source("attached")
        self._written: tuple[tuple[int, int], ...] = ()  # how much the disks had taken at the last look for what lacks
        self._is_done = False
        if sim.filed.is_on:
            for _ in range(1 + self._draws.draw("files", ATTACHED_MAX)):
                sim.at(self._draws.seconds("when", *WHEN_S), self._attach)
            for _ in range(self._draws.draw("rots", ROTS_MAX + 1)):
                sim.at(self._draws.seconds("rots when", *WHEN_S), self._rot)

    def ended(self) -> None:
        """Wait for files, and read them all."""
        if not self.sim.filed.contents:
            return
        for device in self.sim.honest():
            self._read(device, is_rot_told=True)
            # a file with several damaged parts is found out part by part, or by reading them all
            device.act(lambda engine: scrubbing.scrub(engine, scrubbing.CHUNKS, 1))
            if self.sim.filed.is_busy:
                demand(device, self._files(device, here=False))
        self.sim.clock.run_until(self.sim.now + WITHIN_S, self._is_all_here)
        for device, file in self._lacking():
            self.fail(
                device, f"has no {file.root.hex()[:8]} of {file.size} bytes {WITHIN_S:.0f} s after all was healed"
            )
        for device in self.sim.honest():
            self._read(device, is_rot_told=False)

    # --- what people and disks do -------------------------------------------------------------------------------------

    def _attach(self) -> None:
        """Somebody attaches a file to a document, or takes one off."""
        awake = [device for device in self.sim.honest() if device.is_awake]
        documents = self.sim.book.documents
        if self.sim.is_healing or not awake or not documents:
            return
        device, document = self._draws.pick("device", awake), self._draws.pick("document", documents)
        data = filed.content(self._draws.draw("which", CONTENTS), self._draws.pick("size", SIZES))
        off = self._draws.chance("off", 15)

        def work(engine: StorageEngine) -> None:
            try:
                attached = engine.attachments(document)
                if off and attached:
                    engine.transact(lambda tx: tx.detach(document, attached[0].id))
                else:
                    self.sim.filed.attach(engine, document, data)
            except (NotFoundError, ConflictError, InvalidValueError, Interrupted):
                pass  # the document is not on this device, or was deleted meanwhile

        device.act(work)

    def _rot(self) -> None:
        """A chunk on a disk rots, or vanishes."""
        kept = [device for device in self.sim.honest() if device.chunks.packed]
        if self.sim.is_healing or not kept:
            return
        device = self._draws.pick("rots at", kept)
        name = self._draws.pick("chunk", sorted(device.chunks.packed))
        if self._draws.chance("vanishes", 50):
            device.chunks.vanish(name)
        else:
            device.chunks.rot(name)

    # --- what is checked ----------------------------------------------------------------------------------------------

    def _read(self, device: SimulatedDevice, *, is_rot_told: bool) -> None:
        """Read everything that a device says to have; the first time, what rotted may be told."""
        engine = device.running
        for file in self._files(device, here=True):
            try:
                found = FileReader(
                    device.chunks, file, "file", partial(engine.reading.files._lost, file.root)
                ).readall()
            except FalseFileError as error:
                if file not in self.sim.filed.lies:
                    self.fail(device, f"says that nobody can read {file.root.hex()[:8]}: {error}")
            except (FileNotHereError, DamagedFileError) as error:
                if not is_rot_told:
                    self.fail(device, f"says that {file.root.hex()[:8]} is here, and: {error}")
            else:
                if file in self.sim.filed.lies or found != self.sim.filed.contents[file.root]:
                    self.fail(device, f"shows {found!r} as {file.root.hex()[:8]}")

    def _files(self, device: SimulatedDevice, *, here: bool) -> list[File]:
        """Return the files that are attached, as a device knows it, and that are here or not."""
        with device.running.store.read() as reader:
            files = {decode(each.record).file for _, each in reader.attachments.scan()}
            return sorted(file for file in files if reader.attachments.holds(file.root) == here)

    def _is_all_here(self) -> bool:
        """Tell whether no device lacks a file that it could have. It is looked again only after something was written."""
        written = tuple((device.disk.writes, len(device.chunks.packed)) for device in self.sim.honest())
        if written != self._written:
            self._written, self._is_done = written, not any(self._lacking())
        return self._is_done

    def _lacking(self) -> Iterator[tuple[SimulatedDevice, File]]:
        """Yield the files that a device lacks, although their parts are on honest devices, and they come by themselves."""
        everything = MemoryChunks(lambda: 0.0)
        for device in self.sim.honest():
            everything.packed |= {
                name: packed for name, packed in device.chunks.packed.items()
                if (chunk := unpack(packed)) is not None and name_of(chunk) == name
            }  # fmt: skip
        for device in self.sim.honest():
            for file in self._files(device, here=False):
                if (file.size < filed.BELOW or self.sim.filed.is_busy) and self._is_somewhere(everything, file):
                    yield device, file

    def _is_somewhere(self, everything: MemoryChunks, file: File) -> bool:
        return file not in self.sim.filed.lies and not look(everything, file, 0, 1).lacking
