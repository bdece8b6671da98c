"""What stands in a task file of lm-evaluation-harness, checked: one frozen record, defaults filled in."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any

from evalkit.core.errors import TaskError, did_you_mean
from evalkit.interop.lm_eval.definition import Definition

OUTPUT_TYPES = ("loglikelihood", "multiple_choice", "loglikelihood_rolling", "generate_until")
MAX_GENERATION_TOKENS = 256
"""`max_gen_toks` of a generating task that sets no generation_kwargs."""

# Keys that say where a task belongs, not what it is; the field drops them before it builds the task.
_STRUCTURAL = ("tag", "group", "task_list", "class")

Rule = str | int | list[Any] | dict[str, Any] | Callable[..., Any] | None
"""A doc_to_* rule: a column's name, a template, a constant, or a function of the document."""


@dataclass(frozen=True)
class FewshotConfig:
    """How worked examples are found and written; what is unset comes from the task."""

    sampler: Any = "default"
    split: str | None = None
    process_docs: Callable[..., Any] | None = None
    fewshot_indices: list[int] | None = None
    """Accepted and without effect, as in the field."""
    samples: list[dict[str, Any]] | Callable[[], list[dict[str, Any]]] | None = None
    doc_to_text: Rule = None
    doc_to_choice: Rule = None
    doc_to_target: Rule = None
    gen_prefix: str | None = None
    fewshot_delimiter: str | None = None
    target_delimiter: str | None = None


@dataclass(frozen=True)
class TaskConfig:
    """The keys of a task, under their own names."""

    task: str | None = None
    task_alias: str | None = None
    custom_dataset: Callable[..., Any] | None = None
    dataset_path: str | None = None
    dataset_name: Any = None
    dataset_kwargs: Mapping[str, Any] | None = None
    training_split: str | None = None
    validation_split: str | None = None
    test_split: str | None = None
    fewshot_split: str | None = None
    process_docs: Callable[..., Any] | None = None
    doc_to_text: Rule = None
    doc_to_target: Rule = None
    doc_to_image: Rule = None
    doc_to_audio: Rule = None
    unsafe_code: bool = False
    doc_to_choice: Rule = None
    process_results: Callable[..., Any] | None = None
    use_prompt: str | None = None
    description: str = ""
    target_delimiter: str = " "
    fewshot_delimiter: str = "\n\n"
    fewshot_config: FewshotConfig = field(default_factory=FewshotConfig)
    num_fewshot: int | None = None
    metric_list: list[dict[str, Any]] | None = None
    output_type: str = "generate_until"
    generation_kwargs: Mapping[str, Any] | None = None
    repeats: int = 1
    filter_list: list[dict[str, Any]] | None = None
    should_decontaminate: bool = False
    doc_to_decontamination_query: Any = None
    gen_prefix: str | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)


TASK_KEYS = tuple(item.name for item in fields(TaskConfig))
FEWSHOT_KEYS = tuple(item.name for item in fields(FewshotConfig))

_TEXT = (str,)
_RULE = (str, int, list, dict)
_TYPES: Mapping[str, tuple[type, ...]] = {
    "task": (str, int, float),
    "task_alias": (str, int, float),
    "dataset_path": _TEXT,
    "dataset_kwargs": (dict,),
    **dict.fromkeys(("training_split", "validation_split", "test_split", "fewshot_split", "split"), _TEXT),
    **dict.fromkeys(("doc_to_text", "doc_to_target", "doc_to_choice"), _RULE),
    **dict.fromkeys(("doc_to_image", "doc_to_audio", "doc_to_decontamination_query"), _RULE),
    **dict.fromkeys(("description", "target_delimiter", "fewshot_delimiter", "gen_prefix"), _TEXT),
    **dict.fromkeys(("unsafe_code", "should_decontaminate"), (bool,)),
    **dict.fromkeys(("custom_dataset", "process_docs", "process_results"), ()),
    **dict.fromkeys(("num_fewshot", "repeats"), (int,)),
    **dict.fromkeys(("metric_list", "filter_list", "fewshot_indices", "samples"), (list,)),
    "use_prompt": _TEXT,
    "fewshot_config": (dict,),
    "output_type": _TEXT,
    "generation_kwargs": (dict,),
    "metadata": (dict, str, int, float, list),
    "sampler": _TEXT,
}
_MAY_BE_CODE = frozenset(
    (
        *("custom_dataset", "process_docs", "process_results", "doc_to_text", "doc_to_target"),
        *("doc_to_choice", "doc_to_image", "doc_to_audio", "doc_to_decontamination_query"),
        *("samples", "sampler"),
    )
)


