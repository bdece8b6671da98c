"""Results of lm-evaluation-harness as runs: results_*.json, and samples_*.jsonl where they are beside it.

Numbers keep the field's names, `metric,filter`, its values and its standard errors. Its files hold neither
tokens nor costs, times or reasons of ending: they stay unknown.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from evalkit.core.errors import DataError
from evalkit.core.records import (
    IMPOSSIBLE,
    GroupResult,
    Loglikelihood,
    Message,
    MetricValue,
    Response,
    SampleResult,
    TaskGroup,
    digest,
)
from evalkit.interop.files import (
    check_list,
    check_object,
    count,
    number,
    parse,
    read_lines,
    read_object,
    text,
    time_of,
)
from evalkit.interop.imported import Imported, ImportedCell, Reported, make_model, make_task

TOOL = "lm-evaluation-harness"
VARIANT = "lm_eval"
_MODES = {
    "generate_until": ("generate", "generate"),
    "multiple_choice": ("choice", "loglikelihood"),
    "loglikelihood": ("choice", "loglikelihood"),
    "loglikelihood_rolling": ("perplexity", "rolling"),
}
"""Output type -> kind of task, and how the model was asked."""
_STAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d-\d\d-\d\d(?:\.\d+)?")
_NO_METRICS = frozenset({"name", "alias", "sample_len", "sample_count", "samples"})
_PROMPT = (
    "description",
    "doc_to_text",
    "doc_to_target",
    "doc_to_choice",
    "gen_prefix",
    "fewshot_config",
    "target_delimiter",
    "fewshot_delimiter",
    "generation_kwargs",
    "filter_list",
)
"""What of a task's configuration decides the prompt and how the answer is read."""
_LOWER = ("perplexity", "bits_per_byte", "ter", "brier_score")


def read_results(path: Path) -> Iterator[Imported]:
    """What the results file, or each one below a folder, tells. Raises DataError."""
    if path.is_file():
        yield _Reader(path).read()
        return
    files = sorted(path.rglob("results*.json"))
    if not files:
        raise DataError(f"{path}: no results*.json of {TOOL} in it; run lm_eval with --output_path")
    for file in files:
        yield _Reader(file).read()


