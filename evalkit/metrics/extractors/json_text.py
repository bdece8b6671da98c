r"""The JSON documents in a text, strict ones first, then what json-repair makes of the rest.

LaTeX in a string is read as it was meant: in `"\boxed{5}"` or `"\nu"` the escape that JSON sees there is the
beginning of a command. Line breaks inside strings are taken as they are.
"""

from __future__ import annotations

import json
import re
from bisect import bisect_left
from collections.abc import Iterator
from typing import Any, NamedTuple

from evalkit.metrics.extractors.markup import fenced_blocks

__all__ = ["FULL_WIDTH", "Document", "Written", "documents", "is_whole", "repaired"]

MAX_ATTEMPTS = 64
"""At how many brackets of a text JSON is looked for: what it costs stays linear."""
MAX_REPAIRED = 20_000
"""Characters that are repaired at most: json-repair takes a second for five times as many."""
MAX_BRACKETS = 300
"""Opening brackets in what is repaired: json-repair takes seconds for thousands."""

_OPENING = re.compile(r"[{\[]")
_ESCAPE = re.compile(r'\\(?:(?P<kept>["\\/]|u[0-9a-fA-F]{4})|(?P<word>[a-zA-Z]+)|(?P<other>[\s\S]))')
# The commands of LaTeX that begin like an escape of JSON: b, f, n, r, t, u.
_COMMANDS = frozenset(
    """boxed bar begin beta big Big bigg binom bmod bot bullet because backslash bf
    frac fbox forall frown flat
    ne neq neg nu nabla not notin nmid nleq ngeq newline
    rho right rightarrow rangle rceil rfloor rm root rbrace rvert
    text textbf textit textrm textsf texttt textstyle tfrac theta times tan tanh tau to top
    triangle triangleq tilde
    therefore     union uparrow upsilon underline underbrace underset unit""".split()  # noqa: SIM905
)


class Written(str):
    """A number as it was written."""

    __slots__ = ()


class Document(NamedTuple):
    """A JSON value and where it stands."""

    value: Any
    start: int
    stop: int


# Numbers stay as the model wrote them: 12.50 is not 12.5.
_DECODER = json.JSONDecoder(parse_float=Written, parse_int=Written, parse_constant=Written, strict=False)


def documents(text: str) -> Iterator[list[Document]]:
    """The strict JSON documents of a text, in groups: those of a fenced block and those inside them, block by
    block, then the same of the whole text."""
    if "{" not in text and "[" not in text:
        return
    meant, added = _with_latex(text)
    for start, end in _regions(meant):
        outer = _decoded(meant, start, end, nested=False)
        yield [_placed(one, added) for one in outer]
        inner = [each for one in outer for each in _decoded(meant, one.start + 1, one.stop, nested=True)]
        yield [_placed(one, added) for one in inner]


def _regions(text: str) -> Iterator[tuple[int, int]]:
    """The fenced blocks, then all of the text."""
    if "```" in text or "~~~" in text:
        yield from ((start, end) for _, start, end in fenced_blocks(text))
    yield 0, len(text)


def _decoded(text: str, start: int, end: int, *, nested: bool) -> list[Document]:
    """What is decoded from each bracket on; without `nested` none that stands inside another."""
    found: list[Document] = []
    at = start
    for _ in range(MAX_ATTEMPTS):
        bracket = _OPENING.search(text, at, end)
        if bracket is None:
            break
        at = bracket.end()
        try:
            value, stop = _DECODER.raw_decode(text, bracket.start())
        except (ValueError, RecursionError):
            continue
        found.append(Document(value, bracket.start(), stop))
        at = at if nested else stop
    return found


def _placed(document: Document, added: list[int]) -> Document:
    """The document where it stands in the text as it was written."""
    if not added:
        return document
    start, stop = document.start, document.stop
    return Document(document.value, start - bisect_left(added, start), stop - bisect_left(added, stop))


def repaired(text: str) -> Iterator[list[Document]]:
    """What json-repair reads in fenced blocks, or from the first bracket on; nothing in what is too long."""
    text = text.translate(FULL_WIDTH)
    shift = 0
    if "{" not in text and "[" not in text:
        if _FIELD.match(text) is None:
            return
        text, shift = f"{{{text}}}", 1  # a field without its braces
    import json_repair

    for start, end in _regions(text):
        bracket = _OPENING.search(text, start, end)
        if bracket is None:
            continue
        region = text[bracket.start() : min(end, bracket.start() + MAX_REPAIRED)]
        if len(_OPENING.findall(region)) > MAX_BRACKETS:
            continue
        meant, _ = _with_latex(_with_plain_signs(region))
        try:
            value = json_repair.loads(meant, skip_json_loads=True)
        except (ValueError, RecursionError, IndexError, TypeError):
            continue
        documents_ = (
            value if isinstance(value, list) and all(isinstance(one, dict) for one in value) else [value]
        )
        place = bracket.start(), bracket.start() + len(region) - 2 * shift
        yield [
            Document(_as_written(one, meant), *place)
            for one in [*documents_, value]
            if isinstance(one, dict | list) and one
        ]


def is_whole(text: str, at: int) -> bool:
    """Whether a whole strict JSON value stands at this place."""
    try:
        _DECODER.raw_decode(text, at)
    except (ValueError, RecursionError):
        return False
    return True


def _with_latex(text: str) -> tuple[str, list[int]]:
    r"""The text with a second `\` before each command of LaTeX, and where in it they were added."""
    if "\\" not in text:
        return text, []
    pieces: list[str] = []
    added: list[int] = []
    at = length = 0
    for escape in _ESCAPE.finditer(text):
        word = escape["word"]
        if escape["kept"] or (word and word[0] in "bfnrt" and word not in _COMMANDS):
            continue
        if escape["other"] == "\n":
            continue
        pieces += [text[at : escape.start()], "\\"]
        length += escape.start() - at + 1
        added.append(length - 1)
        at = escape.start()
    return "".join([*pieces, text[at:]]), added


FULL_WIDTH = str.maketrans("｛｝［］＂", '{}[]"')
_FIELD = re.compile(r"\s*[\"“'][^\"”'\n]{1,60}[\"”']\s*[:：]")
_CHINESE_SIGNS = re.compile(r"[“”\"]\s{0,9}[:：,，}\]]\s{0,9}[“”\"]?|[{\[:：,，]\s{0,9}[“”\"]")
_PLAIN = str.maketrans("“”：，", '"":,')


def _with_plain_signs(text: str) -> str:
    """The text with Chinese quotes, colons and commas as JSON's where they stand in their place."""
    return _CHINESE_SIGNS.sub(lambda signs: signs.group().translate(_PLAIN), text)


def _as_written(value: Any, text: str) -> Any:
    """The value with its numbers as they are written in the text after their keys, where they are."""
    if isinstance(value, dict):
        return {
            key: _number(key, one, text) if _is_number(one) else _as_written(one, text)
            for key, one in value.items()
        }
    if isinstance(value, list):
        return [Written(one) if _is_number(one) else _as_written(one, text) for one in value]
    return value


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _number(key: str, value: float, text: str) -> Written:
    written = re.findall(rf"{re.escape(str(key))}[\"']?\s{{0,5}}:\s{{0,5}}(-?[0-9][0-9.eE+-]{{0,40}})", text)
    return Written(written[-1] if written else value)
