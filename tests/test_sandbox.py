"""Each attack is contained, and reported as what it was.

With all layers that stand here, and with the kernel's alone: the hook in the interpreter must not be what
holds. No attack here aims beyond a process or a file that the test itself has made.
"""

from __future__ import annotations

import asyncio
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from evalkit.core.errors import UsageError
from evalkit.sandbox import (
    MAX_OUTPUT_BYTES,
    SandboxResult,
    capabilities,
    process,
    run_python,
    run_python_async,
)
from evalkit.sandbox.process import run

pytestmark = pytest.mark.skipif(os.name != "posix", reason="the sandbox needs Linux or macOS")


@pytest.fixture(params=["all layers", "kernel alone"])
def skip(request: pytest.FixtureRequest) -> tuple[str, ...]:
    """The layers to leave out; the kernel is tested alone where it offers what holds without the hook."""
    if request.param == "all layers":
        return ()
    if not (capabilities()["landlock"] and capabilities()["seccomp"]):
        pytest.skip("this kernel has no landlock or no seccomp")
    return ("audit",)


@pytest.fixture
def victim() -> Iterator[subprocess.Popen[bytes]]:
    """A process of the same user, outside."""
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        yield process
        process.kill()


def attack(code: str, skip: tuple[str, ...], timeout_s: float = 5.0) -> SandboxResult:
    """The result of the program under tight limits."""
    return run(code, timeout_s=timeout_s, memory_mb=256, skip=skip)


def processes_named(name: str) -> list[str]:
    """The ids of processes with this name."""
    found = []
    for place in Path("/proc").glob("[0-9]*/comm"):
        try:
            if place.read_text().strip() == name:
                found.append(place.parent.name)
        except OSError:
            continue
    return found


def test_program_gets_input_and_files_and_gives_output() -> None:
    """What a harmless program needs, it has: stdin, files, the standard library, its own folder, threads."""
    code = (
        "import asyncio, json, sys, threading, helper, sqlite3, zoneinfo\n"
        "open('new.txt', 'w').write('kept')\n"
        "t = threading.Thread(target=lambda: print(open('new.txt').read())); t.start(); t.join()\n"
        "asyncio.run(asyncio.sleep(0))\n"
        "print(json.dumps([sys.stdin.read(), helper.double(21), open('data/a.txt').read(), __name__]))\n"
    )
    files = {"helper.py": "def double(x): return 2 * x", "data/a.txt": "第一"}
    result = run_python(code, stdin="in\n", files=files)
    assert (result.status, result.returncode, result.detail) == ("ok", 0, "")
    assert result.stdout == 'kept\n["in\\n", 42, "\\u7b2c\\u4e00", "__main__"]\n'
    assert "limits" in result.layers


@pytest.mark.parametrize(
    ("code", "returncode", "detail"),
    [
        ("assert 1 == 2, 'no'", 1, "AssertionError: no"),
        ("def", 1, "SyntaxError"),
        ("import sys; sys.exit(3)", 3, "exit code 3"),
        ("import os; os.abort()", -6, "ended by signal SIGABRT"),
        ("import os; os._exit(7)", 7, "exit code 7"),
        ("def f(): f()\nf()", 1, "RecursionError"),
        ("\ud800", 1, "UnicodeEncodeError"),
    ],
)
def test_own_failure_is_an_error(code: str, returncode: int, detail: str) -> None:
    """A program that fails by itself is an error, with its traceback and its cause."""
    result = run_python(code)
    assert (result.status, result.returncode) == ("error", returncode)
    assert detail in result.detail


def test_two_runs_agree() -> None:
    """The order of sets of strings is the same each time."""
    code = "print(list({'a', 'b', 'c', 'd', 'e'}))"
    assert run_python(code).stdout == run_python(code).stdout


def test_fork_bomb(skip: tuple[str, ...]) -> None:
    """A program that forks for ever is refused at its first fork."""
    result = attack("import os\nwhile True:\n    os.fork()", skip)
    assert result.status == "forbidden"


def test_fork_bomb_without_a_wall_against_forking() -> None:
    """Where forking itself cannot be refused, the bomb stays below the limit and ends with the sandbox."""
    if not (capabilities()["landlock"] and sys.platform == "linux"):
        pytest.skip("nothing but the hook in the interpreter holds here")
    name = f"ekbomb{os.getpid()}"
    code = (
        f"import ctypes, os\nctypes.CDLL(None).prctl(15, b'{name}')\n"
        "while True:\n    try:\n        os.fork()\n    except OSError:\n        pass\n"
    )
    result = run(code, timeout_s=0.7, skip=("audit", "seccomp"))
    assert result.status == "timeout"
    assert processes_named(name) == []