class _Reader:
    """Reads one results file."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.content = read_object(path)
        if not isinstance(self.content.get("results"), Mapping):
            raise DataError(f"{path}: no `results`, so it is no results file of {TOOL}")
        self.version = _known(self.content.get("lm_eval_version"))
        config = self.content.get("config")
        self.config: Mapping[str, Any] = config if isinstance(config, Mapping) else {}
        self.notes: list[str] = []

    def read(self) -> Imported:
        """What the file tells."""
        children = self._part("group_subtasks")
        names = [name for name in self.content["results"] if not children.get(name)]
        model = self._model()
        samples = self._sample_files()
        found = [self._task(name, model, samples) for name in names]
        if missing := sorted(set(samples) - set(names)):
            self.notes.append(f"samples of {', '.join(missing)} have no results beside them")
        cells = tuple(cell for _, cell in found)
        return Imported(
            tool=TOOL,
            version=self.version,
            created=time_of(self.content.get("date"), self.path),
            tasks={info.name: info for info, _ in found},
            models={model: make_model(model, **self._model_facts(model))},
            cells=cells,
            groups=tuple(self._groups(children, cells)),
            seed=count(self.config.get("random_seed")),
            limit=count(self.config.get("limit")),
            notes=tuple(self.notes),
        )

    def _part(self, key: str) -> Mapping[str, Any]:
        value = self.content.get(key)
        return value if isinstance(value, Mapping) else {}

    def _model(self) -> str:
        """As the file names it, else from the arguments of the model, else the kind of model."""
        arguments = self.config.get("model_args")
        if isinstance(arguments, str):
            arguments = dict(part.partition("=")[::2] for part in arguments.split(",") if "=" in part)
        arguments = arguments if isinstance(arguments, Mapping) else {}
        keys = ("peft", "delta", "pretrained", "model", "path", "engine")
        named = [self.content.get("model_name"), *(arguments.get(key) for key in keys)]
        kind = self.config.get("model")
        return str(
            next((name for name in named if isinstance(name, str) and name), None) or kind or "unknown"
        )

    def _model_facts(self, model: str) -> Mapping[str, Any]:
        source = str(self.content.get("model_source") or self.config.get("model") or "")
        revision = self.config.get("model_revision")
        provider = "hf" if source in ("hf", "huggingface", "hf-auto") else source or model.partition("/")[0]
        known = {"provider": provider, "revision": revision if isinstance(revision, str) else None}
        return {**known, "notes": (f"asked through {source} of {TOOL}",) if source else ()}

    def _sample_files(self) -> dict[str, Path]:
        """Task -> its samples, written with the same stamp."""
        stamp = _STAMP.search(self.path.name)
        if stamp is None:
            return {}
        ending = f"_{stamp.group()}.jsonl"
        files = sorted(self.path.parent.glob(f"samples_*{ending}"))
        return {file.name.removeprefix("samples_").removesuffix(ending): file for file in files}

    def _task(self, name: str, model: str, samples: Mapping[str, Path]) -> tuple[Any, ImportedCell]:
        where = f"{self.path}: results.{name}"
        numbers = check_object(self.content["results"][name], where)
        config = self._part("configs").get(name)
        config = config if isinstance(config, Mapping) else {}
        kind, mode = _MODES.get(str(config.get("output_type")), ("generate", "generate"))
        version = self._part("versions").get(name)
        sizes = self._part("n-samples").get(name)
        sizes = sizes if isinstance(sizes, Mapping) else {}
        n = count(sizes.get("effective")) or count(numbers.get("sample_len"))
        metrics = dict(self._metrics(name, numbers, n, version))
        results: Sequence[SampleResult] = ()
        data: str | None = None
        if name in samples:
            docs = _read_docs(samples[name])
            results = [_result(doc, mode, list(metrics)) for doc in docs.values()]
            data = digest([_content(doc, result) for doc, result in zip(docs.values(), results, strict=True)])
            n = len(results)
        elif samples or not results:
            self.notes.append(
                f"{name}: numbers alone, without samples; lm_eval writes them with --log_samples"
            )
        shots = count(self._part("n-shot").get(name))
        shots = count(config.get("num_fewshot")) if shots is None else shots
        templates = {key: config[key] for key in _PROMPT if config.get(key) not in (None, "")}
        texts = [result.messages[-1].text for result in results[:50] if result.messages]
        if not texts:  # what templates say beside their columns
            said = (value for value in templates.values() if isinstance(value, str))
            texts = [re.sub(r"\{[{%].*?[}%]\}", " ", value, flags=re.DOTALL) for value in said]
        info = make_task(
            name,
            TOOL,
            kind=kind,
            tags=("lm_eval", "imported"),
            version="" if version is None else str(version),
            source=str(config.get("dataset_path") or ""),
            digest=str(self._part("task_hashes").get(name) or digest([TOOL, name, templates])),
            data_revision=_revision(config),
            n_samples=n,
            n_total=count(sizes.get("original")),
            headline=next(iter(metrics), ""),
            prompts={
                VARIANT: "\n".join(f"[{key}] {text(templates[key])}" for key in _PROMPT if key in templates)
            },
            texts=texts,
        )
        chat = bool(self.content.get("chat_template"))
        return info, ImportedCell(
            model=model,
            task=name,
            variant=VARIANT,
            mode=mode,
            metrics=metrics,
            results=results,
            n_samples=n,
            num_fewshot=shots,
            params=_params(config) if mode == "generate" else {},
            prompt=[templates, self.content.get("system_instruction"), chat, shots],
            data_digest=data or digest([TOOL, name, self._part("task_hashes").get(name), n]),
            notes=("chat template applied",) if chat else (),
        )

    def _metrics(
        self, task: str, numbers: Mapping[str, Any], n: int | None, version: Any
    ) -> Iterator[tuple[str, Reported]]:
        """`metric,filter` -> what the file says of it. Old files name metrics without a filter."""
        better = self._part("higher_is_better").get(task)
        better = better if isinstance(better, Mapping) else {}
        for key, value in numbers.items():
            name, comma, rule = key.partition(",")
            if key in _NO_METRICS or name.endswith("_stderr") or isinstance(value, str | Mapping | list):
                continue
            higher = better.get(name)
            yield (
                key,
                Reported(
                    f"lm_eval:{key}|task_version:{'unknown' if version is None else version}"
                    f"|compatible:{self.version or 'unknown'}",
                    value=number(value),
                    stderr=number(numbers.get(f"{name}_stderr{comma}{rule}")),
                    n=n,
                    higher_is_better=higher
                    if isinstance(higher, bool)
                    else not any(part in name for part in _LOWER),
                    scale="percent" if name in ("bleu", "chrf", "ter") else None,
                ),
            )

    def _groups(self, children: Mapping[str, Any], cells: Sequence[ImportedCell]) -> Iterator[GroupResult]:
        """The groups whose number is a mean over tasks that are there."""
        here = {cell.task: cell for cell in cells}
        for group, numbers in self._part("groups").items():
            tasks = tuple(dict.fromkeys(_leaves(group, children)))
            if not tasks or not isinstance(numbers, Mapping) or any(task not in here for task in tasks):
                continue
            for key, said in self._metrics(group, numbers, None, self._part("versions").get(group)):
                of = [here[task] for task in tasks]
                values = [cell.metrics[key].value for cell in of if key in cell.metrics]
                sizes = [cell.n_samples for cell in of if cell.n_samples]
                known = [value for value in values if value is not None]
                if said.value is None or len(known) < len(of):
                    continue
                plain, weighted = sum(known) / len(known), None
                if len(sizes) == len(of):
                    weighted = sum(map(math.prod, zip(known, sizes, strict=True))) / sum(sizes)
                tree, nested = _tree(group, children), None
                if tree.is_nested and sorted(tree.tasks) == sorted(tasks):
                    shares = tree.shares(dict.fromkeys(tasks, 1.0))
                    nested = sum(shares[task] * value for task, value in zip(tasks, known, strict=True))
                near = [
                    mean is not None and abs(mean - said.value) < 1e-6 * max(1.0, abs(said.value))
                    for mean in (weighted, plain, nested)
                ]
                if not any(near):
                    self.notes.append(f"{group}: {key} is no mean over its tasks and is left out")
                    continue
                yield GroupResult(
                    group,
                    of[0].model,
                    VARIANT,
                    tasks,
                    "size" if near[0] else "equal",
                    key,
                    of[0].mode,
                    MetricValue(
                        said.value,
                        said.stderr,
                        None,
                        None,
                        sum(sizes) if len(sizes) == len(of) else 0,
                        said.signature,
                        said.higher_is_better,
                        "fraction" if 0 <= said.value <= 1 else "unbounded",
                    ),
                    tree.members if not any(near[:2]) else (),
                )
                break


def _tree(name: str, children: Mapping[str, Any], depth: int = 0) -> TaskGroup:
    """The group with its levels, each the plain mean of its members."""
    below = [str(child) for child in children.get(name) or ()]
    members = [
        _tree(child, children, depth + 1) if depth < 20 and children.get(child) else child for child in below
    ]
    return TaskGroup(name, tuple(members), "equal")


def _leaves(name: str, children: Mapping[str, Any], depth: int = 0) -> Iterator[str]:
    below = children.get(name)
    if depth > 20 or not isinstance(below, list) or not below:
        yield name
        return
    for child in below:
        yield from _leaves(str(child), children, depth + 1)


def _known(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None


def _revision(config: Mapping[str, Any]) -> str:
    part = f"/{config['dataset_name']}" if config.get("dataset_name") else ""
    return f"hub:{config.get('dataset_path')}{part} (not pinned)" if config.get("dataset_path") else "unknown"


def _params(config: Mapping[str, Any]) -> dict[str, Any]:
    given = config.get("generation_kwargs")
    names = {"until": "stop", "max_gen_toks": "max_tokens"}
    if not isinstance(given, Mapping):
        return {}
    return {names.get(str(key), str(key)): value for key, value in given.items()}


def _read_docs(path: Path) -> dict[Any, list[Mapping[str, Any]]]:
    """Document -> its lines, one for each filter, in the order of the file."""
    docs: dict[Any, list[Mapping[str, Any]]] = {}
    for where, line in read_lines(path):
        if "doc_id" not in line or "resps" not in line:
            raise DataError(
                f"{where}: a sample has `doc_id` and `resps`; this has {', '.join(line) or 'nothing'}"
            )
        check_list(line["resps"], f"{where}: resps")
        docs.setdefault(str(line["doc_id"]), []).append(line)
    return docs


def _arguments(line: Mapping[str, Any]) -> list[Sequence[Any]]:
    """The arguments of each request: a context, then a continuation or generation parameters."""
    given = line.get("arguments")
    if isinstance(given, Mapping):
        return [list(item.values()) if isinstance(item, Mapping) else [item] for item in given.values()]
    return [item if isinstance(item, list) else [item] for item in given] if isinstance(given, list) else []


def _content(doc: Sequence[Mapping[str, Any]], result: SampleResult) -> str:
    return digest([result.sample_id, doc[0].get("doc"), result.target, result.choices])


def _result(doc: Sequence[Mapping[str, Any]], mode: str, metrics: Sequence[str]) -> SampleResult:
    """A document's lines as one result."""
    line = doc[0]
    asked = _arguments(line)
    target = text(line.get("target"))
    scores: dict[str, float | None] = {}
    for each in doc:
        rule = each.get("filter")
        for metric in metrics:
            name, comma, wanted = metric.partition(",")
            if (not comma or wanted == rule) and name in each:
                scores[metric] = number(each[name])
    context = asked[0][0] if asked and asked[0] else ""
    messages = () if mode == "rolling" else _messages(context)
    choices: tuple[str, ...] = ()
    answer: str | None = None
    if mode == "generate":
        response = _generated(line["resps"])
        filtered = line.get("filtered_resps")
        found = filtered[0] if isinstance(filtered, list) and filtered else None
        answer = None if found in (None, "", "[invalid]") else text(found)
    else:
        response = Response(loglikelihoods=tuple(_likelihoods(line["resps"])))
        if mode == "loglikelihood":
            choices = tuple(str(item[1]) for item in asked if len(item) > 1)
            answer = _likeliest(response, choices)
    return SampleResult(
        sample_id=str(line["doc_id"]),
        repeat=0,
        request_digest=str(line.get("prompt_hash") or digest(context)),
        messages=messages,
        target=(target,),
        choices=choices,
        response=response,
        answer=answer,
        rule=str(line["filter"])
        if answer is not None and mode == "generate" and line.get("filter")
        else None,
        span=None,
        scores=scores,
        stats={},
    )


