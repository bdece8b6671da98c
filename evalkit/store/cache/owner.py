"""This process as others can recognise it, and whether another process still lives."""

from __future__ import annotations

import contextlib
import functools
import os
import platform
import sys
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Owner:
    """A process that asks, as it stands in the cache."""

    name: str
    """Drawn anew for every opened cache."""
    host: str
    """Machine, boot and process namespace: where the number below means a process."""
    pid: int
    started: str
    """When the process began, as its system counts; empty where that is unknown. A number is used again, this
    pair is not."""

    @property
    def lives(self) -> bool | None:
        """Whether the process runs; None when it belongs to another host or the system does not say."""
        if self.host != this_host() or sys.platform == "win32":
            return None
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return False
        except OSError:
            pass  # somebody else's
        started = process_start(self.pid)
        return None if started is None else bool(started) and (not self.started or started == self.started)


def this_process(name: str) -> Owner:
    """The owner that this process is."""
    return Owner(name, this_host(), os.getpid(), process_start(os.getpid()) or "")


@functools.cache
def this_host() -> str:
    """The machine since its last boot and the namespace of its process numbers, at most 200 characters."""
    parts = [platform.node()]
    with contextlib.suppress(OSError):  # not Linux
        parts.append(Path("/proc/sys/kernel/random/boot_id").read_text().strip())
        parts.append(str(Path("/proc/self/ns/pid").readlink()))
    return " ".join(parts)[-200:]


def process_start(pid: int) -> str | None:
    """When a process began, in ticks since boot; empty when it has ended, None where nobody says."""
    if not Path("/proc/self/stat").exists():
        return None
    try:
        fields = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()
    except OSError:
        return ""
    return "" if fields[0] in b"ZX" else fields[19].decode()  # a zombie asks nothing any more
