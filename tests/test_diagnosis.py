"""`evalkit doctor`: it finds what is broken, says the cure, and shows nothing that is private."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from evalkit.core.distribution import install_command
from evalkit.models.memory import findings_folder
from evalkit.models.seam import Fit, Verdicts
from evalkit.workshop import diagnosis
from evalkit.workshop.diagnosis import Diagnosis, diagnose

KEY = "sk-proj-0123456789abcdefghij"


@pytest.fixture(autouse=True)
def _home_of_its_own(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(os, "environ", os.environ.copy())
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("OLLAMA_API_BASE", "http://127.0.0.1:9")
    monkeypatch.setattr(diagnosis, "find_rivals", list)  # tests/test_installation.py looks at these
    monkeypatch.setattr(diagnosis, "shadowing_command", lambda: None)
    for name in list(os.environ):
        if name.endswith("_API_KEY"):
            monkeypatch.delenv(name)


def about(subject: str) -> list[Diagnosis]:
    """What the doctor says of a subject."""
    return [one for one in diagnose() if one.subject == subject]


def test_empty_folder_is_in_order() -> None:
    """Without a project and without keys nothing is broken."""
    assert {one.status for one in diagnose()} <= {"ok", "note"}


def test_keys_are_named_and_never_shown() -> None:
    """A key is told by its variable and where it comes from."""
    Path(".env").write_text(f"OPENAI_API_KEY={KEY}\n")
    os.environ["GROQ_API_KEY"] = f"'{KEY}'"
    found = about("keys")
    assert [(one.status, one.text.split()[0]) for one in found] == [
        ("warning", "GROQ_API_KEY"),
        ("ok", "OPENAI_API_KEY"),
    ]
    assert "from ~/.env" in found[1].text
    assert KEY not in str(diagnose())


def test_home_folder_is_not_shown(tmp_path: Path) -> None:
    """What is pasted into a report does not tell the user's name."""
    assert str(tmp_path) not in str(diagnose())


def test_models_of_the_project_are_checked() -> None:
    """An alias whose server does not answer, or whose key is missing, is broken, with its cure."""
    Path("evalkit.yaml").write_text(
        "models:\n  far: {model: hosted_vllm/x, api_base: 'http://127.0.0.1:9/v1'}\n"
        "  gpt: openai/gpt-4o-mini\n  dumb: baseline/majority\n"
    )
    assert [one.status for one in about("model dumb")] == ["ok"]
    (far,) = about("model far")
    (gpt,) = about("model gpt")
    assert (far.status, gpt.status) == ("error", "error")
    assert "127.0.0.1:9" in far.text
    assert "OPENAI_API_KEY" in gpt.text + gpt.cure


def test_broken_configuration_is_one_line_and_the_rest_goes_on() -> None:
    """A slip in evalkit.yaml is told with its key; cache and machine are looked at all the same."""
    Path("evalkit.yaml").write_text("modles: {}\n")
    (project,) = about("project")
    assert project.status == "error"
    assert "modles" in project.text
    assert about("machine")


def test_damaged_cache_is_found() -> None:
    """A cache that is no database is broken; a good one is counted."""
    Path(".evalkit").mkdir()
    Path(".evalkit/cache.db").write_bytes(b"no database" * 100)
    assert about("cache")[0].status == "error"
    Path(".evalkit/cache.db").unlink()
    sqlite3.connect(".evalkit/cache.db").close()
    assert "0 answers" in about("cache")[0].text


def test_missing_extra_tells_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """An extra that is not there is a note with the command."""
    monkeypatch.setitem(diagnosis.EXTRAS, "moon", ("walks on the moon", ("no-such-package-here",)))
    (extra,) = about("extra moon")
    assert (extra.status, extra.cure) == ("note", install_command("moon"))


def test_exit_code_and_json() -> None:
    """--json prints one document; a broken project exits with 2."""
    command = [sys.executable, "-m", "evalkit", "doctor", "--json"]
    fine = subprocess.run(command, capture_output=True, text=True)
    assert fine.returncode == 0
    assert {"subject", "status", "text", "cure"} == set(json.loads(fine.stdout)[0])
    Path("evalkit.yaml").write_text("modles: {}\n")
    assert subprocess.run(command, capture_output=True).returncode == 2


def test_lanes_that_were_given_up_are_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """What runs have found out about the installed LiteLLM, with the way back."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "user-cache"))
    (untried,) = about("lanes")
    assert "has not been tried yet" in untried.text
    verdicts = Verdicts.open(findings_folder())
    verdicts.fits["openai acompletion"] = Fit("openai", True)
    verdicts.keep()
    (tried,) = about("lanes")
    assert (tried.status, "calls start in the fast lane (tried: openai)" in tried.text) == ("ok", True)
    verdicts.broken["safe openai"] = "the safe lane does not fit LiteLLM 9 (TypeError: moved)"
    verdicts.keep()
    (broken,) = about("lanes")
    assert broken.status == "warning"
    assert "openai: the safe lane does not fit LiteLLM 9" in broken.text
    assert "--lane safe tries it again" in broken.cure
