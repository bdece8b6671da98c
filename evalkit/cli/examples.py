"""The examples at the end of each command's help; a test reads every one as the command line would."""

from __future__ import annotations

import click

EXAMPLES: dict[str, tuple[str, ...]] = {
    "report": (
        "evalkit report latest",
        "evalkit report latest --lang zh -o bericht.html",
        "evalkit report latest --redact -o share.html    scores and counts, no texts",
        "evalkit report latest --table latex",
    ),
    "leaderboard": (
        "evalkit leaderboard                       all runs of reports/",
        "evalkit leaderboard latest 2026 --lang zh",
    ),
    "view": ("evalkit view", "evalkit view reports --port 7400 --no-open"),
    "score": ("evalkit score answers.jsonl --task facts_en",),
    "import": (
        "evalkit import lm-eval results/own__model  results_*.json with samples_*.jsonl beside it",
        "evalkit import inspect logs/ --name before",
    ),
    "export": (
        "evalkit export latest --to csv --rows samples -o samples.csv",
        "evalkit export latest --to inspect -o logs",
    ),
    "init": ("evalkit init", "evalkit init evaluations --lang zh --ci gitlab"),
    "doctor": ("evalkit doctor", "evalkit doctor --json"),
    "completion": ("evalkit completion bash", "evalkit completion"),
    "metrics": (
        "evalkit metrics",
        "evalkit metrics macro_f1    why is it lower than accuracy?",
        "evalkit metrics pass@5",
    ),
    "models list": ("evalkit models list",),
    "models check": ("evalkit models check gpt-4o-mini,ollama_chat/llama3",),
    "cache info": ("evalkit cache info", "evalkit cache info --cache team.db"),
    "cache explain": (
        "evalkit cache explain arithmetic_en-003",
        "evalkit cache explain 9f86d081 --run latest",
    ),
    "cache prune": (
        "evalkit cache prune --older-than 90",
        "evalkit cache prune --model openai/gpt-4o-mini --older-than 0",
    ),
    "cache export": ("evalkit cache export answers.jsonl.gz --model openai/gpt-4o-mini",),
    "cache import": ("evalkit cache import answers.jsonl.gz",),
    "tasks list": ("evalkit tasks list", "evalkit tasks list 'mmlu*' --verbose"),
    "tasks show": ("evalkit tasks show arithmetic_zh",),
    "tasks preview": (
        "evalkit tasks preview arithmetic_zh",
        "evalkit tasks preview facts_en --prompt few_shot",
    ),
    "tasks check": ("evalkit tasks check", "evalkit tasks check facts_en 'arithmetic_*'"),
    "tasks new": ("evalkit tasks new my_task", "evalkit tasks new my_exam --kind choice --lang zh"),
    "tasks schema": ("evalkit tasks schema",),
}
"""Command -> its examples, each with a remark after two blanks where it needs one."""


def show_examples(command: click.Command, path: str) -> None:
    """Nothing; puts the examples of a command, and of those below it, at the end of their help."""
    if path in EXAMPLES and not command.epilog:
        lines = "\n".join(f"  {line}" for line in EXAMPLES[path])
        command.epilog = f"Examples:\n\n\b\n{lines}\n"
    if type(command) is click.Group:
        for name, inner in command.commands.items():
            show_examples(inner, f"{path} {name}")
