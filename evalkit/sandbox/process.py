"""One program in the sandbox, seen from outside: started, fed, watched, ended."""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, Any, Literal

from evalkit.core.errors import UsageError

MAX_OUTPUT_BYTES = 1 << 20
"""What is kept of stdout, and of stderr; a program that writes more is ended."""
MIN_MEMORY_MB = 64
_SAID = ("passed", "inside", "suspect")
_START_S = 30.0
_CHILD = Path(__file__).with_name("child.py")

Status = Literal["ok", "error", "timeout", "memory", "output_limit", "forbidden"]


@dataclass(frozen=True, slots=True)
class SandboxResult:
    """What became of a program."""

    status: Status
    """ok: it ended with exit code 0; error: with another, or by a signal; timeout: its time was over; memory:
    it ran out of memory, or the system ended it for that; output_limit: it wrote too much; forbidden: it
    failed on something that the sandbox refuses."""
    returncode: int | None
    """Its exit code, or minus the signal that ended it; None when it did not end by itself."""
    stdout: str
    """What it wrote, as UTF-8 with U+FFFD for what is none; at most MAX_OUTPUT_BYTES."""
    stderr: str
    """The same of its standard error."""
    duration_s: float
    """Seconds from the first line of the program to its end."""
    detail: str
    """Why it is not ok, in words; of an ok program, what it tried in vain; else empty."""
    layers: tuple[str, ...]
    """The protections that stood: see `capabilities`."""
    said: tuple[tuple[str, str], ...] = ()
    """What the tests told of a program that they ran against: (passed | inside | suspect, why). Empty of a
    program alone, which could write here itself."""


def run(
    code: str,
    *,
    stdin: str = "",
    timeout_s: float = 10.0,
    memory_mb: int = 512,
    files: Mapping[str, str] | None = None,
    skip: Iterable[str] = (),
    stop: threading.Event | None = None,
    tests: Mapping[str, Any] | None = None,
) -> SandboxResult:
    """What became of the program; `skip` leaves layers out, to test the others, and `stop` ends it early.

    With `tests` (see pair.py) these run against the program, which has an interpreter of its own. Raises
    UsageError on wrong arguments, and where no sandbox can be made.
    """
    _check(timeout_s, memory_mb, files or {})
    folder = os.path.realpath(tempfile.mkdtemp(prefix="evalkit-sandbox-"))
    config = {
        "code": code,
        "files": dict(files or {}),
        "folder": folder,
        "memory_mb": memory_mb,
        "timeout_s": timeout_s,
        "skip": sorted(skip),
    }
    sides = []
    if tests is not None:
        sides = [dict(tests), {"code": config.pop("code"), "names": tests["names"]}]
    try:
        return _Run(config, stdin, stop or threading.Event(), sides).result()
    finally:
        _remove(folder)


def _check(timeout_s: float, memory_mb: int, files: Mapping[str, str]) -> None:
    if os.name != "posix":
        raise UsageError("the sandbox needs Linux or macOS; on Windows, run evalkit inside WSL")
    if not 0 < timeout_s <= 86_400:
        raise UsageError(f"timeout_s must lie between 0 and 86400 seconds, not {timeout_s!r}")
    if isinstance(memory_mb, bool) or not isinstance(memory_mb, int) or memory_mb < MIN_MEMORY_MB:
        raise UsageError(f"memory_mb must be a whole number from {MIN_MEMORY_MB} on, not {memory_mb!r}")
    for name in files:
        path = PurePosixPath(name)
        if not path.parts or path.is_absolute() or ".." in path.parts or "\0" in name:
            raise UsageError(f"a file of the sandbox has a relative name without '..', not {name!r}")


def _remove(folder: str) -> None:
    """Removes the folder, also where the program has taken away the right to."""

    def retry(function: Callable[..., Any], path: str, _: object) -> None:
        with contextlib.suppress(OSError):
            os.chmod(os.path.dirname(path), stat.S_IRWXU)
            os.chmod(path, stat.S_IRWXU, follow_symlinks=not os.path.islink(path))
            shutil.rmtree(path) if os.path.isdir(path) and not os.path.islink(path) else os.unlink(path)

    shutil.rmtree(folder, onerror=retry)


