"""The scripts of ci/: a break is traced to its package, tables and lists say what they should."""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest
from documents import ROOT

from evalkit.core.distribution import NAME

CI = ROOT / "ci"
SCRIPTS = sorted([*CI.glob("*.sh"), ROOT / ".ci/run"])


def module(name: str, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """A script of ci/ as a module."""
    monkeypatch.syspath_prepend(CI)
    spec = importlib.util.spec_from_file_location(name, CI / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    made = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(made)
    return made


@pytest.mark.parametrize("breaking", ["litellm", "aiohttp", None])
def test_the_package_that_broke_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], breaking: str | None
) -> None:
    """Put back one by one, the package without which the command passes is told with version and day.

    The installer is a stand-in that writes down what is there; all are back in the end.
    """
    culprit = module("culprit", monkeypatch)
    there = tmp_path / "there"
    there.mkdir()
    newer = [("aiohttp", "3.14.5", "4.0"), ("litellm", "1.110.2", "1.111.0"), ("zipp", "not locked", "9")]
    for name, _, version in newer:
        (there / name).write_text(version)
    installer = tmp_path / "uv"
    installer.write_text(
        '#!/bin/sh\nfor last; do :; done\nprintf %s "${last#*==}" > "' + str(there) + '/${last%%==*}"\n'
    )
    installer.chmod(0o755)
    fails = f"grep -q -v 1.111 {there}/litellm" if breaking == "litellm" else f"grep -q 3 {there}/{breaking}"
    monkeypatch.setattr(culprit, "differences", lambda: newer)
    monkeypatch.setattr(sys, "argv", ["culprit.py", str(installer), "sh", "-c", fails])
    culprit.main()
    said = capsys.readouterr().out
    if breaking is None:
        assert "No single package" in said
        assert "litellm 1.110.2 -> 1.111.0" in said
    else:
        version = {name: here for name, _, here in newer}[breaking]
        assert re.search(rf"BROKEN by {breaking} {version} .*seen on \d{{4}}-\d\d-\d\d", said)
        assert f"ci/known_breaks.txt: {breaking}=={version}  # " in said
    assert {file.name: file.read_text() for file in there.iterdir()} == {
        name: here for name, _, here in newer
    }


def test_table_has_versions_in_order_and_failures(monkeypatch: pytest.MonkeyPatch) -> None:
    """1.90 stands before 1.110; a cell counts its failed tests; what was not tried is a dot."""
    table = module("contract_table", monkeypatch).table(
        [
            {"litellm": v, "openai": o, "lane": lane, "route": route, "outcome": outcome}
            for v, o, lane, route, outcome in (
                ("1.110.2", "3.57.0", "stock", "openai/gpt-4", "passed"),
                ("1.90.7", "2.54.0", "stock", "openai/gpt-4", "passed"),
                ("1.90.7", "2.54.0", "fast", "azure/gpt-4", "passed"),
                ("1.90.7", "2.54.0", "fast", "azure/gpt-4", "failed"),
            )
        ]
    )
    assert table == [
        "| LiteLLM | lane | openai | azure |",
        "| --- | --- | --- | --- |",
        "| 1.90.7 (openai 2) | stock | ok | · |",
        "| 1.90.7 (openai 2) | fast | · | **1 of 2 failed** |",
        "| 1.110.2 (openai 3) | stock | ok | · |",
        "| 1.110.2 (openai 3) | fast | · | · |",
    ]


def test_versions_other_than_the_lock_are_listed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A version of another day is listed, one of the lock is not, evalkit itself never."""
    versions = module("versions", monkeypatch)
    monkeypatch.setattr(versions, "read_tested", lambda: ("2026-11-30", {"click": ("0.0.1",)}))
    found = {name: (locked, here) for name, locked, here in versions.differences()}
    assert found["click"][0] == "0.0.1"
    assert found["pytest"][0] == "not locked"
    assert NAME not in found


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_scripts_are_sound(script: Path) -> None:
    """Every script parses, ends at the first failure, and names only files that there are."""
    text = script.read_text(encoding="utf-8")
    subprocess.run(["bash", "-n", str(script)], check=True)
    if script.name != "environments.sh":
        assert os.access(script, os.X_OK)
        assert "set -euo pipefail" in text
    for name in re.findall(r"(?<![\w/])(?:ci|tests|requirements)/[\w./]+\w", re.sub(r"(?m)^ *#.*", "", text)):
        assert (ROOT / name).exists(), name


def test_a_python_that_does_not_start_is_passed_over(tmp_path: Path) -> None:
    """Of the Pythons asked for the first that runs is taken; without any, the one of .venv."""
    for name, code in (("python3.13", 127), ("python3.12", 0)):
        (tmp_path / name).write_text(f"#!/bin/sh\n[ {code} = 0 ] && echo {tmp_path}/{name}\nexit {code}\n")
        (tmp_path / name).chmod(0o755)
    command = f'. "{CI}/environments.sh"; find_python 3.13 3.12; find_python 3.99'
    done = subprocess.run(
        ["bash", "-c", command],
        capture_output=True,
        text=True,
        env={"PATH": f"{tmp_path}:/usr/bin:/bin", "HOME": str(tmp_path)},
    )
    assert done.stdout.splitlines()[-2:] == [str(tmp_path / "python3.12"), ".venv/bin/python"], done.stderr
