"""The index of a task tree: which file defines which task, group and tag; kept on disk between starts.

A file is read again only when its size or time has changed. Files are scanned for their top-level keys
without parsing the YAML; what the scan is not sure of is parsed.
"""

from __future__ import annotations

import hashlib
import importlib.machinery
import importlib.util
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import orjson

from evalkit.core.errors import TaskError, did_you_mean
from evalkit.core.yaml_text import DEEPEST, MOST_BYTES
from evalkit.interop.lm_eval.definition import parse_text

Kind = Literal["task", "class", "group", "tag"]

_SCHEMA = 3
_SKIPPED = frozenset(("__pycache__", ".ipynb_checkpoints"))
_KEYS = ("task", "group", "tag", "class", "include")


@dataclass(frozen=True, slots=True)
class IndexEntry:
    """A name of the tree."""

    name: str
    kind: Kind
    path: str
    """The file that defines it; empty for a tag."""
    tags: tuple[str, ...] = ()
    members: tuple[str, ...] = ()
    """The tasks under a tag, sorted; empty for other kinds."""

    @property
    def file(self) -> Path | None:
        """The file that defines it; None for a tag."""
        return Path(self.path) if self.path else None


@dataclass(frozen=True)
class TaskIndex:
    """The names of one or several trees; later trees override earlier ones."""

    entries: Mapping[str, IndexEntry]
    roots: tuple[Path, ...]
    problems: tuple[str, ...] = field(default=())
    """Files that could not be read, and names that were defined twice; the first file counts."""

    def find(self, name: str) -> IndexEntry:
        """The entry of a name. Raises TaskError with the nearest names."""
        entry = self.entries.get(name)
        if entry is None:
            near = did_you_mean(name, self.entries)
            places = ", ".join(str(root) for root in self.roots)
            raise TaskError(f"no task, group or tag {name!r} in {places}.{near}")
        return entry

    def names(self, *kinds: Kind) -> tuple[str, ...]:
        """The names of these kinds, sorted; of all kinds without an argument."""
        return tuple(sorted(name for name, entry in self.entries.items() if not kinds or entry.kind in kinds))


def installed_tree() -> Path:
    """The task tree of the installed `lm_eval` package, found without importing it. Raises TaskError."""
    try:
        spec = importlib.util.find_spec("lm_eval")
    except ValueError:  # our stand-in for the package is loaded, for a task's own Python
        spec = importlib.machinery.PathFinder.find_spec("lm_eval")
    for place in (spec.submodule_search_locations or []) if spec is not None else []:
        tree = Path(place) / "tasks"
        if tree.is_dir():
            return tree
    raise TaskError("the package lm_eval is not installed; pip install lm_eval, or name a folder of tasks")


def build_index(*roots: Path, cache: Path | None = None) -> TaskIndex:
    """The index of these trees, from `cache` (a folder) as far as files are unchanged. Raises TaskError."""
    entries: dict[str, IndexEntry] = {}
    problems: list[str] = []
    resolved = tuple(root.expanduser().resolve() for root in roots)
    for root in resolved:
        if not root.is_dir():
            raise TaskError(f"{root} is not a folder of tasks")
        found, complaints = _index_tree(root, cache)
        entries.update(found)
        problems.extend(complaints)
    return TaskIndex(entries, resolved, tuple(problems))


Record = list[Any]
"""[mtime in ns, size, {key: value} of the top-level keys in `_KEYS`, or the complaint as text]."""


def _index_tree(root: Path, cache: Path | None) -> tuple[dict[str, IndexEntry], list[str]]:
    name_of_store = f"lm-eval-index-{hashlib.sha256(str(root).encode()).hexdigest()[:16]}.json"
    store = cache / name_of_store if cache else None
    content = _read_store(store)
    known: dict[str, Record] = content.get("files", {})
    records: dict[str, Record] = {}
    prefix = len(str(root)) + 1
    changed = False
    for path, mtime, size in _walk(str(root)):
        name = path[prefix:]
        record = known.get(name)
        if record is None or record[0] != mtime or record[1] != size:
            record = [mtime, size, _scan(path)]
            changed = True
        records[name] = record
    if not changed and _rest_unchanged(root, known, records):
        stored = [IndexEntry(*item[:3], *map(tuple, item[3:])) for item in content["entries"]]
        return {entry.name: entry for entry in stored}, content["problems"]
    _add_included(root, known, records)
    entries, problems = _resolve(root, records)
    if store is not None:
        _write_store(store, records, entries, problems)
    return entries, problems