class _Run:
    """One run of the child process."""

    def __init__(
        self, config: dict[str, Any], stdin: str, stop: threading.Event, sides: list[dict[str, Any]]
    ) -> None:
        self.config, self.stdin, self.stop, self.sides = config, stdin, stop, sides
        self.buffers: dict[str, bytearray] = {
            name: bytearray() for name in ("stdout", "stderr", "status", "report")
        }
        self.ended: Status | None = None
        self.started: float | None = None
        self.finished = 0.0
        self.kills: int | None = None
        """Processes that the system had killed for want of memory when the program began; None where it does
        not tell."""

    def result(self) -> SandboxResult:
        """Starts the child, follows it to its end, and says what it was."""
        with contextlib.ExitStack() as stack:
            stdin = _file(stack, self.stdin)
            sides = [_file(stack, json.dumps(side)) for side in self.sides]
            if sides:
                self.config["pair"] = [side.fileno() for side in sides]
            config = _file(stack, json.dumps(self.config))
            status, status_in = _pipe(stack)
            report, report_in = _pipe(stack)
            control_out, control = _pipe(stack)
            inherited = (config, status_in, report_in, control_out, *sides)
            fds = [file.fileno() for file in inherited]
            self.kills = count_memory_kills()
            process = subprocess.Popen(
                [sys.executable, "-s", "-S", "-P", "-B", "-X", "utf8", str(_CHILD), *map(str, fds[:4])],
                stdin=stdin,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env={"PYTHONHASHSEED": "0"},  # so that two runs agree; the child empties its environment
                cwd="/",
                pass_fds=fds,
                start_new_session=True,
            )
            for file in inherited:
                file.close()
            try:
                self._follow(process, {status.fileno(): "status", report.fileno(): "report"})
            finally:
                self.finished = time.monotonic()
                control.close()
                _end(process)
        return self._judge()

    def _follow(self, process: subprocess.Popen[bytes], pipes: dict[int, str]) -> None:
        """Reads all pipes until the child is gone or has to be."""
        begun = time.monotonic()
        with selectors.DefaultSelector() as selector:
            for stream, name in ((process.stdout, "stdout"), (process.stderr, "stderr")):
                if stream is not None:
                    selector.register(stream.fileno(), selectors.EVENT_READ, name)
            for fd, name in pipes.items():
                selector.register(fd, selectors.EVENT_READ, name)
            grace: float | None = None
            while selector.get_map():
                for key, _ in selector.select(0.05):
                    self._read(selector, key)
                now = time.monotonic()
                if self.started is None and self.buffers["status"]:
                    self.started = now
                limit = _START_S if self.started is None else self.config["timeout_s"]
                if now - (self.started or begun) > limit:
                    self.ended = "timeout"
                if self.ended or self.stop.is_set():
                    return
                if process.poll() is not None:
                    grace = grace or now + 0.5  # what is written is read; what outlives is not waited for
                    if now > grace:
                        return

    def _read(self, selector: selectors.BaseSelector, key: selectors.SelectorKey) -> None:
        name = key.data
        chunk = os.read(key.fd, 1 << 16)
        buffer = self.buffers[name]
        if not chunk:
            selector.unregister(key.fd)
        elif len(buffer) + len(chunk) <= MAX_OUTPUT_BYTES:
            buffer += chunk
        else:
            buffer += chunk[: MAX_OUTPUT_BYTES - len(buffer)]
            if name in ("stdout", "stderr"):
                self.ended = "output_limit"

    def _judge(self) -> SandboxResult:
        duration = 0.0 if self.started is None else self.finished - self.started
        told: dict[str, Any] = {}
        for line in self.buffers["status"].splitlines():
            told |= json.loads(line)
        if "failed" in told or "layers" not in told:
            cause = told.get("failed") or self.buffers["stderr"].decode("utf-8", "replace")[-500:].strip()
            raise UsageError(f"the sandbox could not start: {cause or 'its process ended at once'}")
        reports = _reports(self.buffers["report"])
        code = told["exit"] if "exit" in told else -told["signal"] if "signal" in told else None
        status, detail = self._verdict(code, reports, told)
        return SandboxResult(
            status=status,
            returncode=None if self.ended else code,
            stdout=self.buffers["stdout"].decode("utf-8", "replace"),
            stderr=self.buffers["stderr"].decode("utf-8", "replace"),
            duration_s=duration,
            detail=detail,
            layers=tuple(told["layers"]),
            said=tuple(item for item in reports if item[0] in _SAID) if self.sides else (),
        )

    def _verdict(
        self, code: int | None, reports: list[tuple[str, str]], told: Mapping[str, Any]
    ) -> tuple[Status, str]:
        """Status and detail. What the code itself reports can only make a failure more precise."""
        attempts = dict.fromkeys(text for kind, text in reports if kind == "refused")
        refused = f"refused: {'; '.join(attempts)}"[:500] if attempts else ""
        reasons = (item for item in reversed(reports) if item[0] not in ("refused", *_SAID))
        reason = next(reasons, ("error", ""))
        if self.ended == "timeout" or code == -signal.SIGXCPU:
            return "timeout", "; ".join(
                filter(None, [f"no end after {self.config['timeout_s']:g} s", refused])
            )
        if self.ended == "output_limit":
            return "output_limit", f"more than {MAX_OUTPUT_BYTES} bytes of output"
        if code == 0:
            return "ok", refused
        if code is None:
            return "error", "stopped from outside"
        if reason[0] == "memory":
            return "memory", f"more than {self.config['memory_mb']} MiB of memory"
        if code == -signal.SIGKILL:
            return self._killed(told)
        if reason[0] == "forbidden":
            return "forbidden", reason[1]
        if code < 0:
            return "error", f"ended by signal {signal.Signals(-code).name}"
        return "error", "; ".join(filter(None, [reason[1] or f"exit code {code}", refused]))

    def _killed(self, told: Mapping[str, Any]) -> tuple[Status, str]:
        """Who sent SIGKILL, by what the system counted: the limit of processor time, want of memory, or else
        the program itself."""
        cpu, allowed = float(told.get("cpu_s", 0.0)), int(self.config["timeout_s"]) + 2
        if cpu >= allowed:
            return "timeout", f"{cpu:.0f} s of processor time, of which it may have {allowed}"
        now = count_memory_kills()
        took = f"with {told['peak_mb']:.0f} MiB in use at most" if "peak_mb" in told else ""
        if now is not None and self.kills is not None and now > self.kills:
            return "memory", f"killed by the system for want of memory, {took}"
        if now is None or self.kills is None:
            return (
                "error",
                f"ended by signal SIGKILL, {took}; whether memory ran out the system does not tell",
            )
        return "error", f"ended by signal SIGKILL, {took}; the system killed nothing for want of memory"


