"""The workspace: the user's project, its root, and its configuration.

The root is the nearest folder, from the current one upwards, with an evalkit.yaml or a pyproject.toml that
has [tool.evalkit]; without one it is the current folder. evalkit.yaml holds:

    models:                 # aliases: name -> provider/name, or a mapping of settings
      gpt-4: openai/gpt-4
      llama3: {model: hosted_vllm/llama3, api_base: http://127.0.0.1:8000/v1}
    run:                    # defaults of `evalkit run`
      models: [gpt-4, llama3]
      tasks: [sentiment_zh]
      judge: gpt-4          # grades answers where a task has a metric `judge`
      max_cost: 5           # and other options of the command, by their names
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from evalkit.core.errors import ConfigError, UsageError, did_you_mean
from evalkit.core.project import CONFIG_FILE, find_project, read_table
from evalkit.core.records import ModelFacts
from evalkit.models.parameters import check_parameters
from evalkit.models.settings import ModelSettings, parse_settings
from evalkit.running.request import obstacle, spellings

_KEYS = ("models", "run")
_SPELLINGS = {name: spelling for name, spelling in spellings().items() if spelling.yaml}
RUN_KEYS = tuple(_SPELLINGS)
"""What may stand under `run:`."""


@dataclass(frozen=True)
class Workspace:
    """A project and what its configuration says."""

    root: Path
    file: Path | None = None
    """The configuration file; None when there is none."""
    aliases: Mapping[str, ModelSettings] = field(default_factory=dict)
    defaults: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Defaults of `evalkit run`: models, tasks, prompts, judge, track."""
    options: Mapping[str, Any] = field(default_factory=dict)
    """Defaults of further options of the command `evalkit run`; `params` are texts, key=value."""

    @property
    def facts(self) -> Mapping[str, ModelFacts]:
        """What the configuration says of its models, by alias, for pages."""
        return {name: settings.about for name, settings in self.aliases.items()}


def open_workspace(start: Path | None = None) -> Workspace:
    """The workspace of a folder, the current one by default. Raises ConfigError with file and key."""
    root, file = find_project(start)
    if file is None:
        return Workspace(root)
    return _read(root, file, _load_yaml(file) if file.name == CONFIG_FILE else read_table(file))


def _load_yaml(file: Path) -> Any:
    import yaml

    from evalkit.core.yaml_text import load_yaml

    try:
        return load_yaml(file.read_text(encoding="utf-8")).content or {}
    except (OSError, ValueError, yaml.YAMLError) as error:
        mark = getattr(error, "problem_mark", None)
        line = mark.line + 1 if mark else getattr(error, "line", None)
        place = f"{file}, line {line}" if line else str(file)
        problem = getattr(error, "problem", None) or str(error).splitlines()[0]
        raise ConfigError(f"{place}: not readable as YAML ({problem})") from error


def _read(root: Path, file: Path, content: Any) -> Workspace:
    if not isinstance(content, dict):
        raise ConfigError(f"{file}: expected `models:` and `run:`, got {type(content).__name__}")
    for key in content:
        if key not in _KEYS:
            raise ConfigError(
                f"{file}: unknown key {key!r}.{did_you_mean(str(key), _KEYS)} Keys: {', '.join(_KEYS)}."
            )
    models = content.get("models") or {}
    if not isinstance(models, dict):
        raise ConfigError(f"{file}: `models` must map names to models, got {type(models).__name__}")
    if any(not str(name).strip() for name in models):
        raise ConfigError(f"{file}: `models` has a name that is empty")
    aliases = {str(name): parse_settings(str(name), raw, str(file)) for name, raw in models.items()}
    run = content.get("run") or {}
    if not isinstance(run, dict):
        raise ConfigError(f"{file}: `run` must map options to values, got {type(run).__name__}")
    defaults: dict[str, tuple[str, ...]] = {}
    options: dict[str, Any] = {}
    for key, value in run.items():
        if key not in RUN_KEYS:
            raise ConfigError(
                f"{file}: unknown key run.{key}.{did_you_mean(str(key), RUN_KEYS)} "
                f"Keys: {', '.join(RUN_KEYS)}. Other options have variables, such as EVALKIT_RUN_CACHE."
            )
        if _SPELLINGS[key].kind not in ("names", "word"):
            options[key] = _option(str(key), value, file)
            continue
        names = [value] if isinstance(value, str) else value
        if not isinstance(names, list) or not all(isinstance(n, str) and n.strip() for n in names):
            raise ConfigError(f"{file}: run.{key} must be a list of names")
        if not names:
            raise ConfigError(f"{file}: run.{key} names nothing; leave the key out for what is usual")
        defaults[key] = tuple(names)
    return Workspace(root, file, aliases, defaults, options)


def _option(key: str, value: Any, file: Path) -> Any:
    """The value of an option of `evalkit run` that is no list. Raises ConfigError."""
    if key == "params":
        if not isinstance(value, dict):
            raise ConfigError(
                f"{file}: run.params must map parameters to values, such as {{temperature: 0.7}}"
            )
        try:
            check_parameters(value, f"{file}: run.params")
        except UsageError as error:
            raise ConfigError(str(error)) from None
        return tuple(f"{name}={json.dumps(each)}" for name, each in value.items())
    problem = obstacle(_SPELLINGS[key], value)
    if problem or value is None:
        raise ConfigError(f"{file}: run.{key} must be {problem or 'a number, not nothing'}")
    return value
