"""Templates of task files cannot fill the memory, and say what was too much."""

from __future__ import annotations

import time

import pytest

from evalkit.errors import PromptError
from evalkit.interop.lm_eval.templates import compile_template
from evalkit.jinja import MOST_CHARACTERS, sandbox_environment
from evalkit.prompts import Template, evaluate_column

LARGE = [
    "{{ 'a' * 10 ** 9 }}",
    "{{ 10 ** 9 * 'a' }}",
    "{{ [0] * 10 ** 9 }}",
    "{{ 10 ** (10 ** 9) }}",
    "{{ 'x'.ljust(10 ** 9) }}",
    "{{ 'x'|center(999999999) }}",
    "{{ '%0999999999d' % 1 }}",
    "{{ '%*d' % (999999999, 1) }}",
    "{{ '{:>999999999}'.format(1) }}",
    "{{ '{:>{}}'.format(1, 999999999) }}",
    "{{ ('a' * 9000000).replace('a', 'b' * 900) }}",
    "{{ lipsum(n=100000000) }}",
    "{% for i in range(99999) %}{{ 'a' * 1000 }}{% endfor %}",
    "{% set n = namespace(a='aaaaaaaaaa') %}{% for i in range(60) %}{% set n.a = n.a ~ n.a %}{% endfor %}",
    "{% set n = namespace(a='aaaaaaaaaa') %}{% for i in range(60) %}{% set n.a = n.a + n.a %}{% endfor %}",
    "{% set n = namespace(a='ab') %}{% for i in range(60) %}{% set n.a %}{{ n.a }}{{ n.a }}{% endset %}"
    "{% endfor %}",
]


@pytest.mark.parametrize("source", LARGE)
def test_a_template_without_end_is_an_error_at_once(source: str) -> None:
    """One line of a task file cannot take gigabytes; the error names the file's place."""
    began = time.perf_counter()
    with pytest.raises(PromptError, match=r"tasks/x/task.yaml, prompts.p.user: .*more than"):
        Template(source, "tasks/x/task.yaml, prompts.p.user").render({"q": "x"})
    assert time.perf_counter() - began < 5


def test_expressions_and_templates_of_other_tools_are_bounded_too() -> None:
    """A target expression and a template of lm-evaluation-harness go through the same sandbox."""
    with pytest.raises(PromptError, match="more than"):
        evaluate_column("{{ 'a' * 10 ** 9 }}", {}, "task.yaml, target")
    with pytest.raises(PromptError, match="more than"):
        compile_template("{{ 'a' * 10 ** 9 }}", "x.yaml")({})


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("{{ a ~ b }}|{{ 3 * 4 }}|{{ '%s %03d' % (a, 7) }}", "1é|12|1 007"),
        ("{{ 'ab' * 3 }}|{{ 2 ** 10 }}|{{ [1] * 2 }}|{{ a + 2 }}", "ababab|1024|[1, 1]|3"),
        ("{{ 'x'|center(5) }}|{{ 'x'.rjust(3) }}|{{ '{:>4}'.format(a) }}", "  x  |  x|   1"),
        ("{{ 'a-b'.replace('-', '+') }}|{{ ', '.join(c) }}|{{ 1 ~ none }}", "a+b|x, y|1None"),
    ],
)
def test_what_is_small_is_rendered_as_ever(source: str, text: str) -> None:
    """The bounds change no text that fits."""
    assert sandbox_environment().from_string(source).render(a=1, b="é", c=["x", "y"]) == text


def test_the_longest_text_is_allowed() -> None:
    """A long document of the data is put in whole."""
    document = "x" * (MOST_CHARACTERS - 10)
    assert Template("{{ d }}", "t").render({"d": document}) == document