_CGROUPS = (
    ("", "/sys/fs/cgroup", "memory.events"),  # version 2
    ("memory", "/sys/fs/cgroup/memory", "memory.oom_control"),  # version 1
)


def count_memory_kills() -> int | None:
    """Processes that the kernel has killed so far for want of memory in the control group of this process;
    None where it does not tell."""
    try:
        groups = Path("/proc/self/cgroup").read_text().splitlines()
    except OSError:
        return None
    for controller, root, name in _CGROUPS:
        paths = [
            path
            for _, names, path in (line.split(":", 2) for line in groups)
            if controller in names.split(",")
        ]
        for path in paths:
            # In a container the path is that of the host, and the group is mounted at the root.
            for file in (Path(root + path) / name, Path(root) / name):
                with contextlib.suppress(OSError, ValueError):
                    counts = dict(line.split() for line in file.read_text().splitlines())
                    if "oom_kill" in counts:
                        return int(counts["oom_kill"])
    return None


def _reports(raw: bytearray) -> list[tuple[str, str]]:
    """(kind, text) of each well-formed line; the program can write here too, so that nothing is believed."""
    found = []
    for line in raw.splitlines():
        try:
            kind, text = json.loads(line)
        except (ValueError, TypeError, RecursionError):
            continue
        if kind in ("refused", "memory", "forbidden", "error", *_SAID) and isinstance(text, str):
            found.append((kind, text))
    return found


def _file(stack: contextlib.ExitStack, text: str) -> IO[bytes]:
    """A nameless file with this text, read from its beginning."""
    with contextlib.ExitStack() as opened:
        file: IO[bytes] = opened.enter_context(tempfile.TemporaryFile())
        file.write(text.encode("utf-8", "surrogatepass"))
        file.seek(0)
        stack.push(opened.pop_all())
    return file


def _pipe(stack: contextlib.ExitStack) -> tuple[IO[bytes], IO[bytes]]:
    """(reading end, writing end) of a pipe; both are closed with the stack, where they are not before."""
    reading, writing = os.pipe()
    return (
        stack.enter_context(os.fdopen(reading, "rb", buffering=0)),
        stack.enter_context(os.fdopen(writing, "wb", buffering=0)),
    )


def _end(process: subprocess.Popen[bytes]) -> None:
    """Waits for the guard, which kills everything below it; where it does not answer, kills its group."""
    try:
        process.wait(timeout=5)
        answered = sys.platform == "linux"
    except subprocess.TimeoutExpired:
        answered = False
    if not answered:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    for stream in (process.stdout, process.stderr):
        if stream is not None:
            stream.close()
