"""The lock: complete, true to the metadata, for every Python we name, and free of addresses."""

from __future__ import annotations

import re
import tomllib
from collections import defaultdict

import pytest
from documents import ROOT
from packaging.markers import Marker
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

FOLDER = ROOT / "requirements"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
DIRECT = [
    Requirement(line)
    for line in (
        *PROJECT["dependencies"],
        *(line for lines in PROJECT["optional-dependencies"].values() for line in lines),
    )
]
PYTHONS = [text.rpartition(" ")[2] for text in PROJECT["classifiers"] if re.search(r":: 3\.\d+$", text)]
SYSTEMS = [("linux", "Linux", "x86_64"), ("darwin", "Darwin", "arm64"), ("win32", "Windows", "AMD64")]


def pins(name: str) -> list[Requirement]:
    """The lines of a file of the lock, without hashes."""
    text = re.sub(r"\\\n", " ", (FOLDER / name).read_text(encoding="utf-8"))
    lines = (line.partition(" --hash")[0].strip() for line in text.splitlines())
    return [Requirement(line) for line in lines if line and not line.startswith("#")]


def version_of(pin: Requirement) -> str:
    """The one version that a line allows."""
    (one,) = pin.specifier
    assert one.operator == "=="
    return one.version


def environment(python: str, system: tuple[str, str, str]) -> dict[str, str]:
    """The values of markers on a Python and a system."""
    platform, name, machine = system
    return {
        "python_version": python,
        "python_full_version": f"{python}.7",
        "sys_platform": platform,
        "platform_system": name,
        "platform_machine": machine,
        "platform_python_implementation": "CPython",
        "implementation_name": "cpython",
    }


def test_every_package_of_the_metadata_is_locked_in_its_range() -> None:
    """Whatever evalkit, its extras and its tests name has a version here that the metadata allows."""
    locked = defaultdict(set)
    for pin in pins("constraints.txt"):
        locked[canonicalize_name(pin.name)].add(version_of(pin))
    for wanted in DIRECT:
        versions = locked[canonicalize_name(wanted.name)]
        assert versions, f"{wanted.name} is not locked; run: make lock"
        assert all(wanted.specifier.contains(version) for version in versions), f"{wanted}: {versions}"


@pytest.mark.parametrize("python", PYTHONS)
@pytest.mark.parametrize("system", SYSTEMS, ids=lambda system: system[0])
def test_one_version_of_each_package_on_each_python(python: str, system: tuple[str, str, str]) -> None:
    """On any system and Python a name has one version at most, and evalkit's own needs have just one."""
    for file in ("core.txt", "constraints.txt"):
        chosen = [
            canonicalize_name(pin.name)
            for pin in pins(file)
            if pin.marker is None or Marker(str(pin.marker)).evaluate(environment(python, system))
        ]
        assert len(chosen) == len(set(chosen))
        for line in PROJECT["dependencies"]:
            assert canonicalize_name(Requirement(line).name) in chosen


def test_files_of_the_lock_agree() -> None:
    """constraints.txt has just what the other files have; dev.txt repeats nothing of core.txt."""
    whole = {str(pin) for pin in pins("constraints.txt")}
    parts = {
        name: {str(pin) for pin in pins(name)} for name in ("core.txt", "dev.txt", "build.txt", "torch.txt")
    }
    assert whole == set().union(*parts.values())
    assert not parts["core.txt"] & parts["dev.txt"]


def test_all_but_torch_have_hashes() -> None:
    """pip checks every file it fetches; PyTorch's wheel differs from machine to machine."""
    for name in ("core.txt", "dev.txt", "build.txt"):
        text = (FOLDER / name).read_text(encoding="utf-8")
        blocks = re.split(r"\n(?=[A-Za-z0-9])", text)[1:]
        assert blocks
        assert all("--hash=sha256:" in block for block in blocks)
    assert [str(pin) for pin in pins("torch.txt")] == [str(r) for r in DIRECT if str(r).startswith("torch==")]
    assert "--hash" not in (FOLDER / "constraints.txt").read_text(encoding="utf-8")


def test_no_address_stands_in_the_lock() -> None:
    """No index, no folder: where packages come from is the machine's affair. The day is named."""
    for file in FOLDER.glob("*.txt"):
        text = file.read_text(encoding="utf-8")
        assert not re.search(r"://|--(?:index|extra|find)|^-|file:|@ ", text, re.MULTILINE), file.name
        assert re.match(r"# Resolved on \d{4}-\d\d-\d\d by `make lock`", text), file.name


def test_make_installs_nothing_but_the_lock() -> None:
    """Each installation of the Makefile reads requirements/, or brings evalkit alone."""
    text = re.sub(r"\\\n\s*", " ", (ROOT / "Makefile").read_text(encoding="utf-8"))
    recipes = re.findall(r"^\t.*(?:\$\(INSTALL\)|pip install).*$", text, re.MULTILINE)
    assert len(recipes) >= 4
    for recipe in recipes:
        named = [word for word in recipe.split() if not word.startswith(("-", "$", "requirements/"))]
        assert not named or recipe == "\tbuild/lock/bin/python -m pip install --quiet uv", recipe


def test_known_breaks_are_excluded_in_the_metadata() -> None:
    """What ci/known_breaks.txt lists is out of pyproject.toml's ranges, and nothing else is."""
    listed = (ROOT / "ci/known_breaks.txt").read_text(encoding="utf-8")
    broken = {
        match[1]: match
        for match in re.finditer(r"^([\w.-]+==\S+)( *# *\d{4}-\d\d-\d\d; \S.*)?$", listed, re.M)
    }
    excluded = {
        f"{wanted.name}=={one.version}"
        for wanted in DIRECT
        for one in wanted.specifier
        if one.operator == "!="
    }
    assert set(broken) == excluded
    assert all(match[2] for match in broken.values()), "say when it was found, and what breaks"
