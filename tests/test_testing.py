"""The pytest plugin: one test a cell, failed by what is proven and by nothing else."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from factories import write_task

ROWS = [{"id": f"s{n}", "question": f"What is {n} + {n}?", "answer": str(2 * n)} for n in range(60)]
CASES = """
import pytest
from evalkit import MockModel

def right(request):
    return str(2 * int(request.sample_id[1:]))

def half(request):
    return right(request) if int(request.sample_id[1:]) % 2 else "no"

GOOD, HALF = MockModel(right, name="good"), MockModel(half, name="half")

@pytest.mark.evalkit(task="sums", model=[GOOD, HALF, "baseline/oracle"], min=0.8)
def test_floor(evalkit_verdict):
    assert evalkit_verdict.cell.counts.errors == 0

@pytest.mark.evalkit(task="sums", model=GOOD, min=0.8)
def test_own_lines_still_count(evalkit_verdict):
    assert evalkit_verdict.cell.counts.samples == 0

@pytest.mark.evalkit(task="sums", model=HALF, min=0.5)
def test_nothing_proven():
    pass

@pytest.mark.evalkit(task="sums", model=HALF, min=0.5, strict=True)
def test_nothing_proven_strictly():
    pass

@pytest.mark.evalkit(task="nothing", model=GOOD, min=0.5)
def test_no_such_task():
    pass

@pytest.mark.evalkit(task="sums", model=GOOD, prompt=["direct", "short"], min=0.5)
def test_prompts():
    pass

def test_ordinary():
    pass
"""


PLUGIN = "evalkit.workshop.testing.plugin"


def run_pytest(folder: Path, *arguments: str) -> str:
    """What pytest prints in a folder where the plugin is loaded as it is for a user."""
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith(("EVALKIT_", "PYTEST_"))
    }
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-pno:cacheprovider", f"-p{PLUGIN}", *arguments],
        cwd=folder,
        env=environment | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        capture_output=True, text=True, timeout=200,
    )  # fmt: skip
    return done.stdout + done.stderr


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace with a task of sixty sums and a file of marked tests."""
    home = tmp_path_factory.mktemp("plugin")
    prompts = {"direct": "Question: {{ question }}", "short": "{{ question }}"}
    write_task(home / "tasks/sums", ROWS, prompts=prompts)
    (home / "test_models.py").write_text(CASES)
    (home / "pytest.ini").write_text("[pytest]\n")
    return home


def test_every_cell_is_a_test_with_a_verdict(workspace: Path) -> None:
    """Proven below fails with its numbers, proven above passes, neither warns or, if strict, fails."""
    printed = run_pytest(workspace, "-rA", "--evalkit-out", "kept")
    outcomes = {
        line.split("::", 1)[1].split(" ")[0]: line.split(" ")[0]
        for line in printed.splitlines()
        if line.startswith(("PASSED", "FAILED", "ERROR")) and "::" in line
    }
    assert outcomes == {
        "test_floor[sums-good]": "PASSED",
        "test_floor[sums-half]": "FAILED",
        "test_floor[sums-baseline/oracle]": "PASSED",
        "test_own_lines_still_count[sums-good]": "FAILED",
        "test_nothing_proven[sums-half]": "PASSED",
        "test_nothing_proven_strictly[sums-half]": "FAILED",
        "test_no_such_task[nothing-good]": "ERROR",
        "test_prompts[sums-good-direct]": "PASSED",
        "test_prompts[sums-good-short]": "PASSED",
        "test_ordinary": "PASSED",
    }
    assert "FAIL: sums · direct · half: exact_match (floor) 50.0" in printed
    assert "InconclusiveWarning: INCONCLUSIVE: sums" in printed
    assert "no task 'nothing'" in printed
    assert "Traceback" not in printed
    assert len(list((workspace / "kept").glob("*/run.json"))) == 8


def test_baseline_is_a_proven_regression_or_none(workspace: Path) -> None:
    """Against an accepted run the same model passes; a worse one fails, with the samples."""
    (workspace / "make.py").write_text(
        "import evalkit\nfrom test_models import GOOD\nevalkit.run(models=[GOOD], tasks=['sums'], out='b')"
    )
    subprocess.run([sys.executable, "make.py"], cwd=workspace, check=True, capture_output=True)
    (base,) = (workspace / "b").iterdir()
    (workspace / "test_change.py").write_text(
        "import pytest\nfrom test_models import GOOD, HALF\n"
        f"@pytest.mark.evalkit(task='sums', model=[GOOD, HALF], baseline={str(base)!r}, tolerance=0.1)\n"
        "def test_change(): pass\n"
    )
    printed = run_pytest(workspace, "test_change.py", "-k", "test_change")
    assert "1 failed, 1 passed" in printed
    assert "newly failed: s" in printed


@pytest.mark.parametrize(
    ("marker", "told"),
    [
        ("task='sums', model='baseline/oracle'", "say what is demanded"),
        ("task='sums', min=0.5", "write @pytest.mark.evalkit(task=..., model=..."),
        ("task='sums', model='baseline/oracle', mim=0.5", "takes no 'mim'. Did you mean 'min'?"),
    ],
)
def test_slips_in_a_marker_are_told(workspace: Path, marker: str, told: str) -> None:
    """A marker that cannot be meant ends the collection with what to write instead."""
    (workspace / "test_slip.py").write_text(
        f"import pytest\n@pytest.mark.evalkit({marker})\ndef test_it(): pass\n"
    )
    assert told in run_pytest(workspace, "test_slip.py")


def test_plugin_loads_nothing_until_it_is_needed() -> None:
    """A project's pytest that has no marked test pays for the plugin's own file only."""
    found = "[m for m in sys.modules if m.startswith('evalkit.')]"
    script = f"import sys, evalkit.workshop.testing.plugin; print({found})"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == (
        "['evalkit.workshop', 'evalkit.workshop.testing', 'evalkit.workshop.testing.plugin']"
    )
