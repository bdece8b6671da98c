"""The sandbox: Python that nobody has read is run in a process of its own, with limits and without network.

    result = run_python("print(6 * 7)", timeout_s=5)
    result.status, result.stdout        # "ok", "42\\n"

Layers, each used where the system allows it (`capabilities` says which stand here):

- limits: memory, CPU time, threads, size and number of open files (setrlimit).
- namespaces: no network, own processes, mounts and IPC; when the first process ends, all of them do.
- scratch: the working folder is a memory file system of 64 MiB.
- uid: as root, the program runs under a user id that nobody has.
- landlock: nothing can be opened but the folder and, for reading, Python's standard library and the
  system's libraries; on newer kernels no TCP and no signal to a process outside.
- seccomp: no new process, no other program, no socket, no signal but to itself.
- audit: a hook in the interpreter refuses the same, with a reason that can be read.

What is not prevented: the program sees that files exist and how large they are (not what is in them); it uses
the processor for its time and the memory it is given. With no layer but `limits` and `audit` (macOS, or a
kernel that refuses all the others), code that reaches into the interpreter's memory can read and write what
the user can. Flaws of the kernel are out of scope: against an attacker, rather than a model's mistakes, use a
virtual machine.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Mapping
from functools import cache, partial
from typing import Any

from evalkit.sandbox.process import MAX_OUTPUT_BYTES, SandboxResult, run

__all__ = ["MAX_OUTPUT_BYTES", "SandboxResult", "capabilities", "run_python", "run_python_async"]

LAYERS = ("limits", "namespaces", "scratch", "uid", "landlock", "seccomp", "audit")
"""All layers, from the outermost to the innermost."""


def run_python(
    code: str,
    *,
    stdin: str = "",
    timeout_s: float = 10.0,
    memory_mb: int = 512,
    files: Mapping[str, str] | None = None,
    tests: Mapping[str, Any] | None = None,
) -> SandboxResult:
    """What became of the program, whatever it did.

    With `tests` it is a module in one interpreter, and these run in another, which alone judge: it has passed
    when `said` has "passed". They are {before, code: texts that run there, names: those of the program that
    they use, looks_inside: whether they look into objects of its classes}. Else it runs as `__main__`, in a
    folder that holds only `files` (relative name -> text) and is removed afterwards. It has an empty
    environment and the standard library alone. Raises UsageError on wrong arguments, and where no sandbox can
    be made; never because of the program.
    """
    return run(code, stdin=stdin, timeout_s=timeout_s, memory_mb=memory_mb, files=files, tests=tests)


async def run_python_async(
    code: str,
    *,
    stdin: str = "",
    timeout_s: float = 10.0,
    memory_mb: int = 512,
    files: Mapping[str, str] | None = None,
) -> SandboxResult:
    """The same without blocking the event loop; when the task is cancelled, the program is ended at once."""
    stop = threading.Event()
    call = partial(run, code, stdin=stdin, timeout_s=timeout_s, memory_mb=memory_mb, files=files, stop=stop)
    future = asyncio.get_running_loop().run_in_executor(None, call)
    try:
        return await asyncio.shield(future)
    except asyncio.CancelledError:
        stop.set()
        await asyncio.wait([future])
        raise


@cache
def capabilities() -> dict[str, bool]:
    """Layer -> whether it stands on this system, found out by running an empty program once."""
    layers = run("pass").layers
    return {layer: layer in layers for layer in LAYERS}
