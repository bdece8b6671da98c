"""The schema of task.yaml, and its reading with errors that name file, line and key."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from evalkit.core.errors import TaskError, did_you_mean
from evalkit.core.form import Form, delimiter_problem, encoding_problem
from evalkit.core.yaml_text import YamlBoundsError, load_yaml
from evalkit.tasks.matrix import Assignment, substitute, task_name

TASK_SCHEMA = 1
"""Version of the format of task.yaml."""
MOST_REPEATS = 10_000
"""How often one sample may be asked: pass@k has been published with 1,000, and each is a call."""


ChoicesOrder = Literal["data", "seeded", "circular"]
"""How options stand under letters: as in the data, in an order drawn for each sample, in every rotation."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, str_strip_whitespace=False)


class _FileSpec(_Strict):
    """How a data file is to be read, where its bytes do not say it."""

    encoding: str | None = None
    delimiter: str | None = None

    @property
    def form(self) -> Form:
        """Both as readers take them."""
        return Form(self.encoding, self.delimiter)

    @model_validator(mode="after")
    def _readable(self) -> Self:
        if problem := encoding_problem(self.encoding) or delimiter_problem(self.delimiter):
            raise ValueError(problem)
        if self.form and getattr(self, "file", None) is None:
            raise ValueError("`encoding` and `delimiter` are of a `file:`; there is none")
        return self


class DataSpec(_FileSpec):
    """Where the samples come from: a local file, or a data set of the Hugging Face hub."""

    file: str | list[str] | None = None
    hub: str | None = None
    config: str | None = None
    split: str | None = None
    revision: str | None = None
    few_shot_split: str | None = None
    few_shot_config: str | None = None
    remote: bool = False
    """Whether the hook `load_samples` downloads: like a hub data set, the task runs only when it is named."""

    @model_validator(mode="after")
    def _one_source(self) -> DataSpec:
        if self.file is None and self.hub is None:
            raise ValueError("give `file:` or `hub:`")
        if self.file is not None and self.hub is not None:
            raise ValueError("give `file:` or `hub:`, not both")
        if self.file is not None and not self.file:
            raise ValueError("`file:` names no file")
        return self


class FewShotSpec(_FileSpec):
    """How worked examples are chosen."""

    count: Annotated[int, Field(ge=0)] | None = None
    file: str | None = None
    split: str | None = None
    samples: list[dict[str, Any]] | None = None
    sampler: Literal["first", "random", "balanced"] | None = None
    multiturn: bool | None = None


SOLVERS: Mapping[str, tuple[str, ...]] = {
    "pal": ("timeout_s", "memory_mb"),
    "rag": ("top_k", "query", "retriever", "embedding"),
    "react": ("tools", "max_steps", "max_cost_usd", "calls", "top_k", "timeout_s", "memory_mb"),
}
"""How a sample may be worked -> the settings that this takes."""


class SolverSpec(_Strict):
    """How a sample is worked, where it takes more than to ask once."""

    name: Literal["pal", "rag", "react"]
    top_k: Annotated[int, Field(ge=1, le=100)] | None = None
    query: str | None = None
    retriever: Literal["bm25", "embedding"] | None = None
    embedding: Annotated[str, Field(min_length=1)] | None = None
    tools: Annotated[list[str], Field(min_length=1)] | None = None
    max_steps: Annotated[int, Field(ge=1, le=100)] | None = None
    max_cost_usd: Annotated[float, Field(gt=0)] | None = None
    calls: Literal["auto", "text", "functions"] | None = None
    timeout_s: Annotated[float, Field(gt=0, le=3600)] | None = None
    memory_mb: Annotated[int, Field(ge=64)] | None = None

    @model_validator(mode="after")
    def _own_settings(self) -> SolverSpec:
        for key in self.settings():
            if key not in SOLVERS[self.name]:
                takes = ", ".join(SOLVERS[self.name])
                raise ValueError(f"{self.name} takes no `{key}`; it takes {takes}")
        if (self.retriever == "embedding") != (self.embedding is not None):
            raise ValueError(
                "`retriever: embedding` and `embedding: MODEL` go together, such as embedding: "
                "openai/text-embedding-3-small"
            )
        return self

    def settings(self) -> dict[str, Any]:
        """The settings that are stated."""
        return {
            key: value
            for key in type(self).model_fields
            if key != "name" and (value := getattr(self, key)) is not None
        }


