"""What `evalkit doctor` looks at: installation, project, keys, servers, cache and machine.

No line holds a key, a user name or a home folder, so that the whole can be pasted into a report.
"""

from __future__ import annotations

import asyncio
import os
import platform
import re
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from evalkit.core.distribution import NAME, install_command, locked_command
from evalkit.core.env_file import read_env_file
from evalkit.core.errors import EvalkitError
from evalkit.core.installation import compare_versions, find_rivals, shadowing_command
from evalkit.core.redaction import redact
from evalkit.core.version import __version__
from evalkit.models import providers
from evalkit.models.making import make_model
from evalkit.models.memory import findings_folder
from evalkit.models.resolution import BUILT_IN, ollama_models, resolve_model
from evalkit.models.seam import Verdicts
from evalkit.models.settings import ModelSettings
from evalkit.running.workspace import Workspace, open_workspace
from evalkit.store.cache import cache_url
from evalkit.tasks.discovery import list_groups, list_tasks, search_path, select_tasks
from evalkit.tasks.schema import read_task_spec
from evalkit.tasks.task import HOOKS_FILE

Status = Literal["ok", "note", "warning", "error"]

EXTRAS = {
    "hf": ("local models in this process, hf/NAME", ("torch", "transformers")),
    "ray": ("several machines, --executor ray", ("ray",)),
    "postgres": ("a cache shared by a team", ("psycopg",)),
}
"""Extra -> what it is for, and the packages that come with it."""

_PACKAGES = ("litellm", "evaluate", "sacrebleu", "rouge-score", "scikit-learn", "pandas", "numpy", "datasets")
_LITTLE_ROOM = 1 << 30
"""Bytes free on the disk below which a warning is due: a cache of a million answers takes about one GiB."""


@dataclass(frozen=True)
class Diagnosis:
    """One thing looked at."""

    subject: str
    """What it is about, such as `keys`."""
    status: Status
    """ok; note: worth knowing; warning: something will not work; error: what the project says is broken."""
    text: str
    """What was found."""
    cure: str = ""
    """What to do about it; empty when there is nothing to do."""


def diagnose() -> list[Diagnosis]:
    """Everything found, in the order of reading. Calls no model; asks servers for their lists only."""
    found = [*_installation(), *_lanes(), *_extras()]
    try:
        workspace = open_workspace()
        taken = read_env_file(workspace.root)
    except EvalkitError as error:
        found.append(_broken("project", error))
        workspace, taken = Workspace(Path.cwd()), {}
    else:
        where = f"{workspace.file}: {len(workspace.aliases)} models" if workspace.file else "no evalkit.yaml"
        found.append(Diagnosis("project", "ok", f"{workspace.root} ({where})"))
    found.extend(_tasks(workspace))
    found.extend(_keys(taken))
    found.extend(_models(workspace))
    found.append(_ollama())
    found.append(_cache(workspace))
    found.extend(_machine(workspace))
    return [Diagnosis(one.subject, one.status, _pasteable(one.text), _pasteable(one.cure)) for one in found]


def _broken(subject: str, error: EvalkitError) -> Diagnosis:
    return Diagnosis(subject, "error", str(error))


def _pasteable(text: str) -> str:
    """The text without keys, and with ~ for the home folder."""
    home = str(Path.home())
    return redact(re.sub(rf"{re.escape(home)}(?=[/\s:,;)]|$)", "~", text) if len(home) > 1 else text)


def _version(package: str) -> str | None:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _installation() -> Iterator[Diagnosis]:
    system = f"Python {platform.python_version()}, {platform.system()} {platform.machine()}"
    yield Diagnosis("evalkit", "ok", f"{__version__}, {system}")
    versions = {package: _version(package) for package in _PACKAGES}
    there = ", ".join(f"{package} {version}" for package, version in versions.items() if version)
    yield Diagnosis("packages", "ok", there)
    yield _tested()
    rivals = find_rivals()
    for rival in rivals:
        names = " ".join(dict.fromkeys([rival.partition(" ")[0], NAME]))
        cure = f"one of them must go, or the wrong code runs: pip uninstall {names}, then {install_command()}"
        yield Diagnosis("evalkit", "warning", rival, cure)
    if first := shadowing_command():
        text = f"a terminal starts another command of that name: {first}"
        yield Diagnosis("evalkit", "warning", text, "put this environment's folder first on PATH")


