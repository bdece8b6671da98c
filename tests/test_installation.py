"""What stands beside evalkit in an environment: foreign packages of its name, versions tested or not."""

from __future__ import annotations

import importlib
import os
import sys
from pathlib import Path

import pytest

from evalkit.core import installation
from evalkit.core.distribution import NAME, install_command
from evalkit.core.installation import Versions, compare_versions, find_rivals, read_tested, shadowing_command
from evalkit.workshop import diagnosis


def plant(folder: Path, name: str, version: str = "0.1.0", **files: str) -> None:
    """A distribution as pip leaves it: a folder of metadata in an entry of Python's path."""
    info = folder / f"{name.replace('-', '_')}-{version}.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    for file, text in files.items():
        (info / file).write_text(text)


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An entry of Python's path that is the only one with distributions."""
    folder = tmp_path / "site-packages"
    folder.mkdir()
    monkeypatch.setattr(sys, "path", [str(folder)])
    importlib.invalidate_caches()
    return folder


@pytest.mark.parametrize(
    ("files", "given"),
    [
        ({"RECORD": "evalkit/__init__.py,sha256=x,1\n"}, "the package evalkit"),
        ({"RECORD": "evalkit.py,,\n"}, "the package evalkit"),
        ({"top_level.txt": "other\nevalkit\n"}, "the package evalkit"),
        ({"entry_points.txt": "[console_scripts]\nevalkit = other:main\n"}, "the command evalkit"),
        ({"entry_points.txt": "[gui_scripts]\nevalkit = other:main\n"}, "the command evalkit"),
        ({"RECORD": "../../../bin/evalkit,,\n"}, "the command evalkit"),
        ({"RECORD": "../../Scripts/evalkit.exe,,\n"}, "the command evalkit"),
        (
            {"top_level.txt": "evalkit\n", "entry_points.txt": "[console_scripts]\nevalkit = evalkit:main\n"},
            "the package evalkit and the command evalkit",
        ),
    ],
)
def test_other_distribution_of_our_name_is_found(place: Path, files: dict[str, str], given: str) -> None:
    """Whatever way a distribution has to bring package or command, it is named with its place."""
    plant(place, NAME, RECORD="evalkit/__init__.py,,\n")
    plant(place, "moon-harness", "9.9", **files)
    assert find_rivals() == [f"moon-harness 9.9 in {place} also provides {given}"]


@pytest.mark.parametrize(
    "files",
    [
        {"RECORD": "evalkit_moon/__init__.py,,\nother/evalkit/x.py,,\n../../../bin/evalkit-moon,,\n"},
        {"RECORD": "pkg/bin/evalkit,,\n", "top_level.txt": "evalkits\n"},
        {"entry_points.txt": "[evalkit.trackers]\nevalkit = other:Tracker\n"},
        {},
    ],
)
def test_plugin_is_no_rival(place: Path, files: dict[str, str]) -> None:
    """A package that builds on evalkit, or has the name somewhere inside, does not provide it."""
    plant(place, "evalkit-moon", **files)
    assert find_rivals() == []


def test_second_copy_of_evalkit_is_found(
    place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two versions in two entries of the path are told; the same entry named twice is not."""
    plant(place, NAME, "0.2.0", RECORD="evalkit/__init__.py,,\n")
    monkeypatch.setattr(sys, "path", [str(place), f"{place}{os.sep}"])
    assert find_rivals() == []
    plant(tmp_path / "user", NAME.replace("-", "_"), "0.0.1", RECORD="evalkit/__init__.py,,\n")
    monkeypatch.setattr(sys, "path", [str(place), str(tmp_path / "user")])
    (rival,) = find_rivals()
    assert "0.0.1" in rival
    assert str(tmp_path / "user") in rival


def test_broken_metadata_breaks_nothing(place: Path) -> None:
    """A folder of metadata without a name, as an interrupted installation leaves it, is passed over."""
    (place / "half-1.0.dist-info").mkdir()
    plant(place, "evil", METADATA="", RECORD="\0\n")
    assert find_rivals() == []


def test_doctor_warns_and_has_the_cure(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The doctor names the rival and both commands, and shows no home folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("OLLAMA_API_BASE", "http://127.0.0.1:9")
    plant(tmp_path / "lib", "moon-harness", RECORD="evalkit/__init__.py,,\n")
    monkeypatch.syspath_prepend(tmp_path / "lib")
    (found,) = [one for one in diagnosis.diagnose() if "moon-harness" in one.text]
    assert (found.subject, found.status) == ("evalkit", "warning")
    assert "~/lib" in found.text
    assert str(tmp_path) not in found.text
    assert f"pip uninstall moon-harness {NAME}, then {install_command()}" in found.cure


def test_command_of_another_environment_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A command `evalkit` that stands first on PATH and is not this environment's is named."""
    for name in ("own", "foreign"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "evalkit").write_text("#!/bin/sh\n")
        (tmp_path / name / "evalkit").chmod(0o755)
    monkeypatch.setattr("sysconfig.get_path", lambda name: str(tmp_path / "own"))
    monkeypatch.setenv("PATH", f"{tmp_path / 'own'}:{tmp_path / 'foreign'}")
    assert shadowing_command() is None
    monkeypatch.setenv("PATH", f"{tmp_path / 'foreign'}:{tmp_path / 'own'}")
    assert shadowing_command() == str(tmp_path / "foreign" / "evalkit")


def test_versions_are_compared_with_those_tested(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each package of the metadata that is installed is tested or not; a local label is no other version."""
    plant(
        place,
        NAME,
        METADATA="Metadata-Version: 2.1\nName: x\nVersion: 1\nRequires-Dist: litellm<2,>=1.84\n"
        "Requires-Dist: numpy>=1\nRequires-Dist: new-one\nRequires-Dist: absent; extra == 'x'\n"
        "Requires-Dist: torch>=2; extra == 'hf'\n",
    )
    for name, version in (
        ("litellm", "1.111.0"),
        ("numpy", "2.5.5"),
        ("new_one", "3"),
        ("torch", "2.13.0+cpu"),
    ):
        plant(place, name, version)
    tested = {"litellm": ("1.110.2",), "numpy": ("2.4.6", "2.5.5"), "torch": ("2.13.0",)}
    monkeypatch.setattr(installation, "read_tested", lambda: ("2026-11-30", tested))
    assert compare_versions() == Versions(
        "2026-11-30", ("numpy", "torch"), (("litellm", "1.111.0", "1.110.2"), ("new-one", "3", ""))
    )


def test_doctor_says_which_versions_are_not_tested(monkeypatch: pytest.MonkeyPatch) -> None:
    """A note names each, with the tested version, and the command for those."""
    untested = Versions("2026-11-30", ("numpy",), (("litellm", "1.111.0", "1.110.2"), ("new", "3", "")))
    monkeypatch.setattr(diagnosis, "compare_versions", lambda: untested)
    found = diagnosis._tested()
    assert found.status == "note"
    assert "litellm 1.111.0 (tested: 1.110.2), new 3 (never tested)" in found.text
    assert "/requirements/constraints.txt" in found.cure


def test_tested_versions_are_read() -> None:
    """The lock that the wheel has a copy of: its date, and every version that a Python takes."""
    date, tested = read_tested()
    assert len(date) == 10
    assert len(tested["litellm"]) == 1
    assert len(tested["numpy"]) > 1
    assert len(tested) > 150
