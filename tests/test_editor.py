"""The JSON Schema of task.yaml: current, complete, and true to what is read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from evalkit.tasks.discovery import bundled_folder
from evalkit.tasks.editor import SCHEMA_FILE, schema_text, task_json_schema

VALIDATOR = jsonschema.Draft202012Validator(json.loads(SCHEMA_FILE.read_text(encoding="utf-8")))
SOUND: dict[str, Any] = {
    "name": "x",
    "data": {"file": "a.jsonl"},
    "target": "answer",
    "prompts": {"p": "{{ q }}"},
    "metrics": ["f1"],
}


def test_shipped_schema_is_current() -> None:
    """The file is what `evalkit tasks schema > evalkit/tasks/task.schema.json` writes."""
    assert SCHEMA_FILE.read_text(encoding="utf-8") == schema_text()


def test_every_key_is_explained() -> None:
    """An editor can say of each key of a task, its data, few-shot, prompts and group what it means."""
    schema = task_json_schema()
    parts = {"TaskSpec": schema, **schema["$defs"]}
    generation = set(parts.pop("GenerationSpec")["properties"])
    silent = [
        f"{name}.{key}"
        for name, part in parts.items()
        for key, value in part["properties"].items()
        if "description" not in value and key not in generation
    ]
    assert silent == []


@pytest.mark.parametrize(
    "file", sorted(bundled_folder().glob("*/task.yaml")), ids=lambda file: file.parent.name
)
def test_bundled_task_files_are_valid(file: Path) -> None:
    """What evalkit reads, the editor does not mark, placeholders of a matrix included."""
    VALIDATOR.validate(yaml.safe_load(file.read_text(encoding="utf-8")))


@pytest.mark.parametrize(
    "change",
    [
        {"chnace": 0.5},
        {"kind": "essay"},
        {"data": {"flie": "x"}},
        {"few_shot": {"sampler": "best"}},
        {"prompts": {"p": {"uesr": "x"}}},
        {"chance": -1},
    ],
    ids=str,
)
def test_mistakes_are_marked(change: dict[str, Any]) -> None:
    """A wrong key or value is invalid by the schema too."""
    assert VALIDATOR.is_valid(SOUND)
    assert not VALIDATOR.is_valid({**SOUND, **change})


def test_matrix_values_may_stand_anywhere() -> None:
    """`${{ name }}` may stand where a number or a list is meant."""
    assert VALIDATOR.is_valid({**SOUND, "chance": "${{ task.chance }}", "labels": "${{ task.labels }}"})
