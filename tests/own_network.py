"""
A network of this process's own, so that what devices announce in one worker of the suite is not heard in another; and the
way into a network that ``ip netns add`` made.
"""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys
import tempfile
from contextlib import suppress
from pathlib import Path

CLONE_NEWNS, CLONE_NEWNET = 0x00020000, 0x40000000  # sched.h; Python has os.unshare from 3.12 on
MS_BIND, MS_REC, MS_SLAVE, MNT_DETACH = 0x1000, 0x4000, 0x80000, 2  # sys/mount.h
NAMED = Path("/var/run/netns")


LIKE_A_MACHINE = """\
link set lo up
link add eth0 type veth peer name cable
address add 192.0.2.2/24 dev eth0
link set cable up
link set eth0 up
route add default via 192.0.2.1
"""


def separate() -> bool:
    """
    Give this process, and all that it starts from now on, a network of its own: loopback, and an `eth0` that leads nowhere.

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
            subprocess.run(["ip", "-batch", "-"], input=LIKE_A_MACHINE.encode(), check=True, capture_output=True)
            # The other end of the cable is no interface of this machine, as far as anybody here can see.
            Path("/proc/sys/net/ipv6/conf/cable/disable_ipv6").write_text("1", encoding="ascii")
            _show_interfaces_of_this_network("own")
            _ask_nobody_for_names()
        except (OSError, subprocess.CalledProcessError):
            libc.setns(before, CLONE_NEWNET)
            return False
        return True
    finally:
        os.close(before)


def enter(namespace: str) -> None:
    """Bring this process into a named network, as `ip netns exec` does before it becomes another program."""
    with (NAMED / namespace).open("rb") as network:
        _check(ctypes.CDLL(None, use_errno=True).setns(network.fileno(), CLONE_NEWNET), namespace)
    _show_interfaces_of_this_network(namespace)


def _show_interfaces_of_this_network(name: str) -> None:
    """Mount /sys anew for this process alone: it shows the interfaces of the network in which it was mounted."""
    libc = ctypes.CDLL(None, use_errno=True)
    _check(libc.unshare(CLONE_NEWNS), name)
    _check(libc.mount(b"", b"/", b"none", ctypes.c_ulong(MS_SLAVE | MS_REC), None), name)
    libc.umount2(b"/sys", MNT_DETACH)
    _check(libc.mount(name.encode(), b"/sys", b"sysfs", ctypes.c_ulong(0), None), name)


def _ask_nobody_for_names() -> None:
    """
    Let this process ask itself for the addresses of names, where nobody answers: it knows at once that a name has none.

    The machine's own servers cannot be reached from here, and each question would wait for six seconds.
    """
    with tempfile.NamedTemporaryFile("w", encoding="ascii") as servers, suppress(OSError):
        servers.write("nameserver 127.0.0.1\n")
        servers.flush()
        place, libc = b"/etc/resolv.conf", ctypes.CDLL(None, use_errno=True)
        _check(libc.mount(servers.name.encode(), place, None, ctypes.c_ulong(MS_BIND), None), "names")


def _check(failed: int, name: str) -> None:
    if failed:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), name)
