"""
A Linux kernel for one command, where this machine's own lacks a module: user-mode Linux, which is an ordinary process.

    ended = run(sys.executable, "-m", "pytest", "tests/e2e/test_bad_lan.py", modules=["sch_netem"])
    assert ended.code == 0, ended.output

The command sees this machine's files. A file system in memory lies over them, so what it writes is gone with its kernel.
Its network is its own, without a connection to any other.

Source: https://www.kernel.org/doc/html/v6.1/virt/uml/user_mode_linux_howto_v2.html
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

_KERNEL: Final = "linux.uml"
_MEMORY: Final = "1G"  # the kernel takes only what it uses of it
_ENDED: Final = "the command ended with"

# The first process of the kernel. A file system in memory over the machine's takes what is written; should a line fail,
# the kernel loses its first process, says so, and ends.
_INIT: Final = """\
#!/bin/sh
set -e
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root TMPDIR=/run
mount -t proc proc /proc
modules=/usr/lib/uml/modules/$(uname -r)
insmod $modules/kernel/fs/overlayfs/overlay.ko
mount -t tmpfs tmpfs /mnt
mkdir /mnt/written /mnt/work /mnt/root
mount -t overlay -o lowerdir=/,upperdir=/mnt/written,workdir=/mnt/work overlay /mnt/root
cd /mnt/root
mount -t proc proc proc
mount -t sysfs sysfs sys
mount -t tmpfs tmpfs run
mount -t devtmpfs devtmpfs dev
mkdir -p dev/pts dev/shm lib/modules
mount -t devpts devpts dev/pts
mount -t tmpfs tmpfs dev/shm
ln -sfn $modules lib/modules/
chroot . modprobe -a {modules}
ip link set lo up
chroot . sh -c {command} && code=0 || code=$?
echo "{ended} $code"
echo o > /proc/sysrq-trigger
sleep 60
"""


PLACE: Final = "/var/tmp"  # such a kernel sees the files of this machine, and a /dev of its own: nothing in /dev/shm


@dataclass(frozen=True)
class Ended:
    """
    A command that ran in a kernel of its own.

    Attributes:
        code: Its exit code; None if it, or the kernel, did not end by itself.
        output: What it and the kernel printed.
    """

    code: int | None
    output: str


@cache
def fault() -> str:
    """Return why such a kernel is not possible here; empty if it is."""
    missing = [each for each in (_KERNEL, "insmod", "modprobe", "ip") if shutil.which(each) is None]
    if missing:
        return f"the command {missing[0]} is not installed (packages user-mode-linux, kmod, iproute2)"
    if os.geteuid() != 0:
        return "only root reads and runs all that its first process needs"
    if (
        "amx_tile" in Path("/proc/cpuinfo").read_text()
        and run("true", modules=["sch_netem"], folder=Path("/"), timeout_s=60).code != 0
    ):
        return "the kernel in the package user-mode-linux cannot keep the registers of this processor (AMX), and stops"
    return ""


def run(*command: str, modules: Sequence[str], folder: Path, timeout_s: float) -> Ended:
    """
    Run a command in a kernel of its own, as root, with one processor.

    Args:
        modules: Kernel modules to load first.
        folder: Where the command runs.
        timeout_s: Seconds after which the kernel is ended.
    """
    inner = f"cd {shlex.quote(str(folder))} && {shlex.join(command)}"
    with tempfile.TemporaryDirectory(dir=PLACE) as own:
        init = Path(own, "init")
        init.write_text(_INIT.format(modules=shlex.join(modules), command=shlex.quote(inner), ended=_ENDED))
        init.chmod(0o700)
        disk = ("rootfstype=hostfs", "rootflags=/", "ro", f"init={init}")
        console = ("con=null", "con0=null,fd:1", "quiet")
        process = subprocess.Popen(
            [_KERNEL, f"mem={_MEMORY}", f"uml_dir={own}", *disk, *console],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            start_new_session=True,  # its processes are processes of this machine: one group
        )
        try:
            output, _ = process.communicate(timeout=timeout_s)
        except BaseException as error:  # an interrupt, too, leaves no kernel behind
            os.killpg(process.pid, signal.SIGKILL)
            output, _ = process.communicate()
            if not isinstance(error, subprocess.TimeoutExpired):
                raise
    ended = re.search(rf"^{_ENDED} (\d+)", output, re.MULTILINE)
    return Ended(int(ended[1]) if ended else None, output)
