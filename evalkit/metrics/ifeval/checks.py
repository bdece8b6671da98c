"""One response against the instructions of its prompt."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from evalkit.core.errors import MetricError, did_you_mean
from evalkit.metrics.ifeval import contents, formats, keywords, languages, lengths
from evalkit.metrics.ifeval.arguments import READINGS, Arguments, Checker, Rules

INSTRUCTIONS: dict[str, Checker] = {
    **keywords.CHECKERS,
    **languages.CHECKERS,
    **lengths.CHECKERS,
    **contents.CHECKERS,
    **formats.CHECKERS,
}
"""Instruction id -> its checker: the whole vocabulary."""


def check_instruction(
    instruction_id: str,
    kwargs: Mapping[str, Any] | None,
    prompt: str,
    response: str,
    rules: Rules = READINGS["official"],
) -> bool:
    """Whether the response follows the instruction; a blank response follows none.

    Raises MetricError when the instruction is unknown or lacks an argument.
    """
    checker = INSTRUCTIONS.get(instruction_id)
    if checker is None:
        raise MetricError(
            f"there is no IFEval instruction {instruction_id!r}."
            f"{did_you_mean(instruction_id, INSTRUCTIONS)} All: {', '.join(sorted(INSTRUCTIONS))}"
        )
    # A blank response is judged too, so that a wrong argument is found whatever the model says.
    followed = checker(response, Arguments(instruction_id, kwargs or {}, prompt, rules))
    return followed and bool(response.strip())


def check(
    instruction_ids: Sequence[str],
    kwargs: Sequence[Mapping[str, Any] | None],
    prompt: str,
    response: str,
    loose: bool = False,
    rules: Rules = READINGS["official"],
) -> list[bool]:
    """Whether the response follows each instruction; loose: whether it or one of its relaxations does.

    Raises MetricError when there is not one mapping of arguments per instruction.
    """
    if len(instruction_ids) != len(kwargs):
        raise MetricError(
            f"IFEval needs one entry of kwargs per instruction: "
            f"{len(instruction_ids)} instructions and {len(kwargs)} entries"
        )
    variants = relax(response) if loose else (response,)
    return [
        any(check_instruction(instruction_id, arguments, prompt, variant, rules) for variant in variants)
        for instruction_id, arguments in zip(instruction_ids, kwargs, strict=True)
    ]


def relax(response: str) -> tuple[str, ...]:
    """The response and its relaxations, section 2.2 of the paper, without repetition.

    Without the first line, without the last, without both; each of them and the response itself also without
    asterisks, so that an introduction, a closing remark or Markdown does not hide an answer that follows.
    """
    lines = response.split("\n")
    cut = [response, *("\n".join(part).strip() for part in (lines[1:], lines[:-1], lines[1:-1]))]
    return tuple(dict.fromkeys([*cut, *(text.replace("*", "") for text in cut)]))
