"""The sandbox from inside: started as a script in a bare interpreter, it locks itself in and runs the code.

Three processes: a guard outside the walls, which kills all when its parent says so or ends; below it, in the
process namespace where there is one, a keeper, whose end ends every other process there; below that the code.
Standard library only, and nothing of evalkit.
"""

from __future__ import annotations

import errno
import importlib.util
import io
import json
import linecache
import os
import resource
import select
import signal
import sys
import sysconfig
import time
import traceback
from collections.abc import Callable
from types import ModuleType
from typing import Any, NoReturn

LINUX = sys.platform == "linux"
MAX_FILE_BYTES = 16 << 20
SCRATCH_MB = 64
MAX_FILES = 64
MAX_THREADS = 64
DEVICES = ("/dev/null", "/dev/zero", "/dev/urandom", "/dev/random")


def _load(name: str) -> Any:
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), f"{name}.py")
    spec = importlib.util.spec_from_file_location(f"_sandbox_{name}", path)
    if spec is None or spec.loader is None:
        raise ImportError(path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


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


def main(config_fd: int, status: int, report: int, control: int) -> NoReturn:
    """Runs the guard; the other processes leave it by fork and never return here."""
    with os.fdopen(config_fd, "rb") as file:
        config = json.load(file)
    os.environ.clear()
    config["number"] = os.getpid()  # inside its namespace every program has the same
    skip, active = config["skip"], list[str]()
    kernel = _load("kernel") if LINUX else None
    namespaced = False
    if kernel:
        attempt("subreaper", skip, [], kernel.adopt_orphans)
        namespaced = attempt("namespaces", skip, active, kernel.enter_namespaces)
    child = os.fork()
    if child == 0:
        os.close(control)
        if kernel:
            kernel.die_with_parent()
        if namespaced:
            keep(lambda: run(config, active, kernel, status, report), status, report)
        run(config, active, kernel, status, report)
    os.close(report)
    if namespaced:
        os.close(status)
        guard(child, control)
    else:
        send(status, guard(child, control))
    os._exit(0)


def keep(start: Callable[[], NoReturn], status: int, report: int) -> NoReturn:
    """First process of its namespace: reaps orphans, says how the code ended, and takes all along."""
    child = os.fork()
    if child == 0:
        start()
    os.close(report)
    for fd in (0, 1, 2):
        os.close(fd)
    while True:
        pid, ended, usage = os.wait4(-1, 0)
        if pid == child:
            send(status, outcome(ended, usage))
            os._exit(0)


def guard(child: int, control: int) -> dict[str, float]:
    """How the child ended; it and all its descendants are killed when `control` is closed at the far end."""
    for fd in (0, 1, 2):
        os.close(fd)
    while True:
        pid, ended, usage = os.wait4(child, os.WNOHANG)
        if pid:
            break
        if select.select([control], [], [], 0.005)[0]:
            os.kill(child, signal.SIGKILL)
            _, ended, usage = os.wait4(child, 0)
            break
    if LINUX:
        kill_descendants()
    return outcome(ended, usage)


def kill_descendants() -> None:
    """Kills what the code has left behind, again and again, until nothing is left or two seconds are over."""
    deadline = time.monotonic() + 2
    while time.monotonic() < deadline:
        found = descendants(os.getpid())
        if not found:
            return
        for pid in found:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        try:
            while os.waitpid(-1, os.WNOHANG)[0]:
                continue
        except ChildProcessError:
            continue


def descendants(pid: int) -> list[int]:
    """The processes below this one, as /proc shows them."""
    parents: dict[int, list[int]] = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                with open(f"/proc/{name}/stat", "rb") as file:
                    parent = int(file.read().rpartition(b")")[2].split()[1])
            except (OSError, IndexError):
                continue
            parents.setdefault(parent, []).append(int(name))
    found, open_ = list[int](), [pid]
    while open_:
        below = parents.get(open_.pop(), [])
        found += below
        open_ += below
    return found


def outcome(ended: int, usage: resource.struct_rusage) -> dict[str, float]:
    """The end of a process in words: {exit: code} or {signal: number}; and its most memory in MiB and seconds
    of processor time, those of children that it waited for among them."""
    code = os.waitstatus_to_exitcode(ended)
    took = {
        "peak_mb": usage.ru_maxrss / (1024 if LINUX else 1 << 20),
        "cpu_s": usage.ru_utime + usage.ru_stime,
    }
    return {"exit": code, **took} if code >= 0 else {"signal": -code, **took}


def send(fd: int, message: Any) -> None:
    """Writes the message as one line."""
    os.write(fd, json.dumps(message).encode() + b"\n")


def run(config: dict[str, Any], active: list[str], kernel: Any, status: int, report: int) -> NoReturn:
    """Locks this process in, tells which layers stand, and runs the code."""
    try:
        audit = None if "audit" in config["skip"] else _load("audit")  # out of reach once the walls stand
        lock(config, active, kernel)
        if audit is not None:
            active.append("audit")
        send(status, {"layers": active})
        os.close(status)
    except Exception as error:
        send(status, {"failed": f"{type(error).__name__}: {error}"})
        os._exit(1)
    execute(config["code"], config["folder"], report, audit)


def lock(config: dict[str, Any], active: list[str], kernel: Any) -> None:
    """Raises every layer that this system allows, in the order in which each still can be."""
    folder, skip = config["folder"], config["skip"]
    if "namespaces" in active:
        attempt("scratch", skip, active, lambda: kernel.mount_scratch(folder, SCRATCH_MB))
    os.chdir(folder)
    for name, text in config["files"].items():
        os.makedirs(os.path.dirname(name) or ".", exist_ok=True)
        with open(name, "w", encoding="utf-8", newline="") as file:
            file.write(text)
    uid = kernel.spare_uid(config["number"]) if kernel and os.geteuid() == 0 and "uid" not in skip else None
    if uid is not None:
        for parent, folders, names in os.walk("."):
            for name in (".", *folders, *names):
                os.chown(os.path.join(parent, name), uid, uid)
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


FORBIDDEN = {errno.EPERM, errno.EACCES, errno.EROFS, errno.ENETUNREACH, errno.ENETDOWN}


def execute(code: str, folder: str, report: int, audit: Any) -> NoReturn:
    """Runs the code as `__main__`; the reason of a failure goes to `report`, the traceback to stderr."""
    me, spare = os.getpid(), bytearray(1 << 20)
    module = ModuleType("__main__")
    module.__dict__["__file__"] = "main.py"
    for name in ("ctypes", "_sandbox_kernel", "_sandbox_audit"):
        sys.modules.pop(name, None)
    sys.modules["__main__"] = module
    sys.argv[:] = ["main.py"]
    sys.path.insert(0, folder)
    linecache.cache["main.py"] = (len(code), None, code.splitlines(keepends=True), "main.py")
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(line_buffering=True)  # what was written before a timeout is kept
    try:
        program = compile(code, "main.py", "exec")
        if audit is not None:
            audit.install(folder, readable_paths(), DEVICES, lambda text: tell(report, "refused", text))
        exec(program, module.__dict__)
        sys.stdout.flush()
    except SystemExit:
        raise
    except BaseException as error:
        spare.clear()
        if os.getpid() == me:
            tell(report, *reason(error))
        try:
            if error.__traceback__ is not None:
                error.__traceback__ = error.__traceback__.tb_next
            traceback.print_exception(error)
        except MemoryError:
            os.write(2, b"MemoryError\n")
        sys.exit(1)
    sys.exit(0)


def reason(error: BaseException) -> tuple[str, str]:
    """(memory | forbidden | error, what was said): the cause, however deep it was wrapped."""
    cause: BaseException | None = error
    for _ in range(20):
        if isinstance(cause, MemoryError):
            return "memory", "MemoryError"
        if isinstance(cause, OSError) and cause.errno in FORBIDDEN:
            return "forbidden", f"{type(cause).__name__}: {cause}"
        if isinstance(cause, BlockingIOError):
            return "forbidden", f"no more processes or threads: {cause}"
        if cause is None:
            break
        cause = cause.__cause__ or cause.__context__
    return "error", f"{type(error).__name__}: {error}"


def tell(fd: int, kind: str, text: str) -> None:
    """Writes why the code failed; short, for the pipe must take it at once."""
    try:
        os.write(fd, json.dumps([kind, text[:500]]).encode() + b"\n")
    except (OSError, MemoryError):
        os.write(fd, b'["memory", "MemoryError"]\n' if kind == "memory" else b'["error", ""]\n')


if __name__ == "__main__":
    main(*map(int, sys.argv[1:5]))
