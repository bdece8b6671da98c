"""Sentences that evalkit writes into runs stand in the page's language; what others said, as it is."""

from __future__ import annotations

import ast
import functools
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from page_runs import HOSTILE

import evalkit
from evalkit.pages.translations import Translator, load_texts

SAID = {key: text for key, text in load_texts("en").items() if key.startswith("said.")}


def patterns() -> Iterator[str]:
    """Every text in the program as a pattern, with anything in the place of what is filled in."""
    for file in sorted(Path(evalkit.__file__).parent.rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                yield re.escape(node.value)
            elif isinstance(node, ast.JoinedStr):
                yield "".join(
                    re.escape(str(part.value)) if isinstance(part, ast.Constant) else ".*"
                    for part in node.values
                )


@functools.cache
def written() -> list[re.Pattern[str]]:
    """Those that say something."""
    return [re.compile(found) for found in set(patterns()) if len(found.replace(".*", "")) > 6]


def is_written(text: str) -> bool:
    """Whether the program has a text of this form, or two that make it."""
    if any(pattern.fullmatch(text) for pattern in written()):
        return True
    starts = [match.end() for pattern in written() if (match := pattern.match(text)) and match.end()]
    return any(pattern.fullmatch(text[at:]) for at in set(starts) for pattern in written())


@pytest.mark.parametrize("key", sorted(SAID))
def test_each_sentence_is_one_that_the_program_writes(key: str) -> None:
    """A sentence that is changed in the program alone would be English in the Chinese pages."""
    assert is_written(SAID[key]), SAID[key]


@pytest.mark.parametrize("key", sorted(SAID))
def test_each_sentence_is_found_with_its_values(key: str) -> None:
    """In Chinese with the values of the English one; none is taken for another."""
    names = re.findall(r"\{(\w+)\}", SAID[key])
    values = {name: f"v{i}" for i, name in enumerate(names)}
    text = SAID[key].format(**values)
    assert Translator("zh").said(text) == Translator("zh").span(key, **values)
    assert Translator("zh").said(f"{text} (3x)") == Translator("zh").span(key, **values) + " (3×)"


@pytest.mark.parametrize("text", HOSTILE)
def test_what_others_said_is_text(text: str) -> None:
    """As it stands, and as a value of a sentence."""
    for said in (Translator("zh").said(text), Translator("zh").said(f"{text} is built in")):
        assert "<script" not in said
        assert "<img" not in said
        assert "\x1b" not in said
        assert "\u202e" not in said
