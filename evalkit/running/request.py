"""What was asked of a run, spelled once: command line, evalkit.yaml, Python and the gate make this record.

Each field says what it means and what it may be; the options of the commands, their help and the keys of
evalkit.yaml are made from it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import MISSING, dataclass, field, fields
from pathlib import Path
from typing import Any, Literal, TypeAlias

from evalkit.core.errors import UsageError, did_you_mean
from evalkit.models.protocol import Model
from evalkit.tasks.choices import Order
from evalkit.tasks.data import DataFile

Kind: TypeAlias = Literal["names", "paths", "whole", "number", "word", "pairs", "params", "flag", "path"]


@dataclass(frozen=True, slots=True)
class Spelling:
    """What a field of a request means and may be, wherever it is written."""

    kind: Kind
    help: str
    flags: tuple[str, ...] = ()
    """Further flags than `--` and the field's name."""
    least: float | None = None
    """The least number; None: any."""
    above: bool = False
    """Whether the least number itself is too small."""
    most: float = 1e15
    """The greatest number: no real value lies beyond."""
    choices: tuple[str, ...] = ()
    metavar: str | None = None
    variable: str | None = None
    """A variable of the environment beside the one that every option has."""
    yaml: bool = False
    """Whether it may stand under `run:` in evalkit.yaml."""


def _means(kind: Kind, help: str, **more: Any) -> Mapping[str, Spelling]:
    if kind == "whole":
        more.setdefault("most", 2**31 - 1)  # what a counter holds
    return {"spelling": Spelling(kind, help, **more)}


@dataclass(frozen=True, kw_only=True)
class RunRequest:
    """What a run was asked to do. Raises UsageError where a value cannot be meant."""

    models: Sequence[str | Model] = field(
        default=(),
        metadata=_means(
            "names",
            "Models: aliases of evalkit.yaml, provider/name, or bare names (gpt-4).",
            flags=("-m",),
            yaml=True,
        ),
    )
    tasks: Sequence[str] = field(
        default=(),
        metadata=_means(
            "names", "Tasks: names, globs (*_zh), tags, folders, or all.", flags=("-t",), yaml=True
        ),
    )
    prompts: Sequence[str] = field(
        default=(),
        metadata=_means(
            "names",
            "Prompt variants of the tasks, or all; default: each task's first.",
            flags=("-p",),
            yaml=True,
        ),
    )
    limit: int | None = field(
        default=None, metadata=_means("whole", "At most so many samples of each task.", least=1, yaml=True)
    )
    num_fewshot: int | None = field(
        default=None, metadata=_means("whole", "Worked examples in each prompt.", least=0, yaml=True)
    )
    repeats: int | None = field(
        default=None, metadata=_means("whole", "Ask every sample so often.", least=1, yaml=True)
    )
    seed: int = field(
        default=0,
        metadata=_means(
            "whole", "Decides few-shot choice and baselines.", least=-(2**63), most=2**63 - 1, yaml=True
        ),
    )
    params: Mapping[str, Any] = field(
        default_factory=dict,
        metadata=_means(
            "params", "A generation parameter.", flags=("--param",), metavar="KEY=VALUE", yaml=True
        ),
    )
    max_cost: float | None = field(
        default=None,
        metadata=_means("number", "Hard cap, in-flight included.", least=0, metavar="USD", yaml=True),
    )
    max_connections: int | None = field(
        default=None, metadata=_means("whole", "Calls in flight per model.", least=1, yaml=True)
    )
    timeout: float | None = field(
        default=None,
        metadata=_means(
            "number", "Seconds for one call; default 600.", least=0, above=True, most=1e7, yaml=True
        ),
    )
    retry: Sequence[str] = field(
        default=(),
        metadata=_means(
            "names",
            "Ask kept answers of these statuses again: refused, truncated.",
            choices=("refused", "truncated"),
        ),
    )
    choices_order: Order | None = field(
        default=None,
        metadata=_means(
            "word",
            "Options under letters: as in the data, drawn for each sample, or every rotation asked.",
            choices=("data", "seeded", "circular"),
        ),
    )
    executor: str = field(
        default="local",
        metadata=_means(
            "word",
            "Where hf/ models are computed: here, or by replicas on Ray's workers.",
            metavar="local|ray[:ADDRESS]",
        ),
    )
    judge: str | Model | None = field(
        default=None,
        metadata=_means(
            "word", "The model that grades, where a task has a metric `judge`.", metavar="MODEL", yaml=True
        ),
    )
    lane: str | None = field(
        default=None,
        metadata=_means(
            "word",
            "How served models are called: plain LiteLLM (stock), over our transport (safe), "
            "compiled (fast).",
            choices=("auto", "stock", "safe", "fast"),
            variable="EVALKIT_LANE",
        ),
    )
    data: Mapping[str, Path | DataFile] = field(
        default_factory=dict,
        metadata=_means("pairs", "Local data in place of a task's own.", metavar="NAME=PATH"),
    )
    include_path: Sequence[str | Path] = field(
        default=(), metadata=_means("paths", "A further folder with tasks.")
    )
    cache: str | None = field(
        default=None,
        metadata=_means("word", "Where answers are kept; default .evalkit/cache.db.", metavar="URL|off"),
    )
    fresh: bool = field(
        default=False, metadata=_means("flag", "Ask again even where the cache has an answer.")
    )
    out: Path | None = field(default=None, metadata=_means("path", "Folder of runs; default reports."))
    name: str | None = field(default=None, metadata=_means("word", "A label for the run, part of its id."))
    track: Sequence[str] = field(
        default=(),
        metadata=_means("names", "Who follows the run: mlflow, wandb, otel, or one of your own.", yaml=True),
    )
    trust: bool = field(
        default=False, metadata=_means("flag", "Let tasks from outside the workspace run their own Python.")
    )

    def __post_init__(self) -> None:
        for name, spelling in spellings().items():
            value = getattr(self, name)
            if value is None and type(self).__dataclass_fields__[name].default is not None:
                raise UsageError(f"{name} cannot be None; leave it out for what is usual")
            if isinstance(value, str) and not value.strip():
                raise UsageError(f"{name} is empty; leave it out for what is usual")
            if spelling.kind == "names" and isinstance(value, str):  # as on a command line
                value = tuple(part.strip() for part in value.split(",") if part.strip())
                object.__setattr__(self, name, value)
            elif spelling.kind == "paths" and isinstance(value, str | Path):
                value = (value,)
                object.__setattr__(self, name, value)
            problem = obstacle(spelling, value)
            if problem:
                raise UsageError(f"{name} must be {problem}")

    def told(self) -> dict[str, Any]:
        """What was asked beyond the defaults, as JSON takes it, models by name; not where it is done."""
        found = {}
        for each in fields(self):
            value = getattr(self, each.name)
            usual = {} if each.default is MISSING else each.default
            listed = tuple(value) if isinstance(value, list) else value
            if each.name not in ("out", "cache", "executor") and listed != usual:
                found[each.name] = _plain(value)
        return found


