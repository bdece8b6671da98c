"""Importing the Python beside a task file, after trust was given.

A module is looked up beside the YAML that names it, never on sys.path first; modules of one task tree are
known to each other as `lm_eval.tasks.<path>`, as the field's task modules expect.
"""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import sys
import warnings
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

from evalkit.core.errors import TaskError
from evalkit.interop.lm_eval import shim
from evalkit.interop.lm_eval.definition import Definition, FunctionRef, find_functions, read_definition

_loaded: dict[Path, tuple[int, ModuleType | TaskError]] = {}


def resolve_values(definition: Definition, overrides: Mapping[str, Any], *, trust: bool) -> dict[str, Any]:
    """The top-level keys with every `!function` replaced by its object. Raises TaskError without trust."""
    values = {**definition.values, **overrides}
    for key, value in values.items():
        found = find_functions(value)
        if found and not trust:
            raise TaskError(
                f"{definition.where(key)}: runs Python from {found[0].file.parent} ({found[0]}); "
                "read it, then allow it with --trust"
            )
        values[key] = _with_objects(value, definition.where(key))
    return values


def _with_objects(value: Any, where: str) -> Any:
    if isinstance(value, FunctionRef):
        return resolve(value, where)
    if isinstance(value, dict):
        return {key: _with_objects(item, where) for key, item in value.items()}
    if isinstance(value, list):
        return [_with_objects(item, where) for item in value]
    return value


def _load_yaml(path: Any, *, resolve_func: bool = True, recursive: bool = True) -> dict[str, Any]:
    """What task modules get from lm_eval's own loader of task files."""
    definition = read_definition(Path(path))
    if resolve_func:
        return resolve_values(definition, {}, trust=True)
    return {key: str(v) if isinstance(v, FunctionRef) else v for key, v in definition.values.items()}


def resolve(ref: FunctionRef, where: str) -> Any:
    """The Python object that a `!function` tag names. Raises TaskError that says what is missing."""
    module_name, _, name = ref.spec.rpartition(".")
    if not module_name:
        raise TaskError(f"{where}: !function {ref.spec!r} names no module; write module.function")
    beside = (ref.file.parent / f"{module_name.replace('.', '/')}.py").resolve()
    shim.ensure(tree_root(ref.file), _load_yaml)
    if beside.is_file():
        module = load_module(beside, where)
    else:
        module = _import(module_name, where)
    try:
        return getattr(module, name)
    except AttributeError:
        origin = getattr(module, "__file__", module_name)
        raise TaskError(f"{where}: {origin} has no {name!r}") from None


def tree_root(file: Path) -> Path | None:
    """The `lm_eval/tasks` folder above a file; None outside of such a tree."""
    for parent in file.parents:
        if parent.name == "tasks" and parent.parent.name == "lm_eval":
            return parent
    return None


def load_module(file: Path, where: str) -> ModuleType:
    """The module in `file`, run once until the file changes. Raises TaskError."""
    mtime = file.stat().st_mtime_ns
    known = _loaded.get(file)
    if known is None or known[0] != mtime:
        try:
            known = (mtime, _run(file, where))
        except TaskError as error:
            known = (mtime, error)
        _loaded[file] = known
    if isinstance(known[1], TaskError):
        raise known[1]
    return known[1]


def _run(file: Path, where: str) -> ModuleType:
    root = tree_root(file)
    if root is not None:
        parts = file.relative_to(root).with_suffix("").parts
        name = ".".join(("lm_eval", "tasks", *parts))
    else:
        name = "evalkit_lm_eval_" + hashlib.sha256(str(file).encode()).hexdigest()[:12]
    present = sys.modules.get(name)
    if present is not None and getattr(present, "__evalkit_mtime__", None) == file.stat().st_mtime_ns:
        return present
    spec = importlib.util.spec_from_file_location(name, file)
    if spec is None or spec.loader is None:
        raise TaskError(f"{where}: {file} cannot be loaded as Python")
    module = importlib.util.module_from_spec(spec)
    module.__evalkit_mtime__ = file.stat().st_mtime_ns  # type: ignore[attr-defined]
    sys.modules[name] = module
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        sys.modules.pop(name, None)
        raise _import_failure(error, f"{where}: {file}") from error
    return module


def _import(name: str, where: str) -> ModuleType:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return importlib.import_module(name)
    except (Exception, SystemExit) as error:
        raise _import_failure(error, where) from error


def _import_failure(error: BaseException, where: str) -> TaskError:
    if isinstance(error, ModuleNotFoundError) and error.name:
        package = error.name.split(".")[0]
        return TaskError(
            f"{where}: needs the Python package {package!r}, which is not installed; pip install {package}"
        )
    return TaskError(f"{where}: {type(error).__name__} while it was imported: {error}")