def _messages(context: Any) -> tuple[Message, ...]:
    """The prompt: a text, or a conversation as the JSON text that chat models are sent."""
    if isinstance(context, list):
        if len(context) == 1 and isinstance(context[0], str) and context[0].startswith("["):
            context = check_list(parse(context[0].encode(), "a conversation"), "a conversation")
        turns = [turn for turn in context if isinstance(turn, Mapping)]
        roles = ("system", "user", "assistant")
        return tuple(
            Message(turn["role"] if turn.get("role") in roles else "user", text(turn.get("content")))
            for turn in turns
        )
    return (Message("user", text(context)),)


def _generated(resps: Sequence[Any]) -> Response:
    texts = [text(item) for resp in resps[:1] for item in (resp if isinstance(resp, list) else [resp])]
    parts = tuple(Response(text=each) for each in texts) if len(texts) > 1 else ()
    return Response(text=texts[0] if texts else None, parts=parts)


def _likelihoods(resps: Sequence[Any]) -> Iterator[Loglikelihood]:
    """Of each request the first repeat; the file holds numbers and truths as texts."""
    for resp in resps:
        first = resp[0] if isinstance(resp, list) and resp else resp
        value, greedy = (first[0], first[1]) if isinstance(first, list) and len(first) > 1 else (first, None)
        value = value[0] if isinstance(value, list) and value else value
        try:
            logprob = float(value)
        except (TypeError, ValueError, OverflowError):
            logprob = math.nan
        if math.isnan(logprob):
            continue
        is_greedy = {"True": True, "False": False}.get(str(greedy))
        yield Loglikelihood(max(min(logprob, 0.0), IMPOSSIBLE), is_greedy=is_greedy)


def _likeliest(response: Response, choices: Sequence[str]) -> str | None:
    found = [item.logprob for item in response.loglikelihoods[: len(choices)]]
    return choices[found.index(max(found))] if found and len(found) == len(choices) else None
