"""
A bad cable in user space: a process between two bridges that loses, delays, duplicates and reorders Ethernet frames.

It does what ``tc netem`` does, with the same words, on kernels without netem; and it is repeatable: the fate of
the n-th frame of a direction is drawn from a seed. Frames are real ones, whole and with their checksums: they come from
two TAP interfaces (https://docs.kernel.org/networking/tuntap.html), which this process makes and holds.

    python wire.py NEAR FAR SEED      # then one line of JSON each way at a time, see ask()

Faults, for each frame independently, in this order:
  1. It is lost: by chance, or because it is too long, as in a tunnel from which no ICMP comes back.
  2. It is sent twice.
  3. It waits for those before it to leave, at the rate of the cable; past 1,000 that wait it is lost.
  4. It is under way for the delay plus or minus the jitter, so a later one may arrive first.
  5. Or it is not delayed at all, and overtakes others: netem calls this reordering.
"""

from __future__ import annotations

import fcntl
import heapq
import itertools
import json
import os
import random
import select
import struct
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final, Literal

FRAME_BYTES_MAX: Final = 2_048  # above Ethernet's 1,514
QUEUED_MAX: Final = 1_000  # netem's own
_TUNSETIFF: Final = 0x400454CA  # linux/if_tun.h
_IFF_TAP_NO_PI: Final = 0x0002 | 0x1000

Way = Literal["both", "out", "in"]


@dataclass(frozen=True, slots=True)
class Faults:
    """What one direction of a cable does to frames. Shares are of all frames; a rate or a longest frame of 0 is no limit."""

    loss_percent: float = 0
    delay_ms: float = 0
    jitter_ms: float = 0
    reorder_percent: float = 0
    duplicate_percent: float = 0
    rate_kbit: float = 0
    longest_bytes: int = 0  # of a frame; netem has no such thing

    def netem(self) -> list[str]:
        """Return the same as arguments of ``tc qdisc add ... netem`` (tc-netem(8))."""
        words = ["limit", str(QUEUED_MAX), "delay", f"{self.delay_ms}ms", f"{self.jitter_ms}ms"]
        for name, share in (
            ("loss", self.loss_percent),
            ("reorder", self.reorder_percent),
            ("duplicate", self.duplicate_percent),
        ):
            words += [name, f"{share}%"] if share else []
        return words + (["rate", f"{self.rate_kbit}kbit"] if self.rate_kbit else [])


class Direction:
    """
    One way through the cable; call :meth:`take` with each frame, and :meth:`due` when :meth:`next_due` has come.

    Args:
        seed: Decides the fate of every frame.

    Attributes:
        faults: As they are now.
        lost: How many frames were lost.
    """

    def __init__(self, seed: str) -> None:
        self.faults = Faults()
        self.lost = 0
        self._rng = random.Random(seed)
        self._numbers = itertools.count()
        self._under_way: list[tuple[float, int, bytes]] = []
        self._free_s = 0.0  # when the last frame of those that wait will have left

    def take(self, frame: bytes, now_s: float) -> None:
        """Let a frame in; its fate is decided at once."""
        faults = self.faults
        lost, twice, overtakes = (
            self._rng.uniform(0, 100) < share
            for share in (faults.loss_percent, faults.duplicate_percent, faults.reorder_percent)
        )
        delay_s = max(0.0, faults.delay_ms + self._rng.uniform(-1, 1) * faults.jitter_ms) / 1000
        lost = lost or len(frame) > (faults.longest_bytes or len(frame))
        if lost or len(self._under_way) >= QUEUED_MAX:
            self.lost += 1
            return
        for _ in range(1 + twice):
            if faults.rate_kbit:
                self._free_s = max(self._free_s, now_s) + len(frame) * 8 / (faults.rate_kbit * 1000)
            due_s = max(self._free_s, now_s) + (0.0 if overtakes else delay_s)
            heapq.heappush(self._under_way, (due_s, next(self._numbers), frame))

    def due(self, now_s: float) -> Iterator[bytes]:
        """Yield and forget the frames that have arrived by now."""
        while self._under_way and self._under_way[0][0] <= now_s:
            yield heapq.heappop(self._under_way)[2]

    def next_due(self) -> float | None:
        """Return when the next frame arrives, in the seconds of ``now_s``; None if none is under way."""
        return self._under_way[0][0] if self._under_way else None


class Wire:
    """
    A running wire, as its creator sees it. Both interfaces exist and are up once this is made; :meth:`close` removes them.

    Args:
        enter: The words before a command that make it run in the namespace of the interfaces.
        near: Name of the interface at the device's side.
        far: Name of the other one.
        seed: Repeats it.
    """

    def __init__(self, enter: Sequence[str], near: str, far: str, seed: int) -> None:
        self._process = subprocess.Popen(
            [*enter, sys.executable, "-S", "-E", __file__, near, far, str(seed)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        self.lost()

    def spoil(self, faults: Faults, way: Way) -> None:
        """Apply these faults to all frames from now on, those from the near side ("out"), those to it ("in"), or both."""
        self._ask({"way": way, "faults": asdict(faults)})

    def lost(self) -> int:
        """Return how many frames were lost so far, either way."""
        return int(self._ask({})["lost"])

    def close(self) -> None:
        """End it and remove the interfaces; frames under way are lost."""
        self._process.communicate()

    def _ask(self, request: dict[str, Any]) -> dict[str, Any]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        answer: dict[str, Any] = json.loads(self._process.stdout.readline())
        return answer


# --- the process ------------------------------------------------------------------------------------------------------


def main() -> None:
    near, far, seed = sys.argv[1:]
    out, back = Direction(f"{seed} out"), Direction(f"{seed} in")
    taps = [_open_tap(name) for name in (near, far)]
    ways = {taps[0]: (out, taps[1]), taps[1]: (back, taps[0])}
    poll = select.poll()
    for source in (*taps, sys.stdin.fileno()):
        poll.register(source, select.POLLIN)
    while True:
        for source, _ in poll.poll(_patience_ms(out.next_due(), back.next_due())):
            if source not in ways:
                request = os.read(source, 4_096)  # one whole line: the next one waits for our answer
                if not request:
                    return
                _obey(json.loads(request), out, back)
                continue
            way, _ = ways[source]
            while (frame := _read(source)) is not None:
                way.take(frame, time.monotonic())
        for way, target in ways.values():
            for frame in way.due(time.monotonic()):
                _write(target, frame)


def _obey(request: dict[str, Any], out: Direction, back: Direction) -> None:
    if request:
        faults = Faults(**request["faults"])
        for name, way in (("out", out), ("in", back)):
            if request["way"] in ("both", name):
                way.faults = faults
    sys.stdout.write(json.dumps({"lost": out.lost + back.lost}) + "\n")
    sys.stdout.flush()


def _patience_ms(*due: float | None) -> float | None:
    first = min((each for each in due if each is not None), default=None)
    return None if first is None else max(0.0, first - time.monotonic()) * 1000


def _open_tap(name: str) -> int:
    tap = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
    fcntl.ioctl(tap, _TUNSETIFF, struct.pack("16sH22x", name.encode(), _IFF_TAP_NO_PI))
    subprocess.run(["ip", "link", "set", name, "up"], check=True)
    return tap


def _read(tap: int) -> bytes | None:
    try:
        return os.read(tap, FRAME_BYTES_MAX)
    except BlockingIOError:
        return None


def _write(tap: int, frame: bytes) -> None:
    try:
        os.write(tap, frame)
    except OSError:  # the interface is down: so is the cable
        return


if __name__ == "__main__":
    main()
