"""Results whose texts are left out, so that a page can be shown to those who may not read them.

What was asked, answered, right, reasoned and judged is replaced by its length; scores, verdicts, rules,
tokens, times and costs stay, and so do names of tasks, prompts, models and samples.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from evalkit.core.records import Judgement, Message, Response, SampleResult, TaskInfo
from evalkit.pages.tasks import TaskPanel


def redact_text(text: str) -> str:
    """What stands for a text: how long it is."""
    return f"[redacted: {len(text):,} characters]"


def redact_task(info: TaskInfo) -> TaskInfo:
    """What is known of a task without the texts of its prompts."""
    return replace(info, prompts={variant: redact_text(text) for variant, text in info.prompts.items()})


def redact_panels(panels: Sequence[TaskPanel]) -> list[TaskPanel]:
    """The panels of tasks without the texts of their prompts; the digests stay."""
    return [replace(panel, info=redact_task(panel.info)) for panel in panels]


def redact_results(results: Iterable[SampleResult]) -> Iterator[SampleResult]:
    """The results, one after the other, without their texts."""
    for result in results:
        yield redact_result(result)


def redact_result(result: SampleResult) -> SampleResult:
    """The result without its texts; its verdict and numbers stay as they are, and which option was which."""
    options = {
        text: f"[redacted: option {place}, {len(text):,} characters]"
        for place, text in enumerate(result.choices, 1)
    }
    return replace(
        result,
        messages=tuple(Message(message.role, _content(message)) for message in result.messages),
        target=tuple(options.get(text) or redact_text(text) for text in result.target),
        choices=tuple(options[text] for text in result.choices),
        response=_response(result.response),
        answer=None if result.answer is None else options.get(result.answer) or redact_text(result.answer),
        span=None,
        metadata={name: _value(value) for name, value in result.metadata.items()},
    )


def _response(response: Response) -> Response:
    return replace(
        response,
        text=_maybe(response.text),
        reasoning=_maybe(response.reasoning),
        tokens=(),
        parts=tuple(_response(part) for part in response.parts),
        tool_calls=tuple(
            replace(call, arguments=redact_text(call.arguments)) for call in response.tool_calls
        ),
        steps=tuple(
            replace(
                step,
                input=redact_text(step.input),
                output=redact_text(step.output),
                detail=redact_text(step.detail),
            )
            for step in response.steps
        ),
        # What a provider says of a failed call may quote it.
        error=None if response.error is None else replace(response.error, message=""),
        judgements={name: _judgement(said) for name, said in response.judgements.items()},
    )


def _judgement(said: Judgement) -> Judgement:
    return replace(
        said,
        reasoning=_maybe(said.reasoning),
        texts=tuple(redact_text(text) for text in said.texts),
        message=None,
    )


def _content(message: Message) -> str:
    if isinstance(message.content, str):
        return redact_text(message.content)
    return redact_text("".join(getattr(part, "text", "") for part in message.content))


def _maybe(text: str | None) -> str | None:
    return None if text is None else redact_text(text)


def _value(value: Any) -> Any:
    """A value of the metadata: numbers and truth values stay, texts go wherever they stand."""
    if value is None or isinstance(value, int | float):
        return value
    if isinstance(value, Mapping):
        return {str(name): _value(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_value(item) for item in value]
    return redact_text(str(value))
