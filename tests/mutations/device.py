"""Mutants of a running device: its duties, links, socket and files."""

from __future__ import annotations

from typing import Final

from tests.mutations.mutant import Mutant

MUTANTS: Final[tuple[Mutant, ...]] = (
    Mutant(
        "a new file is not synced before it takes the old one's place",
        "The key of a device is gone after a power loss, and its membership with it.",
        "words/files.py",
        "os.fsync(file.fileno())",
        "pass",
        ("words/test_files.py",),
    ),
    Mutant(
        "damage that a talk meets is not mended",
        "A rotten task keeps a device from syncing for ever.",
        "device/device.py",
        "self._mend_soon(error.what)",
        "pass",
        ("test_device_faults.py",),
    ),
    Mutant(
        "damage that the scrub finds is not mended",
        "A rotten row is shown until somebody runs the doctor.",
        "device/device.py",
        "self._mend_soon(damage.what, damage.key)",
        "pass",
        ("test_device_faults.py",),
    ),
    Mutant(
        "what was proved is not saved when a device ends",
        "After each stop `edda status` knows of no device that it was proved equal to.",
        "device/device.py",
        "await self._save_proofs()",
        "pass",
        ("test_device_faults.py",),
    ),
    Mutant(
        "a duty that failed once is due no more",
        "A device that met a full disk once is deaf until it is started again.",
        "device/supervisor.py",
        "if due is not None:\n                    due.set()",
        "if False:\n                    due.set()",
        ("device/test_supervisor.py",),
    ),
    Mutant(
        "a look that fails is not heard of",
        "A device whose file was taken away goes on as if nothing had happened.",
        "device/lookout.py",
        "self._failure = failure",
        "pass",
        ("device/test_lookout.py",),
    ),
    Mutant(
        "what waits for a link has no limit",
        "A peer that sends and does not read fills the memory.",
        "device/outgoing.py",
        "if self._size + len(frame) > limits.OUTGOING_BYTES_MAX:",
        "if False:",
        ("device/test_outgoing.py",),
    ),
    Mutant(
        "mending that fails is to be mended by mending",
        "A log that rotted is folded again and again, and the device does nothing else.",
        "device/duties.py",
        "and is_news and duty != MENDING",
        "and is_news",
        ("device/test_duties.py",),
    ),
    Mutant(
        "what other processes write is not noticed",
        "`edda task add` beside `edda up` is synced once something else happens.",
        "device/device.py",
        "if position != self._position:",
        "if False:",
        ("device/test_device.py",),
    ),
    Mutant(
        "a log that rotted is not asked of peers",
        "A device whose log lost a change stays damaged, though every other device has it.",
        "device/device.py",
        "await self._drive(self._replica.fetch, time.monotonic())",
        "pass",
        ("test_device_faults.py",),
    ),
    Mutant(
        "a link that is silent after the network changed is kept",
        "After a change of networks a device waits for an answer that cannot come.",
        "device/peers.py",
        "self._start(self._probe(peer, peer.link))",
        "pass",
        ("device/test_peers.py",),
    ),
    Mutant(
        "anybody on the machine may use the socket",
        "Another user of the machine reads the status, and invites a device of its own.",
        "device/control.py",
        "path.chmod(0o600)",
        "pass",
        ("device/test_control.py",),
    ),
)