class GenerationSpec(_Strict):
    """Generation parameters."""

    temperature: Annotated[float, Field(ge=0)] | None = None
    max_tokens: Annotated[int, Field(gt=0)] | None = None
    top_p: float | None = None
    top_k: int | None = None
    stop: list[str] | None = None
    seed: int | None = None
    presence_penalty: float | None = None
    frequency_penalty: float | None = None
    response_format: dict[str, Any] | None = None
    reasoning_effort: str | None = None

    def params(self) -> dict[str, Any]:
        """The parameters that are stated, under LiteLLM's names."""
        stated = {key: getattr(self, key) for key in GENERATION_KEYS}
        return {key: value for key, value in stated.items() if value is not None}


GENERATION_KEYS = tuple(GenerationSpec.model_fields)
"""The parameters that may stand in `generation:` and directly in a prompt."""


class PromptSpec(GenerationSpec):
    """One variant. Generation parameters may stand beside the templates."""

    user: str
    system: str | None = None
    assistant: str | None = None
    answer: str | None = None
    few_shot: Annotated[int, Field(ge=0)] | FewShotSpec | None = None
    extract: list[Any] | None = None
    images: str | list[str] | None = None
    scoring: Literal["choices", "letter", "reason"] = "choices"
    choices_order: ChoicesOrder | None = None
    solver: Literal["pal", "rag", "react"] | SolverSpec | None = None
    description: str = ""

    @model_validator(mode="after")
    def _data_of_the_task(self) -> PromptSpec:
        rules = self.few_shot
        if isinstance(rules, FewShotSpec) and (rules.file or rules.split or rules.samples):
            raise ValueError(
                "the data of few_shot are the same for all prompts; name them in the task's few_shot"
            )
        return self


class GroupSpec(_Strict):
    """How the mean over the tasks of a matrix is formed."""

    weighting: Literal["size", "equal"] = "size"


class TaskSpec(_Strict):
    """The content of task.yaml, one value of its matrix put in."""

    schema_: Annotated[int, Field(alias="schema")] = TASK_SCHEMA
    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.\-]*$", max_length=100)]
    description: str = ""
    language: Annotated[str, Field(pattern=r"^[A-Za-z]{2,3}([-_][A-Za-z0-9]+)*$")] = "en"
    tags: list[str] = []
    version: int | float | str = 1
    license: str = ""
    source: str = ""
    data: DataSpec
    where: dict[str, Any] = {}
    documents: str | list[str] | None = None
    matrix: dict[str, list[Any]] | None = None
    group: GroupSpec = GroupSpec()
    id: str | None = None
    kind: Literal["generate", "choice", "perplexity"] = "generate"
    target: str | list[str] | None = None
    choices: str | list[str] | None = None
    gold: Literal["letter", "index", "index1", "text"] | None = None
    choices_order: ChoicesOrder = "data"
    labels: list[str] = []
    text: str | None = None
    cluster: str | None = None
    metadata: list[str] = []
    prompts: dict[str, str | PromptSpec] = {}
    few_shot: FewShotSpec = FewShotSpec()
    generation: GenerationSpec = GenerationSpec()
    extract: list[Any] = ["identity"]
    metrics: Annotated[list[str | dict[str, Any]], Field(min_length=1)]
    chance: Annotated[float, Field(ge=0, le=100)] | None = None
    repeats: Annotated[int, Field(ge=1, le=MOST_REPEATS)] = 1
    target_delimiter: str | None = None

    @model_validator(mode="after")
    def _complete(self) -> TaskSpec:
        if self.schema_ > TASK_SCHEMA:
            raise ValueError(f"schema {self.schema_} is newer than this evalkit reads ({TASK_SCHEMA})")
        for metric in self.metrics:
            if not isinstance(metric, str) and not isinstance(metric.get("name"), str):
                raise ValueError(f"a metric is a name or a mapping with `name`, not {metric!r}")
        if self.kind == "perplexity":
            if self.text is None:
                raise ValueError("a perplexity task needs `text:`, the column to be scored")
            return self
        if not self.prompts:
            raise ValueError("give at least one prompt under `prompts:`")
        if self.target is None:
            raise ValueError("give `target:`, the column with the right answer")
        if self.kind == "choice" and self.choices is None:
            raise ValueError("a choice task needs `choices:`")
        if self.kind != "choice" and self.gold is not None:
            raise ValueError("`gold:` says how targets name an option; it is for `kind: choice`")
        return self


