"""Programs of a model: found in replies, contained, and each end said as what it was.

No program here aims beyond its own process; the sandbox's own walls are tested in test_sandbox.py.
"""

from __future__ import annotations

import asyncio
import os

import pytest

from evalkit.core.errors import UsageError
from evalkit.core.records import Request, Response
from evalkit.sandbox import capabilities
from evalkit.tasks.solvers.pal import compute
from evalkit.tasks.solvers.programs import find_program

pytestmark = pytest.mark.skipif(os.name != "posix", reason="the sandbox needs Linux or macOS")
REQUEST = Request("generate", "mock/m")


def work(text: str, *, trust: bool = True, **settings: object) -> Response:
    """What pal makes of a model's reply."""

    async def ask(request: Request) -> Response:
        return Response(text=text)

    return asyncio.run(compute(ask, REQUEST, {"timeout_s": 1.0, "memory_mb": 128, **settings}, trust))


@pytest.mark.parametrize(
    ("code", "status"),
    [
        ("while True: pass", "timeout"),
        ("x = 'a' * 10**10\nprint(1)", "memory"),
        ("import os\nos.kill(os.getpid(), 9)", "killed"),
        ("open('/etc/evalkit-was-here', 'w')", "write denied"),
        ("print(open('/etc/passwd').read())", "read denied"),
        ("import urllib.request\nurllib.request.urlopen('http://127.0.0.1:9/')", "network denied"),
        ("import os\nwhile True: os.fork()", "process denied"),
        ("import subprocess\nsubprocess.run(['ls'])", "process denied"),
        ("print(1", "syntax error"),
        ("print(1 / 0)", "error"),
        ("while True: print('x' * 9999)", "output limit"),
        ("x = 1", "no output"),
    ],
)
def test_how_a_program_ended_is_said_as_what_it_was(code: str, status: str) -> None:
    """A program that does not end well gives no answer; step and note name its end, and the reply is kept."""
    if "fork" in code and not capabilities()["seccomp"]:
        pytest.skip("nothing but the hook in the interpreter holds here")
    response = work(f"```python\n{code}\n```")
    (step,) = response.steps
    assert (step.status, step.input, response.text) == (status, code, "")
    assert step.detail
    assert response.notes == (f"pal: the program ended with: {status}",)
    assert response.parts[0].text == f"```python\n{code}\n```"
    assert not os.path.exists("/etc/evalkit-was-here")


def test_output_is_the_answer() -> None:
    """What the program prints is the text of the response."""
    response = work("Sure:\n```python\nprint(6 * 7)\n```\nDone.")
    assert (response.text, response.status, response.notes) == ("42", "ok", ())
    assert response.steps[0].output == "42\n"


def test_nothing_runs_without_trust() -> None:
    """A program never starts unless the user said that it may."""
    with pytest.raises(UsageError, match="--trust"):
        work("```python\nprint(1)\n```", trust=False)


def test_failed_call_is_no_program() -> None:
    """A failed or refused call goes on as it is."""

    async def ask(request: Request) -> Response:
        return Response("refused", text="no")

    assert asyncio.run(compute(ask, REQUEST, {}, True)).status == "refused"


@pytest.mark.parametrize(
    ("text", "program"),
    [
        ("```python\na\n```\nthen\n```py\nb\n```", "b"),
        ("```\nprint(1)\n```", "print(1)"),
        ("```bash\nls\n```", None),
        ("print(3)", "print(3)"),
        ("<think>```python\nx\n```</think>```python\ny\n```", "y"),
        ("The answer is 3.", None),
        ("", None),
        (None, None),
    ],
)
def test_program_is_found(text: str | None, program: str | None) -> None:
    """The last Python block counts, else a reply that is itself a program; prose is none."""
    assert find_program(text) == program


def test_reply_without_a_program_has_no_answer() -> None:
    """It is wrong and counted, not an error."""
    response = work("The answer is 42.")
    assert (response.status, response.text) == ("ok", "")
    assert response.notes == ("pal: the reply holds no program",)
