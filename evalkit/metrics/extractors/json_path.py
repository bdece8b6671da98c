"""A value inside the JSON that a response contains: `answer`, `a.b[0]`, `items[-1].name`, `$`."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from evalkit.core.errors import ExtractorError
from evalkit.metrics.extractors.excerpt import Excerpt, Found
from evalkit.metrics.extractors.json_text import FULL_WIDTH, Document, Written, documents, is_whole, repaired
from evalkit.metrics.extractors.turns import own_turn, without_end_tokens

__all__ = ["JsonPath", "Located"]

_STEP = re.compile(r"\.?([^.\[\]]+)|\[(-?\d{1,9})\]|\[\"([^\"]*)\"\]|\['([^']*)'\]")

_OR = re.compile(r"\s{0,9}(?:or|或者?)\s{0,9}", re.IGNORECASE)


def _either(text: str, one: Document, other: Document) -> bool:
    """Whether the text gives one document or the other."""
    return _OR.fullmatch(text, one.stop, other.start) is not None


class Located(NamedTuple):
    """The value at a path, and where it was found."""

    value: Any
    document: Document
    excerpt: Excerpt
    """What the document's places count in."""
    rule: str
    """`json`, or `json:repaired` where json-repair read it."""


class JsonPath:
    """Finds the value at a path in the last JSON of a text that has it: fenced blocks first."""

    def __init__(self, path: str) -> None:
        """Raises ExtractorError when the path is malformed."""
        self.keys = parse_path(path)

    def __call__(self, excerpt: Excerpt) -> Found | None:
        """The value as text, true and false in lower case, lists and objects as JSON; null is no answer.

        What is not strict JSON is read by json-repair: the rule is then json:repaired. A value with which the
        text breaks off is no answer.
        """
        located = self.locate(excerpt)
        return self._answer(located) if located else None

    def locate(self, excerpt: Excerpt) -> Located | None:
        """The value with its document; None where there is none, or null, or one `or` the other."""
        whole = without_end_tokens(excerpt)
        turn = own_turn(excerpt)
        for part in (turn,) if turn.text == whole.text else (turn, whole):
            for rule, read in (("json", documents), ("json:repaired", repaired)):
                chosen = self._last(part, read(part.text))
                if chosen is None:
                    continue
                document, value = chosen
                torn = rule != "json" and _breaks_off(part.text, self.keys, value)
                return None if value is None or torn else Located(value, document, part, rule)
        return None

    def _last(self, excerpt: Excerpt, found: Iterator[list[Document]]) -> tuple[Document, Any] | None:
        """The last document that has the path, of the first group with such a one, and its value there."""
        for group in found:
            chosen: tuple[Document, Any] | None = None
            for document in group:
                value = document.value
                for key in self.keys:
                    if not _has(value, key):
                        break
                    value = value[key]
                else:
                    if chosen and chosen[1] != value and _either(excerpt.text, chosen[0], document):
                        return document, None
                    chosen = document, value
            if chosen:
                return chosen
        return None

    @staticmethod
    def _answer(located: Located) -> Found:
        value, document, excerpt, rule = located
        answer = _as_text(value)
        start, stop = document.start, document.stop
        if isinstance(value, str):  # a literal place, when there is only one
            begin = excerpt.text.find(answer, start, stop) if answer else -1
            if begin >= 0 and excerpt.text.find(answer, begin + 1, stop) < 0:
                return Found(excerpt.part(begin, begin + len(answer)), rule)
        return Found(excerpt.part(start, stop).rewritten(answer), rule)


def parse_path(path: str) -> tuple[str | int, ...]:
    """The keys and positions of a path. Raises ExtractorError that shows where it goes wrong."""
    rest = path.strip().removeprefix("$")
    keys: list[str | int] = []
    at = 0
    while at < len(rest):
        step = _STEP.match(rest, at)
        if step is None or (at == 0 and rest.startswith(".") and len(rest) == 1):
            raise ExtractorError(
                f"json: cannot read the path {path!r} from {rest[at:]!r} on; "
                "write it like answer, a.b[0] or items[-1].name"
            )
        name = next((group for group in (step[1], step[3], step[4]) if group is not None), None)
        keys.append(int(step[2]) if name is None else name)
        at = step.end()
    return tuple(keys)


def _has(value: Any, key: str | int) -> bool:
    if isinstance(key, str):
        return isinstance(value, dict) and key in value
    return isinstance(value, list) and -len(value) <= key < len(value)


def _breaks_off(text: str, keys: tuple[str | int, ...], value: Any) -> bool:
    """Whether the text ends within this value, so that more of it may have been to come."""
    if isinstance(value, bool) or "{" not in text.translate(FULL_WIDTH):
        return False
    if not isinstance(value, list | dict):
        return text.rstrip().endswith(_as_text(value))
    if text.rstrip(" \t\r\n`")[-1:] in ("]", "}"):
        return False
    named = rf"{re.escape(str(keys[-1]))}[\"”'’]?\s{{0,9}}[:：]\s{{0,9}}" if keys else r"(?=[{\[])"
    places = list(re.finditer(named, text))
    return not places or not is_whole(text, places[-1].end())


def _as_text(value: Any) -> str:
    if isinstance(value, str):
        return str(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    return _dump(value)


def _dump(value: Any) -> str:
    """A list or an object as compact JSON, with its numbers as written."""
    if isinstance(value, Written):
        return str(value)
    if isinstance(value, dict):
        return (
            "{"
            + ", ".join(f"{json.dumps(k, ensure_ascii=False)}: {_dump(v)}" for k, v in value.items())
            + "}"
        )
    if isinstance(value, list):
        return "[" + ", ".join(_dump(item) for item in value) + "]"
    return json.dumps(value, ensure_ascii=False)
