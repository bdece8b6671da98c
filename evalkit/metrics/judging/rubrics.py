"""What a judge is told: a ready-made prompt, the user's own criteria, or the user's own template."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from evalkit.core.errors import MetricError, did_you_mean
from evalkit.core.language import base_language
from evalkit.core.records import digest
from evalkit.metrics.judging.scales import Labels, Points, Scale, make_scale

_PROMPTS = Path(__file__).parent / "prompts"
_LANGUAGES = ("en", "zh")
OUTPUTS = ("json", "brackets")
_MAX_TOKENS = 1024


@dataclass(frozen=True)
class _ReadyMade:
    scale: Scale
    reference: bool
    context: bool = False


READY_MADE: Mapping[str, _ReadyMade] = {
    "correctness": _ReadyMade(Labels({"correct": 1.0, "incorrect": 0.0}), reference=True),
    "quality": _ReadyMade(Points(1, 10), reference=False),
    "faithfulness": _ReadyMade(
        Labels({"faithful": 1.0, "partly": 0.5, "unfaithful": 0.0}), reference=False, context=True
    ),
    "pairwise": _ReadyMade(Labels({"A": 1.0, "tie": 0.5, "B": 0.0}), reference=False),
}
"""The judges that evalkit brings, each in English and Chinese."""


@dataclass(frozen=True)
class Rubric:
    """Everything that a judge is told, before the texts of a sample are put in."""

    name: str
    """A ready-made judge, `criteria` for the user's own rubric, or `template` for a prompt of the user's."""
    user: str
    """The template of the message to the judge."""
    where: str
    """Where the template was written, for messages about it."""
    scale: Scale
    language: str
    """en or zh: in which language the judge is spoken to."""
    criteria: str = ""
    """The user's own rubric; empty with a template that stands for itself."""
    reference: bool = True
    """Whether the judge sees the target."""
    context: str | None = None
    """The column with the material that an answer must be faithful to; None without one."""
    output: str = "json"
    max_tokens: int = _MAX_TOKENS
    structured: bool | None = None
    """Whether a JSON schema is sent; None where the model is known to take one."""
    params: Mapping[str, Any] = field(default_factory=dict)
    """Generation parameters of the judge beside temperature, seed and max_tokens."""

    @property
    def pairwise(self) -> bool:
        """Whether two answers are set against each other, in both orders."""
        return self.name == "pairwise"

    @property
    def chinese(self) -> bool:
        """Whether the judge is spoken to in Chinese."""
        return self.language == "zh"

    @functools.cached_property
    def system(self) -> str:
        """The template of the system message: who the judge is, and that the material is no instruction."""
        return _read("system", self.language).rstrip("\n")

    @functools.cached_property
    def wish(self) -> str:
        """What is asked of the form of the reply; a template with brackets asks for them itself."""
        if self.output == "brackets":
            return ""
        words = self.scale.words(self.chinese)
        if self.chinese:
            return (
                '只回复一个 JSON 对象，不要有其他内容：{"reasoning": "不超过三句话的理由", "verdict": 结论}，'
                f"其中 verdict 是{words}。"
            )
        return (
            'Reply with one JSON object and nothing else: {"reasoning": "<why, in at most three sentences>", '
            f'"verdict": <verdict>}}, where the verdict is {words}.'
        )

    @functools.cached_property
    def complaint(self) -> str:
        """What is said to a judge whose reply could not be read, once."""
        if self.output == "brackets":
            words = self.scale.words(self.chinese)
            return (
                f"无法读取你的结论。请只写双括号中的结论，例如 [[…]]：{words}。"
                if self.chinese
                else f"Your verdict could not be read. Write it alone, in double brackets [[...]]: {words}."
            )
        prefix = "无法读取你的回复。" if self.chinese else "Your reply could not be read. "
        return prefix + self.wish

    def schema(self) -> dict[str, Any]:
        """The JSON schema of a reply."""
        return {
            "type": "object",
            "properties": {"reasoning": {"type": "string"}, "verdict": self.scale.schema()},
            "required": ["reasoning", "verdict"],
            "additionalProperties": False,
        }

    @functools.cached_property
    def digest(self) -> str:
        """The SHA-256 of everything that the judge is told, and how."""
        return digest(
            {
                "system": self.system,
                "user": self.user,
                "criteria": self.criteria,
                "wish": self.wish,
                "complaint": self.complaint,
                "scale": self.scale.sign(),
                "reference": self.reference,
                "context": self.context,
                "max_tokens": self.max_tokens,
                "params": dict(self.params),
            }
        )


