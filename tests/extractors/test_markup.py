r"""Boxed answers, fenced code, and JSON."""

from __future__ import annotations

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalkit.metrics.extractors import build_extractor

BOXED = {
    r"so $\boxed{42}$.": "42",
    r"\boxed{1} or rather \boxed{2}": "2",
    r"\boxed{\frac{1}{2}}": r"\frac{1}{2}",
    r"\fbox{x}": "x",
    r"\boxed{ a \} b }": r"a \} b",
    r"\boxed{never closed": None,
    r"\boxed{}": None,
    "42": None,
}
CODE = "Try:\n```python\nprint(1)\n```\nor\n```js\nf()\n```\nor\n```py\nprint(2)\n```\n"
JSON = [
    ("answer", '{"answer": "B"}', "B"),
    ("a.b[0]", 'Sure:\n```json\n{"a": {"b": [12.50, 2]}}\n```', "12.50"),
    ("a", 'first {"b": 1} then {"a": true}', "true"),
    ("a", '{"a": [1, 2.50, {"c": null}]}', '[1, 2.50, {"c": null}]'),
    ("[-1].x", '[{"x": "1"}, {"x": "y"}]', "y"),
    ('["a.b"]', '{"a.b": "c"}', "c"),
    ("$", "[1]", "[1]"),
    ("$.a", '{"a": "中"}', "中"),
    ("a", '{"a": null}', None),
    ("a", '{"b": 1}', None),
    ("a[0]", '{"a": {"0": 1}}', None),
    ("a", '{"a": ', None),
    ("a", "no json", None),
]


@pytest.mark.parametrize("text", BOXED)
def test_boxed_takes_the_last_closed_box(text):
    """Braces are balanced; an empty or open box is no answer."""
    found = build_extractor(["boxed"]).extract(text)
    assert (found and found.answer) == BOXED[text]


@pytest.mark.parametrize(
    ("step", "code"),
    [
        ("code_block", "print(1)"),
        ({"code_block": "python"}, "print(1)"),
        ({"code_block": {"language": "python", "which": "last"}}, "print(2)"),
        ({"code_block": "javascript"}, "f()"),
        ({"code_block": "rust"}, None),
    ],
)
def test_code_blocks_by_language(step, code):
    """The first block, or that of a language under any of its names."""
    found = build_extractor([step]).extract(CODE)
    assert (found and found.answer) == code


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("```\nx\n```", "x"),
        ("```python\nx = 1\ny", "x = 1\ny"),
        ("~~~\n```\n~~~", "```"),
        ("````\n```\nx\n```\n````", "```\nx\n```"),
        ("no block", None),
        ("```\n```", None),
    ],
)
def test_fences(text, code):
    """A block ends at a fence like its own; one that is cut off runs to the end."""
    found = build_extractor([{"code_block": "python"}]).extract(text)
    assert (found and found.answer) == code


@pytest.mark.parametrize(("path", "text", "answer"), JSON)
def test_json_paths(path, text, answer):
    """The value at the path, numbers as written; a missing or null value is no answer."""
    found = build_extractor([{"json": path}]).extract(text)
    assert (found and found.answer) == answer


def is_plain(text: str) -> bool:
    r"""Whether no control character stands before a letter, which may be LaTeX: \nu."""
    return re.search(r"[\b\f\n\r\t][a-zA-Z]", text) is None


@given(st.dictionaries(st.sampled_from("abc"), st.text(min_size=1).filter(is_plain), min_size=1))
def test_any_json_text_value_is_found(document):
    """Whatever text a document holds, escaped or not, is the answer, and its place is inside the reply."""
    for ascii_only in (True, False):
        text = f"Here: {json.dumps(document, ensure_ascii=ascii_only)} Done."
        for key, value in document.items():
            found = build_extractor([{"json": key}]).extract(text)
            assert (found.answer if found else "") == (value if value.strip() else "")
            assert found is None or 5 < found.end <= len(text) - 5