def read_yaml(path: Path) -> tuple[dict[str, Any], dict[tuple[str, ...], int]]:
    """The mapping in a YAML file, and the line of each key by its path. Raises TaskError."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise TaskError(f"{path} cannot be read: {error}") from error
    lines: dict[tuple[str, ...], int] = {}
    try:
        loaded = load_yaml(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f", line {mark.line + 1}" if mark else ""
        problem = getattr(error, "problem", None) or str(error).splitlines()[0]
        raise TaskError(f"{path}{line}: not valid YAML ({problem})") from error
    except YamlBoundsError as error:
        line = f", line {error.line}" if error.line else ""
        raise TaskError(f"{path}{line}: {error}") from error
    except ValueError as error:
        raise TaskError(f"{path}: not readable as YAML ({error})") from error
    if not isinstance(loaded.content, dict) or loaded.node is None:
        raise TaskError(f"{path}: expected `key: value` lines, got {type(loaded.content).__name__}")
    _index_lines(loaded.node, (), lines)
    return loaded.content, lines


def _index_lines(node: yaml.Node, place: tuple[str, ...], lines: dict[tuple[str, ...], int]) -> None:
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            here = (*place, str(key.value))
            lines[here] = key.start_mark.line + 1
            _index_lines(value, here, lines)
    elif isinstance(node, yaml.SequenceNode):
        for position, value in enumerate(node.value):
            here = (*place, str(position))
            lines[here] = value.start_mark.line + 1
            _index_lines(value, here, lines)


def read_task_spec(path: Path, assignment: Assignment | None = None) -> TaskSpec:
    """The checked content of a task.yaml, the values of one of its matrix' tasks put in.

    Raises TaskError with file, line, key and the nearest valid key.
    """
    content, lines = read_yaml(path)
    try:
        if assignment is not None:
            rest = {key: value for key, value in content.items() if key != "matrix"}
            named = {"name": task_name(str(content["name"]), assignment)} if "name" in content else {}
            content = {**substitute(rest, assignment), **named}
        return TaskSpec.model_validate(content)
    except ValidationError as error:
        raise TaskError(_explain(error, path, lines)) from error
    except ValueError as error:
        raise TaskError(f"{path}: {error}") from error
    except RecursionError as error:
        raise TaskError(f"{path}: nested too deeply") from error


def read_prompt_spec(path: Path) -> PromptSpec:
    """The checked content of a file with one prompt. Raises TaskError with file, line and key."""
    content, lines = read_yaml(path)
    try:
        return PromptSpec.model_validate(content)
    except ValidationError as error:
        raise TaskError(_explain(error, path, lines, PromptSpec)) from error
    except RecursionError as error:
        raise TaskError(f"{path}: nested too deeply") from error


def _explain(
    error: ValidationError,
    path: Path,
    lines: Mapping[tuple[str, ...], int],
    root: type[BaseModel] = TaskSpec,
) -> str:
    # Of a union's members, the one that came furthest into the value says most; a misspelt key says more
    # than that the right one is missing.
    weights = {"extra_forbidden": 2, "value_error": 1}
    problem = max(error.errors(), key=lambda item: (len(item["loc"]), weights.get(item["type"], 0)))
    named = problem["type"] in ("extra_forbidden", "missing")
    place: tuple[str, ...] = ()
    for number, part in enumerate(problem["loc"], start=1):
        # Among the keys of the file, Pydantic names members of unions, which are none.
        if (*place, str(part)) in lines or (named and number == len(problem["loc"])):
            place = (*place, str(part))
    line = next((lines[place[:n]] for n in range(len(place), 0, -1) if place[:n] in lines), None)
    where = f"{path}, line {line}" if line else str(path)
    key = ".".join(place)
    if problem["type"] == "extra_forbidden":
        known = _known_keys(place, root)
        hint = did_you_mean(place[-1], known) or f" Known keys: {', '.join(known)}."
        return f"{where}: unknown key {key!r}.{hint}"
    message = problem["msg"].removeprefix("Value error, ")
    if problem["type"] == "missing":
        message = "this key is missing"
    if problem["type"] == "string_type" and isinstance(problem["input"], bool | int | float):
        message += (
            f", not {str(problem['input']).lower()}; put it in quotes (YAML reads yes, no and 1 as no text)"
        )
    return f"{where}: {key + ': ' if key else ''}{message}"


def _known_keys(place: tuple[str, ...], root: type[BaseModel]) -> list[str]:
    model = root
    if root is not TaskSpec:
        model = FewShotSpec if "few_shot" in place[:-1] else root
        model = SolverSpec if "solver" in place[:-1] else model
    elif place[0] == "data" and len(place) > 1:
        model = DataSpec
    elif place[0] == "prompts" and len(place) > 2:
        model = FewShotSpec if "few_shot" in place[2:-1] else PromptSpec
        model = SolverSpec if "solver" in place[2:-1] else model
    elif place[0] == "few_shot" and len(place) > 1:
        model = FewShotSpec
    elif place[0] == "generation" and len(place) > 1:
        model = GenerationSpec
    elif place[0] == "group" and len(place) > 1:
        model = GroupSpec
    return [field.alias or name for name, field in model.model_fields.items()]