def _tested() -> Diagnosis:
    """Whether the packages under evalkit are those it was tested with."""
    versions = compare_versions()
    if not versions.date or not (versions.same or versions.other):
        return Diagnosis("versions", "note", "tested or not is unknown: evalkit runs without being installed")
    if not versions.other:
        n = len(versions.same)
        return Diagnosis("versions", "ok", f"tested: the {n} packages are those of {versions.date}")
    named = ", ".join(
        f"{name} {installed} ({f'tested: {tested}' if tested else 'never tested'})"
        for name, installed, tested in versions.other
    )
    cure = f"for the versions of {versions.date}: {locked_command(f'v{__version__}')}"
    return Diagnosis("versions", "note", f"not tested: {named}; tested: {len(versions.same)} others", cure)


def _lanes() -> Iterator[Diagnosis]:
    """How served models are called, as far as runs have found out with these versions."""
    verdicts = Verdicts.open(findings_folder())
    name = f"LiteLLM {_version('litellm')}"
    tried = sorted({place.partition(" ")[0] for place in verdicts.fits})
    if not tried:
        yield Diagnosis(
            "lanes", "ok", f"{name} has not been tried yet: the first run starts in the fast lane"
        )
    elif not verdicts.broken:
        yield Diagnosis("lanes", "ok", f"{name}: calls start in the fast lane (tried: {', '.join(tried)})")
    for place, why in verdicts.broken.items():
        lane, _, provider = place.partition(" ")
        cure = f"{locked_command(f'v{__version__}')}; --lane {lane} tries it again"
        yield Diagnosis("lanes", "warning", f"{provider}: {why}; a slower lane makes the calls", cure)


def _extras() -> Iterator[Diagnosis]:
    for extra, (purpose, packages) in EXTRAS.items():
        versions = {package: _version(package) for package in packages}
        if all(versions.values()):
            text = ", ".join(f"{package} {version}" for package, version in versions.items())
            yield Diagnosis(f"extra {extra}", "ok", text)
        else:
            yield Diagnosis(f"extra {extra}", "note", f"not installed ({purpose})", install_command(extra))


def _tasks(workspace: Workspace) -> Iterator[Diagnosis]:
    """The tasks that a run without names takes: their files are read, and none of their Python is run."""
    problems: list[str] = []
    try:
        folders = search_path(workspace.root)
        entries, groups = list_tasks(folders, problems=problems), list_groups(folders, problems)
        named = [name for name in workspace.defaults.get("tasks", ()) if not name.startswith("lm_eval")]
        at_hand = [entry for entry in entries.values() if not entry.hub]
        own = [entry for entry in at_hand if entry.origin == "workspace"]
        for entry in select_tasks(named, entries, groups) if named else own or at_hand:
            read_task_spec(entry.file, entry.assignment)
    except EvalkitError as error:
        yield _broken("tasks", error)
        return
    for problem in problems:
        yield Diagnosis("tasks", "error", problem)
    if not problems:
        place = workspace.root / "tasks"
        yield Diagnosis("tasks", "ok", f"{len(at_hand)} with data at hand, {len(own)} of them in {place}")
    hooked = dict.fromkeys(e.file.parent / HOOKS_FILE for e in own if (e.file.parent / HOOKS_FILE).is_file())
    if hooked:
        names = ", ".join(str(file.relative_to(workspace.root)) for file in list(hooked)[:5])
        more = f" and {len(hooked) - 5} more" if len(hooked) > 5 else ""
        yield Diagnosis("tasks", "note", f"Python that a run of its task would run: {names}{more}")


