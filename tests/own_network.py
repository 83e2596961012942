"""A network of this process's own, so that what devices announce in one worker of the suite is not heard in another."""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys

CLONE_NEWNET = 0x40000000  # sched.h; Python has os.unshare from 3.12 on


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