def _rest_unchanged(root: Path, known: Mapping[str, Record], records: Mapping[str, Record]) -> bool:
    """Whether the other files of the store, those that are only included, are as they were."""
    if not known:
        return False
    for name in known.keys() - records.keys():
        try:
            stat = os.stat(os.path.join(root, name))
        except OSError:
            return False
        if name.endswith(".yaml") or known[name][:2] != [stat.st_mtime_ns, stat.st_size]:
            return False
    return True


def _walk(folder: str) -> Iterator[tuple[str, int, int]]:
    """The .yaml files below a folder, with time and size, links to folders not followed."""
    below: list[str] = []
    with os.scandir(folder) as items:
        for item in items:
            if item.name.endswith(".yaml") and item.is_file():
                stat = item.stat()
                yield item.path, stat.st_mtime_ns, stat.st_size
            elif item.is_dir(follow_symlinks=False) and item.name not in _SKIPPED:
                below.append(item.path)
    for path in below:
        yield from _walk(path)


def _add_included(root: Path, known: Mapping[str, Record], records: dict[str, Record]) -> None:
    """Adds the records of included files that have no .yaml ending, or lie outside of the tree."""
    waiting = list(records)
    while waiting:
        name = waiting.pop()
        for target in _included(records[name][2], name):
            if target in records:
                continue
            path = os.path.join(root, target)
            try:
                stat = os.stat(path)
            except (OSError, ValueError):
                continue
            record = known.get(target)
            if record is None or record[0] != stat.st_mtime_ns or record[1] != stat.st_size:
                record = [stat.st_mtime_ns, stat.st_size, _scan(path)]
            records[target] = record
            waiting.append(target)


def _included(content: Any, name: str) -> list[str]:
    if not isinstance(content, dict):
        return []
    value = content.get("include")
    names = value if isinstance(value, list) else [] if value is None else [value]
    folder = os.path.dirname(name)
    return [os.path.normpath(os.path.join(folder, item)) for item in names if isinstance(item, str)]


_SURE_LINE = re.compile(rb"[A-Za-z_][\w-]*[ \t]*:(?=[ \t\r\n]|\Z)|#|-[ \t\n]|\r?\n|[ \t]|\Z")
_UNSURE_VALUE = re.compile(
    rb"""^[\w-]+[ \t]*:[ \t]*(?:[&*%@`]|"(?:[^"\\\n]|\\[^\n])*$|'(?:[^'\n]|'')*$|\{[^}\n]*$|\[[^\]\n]*$)""",
    re.MULTILINE,
)
_WANTED = re.compile(
    rb"^(task|group|tag|class|include)[ \t]*:(.*(?:\n(?:[ \t]+.*|-[ \t].*|[ \t]*\r?))*)", re.MULTILINE
)


def _scan(path: str) -> Any:
    """The values of the top-level keys in `_KEYS`, or a complaint."""
    try:
        with open(path, "rb") as file:
            text = file.read(MOST_BYTES + 1)
    except OSError as error:
        return f"{path}: cannot be read ({error.strerror or error})"
    sure = _scan_text(text) if len(text) <= MOST_BYTES else None
    if sure is not None:
        return sure
    try:
        content = parse_text(text, Path(path))
    except TaskError as error:
        return str(error)
    if not isinstance(content, dict):
        return f"{path}: a mapping of keys is wanted at the top, not {type(content).__name__}"
    return {key: _plain(content[key]) for key in _KEYS if key in content}


