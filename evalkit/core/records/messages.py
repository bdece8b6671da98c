"""The messages of a conversation: text, images where a model can see, and the calls of tools."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

Role = Literal["system", "user", "assistant", "tool"]


@dataclass(frozen=True, slots=True)
class TextPart:
    """A piece of text in a message of several parts."""

    text: str
    """The text, sent as it is."""


@dataclass(frozen=True, slots=True)
class ImagePart:
    """An image in a message of several parts."""

    url: str
    """An http(s) address or a `data:` URI."""


@dataclass(frozen=True, slots=True)
class Message:
    """One message of a conversation."""

    role: Role
    """Who speaks. A last message of the assistant is a prefill: the model goes on from it."""
    content: str | tuple[TextPart | ImagePart, ...]
    """Plain text, or parts when images are among them."""

    @property
    def text(self) -> str:
        """The text of the message, images left out."""
        if isinstance(self.content, str):
            return self.content
        return "".join(part.text for part in self.content if isinstance(part, TextPart))


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A tool that a model asks to be used."""

    id: str
    """By which the result refers to it; as the server gave it."""
    name: str
    """The tool's name, as the model wrote it."""
    arguments: str
    """What the tool is given: JSON, as the model wrote it."""


@dataclass(frozen=True, slots=True)
class ToolMessage(Message):
    """A message in which tools are called (by the assistant), or in which one answers (role tool)."""

    calls: tuple[ToolCall, ...] = ()
    """The calls of the assistant; empty for a tool's answer."""
    call_id: str = ""
    """The call that is answered; empty for the assistant."""


@dataclass(frozen=True, slots=True)
class Step:
    """Something that was done for a sample beside the calls of the model: a search, a program, a tool."""

    action: str
    """What was done: search, python, calculator, or the name of a tool."""
    input: str
    """What it was given: the query, the program, the arguments."""
    output: str = ""
    """What came back, as the model was told it; of a program what it printed."""
    status: str = "ok"
    """ok, error, or how a program ended: timeout, memory, killed, write denied, network denied, ..."""
    detail: str = ""
    """Why it is not ok, in words; empty otherwise."""
    found: tuple[str, ...] = ()
    """Of a search the ids of the documents, best first; empty for others."""
    after: int = 0
    """How many calls of the model were answered before it."""


def flatten(messages: tuple[Message, ...]) -> str:
    """The messages as one text, for models without a chat template: joined by a blank line; a prefill
    follows the last user message after a space where neither side brings white space of its own."""
    text = ""
    for message in messages:
        if not text:
            text = message.text
        elif message.role == "assistant":
            gap = "" if text[-1:].isspace() or message.text[:1].isspace() or not message.text else " "
            text = f"{text}{gap}{message.text}"
        else:
            text = f"{text}\n\n{message.text}"
    return text


def encode_message(message: Message) -> dict[str, Any]:
    """The message as chat servers take it: {role, content}, content a text or a list of typed parts."""
    if isinstance(message, ToolMessage):
        return _encode_tool_message(message)
    if isinstance(message.content, str):
        return {"role": message.role, "content": message.content}
    parts: list[dict[str, Any]] = [
        {"type": "text", "text": part.text}
        if isinstance(part, TextPart)
        else {"type": "image_url", "image_url": {"url": part.url}}
        for part in message.content
    ]
    return {"role": message.role, "content": parts}


def _encode_tool_message(message: ToolMessage) -> dict[str, Any]:
    """The message in OpenAI's form, which LiteLLM translates for every provider."""
    if message.call_id:
        return {"role": message.role, "tool_call_id": message.call_id, "content": message.text}
    calls = [
        {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}
        for call in message.calls
    ]
    return {"role": message.role, "content": message.text or None, "tool_calls": calls}
