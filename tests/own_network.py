"""
A network of this process's own, so that what devices announce in one worker of the suite is not heard in another; and the
way into a network that ``ip netns add`` made.
"""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys
from pathlib import Path

CLONE_NEWNS, CLONE_NEWNET = 0x00020000, 0x40000000  # sched.h; Python has os.unshare from 3.12 on
MS_REC, MS_SLAVE, MNT_DETACH = 0x4000, 0x80000, 2  # sys/mount.h
NAMED = Path("/var/run/netns")


def separate() -> bool:
    """Give this process, and all that it starts from now on, a network with nothing but loopback.

    Returns:
        Whether that could be done: it needs Linux, root and `ip`. Without them the tests share the machine's network.
    """
    if sys.platform != "linux" or os.geteuid() != 0:
        return False
    before = os.open("/proc/self/ns/net", os.O_RDONLY)
    libc = ctypes.CDLL(None, use_errno=True)
    try:
        if libc.unshare(CLONE_NEWNET):
            return False
        try:
            subprocess.run(["ip", "link", "set", "lo", "up"], check=True, capture_output=True)
        except (OSError, subprocess.CalledProcessError):
            libc.setns(before, CLONE_NEWNET)
            return False
        return True
    finally:
        os.close(before)


def enter(namespace: str) -> None:
    """Bring this process into a named network, as `ip netns exec` does before it becomes another program."""
    libc = ctypes.CDLL(None, use_errno=True)

    def done(failed: int) -> None:
        if failed:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number), namespace)

    with (NAMED / namespace).open("rb") as network:
        done(libc.setns(network.fileno(), CLONE_NEWNET))
    done(libc.unshare(CLONE_NEWNS))
    done(libc.mount(b"", b"/", b"none", ctypes.c_ulong(MS_SLAVE | MS_REC), None))
    libc.umount2(b"/sys", MNT_DETACH)  # it shows the interfaces of the network in which it was mounted
    done(libc.mount(namespace.encode(), b"/sys", b"sysfs", ctypes.c_ulong(0), None))