def _scan_text(text: bytes) -> dict[str, Any] | None:
    """The same from the lines alone; None where the lines do not settle it."""
    if text.startswith(b"\xef\xbb\xbf") or _UNSURE_VALUE.search(text):
        return None
    for line in text.split(b"\n"):
        if not _SURE_LINE.match(line):
            return None
    found: dict[str, Any] = {}
    for key, value in _WANTED.findall(text):
        name = key.decode()
        if name in found:
            return None
        bare = value.split(b" #")[0].strip()
        if re.fullmatch(rb"[A-Za-z_][\w./-]*", bare) and not _SPECIAL.fullmatch(bare):
            found[name] = bare.decode()
            continue
        try:
            part = parse_text(b"key:" + value, Path("index"))
        except TaskError:
            return None
        found[name] = _plain(part.get("key")) if isinstance(part, dict) else None
    return found


_SPECIAL = re.compile(rb"(?i:yes|no|on|off|true|false|null|y|n)")


def _plain(value: Any) -> Any:
    """The value as JSON keeps it; functions and mappings only by being there."""
    if isinstance(value, int) and abs(value) >= 2**63:
        return str(value)  # JSON readers differ beyond 64 bits
    if isinstance(value, str | int | float | bool) or value is None:
        return value
    if isinstance(value, list):
        return [item if isinstance(item, str) else None for item in value]
    return {}


def _resolve(root: Path, records: Mapping[str, Record]) -> tuple[dict[str, IndexEntry], list[str]]:
    entries: dict[str, IndexEntry] = {}
    tagged: dict[str, list[str]] = {}
    problems: list[str] = []
    merged: dict[str, Mapping[str, Any]] = {}
    for name in sorted(records):
        content = records[name][2]
        if isinstance(content, str):
            problems.append(content)
            continue
        if not name.endswith(".yaml"):
            continue
        content = _merge(name, records, merged, ())
        is_class = "class" in content
        title = content.get("group") if "group" in content and not is_class else content.get("task")
        if not isinstance(title, str | int | float) or isinstance(title, bool):
            continue
        title = str(title)
        kind: Kind = "class" if is_class else "group" if "group" in content else "task"
        tag = content.get("tag")
        tags = tuple(str(item) for item in (tag if isinstance(tag, list) else [tag]) if item is not None)
        if title in entries:
            problems.append(
                f"{root / name}: {title!r} is defined in {entries[title].path}, too; that one counts"
            )
            continue
        entries[title] = IndexEntry(title, kind, os.path.join(root, name), tags)
        if kind != "group":
            for item in tags:
                tagged.setdefault(item, []).append(title)
    for item, members in tagged.items():
        if item not in entries:
            entries[item] = IndexEntry(item, "tag", "", (), tuple(sorted(members)))
    return entries, problems


def _merge(
    name: str, records: Mapping[str, Record], merged: dict[str, Mapping[str, Any]], above: tuple[str, ...]
) -> Mapping[str, Any]:
    """The keys of a file over those of what it includes."""
    if name in merged:
        return merged[name]
    record = records.get(name)
    if record is None or isinstance(record[2], str) or name in above or len(above) > DEEPEST:
        return {}
    content: Mapping[str, Any] = record[2]
    if "include" in content:
        below: dict[str, Any] = {}
        for target in _included(content, name):
            below.update(_merge(target, records, merged, (*above, name)))
        content = {**below, **content}
    merged[name] = content
    return content


def _read_store(store: Path | None) -> dict[str, Any]:
    """What was kept: files, entries and problems; empty where there is nothing of use."""
    if store is None or not store.is_file():
        return {}
    try:
        content = orjson.loads(store.read_bytes())
    except (OSError, orjson.JSONDecodeError):
        return {}
    return content if isinstance(content, dict) and content.get("schema") == _SCHEMA else {}


def _write_store(
    store: Path,
    records: Mapping[str, Record],
    entries: Mapping[str, IndexEntry],
    problems: list[str],
) -> None:
    listed = [[item.name, item.kind, item.path, item.tags, item.members] for item in entries.values()]
    content = {"schema": _SCHEMA, "files": records, "entries": listed, "problems": problems}
    store.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    partial = store.with_name(f"{store.name}.{os.getpid()}.partial")
    partial.write_bytes(orjson.dumps(content))
    os.replace(partial, store)
