"""Reading a task file of lm-evaluation-harness: YAML with `include` and `!function`.

`!function module.name` stays a `FunctionRef` here; nothing is imported before `modules.resolve` is asked to.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from evalkit.core.errors import TaskError
from evalkit.core.yaml_text import BaseLoader, YamlBoundsError, load_yaml

_DEEPEST = 64


@dataclass(frozen=True, slots=True)
class FunctionRef:
    """A `!function` tag: a Python object that the file names and that is not imported yet."""

    spec: str
    """`module.name`, the module looked up beside the file first."""
    file: Path
    """The YAML file that contains the tag."""

    def __str__(self) -> str:
        return f"!function {self.spec}"


@dataclass(frozen=True)
class Definition:
    """The merged content of a task file and its includes."""

    file: Path
    values: Mapping[str, Any]
    """Top-level keys after all includes; local keys win, nested values are replaced, not merged."""
    origins: Mapping[str, Path]
    """Top-level key -> the file it was written in."""

    def where(self, key: str) -> str:
        """`file: key` as messages show it; names the included file when the key comes from one."""
        origin = self.origins.get(key, self.file)
        return f"{self.file}: {key}" if origin == self.file else f"{self.file}: {key} (from {origin})"


class _Loader(BaseLoader):  # type: ignore[misc]
    """A safe YAML loader that keeps `!function` as a reference."""

    file: Path


def _function(loader: Any, node: yaml.Node) -> FunctionRef:
    if not isinstance(node, yaml.ScalarNode):
        raise yaml.constructor.ConstructorError(
            None, None, "!function takes one name, module.function", node.start_mark
        )
    return FunctionRef(str(node.value).strip(), loader.file)


_Loader.add_constructor("!function", _function)


def read_definition(file: Path) -> Definition:
    """The definition in `file`, includes merged left to right. Raises TaskError naming file and key."""
    return _read(_absolute(file), (), {})


def _absolute(file: Path) -> Path:
    return file.expanduser().resolve()


def _read(file: Path, above: tuple[Path, ...], known: dict[Path, Definition]) -> Definition:
    """The definition in a file; `known` are those of files that were read for the same task."""
    if file in known:
        return known[file]
    if len(above) > _DEEPEST:
        raise TaskError(f"{above[0]}: include: files include each other more than {_DEEPEST} deep")
    if file in above:
        chain = " -> ".join(str(link) for link in (*above[above.index(file) :], file))
        raise TaskError(f"{above[0]}: include: the files include each other: {chain}")
    own = parse(file)
    values: dict[str, Any] = {}
    origins: dict[str, Path] = {}
    for name in _includes(own.get("include"), file):
        target = _absolute(file.parent / name)
        if not target.is_file():
            raise TaskError(f"{file}: include: there is no file {target}")
        part = _read(target, (*above, file), known)
        values.update(part.values)
        origins.update(part.origins)
        values.pop("task_list", None)
    for key, value in own.items():
        if key != "include":
            values[key] = value
            origins[key] = file
    known[file] = Definition(file, values, origins)
    return known[file]


def _includes(value: Any, file: Path) -> list[str]:
    names = value if isinstance(value, list) else [] if value is None else [value]
    for name in names:
        if not isinstance(name, str) or not name or "\0" in name:
            raise TaskError(f"{file}: include: a file name or a list of them is wanted, not {name!r:.80}")
    return names


def parse(file: Path) -> Mapping[str, Any]:
    """The YAML mapping in one file, `!function` tags as references. Raises TaskError naming the file."""
    try:
        stat = file.stat()
    except (OSError, ValueError) as error:
        raise TaskError(f"{file}: cannot be read ({error})") from error
    return _parse(file, stat.st_mtime_ns, stat.st_size)


@functools.lru_cache(maxsize=512)
def _parse(file: Path, mtime: int, size: int) -> Mapping[str, Any]:
    try:
        content = parse_text(file.read_bytes(), file)
    except OSError as error:
        raise TaskError(f"{file}: cannot be read ({error.strerror or error})") from error
    if not isinstance(content, dict):
        raise TaskError(f"{file}: a mapping of keys is wanted at the top, not {type(content).__name__}")
    for key in content:
        if not isinstance(key, str):
            raise TaskError(f"{file}: {key!r:.80}: a key must be a text")
    return content


def parse_text(text: bytes, file: Path) -> Any:
    """The value that a YAML text stands for; `file` is named in errors and references. Raises TaskError."""

    def make_loader(text: Any) -> Any:
        loader = _Loader(text)
        loader.file = file
        return loader

    try:
        return load_yaml(text, make_loader, twice=True).content
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f", line {mark.line + 1}" if mark is not None else ""
        problem = getattr(error, "problem", None) or str(error)
        raise TaskError(f"{file}{line}: not valid YAML ({problem})") from error
    except YamlBoundsError as error:
        line = f", line {error.line}" if error.line else ""
        raise TaskError(f"{file}{line}: {error}") from error
    except ValueError as error:
        raise TaskError(f"{file}: a value cannot be read ({error})") from error


def find_functions(value: Any) -> list[FunctionRef]:
    """The `!function` references inside a value, at any depth, in order."""
    if isinstance(value, FunctionRef):
        return [value]
    if isinstance(value, dict):
        return [ref for item in value.values() for ref in find_functions(item)]
    if isinstance(value, list):
        return [ref for item in value for ref in find_functions(item)]
    return []