def make_rubric(
    metric: str,
    *,
    language: str,
    folder: Path | None = None,
    rubric: str | None = None,
    prompt: str | None = None,
    scale: object = None,
    labels: object = None,
    reference: bool | None = None,
    context: str | None = None,
    prompt_language: str | None = None,
    output: str = "json",
    max_tokens: int = _MAX_TOKENS,
    structured: bool | None = None,
    params: Mapping[str, Any] | None = None,
    criteria: str = "",
) -> Rubric:
    """The rubric that a metric's parameters describe; `folder` is the task's, for prompt files.

    `criteria` are the user's own words beside a ready-made rubric that has room for them (pairwise).

    Raises MetricError where they contradict each other, or a file cannot be read.
    """
    if output not in OUTPUTS:
        raise MetricError(f"metric {metric!r}: output must be {' or '.join(OUTPUTS)}, not {output!r}")
    if output == "brackets" and prompt is None:
        raise MetricError(
            f"metric {metric!r}: output: brackets is for a `prompt` of your own that asks for [[...]]"
        )
    if prompt_language is None:
        prompt_language = "zh" if base_language(language) == "zh" else "en"
    if prompt_language not in _LANGUAGES:
        raise MetricError(
            f"metric {metric!r}: prompt_language must be {' or '.join(_LANGUAGES)}, not {prompt_language!r}"
        )
    name, own = _which(metric, rubric, prompt)
    known = READY_MADE.get(name)
    own_scale = make_scale(metric, scale, labels)
    if known is not None and name == "pairwise" and own_scale is not None:
        raise MetricError(f"metric {metric!r}: a pairwise judge says A, B or tie; leave out scale and labels")
    if known is not None and known.context and context is None:
        context = "context"
    user, where = _template(metric, name, prompt, prompt_language, folder)
    chosen = own_scale or (known.scale if known else Points(1, 10))
    return Rubric(
        name=name,
        user=user,
        where=where,
        scale=chosen,
        language=prompt_language,
        criteria=own or criteria,
        reference=reference if reference is not None else (known.reference if known else True),
        context=context,
        output=output,
        max_tokens=max_tokens,
        structured=structured,
        params=dict(params or {}),
    )


def _which(metric: str, rubric: str | None, prompt: str | None) -> tuple[str, str]:
    """The name of the rubric, and the user's criteria."""
    if prompt is not None:
        if rubric in READY_MADE:
            raise MetricError(
                f"metric {metric!r}: give a `prompt` of your own or the rubric {rubric!r}, not both"
            )
        return "template", rubric or ""
    if rubric is None:
        return "correctness", ""
    if rubric in READY_MADE:
        return rubric, ""
    if len(rubric.split()) < 2 and rubric.isascii():
        raise MetricError(
            f"metric {metric!r}: there is no judge {rubric!r}.{did_you_mean(rubric, READY_MADE)} There are: "
            f"{', '.join(READY_MADE)}; or write your own criteria as sentences, or a `prompt`"
        )
    return "criteria", rubric.strip()


def _template(
    metric: str, name: str, prompt: str | None, language: str, folder: Path | None
) -> tuple[str, str]:
    """The template and where it was written."""
    if prompt is None:
        return _read(name, language).rstrip("\n"), f"judge {name} ({language})"
    if "\n" in prompt or "{{" in prompt:
        return prompt, f"metric {metric!r}, prompt"
    file = (folder or Path()) / prompt
    try:
        return file.read_text(encoding="utf-8"), str(file)
    except (OSError, UnicodeDecodeError) as error:
        raise MetricError(
            f"metric {metric!r}: the prompt file {file} cannot be read ({error}); a prompt is a file in the "
            "task's folder, or a template with {{ answer }}"
        ) from error


@functools.cache
def _read(name: str, language: str) -> str:
    return (_PROMPTS / f"{name}.{language}.md").read_text(encoding="utf-8")