def test_background_process_does_not_outlive() -> None:
    """A daemon in a session of its own, its parent gone, ends with the program."""
    if not (capabilities()["landlock"] and sys.platform == "linux"):
        pytest.skip("nothing but the hook in the interpreter holds here")
    name = f"ekdaemon{os.getpid()}"
    code = (
        f"import ctypes, os, time\nctypes.CDLL(None).prctl(15, b'{name}')\n"
        "if os.fork() == 0:\n    os.setsid()\n    os.fork() or time.sleep(60)\n    os._exit(0)\n"
        "print('bye')\n"
    )
    for more in ((), ("namespaces",)):
        begun = time.monotonic()
        result = run(code, skip=("audit", "seccomp", *more))
        assert (result.status, result.stdout) == ("ok", "bye\n")
        assert time.monotonic() - begun < 5
        assert processes_named(name) == []


def test_background_process_is_refused(skip: tuple[str, ...]) -> None:
    """With all layers there is no second process."""
    result = attack("import subprocess, sys\nsubprocess.Popen([sys.executable, '-c', '1'])", skip)
    assert result.status == "forbidden"


def test_write_outside(skip: tuple[str, ...], tmp_path: Path) -> None:
    """A file outside cannot be written, nor made, nor removed."""
    target = tmp_path / "mine.txt"
    target.write_text("mine")
    target.chmod(0o666)
    tmp_path.chmod(0o777)
    for code in (f"open({str(target)!r}, 'w')", f"import os\nos.remove({str(target)!r})"):
        assert attack(code, skip).status == "forbidden"
    assert attack(f"open({str(tmp_path / 'new')!r}, 'w')", skip).status == "forbidden"
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]
    assert target.read_text() == "mine"


def test_read_outside(skip: tuple[str, ...], tmp_path: Path) -> None:
    """The user's files cannot be read, through a link neither."""
    secret = tmp_path / "secret.txt"
    secret.write_text("s3cr3t")
    secret.chmod(0o644)
    reading = f"print(open({str(secret)!r}).read())"
    linking = f"import os\nos.symlink({str(secret)!r}, 'link')\nprint(open('link').read())"
    for code in (reading, linking):
        result = attack(code, skip)
        assert (result.status, result.stdout) == ("forbidden", "")
        assert "s3cr3t" not in result.stderr


