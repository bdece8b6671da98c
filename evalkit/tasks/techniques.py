"""Prompt techniques: variants that any task has without saying so.

    zero_shot              the task's first prompt, no worked examples
    few_shot[:K]           the task's first prompt after K worked examples (5)
    cot                    the same question, and the wish to think step by step
                           (Wei et al. 2022, arXiv:2201.11903)
    few_shot_cot[:K]       both
    self_consistency[:N]   cot, asked N times (8) at temperature 0.7; the most frequent answer counts
                           (Wang et al. 2022, arXiv:2203.11171)
    best_of_n[:N]          the task's first prompt, asked N times (4) at temperature 0.7; the answer that the
                           judge of the run rates highest counts, or without a judge the one that scores
                           highest on a metric of the task that reads no target
    pal                    the model writes a Python program, whose output is the answer (needs --trust)
    rag[:K]                the task's first prompt after the K passages (3) of its documents that fit best
    react[:N]              tools in turns: calculator, search in the task's documents, the task's own; at most
                           N calls of the model (8)

The first prompt is the first that has no solver of its own, except for zero_shot and few_shot.
A task's own variant of the same name comes first; `name:K` changes its number of worked examples (of passages
or calls, where it has a solver). A user's
`prompts/*.yaml` hold further ones: the keys of a prompt, with `{{ prompt }}` for the task's own question.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evalkit.core.errors import TaskError
from evalkit.core.language import base_language
from evalkit.tasks.schema import MOST_REPEATS, PromptSpec, SolverSpec, TaskSpec, read_prompt_spec

TECHNIQUES = (
    "zero_shot",
    "few_shot",
    "cot",
    "few_shot_cot",
    "self_consistency",
    "best_of_n",
    "pal",
    "rag",
    "react",
)
_KEEP_SOLVER = ("zero_shot", "few_shot")
_MOST_DIGITS = 9
_SHOTS = 5
_VOTES = 8
_CANDIDATES = 4
_VOTE_TEMPERATURE = 0.7
_REASONING_TOKENS = 1024
_WISH = 'Think step by step. Then write the final answer on a line of its own that begins with "Answer:".'
_WISH_ZH = "请一步一步思考，然后另起一行，写“答案：”和最终答案。"
_WORKED = (
    "{% if rationale is defined %}{{ rationale }}\n{% elif solution is defined %}{{ solution }}\n{% endif %}"
)
"""How a worked example reasons, where its data say it."""
# Extractors that look for the answer anywhere: without the asked-for line they may still find it.
_PROGRAM = (
    "Write a Python program that works out the answer and prints the answer alone. Write it in one ```python "
    "block; it has the standard library, and neither files nor network."
)
_PROGRAM_ZH = (
    "请编写一个 Python 程序求出答案，程序只打印答案本身。把程序写在一个 ```python 代码块里；"
    "只能使用标准库，不能读写文件，也不能联网。"
)
_PASSAGES = "Answer with the help of these passages where they fit.\n\n{{ passages }}\n\n"
_PASSAGES_ZH = "请参考下面的资料作答。\n\n{{ passages }}\n\n"
_WORKING_TOKENS = 1024
"""max_tokens of a program, or of one step with a tool."""
_FINDERS = ("number", "last_number", "label", "letter", "gsm8k", "boxed", "regex", "json")


@dataclass(frozen=True)
class Technique:
    """A prompt that is made for a task rather than written in it."""

    prompt: PromptSpec
    wraps: bool
    """Whether `{{ prompt }}` in it stands for the task's own prompt."""
    votes: int = 1
    picks: bool = False
    """Whether the best of the answers counts, and not the most frequent."""


def split_name(name: str) -> tuple[str, int | None]:
    """The name of a prompt and the number behind its colon; None without one. Raises TaskError."""
    base, colon, number = name.partition(":")
    if not colon:
        return name, None
    if not number.isdecimal() or not base:
        raise TaskError(f"prompt {name[:80]!r}: write a number behind the colon, such as few_shot:5")
    if len(number) > _MOST_DIGITS or int(number) > MOST_REPEATS:
        raise TaskError(f"prompt {name[:80]!r}: the number behind the colon is at most {MOST_REPEATS:,}")
    return base, int(number)


def make_technique(name: str, number: int | None, task: TaskSpec) -> Technique | None:
    """The technique of this name for a task; None when there is none of this name."""
    first = next(iter(task.prompts.values()))
    own = PromptSpec(user=first) if isinstance(first, str) else first
    if name in TECHNIQUES and name not in _KEEP_SOLVER:
        own = plain_prompt(task) or own
        if why := obstacle(name, task):
            raise TaskError(why)
    if name == "zero_shot":
        return Technique(own.model_copy(update={"few_shot": 0}), wraps=False)
    if name == "few_shot":
        return Technique(
            own.model_copy(update={"few_shot": _SHOTS if number is None else number}), wraps=False
        )
    if name == "cot":
        return Technique(_reasoning(task, own, 0), wraps=True)
    if name == "few_shot_cot":
        return Technique(_reasoning(task, own, _SHOTS if number is None else number), wraps=True)
    if name == "self_consistency":
        prompt = _reasoning(task, own, 0).model_copy(update={"temperature": _VOTE_TEMPERATURE})
        return Technique(prompt, wraps=True, votes=number or _VOTES)
    if name == "best_of_n":
        prompt = own.model_copy(update={"temperature": _VOTE_TEMPERATURE})
        return Technique(prompt, wraps=False, votes=number or _CANDIDATES, picks=True)
    if name in ("pal", "rag", "react"):
        return _solved(name, number, task, own)
    return None


