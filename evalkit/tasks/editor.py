"""The JSON Schema of task.yaml, by which editors complete keys and mark mistakes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from evalkit.tasks.schema import TaskSpec

SCHEMA_FILE = Path(__file__).parent / "task.schema.json"
"""The schema as it is shipped; `evalkit tasks schema` prints the same."""
_TITLE = "evalkit task.yaml"
_PLACE = {"type": "string", "pattern": r"\$\{\{.*\}\}"}
"""A value that the matrix of the file puts in."""
_HELP = {
    "TaskSpec": {
        "schema": "Version of this format.",
        "name": "The task's name, unique in its search path; usually that of its folder.",
        "description": "One sentence: what is asked.",
        "language": "Decides how scores cut and normalise text: en, zh, ja, ...",
        "tags": "Words by which --tasks selects.",
        "version": "Raise it when the meaning of the numbers changes.",
        "license": "Licence of the data, as an SPDX name where there is one.",
        "source": "Where the data come from: an address, or a sentence.",
        "data": "Where the samples are.",
        "where": "Column -> the value, or list of values, that a row must have.",
        "documents": "Files with the passages that rag and the tool search find; relative to this file.",
        "matrix": "Name -> values; every combination is a task, ${{ name }} stands for the value.",
        "group": "How the mean over the tasks of the matrix is formed.",
        "id": "Column that identifies a sample; default `id`, else a digest of the content.",
        "kind": "generate: the model writes. choice: options are ranked. perplexity: a text is scored.",
        "target": 'The right answers: a column, an expression such as "{{ answer }}", or a list.',
        "choices": "kind choice: the column with the options, or a list.",
        "gold": "How targets name the right option: letter, index (from 0), index1 (from 1), text.",
        "choices_order": "Options under letters: data, seeded (drawn by sample), circular (every rotation).",
        "labels": "Class names of a classification, in order.",
        "text": "kind perplexity: the column with the text.",
        "cluster": "Column that names dependent samples, such as questions on one passage.",
        "metadata": "Columns that are shown with a sample and never prompted.",
        "prompts": "The variants by name; the first is the default.",
        "few_shot": "Where worked examples come from and how they are chosen.",
        "generation": "Generation parameters under LiteLLM's names.",
        "extract": "How the answer is found in the reply: steps from left to right.",
        "metrics": "Names, or mappings with `name` and settings; the first is the headline.",
        "chance": "What guessing scores on the headline metric.",
        "repeats": "How often each sample is asked.",
        "target_delimiter": "What stands between prompt and answer; default a space, in Chinese nothing.",
    },
    "DataSpec": {
        "file": "jsonl, json, csv, tsv or parquet, .gz too; a folder or glob of them; relative to this file.",
        "encoding": "Of files that are not UTF-8, by Python's names: gb18030, gbk, utf-16, cp1252.",
        "delimiter": "Between the columns of csv or tsv files, where it is another: ';'.",
        "hub": "A data set of the Hugging Face hub.",
        "config": "The hub data set's configuration.",
        "split": "The split with the samples.",
        "revision": "The commit of the hub data set.",
        "few_shot_split": "The split with the worked examples.",
        "few_shot_config": "Its configuration, where it is another.",
        "remote": "load_samples downloads: the task runs only when it is named.",
    },
    "FewShotSpec": {
        "count": "How many worked examples a prompt shows.",
        "file": "A local file with worked examples.",
        "encoding": "Of that file, where it is not UTF-8.",
        "delimiter": "Of that file, where it is csv or tsv with another.",
        "split": "The split with worked examples.",
        "samples": "The worked examples themselves.",
        "sampler": "first, random (by seed and sample), or balanced over the classes.",
        "multiturn": "Worked examples are turns of the conversation rather than one text.",
    },
    "PromptSpec": {
        "user": "The user's message, a Jinja template over the columns.",
        "system": "The system message.",
        "assistant": "The beginning of the answer, from which the model goes on.",
        "answer": "How a worked example's answer is written; default the target.",
        "few_shot": "Number of worked examples, or rules that differ from the task's.",
        "extract": "How the answer is found in replies to this prompt.",
        "scoring": "Of a choice: rank the option texts, rank the letters, or let the model reason first.",
        "choices_order": "Options under letters: data, seeded (drawn by sample), circular (every rotation).",
        "solver": "How a sample is worked: pal (a program), rag (passages), react (tools); or with settings.",
        "description": "One sentence on the variant.",
        "images": "Columns or templates: http(s) and data addresses, or files of the task's folder.",
    },
    "SolverSpec": {
        "name": "pal: a program's output is the answer. rag: passages in the prompt. react: tools in turns.",
        "top_k": "How many passages a search gives.",
        "query": "What rag looks for: a template over the columns; default the column `question`.",
        "retriever": "bm25 (words, the default), or embedding.",
        "embedding": "The model that makes the embeddings: provider/name, or an alias of evalkit.yaml.",
        "tools": "calculator, search, python, and functions of task.py marked @tool.",
        "max_steps": "Most calls of the model for a sample.",
        "max_cost_usd": "US dollars after which a sample is given up.",
        "calls": "How tools are called: text, functions, or auto: functions where the model takes them.",
        "timeout_s": "Seconds that a program or tool may take.",
        "memory_mb": "Memory of a program, in MiB.",
    },
    "GroupSpec": {"weighting": "size: every sample counts alike. equal: every task counts alike."},
}


def task_json_schema() -> dict[str, Any]:
    """The JSON Schema (2020-12) of task.yaml, made from the model that reads it."""
    schema = TaskSpec.model_json_schema(by_alias=True)
    for name, part in [("TaskSpec", schema), *schema["$defs"].items()]:
        part.pop("description", None)
        help_ = {**_HELP["PromptSpec"], **_HELP.get(name, {})} if "Prompt" in name else _HELP.get(name, {})
        part["properties"] = {
            key: _property(value, help_.get(key)) for key, value in part["properties"].items()
        }
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema, "title": _TITLE}


def _property(value: dict[str, Any], text: str | None) -> dict[str, Any]:
    """A key's schema with its help; a value of the matrix may stand for anything that is no plain text."""
    rest = {key: item for key, item in value.items() if key not in ("title", "default")}
    kept = {"default": value["default"]} if value.get("default") is not None else {}
    options = rest.get("anyOf", [rest])
    if {"type": "string"} not in options:
        rest = {"anyOf": [*options, _PLACE]}
    return {**({"description": text} if text else {}), **rest, **kept}


def schema_text() -> str:
    """The schema as the file that is shipped."""
    return json.dumps(task_json_schema(), indent=1, ensure_ascii=False) + "\n"
