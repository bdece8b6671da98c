"""The program in a reply: fenced, or in Python without fences."""

from __future__ import annotations

import ast
import dataclasses
import itertools
import re
import textwrap

from evalkit.metrics.extractors.excerpt import Excerpt, Found
from evalkit.metrics.extractors.markup import fenced_blocks
from evalkit.metrics.extractors.turns import without_end_tokens

__all__ = ["code_block"]

MAX_UNFENCED = 50_000
"""Characters of a reply in which code without fences is looked for: Python's parser takes its time."""

_ALIASES = {"py": "python", "python3": "python", "js": "javascript", "ts": "typescript", "sh": "bash",
            "shell": "bash", "c++": "cpp", "golang": "go", "yml": "yaml", "rs": "rust"}  # fmt: skip
_CORRECTS = re.compile(
    r"\b(?:wait|bug|corrected|correction|fix(?:ed)?|mistake|oops|revised|actually|error|wrong|incorrect)\b"
    r"|更正|修正|修改后|有误|错误|改正",
    re.IGNORECASE,
)
_CORRECTED = re.compile(
    r"\b(?:corrected|fixed|revised) (?:version|code|one|function)\b|(?:更正|修正)(?:后|如下|版)|修改后", re.I
)
_WRAPPED = re.compile(
    r"\[PYTHON\]\s*?\n?(?P<a>.*?)\s*\[/PYTHON\]|^<code>\s*?\n?(?P<b>.*?)\s*</code>", re.DOTALL | re.MULTILINE
)
_DEFINED = re.compile(r"^(?:async[ ]+)?(?:def|class)[ ]+(\w+)", re.MULTILINE)
_CODE_LINE = re.compile(
    r"^(?:(?:async[ ]+)?def[ ]+\w+[ ]*\(|class[ ]+\w+[ ]*[(:]|@\w|from[ ]+[\w.]+[ ]+import[ ]"
    r"|import[ ]+[\w.]+(?:[ ]+as[ ]|[ ]*,|[ ]*$))",
    re.MULTILINE,
)
_PROSE = re.compile(r"(?:[A-Z#*>\u4e00-\u9fff][^\n]*[.:!?。：！？*]?\s*|`{3,}\w*\s*)")
_HARD_SPACE = re.compile("^[ \t]*\u00a0[ \t\u00a0]*", re.MULTILINE)


def code_block(excerpt: Excerpt, language: str = "", which: str = "first") -> Found | None:
    """The content of the first (or last) fenced block, of this language when one is given.

    A block that does not name its language counts for any. A later block that is said to correct the first
    and defines the same names takes its place. Without a block,
    Python that begins on a line of its own, after
    prose or not, is the code; without any, there is no answer.
    """
    excerpt = without_end_tokens(excerpt)
    wanted = _ALIASES.get(language.lower(), language.lower())
    named: list[tuple[int, int]] = []
    bare: list[tuple[int, int]] = []
    for info, start, end in fenced_blocks(excerpt.text):
        if not wanted or _ALIASES.get(info, info) == wanted:
            named.append((start, end))
        elif not info:
            bare.append((start, end))
    blocks = named or bare
    lone = len(blocks) == 1 and not named and blocks[0][1] == len(excerpt.text)  # a fence that closes nothing
    if blocks and not (lone and _CODE_LINE.search(excerpt.text, 0, blocks[0][0])):
        chosen = blocks[-1] if which == "last" else _corrected(excerpt.text, blocks)
        return Found(_plain(excerpt.part(*chosen), _fence_indent(excerpt.text, chosen)), "code_block")
    if wanted not in ("", "python") or len(excerpt.text) > MAX_UNFENCED:
        return None
    wrapped = _WRAPPED.search(excerpt.text)
    unfenced = wrapped.span("a" if wrapped["a"] is not None else "b") if wrapped else _unfenced(excerpt.text)
    return Found(_plain(excerpt.part(*unfenced)), "code_block:unfenced") if unfenced else None


def _corrected(text: str, blocks: list[tuple[int, int]]) -> tuple[int, int]:
    """The first block, or the last that corrects it."""
    chosen = blocks[0]
    names = set(_DEFINED.findall(text, *chosen))
    for earlier, later in itertools.pairwise(blocks):
        same = names and names <= set(_DEFINED.findall(text, *later))
        if _CORRECTED.search(text, earlier[1], later[0]) or (
            same and _CORRECTS.search(text, earlier[1], later[0])
        ):
            chosen = later
    return chosen


def _fence_indent(text: str, block: tuple[int, int]) -> bool:
    """Whether a fence of this block is indented, as in a list."""
    line = text.rfind("\n", 0, max(0, block[0] - 1)) + 1
    return text[line : line + 1] in (" ", "\t") or text[block[1] + 1 : block[1] + 2] in (" ", "\t")


def _plain(excerpt: Excerpt, dedent: bool = False) -> Excerpt:
    """The code with plain spaces where it is indented by hard ones, which Python does not take, with plain
    ends of lines, and from the margin where its fence is indented."""
    if "\u00a0" in excerpt.text:
        text = _HARD_SPACE.sub(lambda indent: indent.group().replace("\u00a0", " "), excerpt.text)
        excerpt = dataclasses.replace(excerpt, text=text)
    if "\r\n" in excerpt.text:
        excerpt = excerpt.rewritten(excerpt.text.replace("\r\n", "\n"))
    return excerpt.rewritten(textwrap.dedent(excerpt.text)) if dedent else excerpt


def _unfenced(text: str) -> tuple[int, int] | None:
    """Where Python code begins and ends that stands on lines of its own, with nothing but prose before it."""
    margin = len(text) - len(text.lstrip(" "))
    first = _CODE_LINE.search(text[margin:])
    if first is None:
        return None
    start = first.start() + margin
    if any(line.strip() and not _PROSE.fullmatch(line) for line in text[:start].split("\n")):
        return None
    lines = text[start:].split("\n")
    ends = [
        number
        for number, line in enumerate(lines)
        if line.startswith(("```", "~~~"))
        or (number and line[:1].isalpha() and _PROSE.match(line) and not _CODE_LINE.match(line))
    ]
    for stop in (len(lines), *ends[:3]):
        code = "\n".join(lines[:stop]).rstrip()
        if "\n" in code and _is_python(code):
            return start, start + len(code)
    return None


def _is_python(code: str) -> bool:
    plain = _HARD_SPACE.sub(lambda indent: indent.group().replace("\u00a0", " "), code)
    try:
        ast.parse(plain)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return True
