"""The folder of a new task: complete, commented, and running before anything in it is changed."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from evalkit.core.errors import TaskError
from evalkit.tasks.editor import schema_text

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.\-]{0,99}")
_SCHEMA = "task.schema.json"
Rows = list[dict[str, Any]]

_QUESTIONS: dict[str, tuple[Rows, Rows]] = {
    "en": (
        [
            {"id": "1", "question": "What is the capital of France?", "answer": "Paris"},
            {"id": "2", "question": "How many days has a week?", "answer": ["7", "seven"]},
            {"id": "3", "question": "Which planet do we live on?", "answer": "Earth"},
        ],
        [
            {"question": "What colour is a ripe banana?", "answer": "yellow"},
            {"question": "How many legs has a spider?", "answer": "8"},
        ],
    ),
    "zh": (
        [
            {"id": "1", "question": "法国的首都是哪里？", "answer": "巴黎"},
            {"id": "2", "question": "一周有几天？", "answer": ["7天", "七天"]},
            {"id": "3", "question": "我们住在哪颗行星上？", "answer": "地球"},
        ],
        [
            {"question": "成熟的香蕉是什么颜色的？", "answer": "黄色"},
            {"question": "蜘蛛有几条腿？", "answer": "8条"},
        ],
    ),
}
_CHOICES: dict[str, tuple[Rows, Rows]] = {
    "en": (
        [
            {
                "id": "1",
                "question": "Which is a fruit?",
                "options": ["apple", "chair", "river", "shoe"],
                "answer": 0,
            },
            {
                "id": "2",
                "question": "Which can fly?",
                "options": ["stone", "table", "bird", "spoon"],
                "answer": 2,
            },
            {
                "id": "3",
                "question": "Which is cold?",
                "options": ["fire", "ice", "tea", "sand"],
                "answer": 1,
            },
        ],
        [
            {"question": "Which is red?", "options": ["grass", "snow", "coal", "blood"], "answer": 3},
            {"question": "Which is round?", "options": ["brick", "ball", "book", "door"], "answer": 1},
        ],
    ),
    "zh": (
        [
            {
                "id": "1",
                "question": "下面哪个是水果？",
                "options": ["苹果", "椅子", "河流", "鞋子"],
                "answer": 0,
            },
            {
                "id": "2",
                "question": "下面哪个会飞？",
                "options": ["石头", "桌子", "小鸟", "勺子"],
                "answer": 2,
            },
            {
                "id": "3",
                "question": "下面哪个是冷的？",
                "options": ["火", "冰", "热茶", "沙子"],
                "answer": 1,
            },
        ],
        [
            {"question": "下面哪个是红色的？", "options": ["青草", "雪", "煤", "血"], "answer": 3},
            {"question": "下面哪个是圆的？", "options": ["砖", "球", "书", "门"], "answer": 1},
        ],
    ),
}
_TEXTS: dict[str, tuple[Rows, Rows]] = {
    "en": (
        [
            {"id": "1", "text": "The train left at noon and arrived in the evening."},
            {"id": "2", "text": "She closed the window because it had begun to rain."},
            {"id": "3", "text": "In autumn the leaves turn yellow and fall."},
        ],
        [{"text": "The children played in the garden until it was dark."}],
    ),
    "zh": (
        [
            {"id": "1", "text": "火车中午出发，傍晚到达。"},
            {"id": "2", "text": "因为开始下雨了，她关上了窗户。"},
            {"id": "3", "text": "秋天，树叶变黄，然后落下。"},
        ],
        [{"text": "孩子们在花园里一直玩到天黑。"}],
    ),
}
_ROWS = {"generate": _QUESTIONS, "choice": _CHOICES, "perplexity": _TEXTS}
_HEAD = """\
# yaml-language-server: $schema=../task.schema.json
# The keys are explained in docs/tasks.md; `evalkit tasks check {name}` proves what stands here.
schema: 1
name: {quoted}
description: {description}
language: {lang}                # decides how scores cut and normalise text
tags: [{lang}]                  # words by which --tasks selects
version: 1                  # raise it when the meaning of the numbers changes
license: CC0-1.0            # of your samples
source: Written here.       # where your samples come from
data: {{file: samples.jsonl}} # jsonl, json, csv, tsv or parquet, relative to this folder
kind: {kind}
"""
_GENERATE = """\
target: answer              # the column with the right answer; a list in it means several right ones

