"""The Dockerfile, as far as it can be tried without a daemon: what it copies makes the wheel."""

from __future__ import annotations

import fnmatch
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from documents import ROOT

LINES = re.sub(r"\\\n\s*", " ", (ROOT / "Dockerfile").read_text(encoding="utf-8")).splitlines()
STEPS = [(word, rest) for word, _, rest in (line.partition(" ") for line in LINES) if word.isupper()]
IGNORE = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()


def of(instruction: str) -> list[str]:
    """What stands after an instruction, each time."""
    return [rest for word, rest in STEPS if word == instruction]


def ignored(path: str) -> bool:
    """Whether .dockerignore keeps a file out of the build: the last rule that fits decides."""
    out = False
    for rule in IGNORE:
        pattern = rule.removeprefix("!").removeprefix("**/")
        parts = [path, *(str(parent) for parent in Path(path).parents), *Path(path).parts]
        if rule and not rule.startswith("#") and any(fnmatch.fnmatch(part, pattern) for part in parts):
            out = not rule.startswith("!")
    return out


def test_base_is_pinned_and_user_is_nobody_special() -> None:
    """Each stage stands on a slim image of one patch version; the last one runs as a number that is not 0."""
    assert len(of("FROM")) == 2
    assert all(re.match(r"python:3\.\d+\.\d+-slim-\w+( AS \w+)?$", base) for base in of("FROM"))
    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", of("USER")[-1])
    assert STEPS.index(("USER", of("USER")[-1])) > max(
        i for i, (word, _) in enumerate(STEPS) if word == "RUN"
    )
    assert of("ENTRYPOINT") == ['["evalkit"]']
    assert of("VOLUME") == of("WORKDIR")[-1:] == ["/work"]


def test_only_the_lock_is_installed() -> None:
    """Each installation reads requirements/, with hashes, or brings our wheel alone."""
    installs = [command for run in of("RUN") for command in run.split("&&") if "pip " in command]
    assert len(installs) == 4
    for command in installs:
        assert re.search(r"-r \S*(core|build)\.txt", command) or "--no-deps" in command, command
        assert "--no-cache-dir" in command


def test_nothing_private_comes_into_the_image() -> None:
    """Runs, cache, keys and environments of a user's checkout are no part of the build."""
    for path in (
        ".env",
        "reports/x/run.json",
        ".evalkit/cache.db",
        ".venv/bin/python",
        "evalkit/.env",
        ".git/config",
    ):
        assert ignored(path), path


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """The folder of the first stage: what it copies from the repository."""
    for rest in of("COPY"):
        *names, target = rest.split()
        if names[0].startswith("--from"):
            continue
        for name in names:
            assert not ignored(name), f"{name} is kept out by .dockerignore"
            place = tmp_path / target / (Path(name).name if target.endswith("/") else "")
            if (ROOT / name).is_dir():
                shutil.copytree(ROOT / name, tmp_path / target, ignore=shutil.ignore_patterns("__pycache__"))
            elif not target.startswith("/tmp"):
                place.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(ROOT / name, place)
    return tmp_path


def test_wheel_is_made_of_what_is_copied(source: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    """The command of the first stage, in a folder with just its copies, makes a wheel with tasks and lock."""
    (command,) = [run for run in of("RUN") if "--wheel-dir" in run]
    out = tmp_path_factory.mktemp("dist")
    words = command.replace("/dist", str(out)).split()
    done = subprocess.run([sys.executable, *words[1:]], cwd=source, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    (wheel,) = out.glob("evalkit_harness-*.whl")
    names = subprocess.run(
        [sys.executable, "-m", "zipfile", "-l", str(wheel)], capture_output=True, text=True, check=True
    ).stdout
    assert "evalkit/_tested.txt" in names
    assert "evalkit/_tasks/sentiment_en/task.yaml" in names