def with_number(solver: SolverSpec, number: int | None, where: str) -> SolverSpec:
    """The solver with the number behind the colon of its prompt's name. Raises TaskError."""
    key = {"rag": "top_k", "react": "max_steps"}.get(solver.name)
    if number is None:
        return solver
    if key is None or not 1 <= number <= 100:
        raise TaskError(
            f"{where}: {solver.name} takes {'no number' if key is None else 'a number from 1 to 100'} behind "
            "the colon"
        )
    return solver.model_copy(update={key: number})


def plain_prompt(task: TaskSpec) -> PromptSpec | None:
    """The task's first prompt that needs no solver, which a technique may wrap; None where all need one."""
    prompts = (PromptSpec(user=each) if isinstance(each, str) else each for each in task.prompts.values())
    return next((each for each in prompts if each.solver is None), None)


def obstacle(name: str, task: TaskSpec) -> str:
    """Why a task cannot be worked by the technique of this name; empty where it can."""
    if name in task.prompts or name not in TECHNIQUES or name in _KEEP_SOLVER or not task.prompts:
        return ""
    if plain_prompt(task) is None:
        return f"{name} needs a prompt without a solver, and all prompts of task {task.name!r} have one"
    if name in ("pal", "react") and task.kind != "generate":
        return f"{name} is for tasks of kind generate, and {task.name!r} is of kind {task.kind}"
    if name == "rag" and task.documents is None:
        return f"task {task.name!r} has no documents to look into; name them with its `documents:`"
    return ""


def _solved(name: str, number: int | None, task: TaskSpec, own: PromptSpec) -> Technique:
    """The technique of a solver. Raises TaskError where the task cannot be worked so."""
    where = f"task {task.name!r}, prompt {name}"
    chinese = base_language(task.language) == "zh"
    solver = with_number(SolverSpec.model_validate({"name": name}), number, where)
    steps = list(own.extract if own.extract is not None else task.extract)
    rest = [step for step in steps if step != "strip_reasoning"]
    if name == "rag":
        before = _PASSAGES_ZH if chinese else _PASSAGES
        return Technique(own.model_copy(update={"user": before + own.user, "solver": solver}), wraps=False)
    common: dict[str, Any] = {
        "system": own.system,
        "few_shot": 0,
        "max_tokens": _WORKING_TOKENS,
        "solver": solver,
    }
    if name == "pal":
        finder = rest[-1:] if rest and _step_name(rest[-1]) in ("number", "last_number", "label") else []
        wish = _PROGRAM_ZH if chinese else _PROGRAM
        prompt = PromptSpec(
            user="{{ prompt }}\n\n" + wish,
            answer="```python\nprint({{ target[0] | pprint }})\n```",
            extract=finder or ["last_line"],
            **common,
        )
        return Technique(prompt, wraps=True)
    marker = "最终答案：" if chinese else "Final Answer:"
    chains = [[{"after_marker": marker}, "first_line", *rest], ["last_line", *rest]]
    prompt = PromptSpec(
        user="{{ prompt }}\n\n{{ tools }}",
        answer=f"{marker}{'' if chinese else ' '}{{{{ target[0] }}}}",
        extract=["strip_reasoning", {"first_of": chains}],
        **common,
    )
    return Technique(prompt, wraps=True)


def _reasoning(task: TaskSpec, own: PromptSpec, n_shots: int) -> PromptSpec:
    chinese = base_language(task.language) == "zh"
    marker = "答案：" if chinese else "Answer:"
    wish = _WISH_ZH if chinese else _WISH
    choice = task.kind == "choice"
    steps = list(own.extract if own.extract is not None else task.extract)
    rest = [step for step in steps if step != "strip_reasoning"]
    chains: list[list[Any]] = [[{"after_marker": marker}, "first_line", *rest]]
    if rest and _step_name(rest[-1]) in _FINDERS:
        chains.append(rest)
    return PromptSpec(
        user="{{ prompt }}" if choice else "{{ prompt }}\n\n" + wish,
        system=own.system,
        answer=f"{_WORKED}{marker}{'' if chinese else ' '}{{{{ target[0] }}}}",
        few_shot=n_shots,
        extract=["strip_reasoning", {"first_of": chains}],
        scoring="reason" if choice else "choices",
        max_tokens=_REASONING_TOKENS,
        stop=[],
    )


def _step_name(step: Any) -> str:
    return step if isinstance(step, str) else str(next(iter(step), ""))


def read_library(folder: Path) -> Mapping[str, Technique]:
    """The prompts of a workspace's folder `prompts`, by file name; empty without one. Raises TaskError."""
    files = sorted(folder.glob("*.yaml")) if folder.is_dir() else []
    return {file.stem: Technique(read_prompt_spec(file), wraps=True) for file in files}