def _plain(value: Any) -> Any:
    """The value in JSON's own types; a model given as an object is its name."""
    if isinstance(value, Mapping):
        return {str(key): _plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    if value is None or isinstance(value, str | int | float | bool):
        return value
    if isinstance(value, DataFile):
        return str(value.path)
    return str(value) if isinstance(value, Path) else str(getattr(value, "name", value))


def spellings() -> dict[str, Spelling]:
    """The fields of a request by name, in the order in which help lists them."""
    return {each.name: each.metadata["spelling"] for each in fields(RunRequest)}


def obstacle(spelling: Spelling, value: Any) -> str | None:
    """What the value must be instead, in words; None where it can be meant, or is left open."""
    if value is None:
        return None
    if spelling.kind in ("whole", "number"):
        return _number_obstacle(spelling, value)
    if spelling.kind == "flag" and not isinstance(value, bool):
        return f"True or False, not {value!r}"
    if spelling.kind in ("pairs", "params") and not isinstance(value, Mapping):
        return f"a mapping, not {value!r}"
    if spelling.choices:
        given = value if spelling.kind == "names" else (value,)
        wrong = [each for each in given if each not in spelling.choices]
        near = did_you_mean(str(wrong[0]), spelling.choices) if wrong else ""
        return f"{' or '.join(spelling.choices)}, not {wrong[0]!r}.{near}" if wrong else None
    if spelling.kind == "names":
        if not isinstance(value, Sequence):
            return f"a list of names, not {value!r}"
        wrong = [each for each in value if not isinstance(each, str) and not hasattr(each, "capabilities")]
        return f"names, or models such as MockModel(function), not {wrong[0]!r}" if wrong else None
    return None


def _number_obstacle(spelling: Spelling, value: Any) -> str | None:
    whole = spelling.kind == "whole"
    least, most = spelling.least or 0, spelling.most
    number = isinstance(value, int if whole else int | float) and not isinstance(value, bool)
    if number and least <= value <= most and not (spelling.above and value == least):
        return None
    bound = f"{'above' if spelling.above else 'from'} {least:g}"
    if least < 0:
        bound = "of 64 bits"
    return f"a {'whole' if whole else 'finite'} number {bound}, not {value!r}"