def test_network(skip: tuple[str, ...]) -> None:
    """A server of this machine cannot be reached, and never sees a connection."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.2)
        port = server.getsockname()[1]
        code = f"import socket\nsocket.create_connection(('127.0.0.1', {port}), 2)"
        assert attack(code, skip).status == "forbidden"
        web = f"import urllib.request\nurllib.request.urlopen('http://127.0.0.1:{port}/', timeout=2)"
        assert attack(web, skip).status == "forbidden"
        with pytest.raises(TimeoutError):
            server.accept()


@pytest.mark.parametrize("code", ["while True: pass", "import time; time.sleep(60)"])
def test_endless_program(code: str, skip: tuple[str, ...]) -> None:
    """A busy or a sleeping program is ended at its time; what it had written is kept."""
    result = attack(f"print('begun')\n{code}", skip, timeout_s=0.5)
    assert (result.status, result.returncode, result.stdout) == ("timeout", None, "begun\n")
    assert 0.4 < result.duration_s < 3


@pytest.mark.parametrize("code", ["x = []\nwhile True: x.append(bytearray(10**7))", "x = 'a' * 10**10"])
def test_memory_hog(code: str, skip: tuple[str, ...]) -> None:
    """Too much memory, bit by bit or at once, is reported as that."""
    if sys.platform != "linux":
        pytest.skip("macOS enforces no limit of memory")
    result = attack(code, skip)
    assert result.status == "memory"
    assert "256 MiB" in result.detail


@pytest.mark.parametrize("stream", ["stdout", "stderr"])
def test_huge_output(stream: str) -> None:
    """Output is cut at its limit, and the program ended."""
    result = run_python(f"import sys\nwhile True: sys.{stream}.write('x' * 9999)")
    assert result.status == "output_limit"
    assert len(getattr(result, stream)) == MAX_OUTPUT_BYTES


def test_disk_hog() -> None:
    """The folder cannot take the disk: a file has a limit, and the folder where it lies in memory."""
    assert "too large" in run_python("f = open('f', 'wb')\nwhile True: f.write(b'x' * 10**7)").detail
    if capabilities()["scratch"]:
        code = "for i in range(100): open(f'f{i}', 'wb').write(b'x' * 10**7)"
        assert "No space left" in run_python(code).detail


def test_environment_is_empty(skip: tuple[str, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    """No key can be read, from its own environment or from that of the harness."""
    monkeypatch.setenv("EVALKIT_TEST_KEY", "s3cr3t")
    assert attack("import os\nprint(dict(os.environ))", skip).stdout == "{}\n"
    for path in ("/proc/self/environ", f"/proc/{os.getpid()}/environ"):
        result = attack(f"print(open({path!r}).read())", skip)
        assert (result.status, result.stdout) == ("forbidden", "")


def test_signal_to_parent_and_to_others(skip: tuple[str, ...], victim: subprocess.Popen[bytes]) -> None:
    """Neither the process above nor another of the same user can be signalled."""
    for target in ("os.getppid()", str(victim.pid)):
        assert attack(f"import os\nos.kill({target}, 9)", skip).status in ("forbidden", "error")
    assert victim.poll() is None


def test_false_report_changes_no_verdict() -> None:
    """A program that writes to every open pipe cannot pass for one that ended well."""
    code = (
        "import os\nfor fd in range(3, 64):\n"
        '    try: os.write(fd, b\'{"exit": 0}\\n["ok", ""]\\n\')\n    except OSError: pass\n'
        "raise SystemExit(5)"
    )
    result = run_python(code)
    assert (result.status, result.returncode) == ("error", 5)


def test_refusal_that_the_program_survives_is_told() -> None:
    """A program that was refused something and went on is ok; what it tried is in the detail."""
    result = run_python("try: open('/etc/hostname', 'w')\nexcept OSError: print('fine')")
    assert (result.status, result.stdout) == ("ok", "fine\n")
    assert "/etc/hostname" in result.detail


def test_folder_is_removed() -> None:
    """Nothing is left behind, whatever rights the program took away."""
    result = run("import os\nos.mkdir('d')\nos.chmod('d', 0)\nprint(os.getcwd())", skip=("namespaces",))
    assert result.status == "ok"
    assert not Path(result.stdout.strip()).exists()


@pytest.mark.parametrize(
    "arguments",
    [
        {"timeout_s": 0},
        {"memory_mb": 1},
        {"memory_mb": 1.5},
        {"files": {"../x": ""}},
        {"files": {"/etc/x": ""}},
        {"files": {"": ""}},
    ],
)
def test_misuse(arguments: dict[str, object]) -> None:
    """Wrong arguments are an error of the caller, before anything runs."""
    with pytest.raises(UsageError):
        run_python("pass", **arguments)  # type: ignore[arg-type]


def test_async_runs_side_by_side() -> None:
    """The event loop goes on while programs run."""

    async def main() -> list[SandboxResult]:
        return await asyncio.gather(*(run_python_async(f"print({i})") for i in range(3)))

    assert [result.stdout for result in asyncio.run(main())] == ["0\n", "1\n", "2\n"]


def test_cancelled_task_ends_its_program() -> None:
    """Cancelling does not wait for the program's time."""

    async def main() -> None:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(run_python_async("while True: pass", timeout_s=60), 0.5)

    begun = time.monotonic()
    asyncio.run(main())
    assert time.monotonic() - begun < 10


def test_runs_from_a_thread() -> None:
    """No main thread is needed."""
    results: list[SandboxResult] = []
    thread = threading.Thread(target=lambda: results.append(run_python("print(1)")))
    thread.start()
    thread.join()
    assert results[0].status == "ok"


@pytest.mark.parametrize(
    ("counts", "status", "words"),
    [
        ([3, 4], "memory", "killed by the system for want of memory, with "),
        ([3, 3], "error", "the system killed nothing for want of memory"),
        ([None, None], "error", "whether memory ran out the system does not tell"),
    ],
)
def test_a_kill_is_named_by_what_the_system_counted(
    counts: list[int | None], status: str, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who ended a program by SIGKILL is not guessed: the control group counts what was killed for memory."""
    said = iter(counts)
    monkeypatch.setattr(process, "count_memory_kills", lambda: next(said))
    result = run_python(
        "import os\nx = bytearray(30 << 20)\nos.kill(os.getpid(), 9)", timeout_s=20, memory_mb=256
    )
    assert result.status == status
    assert words in result.detail
    peak = re.search(r"with (\d+) MiB in use at most", result.detail)
    assert peak is not None
    assert 30 <= int(peak[1]) < 256


def test_a_kill_after_the_processor_time_is_a_timeout() -> None:
    """A program that ignores the first warning is killed by the same limit."""
    run = process._Run({"timeout_s": 1.0, "memory_mb": 64}, "", threading.Event(), [])
    assert run._verdict(-signal.SIGKILL, [], {"cpu_s": 4.0, "peak_mb": 9.0})[0] == "timeout"
    assert run._verdict(-signal.SIGKILL, [], {"cpu_s": 0.1, "peak_mb": 9.0})[0] != "timeout"