def build_config(definition: Definition, values: Mapping[str, Any]) -> TaskConfig:
    """The checked record of a task. Raises TaskError naming file and key."""
    chosen: dict[str, Any] = {}
    for key, value in values.items():
        if key in _STRUCTURAL:
            continue
        if key not in TASK_KEYS:
            raise TaskError(
                f"{definition.where(key)}: this key is not known to lm-evaluation-harness."
                + did_you_mean(key, TASK_KEYS)
            )
        if value is None:
            continue
        check_type(key, value, definition.where(key))
        chosen[key] = value
    for key in ("task", "task_alias"):
        if key in chosen:
            chosen[key] = str(chosen[key])
    output_type = chosen.get("output_type", "generate_until")
    if output_type not in OUTPUT_TYPES:
        raise TaskError(
            f"{definition.where('output_type')}: {output_type!r} is none of {', '.join(OUTPUT_TYPES)}."
            + did_you_mean(output_type, OUTPUT_TYPES)
        )
    for key, least in (("num_fewshot", 0), ("repeats", 1)):
        if key in chosen and (isinstance(chosen[key], bool) or chosen[key] < least):
            raise TaskError(f"{definition.where(key)}: at least {least} is wanted, not {chosen[key]!r}")
    metadata = chosen.get("metadata", {})
    chosen["metadata"] = metadata if isinstance(metadata, dict) else {"_metadata": metadata}
    few_shot = chosen.pop("fewshot_config", {})
    config = TaskConfig(**chosen)
    return replace(
        config,
        fewshot_config=_fewshot_config(few_shot, config, definition),
        generation_kwargs=_generation(config, definition),
    )


def check_type(key: str, value: Any, where: str) -> None:
    """Nothing when the value may stand under the key. Raises TaskError."""
    types = _TYPES.get(key)
    if types is None or isinstance(value, types) or (key in _MAY_BE_CODE and callable(value)):
        return
    wanted = [kind.__name__ for kind in types] + (["!function"] if key in _MAY_BE_CODE else [])
    raise TaskError(
        f"{where}: {' or '.join(wanted)} is wanted, not {type(value).__name__} ({str(value)[:60]!r})"
    )


def _fewshot_config(own: Mapping[str, Any], config: TaskConfig, definition: Definition) -> FewshotConfig:
    where = definition.where("fewshot_config")
    for key, value in own.items():
        if key not in FEWSHOT_KEYS:
            raise TaskError(f"{where}.{key}: this key is not known." + did_you_mean(str(key), FEWSHOT_KEYS))
        if value is not None:
            check_type(key, value, f"{where}.{key}")
    samples = own.get("samples")
    if isinstance(samples, list) and not all(isinstance(sample, dict) for sample in samples):
        raise TaskError(f"{where}.samples: a list of mappings is wanted, each one a document")
    inherited = {
        "split": config.fewshot_split,
        "process_docs": config.process_docs,
        "fewshot_delimiter": config.fewshot_delimiter,
        "target_delimiter": config.target_delimiter,
        "gen_prefix": config.gen_prefix,
        "doc_to_text": config.doc_to_text,
        "doc_to_choice": config.doc_to_choice,
        "doc_to_target": config.doc_to_target,
    }
    return FewshotConfig(**{**inherited, **own})


def default_generation(delimiter: str) -> dict[str, Any]:
    """The generation_kwargs of a task that sets none: greedy, up to the few-shot delimiter."""
    return {
        "temperature": 0.0,
        "do_sample": False,
        "max_gen_toks": MAX_GENERATION_TOKENS,
        "until": [delimiter],
    }


def _generation(config: TaskConfig, definition: Definition) -> Mapping[str, Any] | None:
    """The generation_kwargs in effect; `until` is the few-shot delimiter where the task names none."""
    given = config.generation_kwargs
    if given is None:
        if config.output_type != "generate_until":
            return None
        return default_generation(config.fewshot_delimiter)
    params = dict(given)
    if "temperature" in params:
        try:
            params["temperature"] = float(params["temperature"])
        except (TypeError, ValueError) as error:
            raise TaskError(
                f"{definition.where('generation_kwargs')}.temperature: a number is wanted, "
                f"not {params['temperature']!r:.60}"
            ) from error
    params.setdefault("until", [config.fewshot_delimiter])
    return params
