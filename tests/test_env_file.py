"""The file .env: it fills gaps of the environment, never more, and shows no value."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from evalkit.core import env_file
from evalkit.core.env_file import read_env_file
from evalkit.core.errors import ConfigError


@pytest.fixture(autouse=True)
def _environment_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "environ", os.environ.copy())
    monkeypatch.setattr(env_file, "_taken", {})


def test_gaps_are_filled_and_named(tmp_path: Path) -> None:
    """A variable that is not set comes from the file, which is said; quotes, comments and export are read."""
    (tmp_path / ".env").write_text("# keys\nexport SAMPLE_KEY='s e c'  # mine\nOTHER=$HOME\nEMPTY=\nBARE\n")
    taken = read_env_file(tmp_path)
    assert taken == {"SAMPLE_KEY": str(tmp_path / ".env"), "OTHER": str(tmp_path / ".env")}
    assert (os.environ["SAMPLE_KEY"], os.environ["OTHER"]) == ("s e c", "$HOME")
    assert "EMPTY" not in os.environ


def test_environment_comes_first(tmp_path: Path) -> None:
    """What is set already stays, even when it is set to nothing."""
    os.environ.update(SAMPLE_KEY="mine", OTHER="")
    (tmp_path / ".env").write_text("SAMPLE_KEY=theirs\nOTHER=theirs\n")
    assert read_env_file(tmp_path) == {}
    assert (os.environ["SAMPLE_KEY"], os.environ["OTHER"]) == ("mine", "")


def test_second_reading_still_tells_where_a_variable_is_from(tmp_path: Path) -> None:
    """A process that has read the file knows so later on."""
    (tmp_path / ".env").write_text("SAMPLE_KEY=x\n")
    assert read_env_file(tmp_path) == read_env_file(tmp_path) != {}


def test_another_file_or_none_can_be_named(tmp_path: Path) -> None:
    """EVALKIT_ENV_FILE names the file; `off` reads none; one that is not there is an error."""
    (tmp_path / ".env").write_text("SAMPLE_KEY=x\n")
    (tmp_path / "other").write_text("OTHER=y\n")
    os.environ["EVALKIT_ENV_FILE"] = "off"
    assert read_env_file(tmp_path) == {}
    os.environ["EVALKIT_ENV_FILE"] = str(tmp_path / "other")
    assert set(read_env_file(tmp_path)) == {"OTHER"}
    os.environ["EVALKIT_ENV_FILE"] = str(tmp_path / "gone")
    with pytest.raises(ConfigError, match="gone, which is no file"):
        read_env_file(tmp_path)


def test_unreadable_file_is_told_without_its_content(tmp_path: Path) -> None:
    """A file that is no text is named; nothing of it is shown."""
    (tmp_path / ".env").write_bytes(b"SAMPLE_KEY=sk-secret\xff\xfe\n")
    with pytest.raises(ConfigError) as caught:
        read_env_file(tmp_path)
    assert str(tmp_path / ".env") in str(caught.value)
    assert "secret" not in str(caught.value)


def test_command_line_options_come_from_it_too(tmp_path: Path) -> None:
    """EVALKIT_RUN_LIMIT in .env is --limit of `evalkit run`; the run says which names it took, no value."""
    (tmp_path / ".env").write_text("EVALKIT_RUN_LIMIT=2\nSAMPLE_KEY=sk-hidden\n")
    environment = {name: value for name, value in os.environ.items() if not name.startswith("EVALKIT_")}
    done = subprocess.run(
        [sys.executable, "-m", "evalkit", "run", "--dry-run", "-t", "arithmetic_en", "-m", "mock/echo"],
        cwd=tmp_path, env=environment, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert "EVALKIT_RUN_LIMIT, SAMPLE_KEY" in done.stderr
    assert "sk-hidden" not in done.stdout + done.stderr
    assert " 2 " in done.stdout
