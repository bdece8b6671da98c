"""Runs the command lines of commands.py and writes what they gave: `python tests/snapshots/take.py FOLDER`.

Each command runs in a fork of a process that has imported evalkit once, in one workspace, at a fixed time.
"""

from __future__ import annotations

import contextlib
import os
import pkgutil
import shlex
import shutil
import sys
import tempfile
from importlib import metadata
from pathlib import Path

from commands import STEPS, Step
from summaries import PROGRAMS, describe, normalise

HERE = Path(__file__).parent

EPOCH = 1767225600
"""2026-01-01, the time of every run."""
ENVIRONMENT = {
    "SOURCE_DATE_EPOCH": str(EPOCH),
    "COLUMNS": "120",
    "LANG": "C.UTF-8",
    "LC_ALL": "C.UTF-8",
    "TZ": "UTC",
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "LITELLM_LOCAL_MODEL_COST_MAP": "True",
}
PACKAGES = (
    *("click", "numpy", "scipy", "scikit-learn", "sacrebleu", "rouge-score", "pandas", "rich", "jinja2"),
    *("orjson", "pydantic", "rapidfuzz", "sqlalchemy", "litellm"),
)
HEAVY = ("numpy", "scipy.special", "pandas", "sklearn.metrics", "sacrebleu", "sqlalchemy", "jinja2.sandbox")


def main(target: Path) -> None:
    """Take all snapshots into the folder."""
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder).resolve() / "home"
        workspace = home / "work"
        shutil.copytree(HERE / "workspace", workspace)
        for file in workspace.rglob("*"):  # imported results have the time of their file
            os.utime(file, (EPOCH, EPOCH))
        keep = {name: os.environ[name] for name in ("PATH", "VIRTUAL_ENV") if name in os.environ}
        os.environ.clear()
        os.environ.update(keep, HOME=str(home), XDG_CACHE_HOME=str(home / "cache"), **ENVIRONMENT)
        os.chdir(workspace)
        _load()
        target.mkdir(parents=True, exist_ok=True)
        seen = _files(workspace)
        for step in STEPS:
            code, out, err = _run(step, home)
            now = _files(workspace)
            changed = [path for path, stamp in now.items() if seen.get(path) != stamp]
            gone = [path for path in seen if path not in now]
            text = describe(step, code, out, err, workspace, changed, gone)
            (target / f"{step.name}.txt").write_text(normalise(text, home), encoding="utf-8")
            seen = now
        programs = [f"{digest} {place}" for digest, place in PROGRAMS.items()]
        (target / "programs.txt").write_text("\n".join(programs) + "\n", encoding="utf-8")
        (target / "versions.txt").write_text(versions(), encoding="utf-8")


def versions() -> str:
    """The versions that decide what is printed and how the last digits fall, one a line."""
    found = [f"python {sys.version_info.major}.{sys.version_info.minor}"]
    return "\n".join([*found, *(f"{name} {metadata.version(name)}" for name in PACKAGES)]) + "\n"


def _load() -> None:
    """Import evalkit, but for what needs torch or ray."""
    import importlib

    for name in HEAVY:
        importlib.import_module(name)
    import evalkit

    for module in pkgutil.walk_packages(evalkit.__path__, "evalkit.", onerror=lambda name: None):
        if not any(
            part in module.name for part in (".hf", ".ray", "__main__", "testing", ".starter", "tracking")
        ):
            with contextlib.suppress(ImportError):
                importlib.import_module(module.name)


def _files(folder: Path) -> dict[str, tuple[int, int]]:
    return {
        path.relative_to(folder).as_posix(): (path.stat().st_mtime_ns, path.stat().st_size)
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.suffix not in (".db", ".db-wal", ".db-shm", ".pyc")
    }


def _run(step: Step, home: Path) -> tuple[int, str, str]:
    """(exit code, stdout, stderr) of a step in a process of its own."""
    outputs = [home / "stdout", home / "stderr"]
    sys.stdout.flush()
    sys.stderr.flush()
    pid = os.fork()
    if pid == 0:
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        for number, file in enumerate(outputs, 1):
            os.dup2(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), number)
        code = 99
        try:
            code = _carry_out(step)
        except Exception as error:
            print(f"{type(error).__name__}: {error}", file=sys.stderr)
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    out, err = (file.read_text(encoding="utf-8") for file in outputs)
    return status, out, err


def _carry_out(step: Step) -> int:
    try:
        if step.python:
            exec(compile(step.line, step.name, "exec"), {"__name__": "__main__"})
            return 0
        from evalkit.cli import main

        sys.argv = ["evalkit", *shlex.split(step.line)]
        main(shlex.split(step.line))
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    return 0


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve() if len(sys.argv) > 1 else HERE / "kept")