def _keys(taken: dict[str, str]) -> Iterator[Diagnosis]:
    known = {name for provider in providers.PROVIDERS.values() for group in provider.keys for name in group}
    present = sorted(name for name in known if os.environ.get(name))
    if not present:
        yield Diagnosis("keys", "note", "none is set", "put OPENAI_API_KEY=... into .env, or export it")
    for name in present:
        value = os.environ[name]
        where = taken.get(name, "the environment")
        if value != value.strip() or value[0] in "\"'":
            cure = "remove the blanks or quotation marks round its value"
            yield Diagnosis("keys", "warning", f"{name} from {where} begins or ends oddly", cure)
        else:
            yield Diagnosis("keys", "ok", f"{name} is set, from {where}")


def _models(workspace: Workspace) -> Iterator[Diagnosis]:
    served = []
    for alias in workspace.aliases:
        try:
            resolved = resolve_model(alias, workspace.aliases)
            model = make_model(resolved)
        except EvalkitError as error:
            yield _broken(f"model {alias}", error)
            continue
        if resolved.provider in BUILT_IN:
            yield Diagnosis(f"model {alias}", "ok", resolved.how)
        else:
            served.append(model)
    if not served:
        return
    from evalkit.models.preflight import preflight

    for finding in asyncio.run(preflight(served)):
        yield Diagnosis(f"model {finding.model}", finding.status, finding.message, finding.cure)


def _ollama() -> Diagnosis:
    base = providers.address("ollama_chat", ModelSettings(model="ollama_chat/any")) or ""
    tags = ollama_models(base)
    shown = providers.without_credentials(base)
    if not tags:
        return Diagnosis("Ollama", "note", f"none answers at {shown}")
    more = ", ..." if len(tags) > 8 else ""
    return Diagnosis("Ollama", "ok", f"{shown} has {', '.join(tags[:8])}{more}")


def _cache(workspace: Workspace) -> Diagnosis:
    from evalkit.store.cache import Cache

    try:
        url = cache_url(None, workspace.root)
        if url is None:
            return Diagnosis("cache", "warning", "off: every answer is paid again", "unset EVALKIT_CACHE")
        file = Path(url.removeprefix("sqlite:///"))
        if url.startswith("sqlite") and not file.exists():
            return Diagnosis("cache", "ok", f"{file} will be made by the first served model")
        store = Cache(url)
        try:
            answers = sum(store.count_by_model().values())
        finally:
            store.close()
    except EvalkitError as error:
        return _broken("cache", error)
    if not url.startswith("sqlite"):
        return Diagnosis("cache", "ok", f"{url.partition(':')[0]} by EVALKIT_CACHE: {answers:,} answers")
    if not os.access(file, os.W_OK):
        cure = "change its owner or rights, or name another by --cache PATH"
        return Diagnosis("cache", "error", f"{file} cannot be written", cure)
    return Diagnosis("cache", "ok", f"{file}: {answers:,} answers, {file.stat().st_size / 2**20:,.1f} MiB")


def _machine(workspace: Workspace) -> Iterator[Diagnosis]:
    reports = workspace.root / "reports"
    place = reports if reports.exists() else workspace.root
    if os.access(place, os.W_OK):
        yield Diagnosis("reports", "ok", f"{reports} can be written")
    else:
        yield Diagnosis("reports", "error", f"{place} cannot be written", "name another folder by --out")
    free = shutil.disk_usage(workspace.root).free
    room = f"{free / 2**30:,.1f} GiB free, {os.cpu_count()} processors"
    yield Diagnosis("machine", "ok" if free > _LITTLE_ROOM else "warning", room)
    encoding = (sys.stdout.encoding or "unknown").lower()
    if encoding.replace("-", "") == "utf8":
        yield Diagnosis("terminal", "ok", "UTF-8")
    else:
        cure = "export PYTHONUTF8=1, or Chinese text and lines of tables cannot be shown"
        yield Diagnosis("terminal", "warning", encoding, cure)
    for name in ("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY", "https_proxy", "http_proxy", "all_proxy"):
        if os.environ.get(name):
            yield Diagnosis("network", "note", f"{name} is set: calls go through {_host(os.environ[name])}")


def _host(url: str) -> str:
    return providers.without_credentials(url if "://" in url else f"http://{url}")
