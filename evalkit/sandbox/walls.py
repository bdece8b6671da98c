"""The walls around a process of the sandbox, raised from inside: what stays in reach, and how much of it.

Standard library only, and nothing of evalkit.
"""

from __future__ import annotations

import os
import resource
import sys
import sysconfig
from collections.abc import Callable
from typing import Any

LINUX = sys.platform == "linux"
MAX_FILE_BYTES = 16 << 20
SCRATCH_MB = 64
MAX_FILES = 64
MAX_THREADS = 64
DEVICES = ("/dev/null", "/dev/zero", "/dev/urandom", "/dev/random")


def readable_paths() -> list[str]:
    """What the code may read besides its own folder: the standard library and what it is linked with."""
    paths = {sysconfig.get_path("stdlib"), sysconfig.get_path("platstdlib"), os.path.dirname(os.__file__)}
    paths |= {os.path.join(sys.base_prefix, name) for name in ("lib", "lib64") if sys.base_prefix != "/"}
    paths |= {"/lib", "/lib64", "/usr/lib", "/usr/lib64", "/usr/local/lib", "/usr/share/zoneinfo"}
    paths |= {"/etc/localtime", "/etc/ld.so.cache", "/usr/share/locale", "/System/Library"}
    return sorted(os.path.realpath(path) for path in paths if path and os.path.exists(path))


def attempt(layer: str, skip: list[str], active: list[str], raise_: Callable[[], object]) -> bool:
    """Whether the layer stands now; what the system refuses is left out and not named as active."""
    if layer in skip:
        return False
    try:
        raise_()
    except (OSError, KeyError, ValueError):
        return False
    active.append(layer)
    return True


def settle(config: dict[str, Any], active: list[str], kernel: Any) -> int | None:
    """The user id under which the code will run (None for the present one), once its folder is ready."""
    folder, skip = config["folder"], config["skip"]
    config["role"] = "alone"
    if "namespaces" in active:
        attempt("scratch", skip, active, lambda: kernel.mount_scratch(folder, SCRATCH_MB))
    os.chdir(folder)
    for name, text in config["files"].items():
        os.makedirs(os.path.dirname(name) or ".", exist_ok=True)
        with open(name, "w", encoding="utf-8", newline="") as file:
            file.write(text)
    for name in ("tests", "program") if "pair" in config else ():
        os.mkdir(name)
    uid: int | None = None
    if kernel and os.geteuid() == 0 and "uid" not in skip:
        uid = kernel.spare_uid(config["number"])
        for parent, folders, names in os.walk("."):
            for name in (".", *folders, *names):
                os.chown(os.path.join(parent, name), uid, uid)
    return uid


def lock(config: dict[str, Any], active: list[str], kernel: Any, uid: int | None) -> None:
    """Raises every layer that this system allows, in the order in which each still can be."""
    set_limits(config, alone=uid is not None or "namespaces" in active)
    active.append("limits")
    if kernel is not None:
        lock_kernel(config, active, kernel, uid)
    if os.geteuid() == 0 and not {"landlock", "seccomp"} <= set(active):
        raise OSError("root's files and processes would be in reach; run evalkit as an ordinary user")


def lock_kernel(config: dict[str, Any], active: list[str], kernel: Any, uid: int | None) -> None:
    """Raises Linux's walls around this process."""
    folder, skip = config["folder"], config["skip"]
    paths = readable_paths()
    locked = False
    kernel.forbid_new_privileges()
    if "landlock" not in skip:
        locked = attempt("landlock", skip, active, lambda: kernel.landlock(paths, DEVICES, folder))
    if uid is not None:
        read_all = not open_to_all(os.__file__)
        if read_all and not locked:
            raise OSError(f"only root can read {os.__file__}; run evalkit as an ordinary user")
        attempt("uid", skip, active, lambda: kernel.become(uid, read_all))
        if "uid" not in active and os.geteuid():
            raise OSError("the rights of root were given up in part")
    if "uid" not in active:
        kernel.drop_capabilities()
    kernel.die_with_parent()
    attempt("seccomp", skip, active, kernel.seccomp)


def open_to_all(path: str) -> bool:
    """Whether any user may read the file: it, and every folder on the way."""
    path = os.path.realpath(path)
    if not os.stat(path).st_mode & 0o004:
        return False
    while path != "/":
        path = os.path.dirname(path)
        if not os.stat(path).st_mode & 0o001:
            return False
    return True


def set_limits(config: dict[str, Any], alone: bool) -> None:
    """Memory, CPU seconds, processes and threads, size and number of files; no core dumps."""
    seconds = int(config["timeout_s"]) + 2
    limits = {
        "RLIMIT_CORE": 0,
        "RLIMIT_FSIZE": MAX_FILE_BYTES,
        "RLIMIT_NOFILE": MAX_FILES,
        "RLIMIT_AS": config["memory_mb"] << 20,
        "RLIMIT_NPROC": MAX_THREADS + (0 if alone else own_tasks()),
    }
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + 1))
    for name, value in limits.items():
        kind = getattr(resource, name, None)
        if kind is not None:
            ceiling = resource.getrlimit(kind)[1]
            value = value if ceiling == resource.RLIM_INFINITY else min(value, ceiling)
            try:
                resource.setrlimit(kind, (value, value))
            except (OSError, ValueError):
                if LINUX:
                    raise


def own_tasks() -> int:
    """Threads that this user has now: the limit counts them all."""
    count = 0
    for name in os.listdir("/proc") if LINUX else ():
        try:
            if name.isdigit() and os.stat(f"/proc/{name}").st_uid == os.getuid():
                count += len(os.listdir(f"/proc/{name}/task"))
        except OSError:
            continue
    return count or 1024
