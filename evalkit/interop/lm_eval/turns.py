"""Questions and answers as turns, and turns as one text or as messages: the field's table of delimiters."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from evalkit.core.errors import PromptError
from evalkit.core.records import Message, Role

ChatTemplate = Callable[[list[dict[str, str]], bool], str]
"""(messages as {role, content}, add_generation_prompt) -> the text that the model reads."""


@dataclass(frozen=True)
class ChatOptions:
    """How prompts become a conversation."""

    multiturn: bool = True
    """Whether worked examples are turns of their own; False joins them into one user message."""
    template: ChatTemplate | None = None
    """The model's chat template; None leaves the messages to a chat server, and contexts are messages."""


class Turn(NamedTuple):
    """One message and what follows it when the prompt is one text."""

    role: Role
    content: str
    delimiter: str = ""


def join(before: str | None, after: str | None, delimiter: str) -> str:
    """Two texts with the delimiter between them where neither is empty nor brings white space."""
    if not before or not after:
        return before or after or ""
    if before[-1].isspace() or after[0].isspace():
        return before + after
    return before + delimiter + after


def question_turns(question: Any, prefix: Any, target_delimiter: str, where: str) -> tuple[Turn, ...]:
    """The turns of the evaluated document: its question, and the start of the answer if there is one."""
    text = _question(question, where)
    if not prefix:
        return (Turn("user", text),)
    start = _prefix(prefix, where)
    return (Turn("user", text, _before_prefix(text, start, target_delimiter)), Turn("assistant", start))


def shot_turns(
    question: Any,
    choices: Any,
    answer: Any,
    prefix: Any,
    target_delimiter: str,
    shot_delimiter: str,
    where: str,
) -> tuple[Turn, ...]:
    """The turns of a worked example. Without an answer (None or empty) it is a bare question."""
    text = _question(question, where)
    if answer is None or answer == "":
        return question_turns(text, prefix, target_delimiter, where)
    if choices and isinstance(answer, int):
        try:
            answer = choices[answer]
        except (IndexError, KeyError, TypeError) as error:
            raise PromptError(f"{where}: doc_to_target: there is no choice {answer!r}") from error
    elif isinstance(answer, list):
        if not answer:
            raise PromptError(f"{where}: doc_to_target: the list of answers of a worked example is empty")
        answer = answer[0]
    if not isinstance(answer, str):
        raise PromptError(
            f"{where}: doc_to_target: the answer of a worked example must be a text, not "
            f"{type(answer).__name__} ({answer!r:.60})"
        )
    if prefix:
        start = _prefix(prefix, where)
        delimiter = _before_prefix(text, start, target_delimiter)
        answer = join(start, answer, " ")
    else:
        delimiter = target_delimiter
    return (Turn("user", text, delimiter), Turn("assistant", answer, shot_delimiter))


def _before_prefix(question: str, prefix: str, delimiter: str) -> str:
    bare = question == "" or question[-1].isspace() or prefix[0].isspace()
    return "" if bare else delimiter


def _question(value: Any, where: str) -> str:
    if isinstance(value, str):
        return value
    raise PromptError(
        f"{where}: doc_to_text: a text is wanted, the document gives {type(value).__name__} ({value!r:.60})"
    )


def _prefix(value: Any, where: str) -> str:
    if isinstance(value, str):
        return value
    raise PromptError(f"{where}: gen_prefix: a text is wanted, not {type(value).__name__}")


def as_text(turns: Sequence[Turn]) -> str:
    """The turns as one plain text."""
    return "".join([turn.content + turn.delimiter for turn in turns])


def as_messages(turns: Sequence[Turn], multiturn: bool) -> tuple[Message, ...]:
    """The turns as messages; without `multiturn` all but system and final prefill become one user message."""
    if multiturn:
        return tuple(Message(turn.role, turn.content) for turn in turns)
    rest = list(turns)
    messages: list[Message] = []
    if rest[0].role == "system":
        messages.append(Message("system", rest.pop(0).content))
    prefill = rest.pop() if rest[-1].role == "assistant" else None
    joined = as_text(rest[:-1]) + rest[-1].content
    messages.append(Message("user", joined))
    if prefill is not None:
        messages.append(Message("assistant", prefill.content))
    return tuple(messages)


def as_context(turns: Sequence[Turn], chat: ChatOptions | None, prefix: Any) -> str | tuple[Message, ...]:
    """What the model is shown: a text, or messages for a chat server."""
    if chat is None:
        return as_text(turns)
    messages = as_messages(turns, chat.multiturn)
    if chat.template is None:
        return messages
    encoded: list[dict[str, str]] = [{"role": message.role, "content": message.text} for message in messages]
    try:
        return chat.template(encoded, not prefix)
    except Exception as error:
        raise PromptError(f"the chat template failed ({type(error).__name__}: {error})") from error


def encode(messages: Sequence[Message]) -> list[Mapping[str, str]]:
    """The messages as {role, content}."""
    return [{"role": message.role, "content": message.text} for message in messages]
