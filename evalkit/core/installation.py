"""What is installed beside evalkit: versions that were tested or not, and others of the same name."""

from __future__ import annotations

import re
import shutil
import sys
import sysconfig
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import Distribution, PackageNotFoundError, distributions, requires, version
from pathlib import Path

from evalkit.core.distribution import NAME

COMMAND = PACKAGE = "evalkit"


@dataclass(frozen=True)
class Versions:
    """How the packages that evalkit names in its metadata compare with those it was tested with."""

    date: str
    """When the tested versions were resolved, such as 2026-11-30; empty when that is unknown."""
    same: tuple[str, ...]
    """Those at a tested version."""
    other: tuple[tuple[str, str, str], ...]
    """(package, installed version, tested version) of the others; empty for the last: never tested."""


def compare_versions() -> Versions:
    """The installed packages of evalkit's metadata, extras too, in their order; nothing where it has none."""
    date, tested = read_tested()
    same, other = [], []
    for name in _direct():
        try:
            installed = version(name)
        except PackageNotFoundError:
            continue
        known = tested.get(_normal(name), ())
        if installed.partition("+")[0] in known:
            same.append(name)
        else:
            other.append((name, installed, " or ".join(known)))
    return Versions(date, tuple(same), tuple(other))


def read_tested() -> tuple[str, dict[str, tuple[str, ...]]]:
    """(date, normal name of a package -> versions that evalkit was tested with, one for each Python).

    From the copy in the installed package, or the checkout's requirements/constraints.txt.
    """
    package = Path(__file__).parents[1]
    for file in (package / "_tested.txt", package.parent / "requirements" / "constraints.txt"):
        if file.is_file():
            text = file.read_text(encoding="utf-8")
            break
    else:
        return "", {}
    date = re.search(r"\d{4}-\d\d-\d\d", text.partition("\n")[0])
    tested: dict[str, tuple[str, ...]] = {}
    for name, number in re.findall(r"^([\w.-]+)==([^\s;]+)", text, re.MULTILINE):
        tested[_normal(name)] = (*tested.get(_normal(name), ()), number)
    return date[0] if date else "", tested


def find_rivals() -> list[str]:
    """Other distributions that provide the package or the command of evalkit, each with what and where.

    Another copy of evalkit's own distribution on Python's path counts too: one of them is never used.
    """
    rivals, seen = [], set()
    for found in distributions():
        metadata = found.metadata
        if not metadata:
            continue  # what an interrupted installation leaves behind
        name = str(metadata["Name"] or "?")
        where = Path(str(found.locate_file("")))
        ours = _normal(name) == NAME
        if (_normal(name), str(where.resolve())) in seen:
            continue
        seen.add((_normal(name), str(where.resolve())))
        given = list(_given(found))
        if ours and sum(other == NAME for other, _ in seen) < 2:
            continue
        if given or ours:
            what = f"the {' and the '.join(given)}" if given else "evalkit itself"
            rivals.append(f"{name} {found.version} in {where} also provides {what}")
    return rivals


def shadowing_command() -> str | None:
    """The path of the command that a terminal would start instead of this environment's, if there is one."""
    first = shutil.which(COMMAND)
    own = Path(sysconfig.get_path("scripts")) / COMMAND
    if first is None or not own.exists() or Path(first).parent.name == "shims":
        return None
    mine = {own.resolve(), Path(sys.argv[0]).resolve()}
    return None if Path(first).resolve() in mine else first


def _given(found: Distribution) -> Iterator[str]:
    """`package evalkit` and `command evalkit`, as far as the distribution has them."""
    record = "\n".join(found.read_text(name) or "" for name in ("RECORD", "installed-files.txt"))
    top = (found.read_text("top_level.txt") or "").split()
    if PACKAGE in top or re.search(rf"^(?:\.\./)*{PACKAGE}(?:/|\.py,)", record, re.MULTILINE):
        yield f"package {PACKAGE}"
    points = {point.name for point in found.entry_points if point.group in ("console_scripts", "gui_scripts")}
    scripts = rf"^(?:\.\./)*(?:bin|Scripts)/{COMMAND}(?:\.exe|-script\.py)?(?:,|$)"
    if COMMAND in points or re.search(scripts, record, re.MULTILINE):
        yield f"command {COMMAND}"


def _direct() -> list[str]:
    """The packages that evalkit's metadata names, in their order; none where it is not installed."""
    try:
        lines = requires(NAME) or []
    except PackageNotFoundError:
        return []
    return list(dict.fromkeys(re.split(r"[^\w.-]", line, maxsplit=1)[0] for line in lines))


def _normal(name: str) -> str:
    """A name as indexes compare it."""
    return re.sub(r"[-_.]+", "-", name).lower()