prompts:                    # the variants; the first is the default
  zero_shot: "{zero_shot}"
  few_shot:                 # the same after two worked examples
    user: "{short}"
    few_shot: 2
few_shot: {{file: few_shot.jsonl, sampler: first}}
generation: {{temperature: 0, max_tokens: 64}}

extract: [strip_reasoning, first_line]   # how the answer is found in the reply, from left to right
metrics: [exact_match, f1]  # the first is the headline
chance: 0.0                 # what guessing scores on it
"""
_CHOICE = """\
target: answer              # the right option
gold: index                 # how: index (from 0), index1 (from 1), letter or text, the same in every row
choices: options            # the column with the options

prompts:                    # the variants; the first is the default
  zero_shot: "{short}"
  few_shot: {{user: "{short}", few_shot: 2}}
few_shot: {{file: few_shot.jsonl, sampler: first}}

metrics: [accuracy]         # the first is the headline
chance: 0.25                # what guessing scores on it
"""
_PERPLEXITY = """\
text: text                  # the column with the text whose likelihood is asked

few_shot: {file: few_shot.jsonl}   # what baseline/ngram learns from
metrics: [bits_per_byte, perplexity]  # the first is the headline
"""
_ASK = {
    "en": ("Answer with as few words as possible.\\n\\nQuestion: {{ question }}\\nAnswer:",
           "Question: {{ question }}\\nAnswer:"),
    "zh": ("请用尽量少的字回答。\\n\\n问题：{{ question }}\\n答案：", "问题：{{ question }}\\n答案："),
}  # fmt: skip
_DESCRIBED = {
    "generate": {"en": "Answer a simple question.", "zh": "回答简单的问题。"},
    "choice": {"en": "Choose the right option.", "zh": "选出正确的选项。"},
    "perplexity": {"en": "How likely a model finds these texts.", "zh": "模型认为这些文本有多大可能。"},
}
_README = """\
# {name}

{description}

Source: written here. Licence: CC0-1.0. Say where your own samples come from, what may be done with
them, and who is to be cited.

One sample:

```json
{sample}
```
"""


def make_task(folder: Path, name: str, kind: str = "generate", language: str = "en") -> Path:
    """The new folder of the task below `folder`. Raises TaskError when the name is taken or cannot be one."""
    if not _NAME.fullmatch(name):
        raise TaskError(f"task name {name!r}: use letters, digits, _ - and . (at most 100), no spaces")
    home = folder / name
    if home.exists():
        raise TaskError(f"{home} is there already; choose another name, or remove it")
    samples, shots = _ROWS[kind][language]
    description = _DESCRIBED[kind][language]
    files = {
        "task.yaml": _task_file(name, kind, language, description),
        "samples.jsonl": _lines(samples),
        "few_shot.jsonl": _lines(shots),
        "README.md": _README.format(
            name=name,
            description=description,
            sample=json.dumps(samples[0], ensure_ascii=False, indent=2),
        ),
    }
    try:
        home.mkdir(parents=True)
        for file, text in files.items():
            (home / file).write_text(text, encoding="utf-8")
        if not (folder / _SCHEMA).exists():
            (folder / _SCHEMA).write_text(schema_text(), encoding="utf-8")
    except OSError as error:
        raise TaskError(f"{home} cannot be written: {error.strerror or error}") from error
    return home


def _task_file(name: str, kind: str, language: str, description: str) -> str:
    import yaml

    quoted = name if isinstance(yaml.safe_load(name), str) else f'"{name}"'
    head = _HEAD.format(name=name, quoted=quoted, description=description, lang=language, kind=kind)
    if kind == "perplexity":
        return head + _PERPLEXITY
    zero_shot, short = _ASK[language]
    body = _GENERATE if kind == "generate" else _CHOICE
    return head + body.format(zero_shot=zero_shot, short=short)


def _lines(rows: Rows) -> str:
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
