"""The sandbox from inside: started as a script in a bare interpreter, it locks itself in and runs the code.

Three processes: a guard outside the walls, which kills all when its parent says so or ends; below it, in the
process namespace where there is one, a keeper, whose end ends every other process there; below that the code.
A program that is tested (see pair.py) is a fourth, which the tests fork before either has read its own code.
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
import time
import traceback
from collections.abc import Callable
from types import ModuleType
from typing import Any, NoReturn

LINUX = sys.platform == "linux"


def _load(name: str) -> Any:
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), f"{name}.py")
    spec = importlib.util.spec_from_file_location(f"_sandbox_{name}", path)
    if spec is None or spec.loader is None:
        raise ImportError(path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


walls = _load("walls")


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
        walls.attempt("subreaper", skip, [], kernel.adopt_orphans)
        namespaced = walls.attempt("namespaces", skip, active, kernel.enter_namespaces)
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
    files: tuple[Any, Any] | None = None
    try:
        audit = None if "audit" in config["skip"] else _load("audit")  # out of reach once the walls stand
        tested = (_load("pair"), _load("plain")) if "pair" in config else None
        uid = walls.settle(config, active, kernel)
        if tested is not None:
            files = fork_pair(config, report)
        walls.lock(config, active, kernel, uid)
        if audit is not None:
            active.append("audit")
        if config["role"] != "program":
            send(status, {"layers": active})
        os.close(status)
    except Exception as error:
        send(status, {"failed": f"{type(error).__name__}: {error}"})
        os._exit(1)
    if tested is None or files is None:
        execute(config, report, audit)
    execute_side(config, files, tested, report, audit)


def fork_pair(config: dict[str, Any], report: int) -> tuple[Any, Any]:
    """(what this side writes to, what it reads from). The child is the program, the parent its tests; each
    has a folder of its own and reads its own code alone."""
    to_program, to_tests = os.pipe(), os.pipe()
    config["role"] = "tests" if os.fork() else "program"
    is_tests = config["role"] == "tests"
    own, others = config["pair"] if is_tests else config["pair"][::-1]
    os.close(others)
    if not is_tests:
        os.close(report)
    for fd in (to_program[0], to_tests[1]) if is_tests else (to_program[1], to_tests[0]):
        os.close(fd)
    with os.fdopen(own, "rb") as file:
        config["side"] = json.load(file)
    config["folder"] = os.path.join(config["folder"], config["role"])
    os.chdir(config["folder"])
    writing, reading = (to_program[1], to_tests[0]) if is_tests else (to_tests[1], to_program[0])
    return os.fdopen(writing, "wb"), os.fdopen(reading, "rb")


FORBIDDEN = {errno.EPERM, errno.EACCES, errno.EROFS, errno.ENETUNREACH, errno.ENETDOWN}


def undress(config: dict[str, Any], audit: Any, refused: Callable[[str], None]) -> None:
    """Takes away what the code must not find, and puts up the hook."""
    for name in ("ctypes", "_sandbox_kernel", "_sandbox_audit"):
        sys.modules.pop(name, None)
    sys.argv[:] = ["main.py"]
    if config["role"] != "tests":  # what the program writes must not become a module of its tests
        sys.path.insert(0, config["folder"])
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(line_buffering=True)  # what was written before a timeout is kept
    if audit is not None:
        audit.install(config["folder"], walls.readable_paths(), walls.DEVICES, refused)


def execute(config: dict[str, Any], report: int, audit: Any) -> NoReturn:
    """Runs the code as `__main__`; the reason of a failure goes to `report`, the traceback to stderr."""
    me, spare, code = os.getpid(), bytearray(1 << 20), config["code"]
    module = ModuleType("__main__")
    module.__dict__["__file__"] = "main.py"
    sys.modules["__main__"] = module
    linecache.cache["main.py"] = (len(code), None, code.splitlines(keepends=True), "main.py")
    try:
        program = compile(code, "main.py", "exec")
        undress(config, audit, lambda text: tell(report, "refused", text))
        exec(program, module.__dict__)
        sys.stdout.flush()
    except SystemExit:
        raise
    except BaseException as error:
        spare.clear()
        if os.getpid() == me:
            tell(report, *reason(error))
        show(error)
        sys.exit(1)
    sys.exit(0)


def execute_side(config: dict[str, Any], files: Any, tested: Any, report: int, audit: Any) -> NoReturn:
    """Runs the tests, or the program that they test; only the tests tell what came of it."""
    pair, plain = tested
    for name in ("_sandbox_pair", "_sandbox_plain"):
        sys.modules.pop(name, None)
    if config["role"] == "program":
        undress(config, audit, lambda text: None)
        try:
            pair.serve(config["side"], *files[::-1], plain)
        except BaseException as error:
            show(error)
        os._exit(1)
    undress(config, audit, lambda text: tell(report, "refused", text))
    program = pair.Program(*files, plain, lambda text: tell(report, "suspect", text))
    try:
        pair.judge(
            config["side"], program, lambda text, space: exec(compile(text, "tests.py", "exec"), space)
        )
        sys.stdout.flush()
        tell(report, "passed", "")
        os._exit(0)
    except pair.Inside as need:
        tell(report, "inside", str(need))
    except BaseException as error:
        tell(report, *reason(error))
        show(error)
    os._exit(1)


def show(error: BaseException) -> None:
    """Writes the traceback to stderr, from the first frame that is not the sandbox's own."""
    ours = os.path.dirname(os.path.abspath(__file__))
    try:
        while error.__traceback__ and error.__traceback__.tb_frame.f_code.co_filename.startswith(ours):
            error.__traceback__ = error.__traceback__.tb_next
        traceback.print_exception(error)
        sys.stderr.flush()
    except MemoryError:
        os.write(2, b"MemoryError\n")


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
